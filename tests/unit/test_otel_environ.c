/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every OTEL_* variable, by table: a good value arrives and names its origin, an
 * empty one counts as unset, a bad one is told once, ignored, and leaves the
 * weaker value in force.  docs/environment.md is the same list for people.
 */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "session/options.h"
#include "unit.h"

/* bad NULL: every text is good.  A variable with two options has two rows. */
static const struct row { const char *name, *option, *good, *shown, *bad; } table[] = {
	{ "OTEL_EXPORTER_OTLP_ENDPOINT", "otlp-endpoint", "http://c:1", "http://c:1", "ftp://c" },
	{ "OTEL_EXPORTER_OTLP_ENDPOINT", "otlp-metrics-endpoint", "http://c:1", "http://c:1", "http://c:x" },
	{ "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "otlp-endpoint", "http://t:1", "http://t:1", "http://a b" },
	{ "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "otlp-metrics-endpoint", "http://m:1", "http://m:1", "http://m:70000" },
	{ "OTEL_EXPORTER_OTLP_PROTOCOL", "otlp-protocol", "GRPC", "GRPC", "http" },
	{ "OTEL_EXPORTER_OTLP_PROTOCOL", "otlp-metrics-protocol", "http/json", "http/json", "thrift" },
	{ "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "otlp-protocol", "http/json", "http/json", "json" },
	{ "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "otlp-metrics-protocol", "grpc", "grpc", "udp" },
	{ "OTEL_EXPORTER_OTLP_HEADERS", "otlp-headers", "k=v, l=%20w", "<redacted>", "novalue" },
	{ "OTEL_EXPORTER_OTLP_HEADERS", "otlp-metrics-headers", "k=v", "<redacted>", "k=%zz" },
	{ "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "otlp-headers", "k=v", "<redacted>", "k k=v" },
	{ "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "otlp-metrics-headers", "k=v", "<redacted>", "=v" },
	{ "OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp-certificate", "/dev/null", "/dev/null", "/nonexistent/ca" },
	{ "OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp-metrics-certificate", "/dev/null", "/dev/null", "/nonexistent/ca" },
	{ "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "otlp-certificate", "/dev/null", "/dev/null", "/nonexistent/ca" },
	{ "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "otlp-metrics-certificate", "/dev/null", "/dev/null", "/nonexistent/ca" },
	{ "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "otlp-client-certificate", "/dev/null", "/dev/null", "/nonexistent/c" },
	{ "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "otlp-metrics-client-certificate", "/dev/null", "/dev/null", "/nonexistent/c" },
	{ "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "otlp-client-certificate", "/dev/null", "/dev/null", "/nonexistent/c" },
	{ "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "otlp-metrics-client-certificate", "/dev/null", "/dev/null", "/nonexistent/c" },
	{ "OTEL_EXPORTER_OTLP_CLIENT_KEY", "otlp-client-key", "/dev/null", "/dev/null", "/nonexistent/k" },
	{ "OTEL_EXPORTER_OTLP_CLIENT_KEY", "otlp-metrics-client-key", "/dev/null", "/dev/null", "/nonexistent/k" },
	{ "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "otlp-client-key", "/dev/null", "/dev/null", "/nonexistent/k" },
	{ "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "otlp-metrics-client-key", "/dev/null", "/dev/null", "/nonexistent/k" },
	{ "OTEL_EXPORTER_OTLP_INSECURE", "otlp-insecure", "True", "yes", "1" },
	{ "OTEL_EXPORTER_OTLP_INSECURE", "otlp-metrics-insecure", "true", "yes", "yes" },
	{ "OTEL_EXPORTER_OTLP_TRACES_INSECURE", "otlp-insecure", "TRUE", "yes", "on" },
	{ "OTEL_EXPORTER_OTLP_METRICS_INSECURE", "otlp-metrics-insecure", "true", "yes", "0" },
	{ "OTEL_EXPORTER_OTLP_TIMEOUT", "otlp-timeout", "250", "250", "-1" },
	{ "OTEL_EXPORTER_OTLP_TIMEOUT", "otlp-metrics-timeout", "0", "0", "1s" },
	{ "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "otlp-timeout", "300", "300", "0x10" },
	{ "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "otlp-metrics-timeout", "300", "300", " 5" },
	{ "OTEL_EXPORTER_OTLP_COMPRESSION", "otlp-compression", "none", "none", "zstd" },
	{ "OTEL_EXPORTER_OTLP_COMPRESSION", "otlp-metrics-compression", "GZIP", "GZIP", "deflate" },
	{ "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "otlp-compression", "none", "none", "br" },
	{ "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "otlp-metrics-compression", "none", "none", "gz" },
	{ "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "metric-temporality", "Cumulative", "Cumulative", "both" },
	{ "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "metric-histogram", "explicit_bucket_histogram",
	  "explicit_bucket_histogram", "linear" },
	{ "OTEL_BSP_SCHEDULE_DELAY", "otlp-batch-delay", "200", "200", "-5" },
	{ "OTEL_BSP_EXPORT_TIMEOUT", "otlp-export-timeout", "0", "0", "soon" },
	{ "OTEL_BSP_MAX_QUEUE_SIZE", "otlp-queue-size", "4096", "4096", "0" },
	{ "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "otlp-batch-size", "64", "64", "0" },
	{ "OTEL_METRIC_EXPORT_INTERVAL", "metric-interval", "100", "100", "-100" },
	{ "OTEL_METRIC_EXPORT_TIMEOUT", "metric-timeout", "100", "100", "never" },
	{ "OTEL_SERVICE_NAME", "service-name", "shop", "shop", NULL },
	{ "OTEL_RESOURCE_ATTRIBUTES", "resource-attributes", "a=b,c=d%2Ce", "a=b,c=d%2Ce", "a=b,c=%g0" },
	{ "OTEL_RESOURCE_ATTRIBUTES", "resource-attributes", " a = b ", " a = b ", "a" },
	{ "OTEL_SDK_DISABLED", "sdk-disabled", "TrUe", "yes", "1" },
	{ "OTEL_TRACES_EXPORTER", "traces-exporter", "NONE", "NONE", "console" },
	{ "OTEL_METRICS_EXPORTER", "metrics-exporter", "none", "none", "prometheus" },
	{ "OTEL_PROPAGATORS", "propagators", "none", "none", NULL },	/* its words are judged by the session */
	{ "OTEL_TRACES_SAMPLER", "traces-sampler", "Always_Off", "Always_Off", "jaeger_remote" },
	{ "OTEL_TRACES_SAMPLER_ARG", "traces-sampler-arg", "0.125", "0.125", "1.5" },
	{ "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "attribute-value-length-limit", "100", "100", "-1" },
	{ "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "attribute-value-length-limit", "0", "0", "many" },
	{ "OTEL_ATTRIBUTE_COUNT_LIMIT", "attribute-count-limit", "10", "10", "4294967296" },
	{ "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "attribute-count-limit", "5", "5", "5.5" },
	{ "OTEL_SPAN_EVENT_COUNT_LIMIT", "span-event-count-limit", "1", "1", "x" },
	{ "OTEL_SPAN_LINK_COUNT_LIMIT", "span-link-count-limit", "0", "0", "x" },
	{ "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "event-attribute-count-limit", "3", "3", "x" },
	{ "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "link-attribute-count-limit", "3", "3", "x" },
};
#define ROWS ((int)(sizeof(table) / sizeof(table[0])))

static struct tracer_options *o;
static char warned[4096];
static unsigned warnings;

static void setup(void)
{
	ck_assert_int_eq(tracer_options_new(&o), 0);
	warned[0] = '\0';
	warnings = 0;
}

static void teardown(void)
{
	tracer_options_free(o);
}

static void warn(void *ctx, const char *message)
{
	(void)ctx;
	warnings++;
	strncat(warned, message, sizeof(warned) - strlen(warned) - 1);
}

static void load(const char *name, const char *value)
{
	char text[256], why[512] = "";
	char *envp[] = { text, NULL };

	snprintf(text, sizeof(text), "%s=%s", name, value);
	ck_assert_msg(tracer_options_load_environ(o, envp, warn, NULL, why, sizeof(why)) == 0, "%s: %s", text,
		      why);
	ck_assert_msg(tracer_options_check(o, warn, NULL, why, sizeof(why)) == 0, "%s: %s", text, why);
}

/* Value and origin as --print-config shows them. */
static void show(const char *option, char value[256], char origin[96])
{
	tracer_options_format(o, option, value, 256);
	tracer_options_format_origin(o, option, origin, 96);
}

START_TEST(good)
{
	char value[256], origin[96];

	load(table[_i].name, table[_i].good);
	show(table[_i].option, value, origin);
	ck_assert_str_eq(value, table[_i].shown);
	ck_assert_str_eq(origin, table[_i].name);
	ck_assert_str_eq(warned, "");
}
END_TEST

START_TEST(empty)
{
	char before[256], after[256], origin[96];

	show(table[_i].option, before, origin);
	load(table[_i].name, "");
	show(table[_i].option, after, origin);
	ck_assert_str_eq(before, after);
	ck_assert_ptr_null(strstr(origin, "OTEL"));
	ck_assert_str_eq(warned, "");
}
END_TEST

START_TEST(bad)
{
	char before[256], after[256], origin[96];

	if (!table[_i].bad)
		return;
	show(table[_i].option, before, origin);
	load(table[_i].name, table[_i].bad);
	show(table[_i].option, after, origin);
	ck_assert_str_eq(before, after);
	ck_assert_ptr_null(strstr(origin, "OTEL"));
	ck_assert_msg(warnings == 1, "%s=%s: told %u times: %s", table[_i].name, table[_i].bad, warnings,
		      warned);
	ck_assert_ptr_nonnull(strstr(warned, table[_i].name));
	ck_assert_ptr_nonnull(strstr(warned, "ignored"));
}
END_TEST

static bool in_table(const char *name, const char *option)
{
	for (int i = 0; i < ROWS; i++)
		if (!strcmp(table[i].name, name) && !strcmp(table[i].option, option))
			return true;
	return false;
}

/* Whoever adds a variable adds its row here. */
START_TEST(complete)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct tracer_option *r = &option_rows[i];

		if (r->otel && strncmp(r->otel, "OTEL_", 5) == 0)
			ck_assert_msg(in_table(r->otel, r->name), "%s of --%s has no row", r->otel, r->name);
		if (r->otel_traces)
			ck_assert_msg(in_table(r->otel_traces, r->name), "%s of --%s has no row",
				      r->otel_traces, r->name);
	}
}
END_TEST

static void load_all(char *const *envp)
{
	char why[512] = "";

	ck_assert_msg(tracer_options_load_environ(o, envp, warn, NULL, why, sizeof(why)) == 0, "%s", why);
	ck_assert_msg(tracer_options_check(o, warn, NULL, why, sizeof(why)) == 0, "%s", why);
}

/* A bad value of one signal leaves the general one in force. */
START_TEST(bad_signal_falls_back)
{
	char *envp[] = {(char *)"OTEL_EXPORTER_OTLP_ENDPOINT=http://g:1",
			(char *)"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=gopher://x",
			(char *)"OTEL_ATTRIBUTE_COUNT_LIMIT=7",
			(char *)"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=seven", NULL};

	load_all(envp);
	ck_assert_str_eq(option_str(o, OPT_OTLP_ENDPOINT), "http://g:1");
	ck_assert_int_eq(o->v[OPT_OTLP_ENDPOINT].origin, TRACER_FROM_OTEL);
	ck_assert_uint_eq(option_num(o, OPT_COUNT_LIMIT), 7);
	ck_assert_uint_eq(warnings, 2);
}
END_TEST

/* An address without a scheme is one for gRPC alone. */
START_TEST(endpoint_fits_its_protocol)
{
	char *http[] = { (char *)"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", NULL };
	char *grpc[] = { http[0], (char *)"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", NULL };

	load_all(grpc);
	ck_assert_str_eq(option_str(o, OPT_OTLP_ENDPOINT), "collector:4317");
	ck_assert_str_eq(warned, "");
	teardown();
	setup();
	load_all(http);
	ck_assert_str_eq(option_str(o, OPT_OTLP_ENDPOINT), "http://localhost:4318");
	ck_assert_uint_eq(warnings, 1);
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_EXPORTER_OTLP_ENDPOINT"));
	ck_assert_ptr_nonnull(strstr(warned, "http://localhost:4318 is used"));
}
END_TEST

/* The same texts as options are errors. */
START_TEST(own_texts_are_errors)
{
	char why[512];

	ck_assert_int_eq(tracer_options_set(o, "resource-attributes", "a", TRACER_FROM_OPTION, why, sizeof(why)), 0);
	ck_assert_int_eq(tracer_options_check(o, warn, NULL, why, sizeof(why)), -TRACER_ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(why, "--resource-attributes a: no '='"));
	ck_assert_int_eq(tracer_options_set(o, "resource-attributes", "a=b", TRACER_FROM_OPTION, why, sizeof(why)), 0);
	ck_assert_int_eq(tracer_options_check(o, warn, NULL, why, sizeof(why)), 0);
	ck_assert_int_eq(tracer_options_set(o, "traces-sampler-arg", "2", TRACER_FROM_OPTION, why, sizeof(why)),
			 -TRACER_ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(why, "from 0 to 1"));
}
END_TEST

START_TEST(config_file_is_told)
{
	load("OTEL_CONFIG_FILE", "otel.yaml");
	ck_assert_uint_eq(warnings, 1);
	ck_assert_ptr_nonnull(strstr(warned, "OTEL_CONFIG_FILE is not read"));
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ good, ROWS }, { empty, ROWS }, { bad, ROWS }, { complete, 0 },
		{ bad_signal_falls_back, 0 }, { endpoint_fits_its_protocol, 0 },
		{ own_texts_are_errors, 0 }, { config_file_is_told, 0 }, { NULL, 0 }
	};

	return unit_run_cases("otel-environ", setup, teardown, cases);
}
