/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases for what happens around an export: the pool, a flush of the batch
 * processor, several exporters at once, the circuit breaker.  Main thread;
 * the batch processor's exporter thread and the threads of concurrent_export
 * are joined before a case ends.
 */
#include "config.h"
#include "bench.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "export/batch_processor.h"
#include "export/gzip.h"
#include "export/otlp_exporter.h"
#include "export/retry.h"
#include "null_sink.h"
#include "otlp_samples.h"

#define BLOCK 512u
#define THREADS_MAX 4u

/* ---- pool ---- */

static void *pool_setup(const void *disabled)
{
	struct span_pool *p;

	return span_pool_new(&p, 1024, 65536, disabled != NULL) < 0 ? NULL : p;
}

static void pool_teardown(void *state)
{
	span_pool_free(state);
}

/* A batch's worth out and back, so that the pool's lists are walked as they are in use. */
static void run_pool(void *state, uint64_t n)
{
	struct span *held[BLOCK];

	while (n--) {
		for (unsigned i = 0; i < BLOCK; i++)
			held[i] = span_pool_get(state);
		for (unsigned i = 0; i < BLOCK; i++)
			span_pool_put(state, held[i]);
	}
}

static uint64_t time_pool(void *state, double *out, uint64_t max, bool release)
{
	struct span *held[BLOCK];
	uint64_t a, b, c;

	for (uint64_t k = 0; k < max; k++) {
		a = clock_mono_ns();
		for (unsigned i = 0; i < BLOCK; i++)
			held[i] = span_pool_get(state);
		b = clock_mono_ns();
		for (unsigned i = 0; i < BLOCK; i++)
			span_pool_put(state, held[i]);
		c = clock_mono_ns();
		out[k] = (double)(release ? c - b : b - a) / BLOCK;
	}
	return max;
}

static uint64_t acquire_latencies(void *state, double *out, uint64_t max)
{
	return time_pool(state, out, max, false);
}

static uint64_t release_latencies(void *state, double *out, uint64_t max)
{
	return time_pool(state, out, max, true);
}

/* ---- flush ---- */

/* What a preset sets. */
struct preset { uint32_t pool, batch, queue; uint64_t delay_ms; };

struct flow {
	const struct preset *preset;
	struct null_sink sink;
	struct span *samples[BLOCK];
	struct span_pool *pool;
	struct batch_processor *processor;
	char url[64];
};

static struct span_exporter *exporter_new(const struct flow *f)
{
	struct otlp_config cfg = { .endpoint = f->url, .gzip = true, .gzip_level = 1 };
	struct span_exporter *e;
	char why[256];

	if (otlp_http_exporter_new(&e, &cfg, why, sizeof(why)) < 0) {
		fprintf(stderr, "bench_flow: %s\n", why);
		abort();
	}
	return e;
}

static void flow_teardown(void *state)
{
	struct flow *f = state;

	if (f->processor)
		batch_processor_shutdown(f->processor, clock_mono_ns() + 10000000000u);
	batch_processor_free(f->processor);
	span_pool_free(f->pool);
	null_sink_stop(&f->sink);
	for (unsigned i = 0; i < BLOCK; i++)
		sample_free(f->samples[i]);
	free(f);
}

static struct flow *flow_new(void)
{
	struct flow *f = calloc(1, sizeof(*f));
	unsigned long r = 0x5eed0400;

	if (!f || null_sink_start(&f->sink) < 0) {
		free(f);
		return NULL;
	}
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->sink.port);
	for (unsigned i = 0; i < BLOCK; i++) {
		f->samples[i] = sample_new();
		sample_set_call(f->samples[i], &r);
	}
	return f;
}

static void *flush_setup(const void *arg)
{
	const struct preset *p = arg;
	struct batch_config cfg = { .batch_size = p->batch, .queue_size = p->queue,
				    .delay_ns = p->delay_ms * 1000000,
		.export_timeout_ns = 30000000000u, .batch_bytes = 3u << 20, .block_max_ns = UINT64_MAX / 2 };
	struct flow *f = flow_new();

	if (!f)
		return NULL;
	f->preset = p;
	if (span_pool_new(&f->pool, p->pool, 65536, false) < 0 ||
	    batch_processor_start(&f->processor, &cfg, exporter_new(f), f->pool, NULL) < 0)
		abort();
	return f;
}

static void push_some(struct flow *f, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		struct span *s = span_pool_get(f->pool);
		const struct span *from = f->samples[k % BLOCK];

		if (!s)
			abort();
		memcpy(s->span_id, from->span_id, sizeof(s->span_id));
		s->start_ns = from->start_ns;
		s->end_ns = from->end_ns;
		s->nattrs = from->nattrs;
		for (unsigned i = 0; i < from->nattrs; i++)
			s->attrs[i] = from->attrs[i];
		batch_processor_push(f->processor, s);
	}
}

/* From "flush" until everything pushed before is with the collector: half a batch waits. */
static uint64_t flush_latencies(void *state, double *out, uint64_t max)
{
	struct flow *f = state;
	uint64_t n = max < 1200 ? max : 1200, start;

	for (uint64_t i = 0; i < n; i++) {
		push_some(f, f->preset->batch / 2);
		start = clock_mono_ns();
		if (batch_processor_flush(f->processor, start + 10000000000u) != 0)
			abort();
		out[i] = (double)(clock_mono_ns() - start);
	}
	return n;
}

static const struct preset low_latency = { 256, 128, 512, 100 }, balanced = { 1024, 512, 2048, 1000 },
			   aggressive = { 4096, 2048, 8192, 5000 };

/* ---- several exporters ---- */

struct worker {
	struct flow *flow;
	struct span_exporter *exporter;
	struct span *spans[BLOCK];
	uint64_t n;
	pthread_t thread;
};
struct workers { struct flow *flow; unsigned count; struct worker of[THREADS_MAX]; };

static void *workers_setup(const void *arg)
{
	struct workers *w = calloc(1, sizeof(*w));
	unsigned long r = 0x5eed0400;

	w->flow = flow_new();
	if (!w->flow) {
		free(w);
		return NULL;
	}
	w->count = *(const unsigned *)arg;
	for (unsigned t = 0; t < w->count; t++) {
		w->of[t].exporter = exporter_new(w->flow);
		for (unsigned i = 0; i < BLOCK; i++) {
			w->of[t].spans[i] = sample_new();
			sample_set_call(w->of[t].spans[i], &r);
		}
	}
	return w;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct export_outcome out;

	for (uint64_t i = 0; i < w->n; i++) {
		w->exporter->ops->export(w->exporter, w->spans, BLOCK, clock_mono_ns() + 10000000000u, &out);
		if (out.accepted != BLOCK)
			abort();
	}
	return NULL;
}

/* An iteration is one export on each thread. */
static void run_workers(void *state, uint64_t n)
{
	struct workers *w = state;

	for (unsigned t = 0; t < w->count; t++) {
		w->of[t].n = n;
		if (pthread_create(&w->of[t].thread, NULL, work, &w->of[t]) != 0)
			abort();
	}
	for (unsigned t = 0; t < w->count; t++)
		pthread_join(w->of[t].thread, NULL);
}

static void workers_teardown(void *state)
{
	struct workers *w = state;

	for (unsigned t = 0; t < w->count; t++) {
		w->of[t].exporter->ops->free(w->of[t].exporter);
		for (unsigned i = 0; i < BLOCK; i++)
			sample_free(w->of[t].spans[i]);
	}
	flow_teardown(w->flow);
	free(w);
}

/* ---- circuit breaker ---- */

static void run_breaker(void *state, uint64_t n)
{
	struct breaker b;
	uint64_t sum = 0;

	(void)state;
	breaker_init(&b, 1);
	for (uint64_t i = 0; i < n; i++) {
		sum += breaker_check(&b, i);
		breaker_add_success(&b);
	}
	bench_keep(&sum);
}

static void run_breaker_open(void *state, uint64_t n)
{
	struct breaker b;
	uint64_t sum = 0;

	(void)state;
	breaker_init(&b, 1);
	breaker_add_failure(&b, 0, true, 0);
	for (uint64_t i = 0; i < n; i++)
		sum += breaker_check(&b, i & 1023);
	bench_keep(&sum);
}

#define POOL .items = BLOCK, .unit = "span", .setup_with = pool_setup, .teardown = pool_teardown
#define WORKERS(n) { .name = "concurrent_export_" #n, .what = "encode, gzip, POST on " #n " threads at once", \
	.items = (n) * BLOCK, .unit = "span", .setup_with = workers_setup, .arg = &(const unsigned){ n }, \
	.run = run_workers, .teardown = workers_teardown }
#define FLUSH(preset) { .name = "flush_" #preset, .what = "flush of half a batch, preset " #preset, \
	.setup_with = flush_setup, .arg = &preset, .teardown = flow_teardown, .latencies = flush_latencies }

static const struct bench_case cases[] = {
	{ .name = "span_pool", .what = "512 spans out of the pool and back", .run = run_pool, POOL },
	{ .name = "span_pool_disabled", .what = "the same by malloc and free", .run = run_pool, .arg = cases, POOL },
	{ .name = "span_pool_acquire", .what = "one get, mean of 512", .setup_with = pool_setup,
	  .teardown = pool_teardown, .latencies = acquire_latencies },
	{ .name = "span_pool_release", .what = "one put, mean of 512", .setup_with = pool_setup,
	  .teardown = pool_teardown, .latencies = release_latencies },
	FLUSH(low_latency), FLUSH(balanced), FLUSH(aggressive),
	WORKERS(1), WORKERS(2), WORKERS(4),
	{ .name = "breaker_closed", .what = "circuit breaker asked and told of a success", .run = run_breaker },
	{ .name = "breaker_open", .what = "circuit breaker asked while it is open", .run = run_breaker_open },
	{ 0 }
};

const struct bench_suite bench_flow = { "flow", cases };
