/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program with an OpenTelemetry SDK publishes for readers from outside:
 * a process context (OTEP 4719: who it is) and, for each thread, the context
 * that is active in it (OTEP 4947: which span).  Supervisor thread.
 *
 * A process context is there once the program has named its mapping by
 * prctl(PR_SET_VMA), which the OTEP asks for at every publication and change
 * even where the kernel does not know it: so there is no polling, and
 * programs that publish nothing cost nothing.  At an attach /proc/PID/maps tells.
 *
 * A thread context is read at the stop of a call, as the OTEP wants it, and told
 * when it changed, in front of the record of that call.
 */
#include "config.h"
#include "engine/supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/proto_reader.h"
#include "symbol/elf_tls.h"
#include "tracee/proc_fs.h"

#define CONTEXT_NAME "OTEL_CTX"
#define VARIABLE "otel_thread_ctx_v1"
#define CONTEXT_VERSION 2u
#define PAYLOAD_MAX 16384u
#define TRIES 3u			/* while the process changes it */
#define FILES_MAX 512u			/* of a process that are looked at */
#define MODULES_MAX 4096u

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

/* OTEP 4719, header. */
struct header {
	char signature[8];
	uint32_t version;
	uint32_t size;
	uint64_t published_ns;		/* 0: it is being changed */
	uint64_t payload;
};

/* OTEP 4947, the fixed part of a record. */
struct record {
	uint8_t trace_id[16], span_id[8];
	uint8_t valid, trace_flags;
	uint16_t attrs_size;
};
_Static_assert(sizeof(struct header) == 32 && sizeof(struct record) == 28, "layouts of the OTEPs");

static bool read_all(struct mem *m, uint64_t addr, void *buf, size_t n)
{
	return addr && mem_read(m, addr, buf, n) == (ssize_t)n;
}

/* ---- process context ---- */

/* Bytes of the payload; -EAGAIN while it is being changed. */
static int payload_read(struct mem *m, uint64_t at, uint8_t *payload)
{
	struct header h, again;

	if (!read_all(m, at, &h, sizeof(h)) || memcmp(h.signature, CONTEXT_NAME, 8) || h.version != CONTEXT_VERSION)
		return -ENOENT;
	if (h.size > PAYLOAD_MAX)
		return -E2BIG;
	if (!h.published_ns)
		return -EAGAIN;
	if (!read_all(m, h.payload, payload, h.size) || !read_all(m, at, &again, sizeof(again)))
		return -EFAULT;
	return memcmp(&h, &again, sizeof(h)) ? -EAGAIN : (int)h.size;
}

/* KeyValue{key 1, value 2}, AnyValue{string_value 1}. */
static bool is_schema(const struct proto_field *attr)
{
	static const char key[] = "threadlocal.schema_version";
	static const char *const known[] = { "tlsdesc_v1_dev", "tlsdesc_v1", "tls_v1" };
	struct proto_reader r, v;
	struct proto_field f, value = { 0 };
	bool named = false;

	proto_reader_init(&r, attr->bytes, attr->len);
	while (proto_reader_next(&r, &f)) {
		if (f.number == 1)
			named = f.len == sizeof(key) - 1 && !memcmp(f.bytes, key, f.len);
		else if (f.number == 2)
			value = f;
	}
	proto_reader_init(&v, value.bytes, value.len);
	if (!named || !proto_reader_next(&v, &f) || f.number != 1)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (f.len == strlen(known[i]) && !memcmp(f.bytes, known[i], f.len))
			return true;
	return false;
}

/* ProcessContext{resource 1, attributes 2}: are there thread contexts that we understand? */
static bool has_threads(const uint8_t *payload, size_t n)
{
	struct proto_reader r;
	struct proto_field f;

	proto_reader_init(&r, payload, n);
	while (proto_reader_next(&r, &f))
		if (f.number == 2 && f.wire == PROTO_BYTES && is_schema(&f))
			return true;
	return false;
}

static void process_tell(struct supervisor *s, struct sup_task *t, const uint8_t *payload, uint32_t n)
{
	struct tracer_ev_context *ev = (struct tracer_ev_context *)emitter_event(
		&s->out, TRACER_EV_CONTEXT, t->base.tid, (uint32_t)sizeof(*ev) + n + 8);

	ev->what = TRACER_CONTEXT_PROCESS;
	ev->len = n;
	memcpy(ev->payload, payload, n);
	ev->head.size = (uint32_t)sizeof(*ev) + n;
	emitter_write(&s->out, &ev->head);
	s->stats[ENGINE_STAT_CONTEXTS]++;
}

/* ---- the variable ---- */

/* A descriptor's argument is the offset from the thread pointer (below it, so negative) or points to
 * the module and offset of a block that is allocated when it is first used (glibc, dl-tlsdesc.h). */
static void desc_load(struct mem *m, struct sup_context *c, const struct elf_tls *tls, uint64_t arg)
{
	uint64_t pair[2];

	if ((int64_t)arg < 0 && (int64_t)arg > INT32_MIN) {
		c->how = SUP_CONTEXT_STATIC;
		c->offset = arg;
	} else if (read_all(m, arg, pair, sizeof(pair)) && pair[0] && pair[0] < MODULES_MAX && pair[1] == tls->value) {
		c->how = SUP_CONTEXT_MODULE;
		c->module = pair[0];
		c->offset = pair[1];
	}
}

/* bias: what is added to the addresses in the file. */
static void variable_load(struct mem *m, struct sup_context *c, const struct elf_tls *tls, uint64_t bias)
{
	uint64_t words[2] = { 0 };

	if (tls->reloc != ELF_TLS_NONE && !read_all(m, bias + tls->where, words, sizeof(words)))
		return;
	switch (tls->reloc) {
	case ELF_TLS_TPOFF:
		c->how = SUP_CONTEXT_STATIC;
		c->offset = words[0];
		break;
	case ELF_TLS_DTPMOD:
		if (!words[0] || words[0] >= MODULES_MAX)
			return;
		c->how = SUP_CONTEXT_MODULE;
		c->module = words[0];
		c->offset = tls->value;
		break;
	case ELF_TLS_DESC:
		desc_load(m, c, tls, words[1]);
		break;
	default:
		if (!tls->program)
			return;
		c->how = SUP_CONTEXT_STATIC;
		c->offset = tls->value - (tls->size + tls->align - 1) / tls->align * tls->align;
	}
}

static void file_look(struct sup_group *g, const char *path, uint64_t start)
{
	char name[PATH_MAX + 32];
	struct elf_tls tls;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/root%s", (int)g->base.pid, path);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	if (elf_tls_read(fd, VARIABLE, &tls) == 0)
		variable_load(&g->base.mem, &g->context, &tls, tls.fixed ? 0 : start - (tls.base & ~(uint64_t)4095));
	close(fd);
}

/* fn for each mapping, until it returns true. */
static void maps_walk(pid_t pid, bool (*fn)(void *ctx, uint64_t start, uint64_t offset, const char *name), void *ctx)
{
	char path[32], line[PATH_MAX + 128];
	FILE *f;

	f = proc_path_format(path, sizeof(path), pid, "maps") == 0 ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long start, offset;
		int at = 0;

		if (sscanf(line, "%llx-%*x %*s %llx %*s %*s %n", &start, &offset, &at) < 2 || !at)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (fn(ctx, start, offset, line + at))
			break;
	}
	if (f)
		fclose(f);
}

struct files { struct sup_group *g; unsigned n; };

static bool file_mapping(void *ctx, uint64_t start, uint64_t offset, const char *name)
{
	struct files *f = ctx;

	if (offset || name[0] != '/')
		return false;
	file_look(f->g, name, start);
	return f->g->context.how != SUP_CONTEXT_NONE || ++f->n == FILES_MAX;
}

static void variable_find(struct sup_group *g)
{
	struct files f = { g, 0 };

	if (g->context.how == SUP_CONTEXT_NONE)
		maps_walk(g->base.pid, file_mapping, &f);
}

/* ---- publication ---- */

static void publish(struct supervisor *s, struct sup_task *t, uint64_t at)
{
	struct sup_group *g = sup_group_of(t);
	uint8_t *payload = malloc(PAYLOAD_MAX);
	int n = -EAGAIN;

	for (unsigned i = 0; payload && i < TRIES && n == -EAGAIN; i++)
		n = payload_read(&g->base.mem, at, payload);
	if (n >= 0) {
		process_tell(s, t, payload, (uint32_t)n);
		if (has_threads(payload, (size_t)n))
			variable_find(g);
		if (g->context.how != SUP_CONTEXT_NONE && s->hooks && s->hooks->on_context)
			s->hooks->on_context(s, t);
	} else if (n == -E2BIG) {
		log_msg(s->cfg.log, LOG_DEBUG, "pid %d: its process context is larger than %u bytes: not read",
			(int)g->base.pid, PAYLOAD_MAX);
	}
	free(payload);
}

void sup_context_prctl(struct supervisor *s, struct sup_task *t)
{
	char name[sizeof(CONTEXT_NAME)] = "";

	if (t->abi != TRACER_ABI_X86_64 || t->args[0] != PR_SET_VMA || t->args[1] != PR_SET_VMA_ANON_NAME)
		return;
	if (read_all(&t->base.group->mem, t->args[4], name, sizeof(name)) && !memcmp(name, CONTEXT_NAME, sizeof(name)))
		publish(s, t, t->args[2]);
}

struct attached { struct supervisor *s; struct sup_task *t; };

static bool context_mapping(void *ctx, uint64_t start, uint64_t offset, const char *name)
{
	static const char *const names[] = { "[anon_shmem:" CONTEXT_NAME "]", "[anon:" CONTEXT_NAME "]", "/memfd:" CONTEXT_NAME };
	struct attached *a = ctx;

	(void)offset;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(name, names[i], strlen(names[i])) == 0) {
			publish(a->s, a->t, start);
			return true;
		}
	}
	return false;
}

void sup_context_attach(struct supervisor *s, struct sup_task *t)
{
	struct attached a = { s, t };

	maps_walk(t->base.group->pid, context_mapping, &a);
}

/* ---- thread context ---- */

/* Address of the thread's variable, 0 where it has none yet. */
static uint64_t variable_of(struct supervisor *s, struct sup_task *t, const struct sup_context *c)
{
	struct mem *m = &t->base.group->mem;
	struct arch_regs regs;
	uint64_t dtv, block;

	if (t->context_at)
		return t->context_at;
	if (tracee_regs_load(t->base.tid, &regs) < 0)
		return 0;
	if (c->how == SUP_CONTEXT_STATIC) {
		t->context_at = s->arch->tls(&regs) + c->offset;
		return t->context_at;
	}
	/* glibc: the thread pointer's second word is the vector of blocks, an entry has 16 bytes, -1: not allocated */
	if (!read_all(m, s->arch->tls(&regs) + 8, &dtv, 8) || !read_all(m, dtv + 16 * c->module, &block, 8) ||
	    !block || block == UINT64_MAX)
		return 0;
	t->context_at = block + c->offset;
	return t->context_at;
}

static void thread_read(struct supervisor *s, struct sup_task *t, struct engine_context *out)
{
	struct sup_group *g = sup_group_of(t);
	static const uint8_t none[16];
	struct record r;
	uint64_t at, record;

	*out = (struct engine_context){ 0 };
	at = variable_of(s, t, &g->context);
	if (!read_all(&g->base.mem, at, &record, 8) || !read_all(&g->base.mem, record, &r, sizeof(r)))
		return;
	if (r.valid != 1 || !memcmp(r.trace_id, none, 16) || !memcmp(r.span_id, none, 8))
		return;
	memcpy(out->trace_id, r.trace_id, sizeof(out->trace_id));
	memcpy(out->span_id, r.span_id, sizeof(out->span_id));
	out->trace_flags = r.trace_flags;
}

void sup_context_look(struct supervisor *s, struct sup_task *t)
{
	static const uint8_t none[8];
	struct engine_context now;

	thread_read(s, t, &now);
	if (!memcmp(now.span_id, t->context_span, 8) && !memcmp(now.trace_id, t->context_trace, 16))
		return;
	memcpy(t->context_span, now.span_id, 8);
	memcpy(t->context_trace, now.trace_id, 16);
	sup_event_context(s, t->base.tid, TRACER_CONTEXT_THREAD, &now, now.span_id, none);
	s->stats[ENGINE_STAT_CONTEXTS]++;
}

void sup_context_exec(struct sup_task *t)
{
	sup_group_of(t)->context = (struct sup_context){ 0 };
	t->context_at = 0;
	memset(t->context_span, 0, sizeof(t->context_span));
	memset(t->context_trace, 0, sizeof(t->context_trace));
}
