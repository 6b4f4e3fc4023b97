/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to protobuf, back to front.  A message is written from its last byte
 * to its first, so that the length of everything nested is known when its
 * header is due: one pass, lengths of minimal size, no size pass that could
 * disagree with the writing one, nothing moved afterwards.  The request is
 * the used end of the buffer.
 *
 * Runs on the thread that owns the encoder (the exporter's).  The buffer and
 * the index arrays are the encoder's and grow to what the largest batch
 * needed.  Field numbers: opentelemetry/proto/trace/v1/trace.proto 1.11; the
 * order is that of libprotobuf-c, ascending numbers.
 */
#include "config.h"
#include "export/otlp_encode.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/version.h>
#include "span/resource.h"

/* With -fsanitize=undefined GCC 12 warns of the copies on the path behind its
 * own check for a null pointer. */
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif

/* A tag is number << 3 | wire type. */
#define TAG_VARINT(n)	((uint8_t)((n) << 3 | 0))
#define TAG_I64(n)	((uint8_t)((n) << 3 | 1))
#define TAG_LEN(n)	((uint8_t)((n) << 3 | 2))
#define TAG_I32(n)	((uint8_t)((n) << 3 | 5))

/* Bytes in front of a value: tag and length of the key, the key, tag of the
 * value.  At the end of the array, so that one copy of constant size does. */
#define KEY_MAX 64u
struct key { uint8_t bytes[KEY_MAX]; uint32_t len; };

/* Tags and lengths of an attribute around its key: two messages, key, value. */
#define ATTR_ROOM 24u

static const uint8_t key_lens[SPAN_KEYS] = {
#define SPAN_ATTR(id, name) [SPAN_KEY_##id] = sizeof(name) - 1,
#include "span/attrs.def"
#undef SPAN_ATTR
};

#define SPAN_ATTR(id, name) _Static_assert(sizeof(name) + 3 < KEY_MAX, "key too long: " name);
#include "span/attrs.def"
#undef SPAN_ATTR

/* More than any span needs beside its trace state: text and array elements
 * at most double, each attribute has key, tags and lengths. */
#define SPAN_ROOM (2u * SPAN_SIZE + SPAN_ATTRS_MAX * (KEY_MAX + ATTR_ROOM) + 512u + KEY_MAX)
#define ENVELOPE_ROOM 512u

struct group { const struct resource *resource; uint32_t last; };

struct otlp_encoder {
	uint8_t *mem, *p;		/* p: first used byte */
	size_t cap, max;
	struct group *groups;
	uint32_t ngroups, capacity;	/* capacity: spans that the arrays hold */
	uint32_t *prev;			/* span before this one in its group, UINT32_MAX none */
	uint32_t *table;		/* hash of the resource -> group + 1 */
	uint32_t mask;
	struct key keys[SPAN_KEYS];
	uint8_t scope[64];		/* ScopeSpans.scope, whole */
	size_t scope_len;
};

static inline uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	if (v < 0x80) {
		*--p = (uint8_t)v;
		return p;
	}
	/* 7 bits a byte: bytes = ceil(bits / 7), as (bits * 9 + 64) / 64. */
	unsigned bits = 64u - (unsigned)__builtin_clzll(v);

	p -= (bits * 9 + 64) / 64;
	uint8_t *q = p;

	for (; v >= 0x80; v >>= 7)
		*q++ = (uint8_t)(v | 0x80);
	*q = (uint8_t)v;
	return p;
}

static inline uint8_t *put_bytes(uint8_t *p, const void *src, size_t n)
{
	return memcpy(p - n, src, n);
}

static inline uint8_t *put_tag(uint8_t *p, uint8_t tag)
{
	*--p = tag;
	return p;
}

/* Length and tag of what was written between p and end. */
static inline uint8_t *put_head(uint8_t *p, const uint8_t *end, uint8_t tag)
{
	return put_tag(put_varint(p, (uint64_t)(end - p)), tag);
}

static inline uint8_t *put_text(uint8_t *p, const void *src, size_t n, uint8_t tag)
{
	uint8_t *end = p;

	return put_head(put_bytes(p, src, n), end, tag);
}

/* Text of a span: in front of it lie the attributes, so that as much of it as most texts have may be copied
 * whatever its length is.  What is too much comes in front and is overwritten, as with keys. */
#define SHORT_MAX 32u
_Static_assert(SHORT_MAX <= KEY_MAX && offsetof(struct span, text) >= SHORT_MAX, "room for what is too much");

static inline uint8_t *put_span_text(uint8_t *p, const char *text, size_t n, uint8_t tag)
{
	uint8_t *end = p;

	if (n > SHORT_MAX)
		return put_text(p, text, n, tag);
	memcpy(p - SHORT_MAX, text + n - SHORT_MAX, SHORT_MAX);
	return put_head(p - n, end, tag);
}

/* A string that proto3 leaves out when it is empty. */
static inline uint8_t *put_optional(uint8_t *p, const void *src, size_t n, uint8_t tag)
{
	return n ? put_text(p, src, n, tag) : p;
}

/* The host is little endian as the wire is (configure refuses others). */
static inline uint8_t *put_fixed64(uint8_t *p, uint64_t v, uint8_t tag)
{
	return put_tag(put_bytes(p, &v, sizeof(v)), tag);
}

static inline uint8_t *put_any_int(uint8_t *p, int64_t v)
{
	return put_tag(put_varint(p, (uint64_t)v), TAG_VARINT(3));
}

static inline uint8_t *put_any_double(uint8_t *p, double v)
{
	return put_tag(put_bytes(p, &v, sizeof(v)), TAG_I64(4));
}

/* Elements are found front to back and written back to front. */
static uint8_t *put_strings(uint8_t *p, const char *text, size_t len)
{
	uint16_t at[SPAN_SIZE / sizeof(uint32_t)];
	uint32_t n = 0, head;

	for (size_t pos = 0; pos + sizeof(head) <= len; n++) {
		memcpy(&head, text + pos, sizeof(head));
		at[n] = (uint16_t)pos;
		pos += sizeof(head) + (head & 0x7fffffffu);
	}
	while (n--) {
		uint8_t *end = p;

		memcpy(&head, text + at[n], sizeof(head));
		p = put_span_text(p, text + at[n] + sizeof(head), head & 0x7fffffffu,
				  head >> 31 ? TAG_LEN(7) : TAG_LEN(1));
		p = put_head(p, end, TAG_LEN(1));
	}
	return p;
}

static uint8_t *put_numbers(uint8_t *p, const char *text, size_t len, bool integers)
{
	for (size_t n = len / 8; n--;) {
		uint8_t *end = p;
		int64_t i;
		double d;

		if (integers) {
			memcpy(&i, text + n * 8, sizeof(i));
			p = put_any_int(p, i);
		} else {
			memcpy(&d, text + n * 8, sizeof(d));
			p = put_any_double(p, d);
		}
		p = put_head(p, end, TAG_LEN(1));
	}
	return p;
}

static uint8_t *put_array(uint8_t *p, const struct span_attr *a, const char *text)
{
	uint8_t *end = p;

	if (a->type == SPAN_STR_ARRAY)
		p = put_strings(p, text, a->len);
	else
		p = put_numbers(p, text, a->len, a->type == SPAN_INT_ARRAY);
	return put_head(p, end, TAG_LEN(5));
}

static inline uint8_t *put_value(uint8_t *p, const struct span *s, const struct span_attr *a)
{
	switch (a->type) {
	case SPAN_STR:
		return put_span_text(p, s->text + a->v.off, a->len, TAG_LEN(1));
	case SPAN_INT:
		return put_any_int(p, a->v.i);
	case SPAN_BYTES:
		return put_text(p, s->text + a->v.off, a->len, TAG_LEN(7));
	case SPAN_BOOL:
		return put_tag(put_varint(p, a->v.i != 0), TAG_VARINT(2));
	case SPAN_DOUBLE:
		return put_any_double(p, a->v.d);
	default:
		return put_array(p, a, s->text + a->v.off);
	}
}

static inline uint8_t *put_key(uint8_t *p, const struct key *k)
{
	/* What is too much lies before the key and is overwritten by what
	 * comes next; SPAN_ROOM has room for it. */
	memcpy(p - KEY_MAX, k->bytes, KEY_MAX);
	return p - k->len;
}

static inline uint8_t *put_attr(const struct otlp_encoder *e, uint8_t *p, const struct span *s,
				const struct span_attr *a)
{
	uint8_t *end = p;

	p = put_value(p, s, a);
	p = put_varint(p, (uint64_t)(end - p));
	p = put_key(p, &e->keys[a->key]);
	return put_head(p, end, TAG_LEN(9));
}

static uint8_t *put_status(uint8_t *p, const struct span *s)
{
	uint8_t *end = p;

	if (s->status != SPAN_UNSET)
		p = put_tag(put_varint(p, s->status), TAG_VARINT(3));
	p = put_optional(p, s->text + s->message_off, s->message_len, TAG_LEN(2));
	return put_head(p, end, TAG_LEN(15));
}

static uint8_t *put_link(uint8_t *p, const struct span_link *l)
{
	uint8_t *end = p;

	if (l->flags)
		p = put_tag(put_bytes(p, &l->flags, sizeof(l->flags)), TAG_I32(6));
	if (l->trace_state)
		p = put_optional(p, l->trace_state, strlen(l->trace_state), TAG_LEN(3));
	p = put_text(p, l->span_id, sizeof(l->span_id), TAG_LEN(2));
	p = put_text(p, l->trace_id, sizeof(l->trace_id), TAG_LEN(1));
	return put_head(p, end, TAG_LEN(13));
}

/* Fields behind the attributes. */
static inline uint8_t *put_span_tail(uint8_t *p, const struct span *s)
{
	if (s->flags) {
		p = put_bytes(p, &s->flags, sizeof(s->flags));
		p = put_bytes(p, "\x85\x01", 2);	/* 16, I32: the one tag of two bytes */
	}
	if (s->status != SPAN_UNSET || s->message_len)
		p = put_status(p, s);
	if (s->dropped_links)
		p = put_tag(put_varint(p, s->dropped_links), TAG_VARINT(14));
	if (s->has_link)
		p = put_link(p, &s->link);
	if (s->dropped_attrs)
		p = put_tag(put_varint(p, s->dropped_attrs), TAG_VARINT(10));
	return p;
}

/* Fields before the attributes. */
static inline uint8_t *put_span_head(uint8_t *p, const struct span *s)
{
	static const uint8_t none[8];

	if (s->end_ns)
		p = put_fixed64(p, s->end_ns, TAG_I64(8));
	if (s->start_ns)
		p = put_fixed64(p, s->start_ns, TAG_I64(7));
	if (s->kind)
		p = put_tag(put_varint(p, s->kind), TAG_VARINT(6));
	p = put_optional(p, s->text + s->name_off, s->name_len, TAG_LEN(5));
	if (memcmp(s->parent_id, none, sizeof(none)) != 0)
		p = put_text(p, s->parent_id, sizeof(s->parent_id), TAG_LEN(4));
	if (s->trace_state)
		p = put_optional(p, s->trace_state, strlen(s->trace_state), TAG_LEN(3));
	p = put_text(p, s->span_id, sizeof(s->span_id), TAG_LEN(2));
	return put_text(p, s->trace_id, sizeof(s->trace_id), TAG_LEN(1));
}

static uint8_t *put_span(const struct otlp_encoder *e, uint8_t *p, const struct span *s)
{
	uint8_t *end = p;

	p = put_span_tail(p, s);
	for (unsigned i = s->nattrs < SPAN_ATTRS_MAX ? s->nattrs : SPAN_ATTRS_MAX; i--;)
		p = put_attr(e, p, s, &s->attrs[i]);
	p = put_span_head(p, s);
	return put_head(p, end, TAG_LEN(2));
}

/* Room for n more bytes before p.  The buffer doubles; what is in it moves to
 * the new end. */
static int encoder_reserve(struct otlp_encoder *e, size_t n)
{
	size_t used = e->cap ? (size_t)(e->mem + e->cap - e->p) : 0;
	size_t cap = e->cap ? e->cap : 65536;
	uint8_t *mem;

	if ((size_t)(e->p - e->mem) >= n)
		return 0;
	if (used > e->max)
		return -E2BIG;
	while (cap < used + n)
		cap *= 2;
	mem = malloc(cap);
	if (!mem)
		return -ENOMEM;
	if (used)
		memcpy(mem + cap - used, e->p, used);
	free(e->mem);
	e->mem = mem;
	e->cap = cap;
	e->p = mem + cap - used;
	return 0;
}

static uint8_t *put_resource_attr(uint8_t *p, const struct resource_attr *a)
{
	uint8_t *end = p;

	switch (a->type) {
	case SPAN_INT:
		p = put_any_int(p, a->i);
		break;
	case SPAN_BOOL:
		p = put_tag(put_varint(p, a->i != 0), TAG_VARINT(2));
		break;
	default:
		p = put_text(p, a->value, a->value_len, a->type == SPAN_BYTES ? TAG_LEN(7) : TAG_LEN(1));
	}
	p = put_head(p, end, TAG_LEN(2));
	p = put_optional(p, a->key, strlen(a->key), TAG_LEN(1));
	return put_head(p, end, TAG_LEN(1));
}

/* The body of the Resource message, made once and kept with the resource. */
static int resource_encode(struct resource *r)
{
	size_t room = 1;
	uint8_t *mem, *p;

	for (size_t i = 0; i < r->nattrs; i++)
		room += strlen(r->attrs[i].key) + r->attrs[i].value_len + 64;
	mem = malloc(room);
	if (!mem)
		return -ENOMEM;
	p = mem + room;
	for (size_t i = r->nattrs; i--;)
		p = put_resource_attr(p, &r->attrs[i]);
	r->encoded_len = (size_t)(mem + room - p);
	memmove(mem, p, r->encoded_len);
	r->encoded = mem;
	return 0;
}

static uint8_t *put_schema_url(uint8_t *p)
{
	return put_text(p, OTLP_SCHEMA_URL, sizeof(OTLP_SCHEMA_URL) - 1, TAG_LEN(3));
}

/* The texts that are not in the span. */
static size_t state_len(const struct span *s)
{
	const char *link = s->has_link ? s->link.trace_state : NULL;

	return (s->trace_state ? strlen(s->trace_state) : 0) + (link ? strlen(link) : 0);
}

/* One ResourceSpans with one ScopeSpans. */
static int encode_group(struct otlp_encoder *e, struct span *const *spans, const struct group *g)
{
	struct resource *r = (struct resource *)(uintptr_t)g->resource;
	size_t behind, scope_behind;
	int err = r && !r->encoded ? resource_encode(r) : 0;

	err = err ? err : encoder_reserve(e, ENVELOPE_ROOM);
	if (err)
		return err;
	behind = (size_t)(e->mem + e->cap - e->p);
	e->p = put_schema_url(e->p);
	scope_behind = (size_t)(e->mem + e->cap - e->p);
	e->p = put_schema_url(e->p);
	for (uint32_t i = g->last; i != UINT32_MAX; i = e->prev[i]) {
		size_t state = state_len(spans[i]);

		err = encoder_reserve(e, SPAN_ROOM + state);
		if (err)
			return err;
		e->p = put_span(e, e->p, spans[i]);
	}
	err = encoder_reserve(e, ENVELOPE_ROOM + (r ? r->encoded_len : 0));
	if (err)
		return err;
	e->p = put_bytes(e->p, e->scope, e->scope_len);
	e->p = put_head(e->p, e->mem + e->cap - scope_behind, TAG_LEN(2));
	e->p = put_text(e->p, r ? (const void *)r->encoded : "", r ? r->encoded_len : 0, TAG_LEN(1));
	e->p = put_head(e->p, e->mem + e->cap - behind, TAG_LEN(1));
	return 0;
}

static int encoder_grow(struct otlp_encoder *e, size_t n)
{
	uint32_t cap = e->capacity ? e->capacity : 256;

	if (n <= e->capacity)
		return 0;
	if (n > UINT32_MAX / 4)
		return -E2BIG;
	while (cap < n)
		cap *= 2;
	struct group *groups = realloc(e->groups, cap * sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	e->groups = groups;
	uint32_t *prev = realloc(e->prev, cap * sizeof(*prev));

	if (!prev)
		return -ENOMEM;
	e->prev = prev;
	uint32_t *table = realloc(e->table, 2 * cap * sizeof(*table));

	if (!table)
		return -ENOMEM;
	e->table = table;
	e->mask = 2 * cap - 1;
	e->capacity = cap;
	return 0;
}

/* The group of a resource, a new one at its first span. */
static struct group *group_add(struct otlp_encoder *e, const struct resource *r)
{
	uint32_t h = (uint32_t)(((uintptr_t)r >> 4) * 0x9e3779b97f4a7c15u >> 32);

	for (;; h++) {
		uint32_t *slot = &e->table[h & e->mask];

		if (*slot && e->groups[*slot - 1].resource == r)
			return &e->groups[*slot - 1];
		if (!*slot) {
			struct group *g = &e->groups[e->ngroups++];

			*slot = e->ngroups;
			*g = (struct group){ .resource = r, .last = UINT32_MAX };
			return g;
		}
	}
}

static void encoder_sort(struct otlp_encoder *e, struct span *const *spans, size_t n)
{
	struct group *g = NULL;

	e->ngroups = 0;
	memset(e->table, 0, (e->mask + 1) * sizeof(*e->table));
	for (size_t i = 0; i < n; i++) {
		if (!g || g->resource != spans[i]->resource)
			g = group_add(e, spans[i]->resource);
		e->prev[i] = g->last;
		g->last = (uint32_t)i;
	}
}

int otlp_encode_spans(struct otlp_encoder *e, struct span *const *spans, size_t n,
		      const uint8_t **out, size_t *len)
{
	int err = encoder_grow(e, n);

	e->p = e->cap ? e->mem + e->cap : NULL;
	if (err)
		return err;
	encoder_sort(e, spans, n);
	for (uint32_t i = e->ngroups; i--;) {
		err = encode_group(e, spans, &e->groups[i]);
		if (err)
			return err;
	}
	*len = (size_t)(e->mem + e->cap - e->p);
	*out = e->p;
	return *len > e->max ? -E2BIG : 0;
}

size_t otlp_encode_bound(const struct span *s)
{
	size_t n = 180u + s->name_len + s->message_len + state_len(s);

	for (unsigned i = 0; i < s->nattrs; i++) {
		const struct span_attr *a = &s->attrs[i];

		n += ATTR_ROOM + key_lens[a->key];
		if (a->type == SPAN_STR || a->type == SPAN_BYTES)
			n += a->len;
		else if (a->type >= SPAN_STR_ARRAY)
			n += 2u * a->len;	/* an element's tags and lengths take at most 8 bytes */
	}
	return n;
}

static void key_init(struct key *k, const char *name)
{
	size_t n = strlen(name);
	uint8_t *p = k->bytes + KEY_MAX;

	p = put_tag(p, TAG_LEN(2));
	p = put_text(p, name, n, TAG_LEN(1));
	k->len = (uint32_t)(k->bytes + KEY_MAX - p);
}

static void scope_init(struct otlp_encoder *e)
{
	uint8_t room[sizeof(e->scope)], *end = room + sizeof(room), *p = end;

	p = put_text(p, TRACER_VERSION, strlen(TRACER_VERSION), TAG_LEN(2));
	p = put_text(p, OTLP_SCOPE_NAME, strlen(OTLP_SCOPE_NAME), TAG_LEN(1));
	p = put_head(p, end, TAG_LEN(1));
	e->scope_len = (size_t)(end - p);
	memcpy(e->scope, p, e->scope_len);
}

int otlp_encoder_new(struct otlp_encoder **out, size_t max_bytes)
{
	struct otlp_encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->max = max_bytes;
	for (unsigned k = SPAN_KEY_NONE + 1; k < SPAN_KEYS; k++)
		key_init(&e->keys[k], span_key_names[k]);
	scope_init(e);
	*out = e;
	return 0;
}

void otlp_encoder_free(struct otlp_encoder *e)
{
	if (!e)
		return;
	free(e->mem);
	free(e->groups);
	free(e->prev);
	free(e->table);
	free(e);
}
