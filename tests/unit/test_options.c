/* SPDX-License-Identifier: Apache-2.0 */
/* Options: table, ranges, origins and their order, presets, rules between options. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "session/options.h"
#include "unit.h"

static struct tracer_options *o;
static char why[512];
static char warned[2048];

static void setup(void)
{
	ck_assert_int_eq(tracer_options_new(&o), 0);
	why[0] = warned[0] = '\0';
}

static void teardown(void)
{
	tracer_options_free(o);
}

static void warn(void *ctx, const char *message)
{
	(void)ctx;
	strncat(warned, message, sizeof(warned) - strlen(warned) - 1);
}

static int set(const char *name, const char *value)
{
	return tracer_options_set(o, name, value, TRACER_FROM_OPTION, why, sizeof(why));
}

static int env(const char *a, const char *b, const char *c)
{
	char *envp[] = { (char *)a, (char *)b, (char *)c, NULL };
	return tracer_options_load_environ(o, envp, warn, NULL, why, sizeof(why));
}

static int check_all(void)
{
	return tracer_options_check(o, warn, NULL, why, sizeof(why));
}

START_TEST(table)
{
	size_t n;
	const struct tracer_option *rows = tracer_option_table(&n);
	uint8_t letters[256] = { 0 };

	ck_assert_uint_eq(n, OPTIONS);
	for (size_t i = 0; i < n; i++) {
		char name[64];
		ck_assert_msg(rows[i].name && rows[i].help && rows[i].group && rows[i].since, "row %zu", i);
		ck_assert_msg(!letters[(uint8_t)rows[i].letter] || !rows[i].letter, "-%c twice",
			      rows[i].letter);
		letters[(uint8_t)rows[i].letter] = 1;
		ck_assert_ptr_eq(tracer_option_lookup(rows[i].name), &rows[i]);
		ck_assert_int_le(strlen(rows[i].help), 100);
		tracer_option_environ_name(&rows[i], name, sizeof(name));
		ck_assert_int_eq(name[0] == '\0', !!(rows[i].flags & TRACER_OPTF_NO_ENV));
		if (rows[i].type == TRACER_OPT_FLAG || rows[i].type == TRACER_OPT_COUNT)
			ck_assert_ptr_null(rows[i].arg);
		else
			ck_assert_ptr_nonnull(rows[i].arg);
	}
}
END_TEST

START_TEST(alias_targets)
{
	size_t n;
	const struct tracer_option_alias *a = tracer_option_aliases(&n);

	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_nonnull(tracer_option_lookup(a[i].target));
		ck_assert_str_eq(tracer_option_lookup(a[i].name)->name, a[i].target);
		ck_assert_int_eq(set(a[i].name, strstr(a[i].pattern, "%s") ? "7" : NULL), 0);
	}
	ck_assert_uint_eq(option_num(o, OPT_FOLLOW_FORKS), 0);
	ck_assert_uint_eq(option_num(o, OPT_COMPUTE), 7000);
	ck_assert_str_eq(option_str(o, OPT_SERVICE_NAME), "7");
	ck_assert_int_eq(set("no-follow", "yes"), -TRACER_ERR_USAGE);
	ck_assert_int_eq(set("trace", NULL), -TRACER_ERR_USAGE);
}
END_TEST

static const struct { const char *name, *value; int ok; uint64_t num; } values[] = {
	{ "otlp-batch-size", "1", 1, 1 }, { "otlp-batch-size", "65536", 1, 65536 },
	{ "otlp-batch-size", "0", 0, 0 }, { "otlp-batch-size", "65537", 0, 0 },
	{ "otlp-batch-size", "-1", 0, 0 }, { "otlp-batch-size", "12x", 0, 0 }, { "otlp-batch-size", "", 0, 0 },
	{ "otlp-batch-size", "99999999999999999999", 0, 0 },
	{ "span-pool-size", "1048576", 1, 1048576 }, { "span-pool-size", "1048577", 0, 0 },
	{ "otlp-queue-size", "1048576", 1, 1048576 }, { "otlp-queue-size", "0", 0, 0 },
	{ "otlp-batch-delay", "1", 1, 1000000 }, { "otlp-batch-delay", "600000", 1, 600000000000ull },
	{ "otlp-batch-delay", "600001", 0, 0 }, { "otlp-batch-delay", "0", 0, 0 },
	{ "otlp-batch-delay", "1.5s", 1, 1500000000 }, { "otlp-batch-delay", "10us", 0, 0 },
	{ "otlp-batch-delay", "soon", 0, 0 },
	{ "ring-size", "64k", 1, 65536 }, { "ring-size", "4M", 1, 4194304 }, { "ring-size", "1", 0, 0 },
	{ "compute", NULL, 1, 100000 }, { "compute", "5ms", 1, 5000000 }, { "compute", "0", 1, 0 },
	{ "perf-mode", "aggressive", 1, 1 }, { "perf-mode", "fast", 0, 0 }, { "perf-mode", "", 0, 0 },
	{ "perf-mode", "balanced|aggressive", 0, 0 },
	{ "otlp-compression", "none", 1, 1 }, { "otlp-compression", "zstd", 0, 0 },
	{ "overflow", "drop", 1, 1 }, { "overflow", "spoil", 0, 0 },
	{ "wait-all", NULL, 1, 1 }, { "wait-all", "no", 1, 0 }, { "wait-all", "perhaps", 0, 0 },
	{ "string-limit", "0", 1, 0 }, { "string-limit", "16385", 0, 0 },
	{ "absolute-timestamps", "3", 1, 3 }, { "absolute-timestamps", "4", 0, 0 },
	{ "otlp-endpoint", NULL, 0, 0 },
};

START_TEST(ranges)
{
	int r = set(values[_i].name, values[_i].value);

	ck_assert_msg((r == 0) == values[_i].ok, "--%s %s: %d %s", values[_i].name, values[_i].value, r, why);
	if (!r) {
		ck_assert_uint_eq(tracer_option_lookup(values[_i].name)->type == TRACER_OPT_STRING, 0);
		ck_assert_uint_eq(o->v[tracer_option_lookup(values[_i].name) - option_rows].num,
				  values[_i].num);
	} else {
		ck_assert_int_eq(r, -TRACER_ERR_USAGE);
		ck_assert_ptr_nonnull(strstr(why, values[_i].name));
		ck_assert_ptr_nonnull(strstr(why, "it takes") ? why : strstr(why, "needs a value"));
	}
}
END_TEST

START_TEST(messages)
{
	ck_assert_int_eq(set("otlp-batch-size", "0"), -TRACER_ERR_USAGE);
	ck_assert_str_eq(why, "--otlp-batch-size 0 is out of range; it takes a number, 1 to 65536");
	ck_assert_int_eq(set("perf-mode", "fast"), -TRACER_ERR_USAGE);
	ck_assert_str_eq(why, "--perf-mode fast: not understood; it takes balanced, aggressive, low-latency");
	ck_assert_int_eq(set("otlp-bach-size", "1"), -TRACER_ERR_USAGE);
	ck_assert_str_eq(why, "unknown option --otlp-bach-size; did you mean --otlp-batch-size?");
	ck_assert_int_eq(set("zzzzzzzzzzz", "1"), -TRACER_ERR_USAGE);
	ck_assert_str_eq(why, "unknown option --zzzzzzzzzzz");
	ck_assert_int_eq(set("string-limit", "x"), -TRACER_ERR_USAGE);
	ck_assert_str_eq(why, "-s, --string-limit 'x': not understood; it takes a number, 0 to 16384");
	ck_assert_int_eq(env("TRACER_OTLP_BATCH_SIZE=0", NULL, NULL), -TRACER_ERR_USAGE);
	ck_assert_str_eq(why, "TRACER_OTLP_BATCH_SIZE=0 is out of range; it takes a number, 1 to 65536");
}
END_TEST

START_TEST(counts)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(set("absolute-timestamps", NULL), 0);
	ck_assert_uint_eq(option_num(o, OPT_TIMESTAMPS), 3);
	ck_assert_int_eq(env("TRACER_DECODE_FDS=2", NULL, NULL), 0);
	ck_assert_uint_eq(option_num(o, OPT_DECODE_FDS), 2);
	ck_assert_int_eq(set("decode-fds", NULL), 0);
	ck_assert_uint_eq(option_num(o, OPT_DECODE_FDS), 1);	/* the option alone counts */
}
END_TEST

START_TEST(lists)
{
	ck_assert_int_eq(env("TRACER_EXPR=trace=open", NULL, NULL), 0);
	ck_assert_uint_eq(o->v[OPT_EXPR].nlist, 1);
	ck_assert_int_eq(set("expr", "trace=read"), 0);
	ck_assert_int_eq(set("trace", "write"), 0);
	ck_assert_uint_eq(o->v[OPT_EXPR].nlist, 2);
	ck_assert_str_eq(o->v[OPT_EXPR].list[0], "trace=read");
	ck_assert_str_eq(o->v[OPT_EXPR].list[1], "trace=write");
	for (unsigned i = 2; i < OPTION_LIST_MAX; i++)
		ck_assert_int_eq(set("expr", "x"), 0);
	ck_assert_int_eq(set("expr", "x"), -TRACER_ERR_USAGE);
}
END_TEST

/* All orders of setting give the same winner. */
START_TEST(precedence)
{
	static const char *const by_origin[] = { NULL, "101", "102", "103", NULL, "105" };
	static const int orders[][4] = { { 1, 2, 3, 5 }, { 5, 3, 2, 1 }, { 3, 1, 5, 2 }, { 2, 5, 1, 3 } };

	for (int k = 0; k < 4; k++)
		ck_assert_int_eq(tracer_options_set(o, "otlp-timeout", by_origin[orders[_i][k]],
						    (enum tracer_origin)orders[_i][k], why, sizeof(why)), 0);
	ck_assert_uint_eq(option_num(o, OPT_OTLP_TIMEOUT), 105000000);
	ck_assert_int_eq(o->v[OPT_OTLP_TIMEOUT].origin, TRACER_FROM_OPTION);
}
END_TEST

static const struct { const char *mode, *env[3], *option; uint64_t want; const char *origin; } batch_cases[] = {
	{ NULL, { 0 }, NULL, 512, "default of balanced" },
	{ NULL, { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=100" }, NULL, 100, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" },
	{ NULL, { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=100", "TRACER_OTLP_BATCH_SIZE=200" }, NULL, 200, "TRACER_OTLP_BATCH_SIZE" },
	{ "aggressive", { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=100", "TRACER_OTLP_BATCH_SIZE=200" }, NULL, 2048,
	  "perf-mode aggressive" },
	{ "aggressive", { "TRACER_OTLP_BATCH_SIZE=200" }, "300", 300, "option" },
	{ NULL, { "TRACER_PERF_MODE=low-latency" }, NULL, 128, "default of low-latency" },
	{ NULL, { "TRACER_PERF_MODE=low-latency", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=100" }, NULL, 100,
	  "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" },
	{ "balanced", { "TRACER_PERF_MODE=low-latency", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=100" }, NULL, 512,
	  "perf-mode balanced" },
	{ NULL, { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=" }, NULL, 512, "default of balanced" },
};

START_TEST(batch_origins)
{
	char origin[64];

	if (batch_cases[_i].option)
		ck_assert_int_eq(set("otlp-batch-size", batch_cases[_i].option), 0);
	if (batch_cases[_i].mode)
		ck_assert_int_eq(set("perf-mode", batch_cases[_i].mode), 0);
	ck_assert_int_eq(env(batch_cases[_i].env[0], batch_cases[_i].env[1], batch_cases[_i].env[2]), 0);
	ck_assert_msg(check_all() == 0, "%s", why);
	ck_assert_uint_eq(option_num(o, OPT_BATCH_SIZE), batch_cases[_i].want);
	tracer_options_format_origin(o, "otlp-batch-size", origin, sizeof(origin));
	ck_assert_str_eq(origin, batch_cases[_i].origin);
	ck_assert_str_eq(warned, "");
}
END_TEST

START_TEST(otel_signal_before_general)
{
	ck_assert_int_eq(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://t:1", "OTEL_EXPORTER_OTLP_ENDPOINT=http://g:2", NULL), 0);
	ck_assert_str_eq(option_str(o, OPT_OTLP_ENDPOINT), "http://t:1");
	ck_assert_int_eq(o->v[OPT_OTLP_ENDPOINT].origin, TRACER_FROM_OTEL_TRACES);
}
END_TEST

START_TEST(otel_bad_value_is_ignored)
{
	ck_assert_int_eq(env("OTEL_BSP_MAX_QUEUE_SIZE=many", NULL, NULL), 0);
	ck_assert_uint_eq(option_num(o, OPT_QUEUE_SIZE), 2048);
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_BSP_MAX_QUEUE_SIZE=many"));
}
END_TEST

static const struct { uint64_t pool, batch, delay_ms, queue; const char *name; } presets[] = {
	{ 1024, 512, 1000, 2048, "balanced" }, { 4096, 2048, 5000, 8192, "aggressive" }, { 256, 128, 100, 512, "low-latency" },
};

START_TEST(preset_numbers)
{
	ck_assert_int_eq(set("perf-mode", presets[_i].name), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_uint_eq(option_num(o, OPT_POOL_SIZE), presets[_i].pool);
	ck_assert_uint_eq(option_num(o, OPT_BATCH_SIZE), presets[_i].batch);
	ck_assert_uint_eq(option_num(o, OPT_BATCH_DELAY), presets[_i].delay_ms * 1000000);
	ck_assert_uint_eq(option_num(o, OPT_QUEUE_SIZE), presets[_i].queue);
	ck_assert_uint_eq(option_num(o, OPT_POOL_MAX), presets[_i].pool * 64);
}
END_TEST

static const struct { const char *mode, *batch, *queue, *env; int ok; uint64_t want_batch, want_queue; } queues[] = {
	{ NULL, "4096", "2048", NULL, 0, 0, 0 },
	{ NULL, "4096", "4096", NULL, 1, 4096, 4096 },
	{ NULL, "4096", NULL, NULL, 1, 4096, 4096 },
	{ NULL, NULL, "100", NULL, 1, 100, 100 },
	{ "low-latency", "600", NULL, NULL, 1, 600, 600 },
	{ NULL, "4096", NULL, "TRACER_OTLP_QUEUE_SIZE=1000", 1, 4096, 4096 },
	{ NULL, NULL, NULL, "OTEL_BSP_MAX_QUEUE_SIZE=10", 1, 10, 10 },
};

START_TEST(batch_and_queue)
{
	if (queues[_i].mode)
		ck_assert_int_eq(set("perf-mode", queues[_i].mode), 0);
	if (queues[_i].batch)
		ck_assert_int_eq(set("otlp-batch-size", queues[_i].batch), 0);
	if (queues[_i].queue)
		ck_assert_int_eq(set("otlp-queue-size", queues[_i].queue), 0);
	ck_assert_int_eq(env(queues[_i].env, NULL, NULL), 0);
	ck_assert_msg((check_all() == 0) == queues[_i].ok, "case %d: %s", _i, why);
	if (!queues[_i].ok) {
		ck_assert_ptr_nonnull(strstr(why, "--otlp-batch-size 4096 is above --otlp-queue-size 2048"));
		return;
	}
	ck_assert_uint_eq(option_num(o, OPT_BATCH_SIZE), queues[_i].want_batch);
	ck_assert_uint_eq(option_num(o, OPT_QUEUE_SIZE), queues[_i].want_queue);
}
END_TEST

START_TEST(otel_batch_above_queue_is_cut)
{
	ck_assert_int_eq(env("OTEL_BSP_MAX_QUEUE_SIZE=10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=20", NULL), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_uint_eq(option_num(o, OPT_BATCH_SIZE), 10);
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"));
}
END_TEST

START_TEST(exclusive)
{
	ck_assert_int_eq(set("attach", "1"), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_int_eq(set("argv0", "x"), 0);
	ck_assert_int_eq(check_all(), -TRACER_ERR_USAGE);
}
END_TEST

START_TEST(pool_rules)
{
	ck_assert_int_eq(set("span-pool-max", "100"), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_uint_eq(option_num(o, OPT_POOL_SIZE), 100);
	ck_assert_int_eq(set("span-pool-size", "200"), 0);
	ck_assert_int_eq(check_all(), -TRACER_ERR_USAGE);
}
END_TEST

static const struct { const char *name, *value, *env; bool span_file, want; } wants[] = {
	{ NULL, NULL, NULL, false, false }, { "string-limit", "10", NULL, false, false },
	{ "perf-mode", "balanced", NULL, false, true }, { "otlp-batch-size", "10", NULL, false, true },
	{ "otlp-endpoint", "http://x", NULL, false, true }, { "otlp-args", NULL, NULL, false, true },
	{ "otlp-args", NULL, NULL, true, false }, { NULL, NULL, "OTEL_EXPORTER_OTLP_ENDPOINT=http://x", false, true },
	{ NULL, NULL, "OTEL_BSP_MAX_QUEUE_SIZE=10", false, false }, { NULL, NULL, "TRACER_PERF_MODE=aggressive", false, false },
	{ NULL, NULL, "TRACER_OTLP_ENDPOINT=http://x", false, true },
};

START_TEST(otlp_asked)
{
	if (wants[_i].name)
		ck_assert_int_eq(set(wants[_i].name, wants[_i].value), 0);
	ck_assert_int_eq(env(wants[_i].env, NULL, NULL), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_int_eq(options_want_otlp(o, wants[_i].span_file), wants[_i].want);
}
END_TEST

START_TEST(secrets)
{
	char buf[256];

	ck_assert_int_eq(set("otlp-headers", "api-key=hunter2"), 0);
	ck_assert_int_eq(tracer_options_format(o, "otlp-headers", buf, sizeof(buf)), TRACER_FROM_OPTION);
	ck_assert_str_eq(buf, "<redacted>");
	tracer_options_format(o, "otlp-endpoint", buf, sizeof(buf));
	ck_assert_str_eq(buf, "http://localhost:4318");
}
END_TEST

/* The specification's booleans are only true and false, its times only digits; names in any case. */
START_TEST(otel_value_forms)
{
	ck_assert_int_eq(env("OTEL_EXPORTER_OTLP_INSECURE=TRUE", "OTEL_EXPORTER_OTLP_PROTOCOL=GRPC",
			     "OTEL_BSP_SCHEDULE_DELAY=250"), 0);
	ck_assert_uint_eq(option_num(o, OPT_OTLP_INSECURE), 1);
	ck_assert_uint_eq(option_num(o, OPT_OTLP_PROTOCOL), 2);
	ck_assert_uint_eq(option_num(o, OPT_BATCH_DELAY), 250000000);
	ck_assert_str_eq(warned, "");
	teardown();
	setup();
	ck_assert_int_eq(env("OTEL_EXPORTER_OTLP_INSECURE=1", "OTEL_EXPORTER_OTLP_PROTOCOL=http", "OTEL_BSP_SCHEDULE_DELAY=1s"), 0);
	ck_assert_uint_eq(option_num(o, OPT_OTLP_INSECURE), 0);
	ck_assert_uint_eq(option_num(o, OPT_OTLP_PROTOCOL), 0);
	ck_assert_uint_eq(option_num(o, OPT_BATCH_DELAY), 1000000000);
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_EXPORTER_OTLP_INSECURE=1"));
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_EXPORTER_OTLP_PROTOCOL=http"));
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_BSP_SCHEDULE_DELAY=1s"));
}
END_TEST

START_TEST(default_endpoint_follows_protocol)
{
	ck_assert_int_eq(set("otlp-protocol", "grpc"), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_str_eq(option_str(o, OPT_OTLP_ENDPOINT), "http://localhost:4317");
	ck_assert(!option_given(o, OPT_OTLP_ENDPOINT));
	teardown();
	setup();
	ck_assert_int_eq(set("otlp-protocol", "grpc"), 0);
	ck_assert_int_eq(set("otlp-endpoint", "http://c:4318"), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_str_eq(option_str(o, OPT_OTLP_ENDPOINT), "http://c:4318");
}
END_TEST

START_TEST(spool_rules)
{
	ck_assert_int_eq(set("overflow", "spool"), 0);
	ck_assert_int_lt(check_all(), 0);
	ck_assert_ptr_nonnull(strstr(why, "--otlp-spool DIR"));
	ck_assert_int_eq(set("otlp-spool", "/tmp"), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_int_eq(set("otlp-protocol", "http/json"), 0);
	ck_assert_int_lt(check_all(), 0);
	ck_assert_ptr_nonnull(strstr(why, "http/protobuf or grpc"));
}
END_TEST

START_TEST(otel_switches)
{
	ck_assert_int_eq(env("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", NULL, NULL), 0);
	ck_assert(options_want_otlp(o, false));
	ck_assert_int_eq(env("OTEL_SDK_DISABLED=true", NULL, NULL), 0);
	ck_assert(!options_want_otlp(o, false));
	teardown();
	setup();
	ck_assert_int_eq(env("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_TRACES_EXPORTER=none", NULL), 0);
	ck_assert(!options_want_otlp(o, false));
	/* An exporter that is not here is reported and ignored. */
	teardown();
	setup();
	ck_assert_int_eq(env("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_TRACES_EXPORTER=zipkin", NULL), 0);
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_TRACES_EXPORTER=zipkin"));
	ck_assert(options_want_otlp(o, false));
}
END_TEST

/* What the command line or TRACER_* name beats what OTEL_* switch off; a switch of the same origin wins. */
static const struct { const char *env1, *env2, *name, *value, *name2, *value2; bool want; } switches[] = {
	{ "OTEL_SDK_DISABLED=true", NULL, "otlp-endpoint", "http://x", NULL, NULL, true },
	{ "OTEL_TRACES_EXPORTER=none", NULL, "otlp-endpoint", "http://x", NULL, NULL, true },
	{ "OTEL_SDK_DISABLED=true", "TRACER_OTLP_ENDPOINT=http://x", NULL, NULL, NULL, NULL, true },
	{ "OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://x", NULL, NULL, NULL, NULL, false },
	{ "OTEL_SDK_DISABLED=true", NULL, "perf-mode", "balanced", NULL, NULL, false },
	{ "TRACER_SDK_DISABLED=yes", NULL, "otlp-endpoint", "http://x", NULL, NULL, true },
	{ "TRACER_SDK_DISABLED=yes", "TRACER_OTLP_ENDPOINT=http://x", NULL, NULL, NULL, NULL, false },
	{ NULL, NULL, "otlp-endpoint", "http://x", "sdk-disabled", NULL, false },
	{ NULL, NULL, "otlp-endpoint", "http://x", "traces-exporter", "none", false },
	{ NULL, NULL, "otlp-endpoint", "http://x", NULL, NULL, true },
};

START_TEST(explicit_endpoint_beats_switches)
{
	if (switches[_i].name)
		ck_assert_int_eq(set(switches[_i].name, switches[_i].value), 0);
	if (switches[_i].name2)
		ck_assert_int_eq(set(switches[_i].name2, switches[_i].value2), 0);
	ck_assert_int_eq(env(switches[_i].env1, switches[_i].env2, NULL), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_int_eq(options_want_otlp(o, false), switches[_i].want);
}
END_TEST

static const struct { const char *name, *value, *env; bool file, want; } wants_metrics[] = {
	{ NULL, NULL, NULL, false, false }, { "otlp-endpoint", "http://x", NULL, false, false },
	{ "detail", "metrics", NULL, false, true }, { "metrics", NULL, NULL, false, true },
	{ "self-metrics", NULL, NULL, false, true }, { "detail", "metrics", "OTEL_METRICS_EXPORTER=none", false, false },
	{ "detail", "metrics", "OTEL_SDK_DISABLED=true", false, false }, { "detail", "metrics", NULL, true, false },
	{ "detail", "metrics", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://x", true, true },
	{ "detail", "metrics", "OTEL_EXPORTER_OTLP_ENDPOINT=http://x", true, true },
	{ "detail", "metrics", "OTEL_TRACES_EXPORTER=none", false, true },
};

START_TEST(metrics_asked)
{
	if (wants_metrics[_i].name)
		ck_assert_int_eq(set(wants_metrics[_i].name, wants_metrics[_i].value), 0);
	ck_assert_int_eq(env(wants_metrics[_i].env, NULL, NULL), 0);
	ck_assert_int_eq(check_all(), 0);
	ck_assert_int_eq(options_want_metrics(o, wants_metrics[_i].file), wants_metrics[_i].want);
}
END_TEST

/* Without spans there is nothing for the traces endpoint. */
START_TEST(detail_metrics_has_no_spans)
{
	ck_assert_int_eq(set("otlp-endpoint", "http://x"), 0);
	ck_assert(options_want_otlp(o, false));
	ck_assert_int_eq(set("detail", "metrics"), 0);
	ck_assert(!options_want_otlp(o, false));
}
END_TEST

/* One variable, two rows: told once. */
START_TEST(bad_value_is_told_once)
{
	const char *at;

	ck_assert_int_eq(env("OTEL_EXPORTER_OTLP_TIMEOUT=soon", NULL, NULL), 0);
	at = strstr(warned, "OTEL_EXPORTER_OTLP_TIMEOUT");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(strstr(at + 1, "OTEL_EXPORTER_OTLP_TIMEOUT"));
}
END_TEST

START_TEST(distance)
{
	ck_assert_uint_eq(nearest_distance("make", "make"), 0);
	ck_assert_uint_eq(nearest_distance("mkae", "make"), 1);
	ck_assert_uint_eq(nearest_distance("", "make"), 4);
	ck_assert_uint_eq(nearest_distance("abc", "yabd"), 2);
	ck_assert_uint_eq(nearest_distance("kitten", "sitting"), 3);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ table, 0 }, { alias_targets, 0 }, { ranges, UNIT_COUNT(values) }, { messages, 0 },
		{ counts, 0 }, { lists, 0 }, { precedence, 4 },
		{ batch_origins, UNIT_COUNT(batch_cases) }, { otel_signal_before_general, 0 },
		{ otel_bad_value_is_ignored, 0 }, { preset_numbers, 3 },
		{ batch_and_queue, UNIT_COUNT(queues) }, { otel_batch_above_queue_is_cut, 0 },
		{ exclusive, 0 }, { pool_rules, 0 }, { otlp_asked, UNIT_COUNT(wants) },
		{ metrics_asked, UNIT_COUNT(wants_metrics) }, { detail_metrics_has_no_spans, 0 },
		{ bad_value_is_told_once, 0 }, { secrets, 0 }, { otel_value_forms, 0 },
		{ default_endpoint_follows_protocol, 0 }, { otel_switches, 0 },
		{ explicit_endpoint_beats_switches, UNIT_COUNT(switches) }, { spool_rules, 0 },
		{ distance, 0 }, { NULL, 0 }
	};

	return unit_run_cases("options", setup, teardown, cases);
}
