/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to OTLP/JSON.  Pure: runs on the thread of whoever calls it (consumer:
 * file sink; exporter: http/json) and writes to the caller's buffer.
 *
 * A span's size is bounded beforehand, so that its hundred pieces are written
 * without looking for room; resources, of which there are few, go through the
 * general writer.  Both give the same text.
 */
#include "config.h"
#include "export/otlp_json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/version.h>
#include "base/base64.h"
#include "base/json_writer.h"
#include "base/utf8.h"
#include "export/otlp_encode.h"
#include "span/resource.h"

/* Around an attribute's value: the longest kind of value, its closing braces, a comma. */
#define ATTR_ROOM 64u
#define KEY_ROOM 96u
/* Everything of a span that is not an attribute or a text. */
#define SPAN_ROOM 1024u
/* A byte becomes \u00XX at the most.  So much suffices for arrays, too: an element's head or number is 4 or
 * 8 bytes of text and becomes at most 24 or 48. */
#define BYTE_ROOM 6u

/* Up to the value; copied in one piece of constant size. */
struct key_text { uint8_t len; char text[KEY_ROOM]; };

static const struct key_text keys[SPAN_KEYS] = {
#define SPAN_ATTR(id, name) [SPAN_KEY_##id] = { sizeof("{\"key\":\"" name "\",\"value\":{") - 1, \
						"{\"key\":\"" name "\",\"value\":{" },
#include "span/attrs.def"
#undef SPAN_ATTR
};

#define SPAN_ATTR(id, name) \
	_Static_assert(sizeof("{\"key\":\"" name "\",\"value\":{") <= KEY_ROOM, "key too long: " name);
#include "span/attrs.def"
#undef SPAN_ATTR

/* ---- unchecked: p is where to write, what is returned is behind it ---- */

static inline char *put_text(char *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}

#define PUT(p, literal) put_text(p, literal, sizeof(literal) - 1)

static const char digit_pairs[] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static char *put_u64(char *p, uint64_t v)
{
	char buf[20], *at = buf + sizeof(buf);

	for (; v >= 100; v /= 100) {
		at -= 2;
		memcpy(at, digit_pairs + 2 * (v % 100), 2);
	}
	if (v >= 10) {
		at -= 2;
		memcpy(at, digit_pairs + 2 * v, 2);
	} else {
		*--at = (char)('0' + v);
	}
	return put_text(p, at, (size_t)(buf + sizeof(buf) - at));
}

static char *put_i64(char *p, int64_t v)
{
	if (v >= 0)
		return put_u64(p, (uint64_t)v);
	*p = '-';
	return put_u64(p + 1, 0 - (uint64_t)v);
}

static char *put_hex(char *p, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*p++ = digits[bytes[i] >> 4];
		*p++ = digits[bytes[i] & 15];
	}
	return p;
}

/* Bytes of a word that are below ' ', or '"', '\\', DEL or not ASCII have their highest bit set in the result; so
 * may some above such a byte. */
static inline uint64_t odd_bytes(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\', del = w ^ ones * 0x7f;

	return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
		((del - ones) & ~del) | w) & high;
}

static inline bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static char *put_escape(char *p, uint8_t c)
{
	static const char shorts[256] = { ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\t'] = 't', ['\r'] = 'r',
					  ['\b'] = 'b', ['\f'] = 'f' };

	*p++ = '\\';
	if (shorts[c]) {
		*p++ = shorts[c];
		return p;
	}
	p = PUT(p, "u00");
	return put_hex(p, &c, 1);
}

/* As json_add_str() has it: bytes that are no UTF-8 are escaped as Latin-1. */
static char *put_quoted(char *p, const char *s, size_t n)
{
	size_t i = 0;

	*p++ = '"';
	while (i < n) {
		uint8_t c = (uint8_t)s[i];
		size_t len;
		uint64_t w;

		if (n - i >= sizeof(w)) {
			memcpy(&w, s + i, sizeof(w));
			if (!odd_bytes(w)) {
				p = put_text(p, s + i, sizeof(w));
				i += sizeof(w);
				continue;
			}
		}
		if (is_plain(c)) {
			*p++ = (char)c;
			i++;
			continue;
		}
		len = c >= 0x80 ? utf8_next(s + i, n - i) : 0;
		p = len ? put_text(p, s + i, len) : put_escape(p, c);
		i += len ? len : 1;
	}
	*p++ = '"';
	return p;
}

static char *put_base64(char *out, const char *text, size_t n)
{
	*out++ = '"';
	out = base64_format(out, text, n);
	*out++ = '"';
	return out;
}

static char *put_string(char *p, bool bytes, const char *text, size_t len)
{
	if (bytes)
		return put_base64(PUT(p, "\"bytesValue\":"), text, len);
	return put_quoted(PUT(p, "\"stringValue\":"), text, len);
}

static char *put_int(char *p, int64_t v)
{
	p = PUT(p, "\"intValue\":\"");
	p = put_i64(p, v);
	return PUT(p, "\"");
}

static char *put_double(char *p, double v)
{
	p = PUT(p, "\"doubleValue\":");
	return p + json_format_double(p, v);
}

static char *put_element(char *p, uint8_t type, const char *text, size_t *pos)
{
	uint32_t head;
	int64_t i;
	double d;

	switch (type) {
	case SPAN_STR_ARRAY:
		memcpy(&head, text + *pos, sizeof(head));
		p = put_string(p, head >> 31, text + *pos + sizeof(head), head & 0x7fffffffu);
		*pos += sizeof(head) + (head & 0x7fffffffu);
		return p;
	case SPAN_INT_ARRAY:
		memcpy(&i, text + *pos, sizeof(i));
		*pos += sizeof(i);
		return put_int(p, i);
	default:
		memcpy(&d, text + *pos, sizeof(d));
		*pos += sizeof(d);
		return put_double(p, d);
	}
}

static char *put_array(char *p, uint8_t type, const char *text, size_t len)
{
	p = PUT(p, "\"arrayValue\":{\"values\":[");
	for (size_t pos = 0; pos < len;) {
		*p = ',';
		p += pos > 0;
		*p++ = '{';
		p = put_element(p, type, text, &pos);
		*p++ = '}';
	}
	return PUT(p, "]}");
}

static char *put_value(char *p, uint8_t type, const char *text, size_t len, int64_t i, double d)
{
	switch (type) {
	case SPAN_STR:
	case SPAN_BYTES:
		return put_string(p, type == SPAN_BYTES, text, len);
	case SPAN_INT:
		return put_int(p, i);
	case SPAN_BOOL:
		return i ? PUT(p, "\"boolValue\":true") : PUT(p, "\"boolValue\":false");
	case SPAN_DOUBLE:
		return put_double(p, d);
	default:
		return put_array(p, type, text, len);
	}
}

static bool has_text(const struct span_attr *a)
{
	return a->type == SPAN_STR || a->type == SPAN_BYTES || a->type >= SPAN_STR_ARRAY;
}

static char *put_attrs(char *p, const struct span *s)
{
	p = PUT(p, ",\"attributes\":[");
	for (unsigned i = 0; i < s->nattrs; i++) {
		const struct span_attr *a = &s->attrs[i];

		*p = ',';
		p += i > 0;
		memcpy(p, keys[a->key].text, KEY_ROOM);
		p += keys[a->key].len;
		p = put_value(p, a->type, has_text(a) ? s->text + a->v.off : NULL, a->len, a->v.i, a->v.d);
		p = PUT(p, "}}");
	}
	return PUT(p, "]");
}

static char *put_state(char *p, const char *state)
{
	return state && *state ? put_quoted(PUT(p, ",\"traceState\":"), state, strlen(state)) : p;
}

static char *put_link(char *p, const struct span_link *l)
{
	p = put_hex(PUT(p, ",\"links\":[{\"traceId\":\""), l->trace_id, sizeof(l->trace_id));
	p = put_hex(PUT(p, "\",\"spanId\":\""), l->span_id, sizeof(l->span_id));
	p = put_state(PUT(p, "\""), l->trace_state);
	if (l->flags)
		p = put_u64(PUT(p, ",\"flags\":"), l->flags);
	return PUT(p, "}]");
}

static char *put_status(char *p, const struct span *s)
{
	const char *comma = "";

	p = PUT(p, ",\"status\":{");
	if (s->message_len) {
		p = put_quoted(PUT(p, "\"message\":"), s->text + s->message_off, s->message_len);
		comma = ",";
	}
	if (s->status != SPAN_UNSET) {
		p = put_text(p, comma, strlen(comma));
		p = put_u64(PUT(p, "\"code\":"), s->status);
	}
	return PUT(p, "}");
}

static char *put_head(char *p, const struct span *s)
{
	static const uint8_t none[8];

	p = put_hex(PUT(p, "{\"traceId\":\""), s->trace_id, sizeof(s->trace_id));
	p = put_hex(PUT(p, "\",\"spanId\":\""), s->span_id, sizeof(s->span_id));
	p = put_state(PUT(p, "\""), s->trace_state);
	if (memcmp(s->parent_id, none, sizeof(none)) != 0) {
		p = put_hex(PUT(p, ",\"parentSpanId\":\""), s->parent_id, sizeof(s->parent_id));
		p = PUT(p, "\"");
	}
	p = put_quoted(PUT(p, ",\"name\":"), s->text + s->name_off, s->name_len);
	p = put_u64(PUT(p, ",\"kind\":"), s->kind);
	p = put_u64(PUT(p, ",\"startTimeUnixNano\":\""), s->start_ns);
	p = put_u64(PUT(p, "\",\"endTimeUnixNano\":\""), s->end_ns);
	return PUT(p, "\"");
}

static char *put_span(char *p, const struct span *s)
{
	p = put_head(p, s);
	if (s->nattrs)
		p = put_attrs(p, s);
	if (s->dropped_attrs)
		p = put_u64(PUT(p, ",\"droppedAttributesCount\":"), s->dropped_attrs);
	if (s->has_link)
		p = put_link(p, &s->link);
	if (s->dropped_links)
		p = put_u64(PUT(p, ",\"droppedLinksCount\":"), s->dropped_links);
	if (s->status != SPAN_UNSET || s->message_len)
		p = put_status(p, s);
	if (s->flags)
		p = put_u64(PUT(p, ",\"flags\":"), s->flags);
	return PUT(p, "}");
}

/* ---- spans ---- */

/* Never less than what put_span() writes, KEY_ROOM behind the last key included. */
static size_t span_room(const struct span *s)
{
	size_t texts = (size_t)s->name_len + s->message_len, fixed = SPAN_ROOM + KEY_ROOM;

	if (s->trace_state)
		texts += strlen(s->trace_state);
	if (s->has_link && s->link.trace_state)
		texts += strlen(s->link.trace_state);
	for (unsigned i = 0; i < s->nattrs; i++) {
		fixed += keys[s->attrs[i].key].len + ATTR_ROOM;
		texts += has_text(&s->attrs[i]) ? s->attrs[i].len : 0;
	}
	return fixed + BYTE_ROOM * texts;
}

void otlp_json_span(struct strbuf *out, const struct span *s)
{
	size_t room = span_room(s);
	char *p = strbuf_reserve(out, room), *mem;

	if (p) {
		out->len += (size_t)(put_span(p, s) - p);
		out->p[out->len] = '\0';
		return;
	}
	/* So near its limit the buffer takes what fits, as ever. */
	mem = malloc(room);
	if (mem)
		strbuf_add(out, mem, (size_t)(put_span(mem, s) - mem));
	else
		out->truncated = true;
	free(mem);
}

static void add_resource_value(struct json_writer *w, const struct resource_attr *a)
{
	char base64[BASE64_SIZE(SPAN_SIZE)];

	switch (a->type) {
	case SPAN_INT:
		json_add_i64_str(w, "intValue", a->i);
		break;
	case SPAN_BOOL:
		json_add_bool(w, "boolValue", a->i != 0);
		break;
	case SPAN_BYTES: {
		size_t n = a->value_len < SPAN_SIZE ? a->value_len : SPAN_SIZE;
		const char *end = base64_format(base64, a->value, n);

		json_add_str(w, "bytesValue", base64, (size_t)(end - base64));
		break;
	}
	default:
		json_add_str(w, "stringValue", a->value, a->value_len);
	}
}

static void add_resource(struct json_writer *w, const struct resource *r)
{
	json_open_object(w, "resource");
	json_open_array(w, "attributes");
	for (size_t i = 0; r && i < r->nattrs; i++) {
		const struct resource_attr *a = &r->attrs[i];

		json_open_object(w, NULL);
		json_add_str(w, "key", a->key, strlen(a->key));
		json_open_object(w, "value");
		add_resource_value(w, a);
		json_close_object(w);
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
