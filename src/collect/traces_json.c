/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A received request as OTLP/JSON: the proto3 JSON mapping with OTLP's
 * deviations (ids in lower-case hex, enums as numbers, 64-bit integers as
 * strings).  Source: opentelemetry-proto docs/specification.md, "JSON Protobuf
 * Encoding".  Receiver's polling thread; no state.
 */
#include "config.h"
#include "base/json_writer.h"
#include "collect/traces.h"
#include <math.h>
#include <string.h>

typedef Opentelemetry__Proto__Common__V1__KeyValue pb_key_value;
typedef Opentelemetry__Proto__Common__V1__AnyValue pb_any;
typedef Opentelemetry__Proto__Trace__V1__Span pb_span;

static void add_hex(struct json_writer *w, const char *key, const ProtobufCBinaryData *b)
{
	static const char digits[] = "0123456789abcdef";
	char text[64];
	size_t n = b->len <= 32 ? b->len : 32;

	if (!b->len)
		return;
	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[b->data[i] >> 4];
		text[2 * i + 1] = digits[b->data[i] & 15];
	}
	json_add_str(w, key, text, 2 * n);
}

static void add_base64(struct json_writer *w, const char *key, const ProtobufCBinaryData *b)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct strbuf sb;

	strbuf_init(&sb, 4 * (b->len / 3 + 1));
	for (size_t i = 0; i < b->len; i += 3) {
		size_t left = b->len - i;
		uint32_t v = (uint32_t)b->data[i] << 16 | (left > 1 ? (uint32_t)b->data[i + 1] << 8 : 0) |
			     (left > 2 ? b->data[i + 2] : 0);

		strbuf_add_char(&sb, set[v >> 18]);
		strbuf_add_char(&sb, set[v >> 12 & 63]);
		strbuf_add_char(&sb, left > 1 ? set[v >> 6 & 63] : '=');
		strbuf_add_char(&sb, left > 2 ? set[v & 63] : '=');
	}
	json_add_str(w, key, sb.p ? sb.p : "", sb.len);
	strbuf_fini(&sb);
}

static void add_text(struct json_writer *w, const char *key, const char *s)
{
	if (s && *s)
		json_add_str(w, key, s, strlen(s));
}

static void add_attributes(struct json_writer *w, const char *key, pb_key_value *const *kv, size_t n);

static void add_double(struct json_writer *w, double v)
{
	if (isnan(v))
		json_add_str(w, "doubleValue", "NaN", 3);
	else if (isinf(v))
		json_add_str(w, "doubleValue", v < 0 ? "-Infinity" : "Infinity", v < 0 ? 9 : 8);
	else
		json_add_double(w, "doubleValue", v);
}

static void add_value(struct json_writer *w, const char *key, const pb_any *v)
{
	json_open_object(w, key);
	switch (v ? v->value_case : OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE__NOT_SET) {
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE:
		json_add_str(w, "stringValue", v->string_value, strlen(v->string_value));
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE:
		json_add_bool(w, "boolValue", v->bool_value);
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE:
		json_add_i64_str(w, "intValue", v->int_value);
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_DOUBLE_VALUE:
		add_double(w, v->double_value);
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BYTES_VALUE:
		add_base64(w, "bytesValue", &v->bytes_value);
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_ARRAY_VALUE:
		json_open_object(w, "arrayValue");
		json_open_array(w, "values");
		for (size_t i = 0; i < v->array_value->n_values; i++)
			add_value(w, NULL, v->array_value->values[i]);
		json_close_array(w);
		json_close_object(w);
		break;
	case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_KVLIST_VALUE:
		json_open_object(w, "kvlistValue");
		add_attributes(w, "values", v->kvlist_value->values, v->kvlist_value->n_values);
		json_close_object(w);
		break;
	default:
		break;
	}
	json_close_object(w);
}

static void add_attributes(struct json_writer *w, const char *key, pb_key_value *const *kv, size_t n)
{
	if (!n)
		return;
	json_open_array(w, key);
	for (size_t i = 0; i < n; i++) {
		json_open_object(w, NULL);
		json_add_str(w, "key", kv[i]->key, strlen(kv[i]->key));
		add_value(w, "value", kv[i]->value);
		json_close_object(w);
	}
	json_close_array(w);
}

static void add_count(struct json_writer *w, const char *key, uint32_t n)
{
	if (n)
		json_add_u64(w, key, n);
}

static void add_links(struct json_writer *w, const pb_span *s)
{
	if (!s->n_links)
		return;
	json_open_array(w, "links");
	for (size_t i = 0; i < s->n_links; i++) {
		json_open_object(w, NULL);
		add_hex(w, "traceId", &s->links[i]->trace_id);
		add_hex(w, "spanId", &s->links[i]->span_id);
		add_text(w, "traceState", s->links[i]->trace_state);
		add_attributes(w, "attributes", s->links[i]->attributes, s->links[i]->n_attributes);
		add_count(w, "droppedAttributesCount", s->links[i]->dropped_attributes_count);
		if (s->links[i]->flags)
			json_add_u64(w, "flags", s->links[i]->flags);
		json_close_object(w);
	}
	json_close_array(w);
}

static void add_events(struct json_writer *w, const pb_span *s)
{
	if (!s->n_events)
		return;
	json_open_array(w, "events");
	for (size_t i = 0; i < s->n_events; i++) {
		json_open_object(w, NULL);
		json_add_u64_str(w, "timeUnixNano", s->events[i]->time_unix_nano);
		add_text(w, "name", s->events[i]->name);
		add_attributes(w, "attributes", s->events[i]->attributes, s->events[i]->n_attributes);
		add_count(w, "droppedAttributesCount", s->events[i]->dropped_attributes_count);
		json_close_object(w);
	}
	json_close_array(w);
}

static void add_span(struct json_writer *w, const pb_span *s)
{
	json_open_object(w, NULL);
	add_hex(w, "traceId", &s->trace_id);
	add_hex(w, "spanId", &s->span_id);
	add_text(w, "traceState", s->trace_state);
	add_hex(w, "parentSpanId", &s->parent_span_id);
	add_text(w, "name", s->name);
	json_add_i64(w, "kind", s->kind);
	json_add_u64_str(w, "startTimeUnixNano", s->start_time_unix_nano);
	json_add_u64_str(w, "endTimeUnixNano", s->end_time_unix_nano);
	add_attributes(w, "attributes", s->attributes, s->n_attributes);
	add_count(w, "droppedAttributesCount", s->dropped_attributes_count);
	add_events(w, s);
	add_count(w, "droppedEventsCount", s->dropped_events_count);
	add_links(w, s);
	add_count(w, "droppedLinksCount", s->dropped_links_count);
	if (s->status) {
		json_open_object(w, "status");
		add_text(w, "message", s->status->message);
		if (s->status->code)
			json_add_i64(w, "code", s->status->code);
		json_close_object(w);
	}
	if (s->flags)
		json_add_u64(w, "flags", s->flags);
	json_close_object(w);
}

static void add_scope(struct json_writer *w, const Opentelemetry__Proto__Trace__V1__ScopeSpans *ss)
{
	json_open_object(w, NULL);
	if (ss->scope) {
		json_open_object(w, "scope");
		add_text(w, "name", ss->scope->name);
		add_text(w, "version", ss->scope->version);
		add_attributes(w, "attributes", ss->scope->attributes, ss->scope->n_attributes);
		json_close_object(w);
	}
	json_open_array(w, "spans");
	for (size_t i = 0; i < ss->n_spans; i++)
		add_span(w, ss->spans[i]);
	json_close_array(w);
	add_text(w, "schemaUrl", ss->schema_url);
	json_close_object(w);
}

void traces_format_json(const traces_request *req, struct strbuf *out)
{
	struct json_writer w;

	json_init(&w, out);
	json_open_object(&w, NULL);
	json_open_array(&w, "resourceSpans");
	for (size_t i = 0; i < req->n_resource_spans; i++) {
		const Opentelemetry__Proto__Trace__V1__ResourceSpans *rs = req->resource_spans[i];

		json_open_object(&w, NULL);
		json_open_object(&w, "resource");
		if (rs->resource)
			add_attributes(&w, "attributes", rs->resource->attributes,
				       rs->resource->n_attributes);
		json_close_object(&w);
		json_open_array(&w, "scopeSpans");
		for (size_t j = 0; j < rs->n_scope_spans; j++)
			add_scope(&w, rs->scope_spans[j]);
		json_close_array(&w);
		add_text(&w, "schemaUrl", rs->schema_url);
		json_close_object(&w);
	}
	json_close_array(&w);
	json_close_object(&w);
}
