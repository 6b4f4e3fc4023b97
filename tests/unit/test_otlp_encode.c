/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The direct encoder against libprotobuf-c, byte by byte; what it does at its
 * limits; gzip against zlib's inflate.  Main thread only.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "export/gzip.h"
#include "export/otlp_encode.h"
#include "export/otlp_json.h"
#include "export/proto/trace_service.pb-c.h"
#include "otlp_samples.h"
#include "unit.h"

#define RESOURCES 5

struct batch { struct span **spans; size_t n; struct resource *resources[RESOURCES]; };

static void batch_init(struct batch *b, size_t n, unsigned long *r)
{
	b->n = n;
	b->spans = calloc(n, sizeof(*b->spans));
	for (uint32_t i = 0; i < RESOURCES; i++)
		b->resources[i] = sample_resource(i, r);
	for (size_t i = 0; i < n; i++) {
		b->spans[i] = sample_new();
		sample_set_random(b->spans[i], r);
		b->spans[i]->resource = b->resources[unit_random(r) % 3 ? 0 : unit_random(r) % RESOURCES];
	}
}

static void batch_fini(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		sample_free(b->spans[i]);
	for (size_t i = 0; i < RESOURCES; i++)
		resource_put(b->resources[i]);
	free(b->spans);
}

/* 8000 random spans in batches of many sizes. */
START_TEST(test_equals_reference)
{
	unsigned long r = 0x5eed0001;
	struct otlp_encoder *e;

	ck_assert_int_eq(otlp_encoder_new(&e, 64u << 20), 0);
	for (size_t done = 0, n; done < 8000; done += n) {
		const uint8_t *out;
		uint8_t *ref;
		size_t len, ref_len, bound = 0;
		struct batch b;

		n = 1 + unit_random(&r) % 300;
		batch_init(&b, n, &r);
		ck_assert_int_eq(otlp_encode_spans(e, b.spans, n, &out, &len), 0);
		ref_len = reference_encode(b.spans, n, &ref);
		ck_assert_uint_eq(len, ref_len);
		ck_assert_int_eq(memcmp(out, ref, len), 0);
		for (size_t i = 0; i < n; i++)
			bound += otlp_encode_bound(b.spans[i]);
		ck_assert_uint_ge(bound + RESOURCES * 4096, len);
		free(ref);
		batch_fini(&b);
	}
	otlp_encoder_free(e);
}
END_TEST

/* The twin: the comparison does see one changed bit. */
START_TEST(test_reference_differs)
{
	unsigned long r = 0x5eed0002;
	struct otlp_encoder *e;
	const uint8_t *out;
	uint8_t *ref;
	size_t len;
	struct batch b;

	ck_assert_int_eq(otlp_encoder_new(&e, 64u << 20), 0);
	batch_init(&b, 20, &r);
	reference_encode(b.spans, b.n, &ref);
	b.spans[7]->span_id[3] ^= 1;
	ck_assert_int_eq(otlp_encode_spans(e, b.spans, b.n, &out, &len), 0);
	ck_assert_int_ne(memcmp(out, ref, len), 0);
	free(ref);
	batch_fini(&b);
	otlp_encoder_free(e);
}
END_TEST

START_TEST(test_bound_of_each_span)
{
	unsigned long r = 0x5eed0003;
	struct otlp_encoder *e;
	struct span *s = sample_new();

	ck_assert_int_eq(otlp_encoder_new(&e, 64u << 20), 0);
	for (int i = 0; i < 3000; i++) {
		const uint8_t *out;
		size_t empty, len;

		sample_set_random(s, &r);
		ck_assert_int_eq(otlp_encode_spans(e, &s, 1, &out, &len), 0);
		empty = 170;	/* scope, schema URLs, empty resource, heads */
		ck_assert_uint_le(len, otlp_encode_bound(s) + empty);
	}
	sample_free(s);
	otlp_encoder_free(e);
}
END_TEST

START_TEST(test_limit)
{
	unsigned long r = 0x5eed0004;
	struct otlp_encoder *e;
	const uint8_t *out;
	size_t len, whole;
	struct batch b;

	batch_init(&b, 200, &r);
	ck_assert_int_eq(otlp_encoder_new(&e, 64u << 20), 0);
	ck_assert_int_eq(otlp_encode_spans(e, b.spans, b.n, &out, &whole), 0);
	otlp_encoder_free(e);
	ck_assert_int_eq(otlp_encoder_new(&e, whole - 1), 0);
	ck_assert_int_eq(otlp_encode_spans(e, b.spans, b.n, &out, &len), -E2BIG);
	/* After a refusal the encoder works on. */
	ck_assert_int_eq(otlp_encode_spans(e, b.spans, b.n / 2, &out, &len), 0);
	otlp_encoder_free(e);
	ck_assert_int_eq(otlp_encoder_new(&e, whole), 0);
	ck_assert_int_eq(otlp_encode_spans(e, b.spans, b.n, &out, &len), 0);
	otlp_encoder_free(e);
	batch_fini(&b);
}
END_TEST

/* The order in a group is the order given; groups come by first appearance. */
START_TEST(test_groups)
{
	unsigned long r = 0x5eed0005;
	Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest *q;
	uint64_t last[RESOURCES] = { 0 };
	struct otlp_encoder *e;
	const uint8_t *out;
	size_t len, seen = 0;
	struct batch b;

	batch_init(&b, 500, &r);
	for (size_t i = 0; i < b.n; i++) {
		b.spans[i]->start_ns = i + 1;
		b.spans[i]->resource = b.resources[i * 7 / 3 % RESOURCES];
	}
	ck_assert_int_eq(otlp_encoder_new(&e, 64u << 20), 0);
	ck_assert_int_eq(otlp_encode_spans(e, b.spans, b.n, &out, &len), 0);
	q = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(NULL, len, out);
	ck_assert_ptr_nonnull(q);
	ck_assert_uint_eq(q->n_resource_spans, RESOURCES);
	ck_assert_str_eq(q->resource_spans[0]->schema_url, OTLP_SCHEMA_URL);
	for (size_t g = 0; g < q->n_resource_spans; g++) {
		Opentelemetry__Proto__Trace__V1__ScopeSpans *ss = q->resource_spans[g]->scope_spans[0];

		for (size_t i = 0; i < ss->n_spans; i++, seen++) {
			ck_assert_uint_gt(ss->spans[i]->start_time_unix_nano, last[g]);
			last[g] = ss->spans[i]->start_time_unix_nano;
		}
	}
	ck_assert_uint_eq(seen, b.n);
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(q, NULL);
	otlp_encoder_free(e);
	batch_fini(&b);
}
END_TEST

static size_t inflate_all(const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)room };

	ck_assert_int_eq(inflateInit2(&z, 31), Z_OK);
	int rc = inflate(&z, Z_FINISH);

	ck_assert_msg(rc == Z_STREAM_END, "inflate %d after %lu of %zu: %s", rc, z.total_in, n, z.msg);
	ck_assert_uint_eq(z.avail_in, 0);
	inflateEnd(&z);
	return z.total_out;
}

/* Every library at every level, on text, noise and nothing, with one state. */
START_TEST(test_gzip)
{
	static const size_t sizes[] = { 0, 1, 100, 65536, 300000 };
	uint8_t *in = malloc(300000), *back = malloc(300001);
	unsigned long r = 0x5eed0006;
	struct gzip *g;

	for (const struct gzip_ops *const *l = gzip_libraries; *l; l++)
		for (int level = GZIP_LEVEL_MIN; level <= GZIP_LEVEL_MAX; level++) {
			ck_assert_int_eq(gzip_new(&g, (*l)->name, level), 0);
			ck_assert_str_eq(gzip_name(g), (*l)->name);
			for (size_t i = 0; i < 10; i++) {
				size_t n = sizes[i % 5], len;
				const uint8_t *out;

				for (size_t k = 0; k < n; k++)
					in[k] = i < 5 ? (uint8_t)("span attribute "[k % 15]) : (uint8_t)unit_random(&r);
				ck_assert_int_eq(gzip_encode(g, in, n, &out, &len), 0);
				ck_assert_uint_eq(inflate_all(out, len, back, 300001), n);
				ck_assert_int_eq(memcmp(in, back, n), 0);
			}
			gzip_free(g);
		}
	ck_assert_int_eq(gzip_new(&g, "nosuch", 1), -EINVAL);
	ck_assert_int_eq(gzip_new(&g, "zlib", 0), -EINVAL);
	ck_assert_int_eq(gzip_new(&g, "zlib", 10), -EINVAL);
	free(in);
	free(back);
}
END_TEST

/* The exact text of one span with one attribute of each kind. */
START_TEST(test_json)
{
	static const double doubles[] = { 0.5 };
	static const int64_t ints[] = { -1 };
	struct span *s = sample_new();
	struct strbuf sb;

	strbuf_init(&sb, 1 << 20);
	memset(s->trace_id, 0xab, 16);
	memset(s->span_id, 0x01, 8);
	s->start_ns = 1700000000000000001u;
	s->end_ns = 1700000000000000002u;
	s->kind = SPAN_INTERNAL;
	s->flags = 0x101;
	span_set_name(s, "read", 4);
	span_set_status(s, SPAN_ERROR, "no", 2);
	span_add_str(s, SPAN_KEY_FILE_PATH, "/a\"b", 4);
	span_add_str(s, SPAN_KEY_THREAD_NAME, "\xff\xfe", 2);
	span_add_int(s, SPAN_KEY_THREAD_ID, INT64_MIN);
	span_add_bool(s, SPAN_KEY_SYSCALL_UNFINISHED, true);
	span_add_ints(s, SPAN_KEY_AGG_COUNTS, ints, 1);
	span_add_doubles(s, SPAN_KEY_AGG_BOUNDS, doubles, 1);
	otlp_json_span(&sb, s);
	ck_assert_str_eq(sb.p,
		"{\"traceId\":\"abababababababababababababababab\",\"spanId\":\"0101010101010101\",\"name\":\"read\",\"kind\":1,"
		"\"startTimeUnixNano\":\"1700000000000000001\",\"endTimeUnixNano\":\"1700000000000000002\",\"attributes\":["
		"{\"key\":\"file.path\",\"value\":{\"stringValue\":\"/a\\\"b\"}},"
		"{\"key\":\"thread.name\",\"value\":{\"bytesValue\":\"//4=\"}},"
		"{\"key\":\"thread.id\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
		"{\"key\":\"syscall.unfinished\",\"value\":{\"boolValue\":true}},"
		"{\"key\":\"aggregation.histogram_bucket_counts\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"-1\"}]}}},"
		"{\"key\":\"aggregation.histogram_bucket_bounds_s\",\"value\":{\"arrayValue\":{\"values\":[{\"doubleValue\":0.5}]}}}"
		"],\"status\":{\"message\":\"no\",\"code\":2},\"flags\":257}");
	strbuf_fini(&sb);
	sample_free(s);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_equals_reference, test_reference_differs, test_bound_of_each_span, test_limit, test_groups,
		test_gzip, test_json, NULL
	};

	return unit_run("otlp-encode", tests);
}
