/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans and resources of any bytes, under any limits, in both encodings: what
 * comes out is a request that libprotobuf-c takes, in which every string is
 * UTF-8, and a text that is JSON; a span is never larger than was estimated.
 */
#include "config.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/utf8.h"
#include "export/otlp_encode.h"
#include "export/otlp_json.h"
#include "export/proto/trace_service.pb-c.h"
#include "fuzz.h"
#include "span/resource.h"
#include "span/span.h"

#define REQUEST_MAX 65536u

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest request;
typedef Opentelemetry__Proto__Common__V1__KeyValue key_value;
typedef Opentelemetry__Proto__Common__V1__AnyValue any_value;
typedef Opentelemetry__Proto__Trace__V1__Span pb_span;

struct input { const uint8_t *p; size_t n; };

static void require(int ok)
{
	if (!ok)
		abort();
}

static uint8_t take(struct input *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

/* Bytes behind a length. */
static size_t take_text(struct input *in, const char **p)
{
	size_t n = take(in) * (in->n && in->p[0] & 1 ? 5u : 1u);

	n = n < in->n ? n : in->n;
	*p = (const char *)in->p;
	in->p += n;
	in->n -= n;
	return n;
}

/* ---- a span of the input ---- */

static void add_attribute(struct span *s, struct input *in)
{
	enum span_key key = 1 + take(in) % (SPAN_KEYS - 1);
	uint8_t what = take(in);
	int64_t number = 0;
	const char *p;
	size_t n;

	switch (what & 7) {
	case 0:
		for (int i = 0; i < 8; i++)
			number = (int64_t)((uint64_t)number << 8 | take(in));
		span_add_int(s, key, number);
		break;
	case 1:
		span_open_array(s, key);
		for (unsigned i = what >> 3 & 7; i; i--) {
			n = take_text(in, &p);
			span_add_element(s, p, n);
		}
		span_close_array(s);
		break;
	case 2:
		span_add_bool(s, key, what & 8);
		break;
	case 3:
		span_add_double(s, key, (double)what / 3);
		break;
	default:
		n = take_text(in, &p);
		span_add_str(s, key, p, n);
	}
}

static void fill(struct span *s, struct input *in)
{
	struct span_limits limits;
	const char *p;
	size_t n;

	memset(s->trace_id, 1, sizeof(s->trace_id));
	memset(s->span_id, 2, sizeof(s->span_id));
	s->start_ns = s->end_ns = 1;
	s->has_link = take(in) & 1;
	n = take_text(in, &p);
	span_set_name(s, p, n);
	n = take_text(in, &p);
	span_set_status(s, SPAN_ERROR, p, n);
	limits = (struct span_limits){ take(in), take(in), take(in) };
	while (in->n)
		add_attribute(s, in);
	if (limits.value_len & 1)
		span_set_limits(s, &limits);
}

static struct resource *resource_of(struct input *in)
{
	struct resource *r = resource_new(1);
	char list[256], why[128];
	const char *p;
	size_t n = take_text(in, &p);

	require(r != NULL);
	resource_add_str(r, "process.executable.name", p, n);
	n = n < sizeof(list) ? n : sizeof(list) - 1;
	memcpy(list, p, n);
	list[n] = '\0';
	resource_add_list(r, list, why, sizeof(why));
	return r;
}

/* ---- protobuf ---- */

static void check_text(const char *s)
{
	require(utf8_valid(s, strlen(s)));
}

static void check_attributes(key_value *const *kv, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const any_value *v = kv[i]->value;

		require(v != NULL && kv[i]->key[0]);
		check_text(kv[i]->key);
		if (v->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE)
			check_text(v->string_value);
		if (v->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_ARRAY_VALUE)
			for (size_t k = 0; k < v->array_value->n_values; k++)
				if (v->array_value->values[k]->value_case ==
				    OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE)
					check_text(v->array_value->values[k]->string_value);
	}
}

static void check_protobuf(struct span *s)
{
	static struct otlp_encoder *e;
	const uint8_t *body;
	const pb_span *got;
	request *r;
	size_t n;

	require(e || otlp_encoder_new(&e, REQUEST_MAX) == 0);
	require(otlp_encode_spans(e, &s, 1, &body, &n) == 0);
	r = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(NULL, n, body);
	require(r && r->n_resource_spans == 1 && r->resource_spans[0]->n_scope_spans == 1);
	require(r->resource_spans[0]->scope_spans[0]->n_spans == 1);
	got = r->resource_spans[0]->scope_spans[0]->spans[0];
	check_text(got->name);
	if (got->status)
		check_text(got->status->message);
	require(got->n_attributes == s->nattrs && got->n_links == s->has_link);
	check_attributes(got->attributes, got->n_attributes);
	check_attributes(r->resource_spans[0]->resource->attributes, r->resource_spans[0]->resource->n_attributes);
	require(protobuf_c_message_get_packed_size(&got->base) <= otlp_encode_bound(s));
	require(protobuf_c_message_get_packed_size(&got->base) <= span_estimate(s));
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(r, NULL);
}

/* ---- JSON ---- */

static const char *json_check(const char *p, const char *end, int depth);

static const char *string_check(const char *p, const char *end)
{
	require(p < end && *p == '"');
	for (p++; p < end && *p != '"'; p++) {
		require((unsigned char)*p >= ' ');
		if (*p != '\\')
			continue;
		require(++p < end && strchr("\"\\/bfnrtu", *p) && *p);
		for (int i = 0; *p == 'u' && i < 4; i++)
			require(p + i + 1 < end && isxdigit((unsigned char)p[i + 1]));
	}
	require(p < end);
	return p + 1;
}

static const char *list_check(const char *p, const char *end, int depth)
{
	char close = *p == '{' ? '}' : ']';

	p++;
	require(p < end);
	if (*p == close)
		return p + 1;
	for (;; p++) {
		if (close == '}') {
			p = string_check(p, end);
			require(p < end && *p == ':');
			p++;
		}
		p = json_check(p, end, depth + 1);
		require(p < end && (*p == ',' || *p == close));
		if (*p == close)
			return p + 1;
	}
}

/* One value, without white space, as the encoder writes it: what is behind it. */
static const char *json_check(const char *p, const char *end, int depth)
{
	size_t n;

	require(p < end && depth < 32);
	if (*p == '{' || *p == '[')
		return list_check(p, end, depth);
	if (*p == '"')
		return string_check(p, end);
	n = strspn(p, "-+.eE0123456789truefalsn");
	require(n > 0);
	return p + n;
}

static void check_json(struct span *s)
{
	struct strbuf text;

	strbuf_init(&text, 16 * REQUEST_MAX);
	require(otlp_json_spans(&text, &s, 1) == 0);
	require(utf8_valid(text.p, text.len));
		require(json_check(text.p, text.p + text.len, 0) == text.p + text.len);
	strbuf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct span *s;
	struct input in = { data, size };

	if (!s)
		require((s = calloc(1, SPAN_SIZE)) != NULL);
	span_reset(s);
	s->resource = resource_of(&in);
	fill(s, &in);
	check_protobuf(s);
	check_json(s);
	resource_put(s->resource);
	return 0;
}

#define SEED(s) { s, sizeof(s) - 1 }

struct fuzz_seed fuzz_seed(unsigned i)
{
	static const struct fuzz_seed seeds[] = {
		SEED("\x0b" "a=b,c=%C3%A9" "\x01\x06openat\x00\xff\xff\xff\x01\x04\x0b/etc/passwd\x02\x00\x00\x00\x00\x00\x00\x00\x00\x09"),
		SEED("\x03" "cat\x00\x04" "caf\xe9\x05" "bad \xff\x0b\x02\x01\x03\x04\x06\xf0\x9f\x90\xa7\xf0\x9f\x05\x11\x03" "ab\xc3\x03\xc3\xa9x"),
		SEED("\x00\x01\x02\"\\\x01\n\x05\x03\x01\x02\x04\x08\x1b[2J\x00\x7f\xc2\x9b\x03\x19\x02" "aa\x00\x01\xff"),
	};

	return i < sizeof(seeds) / sizeof(seeds[0]) ? seeds[i] : (struct fuzz_seed){ NULL, 0 };
}
