/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporter's cases: encoding, compression, and the whole chain (encode +
 * gzip + POST) to a receiver on the last CPU that answers without decoding.
 * Batches of 512 spans with 8 attributes unless a case says otherwise.  Main
 * thread, pinned to the first CPU while a chain runs, so that "one core" is one.
 */
#include "config.h"
#include "bench.h"
#include <curl/curl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "export/batch_processor.h"
#include "export/gzip.h"
#include "export/http_transport.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"
#include "export/otlp_json.h"
#include "null_sink.h"
#include "otlp_samples.h"
#include "pb_encoder.h"

#define BATCH 512
#define BATCHES 8		/* different ones, so that nothing is learnt by heart */

struct state {
	struct span *spans[BATCHES][BATCH];
	struct resource *resource;
	struct otlp_encoder *encoder;
	struct pb_encoder *pb;
	struct gzip *gzip;
	struct strbuf json;
	uint8_t *encoded[BATCHES];
	size_t encoded_len[BATCHES];
	struct null_sink sink;
	cpu_set_t cpus;
	struct span_exporter *exporter;
	struct otlp_endpoint endpoint;
	struct http_transport *transport;
	CURL *curl;
	struct curl_slist *headers;
	struct span_pool *pool;
	struct batch_processor *processor;
	size_t batch;			/* spans of one export */
	uint64_t left;			/* exports still to come, behind the running one */
	char url[64];
};

static void pin_to_first_cpu(const struct state *s)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &s->cpus)) {
			CPU_SET(cpu, &one);
			break;
		}
	sched_setaffinity(0, sizeof(one), &one);
}

static struct state *state_new(void)
{
	struct state *s = calloc(1, sizeof(*s));
	unsigned long r = 0x5eed0400;

	sched_getaffinity(0, sizeof(s->cpus), &s->cpus);
	s->batch = BATCH;
	s->resource = sample_resource(1, &r);
	for (size_t b = 0; b < BATCHES; b++)
		for (size_t i = 0; i < BATCH; i++) {
			s->spans[b][i] = sample_new();
			sample_set_call(s->spans[b][i], &r);
			s->spans[b][i]->resource = s->resource;
		}
	otlp_encoder_new(&s->encoder, OTLP_REQUEST_MAX);
	s->pb = pb_encoder_new(BATCH);
	strbuf_init(&s->json, OTLP_REQUEST_MAX);
	for (size_t b = 0; b < BATCHES; b++) {
		const uint8_t *out;

		otlp_encode_spans(s->encoder, s->spans[b], BATCH, &out, &s->encoded_len[b]);
		s->encoded[b] = malloc(s->encoded_len[b]);
		memcpy(s->encoded[b], out, s->encoded_len[b]);
	}
	return s;
}

static void *setup_encode(void)
{
	return state_new();
}

static void teardown(void *state)
{
	struct state *s = state;

	if (s->exporter)
		s->exporter->ops->free(s->exporter);
	http_transport_free(s->transport);
	if (s->curl)
		curl_easy_cleanup(s->curl);
	curl_slist_free_all(s->headers);
	if (s->sink.pid)
		null_sink_stop(&s->sink);
	otlp_encoder_free(s->encoder);
	pb_encoder_free(s->pb);
	gzip_free(s->gzip);
	strbuf_fini(&s->json);
	for (size_t b = 0; b < BATCHES; b++) {
		free(s->encoded[b]);
		for (size_t i = 0; i < BATCH; i++)
			sample_free(s->spans[b][i]);
	}
	resource_put(s->resource);
	free(s);
}

static void run_encode(void *state, uint64_t n)
{
	struct state *s = state;
	const uint8_t *out;
	size_t len;

	while (n--) {
		otlp_encode_spans(s->encoder, s->spans[n % BATCHES], BATCH, &out, &len);
		bench_keep(out);
	}
}

static void run_encode_pb(void *state, uint64_t n)
{
	struct state *s = state;
	const uint8_t *out;

	while (n--) {
		pb_encode_spans(s->pb, s->spans[n % BATCHES], BATCH, &out);
		bench_keep(out);
	}
}

static void run_encode_json(void *state, uint64_t n)
{
	struct state *s = state;

	while (n--) {
		otlp_json_spans(&s->json, s->spans[n % BATCHES], BATCH);
		bench_keep(s->json.p);
	}
}

/* ---- gzip ---- */

/* A compressor, and how many spans an export has; library NULL: not compressed. */
struct chain_arg { const char *library; int level; size_t batch; };

static void *setup_gzip(const void *arg)
{
	const struct chain_arg *a = arg;
	struct state *s = state_new();

	if (gzip_new(&s->gzip, a->library, a->level) == 0)
		return s;
	teardown(s);
	return NULL;		/* not built in */
}

static void run_gzip(void *state, uint64_t n)
{
	struct state *s = state;
	const uint8_t *out;
	size_t len;

	while (n--) {
		gzip_encode(s->gzip, s->encoded[n % BATCHES], s->encoded_len[n % BATCHES], &out, &len);
		bench_keep(out);
	}
}

/* ---- the chain ---- */

static void *setup_chain(const void *arg)
{
	const struct chain_arg *a = arg;
	struct otlp_config cfg = { .gzip = a->library != NULL, .gzip_library = a->library,
				   .gzip_level = a->level };
	struct state *s = state_new();
	char why[256];

	if (a->batch)
		s->batch = a->batch;
	if (null_sink_start(&s->sink) < 0) {
		s->sink.pid = 0;
		teardown(s);
		return NULL;
	}
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->sink.port);
	cfg.endpoint = s->url;
	if (otlp_http_exporter_new(&s->exporter, &cfg, why, sizeof(why)) == 0)
		return s;
	teardown(s);
	return NULL;
}

/* batch spans that begin somewhere in all of them: a batch may be larger than BATCH. */
static struct span *const *spans_of(struct state *s, uint64_t i)
{
	return &s->spans[0][0] + (s->batch >= BATCH * BATCHES ? 0 : i % BATCHES * BATCH);
}

static void export_one(struct state *s, uint64_t i)
{
	struct export_outcome out;

	s->exporter->ops->export(s->exporter, spans_of(s, s->batch > BATCH ? 0 : i), s->batch,
				 clock_mono_ns() + 10000000000u, &out);
	if (out.accepted != s->batch) {
		fprintf(stderr, "bench_export: %s\n", out.message);
		abort();
	}
}

/* As the batch processor's queue when whole batches wait in it. */
static size_t next_batch(void *ctx, struct span *const **spans)
{
	struct state *s = ctx;

	if (!s->left)
		return 0;
	*spans = spans_of(s, s->batch > BATCH ? 0 : s->left - 1);
	return s->batch;
}

static void run_chain(void *state, uint64_t n)
{
	struct state *s = state;

	s->exporter->ahead = next_batch;
	s->exporter->ahead_ctx = s;
	pin_to_first_cpu(s);
	for (s->left = n; s->left--;)
		export_one(s, s->left);
	sched_setaffinity(0, sizeof(s->cpus), &s->cpus);
	s->exporter->ahead = NULL;
}

static uint64_t latencies(void *state, double *out, uint64_t max)
{
	uint64_t n = max < 2000 ? max : 2000;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t start = clock_mono_ns();

		export_one(state, i);
		out[i] = (double)(clock_mono_ns() - start);
	}
	return n;
}

/* The body alone, compressed beforehand: what the network costs. */
static void *setup_network(const void *arg)
{
	struct state *s = setup_chain(arg);
	struct http_config cfg = { .endpoint = NULL, .gzip = true };
	char why[256];

	if (!s)
		return NULL;
	if (otlp_endpoint_parse(&s->endpoint, s->url, OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, OTLP_TRACES,
				false, why, sizeof(why)) < 0)
		abort();
	cfg.endpoint = &s->endpoint;
	if (http_transport_new(&s->transport, &cfg, why, sizeof(why)) < 0 || gzip_new(&s->gzip, NULL, 1) < 0)
		abort();
	return s;
}

static void run_network(void *state, uint64_t n)
{
	struct state *s = state;
	struct http_reply reply;
	const uint8_t *out;
	size_t len;

	gzip_encode(s->gzip, s->encoded[0], s->encoded_len[0], &out, &len);
	pin_to_first_cpu(s);
	while (n--) {
		http_transport_post(s->transport, out, len, clock_mono_ns() + 10000000000u, &reply);
		if (reply.status != 200)
			abort();
	}
	sched_setaffinity(0, sizeof(s->cpus), &s->cpus);
}

static const struct chain_arg chain_plain = { NULL, 0, 0 }, chain_default = { NULL, 1, 0 };

/* What the exporter takes when nobody says otherwise. */
static void *setup_chain_default(void)
{
	const struct chain_arg a = { gzip_libraries[0]->name, 1, chain_default.batch };

	return setup_chain(&a);
}

/* What a C program without this exporter would do: libprotobuf-c, zlib at its
 * default level, libcurl's easy interface. */
static void *setup_usual(void)
{
	struct state *s = setup_chain(&chain_plain);
	char url[96];

	if (!s)
		return NULL;
	snprintf(url, sizeof(url), "%s/v1/traces", s->url);
	gzip_new(&s->gzip, "zlib", 6);
	s->curl = curl_easy_init();
	s->headers = curl_slist_append(s->headers, "Content-Type: application/x-protobuf");
	s->headers = curl_slist_append(s->headers, "Content-Encoding: gzip");
	curl_easy_setopt(s->curl, CURLOPT_URL, url);
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
	return s;
}

static void run_usual(void *state, uint64_t n)
{
	struct state *s = state;
	const uint8_t *out;
	size_t len;

	pin_to_first_cpu(s);
	while (n--) {
		len = pb_encode_spans(s->pb, s->spans[n % BATCHES], BATCH, &out);
		gzip_encode(s->gzip, out, len, &out, &len);
		curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE, (long)len);
		curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, out);
		if (curl_easy_perform(s->curl) != CURLE_OK)
			abort();
	}
	sched_setaffinity(0, sizeof(s->cpus), &s->cpus);
}

/* ---- queue and batch processor ---- */

static void discard_export(struct span_exporter *e, struct span *const *spans, size_t n, uint64_t deadline,
			   struct export_outcome *out)
{
	(void)e;
	(void)spans;
	(void)deadline;
	*out = (struct export_outcome){ .accepted = n };
}

static void discard_free(struct span_exporter *e)
{
	(void)e;
}

static const struct span_exporter_ops discard_ops = { .name = "discard", .export = discard_export, .free = discard_free };
static struct span_exporter discard = { .ops = &discard_ops };

static void *setup_queue(void)
{
	static const struct batch_config cfg = { .batch_size = BATCH, .queue_size = 2048,
						  .delay_ns = 1000000000,
		.batch_bytes = 3u << 20, .block_max_ns = UINT64_MAX / 2 };
	struct state *s = state_new();

	if (span_pool_new(&s->pool, 4096, 65536, false) < 0 ||
	    batch_processor_start(&s->processor, &cfg, &discard, s->pool, NULL) < 0)
		abort();
	return s;
}

static void run_queue(void *state, uint64_t n)
{
	struct state *s = state;

	while (n--) {
		struct span *sp = span_pool_get(s->pool);

		if (!sp)
			abort();
		sp->nattrs = 8;
		for (unsigned i = 0; i < 8; i++)
			sp->attrs[i] = s->spans[0][0]->attrs[i];
		batch_processor_push(s->processor, sp);
	}
}

static void teardown_queue(void *state)
{
	struct state *s = state;

	batch_processor_shutdown(s->processor, clock_mono_ns() + 10000000000u);
	batch_processor_free(s->processor);
	span_pool_free(s->pool);
	teardown(s);
}

#define SPANS .items = BATCH, .unit = "span", .teardown = teardown

#define GZIP(lib, n) { .name = "gzip_" lib "_" #n, .what = "512 encoded spans, " lib " level " #n, \
	.setup_with = setup_gzip, .arg = &(const struct chain_arg){ lib, n, 0 }, .run = run_gzip, SPANS }
#define CHAIN(lib, n) { .name = "batch_export_" lib "_" #n, .what = "encode, gzip, POST", \
	.setup_with = setup_chain, .arg = &(const struct chain_arg){ lib, n, 0 }, .run = run_chain, SPANS }
/* Batch sensitivity: without compression, so that what is seen is the request. */
#define SIZED(n) { .name = "batch_size_" #n, .what = "encode, POST; " #n " spans a batch", .setup_with = setup_chain, \
	.arg = &(const struct chain_arg){ NULL, 0, n }, .run = run_chain, .items = n, .unit = "span", .teardown = teardown }

static const struct bench_case cases[] = {
	{ .name = "protobuf_encoding", .what = "512 spans by the direct encoder", .setup = setup_encode, .run = run_encode, SPANS },
	{ .name = "protobuf_encoding_libprotobuf_c", .what = "512 spans by libprotobuf-c", .setup = setup_encode,
	  .run = run_encode_pb, SPANS },
	{ .name = "json_encoding", .what = "512 spans to OTLP/JSON", .setup = setup_encode, .run = run_encode_json, SPANS },
	GZIP("zlib", 1), GZIP("zlib", 2), GZIP("zlib", 4), GZIP("zlib", 6), GZIP("zlib", 9),
	GZIP("libdeflate", 1), GZIP("libdeflate", 2), GZIP("libdeflate", 4), GZIP("libdeflate", 6), GZIP("libdeflate", 9),
	GZIP("isal", 1), GZIP("isal", 2), GZIP("isal", 3),
	{ .name = "batch_export", .what = "encode, gzip (default library), POST; 512 spans", .setup = setup_chain_default,
	  .run = run_chain, SPANS },
	{ .name = "batch_export_plain", .what = "encode, POST", .setup_with = setup_chain, .arg = &chain_plain,
	  .run = run_chain, SPANS },
	CHAIN("zlib", 1), CHAIN("zlib", 6), CHAIN("libdeflate", 1), CHAIN("isal", 1), CHAIN("isal", 2),
	SIZED(1), SIZED(8), SIZED(64), SIZED(128), SIZED(512), SIZED(1024), SIZED(2048), SIZED(4096),
	{ .name = "network_overhead", .what = "POST of an encoded and compressed batch", .setup_with = setup_network,
	  .arg = &chain_plain, .run = run_network, SPANS },
	{ .name = "batch_export_usual", .what = "libprotobuf-c, zlib 6, libcurl easy", .setup = setup_usual, .run = run_usual, SPANS },
	{ .name = "batch_export_latency", .what = "one export of 512 spans, gzip", .setup = setup_chain_default,
	  .teardown = teardown, .latencies = latencies },
	{ .name = "queue_push", .what = "pool get, push, exporter thread, pool put", .items = 1, .unit = "span",
	  .setup = setup_queue, .run = run_queue, .teardown = teardown_queue },
	{ 0 }
};

const struct bench_suite bench_export = { "export", cases };
