/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run in miniature for tests of the span builder: event records made by
 * hand go through the real world model into the builder, as the session does
 * it; spans that come out are copied and go back to the pool at once.
 * Ticks are nanoseconds; Unix time is SIM_EPOCH later.
 */
#ifndef SPAN_SIM_H
#define SPAN_SIM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"
#include "span/resource.h"
#include "span/span_builder.h"

#define SIM_EPOCH 1700000000000000000u
#define SIM_NS_US 1000u
#define SIM_NS_MS 1000000u
#define SIM_NS_S 1000000000u
enum { SIM_READ = 0, SIM_WRITE = 1, SIM_CLOSE = 3, SIM_GETPID = 39, SIM_EXECVE = 59, SIM_FUTEX = 202,
       SIM_EXIT_GROUP = 231, SIM_OPENAT = 257, SIM_FSYNC = 74, SIM_PIPE2 = 293, SIM_CONNECT = 42 };

struct sim {
	struct world *world;
	struct clock_map clock;
	struct span_pool *pool;
	struct span_builder *b;
	struct span_builder_config cfg;
	struct log log;
	char **spans;			/* copies, or NULL when only counted */
	char (*exe)[64];		/* of their resource */
	size_t nspans, cap;
	uint64_t emitted[SPAN_ROOT + 1];
	uint64_t summed;		/* of aggregation.span_count, summaries of calls */
	bool count_only;
	unsigned warnings;
};

static inline const struct span *sim_span(const struct sim *m, size_t i)
{
	return (const struct span *)m->spans[i];
}

/* The value of a number or a truth; INT64_MIN: the span has none. */
static inline int64_t sim_int(const struct span *s, enum span_key k)
{
	const struct span_attr *a = span_lookup(s, k);

	return a ? a->v.i : INT64_MIN;
}

static inline bool sim_named(const struct span *s, const char *name)
{
	return s->name_len == strlen(name) && !memcmp(s->text + s->name_off, name, s->name_len);
}

/* The n-th span of a type and name, from 0; NULL: there are fewer. */
static inline const struct span *sim_find(const struct sim *m, enum span_type type, const char *name, unsigned n)
{
	for (size_t i = 0; i < m->nspans; i++)
		if (sim_span(m, i)->type == type && sim_named(sim_span(m, i), name) && n-- == 0)
			return sim_span(m, i);
	return NULL;
}

static inline void sim_emit(void *ctx, struct span *s)
{
	struct sim *m = ctx;
	const struct span_attr *n = s->type == SPAN_SUMMARY ? span_lookup(s, SPAN_KEY_AGG_SPAN_COUNT) : NULL;

	m->emitted[s->type]++;
	m->summed += n ? (uint64_t)n->v.i : 0;
	if (!m->count_only) {
		if (m->nspans == m->cap) {
			m->cap = m->cap ? 2 * m->cap : 256;
			m->spans = realloc(m->spans, m->cap * sizeof(*m->spans));
			m->exe = realloc(m->exe, m->cap * sizeof(*m->exe));
		}
		const struct resource_attr *exe = resource_lookup(s->resource, "process.executable.name");
		snprintf(m->exe[m->nspans], 64, "%s", exe ? exe->value : "");
		m->spans[m->nspans] = malloc(SPAN_SIZE);
		memcpy(m->spans[m->nspans++], s, offsetof(struct span, text) + s->used);
	}
	span_pool_put(m->pool, s);
}

static inline void sim_log(void *ctx, int level, const char *message)
{
	(void)message;
	if (level <= LOG_WARN)
		((struct sim *)ctx)->warnings++;
}

/* Defaults of a test: change m->cfg, then sim_start(). */
static inline void sim_init(struct sim *m, enum span_detail detail)
{
	struct tracer_ev_clock point = { .head = { .size = sizeof(point), .kind = TRACER_EV_CLOCK },
					 .real_ns = SIM_EPOCH, .source = TRACER_CLOCK_MONOTONIC };

	memset(m, 0, sizeof(*m));
	clock_map_load(&m->clock, &point);
	m->log = (struct log){ .fn = sim_log, .ctx = m, .level = LOG_DEBUG };
	m->cfg = (struct span_builder_config){
		.detail = detail, .max_spans = 10000, .max_trace_bytes = 4 << 20, .arguments = true,
		.fold_interval_ns = 10 * (uint64_t)SIM_NS_S, .decode = { .string_max = 32 },
		.program = "/bin/sh", .engine = "test", .log = &m->log, .emit = sim_emit, .emit_ctx = m,
		.root_span_id = { 1, 1, 1, 1, 1, 1, 1, 1 },
	};
	trace_context_init(&m->cfg.context);
}

static inline void sim_start(struct sim *m, uint32_t pool_size, uint32_t pool_max)
{
	if (span_pool_new(&m->pool, pool_size, pool_max, false) < 0 || world_new(&m->world, NULL) < 0 ||
	    span_builder_new(&m->b, &m->cfg, m->pool, m->world, &m->clock) < 0)
		abort();
}

static inline void sim_feed(struct sim *m, const struct tracer_event *ev)
{
	world_before(m->world, ev);
	if (ev->kind == TRACER_EV_CALL || ev->kind == TRACER_EV_ENTER) {
		struct call c;

		call_init(&c, (const struct tracer_ev_call *)ev, m->world, &m->clock);
		span_builder_call(m->b, &c);
	} else {
		span_builder_event(m->b, ev);
	}
	world_after(m->world, ev);
}

static inline void sim_task(struct sim *m, uint64_t t, int tid, int pid, int parent, unsigned flags)
{
	struct tracer_ev_task ev = { .head = { .size = sizeof(ev), .kind = TRACER_EV_TASK, .flags = (uint16_t)flags,
					       .tid = tid, .time = t },
				     .pid = pid, .parent_tid = parent, .starttime = 100, .ppid = parent, .uid = 0 };

	if (tid != pid)
		ev.clone_flags = 0x10f00;	/* CLONE_VM|FS|FILES|SIGHAND|THREAD */
	snprintf(ev.comm, sizeof(ev.comm), "t%d", tid);
	sim_feed(m, &ev.head);
}

static inline void sim_exec(struct sim *m, uint64_t t, int tid, const char *exe, const char *argv1)
{
	union { struct tracer_ev_exec ev; char room[1024]; uint64_t align; } u;
	const char *base = strrchr(exe, '/');
	size_t n = strlen(exe), a = strlen(argv1) + 1;

	memset(&u, 0, sizeof(u));
	u.ev.head = (struct tracer_event){ .kind = TRACER_EV_EXEC, .tid = tid, .time = t };
	u.ev.head.size = TRACER_ALIGN8(sizeof(u.ev) + n + a);
	u.ev.former_tid = tid;
	u.ev.exe_len = (uint32_t)n;
	u.ev.argv_len = (uint32_t)a;
	u.ev.argc = 1;
	u.ev.elf_class = 2;
	u.ev.dumpable = 1;
	memcpy(u.ev.text, exe, n);
	memcpy(u.ev.text + n, argv1, a);
	snprintf(u.ev.comm, sizeof(u.ev.comm), "%.15s", base ? base + 1 : exe);
	sim_feed(m, &u.ev.head);
}

static inline void sim_map(struct sim *m, uint64_t t, int tid, const char *path, uint8_t id)
{
	union { struct tracer_ev_map ev; char room[1024]; uint64_t align; } u;

	memset(&u, 0, sizeof(u));
	u.ev.head = (struct tracer_event){ .kind = TRACER_EV_MAP, .tid = tid, .time = t };
	u.ev.path_len = (uint32_t)strlen(path);
	u.ev.head.size = TRACER_ALIGN8(sizeof(u.ev) + u.ev.path_len);
	u.ev.build_id_len = id ? 20 : 0;
	memset(u.ev.build_id, id, u.ev.build_id_len);
	memcpy(u.ev.text, path, u.ev.path_len);
	sim_feed(m, &u.ev.head);
}

static inline void sim_exit(struct sim *m, uint64_t t, int tid, int pid, int status, unsigned flags)
{
	struct tracer_ev_exit ev = { .head = { .size = sizeof(ev), .kind = TRACER_EV_EXIT, .flags = (uint16_t)flags,
					       .tid = tid, .time = t }, .status = status, .pid = pid };

	sim_feed(m, &ev.head);
}

struct sim_call {
	int tid, nr;
	uint64_t start, end;
	int64_t ret;
	uint64_t args[6];
	unsigned nargs;
	int cap_arg;			/* captured bytes: argument, flags, text */
	unsigned cap_flags;
	const void *cap;
	size_t cap_len;
	bool enter;
	unsigned flags;
};

static inline void sim_call(struct sim *m, const struct sim_call *d)
{
	union { struct tracer_ev_call ev; char room[2048]; uint64_t align; } u;
	const struct syscall_desc *desc = syscall_lookup(TRACER_ABI_X86_64, d->nr);
	unsigned nargs = d->nargs ? d->nargs : desc ? desc->nargs : 6;
	uint32_t size = (uint32_t)sizeof(u.ev) + 8 * nargs;

	memset(&u, 0, sizeof(u));
	u.ev.head = (struct tracer_event){ .kind = d->enter ? TRACER_EV_ENTER : TRACER_EV_CALL, .tid = d->tid,
					   .nr = d->nr, .time = d->end, .flags = (uint16_t)d->flags };
	if (d->ret < 0 && d->ret >= -4095)
		u.ev.head.flags |= TRACER_EVF_ERROR;
	u.ev.start = d->start;
	u.ev.ret = d->ret;
	u.ev.nargs = (uint8_t)nargs;
	memcpy(u.ev.args, d->args, 8 * nargs);
	if (d->cap) {
		struct tracer_capture *cap = (struct tracer_capture *)(u.room + size);

		cap->arg = (uint8_t)d->cap_arg;
		cap->flags = (uint8_t)(d->cap_flags ? d->cap_flags : TRACER_CAP_IN);
		cap->len = (uint32_t)d->cap_len;
		memcpy(cap->bytes, d->cap, d->cap_len);
		size += 8 + TRACER_ALIGN8(cap->len);
		u.ev.ncaptures = 1;
	}
	u.ev.head.size = size;
	sim_feed(m, &u.ev.head);
}

static inline void sim_plain(struct sim *m, int tid, int nr, uint64_t start, uint64_t end, int64_t ret)
{
	sim_call(m, &(struct sim_call){ .tid = tid, .nr = nr, .start = start, .end = end, .ret = ret });
}

static inline void sim_path(struct sim *m, int tid, uint64_t start, uint64_t end, const char *path, int flags,
			    int64_t ret)
{
	sim_call(m, &(struct sim_call){ .tid = tid, .nr = SIM_OPENAT, .start = start, .end = end, .ret = ret,
		.args = { (uint64_t)-100, 0x1000, (uint64_t)flags, 0 }, .cap_arg = 1, .cap = path,
		.cap_len = strlen(path) + 1 });
}

static inline void sim_finish(struct sim *m, uint64_t t)
{
	span_builder_finish(m->b, t);
	span_builder_finish_root(m->b, &(struct span_final){ .exported = 1, .lost = 2, .waited_ns = 3, .overhead_ns = 4 });
}

static inline void sim_fini(struct sim *m)
{
	span_builder_free(m->b);
	world_free(m->world);
	span_pool_free(m->pool);
	for (size_t i = 0; i < m->nspans; i++)
		free(m->spans[i]);
	free(m->spans);
	free(m->exe);
}

#endif
