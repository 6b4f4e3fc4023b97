/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool's cases: a batch written, with and without a sync to disk, and
 * the recovery of what an earlier run left: every record found, checked,
 * read and marked as sent.  In a directory of its own under TMPDIR, removed at
 * the end.  Main thread.
 */
#include "config.h"
#include "bench.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "export/spool.h"

#define PAYLOAD 12000u		/* bytes of 512 compressed spans */
#define SPANS 512u
#define LEFT 64u		/* records that the earlier run has left */
#define MAX (1ull << 30)
#define ROTATE 4096u		/* records after which the writer starts afresh: the disk stays small */

struct state {
	char dir[256];
	enum spool_sync sync;
	struct spool *spool;
	uint8_t payload[PAYLOAD];
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_spool: %s\n", what);
	abort();
}

static void remove_segments(const struct state *s)
{
	char **list = NULL;
	int n = spool_list(s->dir, &list);

	for (int i = 0; i < n; i++) {
		unlink(list[i]);
		free(list[i]);
	}
	free(list);
}

static void open_spool(struct state *s)
{
	char why[256];

	if (spool_open(&s->spool, s->dir, MAX, s->sync, why, sizeof(why)) < 0)
		fail(why);
}

static void *spool_setup(const void *arg)
{
	const char *tmp = getenv("TMPDIR");
	struct state *s = calloc(1, sizeof(*s));
	uint32_t x = 0x5eed0400;

	if (!s)
		return NULL;
	s->sync = *(const enum spool_sync *)arg;
	snprintf(s->dir, sizeof(s->dir), "%s/bench-spool.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(s->dir)) {
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < PAYLOAD; i++) {
		x = x * 1664525u + 1013904223u;		/* compressed bytes look like noise */
		s->payload[i] = (uint8_t)(x >> 24);
	}
	open_spool(s);
	return s;
}

static void spool_teardown(void *state)
{
	struct state *s = state;

	if (s->spool)
		spool_close(s->spool);
	remove_segments(s);
	rmdir(s->dir);
	free(s);
}

static void run_add(void *state, uint64_t n)
{
	struct state *s = state;

	for (uint64_t i = 1; i <= n; i++) {
		if (spool_add(s->spool, s->payload, PAYLOAD, SPANS) < 0)
			fail("spool_add");
		if (i % ROTATE == 0) {
			spool_close(s->spool);
			remove_segments(s);
			open_spool(s);
		}
	}
	spool_close(s->spool);
	remove_segments(s);
	open_spool(s);
}

/* Makes LEFT records as an earlier run would have left them, then recovers them. */
static double recover_once(struct state *s)
{
	struct spool_reader r;
	struct spool_record rec;
	uint64_t start;
	char **list = NULL;
	unsigned found = 0;
	double out;
	int rc;

	open_spool(s);
	for (unsigned i = 0; i < LEFT; i++)
		if (spool_add(s->spool, s->payload, PAYLOAD, SPANS) < 0)
			fail("spool_add");
	spool_close(s->spool);
	s->spool = NULL;
	start = clock_mono_ns();
	if (spool_list(s->dir, &list) != 1 || spool_reader_open(&r, list[0]) < 0)
		fail("no segment");
	while ((rc = spool_reader_next(&r, &rec)) > 0) {
		found += rec.len == PAYLOAD && memcmp(rec.payload, s->payload, PAYLOAD) == 0;
		spool_reader_mark_sent(&r, &rec);
	}
	if (rc < 0 || found != LEFT || spool_reader_remove_if_done(&r) != 1)
		fail("not all records recovered");
	spool_reader_close(&r);
	out = (double)(clock_mono_ns() - start);
	free(list[0]);
	free(list);
	return out;
}

/* A sample is the mean of one recovery's records. */
static uint64_t recover(void *state, double *out, uint64_t max)
{
	struct state *s = state;
	uint64_t n = max < 200 ? max : 200;

	spool_close(s->spool);
	s->spool = NULL;
	for (uint64_t i = 0; i < n; i++)
		out[i] = recover_once(s) / LEFT;
	return n;
}

static const enum spool_sync none = SPOOL_SYNC_NONE, batch = SPOOL_SYNC_BATCH;

#define SPOOL .setup_with = spool_setup, .teardown = spool_teardown

static const struct bench_case cases[] = {
	{ .name = "spool_add", .what = "512 compressed spans to the spool", .run = run_add, .arg = &none,
	  .items = SPANS, .unit = "span", SPOOL },
	{ .name = "spool_add_synced", .what = "the same, on the disk before it goes on", .run = run_add, .arg = &batch,
	  .items = SPANS, .unit = "span", SPOOL },
	{ .name = "spool_recovery", .what = "a record of 512 spans that an earlier run left: found, checked, read, marked",
	  .latencies = recover, .arg = &none, SPOOL },
	{ 0 }
};

const struct bench_suite bench_spool = { "spool", cases };
