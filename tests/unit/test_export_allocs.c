/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations per span in the steady state, counted: none.  Pool, queue,
 * encoder and compressor allocate nothing at all; libcurl allocates a fixed
 * number of times per request, whatever is in it.
 */
#include "config.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "bench.h"
#include "export/batch_processor.h"
#include "export/gzip.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"
#include "null_sink.h"
#include "stats/metric_set.h"
#include "otlp_samples.h"
#include "unit.h"

#define SECOND 1000000000ull

static uint64_t allocs(void)
{
	uint64_t count, bytes;

	bench_allocs(&count, &bytes);
	return count;
}

/* Encodes and compresses as the real one does, sends nothing. */
struct local_exporter { struct span_exporter base; struct otlp_encoder *encoder; struct gzip *gzip; };

static void local_export(struct span_exporter *base, struct span *const *spans, size_t n, uint64_t deadline,
			 struct export_outcome *out)
{
	struct local_exporter *e = (struct local_exporter *)base;
	const uint8_t *p;
	size_t len;

	(void)deadline;
	*out = (struct export_outcome){ .accepted = n };
	if (otlp_encode_spans(e->encoder, spans, n, &p, &len) || gzip_encode(e->gzip, p, len, &p, &len))
		out->accepted = 0;
}

static void local_free(struct span_exporter *base)
{
	struct local_exporter *e = (struct local_exporter *)base;

	otlp_encoder_free(e->encoder);
	gzip_free(e->gzip);
}

static const struct span_exporter_ops local_ops = { .name = "local", .export = local_export, .free = local_free };

/* No ck_assert in here: each allocates. */
static void push(struct span_pool *pool, struct batch_processor *b, struct resource *res, size_t n,
		 unsigned long *r)
{
	while (n--) {
		struct span *s = span_pool_get(pool);

		if (!s)
			abort();
		sample_set_call(s, r);
		s->resource = resource_get(res);
		if (batch_processor_push(b, s) != 0)
			abort();
	}
}

START_TEST(test_nothing_per_span)
{
	static const struct batch_config cfg = { .batch_size = 128, .queue_size = 512, .delay_ns = SECOND,
		.export_timeout_ns = SECOND, .batch_bytes = 3u << 20, .block_max_ns = 60 * SECOND };
	unsigned long r = 0x5eed0500;
	struct local_exporter e = { .base.ops = &local_ops };
	struct batch_processor *b;
	struct resource *res = sample_resource(1, &r);
	struct span_pool *pool;
	struct batch_stats stats;
	uint64_t before;
	int err;

	ck_assert_int_eq(otlp_encoder_new(&e.encoder, OTLP_REQUEST_MAX), 0);
	ck_assert_int_eq(gzip_new(&e.gzip, NULL, 1), 0);
	ck_assert_int_eq(span_pool_new(&pool, 2048, 4096, false), 0);
	ck_assert_int_eq(batch_processor_start(&b, &cfg, &e.base, pool, NULL), 0);
	push(pool, b, res, 5000, &r);
	ck_assert_int_eq(batch_processor_flush(b, clock_mono_ns() + 60 * SECOND), 0);
	before = allocs();
	push(pool, b, res, 100000, &r);
	err = batch_processor_flush(b, clock_mono_ns() + 60 * SECOND);
	before = allocs() - before;
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(before, 0);
	ck_assert_int_eq(batch_processor_shutdown(b, clock_mono_ns() + 60 * SECOND), 0);
	batch_processor_stats(b, &stats);
	ck_assert_uint_eq(stats.exported, 105000);
	batch_processor_free(b);
	span_pool_free(pool);
	resource_put(res);
}
END_TEST

/* The twin: the count does see an allocation. */
START_TEST(test_the_count_counts)
{
	uint64_t before = allocs();
	struct span *s = sample_new();

	ck_assert_uint_ge(allocs() - before, 1);
	sample_free(s);
}
END_TEST

static uint64_t allocs_of(struct span_exporter *e, struct span *const *spans, size_t n, unsigned batches)
{
	uint64_t before = allocs();

	while (batches--) {
		struct export_outcome out;

		e->ops->export(e, spans, n, clock_mono_ns() + 60 * SECOND, &out);
		if (out.accepted != n)
			abort();
	}
	return allocs() - before;
}

START_TEST(test_request_has_a_fixed_cost)
{
	unsigned long r = 0x5eed0501;
	struct otlp_config cfg = { .gzip = true };
	struct span *spans[1000];
	struct resource *res = sample_resource(1, &r);
	struct span_exporter *e;
	struct null_sink sink;
	uint64_t small, large;
	char url[64], why[256];

	ck_assert_int_eq(null_sink_start(&sink), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", sink.port);
	cfg.endpoint = url;
	ck_assert_int_eq(otlp_http_exporter_new(&e, &cfg, why, sizeof(why)), 0);
	for (size_t i = 0; i < 1000; i++) {
		spans[i] = sample_new();
		sample_set_call(spans[i], &r);
		spans[i]->resource = res;
	}
	allocs_of(e, spans, 1000, 20);		/* connection, buffers */
	small = allocs_of(e, spans, 10, 100);
	large = allocs_of(e, spans, 1000, 100);
	ck_assert_msg(large <= small + 20, "100 requests of 10 spans: %lu allocations, of 1000 spans: %lu",
		      (unsigned long)small, (unsigned long)large);
	ck_assert_uint_gt(small, 0);		/* libcurl's are seen */
	e->ops->free(e);
	for (size_t i = 0; i < 1000; i++)
		sample_free(spans[i]);
	resource_put(res);
	null_sink_stop(&sink);
}
END_TEST

static void count_calls(struct metric_set *m, unsigned n, unsigned long *r)
{
	struct image img = { .id = 1, .exe = (char *)"/bin/ls", .exe_len = 7 };

	while (n--) {
		struct tracer_ev_call ev = { .head = { .kind = TRACER_EV_CALL, .nr = (int32_t)(unit_random(r) % 300) } };

		ev.ret = unit_random(r) % 4 ? 1 : -2;
		if (ev.ret < 0)
			ev.head.flags |= TRACER_EVF_ERROR;
		metric_set_call(m, &img, &ev, unit_random(r) >> 32);
	}
}

/* Nor does counting for metrics, in this interval and the next. */
START_TEST(test_nothing_per_counted_call)
{
	struct metric_set_config cfg = { 0 };
	unsigned long r = 0x5eed0502;
	struct metric_set *m;
	uint64_t before = allocs();

	ck_assert_int_eq(metric_set_new(&m, &cfg), 0);
	count_calls(m, 100000, &r);
	ck_assert_uint_gt(allocs(), before);		/* series are made at first */
	metric_set_reset_calls(m);
	before = allocs();
	count_calls(m, 100000, &r);
	metric_set_reset_calls(m);
	count_calls(m, 100000, &r);
	before = allocs() - before;
	ck_assert_uint_eq(before, 0);
	metric_set_free(m);
}
END_TEST

int main(void)
{
	return unit_run("export-allocs", (const TTest *const[]){ test_nothing_per_span, test_the_count_counts,
		test_request_has_a_fixed_cost, test_nothing_per_counted_call, NULL });
}
