/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engine harness for tests.  The test's main thread supervises, one thread
 * consumes; stdout of the program goes to a pipe that a second thread reads.
 */
#include "config.h"
#include "engine_run.h"
#include "base/clock.h"
#include "syscalls/syscalls.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void log_keep(void *ctx, int level, const char *message)
{
	struct engine_run *r = ctx;
	size_t n = strlen(r->log);

	(void)level;
	snprintf(r->log + n, sizeof(r->log) - n, "%s\n", message);
}

static void record_keep(struct engine_run *r, const struct tracer_event *ev)
{
	if (r->len + ev->size > r->cap) {
		r->cap = r->cap ? r->cap * 2 : 1u << 20;
		r->records = realloc(r->records, r->cap);
		ck_assert_ptr_nonnull(r->records);
	}
	memcpy(r->records + r->len, ev, ev->size);
	r->len += ev->size;
	r->count++;
}

static void hold_until_full(struct engine_run *r)
{
	struct timespec nap = { 0, 1000000 };
	struct ring_set_stats st = { 0 };

	while (!st.waits && !ring_set_done(r->cfg.rings)) {
		nanosleep(&nap, NULL);
		ring_set_stats(r->cfg.rings, &st);
	}
}

static void *consume(void *arg)
{
	struct engine_run *r = arg;
	struct timespec nap = { 0, 20000 }, hold = { r->hold_ms / 1000, r->hold_ms % 1000 * 1000000l };
	const struct tracer_event *ev;

	nanosleep(&hold, NULL);
	if (r->hold_full)
		hold_until_full(r);
	while (!ring_set_done(r->cfg.rings)) {
		ev = ring_set_next(r->cfg.rings);
		if (!ev) {
			ring_set_wait(r->cfg.rings, 1000000);
			continue;
		}
		record_keep(r, ev);
		ring_set_consume(r->cfg.rings);
		if (r->slow)
			nanosleep(&nap, NULL);
	}
	return NULL;
}

void engine_run_init(struct engine_run *r)
{
	memset(r, 0, sizeof(*r));
	r->log_to = (struct log){ log_keep, r, LOG_DEBUG };
	r->selection.all = true;
	r->limits = (struct capture_limits){ .string_max = 32, .path_max = 4096, .vector_max = 64, .total_max = 16384 };
	r->cfg = (struct engine_config){
		.follow = true, .selection = &r->selection, .limits = r->limits, .ring_size = 1u << 20,
		.clock = clock_probe(), .log = &r->log_to,
	};
	r->ops = engine_lookup("ptrace");
}

static void run(struct engine_run *r)
{
	r->cfg.limits = r->limits;
	ck_assert_int_eq(ring_set_new(&r->cfg.rings, 64), 0);
	ring_set_set_clock(r->cfg.rings, r->cfg.clock);	/* as a session does: records of all rings by time */
	ck_assert_int_eq(pthread_create(&r->consumer, NULL, consume, r), 0);
	r->err = r->ops->open(&r->cfg, &r->engine);
	if (!r->err)
		r->err = r->ops->start(r->engine);
	if (!r->err && r->started)
		r->started(r);
	if (!r->err)
		r->err = r->ops->run(r->engine, &r->result);
	if (r->engine)
		r->ops->stats(r->engine, r->stats);
	r->ops->close(r->engine);
	ring_set_finish(r->cfg.rings);
	pthread_join(r->consumer, NULL);
	ring_set_free(r->cfg.rings);
	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(r, ev));)
		ck_assert_int_eq(event_check(ev, ev->size), 0);
}

/* stdout into a file, so that nobody has to read while the program runs. */
void engine_run_program(struct engine_run *r, char *const argv[])
{
	const char *builddir = getenv("builddir");
	char path[4096], name[] = "/tmp/engine_run.XXXXXX";
	int fd, saved;
	ssize_t n;

	snprintf(path, sizeof(path), strchr(argv[0], '/') ? "%s" : "%2$s/%1$s", argv[0], builddir ? builddir : ".");
	fd = mkostemp(name, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	unlink(name);
	fflush(stdout);
	saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
	dup2(fd, STDOUT_FILENO);
	r->cfg.file = path;
	r->cfg.argv = argv;
	r->cfg.envp = environ;
	run(r);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	n = pread(fd, r->out, sizeof(r->out) - 1, 0);
	r->out[n > 0 ? n : 0] = '\0';
	close(fd);
}

void engine_run_attach(struct engine_run *r, pid_t pid)
{
	r->cfg.pids = &pid;
	r->cfg.npids = 1;
	run(r);
}

void engine_run_attach_all(struct engine_run *r)
{
	run(r);
}

void engine_run_fini(struct engine_run *r)
{
	free(r->records);
	r->records = NULL;
}

const struct tracer_event *engine_run_next(const struct engine_run *r, const struct tracer_event *ev)
{
	const uint8_t *p = ev ? (const uint8_t *)ev + ev->size : r->records;

	return p && p < r->records + r->len ? (const struct tracer_event *)p : NULL;
}

static bool named(const struct tracer_event *ev, int kind, int abi, const char *name)
{
	return ev->kind == kind && (abi < 0 || ev->abi == abi) && ev->nr == syscall_number(ev->abi, name);
}

unsigned engine_run_calls(const struct engine_run *r, int abi, const char *name)
{
	unsigned n = 0;

	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(r, ev));)
		n += named(ev, TRACER_EV_CALL, abi, name);
	return n;
}

unsigned engine_run_enters(const struct engine_run *r, const char *name)
{
	unsigned n = 0;

	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(r, ev));)
		n += named(ev, TRACER_EV_ENTER, -1, name);
	return n;
}

unsigned engine_run_kind(const struct engine_run *r, int kind)
{
	unsigned n = 0;

	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(r, ev));)
		n += ev->kind == kind;
	return n;
}

const struct tracer_ev_call *engine_run_call(const struct engine_run *r, const char *name)
{
	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(r, ev));) {
		if (named(ev, TRACER_EV_CALL, -1, name))
			return (const struct tracer_ev_call *)ev;
	}
	return NULL;
}

const struct tracer_capture *engine_run_piece(const struct tracer_ev_call *c, unsigned arg, unsigned index)
{
	for (unsigned i = 0; i < c->ncaptures; i++) {
		const struct tracer_capture *cap = event_capture(c, i);

		if (cap->arg == arg && cap->index == index)
			return cap;
	}
	return NULL;
}

#define TIDS 65536u

void engine_run_check(const struct engine_run *r)
{
	struct seen { int32_t tid; bool live; uint64_t end; } *seen = calloc(TIDS, sizeof(*seen));
	size_t n = 0;

	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(r, ev));) {
		const struct tracer_ev_call *c = (const struct tracer_ev_call *)ev;
		size_t i = 0;

		if (ev->kind == TRACER_EV_LOST)
			continue;
		while (i < n && !(seen[i].tid == ev->tid && seen[i].live))
			i++;
		if (ev->kind == TRACER_EV_TASK) {
			ck_assert_msg(i == n, "task %d appears twice", ev->tid);
			ck_assert_uint_lt(n, TIDS);
			seen[n++] = (struct seen){ ev->tid, true, 0 };
			continue;
		}
		if (ev->kind == TRACER_EV_EXEC) {
			const struct tracer_ev_exec *x = (const struct tracer_ev_exec *)ev;

			/* a thread took over the id of its leader, which has ended */
			for (size_t k = 0; x->former_tid != ev->tid && i == n && k < n; k++)
				if (seen[k].tid == x->former_tid && seen[k].live)
					seen[i = k].tid = ev->tid;
		}
		ck_assert_msg(i < n, "record of kind %d for unknown task %d", ev->kind, ev->tid);
		if (ev->kind == TRACER_EV_EXIT)
			seen[i].live = false;
		if (ev->kind != TRACER_EV_CALL && ev->kind != TRACER_EV_ENTER)
			continue;
		ck_assert_uint_le(c->start, ev->time);
		ck_assert_msg(c->start >= seen[i].end, "calls of %d overlap", ev->tid);
		seen[i].end = ev->time;
	}
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(!seen[i].live, "task %d never ended", seen[i].tid);
	free(seen);
}
