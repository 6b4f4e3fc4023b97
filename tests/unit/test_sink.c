/* SPDX-License-Identifier: Apache-2.0 */
/* Registry of sinks, write errors, recording and its way back through replay. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <tracer/error.h>
#include <unistd.h>
#include "decode/world.h"
#include "engine/engine.h"
#include "ring/recording.h"
#include "sink/sink.h"
#include "unit.h"

static char messages[2048];
static unsigned nmessages;

static void keep(void *ctx, int level, const char *message)
{
	(void)ctx;
	(void)level;
	nmessages++;
	snprintf(messages, sizeof(messages), "%s", message);
}

static const struct log log_to = { keep, NULL, LOG_INFO };

START_TEST(registry)
{
	ck_assert_str_eq(sink_lookup("csv")->name, "csv");
	ck_assert_ptr_null(sink_lookup("xml"));
	ck_assert_str_eq(sink_by_suffix("a/b.json")->name, "json");
	ck_assert_str_eq(sink_by_suffix("x.otlp.jsonl")->name, "otlp-json");
	ck_assert_str_eq(sink_by_suffix("x.jsonl")->name, "json");
	ck_assert_str_eq(sink_by_suffix("run.trace")->name, "record");
	ck_assert_ptr_null(sink_by_suffix("plain"));
	ck_assert_ptr_null(sink_by_suffix(".csv"));
	ck_assert_ptr_null(sink_by_suffix("csv"));
	for (unsigned i = 0; sinks[i]; i++)
		ck_assert_ptr_eq(sink_lookup(sinks[i]->name), sinks[i]);
}
END_TEST

/* ---- a small world ---- */

struct one { struct tracer_ev_call c; uint64_t args[3]; };

static struct tracer_ev_task make_task(int32_t tid, const char *comm)
{
	struct tracer_ev_task t = { .head = { sizeof(t), TRACER_EV_TASK, 0, 0, tid, 0, 1000 }, .pid = tid };

	snprintf(t.comm, sizeof(t.comm), "%s", comm);
	return t;
}

/* close(9) = -1 EBADF. */
static struct one make_call(int32_t tid, uint64_t start, uint64_t end)
{
	return (struct one){ .c = { .head = { sizeof(struct one), TRACER_EV_CALL, 0, TRACER_EVF_ERROR, tid, 3, end },
				    .start = start, .ret = -EBADF, .nargs = 3 },
			     .args = { 9 } };
}

static struct sink *open_sink(const char *name, struct sink_config *cfg)
{
	static struct clock_map clock;
	struct tracer_ev_clock ev = { .real_ns = 1000000000000, .source = TRACER_CLOCK_MONOTONIC };
	struct sink *s;

	clock_map_load(&clock, &ev);
	cfg->clock = &clock;
	cfg->log = &log_to;
	cfg->decode.string_max = 32;
	ck_assert_int_eq(sink_lookup(name)->open(cfg, &s), 0);
	return s;
}

static void feed(struct sink *s, struct sink_config *cfg, const char *comm, int calls)
{
	struct tracer_ev_task t = make_task(7, comm);
	struct call c;

	world_before(cfg->world, &t.head);
	if (s->ops->on_task)
		s->ops->on_task(s, &t.head, world_task(cfg->world, 7)->proc->image);
	for (int i = 0; i < calls; i++) {
		struct one one = make_call(7, 1500 + (uint64_t)i * 10, 1507 + (uint64_t)i * 10);

		call_init(&c, &one.c, cfg->world, cfg->clock);
		s->ops->on_call(s, &c);
	}
}

static struct world *fresh_world(void)
{
	struct world *w;

	ck_assert_int_eq(world_new(&w, &(struct world_limits){ 0 }), 0);
	return w;
}

/* What a sink writes for one task with an odd name and one failed call. */
static void rendered(const char *name, char *buf, size_t n)
{
	struct sink_config cfg = { .out = { memfd_create("out", MFD_CLOEXEC), "out", false }, .world = fresh_world() };
	struct sink *s = open_sink(name, &cfg);
	ssize_t got;

	feed(s, &cfg, "a,\"b\xff", 1);
	ck_assert_int_eq(s->ops->close(s), 0);
	got = pread(cfg.out.fd, buf, n - 1, 0);
	ck_assert_int_gt(got, 0);
	buf[got] = '\0';
	close(cfg.out.fd);
	world_free(cfg.world);
}

START_TEST(odd_names)
{
	char buf[4096];

	rendered("csv", buf, sizeof(buf));
	ck_assert_str_eq(strchr(buf, '\n') + 1,
			 "1000.000001000,task,7,7,\"a,\"\"b\xff\",,,,,,,\r\n"
			 "1000.000001500,call,7,7,\"a,\"\"b\xff\",close,3,9,-1 EBADF (Bad file descriptor),-9,EBADF,7\r\n");
	rendered("json", buf, sizeof(buf));
	ck_assert_str_eq(strchr(buf, '\n') + 1,
			 "{\"type\":\"call\",\"time\":\"1000.000001500\",\"tid\":7,\"duration_ns\":7,\"pid\":7,"
			 "\"comm\":\"a,\\\"b\\u00ff\",\"name\":\"close\",\"nr\":3,\"abi\":\"x86_64\",\"args\":[\"9\"],"
			 "\"ret\":-9,\"errno\":9,\"error\":\"EBADF\",\"result\":\"-1 EBADF (Bad file descriptor)\","
			 "\"fd\":9}\n");
	rendered("text", buf, sizeof(buf));
	ck_assert_str_eq(buf, "close(9) = -1 EBADF (Bad file descriptor)\n");
}
END_TEST

/* ---- write errors ---- */

static void write_error(const char *name, int fd, int expected)
{
	struct sink_config cfg = { .out = { fd, "the-file", false }, .world = fresh_world() };
	struct sink *s = open_sink(name, &cfg);

	nmessages = 0;
	feed(s, &cfg, "x", 20000);
	s->ops->flush(s);
	ck_assert_int_eq(s->ops->close(s), -expected);
	ck_assert_uint_eq(nmessages, 1);
	ck_assert_ptr_nonnull(strstr(messages, "the-file"));
	ck_assert_ptr_nonnull(strstr(messages, strerror(expected)));
	world_free(cfg.world);
}

START_TEST(errors_are_told_once)
{
	static const char *const names[] = { "text", "json", "csv" };
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int ends[2];

	ck_assert_int_ge(full, 0);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		write_error(names[i], full, ENOSPC);
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		close(ends[0]);
		write_error(names[i], ends[1], EPIPE);
		close(ends[1]);
	}
	close(full);
}
END_TEST

/* A non-blocking pipe with a slow reader gets everything. */
static void *slow_reader(void *arg)
{
	static char buf[1000];
	size_t *total = arg;
	ssize_t n;

	while ((n = read((int)total[1], buf, sizeof(buf))) > 0)
		total[0] += (size_t)n;
	return NULL;
}

START_TEST(non_blocking_output)
{
	struct sink_config cfg = { .world = fresh_world() };
	pthread_t t;
	int ends[2];
	size_t total[2] = { 0 };
	struct sink *s;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	cfg.out = (struct sink_output){ ends[1], "pipe", false };
	s = open_sink("text", &cfg);
	total[1] = (size_t)ends[0];
	pthread_create(&t, NULL, slow_reader, total);
	feed(s, &cfg, "x", 20000);
	ck_assert_int_eq(s->ops->close(s), 0);
	close(ends[1]);
	pthread_join(t, NULL);
	ck_assert_uint_eq(total[0], 20000 * strlen("close(9) = -1 EBADF (Bad file descriptor)\n"));
	world_free(cfg.world);
}
END_TEST

/* ---- recording and replay ---- */

#define RECORDS 5000

static char path[] = "/tmp/test_sink.XXXXXX";

static size_t make_recording(void)
{
	int fd = mkostemp(path, O_CLOEXEC);
	struct sink_config cfg = { .out = { fd, path, false } };
	struct sink *s = open_sink("record", &cfg);
	off_t size;

	ck_assert_int_ge(fd, 0);
	for (int i = 0; i < RECORDS; i++) {
		struct one one = make_call(7, 10 + (uint64_t)i, 20 + (uint64_t)i);

		s->ops->on_event(s, &one.c.head);
	}
	ck_assert_int_eq(s->ops->close(s), 0);
	size = lseek(fd, 0, SEEK_END);
	close(fd);
	return (size_t)size;
}

struct replayed { struct ring_set *rings; uint64_t calls, clocks, order; };

static void *consume(void *arg)
{
	struct replayed *r = arg;
	const struct tracer_event *ev;

	while (!ring_set_done(r->rings)) {
		ev = ring_set_next(r->rings);
		if (!ev) {
			ring_set_wait(r->rings, 100000);
			continue;
		}
		r->order += ev->kind == TRACER_EV_CALL && ev->time != 20 + r->calls;
		r->calls += ev->kind == TRACER_EV_CALL;
		r->clocks += ev->kind == TRACER_EV_CLOCK;
		ring_set_consume(r->rings);
	}
	return NULL;
}

/* Through a ring far smaller than the file. */
static int replay(struct replayed *r)
{
	struct engine_config cfg = { .recording = path, .log = &log_to, .ring_size = 4096 };
	const struct engine_ops *ops;
	struct engine_result res;
	struct engine *e = NULL;
	pthread_t t;
	char why[256];
	int err = engine_choose("auto", &cfg, &ops, why, sizeof(why));

	if (err < 0) {
		snprintf(messages, sizeof(messages), "%s", why);
		return err;
	}
	*r = (struct replayed){ 0 };
	ck_assert_int_eq(ring_set_new(&r->rings, 4), 0);
	cfg.rings = r->rings;
	pthread_create(&t, NULL, consume, r);
	err = ops->open(&cfg, &e);
	if (err == 0)
		err = ops->run(e, &res);
	ops->close(e);
	ring_set_finish(r->rings);
	pthread_join(t, NULL);
	ring_set_free(r->rings);
	return err;
}

START_TEST(record_and_replay)
{
	struct replayed r;

	make_recording();
	ck_assert_int_eq(replay(&r), 0);
	ck_assert_uint_eq(r.calls, RECORDS);
	ck_assert_uint_eq(r.clocks, 1);
	ck_assert_uint_eq(r.order, 0);
	unlink(path);
}
END_TEST

START_TEST(truncated_recordings)
{
	size_t size = make_recording();
	struct replayed r;

	for (size_t cut = 1; cut < size; cut += cut < 250 ? 1 : 33333) {
		ck_assert_int_eq(truncate(path, (off_t)(size - cut)), 0);
		ck_assert_int_eq(replay(&r), -TRACER_ERR_FORMAT);
		ck_assert_ptr_nonnull(strstr(messages, "cut short"));
		ck_assert_ptr_nonnull(strstr(messages, path));
		ck_assert_uint_eq(r.calls, cut <= 24 ? RECORDS : RECORDS - (cut - 24 + sizeof(struct one) - 1) /
									    sizeof(struct one));
	}
	for (off_t n = 63; n >= 0; n -= 21) {
		ck_assert_int_eq(truncate(path, n), 0);
		ck_assert_int_eq(replay(&r), -TRACER_ERR_FORMAT);
		ck_assert_ptr_nonnull(strstr(messages, "too short"));
	}
	unlink(path);
}
END_TEST

static void patch(off_t at, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, p, n, at), (int)n);
	close(fd);
}

START_TEST(foreign_and_damaged)
{
	struct replayed r;
	uint32_t v = RECORDING_VERSION + 1;

	make_recording();
	v = 3;
	patch(64 + 56 + 4, &v, 1);		/* first call's kind: a task of this size */
	ck_assert_int_eq(replay(&r), -TRACER_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(messages, "at byte 120"));
	v = 0xffffffff;
	patch(64 + 56, &v, 4);
	ck_assert_int_eq(replay(&r), -TRACER_ERR_FORMAT);
	v = __builtin_bswap32(RECORDING_VERSION);
	patch(8, &v, 4);
	ck_assert_int_eq(replay(&r), -TRACER_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(messages, "byte order"));
	v = RECORDING_VERSION + 1;
	patch(8, &v, 4);
	ck_assert_int_eq(replay(&r), -TRACER_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(messages, "record it again"));
	patch(0, "\x7f" "ELF", 4);
	ck_assert_int_eq(replay(&r), -TRACER_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(messages, "not a recording"));
	unlink(path);
	ck_assert_int_eq(replay(&r), -ENOENT);
	ck_assert_ptr_nonnull(strstr(messages, path));
}
END_TEST

int main(void)
{
	return unit_run("sink", (const TTest *const[]){ registry, odd_names, errors_are_told_once, non_blocking_output,
							 record_and_replay, truncated_recordings, foreign_and_damaged,
							 NULL });
}
