/* SPDX-License-Identifier: Apache-2.0 */
/*
 * World and decoders, fed with records that event_check() lets through and
 * nothing else vouches for.  The input is a list of short instructions (struct
 * step) from which valid records are built, so that mutations reach the
 * decoders instead of dying at the check.  Every record lies in memory of its
 * exact size.  What comes out must be printable ASCII.
 *
 * Seeds: every call of both ABIs with something captured for every argument,
 * and a life of forks, execs and exits.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "decode/decode.h"
#include "decode/match.h"
#include "fuzz.h"

struct step {
	uint8_t kind, abi, tid, other;
	uint16_t flags, nr;
	int64_t value;		/* return value, clone flags, descriptor */
	uint8_t ncaptures, nargs, len, options;
	uint32_t reserved0;
};

static struct match_paths wanted_paths;
static struct filter wanted_fds;

struct input { const uint8_t *p; size_t n; };

static void require(int ok)
{
	if (!ok)
		abort();
}

/* The next n bytes of the input, or zeros. */
static void take(struct input *in, void *out, size_t n)
{
	size_t have = in->n < n ? in->n : n;

	memset(out, 0, n);
	memcpy(out, in->p, have);
	in->p += have;
	in->n -= have;
}

static size_t build_call(struct input *in, const struct step *s, uint8_t *room)
{
	struct tracer_ev_call *c = (void *)room;
	size_t at;

	c->nargs = s->nargs % (TRACER_ARGS_MAX + 1);
	c->ret = s->value;
	take(in, c->args, c->nargs * sizeof(c->args[0]));
	at = sizeof(*c) + c->nargs * sizeof(c->args[0]);
	for (unsigned i = 0; c->nargs && i < s->ncaptures % (TRACER_CAPTURES_MAX + 1); i++) {
		struct tracer_capture *cap = (void *)(room + at);
		uint8_t what[4];

		take(in, what, sizeof(what));
		cap->arg = what[0] % c->nargs;
		cap->flags = what[1] & 15;
		cap->index = what[2];
		cap->len = what[3];
		take(in, cap->bytes, cap->len);
		at += sizeof(*cap) + TRACER_ALIGN8(cap->len);
		c->ncaptures++;
	}
	return at;
}

static size_t build_other(struct input *in, const struct step *s, uint8_t *room)
{
	union { struct tracer_event *head; struct tracer_ev_task *task; struct tracer_ev_exec *exec;
		struct tracer_ev_exit *exit; struct tracer_ev_signal *signal; struct tracer_ev_fd *fd;
		struct tracer_ev_text *text; struct tracer_ev_map *map; uint8_t *p; } r = { .p = room };

	switch (s->kind) {
	case TRACER_EV_TASK:
		r.task->pid = s->other & 15;
		r.task->parent_tid = s->nr & 15;
		r.task->clone_flags = (uint64_t)s->value;
		return sizeof(*r.task);
	case TRACER_EV_EXEC:
		r.exec->former_tid = s->other & 15;
		r.exec->exe_len = s->len / 2;
		r.exec->argv_len = s->len - s->len / 2;
		r.exec->argc = (uint32_t)s->value & 3;
		take(in, r.exec->text, s->len);
		return sizeof(*r.exec) + s->len;
	case TRACER_EV_EXIT:
		r.exit->pid = s->other & 15;
		r.exit->status = (int32_t)s->value;
		return sizeof(*r.exit);
	case TRACER_EV_SIGNAL:
		r.head->nr = s->nr % 65;
		r.signal->code = (int32_t)s->value;
		r.signal->info_len = s->len & 1 ? 128 : 0;
		take(in, r.signal->info, r.signal->info_len);
		return sizeof(*r.signal) + r.signal->info_len;
	case TRACER_EV_MAP:
		r.map->path_len = s->len;
		r.map->build_id_len = s->other % 21;
		take(in, r.map->text, s->len);
		return sizeof(*r.map) + s->len;
	case TRACER_EV_FD:
		r.fd->fd = (int32_t)s->value;
		r.fd->len = s->len;
		take(in, r.fd->target, s->len);
		return sizeof(*r.fd) + s->len;
	default:
		r.text->len = s->len;
		take(in, r.text->text, s->len);
		return sizeof(*r.text) + s->len;
	}
}

static void check_text(const struct strbuf *sb)
{
	for (size_t i = 0; i < sb->len; i++)
		require(sb->p[i] >= 0x20 && sb->p[i] < 0x7f);
	require(sb->p[sb->len] == '\0');
}

static void show_call(struct world *w, const struct tracer_ev_call *ev, const struct step *s)
{
	const struct decode_options o = {
		.string_max = s->len, .fd_paths = s->options & 1, .fd_details = s->options & 2, .verbose = s->options & 4,
		.strings_hex = (s->options >> 3) % 3, .raw = (s->options & 0xe0) == 0xe0, .no_buffers = s->options & 32,
		.no_argv = s->options & 64,
	};
	struct call_peer peer;
	struct strbuf sb, path;
	struct call c;
	char mem[100];

	strbuf_init(&sb, s->options & 128 ? 200 : 65536);
	strbuf_init_fixed(&path, mem, sizeof(mem));
	call_init(&c, ev, w, NULL);
	call_format_args(&c, &o, &sb);
	call_format_ret(&c, &o, &sb);
	check_text(&sb);
	for (unsigned i = 0; i <= TRACER_ARGS_MAX; i++)
		call_format_arg(&c, i, &o, &sb);
	check_text(&sb);
	call_path(&c, &path);
	call_fd_entry(&c);
	call_bytes(&c);
	if (call_peer(&c, &peer))
		require(strlen(peer.address) == peer.address_len);
	call_matches_path(&c, &wanted_paths);
	call_matches_fd(&c, &wanted_fds);
	strbuf_fini(&sb);
}

static void show_signal(const struct tracer_ev_signal *ev)
{
	struct strbuf sb;

	strbuf_init(&sb, 4096);
	signal_format(ev, &sb);
	check_text(&sb);
	strbuf_fini(&sb);
}

static void run_record(struct world *w, const struct tracer_event *ev, const struct step *s)
{
	if (event_check(ev, ev->size) < 0)
		return;
	world_before(w, ev);
	if (ev->kind == TRACER_EV_CALL || ev->kind == TRACER_EV_ENTER)
		show_call(w, (const void *)ev, s);
	else if (ev->kind == TRACER_EV_SIGNAL)
		show_signal((const void *)ev);
	world_after(w, ev);
}

static void run_step(struct world *w, struct input *in)
{
	static uint8_t room[TRACER_EVENT_MAX] __attribute__((aligned(8)));
	struct tracer_event *ev = (void *)room, *exact;
	struct step s;
	size_t n;

	take(in, &s, sizeof(s));
	memset(room, 0, 8192);
	ev->kind = s.kind = s.kind % TRACER_EV_KINDS;
	ev->abi = s.abi % TRACER_ABIS;
	ev->flags = s.flags;
	ev->tid = s.tid & 15;
	ev->time = 100;
	if (s.kind == TRACER_EV_CALL || s.kind == TRACER_EV_ENTER) {
		ev->nr = s.nr;
		n = build_call(in, &s, room);
	} else {
		n = build_other(in, &s, room);
	}
	ev->size = TRACER_ALIGN8((uint32_t)n);
	exact = malloc(ev->size);
	require(exact != NULL);
	memcpy(exact, room, ev->size);
	run_record(w, exact, &s);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct world_limits lim = { 8, 64, 256, 1 << 20 };
	struct input in = { data, size };
	struct world *w;
	char why[200];

	if (!wanted_paths.count) {
		filter_init(&wanted_fds);
		require(match_paths_add(&wanted_paths, "/home/me/x") == 0);
		require(filter_parse(&wanted_fds, "fd=7", why, sizeof(why)) == 0);
	}
	require(world_new(&w, &lim) == 0);
	while (in.n)
		run_step(w, &in);
	world_free(w);
	return 0;
}

/* --- seeds --- */

static uint8_t seed_bytes[32768];

static size_t put(size_t at, const void *p, size_t n)
{
	memcpy(seed_bytes + at, p, n);
	return at + n;
}

static size_t put_step(size_t at, uint8_t kind, uint8_t tid, uint8_t other, int64_t value)
{
	const struct step s = { .kind = kind, .tid = tid, .other = other, .value = value };

	return put(at, &s, sizeof(s));
}

/* Values of all arguments, and what the captured memory looks like. */
static const struct variant { uint64_t value; uint8_t family; const char *text; } variants[] = {
	{ 3, 0, NULL }, { 0, 1, "/run/x" }, { 1, 2, "../a/./b" }, { 5, 10, "./" }, { 15, 16, "" },
	{ 0x5413, 17, "\xff\"<>\\\n" }, { 0xffffffff, 40, "/memfd:" }, { 9, 1, "\0abstract" },
	{ 1030, 2, "/" }, { 0x100, 3, "x" }, { 17, 13, "/a/very/long/path/that/goes/on/and/on" },
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* Text, or small numbers with text in between, with an address family in front. */
static size_t put_piece(size_t at, unsigned arg, unsigned flags, unsigned index, const struct variant *v)
{
	const uint8_t what[4] = { (uint8_t)arg, (uint8_t)flags, (uint8_t)index, index ? 32 : 160 };
	bool text = v->text && (arg + v->family) % 3;
	uint8_t bytes[160];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 16 < 2 ? (uint8_t)(i / 16 + arg) : i % 32 > 24 ? 'a' : 0;
	bytes[0] = v->family ? v->family : bytes[0];
	bytes[1] = v->family ? 0 : bytes[1];
	if (text)
		memcpy(bytes, v->text, strlen(v->text) + 1);
	at = put(at, what, sizeof(what));
	return put(at, bytes, what[3]);
}

static size_t put_call(size_t at, int abi, int nr, const struct syscall_desc *d, const struct variant *v)
{
	struct step s = { .kind = TRACER_EV_CALL, .abi = (uint8_t)abi, .tid = 1, .nr = (uint16_t)nr, .value = 3,
			  .nargs = d->nargs, .len = 32, .options = 3 };

	s.ncaptures = d->nargs ? (uint8_t)(d->nargs * 2 + 4) : 0;
	at = put(at, &s, sizeof(s));
	for (unsigned i = 0; i < d->nargs; i++)
		at = put(at, &v->value, sizeof(v->value));
	for (unsigned i = 0; i < d->nargs; i++) {
		at = put_piece(at, i, TRACER_CAP_IN, 0, v);
		at = put_piece(at, i, TRACER_CAP_OUT, 0, v);
	}
	for (unsigned i = 0; d->nargs && i < 4; i++)
		at = put_piece(at, 1 % d->nargs, i & 1 ? TRACER_CAP_OUT : TRACER_CAP_IN, i + 1, v);
	return at;
}

static size_t put_life(void)
{
	size_t at = put_step(0, TRACER_EV_TASK, 1, 1, 0);

	at = put_step(at, TRACER_EV_TASK, 2, 1, 0x10f00);
	at = put_step(at, TRACER_EV_EXEC, 1, 2, 1);
	at = put_step(at, TRACER_EV_SIGNAL, 1, 0, 1);
	at = put_step(at, TRACER_EV_EXIT, 2, 1, 0);
	return put_step(at, TRACER_EV_EXIT, 1, 1, 0);
}

/* A task with a working directory and a descriptor, before every call. */
static size_t put_start(void)
{
	const struct step cwd = { .kind = TRACER_EV_CWD, .tid = 1, .len = 8 };
	const struct step fd = { .kind = TRACER_EV_FD, .tid = 1, .len = 8, .value = 3 };
	size_t at = put_step(0, TRACER_EV_TASK, 1, 1, 0);

	at = put(at, &cwd, sizeof(cwd));
	at = put(at, "/home/me", 8);
	at = put(at, &fd, sizeof(fd));
	return put(at, "/etc/dir", 8);
}

struct fuzz_seed fuzz_seed(unsigned i)
{
	unsigned first = (unsigned)syscall_max(TRACER_ABI_X86_64),
		 all = first + (unsigned)syscall_max(TRACER_ABI_I386);
	unsigned which = i % (all + 1), variant = i / (all + 1);
	int abi = which < first ? TRACER_ABI_X86_64 : TRACER_ABI_I386,
	    nr = (int)(which < first ? which : which - first);
	const struct syscall_desc *d = which < all ? syscall_lookup(abi, nr) : NULL;
	size_t n;

	if (variant >= VARIANTS)
		return (struct fuzz_seed){ NULL, 0 };
	if (which == all)
		return (struct fuzz_seed){ seed_bytes, put_life() };
	n = put_start();
	if (d)
		n = put_call(n, abi, nr, d, &variants[variant]);
	/* Twice: the second one meets the effects of the first. */
	memcpy(seed_bytes + n, seed_bytes, n);
	return (struct fuzz_seed){ seed_bytes, 2 * n };
}
