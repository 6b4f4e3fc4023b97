/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metric sender against a collector that misbehaves by list: every data
 * point is exported, rejected or counted as failed, whatever happens.
 */
#include "config.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "export/metric_sender.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"
#include "export/proto/metrics_service.pb-c.h"
#include "fake_collector.h"
#include "unit.h"

#define SECOND 1000000000ull

static struct fake_collector fake;
static struct metric_sender *sender;

static void open_sender(int port)
{
	struct otlp_config cfg = { .signal = OTLP_METRICS };
	struct span_exporter *e;
	char url[64], why[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	cfg.endpoint = url;
	ck_assert_msg(otlp_http_exporter_new(&e, &cfg, why, sizeof(why)) == 0, "%s", why);
	ck_assert_int_eq(metric_sender_start(&sender, e, 10 * SECOND), 0);
}

/* A request of n points of one counter, the value tells which. */
static void push(uint64_t value, size_t n)
{
	struct metric_desc desc = { "a.counter", "{thing}", "" };
	struct resource *r = resource_new(1);
	struct otlp_metrics *m;
	struct metric_body *body;

	resource_add_str(r, "service.name", "test", 4);
	ck_assert_int_eq(otlp_metrics_new(&m), 0);
	otlp_metrics_reset(m, 2);
	otlp_metrics_add_resource(m, r);
	otlp_metrics_open(m, &desc, METRIC_SUM, METRIC_DELTA, 1, n);
	for (size_t i = 0; i < n; i++)
		otlp_metrics_add_int(m, &(struct metric_attr){ .key = "key", .text = "value" }, 1, value);
	ck_assert_uint_eq(otlp_metrics_points(m), n);
	ck_assert_int_eq(otlp_metrics_encode(m, OTLP_HTTP_PROTOBUF, &body), 0);
	otlp_metrics_free(m);
	resource_put(r);
	metric_sender_push(sender, body);
}

/* A request of this size that no collector will see. */
static void push_large(size_t bytes)
{
	struct metric_body *body = calloc(1, sizeof(*body) + OTLP_HEADROOM + bytes);

	body->len = bytes;
	body->points = 1;
	metric_sender_push(sender, body);
}

static uint64_t value_of(const struct fake_request *r)
{
	Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *q =
		opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(NULL, r->plain_len, r->plain);
	uint64_t v;

	ck_assert_ptr_nonnull(q);
	v = (uint64_t)q->resource_metrics[0]->scope_metrics[0]->metrics[0]->sum->data_points[0]->as_int;
	opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(q, NULL);
	return v;
}

static struct metric_sender_stats end(void)
{
	struct metric_sender_stats st;

	metric_sender_shutdown(sender, clock_mono_ns() + 30 * SECOND);
	metric_sender_stats(sender, &st);
	ck_assert_uint_eq(st.points, st.exported + st.rejected + st.failed);
	return st;
}

static void done(void)
{
	metric_sender_free(sender);
	fake_collector_stop(&fake);
	fake_collector_free(&fake);
}

START_TEST(in_order)
{
	static const struct fake_step ok[] = { { .status = 200 } };
	struct metric_sender_stats st;

	fake_collector_start(&fake, 0, ok, 1);
	open_sender(fake.port);
	for (uint64_t i = 1; i <= 20; i++)
		push(i, 3);
	st = end();
	ck_assert_uint_eq(st.exported, 60);
	ck_assert_uint_eq(st.requests, 20);
	ck_assert(st.ever_succeeded);
	ck_assert_uint_eq(fake.nrequests, 20);
	for (uint64_t i = 0; i < 20; i++) {
		ck_assert_ptr_nonnull(strstr(fake.requests[i].head, "POST /v1/metrics "));
		ck_assert_uint_eq(value_of(&fake.requests[i]), i + 1);
	}
	push(1, 1);			/* nobody sends it any more */
	metric_sender_stats(sender, &st);
	ck_assert_uint_eq(st.failed, 1);
	done();
}
END_TEST

START_TEST(retried_and_refused)
{
	static const struct fake_step steps[] = { { .status = 503 }, { .status = 200 }, { .status = 400 } };
	struct metric_sender_stats st;
	struct export_times t;
	char buf[24];

	fake_collector_start(&fake, 0, steps, 3);
	open_sender(fake.port);
	push(1, 2);
	push(2, 5);
	st = end();
	ck_assert_uint_eq(st.exported, 2);
	ck_assert_uint_eq(st.failed, 5);
	ck_assert_uint_eq(st.retries, 1);
	ck_assert_ptr_nonnull(strstr(st.last_error, "400"));
	/* One observation an export: the first covers its retry and the pause before it. */
	metric_sender_load_times(sender, &t, true);
	ck_assert_uint_eq(t.n, 2);
	ck_assert_ptr_null(export_time_format_error(&t.rows[0], buf));
	ck_assert_int_eq(t.rows[0].http_status, 200);
	ck_assert_uint_eq(t.rows[0].h.count, 1);
	ck_assert_uint_ge(t.rows[0].h.min, fake.requests[1].time - fake.requests[0].time);
	ck_assert_str_eq(export_time_format_error(&t.rows[1], buf), "400");
	metric_sender_load_times(sender, &t, false);
	ck_assert_uint_eq(t.n, 0);
	done();
}
END_TEST

START_TEST(partial_success)
{
	/* ExportMetricsServiceResponse{partial_success{rejected_data_points: 2, error_message: "old"}} */
	static const struct fake_step steps[] = { { .status = 200, .body = "\x0a\x07\x08\x02\x12\x03old", .len = 9 } };
	struct metric_sender_stats st;

	fake_collector_start(&fake, 0, steps, 1);
	open_sender(fake.port);
	push(1, 5);
	st = end();
	ck_assert_uint_eq(st.exported, 3);
	ck_assert_uint_eq(st.rejected, 2);
	ck_assert_ptr_nonnull(strstr(st.last_error, "rejected data points: old"));
	done();
}
END_TEST

/* A collector that comes later gets what was counted before. */
START_TEST(collector_comes_later)
{
	static const struct fake_step ok[] = { { .status = 200 } };
	int port = fake_free_port();
	struct metric_sender_stats st;

	open_sender(port);
	push(1, 1);
	push(2, 1);
	do
		metric_sender_stats(sender, &st);
	while (!st.last_error[0]);	/* it was tried, in vain */
	ck_assert(!metric_sender_idle(sender));
	fake_collector_start(&fake, port, ok, 1);
	ck_assert(fake_collector_wait(&fake, 2));
	st = end();
	ck_assert_uint_eq(st.exported, 2);
	ck_assert_uint_eq(st.failed, 0);
	ck_assert_uint_eq(value_of(&fake.requests[0]), 1);
	ck_assert_uint_eq(value_of(&fake.requests[1]), 2);
	done();
}
END_TEST

/* Nobody there: what waits is bounded, the end does not wait. */
START_TEST(nobody_there)
{
	struct metric_sender_stats st;

	open_sender(fake_free_port());
	for (unsigned i = 0; i < 10; i++)
		push_large(METRIC_SENDER_BYTES / 4);
	metric_sender_stats(sender, &st);
	ck_assert_uint_ge(st.failed, 5);	/* at most 4, and the one under way, are kept */
	st = end();
	ck_assert_uint_eq(st.failed, 10);
	ck_assert_uint_eq(st.exported, 0);
	metric_sender_free(sender);
}
END_TEST

/* A collector that hangs is given up at once when asked. */
START_TEST(abort_while_sending)
{
	static const struct fake_step hang[] = { { .act = FAKE_HANG } };
	struct metric_sender_stats st;

	fake_collector_start(&fake, 0, hang, 1);
	open_sender(fake.port);
	push(1, 4);
	ck_assert(fake_collector_wait(&fake, 1));
	metric_sender_abort(sender);
	st = end();
	ck_assert_uint_eq(st.failed, 4);
	done();
}
END_TEST

static const struct { enum export_result result; int http, rpc; const char *error; } endings[] = {
	{ EXPORT_OK, 200, -1, NULL }, { EXPORT_OK, 200, 0, NULL }, { EXPORT_PARTIAL, 200, -1, "rejected" },
	{ EXPORT_TIMEOUT, 0, -1, "timeout" }, { EXPORT_REFUSED, 0, -1, "connection_error" },
	{ EXPORT_FAILED, 503, -1, "503" }, { EXPORT_FAILED, 200, 14, "UNAVAILABLE" }, { EXPORT_FAILED, 0, -1, "_OTHER" },
};

START_TEST(times_by_ending)
{
	struct export_times t = { 0 };
	char buf[24];
	uint64_t all = 0;

	for (int round = 1; round <= 3; round++)
		for (size_t i = 0; i < 8; i++)
			export_times_add(&t, &(struct export_outcome){ .result = endings[i].result, .http_status = endings[i].http,
								       .rpc_status = endings[i].rpc }, 1000);
	ck_assert_uint_eq(t.n, 8);
	for (size_t i = 0; i < 8; i++) {
		const char *error = export_time_format_error(&t.rows[i], buf);

		ck_assert(endings[i].error ? error && !strcmp(error, endings[i].error) : !error);
		ck_assert_uint_eq(t.rows[i].h.count, 3);
	}
	/* More endings than rows: nothing is lost. */
	for (int status = 400; status < 500; status++)
		export_times_add(&t, &(struct export_outcome){ .result = EXPORT_FAILED, .http_status = status, .rpc_status = -1 }, 1);
	for (uint32_t i = 0; i < t.n; i++)
		all += t.rows[i].h.count;
	ck_assert_uint_eq(t.n, EXPORT_TIMES);
	ck_assert_uint_eq(all, 124);
}
END_TEST

int main(void)
{
	return unit_run("metric-sender", (const TTest *const[]){ in_order, retried_and_refused, partial_success,
		collector_comes_later, nobody_there, abort_while_sending, times_by_ending, NULL });
}
