/* SPDX-License-Identifier: Apache-2.0 */
/* libprotobuf-c as the peer of the direct encoder.  Owns its structs and its buffer; one thread. */
#include "config.h"
#include "pb_encoder.h"
#include <stdlib.h>
#include <string.h>
#include <tracer/version.h>
#include "export/otlp_encode.h"
#include "export/proto/trace_service.pb-c.h"
#include "span/resource.h"

typedef Opentelemetry__Proto__Common__V1__AnyValue AnyValue;
typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;
typedef Opentelemetry__Proto__Trace__V1__Span PbSpan;

struct slot {
	PbSpan span;
	KeyValue attrs[SPAN_ATTRS_MAX], *attr_list[SPAN_ATTRS_MAX];
	AnyValue values[SPAN_ATTRS_MAX];
	char text[SPAN_SIZE + 2 * SPAN_ATTRS_MAX];	/* C strings need their ends */
};

struct pb_encoder {
	Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest request;
	Opentelemetry__Proto__Trace__V1__ResourceSpans group, *group_list[1];
	Opentelemetry__Proto__Trace__V1__ScopeSpans scope_spans, *scope_list[1];
	Opentelemetry__Proto__Common__V1__InstrumentationScope scope;
	Opentelemetry__Proto__Resource__V1__Resource resource;
	KeyValue resource_attrs[SPAN_ATTRS_MAX], *resource_list[SPAN_ATTRS_MAX];
	AnyValue resource_values[SPAN_ATTRS_MAX];
	struct slot *slots;
	PbSpan **list;
	uint8_t *buf;
	size_t cap;
};

struct pb_encoder *pb_encoder_new(size_t max_spans)
{
	struct pb_encoder *e = calloc(1, sizeof(*e));

	e->slots = calloc(max_spans, sizeof(*e->slots));
	e->list = calloc(max_spans, sizeof(*e->list));
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__init(&e->request);
	opentelemetry__proto__trace__v1__resource_spans__init(&e->group);
	opentelemetry__proto__trace__v1__scope_spans__init(&e->scope_spans);
	opentelemetry__proto__common__v1__instrumentation_scope__init(&e->scope);
	opentelemetry__proto__resource__v1__resource__init(&e->resource);
	e->scope.name = (char *)(uintptr_t)OTLP_SCOPE_NAME;
	e->scope.version = (char *)(uintptr_t)TRACER_VERSION;
	e->group.schema_url = e->scope_spans.schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	e->group.resource = &e->resource;
	e->scope_spans.scope = &e->scope;
	e->group_list[0] = &e->group;
	e->scope_list[0] = &e->scope_spans;
	e->request.n_resource_spans = 1;
	e->request.resource_spans = e->group_list;
	e->group.n_scope_spans = 1;
	e->group.scope_spans = e->scope_list;
	e->scope_spans.spans = e->list;
	return e;
}

void pb_encoder_free(struct pb_encoder *e)
{
	free(e->slots);
	free(e->list);
	free(e->buf);
	free(e);
}

static char *text_add(char **room, const char *p, size_t n)
{
	char *s = *room;

	memcpy(s, p, n);
	s[n] = '\0';
	*room += n + 1;
	return s;
}

static void set_value(AnyValue *v, uint8_t type, const char *text, int64_t i)
{
	opentelemetry__proto__common__v1__any_value__init(v);
	if (type == SPAN_INT) {
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
		v->int_value = i;
	} else {
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
		v->string_value = (char *)(uintptr_t)text;
	}
}

static void set_attr(KeyValue *kv, AnyValue *v, const char *key)
{
	opentelemetry__proto__common__v1__key_value__init(kv);
	kv->key = (char *)(uintptr_t)key;
	kv->value = v;
}

static void slot_set(struct slot *t, const struct span *s)
{
	char *room = t->text;

	opentelemetry__proto__trace__v1__span__init(&t->span);
	t->span.trace_id = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)s->trace_id };
	t->span.span_id = (ProtobufCBinaryData){ 8, (uint8_t *)(uintptr_t)s->span_id };
	t->span.parent_span_id = (ProtobufCBinaryData){ 8, (uint8_t *)(uintptr_t)s->parent_id };
	t->span.name = text_add(&room, s->text + s->name_off, s->name_len);
	t->span.kind = s->kind;
	t->span.start_time_unix_nano = s->start_ns;
	t->span.end_time_unix_nano = s->end_ns;
	t->span.flags = s->flags;
	t->span.n_attributes = s->nattrs;
	t->span.attributes = t->attr_list;
	for (unsigned i = 0; i < s->nattrs; i++) {
		const struct span_attr *a = &s->attrs[i];
		const char *text = a->type == SPAN_STR ? text_add(&room, s->text + a->v.off, a->len) : NULL;

		set_value(&t->values[i], a->type, text, a->v.i);
		set_attr(&t->attrs[i], &t->values[i], span_key_names[a->key]);
		t->attr_list[i] = &t->attrs[i];
	}
}

static void resource_set(struct pb_encoder *e, const struct resource *r)
{
	e->resource.n_attributes = r->nattrs < SPAN_ATTRS_MAX ? r->nattrs : SPAN_ATTRS_MAX;
	e->resource.attributes = e->resource_list;
	for (size_t i = 0; i < e->resource.n_attributes; i++) {
		set_value(&e->resource_values[i], r->attrs[i].type, r->attrs[i].value, r->attrs[i].i);
		set_attr(&e->resource_attrs[i], &e->resource_values[i], r->attrs[i].key);
		e->resource_list[i] = &e->resource_attrs[i];
	}
}

size_t pb_encode_spans(struct pb_encoder *e, struct span *const *spans, size_t n, const uint8_t **out)
{
	size_t len;

	resource_set(e, spans[0]->resource);
	for (size_t i = 0; i < n; i++) {
		slot_set(&e->slots[i], spans[i]);
		e->list[i] = &e->slots[i].span;
	}
	e->scope_spans.n_spans = n;
	len = opentelemetry__proto__collector__trace__v1__export_trace_service_request__get_packed_size(&e->request);
	if (len > e->cap) {
		free(e->buf);
		e->cap = len + len / 2;
		e->buf = malloc(e->cap);
	}
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__pack(&e->request, e->buf);
	*out = e->buf;
	return len;
}
