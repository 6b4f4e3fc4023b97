/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queue and batch processor: nothing lost, order kept, overflow and end as
 * decided; the presets as a receiver sees them; no allocation per span.  The
 * test's thread is the producer; most exporters are in memory.
 */
#include "config.h"
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "export/batch_processor.h"
#include "export/otlp_exporter.h"
#include "export/span_queue.h"
#include "fake_collector.h"
#include "otlp_samples.h"
#include "session/options.h"
#include "unit.h"

#define SECOND 1000000000ull
#define SEEN 200000

/* An exporter in memory: keeps the sequence numbers (start_ns) it is given. */
struct memory_exporter {
	struct span_exporter base;
	sem_t gate;			/* one token per export where gated */
	bool gated;
	atomic_bool aborted;
	atomic_int refuse;		/* exports to refuse; -1: all */
	uint64_t held_until;
	bool useless;			/* hold() says so at the end */
	enum export_result result;
	bool looks_ahead;		/* as an exporter that encodes while it waits */
	size_t told;			/* spans of the next batch, 0 none; and the first of them */
	uint64_t told_first;
	atomic_uint tellings;
	uint64_t *seen;
	size_t nseen, sizes[4096], nbatches;
	atomic_uint batches;
};

static void look_ahead(struct memory_exporter *e)
{
	struct span *const *spans;

	if (!e->looks_ahead)
		return;
	e->told = e->base.ahead(e->base.ahead_ctx, &spans);
	if (e->told) {
		e->told_first = spans[0]->start_ns;
		atomic_fetch_add(&e->tellings, 1);
	}
}

static void memory_export(struct span_exporter *base, struct span *const *spans, size_t n, uint64_t deadline,
			  struct export_outcome *out)
{
	struct memory_exporter *e = (struct memory_exporter *)base;

	(void)deadline;
	*out = (struct export_outcome){ .result = e->result, .attempts = 1 };
	if (e->told)
		ck_assert(e->told == n && e->told_first == spans[0]->start_ns);
	look_ahead(e);
	while (e->gated && !atomic_load(&e->aborted) && sem_trywait(&e->gate) != 0) {
		look_ahead(e);
		sched_yield();
	}
	if (atomic_load(&e->refuse)) {
		if (atomic_load(&e->refuse) > 0)
			atomic_fetch_sub(&e->refuse, 1);
		out->result = EXPORT_REFUSED;
		snprintf(out->message, sizeof(out->message), "refused");
		e->held_until = clock_mono_ns() + 1000000;
		atomic_store(&base->circuit_open, true);
		return;
	}
	atomic_store(&base->circuit_open, false);
	for (size_t i = 0; i < n && e->nseen < SEEN; i++)
		e->seen[e->nseen++] = spans[i]->start_ns;
	e->sizes[e->nbatches++ % 4096] = n;
	if (e->result == EXPORT_OK)
		out->accepted = n;
	atomic_fetch_add(&e->batches, 1);
}

static uint64_t memory_hold(struct span_exporter *base, uint64_t now, bool last_chance)
{
	struct memory_exporter *e = (struct memory_exporter *)base;

	if (!atomic_load(&base->circuit_open))
		return 0;
	if (last_chance)
		return e->useless ? UINT64_MAX : 0;
	return now < e->held_until ? e->held_until - now : 0;
}

static void memory_abort(struct span_exporter *base)
{
	atomic_store(&((struct memory_exporter *)base)->aborted, true);
}

static void memory_free(struct span_exporter *base)
{
	(void)base;		/* the test looks at it afterwards */
}

static const struct span_exporter_ops memory_ops = {
	.name = "memory", .export = memory_export, .hold = memory_hold, .abort = memory_abort, .free = memory_free,
};

struct fixture {
	struct memory_exporter memory;
	struct span_pool *pool;
	struct batch_processor *b;
	struct batch_stats stats;
};

static const struct batch_config base_config = {
	.batch_size = 100, .queue_size = 400, .delay_ns = 3600 * SECOND, .export_timeout_ns = 30 * SECOND,
	.batch_bytes = 3u << 20, .block_max_ns = 60 * SECOND,
};

static void fixture_init(struct fixture *f, const struct batch_config *cfg)
{
	memset(f, 0, sizeof(*f));
	f->memory.base.ops = &memory_ops;
	f->memory.seen = calloc(SEEN, sizeof(uint64_t));
	sem_init(&f->memory.gate, 0, 0);
	ck_assert_int_eq(span_pool_new(&f->pool, 1024, 65536, false), 0);
	ck_assert_int_eq(batch_processor_start(&f->b, cfg, &f->memory.base, f->pool, NULL), 0);
}

/* Everything that was taken is back in the pool. */
static void fixture_fini(struct fixture *f)
{
	struct span_pool_stats ps;

	batch_processor_free(f->b);
	span_pool_stats(f->pool, &ps);
	ck_assert_uint_eq(ps.in_use, 0);
	ck_assert_uint_eq(ps.bad_puts, 0);
	span_pool_free(f->pool);
	free(f->memory.seen);
}

static int push_one(struct fixture *f, uint64_t number)
{
	struct span *s = span_pool_get(f->pool);

	ck_assert_ptr_nonnull(s);
	s->start_ns = number;
	span_set_name(s, "read", 4);
	return batch_processor_push(f->b, s);
}

static void finish(struct fixture *f, int expected)
{
	ck_assert_int_eq(batch_processor_shutdown(f->b, clock_mono_ns() + 60 * SECOND), expected);
	batch_processor_stats(f->b, &f->stats);
}

static void check_sum(const struct fixture *f, uint64_t pushed)
{
	const struct batch_stats *s = &f->stats;

	ck_assert_uint_eq(s->queued + s->dropped_full, pushed);
	ck_assert_uint_eq(s->exported + s->rejected + s->failed + s->dropped_shutdown, s->queued);
}

/* ---- queue ---- */

START_TEST(test_queue)
{
	struct span_queue q;
	struct span spans[5];

	ck_assert_int_eq(span_queue_init(&q, 3), 0);	/* not a power of two */
	ck_assert_ptr_null(span_queue_peek(&q));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 3; i++)
			ck_assert(span_queue_push(&q, &spans[i]));
		ck_assert(!span_queue_push(&q, &spans[3]));
		ck_assert_uint_eq(span_queue_depth(&q), 3);
		for (int i = 0; i < 3; i++) {
			ck_assert_ptr_eq(span_queue_peek(&q), &spans[i]);
			span_queue_pop(&q);
		}
	}
	ck_assert_uint_eq(span_queue_tail(&q), 30);
	span_queue_fini(&q);
}
END_TEST

/* ---- when a batch goes ---- */

/* Full batches go by size; the rest only by the flush. */
START_TEST(test_by_size_and_flush)
{
	struct fixture f;

	fixture_init(&f, &base_config);
	for (uint64_t i = 0; i < 250; i++)
		ck_assert_int_eq(push_one(&f, i), 0);
	while (atomic_load(&f.memory.batches) < 2)
		sched_yield();
	ck_assert_int_eq(batch_processor_flush(f.b, clock_mono_ns() + 60 * SECOND), 0);
	ck_assert_uint_eq(f.memory.nseen, 250);
	ck_assert_uint_eq(f.memory.nbatches, 3);
	ck_assert_uint_eq(f.memory.sizes[0], 100);
	ck_assert_uint_eq(f.memory.sizes[1], 100);
	ck_assert_uint_eq(f.memory.sizes[2], 50);
	ck_assert_int_eq(batch_processor_flush(f.b, clock_mono_ns() + 60 * SECOND), 0);	/* nothing to do */
	finish(&f, 0);
	check_sum(&f, 250);
	ck_assert_uint_eq(f.stats.exported, 250);
	ck_assert_uint_eq(f.stats.largest_batch, 100);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_by_delay)
{
	struct batch_config cfg = base_config;
	struct fixture f;
	uint64_t start;

	cfg.delay_ns = SECOND / 20;
	fixture_init(&f, &cfg);
	for (unsigned round = 1; round <= 3; round++) {
		start = clock_mono_ns();
		ck_assert_int_eq(push_one(&f, round), 0);
		while (atomic_load(&f.memory.batches) < round)
			sched_yield();
		ck_assert_uint_ge(clock_mono_ns() - start, cfg.delay_ns);
	}
	finish(&f, 0);
	check_sum(&f, 3);
	fixture_fini(&f);
}
END_TEST

/* Bytes cut a batch and are a reason to go. */
START_TEST(test_by_bytes)
{
	struct batch_config cfg = base_config;
	struct fixture f;

	cfg.batch_bytes = 2000;
	fixture_init(&f, &cfg);
	for (uint64_t i = 0; i < 99; i++)	/* below batch_size: the count alone would not send it */
		ck_assert_int_eq(push_one(&f, i), 0);
	while (atomic_load(&f.memory.batches) == 0)
		sched_yield();
	finish(&f, 0);
	check_sum(&f, 99);
	ck_assert_uint_gt(f.memory.nbatches, 5);
	for (size_t i = 0; i < f.memory.nbatches; i++)
		ck_assert_uint_le(f.memory.sizes[i], 2000 / 160);
	fixture_fini(&f);
}
END_TEST

/* Many spans, a random exporter pace: all there, in order. */
START_TEST(test_order_and_loss)
{
	unsigned long r = 0x5eed0200 + (unsigned long)_i;
	struct batch_config cfg = base_config;
	struct fixture f;

	cfg.batch_size = 1 + (uint32_t)(unit_random(&r) % 200);
	cfg.queue_size = cfg.batch_size + (uint32_t)(unit_random(&r) % 300);
	cfg.delay_ns = unit_random(&r) % 2000000;
	fixture_init(&f, &cfg);
	f.memory.looks_ahead = _i % 2;
	for (uint64_t i = 0; i < 50000; i++) {
		ck_assert_int_eq(push_one(&f, i), 0);
		if (unit_random(&r) % 5000 == 0)
			ck_assert_int_eq(batch_processor_flush(f.b, clock_mono_ns() + 60 * SECOND), 0);
	}
	finish(&f, 0);
	check_sum(&f, 50000);
	ck_assert_uint_eq(f.memory.nseen, 50000);
	for (uint64_t i = 0; i < 50000; i++)
		ck_assert_uint_eq(f.memory.seen[i], i);
	ck_assert_uint_le(f.stats.largest_batch, cfg.batch_size);
	ck_assert_uint_le(f.stats.queue_high_water, cfg.queue_size);
	fixture_fini(&f);
}
END_TEST

/* ---- overflow ---- */

START_TEST(test_drop)
{
	struct batch_config cfg = base_config;
	struct fixture f;
	int dropped = 0;

	cfg.overflow = OVERFLOW_DROP;
	fixture_init(&f, &cfg);
	f.memory.gated = true;
	for (uint64_t i = 0; i < 2000; i++)
		dropped += push_one(&f, i) == -EAGAIN;
	ck_assert_int_ge(dropped, 1500);	/* a queue and a batch were taken */
	ck_assert_int_lt(dropped, 2000);
	for (int i = 0; i < 100; i++)
		sem_post(&f.memory.gate);
	finish(&f, 0);
	check_sum(&f, 2000);
	ck_assert_uint_eq(f.stats.dropped_full, (uint64_t)dropped);
	ck_assert_uint_eq(f.stats.blocked_ns, 0);
	fixture_fini(&f);
}
END_TEST

static void *open_gate(void *ctx)
{
	struct fixture *f = ctx;
	struct batch_stats s;

	do
		batch_processor_stats(f->b, &s);
	while (s.queue_high_water < 400);
	for (int i = 0; i < 100; i++)
		sem_post(&f->memory.gate);
	return NULL;
}

/* A slow collector holds the producer, and nothing is lost. */
START_TEST(test_block)
{
	struct fixture f;
	pthread_t t;

	fixture_init(&f, &base_config);
	f.memory.gated = true;
	pthread_create(&t, NULL, open_gate, &f);
	for (uint64_t i = 0; i < 3000; i++)
		ck_assert_int_eq(push_one(&f, i), 0);
	pthread_join(t, NULL);
	finish(&f, 0);
	check_sum(&f, 3000);
	ck_assert_uint_eq(f.stats.exported, 3000);
	ck_assert_uint_gt(f.stats.blocks, 0);
	ck_assert_uint_gt(f.stats.blocked_ns, 0);
	fixture_fini(&f);
}
END_TEST

/* ... for the allowance of a run; after that spans are dropped at once. */
/* More spans are not wanted while a batch is under way and the next one is there; a stuck exporter
 * keeps nobody. */
START_TEST(test_ahead)
{
	struct batch_config cfg = base_config;
	struct fixture f;

	fixture_init(&f, &cfg);
	f.memory.gated = true;
	for (unsigned i = 0; i < 199; i++)
		push_one(&f, i);
	ck_assert(!batch_processor_ahead(f.b));
	for (unsigned i = 199; i < 250; i++)
		push_one(&f, i);
	ck_assert(batch_processor_ahead(f.b));
	sem_post(&f.memory.gate);
	while (batch_processor_ahead(f.b))	/* 150 are left when the first batch is through */
		batch_processor_linger(f.b);
	for (unsigned i = 250; i < 350; i++)
		push_one(&f, i);
	while (batch_processor_ahead(f.b))	/* in vain, but not for ever */
		batch_processor_linger(f.b);
	for (unsigned i = 0; i < 4; i++)
		sem_post(&f.memory.gate);
	finish(&f, 0);
	ck_assert_uint_eq(f.stats.exported, 350);
	fixture_fini(&f);

	cfg.overflow = OVERFLOW_DROP;
	fixture_init(&f, &cfg);
	f.memory.gated = true;
	for (unsigned i = 0; i < 250; i++)
		push_one(&f, i);
	ck_assert(!batch_processor_ahead(f.b));
	for (unsigned i = 0; i < 4; i++)
		sem_post(&f.memory.gate);
	finish(&f, 0);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_block_max)
{
	struct batch_config cfg = base_config;
	struct fixture f;

	cfg.block_max_ns = SECOND / 5;
	fixture_init(&f, &cfg);
	f.memory.gated = true;
	for (uint64_t i = 0; i < 2000; i++)
		push_one(&f, i);
	batch_processor_stats(f.b, &f.stats);
	ck_assert_uint_ge(f.stats.blocked_ns, cfg.block_max_ns);
	ck_assert_uint_gt(f.stats.dropped_full, 0);
	for (int i = 0; i < 100; i++)
		sem_post(&f.memory.gate);
	finish(&f, 0);
	check_sum(&f, 2000);
	fixture_fini(&f);
}
END_TEST

/* ---- a collector that is away ---- */

/* Spans wait for it in the queue; the producer never waits. */
START_TEST(test_held_then_delivered)
{
	struct fixture f;

	fixture_init(&f, &base_config);
	atomic_store(&f.memory.refuse, 20);
	for (uint64_t i = 0; i < 300; i++)
		ck_assert_int_eq(push_one(&f, i), 0);
	while (atomic_load(&f.memory.batches) < 3)
		sched_yield();
	finish(&f, 0);
	check_sum(&f, 300);
	ck_assert_uint_eq(f.stats.exported, 300);
	ck_assert_uint_eq(f.stats.failed, 0);
	for (uint64_t i = 0; i < 300; i++)
		ck_assert_uint_eq(f.memory.seen[i], i);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_never_there)
{
	struct fixture f;
	int err;

	fixture_init(&f, &base_config);
	atomic_store(&f.memory.refuse, -1);
	f.memory.useless = true;
	for (uint64_t i = 0; i < 100; i++)
		push_one(&f, i);
	while (!atomic_load(&f.memory.base.circuit_open))
		sched_yield();
	for (uint64_t i = 100; i < 5000; i++)
		push_one(&f, i);
	err = batch_processor_flush(f.b, clock_mono_ns() + 3600 * SECOND);
	ck_assert_int_eq(err, -ENOTCONN);
	finish(&f, 0);			/* at once, not at the deadline */
	check_sum(&f, 5000);
	ck_assert_uint_eq(f.stats.exported, 0);
	ck_assert_uint_eq(f.stats.blocked_ns, 0);
	ck_assert_uint_gt(f.stats.dropped_full, 0);
	ck_assert_str_eq(f.stats.last_error, "refused");
	fixture_fini(&f);
}
END_TEST

START_TEST(test_failed_is_counted)
{
	struct fixture f;

	fixture_init(&f, &base_config);
	f.memory.result = EXPORT_FAILED;
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(push_one(&f, i), 0);
	finish(&f, 0);
	check_sum(&f, 1000);
	ck_assert_uint_eq(f.stats.failed, 1000);
	fixture_fini(&f);
}
END_TEST

/* ---- the end ---- */

START_TEST(test_shutdown_deadline)
{
	struct fixture f;

	fixture_init(&f, &base_config);
	f.memory.gated = true;		/* nobody opens it */
	for (uint64_t i = 0; i < 300; i++)
		ck_assert_int_eq(push_one(&f, i), 0);
	ck_assert_int_eq(batch_processor_flush(f.b, clock_mono_ns() + SECOND / 20), -ETIMEDOUT);
	ck_assert_int_eq(batch_processor_shutdown(f.b, clock_mono_ns() + SECOND / 20), -ETIMEDOUT);
	ck_assert(atomic_load(&f.memory.aborted));
	ck_assert_int_eq(push_one(&f, 300), -EAGAIN);
	batch_processor_stats(f.b, &f.stats);
	ck_assert_uint_eq(f.stats.dropped_full, 0);
	/* The last push came too late to be queued. */
	ck_assert_uint_eq(f.stats.exported + f.stats.failed + f.stats.dropped_shutdown, f.stats.queued + 1);
	ck_assert_int_eq(batch_processor_shutdown(f.b, 0), 0);	/* again: nothing */
	fixture_fini(&f);
}
END_TEST

START_TEST(test_abort)
{
	struct fixture f;

	fixture_init(&f, &base_config);
	f.memory.gated = true;
	f.memory.looks_ahead = _i;
	for (uint64_t i = 0; i < 300; i++)
		ck_assert_int_eq(push_one(&f, i), 0);
	while (_i && atomic_load(&f.memory.tellings) == 0)
		sched_yield();
	batch_processor_abort(f.b);
	finish(&f, 0);
	check_sum(&f, 300);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_sizes_are_checked)
{
	struct memory_exporter e = { .base.ops = &memory_ops };
	struct batch_config cfg = base_config;
	struct batch_processor *b;

	cfg.batch_size = cfg.queue_size + 1;
	ck_assert_int_eq(batch_processor_start(&b, &cfg, &e.base, NULL, NULL), -EINVAL);
	cfg.batch_size = 0;
	ck_assert_int_eq(batch_processor_start(&b, &cfg, &e.base, NULL, NULL), -EINVAL);
}
END_TEST

/* ---- over the wire ---- */

static uint64_t preset(enum option_id id, int mode)
{
	return strtoull(option_rows[id].preset[mode], NULL, 10);
}

struct wire { struct fake_collector fake; struct span_pool *pool; struct batch_processor *b; struct resource *resource; };

static void wire_init(struct wire *w, const struct batch_config *cfg)
{
	static const struct fake_step ok[] = { { .status = 200 } };
	struct otlp_config otlp = { .gzip = true };
	struct span_exporter *e;
	unsigned long r = 0x5eed0300;
	char url[64], why[256];

	fake_collector_start(&w->fake, 0, ok, 1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", w->fake.port);
	otlp.endpoint = url;
	ck_assert_int_eq(otlp_http_exporter_new(&e, &otlp, why, sizeof(why)), 0);
	ck_assert_int_eq(span_pool_new(&w->pool, 1024, 65536, false), 0);
	ck_assert_int_eq(batch_processor_start(&w->b, cfg, e, w->pool, NULL), 0);
	w->resource = sample_resource(1, &r);
}

static void wire_push(struct wire *w, size_t n, unsigned long *r)
{
	while (n--) {
		struct span *s = span_pool_get(w->pool);

		sample_set_call(s, r);
		s->resource = resource_get(w->resource);
		ck_assert_int_eq(batch_processor_push(w->b, s), 0);
	}
}

static void wire_fini(struct wire *w)
{
	ck_assert_int_eq(batch_processor_shutdown(w->b, clock_mono_ns() + 60 * SECOND), 0);
	batch_processor_free(w->b);
	span_pool_free(w->pool);
	resource_put(w->resource);
	fake_collector_free(&w->fake);
}

/* Each preset of the options table, as the receiver sees it: full batches of
 * exactly its size, the rest not before its delay. */
START_TEST(test_presets)
{
	size_t size = preset(OPT_BATCH_SIZE, _i), rest = 37;
	uint64_t delay = preset(OPT_BATCH_DELAY, _i) * 1000000u, start;
	struct batch_config cfg = base_config;
	unsigned long r = 0x5eed0301;
	struct wire w;

	cfg.batch_size = (uint32_t)size;
	cfg.queue_size = (uint32_t)preset(OPT_QUEUE_SIZE, _i);
	cfg.delay_ns = delay;
	wire_init(&w, &cfg);
	wire_push(&w, 2 * size, &r);
	ck_assert(fake_collector_wait(&w.fake, 2));
	start = clock_mono_ns();
	wire_push(&w, rest, &r);
	ck_assert(fake_collector_wait(&w.fake, 3));
	ck_assert_uint_eq(w.fake.requests[0].spans, size);
	ck_assert_uint_eq(w.fake.requests[1].spans, size);
	ck_assert_uint_eq(w.fake.requests[2].spans, rest);
	ck_assert_uint_ge(w.fake.requests[2].time - start, delay);
	ck_assert_uint_eq(w.fake.connections, 1);
	wire_fini(&w);
}
END_TEST

/* The numbers are the specification's. */
START_TEST(test_preset_numbers)
{
	static const uint64_t numbers[3][3] = { { 512, 1000, 2048 }, { 2048, 5000, 8192 }, { 128, 100, 512 } };

	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(preset(OPT_BATCH_SIZE, i), numbers[i][0]);
		ck_assert_uint_eq(preset(OPT_BATCH_DELAY, i), numbers[i][1]);
		ck_assert_uint_eq(preset(OPT_QUEUE_SIZE, i), numbers[i][2]);
	}
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ test_queue, 0 }, { test_by_size_and_flush, 0 }, { test_by_delay, 0 },
		{ test_by_bytes, 0 }, { test_order_and_loss, 8 }, { test_drop, 0 },
		{ test_block, 0 }, { test_ahead, 0 }, { test_block_max, 0 }, { test_held_then_delivered, 0 },
		{ test_never_there, 0 }, { test_failed_is_counted, 0 },
		{ test_shutdown_deadline, 0 }, { test_abort, 2 }, { test_sizes_are_checked, 0 },
		{ test_presets, 3 }, { test_preset_numbers, 0 }, { NULL, 0 }
	};

	return unit_run_cases("batch-processor", NULL, NULL, cases);
}
