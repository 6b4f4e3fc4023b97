/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporter's pure rules, by table: endpoint URLs, header lists, what is
 * retried and when, circuit breaker, bodies of answers.
 */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>
#include "export/grpc.h"
#include "export/otlp_endpoint.h"
#include "export/otlp_exporter.h"
#include "export/otlp_response.h"
#include "export/retry.h"
#include "unit.h"

#define MS 1000000ull
#define SECOND 1000000000ull

/* ---- endpoints ---- */

static const struct {
	const char *text;
	enum otlp_endpoint_kind kind;
	enum otlp_protocol protocol;
	bool insecure;
	const char *url;	/* NULL: refused, why contains shown */
	const char *shown;
	unsigned port;
} endpoints[] = {
	/* protocol/exporter.md, "Endpoint URLs for OTLP/HTTP" */
	{ "http://collector:4318", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://collector:4318/v1/traces",
	  "http://collector:4318", 4318 },
	{ "http://collector:4318/", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://collector:4318/v1/traces",
	  "http://collector:4318", 4318 },
	{ "http://collector/mycollector/", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false,
	  "http://collector/mycollector/v1/traces", "http://collector", 80 },
	{ "http://collector/mycollector", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false,
	  "http://collector/mycollector/v1/traces", "http://collector", 80 },
	{ "https://collector", OTLP_ENDPOINT_BASE, OTLP_HTTP_JSON, false, "https://collector/v1/traces", "https://collector", 443 },
	{ "http://c/v1/traces", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://c/v1/traces/v1/traces", "http://c", 80 },
	{ "http://c:4318/?k=v", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://c:4318/v1/traces?k=v", "http://c:4318", 4318 },
	{ "http://c:4318?k=v#frag", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://c:4318/v1/traces?k=v", "http://c:4318", 4318 },
	{ "HTTP://c:4318", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://c:4318/v1/traces", "http://c:4318", 4318 },
	{ "http://[::1]:4318", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://[::1]:4318/v1/traces", "http://[::1]:4318", 4318 },
	{ "http://[::1]", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, false, "http://[::1]/v1/traces", "http://[::1]", 80 },
	/* per signal: as it is; no path means the root path */
	{ "http://collector:4318", OTLP_ENDPOINT_SIGNAL, OTLP_HTTP_PROTOBUF, false, "http://collector:4318/", "http://collector:4318", 4318 },
	{ "http://c:4318/", OTLP_ENDPOINT_SIGNAL, OTLP_HTTP_PROTOBUF, false, "http://c:4318/", "http://c:4318", 4318 },
	{ "http://c:4318/v1/traces", OTLP_ENDPOINT_SIGNAL, OTLP_HTTP_PROTOBUF, false, "http://c:4318/v1/traces", "http://c:4318", 4318 },
	{ "http://c/v1/traces/", OTLP_ENDPOINT_SIGNAL, OTLP_HTTP_PROTOBUF, false, "http://c/v1/traces/", "http://c", 80 },
	{ "http://c?x=y", OTLP_ENDPOINT_SIGNAL, OTLP_HTTP_PROTOBUF, false, "http://c/?x=y", "http://c", 80 },
	/* --otlp-endpoint: appended unless it is there */
	{ "http://c:4318", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, "http://c:4318/v1/traces", "http://c:4318", 4318 },
	{ "http://c:4318/v1/traces", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, "http://c:4318/v1/traces", "http://c:4318", 4318 },
	{ "http://c:4318/a/v1/traces?k", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, "http://c:4318/a/v1/traces?k", "http://c:4318", 4318 },
	{ "http://c:4318/xv1/traces", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, "http://c:4318/xv1/traces/v1/traces", "http://c:4318", 4318 },
	/* gRPC: the path is the protocol's; the scheme beats insecure */
	{ "http://c:4317", OTLP_ENDPOINT_BASE, OTLP_GRPC, false,
	  "http://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export", "http://c:4317", 4317 },
	{ "https://c:4317/ignored", OTLP_ENDPOINT_SIGNAL, OTLP_GRPC, true,
	  "https://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export", "https://c:4317", 4317 },
	{ "c:4317", OTLP_ENDPOINT_BASE, OTLP_GRPC, false,
	  "https://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export", "https://c:4317", 4317 },
	{ "c:4317", OTLP_ENDPOINT_BASE, OTLP_GRPC, true,
	  "http://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export", "http://c:4317", 4317 },
	/* sockets */
	{ "unix:///run/otel.sock", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, "http://localhost/v1/traces",
	  "unix:///run/otel.sock", 0 },
	{ "unix:/run/otel.sock", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, "http://localhost/v1/traces",
	  "unix:///run/otel.sock", 0 },
	/* refused */
	{ "collector:4318", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "http://HOST:PORT", 0 },
	{ "ftp://collector", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "must begin with http://", 0 },
	{ "http://", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "no valid host", 0 },
	{ "http://:4318", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "no valid host", 0 },
	{ "http://c:0", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "1 to 65535", 0 },
	{ "http://c:65536", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "1 to 65535", 0 },
	{ "http://c:43x8", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "1 to 65535", 0 },
	{ "http://user:secret@c:4318", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "--otlp-headers", 0 },
	{ "http://c:4318/a b", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "percent-encode", 0 },
	{ "http://c:4318/\x01", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "percent-encode", 0 },
	{ "http://::1:4318", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "no valid host", 0 },
	{ "unix:relative.sock", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "absolute path", 0 },
	{ "", OTLP_ENDPOINT_OPTION, OTLP_HTTP_PROTOBUF, false, NULL, "no valid host", 0 },
};

START_TEST(test_endpoint)
{
	struct otlp_endpoint e;
	char why[512] = "";
	int err = otlp_endpoint_parse(&e, endpoints[_i].text, endpoints[_i].kind, endpoints[_i].protocol, OTLP_TRACES,
				      endpoints[_i].insecure, why, sizeof(why));

	if (!endpoints[_i].url) {
		ck_assert_msg(err == -TRACER_ERR_USAGE, "'%s' was taken as %s", endpoints[_i].text, e.url);
		ck_assert_msg(strstr(why, endpoints[_i].shown) != NULL, "'%s': %s", endpoints[_i].text, why);
		return;
	}
	ck_assert_msg(err == 0, "'%s': %s", endpoints[_i].text, why);
	ck_assert_str_eq(e.url, endpoints[_i].url);
	ck_assert_str_eq(e.shown, endpoints[_i].shown);
	ck_assert_uint_eq(e.port, endpoints[_i].port);
	ck_assert_int_eq(e.tls, strncmp(e.url, "https", 5) == 0);
}
END_TEST

START_TEST(test_endpoint_of_metrics)
{
	struct otlp_endpoint e;
	char why[512];

	ck_assert_int_eq(otlp_endpoint_parse(&e, "http://c:4318", OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, OTLP_METRICS, false,
					     why, sizeof(why)), 0);
	ck_assert_str_eq(e.url, "http://c:4318/v1/metrics");
	ck_assert_int_eq(otlp_endpoint_parse(&e, "http://c:4317", OTLP_ENDPOINT_BASE, OTLP_GRPC, OTLP_METRICS, false,
					     why, sizeof(why)), 0);
	ck_assert_str_eq(e.url, "http://c:4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
}
END_TEST

START_TEST(test_endpoint_too_long)
{
	char text[OTLP_URL_MAX + 1], why[512];
	struct otlp_endpoint e;

	memset(text, 'a', sizeof(text));
	memcpy(text, "http://c/", 9);
	text[OTLP_URL_MAX - 128] = '\0';
	ck_assert_int_eq(otlp_endpoint_parse(&e, text, OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, OTLP_TRACES, false, why,
					     sizeof(why)), 0);
	text[OTLP_URL_MAX - 128] = 'a';
	text[OTLP_URL_MAX] = '\0';
	ck_assert_int_eq(otlp_endpoint_parse(&e, text, OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, OTLP_TRACES, false, why,
					     sizeof(why)), -TRACER_ERR_USAGE);
}
END_TEST

/* ---- headers ---- */

static int add_to_text(void *ctx, const char *name, const char *value)
{
	char *text = ctx;
	size_t n = strlen(text);

	snprintf(text + n, 512 - n, "[%s|%s]", name, value);
	return 0;
}

static const struct { const char *list, *pairs; } headers[] = {
	{ "", "" },
	{ "a=b", "[a|b]" },
	{ "a=b,c=d", "[a|b][c|d]" },
	{ " a = b , c=d ,", "[a|b][c|d]" },
	{ "a=", "[a|]" },
	{ "authorization=Basic%20QUJD%3D%3D", "[authorization|Basic QUJD==]" },
	{ "authorization=Basic QUJD==", "[authorization|Basic QUJD==]" },
	{ "a=%C3%A9", "[a|\xc3\xa9]" },
	{ "a=b%2Cc", "[a|b,c]" },
	{ "a", NULL },
	{ "=b", NULL },
	{ "a b=c", NULL },
	{ "a:=c", NULL },
	{ "a=%zz", NULL },
	{ "a=%4", NULL },
	{ "a=%0d%0aInjected: 1", NULL },
	{ "a=b\nc", NULL },
	{ "a=%00", NULL },
};

START_TEST(test_headers)
{
	char text[512] = "", why[256] = "";
	int err = otlp_headers_parse(headers[_i].list, add_to_text, text, why, sizeof(why));

	if (headers[_i].pairs) {
		ck_assert_int_eq(err, 0);
		ck_assert_str_eq(text, headers[_i].pairs);
	} else {
		ck_assert_int_eq(err, -TRACER_ERR_USAGE);
		ck_assert_str_ne(why, "");
	}
}
END_TEST

START_TEST(test_header_values_stay_secret)
{
	char text[512] = "", why[256];

	ck_assert_int_eq(otlp_headers_parse("key=topsecret%zz", add_to_text, text, why, sizeof(why)), -TRACER_ERR_USAGE);
	ck_assert_ptr_null(strstr(why, "topsecret"));
	ck_assert_ptr_nonnull(strstr(why, "key"));
	ck_assert_int_eq(otlp_headers_parse("key=top,sec ret=x", add_to_text, text, why, sizeof(why)), -TRACER_ERR_USAGE);
	ck_assert_ptr_null(strstr(why, "sec ret"));
}
END_TEST

START_TEST(test_protocol_names)
{
	enum otlp_protocol p;

	ck_assert_int_eq(otlp_protocol_parse("http/protobuf", &p), 0);
	ck_assert_int_eq(p, OTLP_HTTP_PROTOBUF);
	ck_assert_int_eq(otlp_protocol_parse("HTTP/JSON", &p), 0);
	ck_assert_int_eq(p, OTLP_HTTP_JSON);
	ck_assert_int_eq(otlp_protocol_parse("grpc", &p), 0);
	ck_assert_int_eq(p, OTLP_GRPC);
	ck_assert_int_eq(otlp_protocol_parse("http", &p), -EINVAL);
}
END_TEST

/* ---- retry ---- */

START_TEST(test_retryable)
{
	static const int grpc[] = { 1, 4, 10, 11, 14, 15 };

	for (int status = 100; status < 600; status++)
		ck_assert_int_eq(retry_http_status(status), status == 429 || status == 502 || status == 503 || status == 504);
	for (int code = 0; code < 18; code++) {
		bool listed = false;

		for (size_t i = 0; i < sizeof(grpc) / sizeof(grpc[0]); i++)
			listed |= grpc[i] == code;
		ck_assert_int_eq(retry_grpc_status(code, false), listed);
		ck_assert_int_eq(retry_grpc_status(code, true), listed || code == 8);
	}
}
END_TEST

/* 1 s, 1.5 s, 2.25 s, ... 5 s, each within 20 %, not all alike; a server's
 * word is a lower bound; nothing that ends behind the deadline. */
START_TEST(test_backoff)
{
	static const uint64_t steps[] = { 1000, 1500, 2250, 3375, 5000, 5000, 5000 };
	struct retry r;
	uint64_t first = 0;
	bool differ = false;

	for (uint64_t seed = 1; seed < 200; seed++) {
		retry_init(&r, seed);
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			uint64_t wait = retry_next(&r, 0, 0, UINT64_MAX);

			ck_assert_uint_ge(wait, steps[i] * MS * 8 / 10);
			ck_assert_uint_le(wait, steps[i] * MS * 12 / 10 + 1);
			if (i == 0 && first && wait != first)
				differ = true;
			if (i == 0)
				first = wait;
		}
	}
	ck_assert(differ);
	retry_reset(&r);
	ck_assert_uint_le(retry_next(&r, 0, 0, UINT64_MAX), 1200 * MS + 1);
	/* What a server asks for is kept, with 20 % on top for the herd, and longer waits follow. */
	differ = false;
	first = 0;
	for (uint64_t seed = 1; seed < 200; seed++) {
		uint64_t wait;

		retry_init(&r, seed);
		wait = retry_next(&r, 3 * SECOND, 0, UINT64_MAX);
		ck_assert_uint_ge(wait, 3 * SECOND);
		ck_assert_uint_le(wait, 3600 * MS + 1);
		differ |= first && wait != first;
		first = wait;
		wait = retry_next(&r, 0, 0, UINT64_MAX);
		ck_assert_uint_ge(wait, 4500 * MS * 8 / 10);
		ck_assert_uint_le(wait, 4500 * MS * 12 / 10 + 1);
	}
	ck_assert(differ);
	/* The herd must not cost the last attempt. */
	retry_reset(&r);
	ck_assert_uint_eq(retry_next(&r, 7 * SECOND, 5 * SECOND, 12 * SECOND), RETRY_NEVER);
	retry_reset(&r);
	ck_assert_uint_eq(retry_next(&r, 7 * SECOND, 5 * SECOND, 12 * SECOND + 1), 7 * SECOND);
	retry_reset(&r);
	ck_assert_uint_eq(retry_next(&r, UINT64_MAX / 2, 0, 10 * SECOND), RETRY_NEVER);
	ck_assert_uint_eq(retry_next(&r, 0, 5, 4), RETRY_NEVER);
}
END_TEST

START_TEST(test_breaker)
{
	struct breaker b;
	uint64_t now = 100 * SECOND, pause = 0;

	/* Three failures in a row open it; a success in between starts again. */
	breaker_init(&b, 1);
	ck_assert(!breaker_add_failure(&b, now, false, 0));
	ck_assert(!breaker_add_failure(&b, now, false, 0));
	ck_assert(!breaker_add_success(&b));
	ck_assert(!breaker_add_failure(&b, now, false, 0));
	ck_assert(!breaker_add_failure(&b, now, false, 0));
	ck_assert_uint_eq(breaker_check(&b, now), 0);
	ck_assert(breaker_add_failure(&b, now, false, 0));
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	/* Closed for a pause, then one probe; each failed probe makes it longer. */
	for (int i = 0; i < 10; i++) {
		uint64_t wait = breaker_check(&b, now);

		ck_assert_uint_gt(wait, 0);
		ck_assert_uint_le(wait, BREAKER_MOST_NS * 12 / 10 + 1);
		if (i && i < 5)
			ck_assert_uint_gt(wait, pause);
		pause = wait;
		now += wait;
		ck_assert_uint_eq(breaker_check(&b, now), 0);
		ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
		ck_assert(!breaker_add_failure(&b, now, false, 0));	/* no second log line */
		ck_assert_int_eq(b.state, BREAKER_OPEN);
	}
	now += breaker_check(&b, now);
	breaker_check(&b, now);
	ck_assert(breaker_add_success(&b));
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert_uint_eq(b.opened, 1);
	/* Never there: at once. */
	breaker_init(&b, 1);
	ck_assert(breaker_add_failure(&b, now, true, 0));
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	/* A server that asks for time gets it at once, but not all the time that a day has. */
	breaker_init(&b, 1);
	ck_assert(breaker_add_failure(&b, now, false, 20 * SECOND));
	ck_assert_uint_eq(breaker_check(&b, now), 20 * SECOND);
	breaker_init(&b, 1);
	ck_assert(breaker_add_failure(&b, now, false, 86400 * SECOND));
	ck_assert_uint_eq(breaker_check(&b, now), BREAKER_MOST_NS);
}
END_TEST

/* ---- answers ---- */

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

START_TEST(test_success_bodies)
{
	struct otlp_answer a;

	otlp_decode_success(&a, HTTP_BODY_PROTOBUF, BYTES(""));
	ck_assert_uint_eq(a.rejected, 0);
	otlp_decode_success(&a, HTTP_BODY_PROTOBUF, BYTES("\x0a\x08\x08\x03\x12\x04" "full"));
	ck_assert_uint_eq(a.rejected, 3);
	ck_assert_str_eq(a.message, "full");
	/* unknown fields do not matter */
	otlp_decode_success(&a, HTTP_BODY_PROTOBUF, BYTES("\x7a\x01x\x0a\x04\x08\x05\x58\x01"));
	ck_assert_uint_eq(a.rejected, 5);
	otlp_decode_success(&a, HTTP_BODY_PROTOBUF, BYTES("\x0a\x7f\x08"));
	ck_assert_uint_eq(a.rejected, 0);
	otlp_decode_success(&a, HTTP_BODY_JSON,
			    BYTES("{\"x\":[1,{\"y\":\"}\"}],\"partialSuccess\":{\"rejectedSpans\":\"7\",\"errorMessage\":\"a \\\"b\\\"\"}}"));
	ck_assert_uint_eq(a.rejected, 7);
	ck_assert_str_eq(a.message, "a \"b\"");
	otlp_decode_success(&a, HTTP_BODY_JSON, BYTES(" { \"partialSuccess\" : { \"rejectedSpans\" : 8 } } "));
	ck_assert_uint_eq(a.rejected, 8);
	otlp_decode_success(&a, HTTP_BODY_JSON, BYTES("{\"partialSuccess\":{\"rejectedSpans\":-8}}"));
	ck_assert_uint_eq(a.rejected, 0);
	otlp_decode_success(&a, HTTP_BODY_JSON, BYTES("{}"));
	ck_assert_uint_eq(a.rejected, 0);
	otlp_decode_success(&a, HTTP_BODY_OTHER, BYTES("\x0a\x08\x08\x03\x12\x04" "full"));
	ck_assert_uint_eq(a.rejected, 0);
}
END_TEST

/* Cut anywhere, a body is no crash and no invention. */
START_TEST(test_cut_json)
{
	static const char whole[] = "{\"a\":[[1,2],{\"b\":\"\\\\\"}],\"partialSuccess\":{\"errorMessage\":\"m\\\\\",\"rejectedSpans\":\"12\"}}";
	struct otlp_answer a;

	otlp_decode_success(&a, HTTP_BODY_JSON, BYTES(whole));
	ck_assert_uint_eq(a.rejected, 12);
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		char *cut = malloc(n + 1);	/* exactly n: sanitizers see a look behind */

		memcpy(cut, whole, n);
		otlp_decode_success(&a, HTTP_BODY_JSON, (const uint8_t *)cut, n);
		ck_assert(a.rejected == 0 || a.rejected == 12 || a.rejected == 1);
		free(cut);
	}
}
END_TEST

#define RETRY "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":"
static const struct { const char *text; uint64_t ns; } json_details[] = {
	{ "[" RETRY "\"1.5s\"}]", 1500 * MS },
	{ "[{\"@type\":\"type.googleapis.com/google.rpc.Help\",\"links\":[{}]}, " RETRY "\"2s\"} ]", 2 * SECOND },
	{ "[" RETRY "\"0.000000001s\"}]", 1 },
	{ "[" RETRY "\"99999999999999999999999s\"}]", UINT64_MAX / 2 },
	{ "[" RETRY "\"-1s\"}]", 0 },
	{ "[" RETRY "\"1\"}]", 0 },
	{ "[" RETRY "\"s\"}]", 0 },
	{ "[" RETRY "7}]", 0 },
	{ "[{\"retryDelay\":\"5s\"}]", 0 },
	{ "[]", 0 },
	{ "{}", 0 },
	{ "null", 0 },
};

/* What ends on a terminal: one line of valid UTF-8 without commands. */
static const struct { const char *text, *shown; } messages[] = {
	{ "plain", "plain" }, { "", "" }, { "one\ntwo", "one" }, { "one\rtwo", "one" }, { "a\033[2Jb", "a [2Jb" },
	{ "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9" }, { "a\xff" "b", "a?b" }, { "a\xc3", "a?" }, { "a\xc2\x9b" "2J", "a 2J" },
	{ "a\xc2\xa0" "b", "a\xc2\xa0" "b" }, { "abcdefghijkl\xc3\xa9\xc3\xa9\xc3\xa9", "abcdefghijkl\xc3\xa9" },
};

START_TEST(test_messages)
{
	char out[16];

	otlp_format_message(out, sizeof(out), messages[_i].text, strlen(messages[_i].text));
	ck_assert_str_eq(out, messages[_i].shown);
}
END_TEST

START_TEST(test_error_bodies)
{
	struct otlp_answer a;
	char *deep = malloc(100000);

	otlp_decode_error(&a, HTTP_BODY_PROTOBUF, BYTES("\x08\x03\x12\x05" "bad a"));
	ck_assert_str_eq(a.message, "bad a");
	ck_assert(!a.retry_info);
	otlp_decode_error(&a, HTTP_BODY_JSON, BYTES("{\"code\":3,\"message\":\"bad\\nb\"}"));
	ck_assert_str_eq(a.message, "bad\\nb");
	otlp_decode_error(&a, HTTP_BODY_OTHER, BYTES("<html>\033[2J\nno"));
	ck_assert_str_eq(a.message, "<html> [2J");
	/* google.rpc.RetryInfo of 1.5 s */
	otlp_decode_error(&a, HTTP_BODY_PROTOBUF,
			  BYTES("\x08\x0e\x1a\x36\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x0a\x0a\x08\x08\x01"
				"\x10\x80\xca\xb5\xee\x01"));
	ck_assert(a.retry_info);
	ck_assert_uint_eq(a.retry_delay_ns, 1500000000u);
	for (size_t i = 0; i < UNIT_COUNT(json_details); i++) {
		char body[256];
		int n = snprintf(body, sizeof(body), "{\"details\":%s,\"message\":\"m\"}", json_details[i].text);

		otlp_decode_error(&a, HTTP_BODY_JSON, (const uint8_t *)body, (size_t)n);
		ck_assert_msg(a.retry_info == (json_details[i].ns > 0), "%s", body);
		ck_assert_msg(a.retry_delay_ns == json_details[i].ns, "%s: %llu", body, (unsigned long long)a.retry_delay_ns);
		ck_assert_str_eq(a.message, "m");
	}
	otlp_decode_details(&a, "CA4aNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ");
	ck_assert(a.retry_info);
	ck_assert_uint_eq(a.retry_delay_ns, 1500000000u);
	otlp_decode_details(&a, "!!!");
	ck_assert(!a.retry_info);
	memset(deep, '[', 100000);
	memcpy(deep, "{\"a\":", 5);
	otlp_decode_error(&a, HTTP_BODY_JSON, (const uint8_t *)deep, 100000);
	ck_assert_str_eq(a.message, "");
	free(deep);
}
END_TEST

START_TEST(test_grpc)
{
	uint8_t frame[GRPC_FRAME + 300] = { 0 };
	const uint8_t *m;
	size_t n;

	grpc_encode_head(frame + GRPC_FRAME, 300, true);
	ck_assert_int_eq(memcmp(frame, "\x01\x00\x00\x01\x2c", 5), 0);
	ck_assert(!grpc_decode_message(frame, sizeof(frame), &m, &n));		/* compressed */
	grpc_encode_head(frame + GRPC_FRAME, 300, false);
	ck_assert(grpc_decode_message(frame, sizeof(frame), &m, &n));
	ck_assert_ptr_eq(m, frame + GRPC_FRAME);
	ck_assert_uint_eq(n, 300);
	ck_assert(!grpc_decode_message(frame, sizeof(frame) - 1, &m, &n));	/* cut */
	ck_assert(!grpc_decode_message(frame, 4, &m, &n));
	ck_assert_str_eq(grpc_status_name(14), "UNAVAILABLE");
	ck_assert_str_eq(grpc_status_name(17), "UNKNOWN");
	ck_assert_str_eq(grpc_status_name(-1), "UNKNOWN");
	ck_assert_int_eq(grpc_status_of_http(503), 14);
	ck_assert_int_eq(grpc_status_of_http(404), 12);
	ck_assert_int_eq(grpc_status_of_http(200), 2);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ test_endpoint, UNIT_COUNT(endpoints) }, { test_headers, UNIT_COUNT(headers) },
		{ test_endpoint_too_long, 0 }, { test_endpoint_of_metrics, 0 },
		{ test_header_values_stay_secret, 0 }, { test_protocol_names, 0 },
		{ test_retryable, 0 }, { test_backoff, 0 }, { test_breaker, 0 },
		{ test_success_bodies, 0 }, { test_messages, UNIT_COUNT(messages) }, { test_cut_json, 0 }, { test_error_bodies, 0 },
		{ test_grpc, 0 }, { NULL, 0 }
	};

	return unit_run_cases("otlp-rules", NULL, NULL, cases);
}
