/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver: statuses over a real socket, the tree, the JSON line. */
#include "config.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "collect/receiver.h"
#include "collect/span_store.h"
#include "collect/traces.h"
#include "unit.h"

static struct stored_span span(uint8_t id, uint8_t parent, const char *name, uint64_t start, uint64_t end)
{
	struct stored_span s = { .start_ns = start, .end_ns = end, .name = (char *)name, .exit_code = -1, .count = 1 };

	s.trace_id[0] = 7;
	s.span_id[0] = id;
	s.parent_id[0] = parent;
	return s;
}

static char *tree(struct span_store *st, unsigned lines)
{
	static char buf[4096];
	struct strbuf sb;
	struct tree_options o = { .lines_per_parent = lines };

	strbuf_init_fixed(&sb, buf, sizeof(buf));
	store_format_tree(st, (uint8_t[16]){ 0 }, &o, &sb);
	return buf;
}

START_TEST(tree_puts_children_under_parents_by_start)
{
	struct span_store st;
	struct stored_span s;

	store_init(&st, 100);
	s = span(3, 2, "close", 3000, 4000);
	ck_assert_int_eq(store_add(&st, &s), 0);
	s = span(2, 9, "sh", 0, 5000000);
	s.process = true;
	s.pid = 42;
	s.exit_code = 3;
	s.status = 2;
	ck_assert_int_eq(store_add(&st, &s), 0);
	s = span(4, 2, "openat", 1000, 2500);
	s.detail = (char *)"/etc/hosts";
	ck_assert_int_eq(store_add(&st, &s), 0);
	ck_assert_str_eq(tree(&st, 8),
			 "trace 07000000000000000000000000000000  3 spans, 1 process\n"
			 "sh [42]  5.0 ms  exit 3  !\n"
			 "|- openat  1.5 us  /etc/hosts\n"
			 "`- close  1.0 us\n");
	ck_assert_str_eq(tree(&st, 1),
			 "trace 07000000000000000000000000000000  3 spans, 1 process\n"
			 "sh [42]  5.0 ms  exit 3  !\n"
			 "|- openat  1.5 us  /etc/hosts\n"
			 "`- ... 1 more\n");
	store_fini(&st);
}
END_TEST

START_TEST(store_has_a_limit_and_counts)
{
	struct span_store st;
	struct stored_span s = span(1, 0, "x", 0, 1);

	store_init(&st, 1);
	ck_assert_int_eq(store_add(&st, &s), 0);
	ck_assert_int_eq(store_add(&st, &s), -ENOSPC);
	ck_assert_uint_eq(st.refused, 1);
	store_fini(&st);
}
END_TEST

/* ---- over a socket ---- */

static size_t bodies;

static enum receiver_signal signal_of;

static int on_body(void *ctx, enum receiver_signal signal, const uint8_t *body, size_t n)
{
	(void)ctx;
	bodies++;
	signal_of = signal;
	return n == 5 && memcmp(body, "hello", 5) == 0 ? 0 : -EBADMSG;
}

static long post(uint16_t port, const char *path, const char *type, const char *encoding, const void *body,
		 size_t n)
{
	CURL *h = curl_easy_init();
	struct curl_slist *hs = NULL;
	char url[64], head[96];
	long status = 0;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	snprintf(head, sizeof(head), "Content-Type: %s", type);
	hs = curl_slist_append(hs, head);
	if (encoding) {
		snprintf(head, sizeof(head), "Content-Encoding: %s", encoding);
		hs = curl_slist_append(hs, head);
	}
	hs = curl_slist_append(hs, "Expect:");
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, hs);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	if (!body)
		curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
	ck_assert_int_eq(curl_easy_perform(h), CURLE_OK);
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(hs);
	curl_easy_cleanup(h);
	return status;
}

static size_t gzip(const void *in, size_t n, uint8_t *out, size_t size)
{
	z_stream z = { 0 };

	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)in;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)size;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

START_TEST(receiver_answers_as_the_protocol_says)
{
	struct receiver_config cfg = { .host = "127.0.0.1", .body_max = 100000, .on_body = on_body };
	static uint8_t zeros[4000000], packed[65536];
	struct receiver_stats st;
	struct receiver *r;
	const char *pb = "application/x-protobuf";
	uint16_t port;
	size_t n;

	ck_assert_int_eq(receiver_start(&r, &cfg), 0);
	port = receiver_port(r);
	ck_assert_uint_ne(port, 0);
	ck_assert_int_eq(post(port, "/v1/traces", pb, NULL, "hello", 5), 200);
	n = gzip("hello", 5, packed, sizeof(packed));
	ck_assert_int_eq(post(port, "/v1/traces", pb, "gzip", packed, n), 200);
	ck_assert_int_eq(post(port, "/v1/traces", "application/x-protobuf; charset=x", NULL, "hello", 5),
			 200);
	ck_assert_int_eq(signal_of, RECEIVER_TRACES);
	ck_assert_int_eq(post(port, "/v1/metrics", pb, NULL, "hello", 5), 200);
	ck_assert_int_eq(signal_of, RECEIVER_METRICS);
	ck_assert_int_eq(post(port, "/v1/metrics", pb, NULL, "junk", 4), 400);
	ck_assert_int_eq(post(port, "/v1/metrics", pb, NULL, NULL, 0), 405);
	ck_assert_int_eq(post(port, "/v1/traces", pb, NULL, "junk", 4), 400);
	ck_assert_int_eq(post(port, "/v1/traces", pb, "gzip", "junk", 4), 400);
	ck_assert_int_eq(post(port, "/v1/traces", "application/json", NULL, "hello", 5), 415);
	ck_assert_int_eq(post(port, "/v1/traces", pb, "br", "hello", 5), 415);
	ck_assert_int_eq(post(port, "/v1/logs", pb, NULL, "hello", 5), 404);
	ck_assert_int_eq(post(port, "/v1/traces", pb, NULL, NULL, 0), 405);
	ck_assert_int_eq(post(port, "/v1/traces", pb, NULL, zeros, 100001), 413);
	n = gzip(zeros, sizeof(zeros), packed, sizeof(packed));
	ck_assert_int_eq(post(port, "/v1/traces", pb, "gzip", packed, n), 413);
	receiver_stop(r, &st);
	ck_assert_uint_eq(st.requests, 4);
	ck_assert_uint_eq(st.refused, 10);
	ck_assert_uint_eq(bodies, 6);
}
END_TEST

START_TEST(receiver_refuses_a_name_as_address)
{
	struct receiver_config cfg = { .host = "no-address", .body_max = 1000, .on_body = on_body };
	struct receiver *r;

	ck_assert_int_eq(receiver_start(&r, &cfg), -EINVAL);
}
END_TEST

/* ---- a request ---- */

static void make_request(void (*use)(const traces_request *req))
{
	Opentelemetry__Proto__Common__V1__AnyValue v1 = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__INIT, v2 = v1, v3 = v1;
	Opentelemetry__Proto__Common__V1__KeyValue k1 = OPENTELEMETRY__PROTO__COMMON__V1__KEY_VALUE__INIT, k2 = k1, k3 = k1;
	Opentelemetry__Proto__Common__V1__KeyValue *attrs[] = { &k1, &k2, &k3 };
	Opentelemetry__Proto__Trace__V1__Span sp = OPENTELEMETRY__PROTO__TRACE__V1__SPAN__INIT;
	Opentelemetry__Proto__Trace__V1__Span *spans[] = { &sp };
	Opentelemetry__Proto__Trace__V1__ScopeSpans ss = OPENTELEMETRY__PROTO__TRACE__V1__SCOPE_SPANS__INIT;
	Opentelemetry__Proto__Trace__V1__ScopeSpans *sss[] = { &ss };
	Opentelemetry__Proto__Trace__V1__ResourceSpans rs =
	    OPENTELEMETRY__PROTO__TRACE__V1__RESOURCE_SPANS__INIT;
	Opentelemetry__Proto__Trace__V1__ResourceSpans *rss[] = { &rs };
	traces_request req = OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_REQUEST__INIT;
	uint8_t trace[16] = { 0xab, 1 }, id[8] = { 0xcd };

	v1.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
	v1.string_value = (char *)"ls";
	k1.key = (char *)"process.executable.name";
	k1.value = &v1;
	v2.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
	v2.int_value = -5;
	k2.key = (char *)"n";
	k2.value = &v2;
	v3.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BYTES_VALUE;
	v3.bytes_value = (ProtobufCBinaryData){ 4, (uint8_t *)"\xff\xfe\xfd\xfc" };
	k3.key = (char *)"b";
	k3.value = &v3;
	sp.trace_id = (ProtobufCBinaryData){ 16, trace };
	sp.span_id = (ProtobufCBinaryData){ 8, id };
	sp.name = (char *)"l\"s";
	sp.kind = OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_INTERNAL;
	sp.start_time_unix_nano = 1;
	sp.end_time_unix_nano = 1ull << 60;
	sp.n_attributes = 3;
	sp.attributes = attrs;
	ss.n_spans = 1;
	ss.spans = spans;
	rs.n_scope_spans = 1;
	rs.scope_spans = sss;
	req.n_resource_spans = 1;
	req.resource_spans = rss;
	use(&req);
}

static void use_json(const traces_request *req)
{
	char buf[2048];
	struct strbuf sb;

	strbuf_init_fixed(&sb, buf, sizeof(buf));
	traces_format_json(req, &sb);
	ck_assert_str_eq(buf,
		"{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"spans\":[{"
		"\"traceId\":\"ab010000000000000000000000000000\",\"spanId\":\"cd00000000000000\","
		"\"name\":\"l\\\"s\",\"kind\":1,\"startTimeUnixNano\":\"1\","
		"\"endTimeUnixNano\":\"1152921504606846976\",\"attributes\":["
		"{\"key\":\"process.executable.name\",\"value\":{\"stringValue\":\"ls\"}},"
		"{\"key\":\"n\",\"value\":{\"intValue\":\"-5\"}},"
		"{\"key\":\"b\",\"value\":{\"bytesValue\":\"//79/A==\"}}]}]}]}]}");
}

static void use_store(const traces_request *req)
{
	struct traces_stats st = { 0 };
	struct span_store store;
	uint8_t root[16] = { 0 };

	store_init(&store, 10);
	traces_store(req, &store, &st, root);
	ck_assert_uint_eq(store.n, 1);
	ck_assert(store.spans[0].process);
	ck_assert_uint_eq(st.roots, 1);
	ck_assert_uint_eq(st.calls, 0);
	ck_assert_uint_eq(root[0], 0xab);
	store_fini(&store);
}

START_TEST(request_as_json_line)
{
	make_request(use_json);
}
END_TEST

START_TEST(request_into_the_store)
{
	make_request(use_store);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		tree_puts_children_under_parents_by_start, store_has_a_limit_and_counts,
		receiver_answers_as_the_protocol_says, receiver_refuses_a_name_as_address,
		request_as_json_line, request_into_the_store, NULL };

	return unit_run("collect", tests);
}
