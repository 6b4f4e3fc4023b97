/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is decided when all options are set: the preset's numbers, rules
 * between options; and the text of --print-config.
 * Same thread and owner as options.c.
 */
#include "config.h"
#include "session/options.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/strbuf.h"
#include "export/batch_processor.h"
#include "export/otlp_exporter.h"
#include "span/span_builder.h"

static int apply_preset(struct tracer_options *o, char *why, size_t whylen)
{
	const struct option_value *mode = &o->v[OPT_PERF_MODE];
	enum tracer_origin origin =
	    mode->origin == TRACER_FROM_OPTION ? TRACER_FROM_PERF_MODE : TRACER_FROM_DEFAULT;
	int r = 0;

	for (const struct tracer_option *row = option_rows; row < option_rows + OPTIONS && !r; row++)
		if (row->preset[1])
			r = option_set(o, row, row->preset[mode->num], origin, NULL, why, whylen);
	return r;
}

/* A number that follows another one, at the origin of the one that it follows. */
static int adapt(struct tracer_options *o, enum option_id id, uint64_t num, char *why, size_t whylen)
{
	enum tracer_origin origin = o->v[id].origin;
	char text[24];
	int r;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)num);
	r = option_set(o, &option_rows[id], text, TRACER_FROM_OPTION, NULL, why, whylen);
	o->v[id].origin = origin;
	o->v[id].adapted = true;
	return r;
}

/* A batch must fit into the queue: the weaker of the two gives way. */
static int check_queue(struct tracer_options *o, void (*warn)(void *, const char *), void *ctx, char *why,
		       size_t whylen)
{
	const struct option_value *batch = &o->v[OPT_BATCH_SIZE], *queue = &o->v[OPT_QUEUE_SIZE];

	if (batch->num <= queue->num)
		return 0;
	if (batch->origin > queue->origin)
		return adapt(o, OPT_QUEUE_SIZE, batch->num, why, whylen);
	if (batch->origin < queue->origin)
		return adapt(o, OPT_BATCH_SIZE, queue->num, why, whylen);
	if (batch->origin == TRACER_FROM_OTEL_TRACES) {
		if (warn)
			warn(ctx, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is above OTEL_BSP_MAX_QUEUE_SIZE; batches are cut to the queue");
		return adapt(o, OPT_BATCH_SIZE, queue->num, why, whylen);
	}
	snprintf(why, whylen,
		 "--otlp-batch-size %llu is above --otlp-queue-size %llu; give a queue of at least %llu",
		 (unsigned long long)batch->num, (unsigned long long)queue->num,
		 (unsigned long long)batch->num);
	return -TRACER_ERR_USAGE;
}

static int check_pool(struct tracer_options *o, char *why, size_t whylen)
{
	uint64_t size = o->v[OPT_POOL_SIZE].num, max = o->v[OPT_POOL_MAX].num;

	if (!o->v[OPT_POOL_MAX].str)
		return adapt(o, OPT_POOL_MAX, size * 64, why, whylen);
	if (max >= size)
		return 0;
	if (o->v[OPT_POOL_SIZE].origin < o->v[OPT_POOL_MAX].origin)
		return adapt(o, OPT_POOL_SIZE, max, why, whylen);
	snprintf(why, whylen, "--span-pool-size %llu is above --span-pool-max %llu", (unsigned long long)size,
		 (unsigned long long)max);
	return -TRACER_ERR_USAGE;
}

/* Each protocol has its own default port. */
static int check_endpoint(struct tracer_options *o, char *why, size_t whylen)
{
	if (o->v[OPT_OTLP_ENDPOINT].origin != TRACER_FROM_DEFAULT)
		return 0;
	return option_set(o, &option_rows[OPT_OTLP_ENDPOINT],
			  otlp_endpoint_default((enum otlp_protocol)o->v[OPT_OTLP_PROTOCOL].num),
			  TRACER_FROM_DEFAULT, NULL, why, whylen);
}

static int check_attributes(const struct tracer_options *o, char *why, size_t whylen)
{
	const char *text = option_str(o, OPT_RESOURCE_ATTRIBUTES);
	char reason[200];

	if (!text || !options_check_attributes(text, reason, sizeof(reason)))
		return 0;
	snprintf(why, whylen, "--resource-attributes %.200s: %s", text, reason);
	return -TRACER_ERR_USAGE;
}

static int check_spool(const struct tracer_options *o, char *why, size_t whylen)
{
	if (option_num(o, OPT_OVERFLOW) == OVERFLOW_SPOOL && !option_str(o, OPT_OTLP_SPOOL)) {
		snprintf(why, whylen, "--overflow spool needs a directory: --otlp-spool DIR");
		return -TRACER_ERR_USAGE;
	}
	if (option_str(o, OPT_OTLP_SPOOL) && option_num(o, OPT_OTLP_PROTOCOL) == OTLP_HTTP_JSON) {
		snprintf(why, whylen,
			 "--otlp-spool keeps protobuf: use --otlp-protocol http/protobuf or grpc with it");
		return -TRACER_ERR_USAGE;
	}
	return 0;
}

static int check_exclusive(const struct tracer_options *o, char *why, size_t whylen)
{
	static const struct { enum option_id a, b; } pairs[] = {
		{ OPT_SUCCESSFUL_ONLY, OPT_FAILED_ONLY }, { OPT_ATTACH, OPT_RECORDING }, { OPT_ATTACH, OPT_USER },
		{ OPT_OUTPUT_SEPARATELY, OPT_SUMMARY_ONLY }, { OPT_OUTPUT_SEPARATELY, OPT_SUMMARY }, { OPT_ATTACH, OPT_ARGV0 }, { OPT_ATTACH, OPT_ENV },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct option_value *a = &o->v[pairs[i].a], *b = &o->v[pairs[i].b];
		if ((a->num || a->nlist || option_rows[pairs[i].a].type == TRACER_OPT_STRING) && a->origin &&
		    (b->num || b->nlist || option_rows[pairs[i].b].type == TRACER_OPT_STRING) && b->origin) {
			snprintf(why, whylen, "--%s and --%s exclude each other",
				 option_rows[pairs[i].a].name, option_rows[pairs[i].b].name);
			return -TRACER_ERR_USAGE;
		}
	}
	return 0;
}

int tracer_options_check(struct tracer_options *o, void (*warn)(void *, const char *), void *ctx, char *why,
			 size_t whylen)
{
	int r = apply_preset(o, why, whylen);

	if (!r)
		r = check_queue(o, warn, ctx, why, whylen);
	if (!r)
		r = check_pool(o, why, whylen);
	if (!r)
		r = check_endpoint(o, why, whylen);
	if (!r)
		r = otel_endpoints_check(o, warn, ctx, why, whylen);
	if (!r)
		r = check_attributes(o, why, whylen);
	if (!r)
		r = check_spool(o, why, whylen);
	if (!r)
		r = check_exclusive(o, why, whylen);
	o->checked = !r;
	return r;
}

/* Some option that is about OTLP was given. */
static bool otlp_asked(const struct tracer_options *o, bool span_file)
{
	if (o->v[OPT_OTLP_ENDPOINT].origin != TRACER_FROM_DEFAULT)
		return true;
	for (size_t i = 0; i < OPTIONS; i++) {
		bool content = i == OPT_OTLP_ARGS || i == OPT_OTLP_BUFFERS;
		if (o->v[i].origin == TRACER_FROM_OPTION && !o->v[i].adapted &&
		    (option_rows[i].flags & TRACER_OPTF_OTLP) && !(content && span_file))
			return true;
	}
	return false;
}

/*
 * A switch is on, and no endpoint that was named more explicitly speaks against it: --otlp-endpoint and
 * TRACER_OTLP_ENDPOINT beat OTEL_SDK_DISABLED, as they beat every OTEL_*.  An endpoint of OTEL_* does
 * not: between variables of its own the specification lets the switch win.
 */
static bool switched_off(const struct tracer_options *o, enum option_id id, enum option_id endpoint)
{
	enum tracer_origin off = o->v[id].origin, named = o->v[OPT_OTLP_ENDPOINT].origin;

	if (o->v[endpoint].origin > named)
		named = o->v[endpoint].origin;
	return option_num(o, id) && (named < TRACER_FROM_ENVIRON || off >= named);
}

bool options_want_otlp(const struct tracer_options *o, bool span_file)
{
	if (switched_off(o, OPT_SDK_DISABLED, OPT_OTLP_ENDPOINT) ||
	    switched_off(o, OPT_TRACES_EXPORTER, OPT_OTLP_ENDPOINT) ||
	    option_num(o, OPT_DETAIL) == DETAIL_METRICS)
		return false;
	return otlp_asked(o, span_file);
}

bool options_want_metrics(const struct tracer_options *o, bool file)
{
	bool wanted = option_num(o, OPT_DETAIL) == DETAIL_METRICS || option_num(o, OPT_METRICS) ||
		      option_num(o, OPT_SELF_METRICS);

	if (!wanted || switched_off(o, OPT_SDK_DISABLED, OPT_METRICS_ENDPOINT) ||
	    switched_off(o, OPT_METRICS_EXPORTER, OPT_METRICS_ENDPOINT))
		return false;
	return !file || otlp_asked(o, true) || option_given(o, OPT_METRICS_ENDPOINT);
}

/* --- text ---------------------------------------------------------------------------------------- */

enum tracer_origin tracer_options_format(const struct tracer_options *o, const char *name, char *buf,
					 size_t size)
{
	const struct tracer_option *row = tracer_option_lookup(name);
	const struct option_value *v;
	struct strbuf sb;

	strbuf_init_fixed(&sb, buf, size);
	if (!row)
		return TRACER_FROM_DEFAULT;
	v = &o->v[row - option_rows];
	if (row->flags & TRACER_OPTF_SECRET) {
		strbuf_add_str(&sb, v->str ? "<redacted>" : "");
	} else if (row->type == TRACER_OPT_LIST) {
		for (uint32_t i = 0; i < v->nlist; i++)
			strbuf_add_fmt(&sb, "%s%s", i ? " " : "", v->list[i]);
	} else if (row->type == TRACER_OPT_FLAG) {
		strbuf_add_str(&sb, v->num ? "yes" : "no");
	} else {
		strbuf_add_str(&sb, v->str ? v->str : "");
	}
	return v->origin;
}

void tracer_options_format_origin(const struct tracer_options *o, const char *name, char *buf, size_t size)
{
	const struct tracer_option *row = tracer_option_lookup(name);
	const struct option_value *v = row ? &o->v[row - option_rows] : NULL;
	char own[64];

	buf[0] = '\0';
	if (!v)
		return;
	tracer_option_environ_name(row, own, sizeof(own));
	if (v->adapted)
		snprintf(buf, size, "follows %s", row == &option_rows[OPT_QUEUE_SIZE]  ? "otlp-batch-size"
						  : row == &option_rows[OPT_BATCH_SIZE] ? "otlp-queue-size"
						  : row == &option_rows[OPT_POOL_MAX]	? "span-pool-size"
											: "span-pool-max");
	else if (v->origin == TRACER_FROM_OPTION)
		snprintf(buf, size, "option");
	else if (v->origin == TRACER_FROM_PERF_MODE)
		snprintf(buf, size, "perf-mode %s", option_str(o, OPT_PERF_MODE));
	else if (v->origin == TRACER_FROM_DEFAULT)
		snprintf(buf, size, "default%s%s", row->preset[1] ? " of " : "",
			 row->preset[1] ? option_str(o, OPT_PERF_MODE) : "");
	else
		snprintf(buf, size, "%s", v->source ? v->source : own);
}
