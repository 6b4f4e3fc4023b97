/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to OTLP/JSON.  Pure: runs on the thread of whoever calls it (consumer:
 * file sink; exporter: http/json) and writes to the caller's buffer.
 */
#include "config.h"
#include "export/otlp_json.h"
#include <errno.h>
#include <string.h>
#include <tracer/version.h>
#include "base/json_writer.h"
#include "export/otlp_encode.h"
#include "span/resource.h"

/* A base64 text of the longest value a span can hold. */
#define BASE64_MAX (SPAN_SIZE / 3 * 4 + 8)

static void add_hex(struct json_writer *w, const char *key, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char text[32];

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	json_add_str(w, key, text, 2 * n);
}

static size_t base64_format(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *o = out;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			(i + 2 < n ? p[i + 2] : 0u);

		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*o++ = i + 2 < n ? digits[v & 63] : '=';
	}
	return (size_t)(o - out);
}

static void add_bytes(struct json_writer *w, const char *p, size_t n)
{
	char text[BASE64_MAX];

	n = n < SPAN_SIZE ? n : SPAN_SIZE;
	json_add_str(w, "bytesValue", text, base64_format(text, (const uint8_t *)p, n));
}

static void add_elements(struct json_writer *w, uint8_t type, const char *text, size_t len)
{
	for (size_t pos = 0; pos < len;) {
		json_open_object(w, NULL);
		if (type == SPAN_STR_ARRAY) {
			uint32_t head, n;

			memcpy(&head, text + pos, sizeof(head));
			pos += sizeof(head);
			n = head & 0x7fffffffu;
			if (head >> 31)
				add_bytes(w, text + pos, n);
			else
				json_add_str(w, "stringValue", text + pos, n);
			pos += n;
		} else if (type == SPAN_INT_ARRAY) {
			int64_t v;

			memcpy(&v, text + pos, sizeof(v));
			json_add_i64_str(w, "intValue", v);
			pos += sizeof(v);
		} else {
			double d;

			memcpy(&d, text + pos, sizeof(d));
			json_add_double(w, "doubleValue", d);
			pos += sizeof(d);
		}
		json_close_object(w);
	}
}

static void add_array(struct json_writer *w, uint8_t type, const char *text, size_t len)
{
	json_open_object(w, "arrayValue");
	json_open_array(w, "values");
	add_elements(w, type, text, len);
	json_close_array(w);
	json_close_object(w);
}

static void add_value(struct json_writer *w, uint8_t type, const char *text, size_t len, int64_t i, double d)
{
	json_open_object(w, "value");
	switch (type) {
	case SPAN_STR:
		json_add_str(w, "stringValue", text, len);
		break;
	case SPAN_BYTES:
		add_bytes(w, text, len);
		break;
	case SPAN_INT:
		json_add_i64_str(w, "intValue", i);
		break;
	case SPAN_BOOL:
		json_add_bool(w, "boolValue", i != 0);
		break;
	case SPAN_DOUBLE:
		json_add_double(w, "doubleValue", d);
		break;
	default:
		add_array(w, type, text, len);
	}
	json_close_object(w);
}

static void add_attr(struct json_writer *w, const struct span *s, const struct span_attr *a)
{
	const char *key = span_key_names[a->key];
	bool text = a->type == SPAN_STR || a->type == SPAN_BYTES || a->type >= SPAN_STR_ARRAY;

	json_open_object(w, NULL);
	json_add_str(w, "key", key, strlen(key));
	add_value(w, a->type, text ? s->text + a->v.off : NULL, a->len, a->v.i, a->v.d);
	json_close_object(w);
}

static void add_status(struct json_writer *w, const struct span *s)
{
	if (s->status == SPAN_UNSET && !s->message_len)
		return;
	json_open_object(w, "status");
	if (s->message_len)
		json_add_str(w, "message", s->text + s->message_off, s->message_len);
	if (s->status != SPAN_UNSET)
		json_add_u64(w, "code", s->status);
	json_close_object(w);
}

static void add_link(struct json_writer *w, const struct span_link *l)
{
	json_open_array(w, "links");
	json_open_object(w, NULL);
	add_hex(w, "traceId", l->trace_id, sizeof(l->trace_id));
	add_hex(w, "spanId", l->span_id, sizeof(l->span_id));
	if (l->trace_state && *l->trace_state)
		json_add_str(w, "traceState", l->trace_state, strlen(l->trace_state));
	if (l->flags)
		json_add_u64(w, "flags", l->flags);
	json_close_object(w);
	json_close_array(w);
}

static void add_ids(struct json_writer *w, const struct span *s)
{
	static const uint8_t none[8];

	add_hex(w, "traceId", s->trace_id, sizeof(s->trace_id));
	add_hex(w, "spanId", s->span_id, sizeof(s->span_id));
	if (s->trace_state && *s->trace_state)
		json_add_str(w, "traceState", s->trace_state, strlen(s->trace_state));
	if (memcmp(s->parent_id, none, sizeof(none)) != 0)
		add_hex(w, "parentSpanId", s->parent_id, sizeof(s->parent_id));
}

void otlp_json_span(struct strbuf *out, const struct span *s)
{
	struct json_writer w;

	json_init(&w, out);
	json_open_object(&w, NULL);
	add_ids(&w, s);
	json_add_str(&w, "name", s->text + s->name_off, s->name_len);
	json_add_u64(&w, "kind", s->kind);
	json_add_u64_str(&w, "startTimeUnixNano", s->start_ns);
	json_add_u64_str(&w, "endTimeUnixNano", s->end_ns);
	if (s->nattrs) {
		json_open_array(&w, "attributes");
		for (unsigned i = 0; i < s->nattrs; i++)
			add_attr(&w, s, &s->attrs[i]);
		json_close_array(&w);
	}
	if (s->dropped_attrs)
		json_add_u64(&w, "droppedAttributesCount", s->dropped_attrs);
	if (s->has_link)
		add_link(&w, &s->link);
	if (s->dropped_links)
		json_add_u64(&w, "droppedLinksCount", s->dropped_links);
	add_status(&w, s);
	if (s->flags)
		json_add_u64(&w, "flags", s->flags);
	json_close_object(&w);
}

static void add_resource(struct json_writer *w, const struct resource *r)
{
	json_open_object(w, "resource");
	json_open_array(w, "attributes");
	for (size_t i = 0; r && i < r->nattrs; i++) {
		const struct resource_attr *a = &r->attrs[i];

		json_open_object(w, NULL);
		json_add_str(w, "key", a->key, strlen(a->key));
		add_value(w, a->type, a->value, a->value_len, a->i, 0);
		json_close_object(w);
	}
	json_close_array(w);
	json_close_object(w);
}

void otlp_json_open_group(struct strbuf *out, const struct resource *r)
{
	struct json_writer w;

	json_init(&w, out);
	json_open_object(&w, NULL);
	add_resource(&w, r);
	json_open_array(&w, "scopeSpans");
	json_open_object(&w, NULL);
	json_open_object(&w, "scope");
	json_add_str(&w, "name", OTLP_SCOPE_NAME, strlen(OTLP_SCOPE_NAME));
	json_add_str(&w, "version", TRACER_VERSION, strlen(TRACER_VERSION));
	json_close_object(&w);
	json_open_array(&w, "spans");
}

void otlp_json_close_group(struct strbuf *out)
{
	strbuf_add_str(out, "],\"schemaUrl\":\"" OTLP_SCHEMA_URL "\"}],\"schemaUrl\":\"" OTLP_SCHEMA_URL "\"}");
}

/* All spans of the resource of spans[first], which is their first one. */
static void add_group(struct strbuf *out, struct span *const *spans, size_t first, size_t n)
{
	otlp_json_open_group(out, spans[first]->resource);
	for (size_t i = first; i < n; i++) {
		if (spans[i]->resource != spans[first]->resource)
			continue;
		if (i > first)
			strbuf_add_char(out, ',');
		otlp_json_span(out, spans[i]);
	}
	otlp_json_close_group(out);
}

static bool is_first(struct span *const *spans, size_t i)
{
	if (i && spans[i - 1]->resource == spans[i]->resource)
		return false;
	for (size_t k = 0; k < i; k++)
		if (spans[k]->resource == spans[i]->resource)
			return false;
	return true;
}

int otlp_json_spans(struct strbuf *out, struct span *const *spans, size_t n)
{
	const char *comma = "";

	strbuf_reset(out);
	strbuf_add_str(out, "{\"resourceSpans\":[");
	for (size_t i = 0; i < n && !out->truncated; i++) {
		if (!is_first(spans, i))
			continue;
		strbuf_add_str(out, comma);
		add_group(out, spans, i, n);
		comma = ",";
	}
	strbuf_add_str(out, "]}");
	return out->truncated ? -E2BIG : 0;
}
