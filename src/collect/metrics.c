/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Received metrics as text.  Receiver's polling thread; the request is the
 * caller's.  Every kind of point that the protocol has is shown, so that other
 * senders' metrics can be looked at, too.
 */
#include "config.h"
#include "collect/metrics.h"
#include <inttypes.h>
#include <string.h>
#include "export/message_json.h"

typedef Opentelemetry__Proto__Metrics__V1__Metric pb_metric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint pb_number;
typedef Opentelemetry__Proto__Common__V1__KeyValue pb_key_value;

static void add_value(struct strbuf *out, const Opentelemetry__Proto__Common__V1__AnyValue *v)
{
	switch (v ? v->value_case : 0) {
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE:
		strbuf_add_str(out, v->string_value);
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE:
		strbuf_add_fmt(out, "%" PRId64, v->int_value);
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE:
		strbuf_add_str(out, v->bool_value ? "true" : "false");
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_DOUBLE_VALUE:
		strbuf_add_fmt(out, "%g", v->double_value);
		break;
	default:
		strbuf_add_str(out, "...");
	}
}

/* "  name{key=value,key=value} " */
static void add_series(struct strbuf *out, const char *name, pb_key_value *const *attrs, size_t n)
{
	strbuf_add_fmt(out, "  %s", name);
	for (size_t i = 0; i < n; i++) {
		strbuf_add_fmt(out, "%s%s=", i ? "," : "{", attrs[i]->key);
		add_value(out, attrs[i]->value);
	}
	strbuf_add_str(out, n ? "} " : " ");
}

static size_t add_numbers(struct strbuf *out, const pb_metric *m, pb_number *const *points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add_series(out, m->name, points[i]->attributes, points[i]->n_attributes);
		if (points[i]->value_case ==
		    OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE)
			strbuf_add_fmt(out, "%g", points[i]->as_double);
		else
			strbuf_add_fmt(out, "%" PRId64, points[i]->as_int);
		strbuf_add_fmt(out, " %s\n", m->unit);
	}
	return n;
}

static void add_summary(struct strbuf *out, const char *unit, uint64_t count, double sum, bool limits,
			double min, double max)
{
	strbuf_add_fmt(out, "count %" PRIu64 ", sum %g %s", count, sum, unit);
	if (limits)
		strbuf_add_fmt(out, ", %g to %g", min, max);
	strbuf_add_char(out, '\n');
}

static size_t add_histograms(struct strbuf *out, const pb_metric *m)
{
	const Opentelemetry__Proto__Metrics__V1__Histogram *h = m->histogram;

	for (size_t i = 0; i < h->n_data_points; i++) {
		const Opentelemetry__Proto__Metrics__V1__HistogramDataPoint *p = h->data_points[i];

		add_series(out, m->name, p->attributes, p->n_attributes);
		add_summary(out, m->unit, p->count, p->sum, p->min_field_case != 0, p->min, p->max);
	}
	return h->n_data_points;
}

static size_t add_exponentials(struct strbuf *out, const pb_metric *m)
{
	const Opentelemetry__Proto__Metrics__V1__ExponentialHistogram *h = m->exponential_histogram;

	for (size_t i = 0; i < h->n_data_points; i++) {
		const Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint *p = h->data_points[i];

		add_series(out, m->name, p->attributes, p->n_attributes);
		add_summary(out, m->unit, p->count, p->sum, p->min_field_case != 0, p->min, p->max);
	}
	return h->n_data_points;
}

static size_t add_metric(struct strbuf *out, const pb_metric *m)
{
	switch (m->data_case) {
	case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM:
		return add_numbers(out, m, m->sum->data_points, m->sum->n_data_points);
	case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE:
		return add_numbers(out, m, m->gauge->data_points, m->gauge->n_data_points);
	case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM:
		return add_histograms(out, m);
	case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
		return add_exponentials(out, m);
	default:
		strbuf_add_fmt(out, "  %s (a kind of metric that is not shown)\n", m->name);
		return 0;
	}
}

static void add_heading(struct strbuf *out, const Opentelemetry__Proto__Resource__V1__Resource *r)
{
	static const char *const keys[] = { "service.name", "process.executable.name" };

	strbuf_add_str(out, "metrics");
	for (size_t k = 0; r && k < 2; k++)
		for (size_t i = 0; i < r->n_attributes; i++)
			if (!strcmp(r->attributes[i]->key, keys[k])) {
				strbuf_add_fmt(out, " %s=", keys[k]);
				add_value(out, r->attributes[i]->value);
			}
	strbuf_add_char(out, '\n');
}

uint64_t metrics_format_text(const metrics_request *req, struct strbuf *out)
{
	uint64_t points = 0;

	for (size_t i = 0; i < req->n_resource_metrics; i++) {
		const Opentelemetry__Proto__Metrics__V1__ResourceMetrics *rm = req->resource_metrics[i];

		add_heading(out, rm->resource);
		for (size_t j = 0; j < rm->n_scope_metrics; j++)
			for (size_t k = 0; k < rm->scope_metrics[j]->n_metrics; k++)
				points += add_metric(out, rm->scope_metrics[j]->metrics[k]);
	}
	return points;
}

void metrics_format_json(const metrics_request *req, struct strbuf *out)
{
	message_json_format(out, &req->base);
}
