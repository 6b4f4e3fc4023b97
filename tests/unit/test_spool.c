/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool: whatever byte a crash stopped at, whole records are found, and
 * only those; what lies on disk is sent later, once, in order.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tracer/error.h>
#include "base/clock.h"
#include "export/batch_processor.h"
#include "export/otlp_exporter.h"
#include "export/spool.h"
#include "export/spool_exporter.h"
#include "export/spool_format.h"
#include "fake_collector.h"
#include "otlp_samples.h"
#include "unit.h"

#define SECOND 1000000000ull

static char dir[] = "/tmp/test-spool-XXXXXX";

static void setup(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char **paths;
	int n = spool_list(dir, &paths);

	for (int i = 0; i < n; i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	free(paths);
	rmdir(dir);
}

static struct spool *open_spool(uint64_t max, enum spool_sync sync)
{
	struct spool *s;
	char why[256];

	ck_assert_msg(spool_open(&s, dir, max, sync, why, sizeof(why)) == 0, "%s", why);
	return s;
}

static int segments(void)
{
	char **paths;
	int n = spool_list(dir, &paths);

	for (int i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
	return n;
}

static char *the_segment(void)
{
	char **paths, *path;

	ck_assert_int_eq(spool_list(dir, &paths), 1);
	path = paths[0];
	free(paths);
	return path;
}

static void add_text(struct spool *s, const char *text)
{
	ck_assert_int_eq(spool_add(s, (const uint8_t *)text, strlen(text), (uint32_t)strlen(text)), 0);
}

START_TEST(test_round_trip)
{
	struct spool *s = open_spool(1 << 20, (enum spool_sync)_i);
	struct spool_reader r;
	struct spool_record rec;
	char *path;

	add_text(s, "one");
	add_text(s, "two");
	path = the_segment();
	ck_assert_int_eq(spool_reader_open(&r, path), -EWOULDBLOCK);	/* its run lives */
	spool_close(s);
	ck_assert_int_eq(spool_reader_open(&r, path), 0);
	ck_assert_int_eq(spool_reader_next(&r, &rec), 1);
	ck_assert_uint_eq(rec.len, 3);
	ck_assert_uint_eq(rec.spans, 3);
	ck_assert_int_eq(memcmp(rec.payload, "one", 3), 0);
	ck_assert_int_eq(spool_reader_mark_sent(&r, &rec), 0);
	spool_reader_close(&r);

	/* What was sent stays sent. */
	ck_assert_int_eq(spool_reader_open(&r, path), 0);
	ck_assert_int_eq(spool_reader_next(&r, &rec), 1);
	ck_assert_int_eq(memcmp(rec.payload, "two", 3), 0);
	ck_assert_int_eq(spool_reader_next(&r, &rec), 0);
	ck_assert_int_eq(spool_reader_remove_if_done(&r), 0);
	spool_reader_reset(&r);
	ck_assert_int_eq(spool_reader_next(&r, &rec), 1);
	ck_assert_int_eq(spool_reader_mark_sent(&r, &rec), 0);
	ck_assert_int_eq(spool_reader_remove_if_done(&r), 1);
	ck_assert_uint_eq(r.damaged, 0);
	spool_reader_close(&r);
	ck_assert_int_eq(segments(), 0);
	free(path);
}
END_TEST

START_TEST(test_empty_leaves_nothing)
{
	spool_close(open_spool(1 << 20, SPOOL_SYNC_CLOSE));
	ck_assert_int_eq(segments(), 0);
}
END_TEST

static void write_file(const char *path, const uint8_t *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	close(fd);
}

static size_t read_file(const char *path, uint8_t *p, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, p, room);

	close(fd);
	return (size_t)n;
}

/* Which of the records a, bb, ccc are found, as a bit mask. */
static unsigned found(const char *path, uint64_t *damaged)
{
	struct spool_reader r;
	struct spool_record rec;
	unsigned mask = 0;

	if (spool_reader_open(&r, path) != 0)
		return 0x80;
	while (spool_reader_next(&r, &rec) == 1) {
		ck_assert_uint_le(rec.len, 3);
		for (size_t i = 0; i < rec.len; i++)
			ck_assert_uint_eq(rec.payload[i], (unsigned)"abc"[rec.len - 1]);
		mask |= 1u << (rec.len - 1);
	}
	*damaged = r.damaged;
	spool_reader_close(&r);
	return mask;
}

/* Cut at every byte, and every byte changed. */
START_TEST(test_damage)
{
	struct spool *s = open_spool(1 << 20, SPOOL_SYNC_NONE);
	uint8_t whole[512], bad[512];
	uint64_t damaged;
	size_t n, ends[3];
	char *path;

	add_text(s, "a");
	add_text(s, "bb");
	add_text(s, "ccc");
	path = the_segment();
	spool_close(s);
	n = read_file(path, whole, sizeof(whole));
	ends[0] = sizeof(struct spool_file_head) + sizeof(struct spool_record_head) + 1;
	ends[1] = ends[0] + sizeof(struct spool_record_head) + 2;
	ends[2] = ends[1] + sizeof(struct spool_record_head) + 3;
	ck_assert_uint_eq(n, ends[2]);
	for (size_t cut = 0; cut <= n; cut++) {
		unsigned want = (cut >= ends[0]) | (cut >= ends[1]) << 1 | (cut >= ends[2]) << 2;

		write_file(path, whole, cut);
		ck_assert_uint_eq(found(path, &damaged), cut < sizeof(struct spool_file_head) ? 0x80 : want);
	}
	for (size_t at = sizeof(struct spool_file_head); at < n; at++) {
		size_t hit = at < ends[0] ? 0 : at < ends[1] ? 1 : 2, start = hit ? ends[hit - 1] : sizeof(struct spool_file_head);
		bool outside = at - start >= 4 && at - start < 8;	/* state and padding are not under the checksum */
		bool padding = at - start >= 28 && at - start < 32;

		memcpy(bad, whole, n);
		bad[at] ^= 0x40;
		write_file(path, bad, n);
		ck_assert_msg(found(path, &damaged) == (outside || padding ? 7u : 7u & ~(1u << hit)), "byte %zu", at);
		ck_assert_int_eq(damaged > 0, !outside && !padding);
	}
	free(path);
}
END_TEST

START_TEST(test_size_cap)
{
	struct spool *s = open_spool(200, SPOOL_SYNC_NONE);
	struct spool_stats st;
	int stored = 0;

	while (spool_add(s, (const uint8_t *)"0123456789", 10, 1) == 0)
		stored++;
	ck_assert_int_eq(stored, (200 - 16) / 42);
	ck_assert_int_eq(spool_add(s, (const uint8_t *)"0123456789", 10, 1), -ENOSPC);
	spool_stats(s, &st);
	ck_assert_uint_eq(st.refused_full, 2);
	spool_close(s);
	/* The cap is the directory's. */
	s = open_spool(200, SPOOL_SYNC_NONE);
	ck_assert_int_eq(spool_add(s, (const uint8_t *)"0123456789", 10, 1), -ENOSPC);
	spool_close(s);
}
END_TEST

START_TEST(test_bad_directories)
{
	struct spool *s;
	char why[512], path[256];

	ck_assert_int_eq(spool_open(&s, "/proc/nosuch/dir", 1, SPOOL_SYNC_NONE, why, sizeof(why)), -TRACER_ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(why, "/proc/nosuch/dir"));
	snprintf(path, sizeof(path), "%s/new", dir);
	ck_assert_int_eq(spool_open(&s, path, 1 << 20, SPOOL_SYNC_NONE, why, sizeof(why)), 0);
	spool_close(s);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* A disk that fills up in the middle of a record: the segment stays whole. */
START_TEST(test_disk_full)
{
	struct spool *s;
	struct spool_reader r;
	struct spool_record rec;
	uint8_t *large = calloc(1, 4 << 20);
	char *path;
	int n = 0;

	/* RLIMIT_FSIZE stands for the full disk: write() comes back short, then fails. */
	s = open_spool(1u << 30, SPOOL_SYNC_NONE);
	add_text(s, "first");
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1 << 20, 1 << 20 }), 0);
	ck_assert_int_eq(spool_add(s, large, 4 << 20, 1), -ENOSPC);
	add_text(s, "second");
	path = the_segment();
	spool_close(s);
	ck_assert_int_eq(spool_reader_open(&r, path), 0);
	while (spool_reader_next(&r, &rec) == 1)
		n++;
	ck_assert_int_eq(n, 2);
	ck_assert_uint_eq(r.damaged, 0);
	spool_reader_close(&r);
	free(path);
	free(large);
}
END_TEST

/* ---- the exporter around it ---- */

#define SPANS 10

struct fixture {
	struct span_exporter *e;
	struct span *spans[SPANS];
	struct resource *resource;
	char logged[4096];
	struct log log;
};

static void on_log(void *ctx, int level, const char *message)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->logged);

	(void)level;
	snprintf(f->logged + n, sizeof(f->logged) - n, "%s\n", message);
}

static struct span_exporter *otlp_open(int port, const struct log *log)
{
	struct otlp_config cfg = { .gzip = port % 2, .log = log };	/* both ways in turn */
	struct span_exporter *e;
	char url[64], why[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	cfg.endpoint = url;
	ck_assert_int_eq(otlp_http_exporter_new(&e, &cfg, why, sizeof(why)), 0);
	return e;
}

static void fixture_init(struct fixture *f, int port, uint64_t max)
{
	unsigned long r = 0x5eed0800;

	memset(f, 0, sizeof(*f));
	f->log = (struct log){ on_log, f, LOG_DEBUG };
	ck_assert_int_eq(spool_exporter_new(&f->e, otlp_open(port, &f->log), open_spool(max, SPOOL_SYNC_NONE), &f->log), 0);
	f->resource = sample_resource(1, &r);
	for (size_t i = 0; i < SPANS; i++) {
		f->spans[i] = sample_new();
		sample_set_call(f->spans[i], &r);
		f->spans[i]->resource = f->resource;
	}
}

static void fixture_fini(struct fixture *f)
{
	if (f->e)
		f->e->ops->free(f->e);
	for (size_t i = 0; i < SPANS; i++)
		sample_free(f->spans[i]);
	resource_put(f->resource);
}

static struct export_outcome export_one(struct fixture *f)
{
	struct export_outcome out;

	f->e->ops->export(f->e, f->spans, SPANS, clock_mono_ns() + 10 * SECOND, &out);
	return out;
}

static const struct fake_step ok[] = { { .status = 200 } };

/* Nobody there; what lies on disk is sent by a later run. */
START_TEST(test_kept_and_sent_later)
{
	int port = fake_free_port();
	struct fake_collector fake;
	struct spool_sent sent = { 0 };
	struct spool_reader r;
	struct span_exporter *otlp;
	struct fixture f;
	char *path;

	fixture_init(&f, port, 1 << 20);
	for (int i = 0; i < 5; i++) {
		struct export_outcome out = export_one(&f);

		ck_assert_int_eq(out.result, EXPORT_OK);
		ck_assert_uint_eq(out.spooled, SPANS);
		ck_assert_uint_eq(out.accepted, 0);
	}
	ck_assert(!atomic_load(&f.e->failing));		/* nobody has to wait for it */
	fixture_fini(&f);
	ck_assert_ptr_nonnull(strstr(f.logged, "tracer send"));
	fake_collector_start(&fake, port, ok, 1);
	path = the_segment();
	ck_assert_int_eq(spool_reader_open(&r, path), 0);
	otlp = otlp_open(port, NULL);
	ck_assert(spool_send(&r, otlp, clock_mono_ns() + 60 * SECOND, &sent));
	ck_assert_uint_eq(sent.spans, 5 * SPANS);
	ck_assert_uint_eq(fake_spans(&fake), 5 * SPANS);
	ck_assert_int_eq(spool_reader_remove_if_done(&r), 1);
	spool_reader_close(&r);
	otlp->ops->free(otlp);
	fake_collector_free(&fake);
	free(path);
}
END_TEST

/* It comes up during the run: all there, nothing left on disk. */
START_TEST(test_caught_up_in_the_run)
{
	int port = fake_free_port();
	struct fake_collector fake;
	uint64_t spooled = 0, unspooled = 0, accepted = 0, exports = 0;
	struct fixture f;

	fixture_init(&f, port, 1 << 20);
	for (int i = 0; i < 3; i++, exports++)
		spooled += export_one(&f).spooled;
	ck_assert_uint_eq(spooled, 3 * SPANS);
	fake_collector_start(&fake, port, ok, 1);
	while (accepted == 0 && exports < 1000) {
		struct export_outcome out = export_one(&f);

		exports++;
		spooled += out.spooled;
		unspooled += out.unspooled;
		accepted += out.accepted;
		usleep(20000);
	}
	ck_assert_uint_eq(accepted, SPANS);		/* the first one that did not have to go behind others */
	ck_assert_uint_eq(unspooled, spooled);
	ck_assert_uint_eq(fake_spans(&fake), exports * SPANS);
	fixture_fini(&f);
	ck_assert_int_eq(segments(), 0);
	fake_collector_free(&fake);
}
END_TEST

/* What the collector refuses for good does not go to disk; what it cannot take now does. */
START_TEST(test_which_failures)
{
	static const struct fake_step bad[] = { { .status = 400 } }, busy[] = { { .status = 503 } },
		later[] = { { .status = 503 }, { .status = 400 }, { .status = 200 } };
	struct fake_collector fake;
	struct export_outcome out;
	struct spool_sent sent = { 0 };
	struct spool_reader r;
	struct span_exporter *otlp;
	struct fixture f;
	char *path;

	fake_collector_start(&fake, 0, bad, 1);
	fixture_init(&f, fake.port, 1 << 20);
	out = export_one(&f);
	ck_assert_int_eq(out.result, EXPORT_FAILED);
	ck_assert(out.permanent);
	ck_assert_uint_eq(out.spooled, 0);
	fixture_fini(&f);
	ck_assert_int_eq(segments(), 0);
	fake_collector_free(&fake);

	fake_collector_start(&fake, 0, busy, 1);
	fixture_init(&f, fake.port, 1 << 20);
	out = export_one(&f);
	ck_assert_uint_eq(out.spooled, SPANS);
	out = export_one(&f);
	ck_assert_uint_eq(out.spooled, SPANS);
	ck_assert_uint_eq(out.attempts, 0);		/* not tried again so soon */
	fixture_fini(&f);
	fake_collector_free(&fake);

	/* From disk: busy stops, refused is done with. */
	fake_collector_start(&fake, 0, later, 3);
	path = the_segment();
	ck_assert_int_eq(spool_reader_open(&r, path), 0);
	otlp = otlp_open(fake.port, NULL);
	ck_assert(!spool_send(&r, otlp, clock_mono_ns() + SECOND / 2, &sent));
	ck_assert_uint_eq(sent.records, 0);
	ck_assert(spool_send(&r, otlp, clock_mono_ns() + 10 * SECOND, &sent));
	ck_assert_uint_eq(sent.rejected, SPANS);
	ck_assert_uint_eq(sent.spans, SPANS);
	spool_reader_close(&r);
	otlp->ops->free(otlp);
	fake_collector_free(&fake);
	free(path);
}
END_TEST

/* Unsent spans of what lies in the directory. */
static uint64_t spans_on_disk(void)
{
	struct spool_record rec;
	struct spool_reader r;
	uint64_t spans = 0;
	char **paths;
	int n = spool_list(dir, &paths);

	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(spool_reader_open(&r, paths[i]), 0);
		while (spool_reader_next(&r, &rec) == 1)
			spans += rec.spans;
		spool_reader_close(&r);
		free(paths[i]);
	}
	free(paths);
	return spans;
}

/* What runs before this one left is sent behind our own; what is in use is left alone. */
START_TEST(test_others_are_adopted)
{
	int port = fake_free_port();
	struct fake_collector fake;
	struct export_outcome out;
	struct spool_reader held;
	struct fixture f;
	char **paths;

	for (int run = 0; run < 3; run++) {
		fixture_init(&f, port, 1 << 20);
		ck_assert_uint_eq(export_one(&f).spooled, SPANS);
		ck_assert_uint_eq(export_one(&f).spooled, SPANS);
		fixture_fini(&f);
	}
	ck_assert_int_eq(spool_list(dir, &paths), 3);
	ck_assert_int_eq(spool_reader_open(&held, paths[1]), 0);	/* as another run would */
	fake_collector_start(&fake, port, ok, 1);
	fixture_init(&f, port, 1 << 20);
	for (int i = 0; i < 50 && segments() > 1; i++) {
		out = export_one(&f);
		ck_assert_int_eq(out.result, EXPORT_OK);
		ck_assert_uint_eq(out.accepted, SPANS);
		ck_assert_uint_eq(out.unspooled, 0);		/* they are not of this run */
	}
	ck_assert_int_eq(segments(), 1);
	fixture_fini(&f);
	ck_assert_ptr_nonnull(strstr(f.logged, "40 spans of earlier runs"));
	spool_reader_close(&held);
	ck_assert_uint_eq(spans_on_disk(), 2 * SPANS);
	for (int i = 0; i < 3; i++)
		free(paths[i]);
	free(paths);
	fake_collector_free(&fake);
}
END_TEST

/* An abort, or the end of the time: all that waits goes to disk. */
START_TEST(test_abort_keeps)
{
	static const struct fake_step hang[] = { { .act = FAKE_HANG } };
	struct batch_config cfg = { .batch_size = 16, .queue_size = 256, .delay_ns = 1000000, .batch_bytes = 1u << 20,
				    .export_timeout_ns = 600 * SECOND, .block_max_ns = 600 * SECOND };
	struct fake_collector fake;
	struct batch_processor *b;
	struct batch_stats st;
	struct span_pool *pool;
	struct fixture f;

	fake_collector_start(&fake, 0, hang, 1);
	fixture_init(&f, fake.port, 1 << 20);
	ck_assert_int_eq(span_pool_new(&pool, 512, 512, false), 0);
	ck_assert_int_eq(batch_processor_start(&b, &cfg, f.e, pool, NULL), 0);
	for (int i = 0; i < 100; i++) {
		struct span *s = span_pool_get(pool);

		memcpy(s->span_id, f.spans[0]->span_id, 8);
		ck_assert_int_eq(batch_processor_push(b, s), 0);
	}
	ck_assert(fake_collector_wait(&fake, 1));
	if (_i == 0)
		batch_processor_abort(b);
	else
		ck_assert_int_eq(batch_processor_flush(b, clock_mono_ns() + SECOND / 10), -ETIMEDOUT);
	/* The root span comes after that. */
	ck_assert_int_eq(batch_processor_push(b, span_pool_get(pool)), 0);
	batch_processor_shutdown(b, clock_mono_ns() + (_i ? SECOND / 10 : 60 * SECOND));
	batch_processor_stats(b, &st);
	ck_assert_uint_eq(st.queued, 101);
	ck_assert_uint_eq(st.spooled, 101);
	ck_assert_uint_eq(st.dropped_shutdown + st.failed + st.dropped_full, 0);
	batch_processor_free(b);
	f.e = NULL;
	span_pool_free(pool);
	fixture_fini(&f);
	ck_assert_uint_eq(spans_on_disk(), 101);
	fake_collector_free(&fake);
}
END_TEST

START_TEST(test_no_room_is_said)
{
	struct export_outcome out;
	struct fixture f;

	fixture_init(&f, fake_free_port(), 100);
	out = export_one(&f);
	ck_assert_int_ne(out.result, EXPORT_OK);
	ck_assert_uint_eq(out.spooled, 0);
	ck_assert_ptr_nonnull(strstr(out.message, "--otlp-spool-max"));
	ck_assert(atomic_load(&f.e->failing));
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ test_round_trip, 3 }, { test_empty_leaves_nothing, 0 }, { test_damage, 0 },
		{ test_size_cap, 0 }, { test_bad_directories, 0 }, { test_disk_full, 0 },
		{ test_kept_and_sent_later, 0 }, { test_caught_up_in_the_run, 0 },
		{ test_which_failures, 0 }, { test_no_room_is_said, 0 },
		{ test_others_are_adopted, 0 }, { test_abort_keeps, 2 }, { NULL, 0 }
	};

	return unit_run_cases("spool", setup, teardown, cases);
}
