/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of messages of one metrics request, in an arena.  The consumer
 * thread builds and encodes it at every metric interval; the bytes then go to
 * the sender's thread.  Not the hot path: libprotobuf-c packs it.
 */
#include "config.h"
#include "export/otlp_metrics.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/version.h>
#include "export/message_json.h"
#include "export/otlp_encode.h"
#include "export/proto/metrics_service.pb-c.h"
#include "stats/group.h"

#define CHUNK 65536u
#define RESOURCES_MAX (METRIC_EXECS_MAX + 2u)
#define METRICS_MAX 32u			/* of a resource */
#define JSON_LIMIT 67108864u

/* Shorter names for what protoc-c has made. */
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest Request;
typedef Opentelemetry__Proto__Metrics__V1__ResourceMetrics ResourceMetrics;
typedef Opentelemetry__Proto__Metrics__V1__ScopeMetrics ScopeMetrics;
typedef Opentelemetry__Proto__Metrics__V1__Metric Metric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint NumberPoint;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint HistogramPoint;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint ExpPoint;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets Buckets;
typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;
typedef Opentelemetry__Proto__Common__V1__AnyValue AnyValue;

struct chunk { struct chunk *next; size_t used, size; max_align_t mem[]; };

struct otlp_metrics {
	struct chunk *chunks, *spare;	/* in use, newest first; kept for the next request */
	ResourceMetrics *resources[RESOURCES_MAX];
	size_t nresources, points;
	ScopeMetrics *scope;		/* of the open resource */
	Metric *metric;			/* the open one */
	void **slots;			/* its points */
	size_t *nslots, max;
	uint64_t start_ns, time_ns;
	int error;
};

/* --- arena --- */

static struct chunk *chunk_get(struct otlp_metrics *m, size_t n)
{
	struct chunk *c = m->spare;
	size_t size = n > CHUNK ? n : CHUNK;

	if (c && c->size >= n) {
		m->spare = c->next;
	} else {
		c = malloc(sizeof(*c) + size);
		if (!c)
			return NULL;
		c->size = size;
	}
	c->used = 0;
	c->next = m->chunks;
	m->chunks = c;
	return c;
}

/* Zeroed; NULL after an error, which sticks. */
static void *take(struct otlp_metrics *m, size_t n)
{
	struct chunk *c = m->chunks;
	void *p;

	n = (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (m->error)
		return NULL;
	if (!c || c->size - c->used < n)
		c = chunk_get(m, n);
	if (!c) {
		m->error = -ENOMEM;
		return NULL;
	}
	p = memset((uint8_t *)c->mem + c->used, 0, n);
	c->used += n;
	return p;
}

static char *take_text(struct otlp_metrics *m, const char *text, size_t n)
{
	char *p = take(m, n + 1);

	return p ? memcpy(p, text, n) : NULL;
}

static void chunks_free(struct chunk *c)
{
	while (c) {
		struct chunk *next = c->next;

		free(c);
		c = next;
	}
}

int otlp_metrics_new(struct otlp_metrics **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void otlp_metrics_free(struct otlp_metrics *m)
{
	if (!m)
		return;
	chunks_free(m->chunks);
	chunks_free(m->spare);
	free(m);
}

void otlp_metrics_reset(struct otlp_metrics *m, uint64_t time_ns)
{
	while (m->chunks) {
		struct chunk *c = m->chunks;

		m->chunks = c->next;
		c->next = m->spare;
		m->spare = c;
	}
	m->nresources = m->points = 0;
	m->scope = NULL;
	m->metric = NULL;
	m->time_ns = time_ns;
	m->error = 0;
}

/* --- attributes and resources --- */

static KeyValue *take_key(struct otlp_metrics *m, const char *key)
{
	KeyValue *kv = take(m, sizeof(*kv));
	AnyValue *v = take(m, sizeof(*v));

	if (!v)
		return NULL;
	opentelemetry__proto__common__v1__key_value__init(kv);
	opentelemetry__proto__common__v1__any_value__init(v);
	kv->key = take_text(m, key, strlen(key));
	kv->value = v;
	return kv->key ? kv : NULL;
}

static KeyValue *take_resource_attr(struct otlp_metrics *m, const struct resource_attr *a)
{
	KeyValue *kv = take_key(m, a->key);

	if (!kv)
		return NULL;
	switch (a->type) {
	case SPAN_INT:
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
		kv->value->int_value = a->i;
		break;
	case SPAN_BOOL:
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE;
		kv->value->bool_value = a->i != 0;
		break;
	case SPAN_BYTES:
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BYTES_VALUE;
		kv->value->bytes_value.len = a->value_len;
		kv->value->bytes_value.data = (uint8_t *)take_text(m, a->value, a->value_len);
		break;
	default:
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
		kv->value->string_value = take_text(m, a->value, a->value_len);
	}
	return m->error ? NULL : kv;
}

static KeyValue *take_attr(struct otlp_metrics *m, const struct metric_attr *a)
{
	KeyValue *kv = take_key(m, a->key);

	if (!kv)
		return NULL;
	if (a->text) {
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
		kv->value->string_value = take_text(m, a->text, strlen(a->text));
	} else if (a->number) {
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
		kv->value->int_value = *a->number;
	} else {
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE;
		kv->value->bool_value = true;
	}
	return m->error ? NULL : kv;
}

static KeyValue **take_attrs(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n)
{
	KeyValue **list = take(m, (n ? n : 1) * sizeof(*list));

	for (size_t i = 0; list && i < n; i++)
		list[i] = take_attr(m, &attrs[i]);
	return list;
}

static Opentelemetry__Proto__Resource__V1__Resource *take_resource(struct otlp_metrics *m, const struct resource *r)
{
	Opentelemetry__Proto__Resource__V1__Resource *res = take(m, sizeof(*res));
	KeyValue **list = take(m, (r->nattrs + 1) * sizeof(*list));

	if (!list)
		return NULL;
	opentelemetry__proto__resource__v1__resource__init(res);
	for (size_t i = 0; i < r->nattrs; i++)
		list[i] = take_resource_attr(m, &r->attrs[i]);
	res->attributes = list;
	res->n_attributes = r->nattrs;
	return res;
}

static ScopeMetrics *take_scope(struct otlp_metrics *m)
{
	Opentelemetry__Proto__Common__V1__InstrumentationScope *scope = take(m, sizeof(*scope));
	ScopeMetrics *sm = take(m, sizeof(*sm));
	Metric **metrics = take(m, METRICS_MAX * sizeof(*metrics));

	if (!metrics)
		return NULL;
	opentelemetry__proto__common__v1__instrumentation_scope__init(scope);
	opentelemetry__proto__metrics__v1__scope_metrics__init(sm);
	scope->name = (char *)(uintptr_t)OTLP_SCOPE_NAME;
	scope->version = (char *)(uintptr_t)TRACER_VERSION;
	sm->scope = scope;
	sm->schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	sm->metrics = metrics;
	return sm;
}

/* A metric without points is not sent, nor is a resource without metrics. */
static void close_metric(struct otlp_metrics *m)
{
	if (m->metric && *m->nslots == 0)
		m->scope->n_metrics--;
	m->metric = NULL;
}

static void close_resource(struct otlp_metrics *m)
{
	close_metric(m);
	if (m->scope && m->scope->n_metrics == 0)
		m->nresources--;
	m->scope = NULL;
}

void otlp_metrics_add_resource(struct otlp_metrics *m, const struct resource *r)
{
	ResourceMetrics *rm = take(m, sizeof(*rm));
	ScopeMetrics **list = take(m, sizeof(*list));

	if (!m->error)
		close_resource(m);
	if (!m->error && m->nresources == RESOURCES_MAX)
		m->error = -ENOSPC;
	if (m->error)
		return;
	opentelemetry__proto__metrics__v1__resource_metrics__init(rm);
	rm->resource = take_resource(m, r);
	rm->schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	rm->scope_metrics = list;
	rm->n_scope_metrics = 1;
	m->scope = list[0] = take_scope(m);
	m->resources[m->nresources++] = rm;
}

/* --- metrics --- */

static void open_sum(struct otlp_metrics *m, bool monotonic, enum metric_temporality t)
{
	Opentelemetry__Proto__Metrics__V1__Sum *d = take(m, sizeof(*d));

	if (!d)
		return;
	opentelemetry__proto__metrics__v1__sum__init(d);
	d->aggregation_temporality = (Opentelemetry__Proto__Metrics__V1__AggregationTemporality)t;
	d->is_monotonic = monotonic;
	d->data_points = (NumberPoint **)m->slots;
	m->nslots = &d->n_data_points;
	m->metric->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM;
	m->metric->sum = d;
}

static void open_gauge(struct otlp_metrics *m)
{
	Opentelemetry__Proto__Metrics__V1__Gauge *d = take(m, sizeof(*d));

	if (!d)
		return;
	opentelemetry__proto__metrics__v1__gauge__init(d);
	d->data_points = (NumberPoint **)m->slots;
	m->nslots = &d->n_data_points;
	m->metric->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE;
	m->metric->gauge = d;
}

static void open_exponential(struct otlp_metrics *m, enum metric_temporality t)
{
	Opentelemetry__Proto__Metrics__V1__ExponentialHistogram *d = take(m, sizeof(*d));

	if (!d)
		return;
	opentelemetry__proto__metrics__v1__exponential_histogram__init(d);
	d->aggregation_temporality = (Opentelemetry__Proto__Metrics__V1__AggregationTemporality)t;
	d->data_points = (ExpPoint **)m->slots;
	m->nslots = &d->n_data_points;
	m->metric->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM;
	m->metric->exponential_histogram = d;
}

static void open_explicit(struct otlp_metrics *m, enum metric_temporality t)
{
	Opentelemetry__Proto__Metrics__V1__Histogram *d = take(m, sizeof(*d));

	if (!d)
		return;
	opentelemetry__proto__metrics__v1__histogram__init(d);
	d->aggregation_temporality = (Opentelemetry__Proto__Metrics__V1__AggregationTemporality)t;
	d->data_points = (HistogramPoint **)m->slots;
	m->nslots = &d->n_data_points;
	m->metric->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM;
	m->metric->histogram = d;
}

void otlp_metrics_open(struct otlp_metrics *m, const struct metric_desc *d, enum metric_kind kind,
		       enum metric_temporality t, uint64_t start_ns, size_t max)
{
	Metric *metric = take(m, sizeof(*metric));
	void **slots = take(m, (max ? max : 1) * sizeof(*slots));

	if (m->error)
		return;
	close_metric(m);
	if (m->scope->n_metrics == METRICS_MAX) {
		m->error = -ENOSPC;
		return;
	}
	opentelemetry__proto__metrics__v1__metric__init(metric);
	metric->name = (char *)(uintptr_t)d->name;
	metric->unit = (char *)(uintptr_t)d->unit;
	metric->description = (char *)(uintptr_t)d->description;
	m->scope->metrics[m->scope->n_metrics++] = metric;
	m->metric = metric;
	m->slots = slots;
	m->max = max;
	m->start_ns = start_ns;
	if (kind == METRIC_EXPONENTIAL)
		open_exponential(m, t);
	else if (kind == METRIC_EXPLICIT)
		open_explicit(m, t);
	else if (kind == METRIC_GAUGE)
		open_gauge(m);
	else
		open_sum(m, kind == METRIC_SUM, t);
}

/* --- points --- */

static void add_point(struct otlp_metrics *m, void *point)
{
	if (m->error)
		return;
	if (*m->nslots == m->max) {
		m->error = -ENOSPC;
		return;
	}
	m->slots[(*m->nslots)++] = point;
	m->points++;
}

static NumberPoint *take_number(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n)
{
	NumberPoint *p = take(m, sizeof(*p));

	if (!p)
		return NULL;
	opentelemetry__proto__metrics__v1__number_data_point__init(p);
	p->attributes = take_attrs(m, attrs, n);
	p->n_attributes = n;
	p->start_time_unix_nano = m->start_ns;
	p->time_unix_nano = m->time_ns;
	add_point(m, p);
	return p;
}

void otlp_metrics_add_int(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n, uint64_t v)
{
	NumberPoint *p = take_number(m, attrs, n);

	if (!p)
		return;
	p->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT;
	p->as_int = v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

void otlp_metrics_add_double(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n, double v)
{
	NumberPoint *p = take_number(m, attrs, n);

	if (!p)
		return;
	p->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
	p->as_double = v;
}

/* Division and not a product: the double that is nearest to the decimal number. */
static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static Buckets *take_buckets(struct otlp_metrics *m, const struct exp_histogram *h)
{
	Buckets *b = take(m, sizeof(*b));
	uint64_t *counts = take(m, (h->used + 1) * sizeof(*counts));

	if (!counts)
		return NULL;
	opentelemetry__proto__metrics__v1__exponential_histogram_data_point__buckets__init(b);
	memcpy(counts, h->counts, h->used * sizeof(*counts));
	b->offset = h->offset;
	b->bucket_counts = counts;
	b->n_bucket_counts = h->used;
	return b;
}

void otlp_metrics_add_exponential(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n,
				  const struct exp_histogram *h)
{
	ExpPoint *p = take(m, sizeof(*p));

	if (!p)
		return;
	opentelemetry__proto__metrics__v1__exponential_histogram_data_point__init(p);
	p->attributes = take_attrs(m, attrs, n);
	p->n_attributes = n;
	p->start_time_unix_nano = m->start_ns;
	p->time_unix_nano = m->time_ns;
	p->count = h->count;
	p->zero_count = h->zero_count;
	p->scale = h->scale;
	p->positive = take_buckets(m, h);
	p->sum_field_case = OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__SUM_FIELD_SUM;
	p->sum = seconds(h->sum);
	add_point(m, p);
	if (!h->count)
		return;
	p->min_field_case = OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__MIN_FIELD_MIN;
	p->max_field_case = OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__MAX_FIELD_MAX;
	p->min = seconds(h->min);
	p->max = seconds(h->max);
}

static double *take_bounds(struct otlp_metrics *m)
{
	double *bounds = take(m, sizeof(group_bounds_s));

	return bounds ? memcpy(bounds, group_bounds_s, sizeof(group_bounds_s)) : NULL;
}

static uint64_t *take_counts(struct otlp_metrics *m, const struct explicit_histogram *h)
{
	uint64_t *counts = take(m, sizeof(h->buckets));

	return counts ? memcpy(counts, h->buckets, sizeof(h->buckets)) : NULL;
}

void otlp_metrics_add_explicit(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n,
			       const struct explicit_histogram *h)
{
	HistogramPoint *p = take(m, sizeof(*p));

	if (!p)
		return;
	opentelemetry__proto__metrics__v1__histogram_data_point__init(p);
	p->attributes = take_attrs(m, attrs, n);
	p->n_attributes = n;
	p->start_time_unix_nano = m->start_ns;
	p->time_unix_nano = m->time_ns;
	p->count = h->count;
	p->n_bucket_counts = METRIC_BUCKETS;
	p->bucket_counts = take_counts(m, h);
	p->n_explicit_bounds = GROUP_BOUNDS;
	p->explicit_bounds = take_bounds(m);
	p->sum_field_case = OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__SUM_FIELD_SUM;
	p->sum = seconds(h->sum);
	add_point(m, p);
	if (!h->count)
		return;
	p->min_field_case = OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__MIN_FIELD_MIN;
	p->max_field_case = OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__MAX_FIELD_MAX;
	p->min = seconds(h->min);
	p->max = seconds(h->max);
}

size_t otlp_metrics_points(const struct otlp_metrics *m)
{
	return m->points;
}

/* --- bytes --- */

static struct metric_body *body_new(size_t len)
{
	struct metric_body *b = malloc(sizeof(*b) + OTLP_HEADROOM + len);

	if (b)
		*b = (struct metric_body){ .len = len };
	return b;
}

static int encode_json(const Request *r, struct metric_body **out)
{
	struct strbuf sb;
	int err = 0;

	strbuf_init(&sb, JSON_LIMIT);
	message_json_format(&sb, &r->base);
	*out = sb.truncated ? NULL : body_new(sb.len);
	if (*out)
		memcpy((*out)->data + OTLP_HEADROOM, sb.p, sb.len);
	else
		err = sb.truncated ? -E2BIG : -ENOMEM;
	strbuf_fini(&sb);
	return err;
}

int otlp_metrics_encode(struct otlp_metrics *m, enum otlp_protocol protocol, struct metric_body **out)
{
	Request r = OPENTELEMETRY__PROTO__COLLECTOR__METRICS__V1__EXPORT_METRICS_SERVICE_REQUEST__INIT;
	int err = 0;

	*out = NULL;
	if (m->error)
		return m->error;
	close_resource(m);
	r.resource_metrics = m->resources;
	r.n_resource_metrics = m->nresources;
	if (protocol == OTLP_HTTP_JSON) {
		err = encode_json(&r, out);
	} else {
		*out = body_new(protobuf_c_message_get_packed_size(&r.base));
		if (*out)
			protobuf_c_message_pack(&r.base, (*out)->data + OTLP_HEADROOM);
		else
			err = -ENOMEM;
	}
	if (!err)
		(*out)->points = m->points;
	return err;
}
