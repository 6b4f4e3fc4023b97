/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics into libprotobuf-c's messages.  Any thread; everything built here
 * lives in one arena until the request is packed.
 */
#include "config.h"
#include "export/otlp_metrics.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/version.h>
#include "export/otlp_encode.h"
#include "export/proto/metrics_service.pb-c.h"
#include "span/resource.h"

typedef Opentelemetry__Proto__Common__V1__AnyValue AnyValue;
typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;
typedef Opentelemetry__Proto__Metrics__V1__Metric PbMetric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint NumberPoint;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint HistogramPoint;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint ExpPoint;

/* Blocks in a list, freed together; a failure is remembered and every later
 * allocation fails, so only the end asks. */
struct arena { struct block { struct block *next; } *blocks; bool failed; };

static void *arena_add(struct arena *a, size_t n)
{
	struct block *b = a->failed ? NULL : calloc(1, sizeof(*b) + 16 + n);

	if (!b) {
		a->failed = true;
		return NULL;
	}
	b->next = a->blocks;
	a->blocks = b;
	return (char *)b + 16;
}

static void arena_fini(struct arena *a)
{
	while (a->blocks) {
		struct block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");		/* only read from here on */
}

static KeyValue *add_attr(struct arena *arena, const char *key, const char *str, size_t len, uint8_t type, int64_t i)
{
	KeyValue *kv = arena_add(arena, sizeof(*kv));
	AnyValue *v = arena_add(arena, sizeof(*v));

	if (!kv || !v)
		return NULL;
	opentelemetry__proto__common__v1__key_value__init(kv);
	opentelemetry__proto__common__v1__any_value__init(v);
	kv->key = text(key);
	kv->value = v;
	if (type == SPAN_INT) {
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
		v->int_value = i;
	} else if (type == SPAN_BYTES) {
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BYTES_VALUE;
		v->bytes_value = (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)str };
	} else {
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
		v->string_value = text(str);
	}
	return kv;
}

static KeyValue **add_attrs(struct arena *arena, const struct metric_point *p)
{
	KeyValue **list = arena_add(arena, (p->nattrs + 1) * sizeof(*list));

	for (size_t i = 0; list && i < p->nattrs; i++)
		list[i] = add_attr(arena, p->attrs[i].key, p->attrs[i].str, 0, p->attrs[i].str ? SPAN_STR : SPAN_INT,
				   p->attrs[i].i);
	return list;
}

/* Attributes and times are fields of the same names in all kinds of points. */
#define SET_COMMON(to, arena, p) do { \
	(to)->attributes = add_attrs(arena, p); \
	(to)->n_attributes = (p)->nattrs; \
	(to)->start_time_unix_nano = (p)->start_ns; \
	(to)->time_unix_nano = (p)->time_ns; \
} while (0)

static void *number_point(struct arena *arena, const struct metric_point *p)
{
	NumberPoint *n = arena_add(arena, sizeof(*n));

	if (!n)
		return NULL;
	opentelemetry__proto__metrics__v1__number_data_point__init(n);
	SET_COMMON(n, arena, p);
	if (p->is_double) {
		n->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
		n->as_double = p->d;
	} else {
		n->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT;
		n->as_int = p->i;
	}
	return n;
}

static void *histogram_point(struct arena *arena, const struct metric_point *p)
{
	HistogramPoint *h = arena_add(arena, sizeof(*h));

	if (!h)
		return NULL;
	opentelemetry__proto__metrics__v1__histogram_data_point__init(h);
	SET_COMMON(h, arena, p);
	h->count = p->count;
	h->sum_field_case = OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__SUM_FIELD_SUM;
	h->sum = p->sum;
	h->bucket_counts = (uint64_t *)(uintptr_t)p->counts;
	h->n_bucket_counts = p->ncounts;
	h->explicit_bounds = (double *)(uintptr_t)p->bounds;
	h->n_explicit_bounds = p->ncounts ? p->ncounts - 1 : 0;
	if (p->count) {
		h->min_field_case = OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__MIN_FIELD_MIN;
		h->min = p->min;
		h->max_field_case = OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__MAX_FIELD_MAX;
		h->max = p->max;
	}
	return h;
}

static void *exp_point(struct arena *arena, const struct metric_point *p)
{
	ExpPoint *h = arena_add(arena, sizeof(*h));
	Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets *b = arena_add(arena, sizeof(*b));

	if (!h || !b)
		return NULL;
	opentelemetry__proto__metrics__v1__exponential_histogram_data_point__init(h);
	opentelemetry__proto__metrics__v1__exponential_histogram_data_point__buckets__init(b);
	SET_COMMON(h, arena, p);
	h->count = p->count;
	h->sum_field_case = OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__SUM_FIELD_SUM;
	h->sum = p->sum;
	h->scale = p->scale;
	h->zero_count = p->zero_count;
	b->offset = p->offset;
	b->bucket_counts = (uint64_t *)(uintptr_t)p->counts;
	b->n_bucket_counts = p->ncounts;
	h->positive = b;
	if (p->count) {
		h->min_field_case = OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__MIN_FIELD_MIN;
		h->min = p->min;
		h->max_field_case = OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__MAX_FIELD_MAX;
		h->max = p->max;
	}
	return h;
}

static void *add_points(struct arena *arena, const struct metric *m)
{
	void **list = arena_add(arena, m->npoints * sizeof(*list));

	for (size_t i = 0; list && i < m->npoints; i++)
		list[i] = m->kind == METRIC_HISTOGRAM ? histogram_point(arena, &m->points[i]) :
			m->kind == METRIC_EXP_HISTOGRAM ? exp_point(arena, &m->points[i]) :
			number_point(arena, &m->points[i]);
	return list;
}

/* The aggregation around the points, of the metric's kind. */
#define SET_DATA(type, field, FIELD) do { \
	Opentelemetry__Proto__Metrics__V1__##type *d = arena_add(arena, sizeof(*d)); \
	if (!d) \
		return; \
	opentelemetry__proto__metrics__v1__##field##__init(d); \
	d->data_points = add_points(arena, m); \
	d->n_data_points = m->npoints; \
	SET_##FIELD(d); \
	to->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_##FIELD; \
	to->field = d; \
} while (0)
#define SET_GAUGE(d) do { } while (0)
#define SET_HISTOGRAM(d) do { (d)->aggregation_temporality = (int)m->temporality; } while (0)
#define SET_EXPONENTIAL_HISTOGRAM(d) SET_HISTOGRAM(d)
#define SET_SUM(d) do { SET_HISTOGRAM(d); (d)->is_monotonic = m->monotonic; } while (0)

static void set_data(struct arena *arena, PbMetric *to, const struct metric *m)
{
	switch (m->kind) {
	case METRIC_GAUGE:
		SET_DATA(Gauge, gauge, GAUGE);
		break;
	case METRIC_HISTOGRAM:
		SET_DATA(Histogram, histogram, HISTOGRAM);
		break;
	case METRIC_EXP_HISTOGRAM:
		SET_DATA(ExponentialHistogram, exponential_histogram, EXPONENTIAL_HISTOGRAM);
		break;
	default:
		SET_DATA(Sum, sum, SUM);
	}
}

static PbMetric *add_metric(struct arena *arena, const struct metric *m)
{
	PbMetric *to = arena_add(arena, sizeof(*to));

	if (!to)
		return NULL;
	opentelemetry__proto__metrics__v1__metric__init(to);
	to->name = text(m->name);
	to->description = text(m->description);
	to->unit = text(m->unit);
	set_data(arena, to, m);
	return to;
}

static Opentelemetry__Proto__Resource__V1__Resource *add_resource(struct arena *arena, const struct resource *r)
{
	Opentelemetry__Proto__Resource__V1__Resource *to = arena_add(arena, sizeof(*to));

	if (!to)
		return NULL;
	opentelemetry__proto__resource__v1__resource__init(to);
	to->attributes = arena_add(arena, (r->nattrs + 1) * sizeof(*to->attributes));
	for (size_t i = 0; to->attributes && i < r->nattrs; i++)
		to->attributes[to->n_attributes++] = add_attr(arena, r->attrs[i].key, r->attrs[i].value,
							      r->attrs[i].value_len, r->attrs[i].type, r->attrs[i].i);
	return to;
}

static int pack(const Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *q, uint8_t **out,
		size_t *len)
{
	uint8_t *mem;

	*len = opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__get_packed_size(q);
	mem = malloc(OTLP_METRICS_HEADROOM + *len);
	if (!mem)
		return -ENOMEM;
	*out = mem + OTLP_METRICS_HEADROOM;
	opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__pack(q, *out);
	return 0;
}

int otlp_encode_metrics(const struct resource *r, const struct metric *metrics, size_t n, uint8_t **out, size_t *len)
{
	Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest q;
	Opentelemetry__Proto__Metrics__V1__ResourceMetrics rm, *rms[] = { &rm };
	Opentelemetry__Proto__Metrics__V1__ScopeMetrics sm, *sms[] = { &sm };
	Opentelemetry__Proto__Common__V1__InstrumentationScope scope;
	struct arena arena = { 0 };
	int err = 0;

	opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__init(&q);
	opentelemetry__proto__metrics__v1__resource_metrics__init(&rm);
	opentelemetry__proto__metrics__v1__scope_metrics__init(&sm);
	opentelemetry__proto__common__v1__instrumentation_scope__init(&scope);
	scope.name = text(OTLP_SCOPE_NAME);
	scope.version = text(TRACER_VERSION);
	sm.scope = &scope;
	sm.schema_url = rm.schema_url = text(OTLP_SCHEMA_URL);
	sm.metrics = arena_add(&arena, (n + 1) * sizeof(*sm.metrics));
	rm.resource = add_resource(&arena, r);
	for (size_t i = 0; sm.metrics && i < n; i++)
		if (metrics[i].npoints)
			sm.metrics[sm.n_metrics++] = add_metric(&arena, &metrics[i]);
	rm.scope_metrics = sms;
	rm.n_scope_metrics = 1;
	q.resource_metrics = rms;
	q.n_resource_metrics = 1;
	*len = 0;
	*out = NULL;
	if (arena.failed)
		err = -ENOMEM;
	else if (sm.n_metrics)
		err = pack(&q, out, len);
	arena_fini(&arena);
	return err;
}

void otlp_metrics_free(uint8_t *out)
{
	if (out)
		free(out - OTLP_METRICS_HEADROOM);
}
