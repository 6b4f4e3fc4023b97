/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sample spans and the libprotobuf-c reference of their encoding.  Runs in
 * tests and benches; everything is allocated freely and given back by the
 * caller or, for the reference, from one arena.
 */
#include "config.h"
#include "otlp_samples.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/version.h>
#include "export/otlp_encode.h"
#include "export/proto/trace_service.pb-c.h"
#include "unit.h"

typedef Opentelemetry__Proto__Common__V1__AnyValue AnyValue;
typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;
typedef Opentelemetry__Proto__Common__V1__ArrayValue ArrayValue;
typedef Opentelemetry__Proto__Trace__V1__Span PbSpan;
typedef Opentelemetry__Proto__Trace__V1__ResourceSpans ResourceSpans;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest Request;

struct span *sample_new(void)
{
	struct span *s = calloc(1, SPAN_SIZE);

	span_reset(s);
	return s;
}

void sample_free(struct span *s)
{
	free(s);
}

static unsigned long pick(unsigned long *r, unsigned long n)
{
	return unit_random(r) % n;
}

/* No NUL: libprotobuf-c's strings end there. */
static size_t random_text(char *out, unsigned long *r)
{
	static const size_t lens[] = { 0, 1, 5, 15, 16, 17, 127, 128, 129, 300 };
	size_t n = lens[pick(r, sizeof(lens) / sizeof(lens[0]))];
	unsigned kind = (unsigned)pick(r, 4);

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(kind ? 'a' + pick(r, 26) : 1 + pick(r, 255));
	if (kind == 1 && n >= 4)
		memcpy(out + n - 4, "\xf0\x9f\x90\xa7", 4);
	return n;
}

static int64_t random_int(unsigned long *r)
{
	static const int64_t edges[] = { 0, 1, -1, 127, 128, 16383, 16384, INT64_MAX, INT64_MIN, 4096, -2 };

	return pick(r, 3) ? edges[pick(r, 11)] : (int64_t)(unit_random(r) >> pick(r, 64));
}

static double random_double(unsigned long *r)
{
	static const double edges[] = { 0.0, -0.0, 1.5, 1e300, -1e-300, INFINITY, NAN, 0.1 };

	return edges[pick(r, 8)];
}

static void add_random_array(struct span *s, enum span_key k, unsigned long *r)
{
	size_t n = pick(r, 8);
	int64_t ints[8];
	double doubles[8];
	char text[512];

	switch (pick(r, 3)) {
	case 0:
		span_open_array(s, k);
		for (size_t i = 0; i < n; i++)
			span_add_element(s, text, random_text(text, r));
		span_close_array(s);
		break;
	case 1:
		for (size_t i = 0; i < n; i++)
			ints[i] = random_int(r);
		span_add_ints(s, k, ints, n);
		break;
	default:
		for (size_t i = 0; i < n; i++)
			doubles[i] = random_double(r);
		span_add_doubles(s, k, doubles, n);
	}
}

static void add_random_attr(struct span *s, enum span_key k, unsigned long *r)
{
	char text[512];

	switch (pick(r, 6)) {
	case 0:
		span_add_int(s, k, random_int(r));
		break;
	case 1:
		span_add_bool(s, k, pick(r, 2));
		break;
	case 2:
		span_add_double(s, k, random_double(r));
		break;
	case 3:
		add_random_array(s, k, r);
		break;
	default:
		span_add_str(s, k, text, random_text(text, r));
	}
}

static void random_bytes(uint8_t *p, size_t n, unsigned long *r)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)unit_random(r);
}

void sample_set_random(struct span *s, unsigned long *r)
{
	static const char *const states[] = { NULL, "", "ot=th:c", "vendor=1,other=2" };
	static const uint32_t flags[] = { 0, 1, 0x101, 0x301 };
	char text[512];

	span_reset(s);
	random_bytes(s->trace_id, sizeof(s->trace_id), r);
	random_bytes(s->span_id, sizeof(s->span_id), r);
	if (pick(r, 4))
		random_bytes(s->parent_id, sizeof(s->parent_id), r);
	s->start_ns = pick(r, 20) ? 1700000000000000000u + unit_random(r) % 1000000000u : 0;
	s->end_ns = s->start_ns + pick(r, 100000);
	s->kind = (uint8_t)pick(r, 6);
	s->flags = flags[pick(r, 4)];
	s->trace_state = states[pick(r, 4)];
	span_set_name(s, text, random_text(text, r));
	if (pick(r, 2))
		span_set_status(s, pick(r, 2) ? SPAN_ERROR : SPAN_OK, text, random_text(text, r));
	if (pick(r, 3) == 0) {
		s->has_link = 1;
		random_bytes(s->link.trace_id, sizeof(s->link.trace_id), r);
		random_bytes(s->link.span_id, sizeof(s->link.span_id), r);
		s->link.flags = flags[pick(r, 4)];
		s->link.trace_state = states[pick(r, 4)];
	}
	for (size_t i = 0, n = pick(r, 12); i < n; i++)
		add_random_attr(s, (enum span_key)(1 + (i * 7 + pick(r, 7)) % (SPAN_KEYS - 1)), r);
	if (pick(r, 8) == 0)
		s->dropped_attrs += (uint32_t)pick(r, 300);
	if (pick(r, 8) == 0)
		s->dropped_links = (uint8_t)pick(r, 256);
}

void sample_set_call(struct span *s, unsigned long *r)
{
	static const char *const names[] = { "openat", "read", "close", "newfstatat", "mmap" };
	unsigned which = (unsigned)pick(r, 5);
	char path[64];
	int n = snprintf(path, sizeof(path), "/usr/include/linux/file-%06lu.h", pick(r, 4096));

	span_reset(s);
	memset(s->trace_id, 0x5a, sizeof(s->trace_id));
	random_bytes(s->span_id, sizeof(s->span_id), r);
	memset(s->parent_id, 0xc3, sizeof(s->parent_id));
	s->start_ns = 1700000000000000000u + unit_random(r) % 1000000000u;
	s->end_ns = s->start_ns + 300 + pick(r, 20000);
	s->kind = SPAN_INTERNAL;
	s->flags = 0x101;
	span_set_name(s, names[which], strlen(names[which]));
	span_add_str(s, SPAN_KEY_SYSCALL_NAME, names[which], strlen(names[which]));
	span_add_int(s, SPAN_KEY_SYSCALL_NUMBER, which);
	span_add_int(s, SPAN_KEY_SYSCALL_RETURN_VALUE, (int64_t)pick(r, 16));
	span_add_str(s, SPAN_KEY_SYSCALL_ABI, "x86_64", 6);
	span_add_int(s, SPAN_KEY_THREAD_ID, 4242);
	span_add_int(s, SPAN_KEY_SYSCALL_FD, (int64_t)pick(r, 8));
	span_add_str(s, SPAN_KEY_FILE_PATH, path, (size_t)n);
	span_add_str(s, SPAN_KEY_THREAD_NAME, "worker", 6);
}

struct resource *sample_resource(uint32_t id, unsigned long *r)
{
	struct resource *res = resource_new(id);
	char text[512];

	resource_add_str(res, "service.name", "sample", 6);
	resource_add_int(res, "process.pid", (int64_t)(1000 + id));
	resource_add_str(res, "process.executable.path", text, random_text(text, r));
	resource_add_int(res, "sample.number", random_int(r));
	return res;
}

/* ---- reference ---- */

/* Everything of one request; freed at once. */
struct arena { void **blocks; size_t n, cap; };

static void *arena_add(struct arena *a, size_t n)
{
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 256;
		a->blocks = realloc(a->blocks, a->cap * sizeof(void *));
	}
	return a->blocks[a->n++] = calloc(1, n ? n : 1);
}

static void arena_fini(struct arena *a)
{
	while (a->n)
		free(a->blocks[--a->n]);
	free(a->blocks);
}

static char *arena_text(struct arena *a, const char *p, size_t n)
{
	return n ? memcpy(arena_add(a, n + 1), p, n) : arena_add(a, 1);
}

static void set_text(struct arena *a, AnyValue *v, const char *p, size_t n, bool bytes)
{
	if (bytes) {
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BYTES_VALUE;
		v->bytes_value = (ProtobufCBinaryData){ n, (uint8_t *)arena_text(a, p, n) };
	} else {
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
		v->string_value = arena_text(a, p, n);
	}
}

static void set_int(AnyValue *v, int64_t i)
{
	v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
	v->int_value = i;
}

static void set_double(AnyValue *v, double d)
{
	v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_DOUBLE_VALUE;
	v->double_value = d;
}

static void set_element(struct arena *arena, AnyValue *v, uint8_t type, const char *text, size_t *pos)
{
	uint32_t head;

	if (type == SPAN_STR_ARRAY) {
		memcpy(&head, text + *pos, 4);
		set_text(arena, v, text + *pos + 4, head & 0x7fffffff, head >> 31);
		*pos += 4 + (head & 0x7fffffff);
	} else if (type == SPAN_INT_ARRAY) {
		int64_t i;

		memcpy(&i, text + *pos, 8);
		set_int(v, i);
		*pos += 8;
	} else {
		double d;

		memcpy(&d, text + *pos, 8);
		set_double(v, d);
		*pos += 8;
	}
}

static void set_array(struct arena *arena, AnyValue *v, const struct span_attr *a, const char *text)
{
	ArrayValue *array = arena_add(arena, sizeof(*array));

	opentelemetry__proto__common__v1__array_value__init(array);
	array->values = arena_add(arena, (a->len + 1) * sizeof(*array->values));
	for (size_t pos = 0; pos < a->len;) {
		AnyValue *e = arena_add(arena, sizeof(*e));

		opentelemetry__proto__common__v1__any_value__init(e);
		set_element(arena, e, a->type, text, &pos);
		array->values[array->n_values++] = e;
	}
	v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_ARRAY_VALUE;
	v->array_value = array;
}

static KeyValue *key_value(struct arena *arena, const char *key)
{
	KeyValue *kv = arena_add(arena, sizeof(*kv));

	opentelemetry__proto__common__v1__key_value__init(kv);
	kv->key = (char *)(uintptr_t)key;
	kv->value = arena_add(arena, sizeof(*kv->value));
	opentelemetry__proto__common__v1__any_value__init(kv->value);
	return kv;
}

static KeyValue *reference_attr(struct arena *arena, const struct span *s, const struct span_attr *a)
{
	KeyValue *kv = key_value(arena, span_key_names[a->key]);

	switch (a->type) {
	case SPAN_STR:
	case SPAN_BYTES:
		set_text(arena, kv->value, s->text + a->v.off, a->len, a->type == SPAN_BYTES);
		break;
	case SPAN_INT:
		set_int(kv->value, a->v.i);
		break;
	case SPAN_BOOL:
		kv->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE;
		kv->value->bool_value = a->v.i != 0;
		break;
	case SPAN_DOUBLE:
		set_double(kv->value, a->v.d);
		break;
	default:
		set_array(arena, kv->value, a, s->text + a->v.off);
	}
	return kv;
}

static ProtobufCBinaryData binary(const uint8_t *p, size_t n)
{
	return (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)p };
}

static void reference_status_and_link(struct arena *arena, PbSpan *p, const struct span *s)
{
	if (s->status != SPAN_UNSET || s->message_len) {
		p->status = arena_add(arena, sizeof(*p->status));
		opentelemetry__proto__trace__v1__status__init(p->status);
		p->status->code = s->status;
		p->status->message = arena_text(arena, s->text + s->message_off, s->message_len);
	}
	if (s->has_link) {
		Opentelemetry__Proto__Trace__V1__Span__Link *l = arena_add(arena, sizeof(*l));

		opentelemetry__proto__trace__v1__span__link__init(l);
		l->trace_id = binary(s->link.trace_id, 16);
		l->span_id = binary(s->link.span_id, 8);
		l->flags = s->link.flags;
		if (s->link.trace_state)
			l->trace_state = (char *)(uintptr_t)s->link.trace_state;
		p->links = arena_add(arena, sizeof(*p->links));
		p->links[p->n_links++] = l;
	}
}

static PbSpan *reference_span(struct arena *arena, const struct span *s)
{
	static const uint8_t none[8];
	PbSpan *p = arena_add(arena, sizeof(*p));

	opentelemetry__proto__trace__v1__span__init(p);
	p->trace_id = binary(s->trace_id, 16);
	p->span_id = binary(s->span_id, 8);
	if (memcmp(s->parent_id, none, 8) != 0)
		p->parent_span_id = binary(s->parent_id, 8);
	if (s->trace_state)
		p->trace_state = (char *)(uintptr_t)s->trace_state;
	p->name = arena_text(arena, s->text + s->name_off, s->name_len);
	p->kind = s->kind;
	p->start_time_unix_nano = s->start_ns;
	p->end_time_unix_nano = s->end_ns;
	p->flags = s->flags;
	p->dropped_attributes_count = s->dropped_attrs;
	p->dropped_links_count = s->dropped_links;
	p->attributes = arena_add(arena, SPAN_ATTRS_MAX * sizeof(*p->attributes));
	for (unsigned i = 0; i < s->nattrs; i++)
		p->attributes[p->n_attributes++] = reference_attr(arena, s, &s->attrs[i]);
	reference_status_and_link(arena, p, s);
	return p;
}

static ResourceSpans *reference_group(struct arena *arena, const struct resource *r, size_t n)
{
	ResourceSpans *rs = arena_add(arena, sizeof(*rs));
	Opentelemetry__Proto__Trace__V1__ScopeSpans *ss = arena_add(arena, sizeof(*ss));

	opentelemetry__proto__trace__v1__resource_spans__init(rs);
	opentelemetry__proto__trace__v1__scope_spans__init(ss);
	rs->resource = arena_add(arena, sizeof(*rs->resource));
	opentelemetry__proto__resource__v1__resource__init(rs->resource);
	rs->resource->attributes = arena_add(arena, (r->nattrs + 1) * sizeof(void *));
	for (size_t i = 0; i < r->nattrs; i++) {
		KeyValue *kv = key_value(arena, r->attrs[i].key);

		if (r->attrs[i].type == SPAN_INT)
			set_int(kv->value, r->attrs[i].i);
		else
			set_text(arena, kv->value, r->attrs[i].value, r->attrs[i].value_len,
				 r->attrs[i].type == SPAN_BYTES);
		rs->resource->attributes[rs->resource->n_attributes++] = kv;
	}
	rs->schema_url = ss->schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	rs->scope_spans = arena_add(arena, sizeof(*rs->scope_spans));
	rs->scope_spans[rs->n_scope_spans++] = ss;
	ss->scope = arena_add(arena, sizeof(*ss->scope));
	opentelemetry__proto__common__v1__instrumentation_scope__init(ss->scope);
	ss->scope->name = (char *)(uintptr_t)"tracer";
	ss->scope->version = (char *)(uintptr_t)TRACER_VERSION;
	ss->spans = arena_add(arena, n * sizeof(*ss->spans));
	return rs;
}

size_t reference_encode(struct span *const *spans, size_t n, uint8_t **out)
{
	struct arena arena = { 0 };
	const struct resource **seen = calloc(n + 1, sizeof(*seen));
	Request request;
	size_t len;

	opentelemetry__proto__collector__trace__v1__export_trace_service_request__init(&request);
	request.resource_spans = arena_add(&arena, n * sizeof(*request.resource_spans));
	for (size_t i = 0; i < n; i++) {
		Opentelemetry__Proto__Trace__V1__ScopeSpans *ss;
		size_t g = 0;

		while (g < request.n_resource_spans && seen[g] != spans[i]->resource)
			g++;
		if (g == request.n_resource_spans) {
			seen[g] = spans[i]->resource;
			request.resource_spans[request.n_resource_spans++] =
			    reference_group(&arena, seen[g], n);
		}
		ss = request.resource_spans[g]->scope_spans[0];
		ss->spans[ss->n_spans++] = reference_span(&arena, spans[i]);
	}
	len = opentelemetry__proto__collector__trace__v1__export_trace_service_request__get_packed_size(&request);
	*out = malloc(len + 1);
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__pack(&request, *out);
	arena_fini(&arena);
	free(seen);
	return len;
}
