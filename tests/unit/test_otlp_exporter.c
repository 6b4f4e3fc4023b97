/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporter against a collector that misbehaves by list: what is retried,
 * what is counted, what arrives.  No wall-clock assertions but orders of
 * magnitude that a rule sets (a wait that must have been kept).
 */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tracer/error.h>
#include "base/clock.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"
#include "fake_collector.h"
#include "otlp_samples.h"
#include "unit.h"

#define SPANS 40
#define SECOND 1000000000ull

struct fixture {
	struct fake_collector fake;
	struct span_exporter *exporter;
	struct span *spans[SPANS];
	struct resource *resource;
	struct export_outcome out;
	char logged[4096];
};

static void on_log(void *ctx, int level, const char *message)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->logged);

	(void)level;
	snprintf(f->logged + n, sizeof(f->logged) - n, "%s\n", message);
}

static void exporter_open(struct fixture *f, int port, struct otlp_config *cfg, const struct log *log)
{
	char url[64], why[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	cfg->endpoint = url;
	cfg->log = log;
	ck_assert_msg(otlp_http_exporter_new(&f->exporter, cfg, why, sizeof(why)) == 0, "%s", why);
}

static void fixture_init(struct fixture *f)
{
	unsigned long r = 0x5eed0100;

	memset(f, 0, sizeof(*f));
	f->resource = sample_resource(1, &r);
	for (size_t i = 0; i < SPANS; i++) {
		f->spans[i] = sample_new();
		sample_set_call(f->spans[i], &r);
		f->spans[i]->resource = f->resource;
	}
}

static void fixture_fini(struct fixture *f)
{
	if (f->exporter)
		f->exporter->ops->free(f->exporter);
	for (size_t i = 0; i < SPANS; i++)
		sample_free(f->spans[i]);
	resource_put(f->resource);
	fake_collector_free(&f->fake);
}

static void export_once(struct fixture *f, uint64_t timeout)
{
	f->exporter->ops->export(f->exporter, f->spans, SPANS, clock_mono_ns() + timeout, &f->out);
}

/* What one script leads to within a time-out. */
struct expected {
	struct fake_step steps[4];
	size_t nsteps;
	uint64_t timeout;
	enum export_result result;
	uint32_t attempts;
	uint64_t accepted, rejected;
	uint64_t least_wait;	/* between the first two requests */
	const char *message;	/* part of it; NULL: any */
};

#define PARTIAL "\x0a\x08\x08\x03\x12\x04" "full"	/* rejected 3, "full" */
#define WARNING "\x0a\x06\x12\x04" "slow"
#define STATUS  "\x08\x03\x12\x05" "bad a"
/* google.rpc.RetryInfo of 3 s, and of 100 s */
#define RETRY_3 "\x08\x0e\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x03"
#define RETRY_100 "\x08\x0e\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x64"
#define RETRY_3_JSON "{\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"3s\"}]}"
#define TEXT_TYPE "Content-Type: text/plain\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define BODY(s) .body = s, .len = sizeof(s) - 1

static const struct expected table[] = {
	{ { { .status = 200 } }, 1, 5 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, NULL },
	{ { { .status = 202 } }, 1, 5 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, NULL },
	{ { { .status = 200, BODY(PARTIAL) } }, 1, 5 * SECOND, EXPORT_PARTIAL, 1, SPANS - 3, 3, 0, "full" },
	{ { { .status = 200, BODY("\x0a\x00") } }, 1, 5 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, NULL },
	{ { { .status = 200, BODY(WARNING) } }, 1, 5 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, "slow" },
	{ { { .status = 200, BODY("\xff\xff\xff") } }, 1, 5 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, NULL },
	{ { { .status = 200, .headers = TEXT_TYPE, BODY("hello") } }, 1, 5 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, NULL },
	{ { { .status = 400, BODY(STATUS) } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, "answered 400: bad a" },
	{ { { .status = 401, .headers = TEXT_TYPE, BODY("who\nare you") } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0,
	  "answered 401: who" },
	{ { { .status = 403, .headers = JSON_TYPE, BODY("{\"code\":7,\"message\":\"no \\\"entry\\\"\"}") } }, 1, 5 * SECOND,
	  EXPORT_FAILED, 1, 0, 0, 0, "answered 403: no \"entry\"" },
	{ { { .status = 404 } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, "answered 404" },
	{ { { .status = 405 } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, NULL },
	{ { { .status = 408 } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, NULL },
	{ { { .status = 413 } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, NULL },
	{ { { .status = 415 } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, NULL },
	{ { { .status = 500 } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, NULL },
	{ { { .status = 501 } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, NULL },
	{ { { .status = 302, .headers = "Location: http://127.0.0.1:9/\r\n" } }, 1, 5 * SECOND, EXPORT_FAILED, 1, 0, 0, 0,
	  "answered 302" },
	{ { { .status = 429 }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, SECOND / 2, NULL },
	{ { { .status = 502 }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, SECOND / 2, NULL },
	{ { { .status = 503 }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, SECOND / 2, NULL },
	{ { { .status = 504 }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, SECOND / 2, NULL },
	{ { { .status = 503, .headers = "Retry-After: 2\r\n" }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0,
	  2 * SECOND, NULL },
	/* A date that is over means: now, by the usual back-off. */
	{ { { .status = 503, .headers = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n" }, { .status = 200 } }, 2, 10 * SECOND,
	  EXPORT_OK, 2, SPANS, 0, SECOND / 2, NULL },
	/* Longer than the export may take: given up at once. */
	{ { { .status = 429, .headers = "Retry-After: 100\r\n" }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_FAILED, 1, 0, 0, 0,
	  "answered 429" },
	{ { { .status = 429, .headers = "Retry-After: Sun, 06 Nov 2094 08:49:37 GMT\r\n" }, { .status = 200 } }, 2, 10 * SECOND,
	  EXPORT_FAILED, 1, 0, 0, 0, "answered 429" },
	/* The same in the body's RetryInfo; where both are there the longer one; it makes nothing retryable. */
	{ { { .status = 503, BODY(RETRY_3) }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, 3 * SECOND, NULL },
	{ { { .status = 503, .headers = JSON_TYPE, BODY(RETRY_3_JSON) }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS,
	  0, 3 * SECOND, NULL },
	{ { { .status = 429, .headers = "Content-Type: application/x-protobuf\r\nRetry-After: 1\r\n", BODY(RETRY_3) },
	    { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, 3 * SECOND, NULL },
	{ { { .status = 503, BODY(RETRY_100) }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, "answered 503" },
	{ { { .status = 400, BODY(RETRY_3) }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, "answered 400" },
	{ { { .act = FAKE_RESET }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, SECOND / 2, NULL },
	{ { { .act = FAKE_HALF, BODY("0123456789") }, { .status = 200 } }, 2, 10 * SECOND, EXPORT_OK, 2, SPANS, 0, SECOND / 2, NULL },
	{ { { .act = FAKE_HANG } }, 1, SECOND / 5, EXPORT_TIMEOUT, 1, 0, 0, 0, "in time" },
	{ { { .act = FAKE_BOMB } }, 1, 10 * SECOND, EXPORT_FAILED, 1, 0, 0, 0, "--otlp-max-response-size" },
	{ { { .act = FAKE_DRIP } }, 1, 10 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, NULL },
	{ { { .act = FAKE_INTERIM, BODY(PARTIAL) } }, 1, 10 * SECOND, EXPORT_PARTIAL, 1, SPANS - 3, 3, 0, "full" },
	/* A coding that was not asked for is not decoded, so it cannot blow up. */
	{ { { .status = 200, .headers = "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n", BODY("\x1f\x8b\x08") } },
	  1, 5 * SECOND, EXPORT_OK, 1, SPANS, 0, 0, NULL },
};

static void check_row(const struct expected *x, size_t row, bool gzip)
{
	struct fixture f;
	struct otlp_config cfg = { .gzip = gzip };
	struct log log = { on_log, &f, LOG_DEBUG };

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, x->steps, x->nsteps);
	exporter_open(&f, f.fake.port, &cfg, &log);
	export_once(&f, x->timeout);
	fake_collector_stop(&f.fake);
	ck_assert_msg(f.out.result == x->result, "row %zu: result %d, not %d: %s", row, f.out.result, x->result, f.out.message);
	ck_assert_msg(f.out.attempts == x->attempts, "row %zu: %u attempts", row, f.out.attempts);
	ck_assert_msg(f.out.accepted == x->accepted, "row %zu: accepted %lu", row, (unsigned long)f.out.accepted);
	ck_assert_msg(f.out.rejected == x->rejected, "row %zu: rejected %lu", row, (unsigned long)f.out.rejected);
	if (x->message)
		ck_assert_msg(strstr(f.out.message, x->message) != NULL, "row %zu: message '%s'", row, f.out.message);
	ck_assert_uint_eq(f.fake.nrequests, x->attempts);
	for (size_t i = 0; i < f.fake.nrequests; i++)
		ck_assert_uint_eq(f.fake.requests[i].spans, SPANS);
	if (x->least_wait)
		ck_assert_uint_ge(f.fake.requests[1].time - f.fake.requests[0].time, x->least_wait);
	fixture_fini(&f);
}

START_TEST(test_faults)
{
	check_row(&table[_i], (size_t)_i, _i % 2);
}
END_TEST

/* What the request looks like; the connection is kept. */
START_TEST(test_request)
{
	static const struct fake_step ok[] = { { .status = 200 } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true, .headers = "x-key=a%20b, Y-Key = c" };
	const struct fake_request *r;

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, ok, 1);
	exporter_open(&f, f.fake.port, &cfg, NULL);
	for (int i = 0; i < 3; i++) {
		export_once(&f, 5 * SECOND);
		ck_assert_int_eq(f.out.result, EXPORT_OK);
	}
	r = &f.fake.requests[0];
	ck_assert_int_eq(strncmp(r->head, "POST /v1/traces HTTP/1.1\r\n", 26), 0);
	ck_assert_str_eq(fake_header(r, "content-type"), "application/x-protobuf");
	ck_assert_str_eq(fake_header(r, "content-encoding"), "gzip");
	ck_assert_str_eq(fake_header(r, "x-key"), "a b");
	ck_assert_str_eq(fake_header(r, "y-key"), "c");
	ck_assert_ptr_nonnull(strstr(fake_header(r, "user-agent"), " OTel-OTLP-Exporter-C/"));
	ck_assert_ptr_null(fake_header(r, "expect"));
	ck_assert_uint_lt(r->len, r->plain_len);
	ck_assert_uint_eq(f.fake.connections, 1);
	ck_assert_uint_eq(f.fake.nrequests, 3);
	fixture_fini(&f);
}
END_TEST

/* A batch above the cap goes out in pieces, all of it. */
START_TEST(test_split)
{
	static const struct fake_step ok[] = { { .status = 200 } };
	struct fixture f;
	struct otlp_config cfg = { .request_max = 3000 };

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, ok, 1);
	exporter_open(&f, f.fake.port, &cfg, NULL);
	export_once(&f, 5 * SECOND);
	ck_assert_int_eq(f.out.result, EXPORT_OK);
	ck_assert_uint_eq(f.out.accepted, SPANS);
	ck_assert_uint_eq(fake_spans(&f.fake), SPANS);
	ck_assert_uint_gt(f.fake.nrequests, 1);
	for (size_t i = 0; i < f.fake.nrequests; i++)
		ck_assert_uint_le(f.fake.requests[i].plain_len, 3000);
	fixture_fini(&f);
}
END_TEST

/* What is exported next, as the batch processor tells it. */
struct next { struct span *const *spans; size_t n; unsigned asked; };

static size_t tell_next(void *ctx, struct span *const **out)
{
	struct next *next = ctx;

	next->asked++;
	*out = next->spans;
	return next->n;
}

/* Request number i has just these spans. */
static void check_request(struct fixture *f, size_t i, struct span *const *spans, size_t n)
{
	const struct fake_request *r = &f->fake.requests[i];
	struct otlp_encoder *e;
	const uint8_t *body;
	size_t len;

	ck_assert_int_eq(otlp_encoder_new(&e, OTLP_REQUEST_MAX), 0);
	ck_assert_int_eq(otlp_encode_spans(e, spans, n, &body, &len), 0);
	ck_assert_uint_eq(r->plain_len, len);
	ck_assert_mem_eq(r->plain, body, len);
	otlp_encoder_free(e);
}

/* While an answer is awaited the next batch is encoded: it arrives as it is, also behind a retry, and nothing of
 * it where another one is exported in its place. */
START_TEST(test_ahead)
{
	/* the second is slow: it is awaited, whatever else the machine does */
	static const struct fake_step steps[] = { { .status = 200 }, { .act = FAKE_DRIP }, { .status = 503 }, { .status = 200 } };
	static const struct { size_t from, n; } order[] = { { 0, 20 }, { 10, 20 }, { 20, 20 }, { 5, 30 }, { 0, 1 }, { 0, 20 } };
	enum { ORDER = sizeof(order) / sizeof(order[0]) };
	struct otlp_config cfg = { .gzip = _i == 0 };
	struct next next = { 0 };
	struct fixture f;

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, steps, 4);
	exporter_open(&f, f.fake.port, &cfg, NULL);
	f.exporter->ahead = tell_next;
	f.exporter->ahead_ctx = &next;
	for (size_t i = 0; i < ORDER; i++) {
		/* The one behind the third is not what was told. */
		size_t k = i == 2 ? 0 : i + 1;

		next.spans = f.spans + order[k % ORDER].from;
		next.n = k < ORDER ? order[k].n : 0;
		f.exporter->ops->export(f.exporter, f.spans + order[i].from, order[i].n, clock_mono_ns() + 20 * SECOND, &f.out);
		ck_assert_uint_eq(f.out.accepted, order[i].n);
		ck_assert_uint_eq(f.out.attempts, i == 2 ? 2 : 1);
		check_request(&f, f.fake.nrequests - 1, f.spans + order[i].from, order[i].n);
		ck_assert_uint_eq(f.out.bytes, f.fake.requests[f.fake.nrequests - 1].plain_len);
	}
	ck_assert_int_eq(next.asked > 0, cfg.gzip);	/* only what is compressed has a buffer of its own */
	fixture_fini(&f);
}
END_TEST

/* Retry-After as a date that is to come. */
START_TEST(test_retry_date)
{
	struct fake_step steps[] = { { .status = 503 }, { .status = 200 } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true };
	time_t then = time(NULL) + 4;
	char header[80];
	struct tm tm;

	strftime(header, sizeof(header), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&then, &tm));
	steps[0].headers = header;
	fixture_init(&f);
	fake_collector_start(&f.fake, 0, steps, 2);
	exporter_open(&f, f.fake.port, &cfg, NULL);
	export_once(&f, 30 * SECOND);
	ck_assert_int_eq(f.out.result, EXPORT_OK);
	ck_assert_uint_eq(f.out.attempts, 2);
	ck_assert_int_ge(time(NULL), then);
	fixture_fini(&f);
}
END_TEST

/* A server that wants more time than an export has is left alone by the next ones, too; one that does not say so is not. */
START_TEST(test_throttled)
{
	static const struct fake_step asks[] = { { .status = 429, .headers = "Retry-After: 20\r\n" }, { .status = 200 } };
	static const struct fake_step asks_not[] = { { .status = 500 }, { .status = 200 } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true };
	struct log log = { on_log, &f, LOG_DEBUG };

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, _i ? asks_not : asks, 2);
	exporter_open(&f, f.fake.port, &cfg, &log);
	export_once(&f, 5 * SECOND);
	ck_assert_int_eq(f.out.result, EXPORT_FAILED);
	export_once(&f, 5 * SECOND);
	ck_assert_int_eq(f.out.result, _i ? EXPORT_OK : EXPORT_REFUSED);
	ck_assert_uint_eq(f.fake.nrequests, _i ? 2 : 1);
	if (!_i)
		ck_assert_uint_gt(f.exporter->ops->hold(f.exporter, clock_mono_ns(), false), 10 * SECOND);
	fixture_fini(&f);
}
END_TEST

/* What a server says has no commands for the terminal, wherever it says it. */
START_TEST(test_words_of_the_server)
{
	static const struct fake_step steps[] = { { .status = 400, .headers = TEXT_TYPE, BODY("a\033]0;b\007\xff\nc") } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true };
	struct log log = { on_log, &f, LOG_DEBUG };

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, steps, 1);
	exporter_open(&f, f.fake.port, &cfg, &log);
	export_once(&f, 5 * SECOND);
	ck_assert_str_eq(f.out.message, "answered 400: a ]0;b ?");
	ck_assert_ptr_null(strchr(f.logged, '\033'));
	fixture_fini(&f);
}
END_TEST

/* A connection came about, but no answer: it is there, so a refused connection is tried again. */
START_TEST(test_seen_then_refused)
{
	static const struct fake_step reset[] = { { .act = FAKE_RESET } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true };

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, reset, 1);
	exporter_open(&f, f.fake.port, &cfg, NULL);
	export_once(&f, SECOND / 2);
	ck_assert_int_eq(f.out.result, EXPORT_FAILED);
	fake_collector_stop(&f.fake);
	export_once(&f, 4 * SECOND);
	ck_assert_int_eq(f.out.result, EXPORT_REFUSED);
	ck_assert_uint_gt(f.out.attempts, 1);
	fixture_fini(&f);
}
END_TEST

/* Nobody there: refused at once, held, said once; then it comes up. */
START_TEST(test_refused_then_there)
{
	static const struct fake_step ok[] = { { .status = 200 } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true };
	struct log log = { on_log, &f, LOG_DEBUG };
	int port = fake_free_port();
	uint64_t start = clock_mono_ns(), hold;

	fixture_init(&f);
	exporter_open(&f, port, &cfg, &log);
	export_once(&f, 60 * SECOND);
	ck_assert_int_eq(f.out.result, EXPORT_REFUSED);
	ck_assert_uint_eq(f.out.attempts, 1);
	ck_assert_uint_lt(clock_mono_ns() - start, 30 * SECOND);	/* no retry to the deadline */
	ck_assert(atomic_load(&f.exporter->circuit_open));
	ck_assert_ptr_nonnull(strstr(f.logged, "tracer collect"));
	/* It never answered, so the end of a run need not wait for it. */
	ck_assert_uint_eq(f.exporter->ops->hold(f.exporter, clock_mono_ns(), true), UINT64_MAX);
	export_once(&f, SECOND);
	ck_assert_uint_eq(f.out.attempts, 0);
	ck_assert_ptr_eq(strstr(strstr(f.logged, "tracer collect") + 1, "tracer collect"), NULL);

	fake_collector_start(&f.fake, port, ok, 1);
	while ((hold = f.exporter->ops->hold(f.exporter, clock_mono_ns(), false)) > 0)
		ck_assert_uint_lt(hold, 60 * SECOND);
	export_once(&f, 5 * SECOND);
	ck_assert_int_eq(f.out.result, EXPORT_OK);
	ck_assert(!atomic_load(&f.exporter->circuit_open));
	ck_assert_ptr_nonnull(strstr(f.logged, "answers again"));
	ck_assert_uint_eq(fake_spans(&f.fake), SPANS);
	fixture_fini(&f);
}
END_TEST

/* A name that does not resolve: as nobody there, or the time is over while the resolver still asks. */
START_TEST(test_no_such_host)
{
	struct fixture f;
	struct otlp_config cfg = { .endpoint = "http://collector.invalid:4318" };
	uint64_t start = clock_mono_ns();
	char why[256];

	fixture_init(&f);
	ck_assert_int_eq(otlp_http_exporter_new(&f.exporter, &cfg, why, sizeof(why)), 0);
	export_once(&f, SECOND);
	ck_assert(f.out.result == EXPORT_REFUSED || f.out.result == EXPORT_TIMEOUT);
	ck_assert_uint_eq(f.out.accepted, 0);
	if (f.out.result == EXPORT_REFUSED)
		ck_assert_ptr_nonnull(strstr(f.out.message, "collector.invalid"));
	f.exporter->ops->free(f.exporter);		/* does not wait for the resolver */
	f.exporter = NULL;
	ck_assert_uint_lt(clock_mono_ns() - start, 60 * SECOND);
	fixture_fini(&f);
}
END_TEST

/* Proxies as libcurl's environment has them: asked for other hosts, not for this machine. */
static const struct { const char *endpoint, *no_proxy, *line; } proxies[] = {
	{ "http://collector.invalid:4318", "", "POST http://collector.invalid:4318/v1/traces HTTP/1.1\r\n" },
	{ "http://collector.invalid:4318", "other.invalid", "POST http://collector.invalid:4318/v1/traces HTTP/1.1\r\n" },
	{ "http://collector.invalid:4318", "collector.invalid", NULL },
	{ "http://127.0.0.1:9", "", NULL },
	{ "http://localhost:9", "", NULL },
	{ "http://[::1]:9", "", NULL },
};

START_TEST(test_proxy)
{
	static const struct fake_step ok[] = { { .status = 200 } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true, .endpoint = proxies[_i].endpoint };
	char proxy[64], why[256];

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, ok, 1);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f.fake.port);
	setenv("http_proxy", proxy, 1);
	setenv("no_proxy", proxies[_i].no_proxy, 1);
	ck_assert_int_eq(otlp_http_exporter_new(&f.exporter, &cfg, why, sizeof(why)), 0);
	export_once(&f, 2 * SECOND);
	if (proxies[_i].line) {
		ck_assert_int_eq(f.out.result, EXPORT_OK);
		ck_assert_uint_eq(f.fake.nrequests, 1);
		ck_assert_int_eq(strncmp(f.fake.requests[0].head, proxies[_i].line, strlen(proxies[_i].line)), 0);
		ck_assert_uint_eq(f.fake.requests[0].spans, SPANS);
	} else {
		ck_assert_int_ne(f.out.result, EXPORT_OK);
		ck_assert_uint_eq(f.fake.nrequests, 0);
	}
	unsetenv("http_proxy");
	unsetenv("no_proxy");
	fixture_fini(&f);
}
END_TEST

/* A proxy that is not there is a collector that is not there. */
START_TEST(test_dead_proxy)
{
	struct fixture f;
	struct otlp_config cfg = { .endpoint = "http://collector.invalid:4318" };
	char proxy[64], why[256];

	fixture_init(&f);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", fake_free_port());
	setenv("http_proxy", proxy, 1);
	ck_assert_int_eq(otlp_http_exporter_new(&f.exporter, &cfg, why, sizeof(why)), 0);
	export_once(&f, 10 * SECOND);
	ck_assert_int_eq(f.out.result, EXPORT_REFUSED);
	ck_assert_uint_eq(f.out.attempts, 1);
	unsetenv("http_proxy");
	fixture_fini(&f);
}
END_TEST

static void *abort_later(void *ctx)
{
	struct fixture *f = ctx;

	fake_collector_wait(&f->fake, 1);
	f->exporter->ops->abort(f->exporter);
	return NULL;
}

START_TEST(test_abort)
{
	static const struct fake_step hang[] = { { .act = FAKE_HANG } };
	struct fixture f;
	struct otlp_config cfg = { .gzip = true };
	uint64_t start = clock_mono_ns();
	pthread_t t;

	fixture_init(&f);
	fake_collector_start(&f.fake, 0, hang, 1);
	exporter_open(&f, f.fake.port, &cfg, NULL);
	pthread_create(&t, NULL, abort_later, &f);
	export_once(&f, 600 * SECOND);
	pthread_join(t, NULL);
	ck_assert_int_eq(f.out.result, EXPORT_TIMEOUT);
	ck_assert_uint_lt(clock_mono_ns() - start, 100 * SECOND);
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ test_faults, UNIT_COUNT(table) }, { test_no_such_host, 0 },
		{ test_proxy, UNIT_COUNT(proxies) }, { test_dead_proxy, 0 }, { test_request, 0 },
		{ test_split, 0 }, { test_ahead, 2 }, { test_refused_then_there, 0 }, { test_retry_date, 0 },
		{ test_throttled, 2 }, { test_words_of_the_server, 0 }, { test_seen_then_refused, 0 },
		{ test_abort, 0 }, { NULL, 0 }
	};

	return unit_run_cases("otlp-exporter", NULL, NULL, cases);
}
