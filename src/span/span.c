/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attribute record of a span.  Strings are appended to the span's own
 * text area, so that a span never points outside itself; whoever owns the
 * span may call these, no lock is needed.  Everything that goes into a
 * protobuf `string` is made valid UTF-8 here: receivers refuse a whole
 * request for one bad byte.
 */
#include "config.h"
#include "span/span.h"

#include <string.h>

#include "base/utf8.h"

/* A value that has to be cut is kept only when this much of it remains. */
#define SPAN_CUT_MIN 16u
#define ELEMENT_HEAD sizeof(uint32_t)
#define ELEMENT_BYTES 0x80000000u
/* Kept free while an array is open, for the element that says it was cut. */
#define ELLIPSIS "..."
#define ELLIPSIS_ROOM (ELEMENT_HEAD + sizeof(ELLIPSIS) - 1)

const char *const span_key_names[SPAN_KEYS] = {
	[SPAN_KEY_NONE] = "",
#define SPAN_ATTR(id, name) [SPAN_KEY_##id] = name,
#include "span/attrs.def"
#undef SPAN_ATTR
};

static const uint8_t key_lengths[SPAN_KEYS] = {
#define SPAN_ATTR(id, name) [SPAN_KEY_##id] = sizeof(name) - 1,
#include "span/attrs.def"
#undef SPAN_ATTR
};

void span_reset(struct span *s)
{
	uint8_t pooled = s->pooled;

	memset(s, 0, offsetof(struct span, attrs));
	s->pooled = pooled;
	s->kind = SPAN_INTERNAL;
}

static size_t text_room(const struct span *s)
{
	return SPAN_TEXT_MAX - s->used;
}

static uint16_t text_add(struct span *s, const void *p, size_t n)
{
	uint16_t off = s->used;

	if (n)
		memcpy(s->text + off, p, n);
	s->used = (uint16_t)(off + n);
	return off;
}

/* Bad bytes become \xNN; what would pass max is left out whole. */
static uint16_t text_add_escaped(struct span *s, const char *p, size_t n, size_t max)
{
	static const char hex[] = "0123456789abcdef";
	size_t i = 0, start = s->used, end = start + (max < text_room(s) ? max : text_room(s));

	while (i < n && s->used < end) {
		size_t want = n - i < 4 ? n - i : 4, len;

		for (len = 1; len <= want && !utf8_valid(p + i, len); len++)
			;
		if (len <= want) {
			if (s->used + len > end)
				break;
			text_add(s, p + i, len);
			i += len;
		} else {
			char esc[4] = { '\\', 'x', hex[(uint8_t)p[i] >> 4], hex[(uint8_t)p[i] & 15] };

			if (s->used + sizeof(esc) > end)
				break;
			text_add(s, esc, sizeof(esc));
			i++;
		}
	}
	return (uint16_t)(s->used - start);
}

static uint16_t text_add_utf8(struct span *s, const char *p, size_t n, size_t max)
{
	size_t room = max < text_room(s) ? max : text_room(s), len;

	if (!utf8_valid(p, n))
		return text_add_escaped(s, p, n, max);
	len = n <= room ? n : utf8_prefix(p, n, room);
	text_add(s, p, len);
	return (uint16_t)len;
}

void span_set_name(struct span *s, const char *name, size_t n)
{
	s->name_off = s->used;
	s->name_len = text_add_utf8(s, name, n, SPAN_NAME_MAX);
}

void span_set_status(struct span *s, enum span_status st, const char *msg, size_t n)
{
	s->status = (uint8_t)st;
	s->message_off = s->used;
	s->message_len = msg && n ? text_add_utf8(s, msg, n, SPAN_NAME_MAX) : 0;
}

/* Tag and length bytes are taken as two each; numbers as they are on the wire
 * at most.  An upper bound, by a few bytes an attribute. */
static inline size_t attr_estimate(const struct span_attr *a)
{
	size_t head = 2u + 2u + key_lengths[a->key] + 2u + 2u;

	switch (a->type) {
	case SPAN_INT:
		return head + (a->v.i < 0 ? 10 : a->v.i < 128 ? 1 : a->v.i < 1 << 21 ? 3 : 9);
	case SPAN_BOOL:
		return head + 1;
	case SPAN_DOUBLE:
		return head + 8;
	case SPAN_INT_ARRAY:
		return head + 2 + a->len / 8 * 9;
	case SPAN_DOUBLE_ARRAY:
		return head + 2 + a->len / 8 * 11;
	case SPAN_STR_ARRAY:
		return head + 2 + a->len + a->len / 4;
	default:
		return head + a->len;
	}
}

/* When it has its value. */
static inline void attr_close(struct span *s, const struct span_attr *a)
{
	s->attrs_size += (uint32_t)attr_estimate(a);
}

static struct span_attr *attr_add(struct span *s, enum span_key k, enum span_value_type type)
{
	struct span_attr *a;

	if (s->nattrs == SPAN_ATTRS_MAX) {
		s->dropped_attrs++;
		return NULL;
	}
	a = &s->attrs[s->nattrs++];
	*a = (struct span_attr){ .key = (uint16_t)k, .type = (uint8_t)type };
	return a;
}

/* Bytes of a text that are kept in this room, and whether they are UTF-8. */
static size_t text_fit(const char *p, size_t n, size_t room, bool *valid)
{
	size_t max = room < SPAN_STR_MAX ? room : SPAN_STR_MAX, len = n;

	if (n > max)
		len = utf8_prefix(p, n, max);
	*valid = utf8_valid(p, len);
	return *valid || n <= max ? len : max;
}

void span_add_str(struct span *s, enum span_key k, const char *p, size_t n)
{
	bool valid;
	size_t len = text_fit(p, n, text_room(s), &valid);
	struct span_attr *a;

	if (len < n && len < SPAN_CUT_MIN) {
		s->dropped_attrs++;
		return;
	}
	a = attr_add(s, k, valid ? SPAN_STR : SPAN_BYTES);
	if (!a)
		return;
	a->len = (uint32_t)len;
	a->v.off = text_add(s, p, len);
	attr_close(s, a);
}

void span_add_name(struct span *s, enum span_key k)
{
	struct span_attr *a = attr_add(s, k, SPAN_STR);

	if (!a)
		return;
	a->len = s->name_len;
	a->v.off = s->name_off;
	attr_close(s, a);
}

void span_add_int(struct span *s, enum span_key k, int64_t v)
{
	struct span_attr *a = attr_add(s, k, SPAN_INT);

	if (!a)
		return;
	a->v.i = v;
	attr_close(s, a);
}

void span_add_bool(struct span *s, enum span_key k, bool v)
{
	struct span_attr *a = attr_add(s, k, SPAN_BOOL);

	if (!a)
		return;
	a->v.i = v;
	attr_close(s, a);
}

void span_add_double(struct span *s, enum span_key k, double v)
{
	struct span_attr *a = attr_add(s, k, SPAN_DOUBLE);

	if (!a)
		return;
	a->v.d = v;
	attr_close(s, a);
}

void span_open_array(struct span *s, enum span_key k)
{
	struct span_attr *a;

	s->array = 0;
	if (text_room(s) < ELLIPSIS_ROOM) {
		s->dropped_attrs++;
		return;
	}
	a = attr_add(s, k, SPAN_STR_ARRAY);
	if (!a)
		return;
	a->v.off = s->used;
	s->array = SPAN_ARRAY_OPEN;
}

static void element_add(struct span *s, const char *p, size_t n, bool valid)
{
	uint32_t head = (uint32_t)n | (valid ? 0 : ELEMENT_BYTES);
	char *to = s->text + s->used;

	memcpy(to, &head, ELEMENT_HEAD);
	memcpy(to + ELEMENT_HEAD, p, n);
	s->used = (uint16_t)(s->used + ELEMENT_HEAD + n);
}

void span_add_element(struct span *s, const char *p, size_t n)
{
	size_t room = text_room(s), len;
	bool valid;

	if (s->array != SPAN_ARRAY_OPEN)
		return;
	room = room > ELEMENT_HEAD + ELLIPSIS_ROOM ? room - ELEMENT_HEAD - ELLIPSIS_ROOM : 0;
	len = text_fit(p, n, room, &valid);
	if (room == 0 || (len < n && len < SPAN_CUT_MIN)) {
		element_add(s, ELLIPSIS, sizeof(ELLIPSIS) - 1, true);
		s->array = SPAN_ARRAY_FULL;
		return;
	}
	element_add(s, p, len, valid);
}

void span_close_array(struct span *s)
{
	struct span_attr *a;

	if (s->array) {
		a = &s->attrs[s->nattrs - 1];
		a->len = s->used - a->v.off;
		attr_close(s, a);
	}
	s->array = 0;
}

static void words_add(struct span *s, enum span_key k, enum span_value_type type, const void *p, size_t n)
{
	struct span_attr *a;

	if (n > text_room(s) / 8) {
		s->dropped_attrs++;
		return;
	}
	a = attr_add(s, k, type);
	if (!a)
		return;
	a->len = (uint32_t)(n * 8);
	a->v.off = text_add(s, p, n * 8);
	attr_close(s, a);
}

void span_add_ints(struct span *s, enum span_key k, const int64_t *v, size_t n)
{
	words_add(s, k, SPAN_INT_ARRAY, v, n);
}

void span_add_doubles(struct span *s, enum span_key k, const double *v, size_t n)
{
	words_add(s, k, SPAN_DOUBLE_ARRAY, v, n);
}

const struct span_attr *span_lookup(const struct span *s, enum span_key k)
{
	for (unsigned i = 0; i < s->nattrs; i++)
		if (s->attrs[i].key == k)
			return &s->attrs[i];
	return NULL;
}

/* Bytes that the first max characters have. */
static size_t text_cut(const char *p, size_t n, uint32_t max, bool bytes)
{
	size_t len = 0;

	if (n <= max)
		return n;
	if (bytes)
		return max;
	while (len < n && max--)
		len += utf8_next(p + len, n - len);
	return len;
}

/* Shorter elements move up; the array stays where it is. */
static void array_cut(struct span *s, struct span_attr *a, uint32_t max)
{
	char *from = s->text + a->v.off, *end = from + a->len, *to = from;

	while (from < end) {
		uint32_t head, n;

		memcpy(&head, from, ELEMENT_HEAD);
		from += ELEMENT_HEAD;
		n = head & ~ELEMENT_BYTES;
		size_t kept = text_cut(from, n, max, head & ELEMENT_BYTES);
		head = (head & ELEMENT_BYTES) | (uint32_t)kept;
		memmove(to + ELEMENT_HEAD, from, kept);
		memcpy(to, &head, ELEMENT_HEAD);
		to += ELEMENT_HEAD + kept;
		from += n;
	}
	a->len = (uint32_t)(to - (s->text + a->v.off));
}

void span_set_limits(struct span *s, const struct span_limits *l)
{
	if (s->nattrs > l->attrs) {
		s->dropped_attrs += s->nattrs - l->attrs;
		s->nattrs = (uint8_t)l->attrs;
	}
	if (s->has_link > l->links) {
		s->dropped_links++;
		s->has_link = 0;
	}
	s->attrs_size = 0;
	for (unsigned i = 0; i < s->nattrs; i++) {
		struct span_attr *a = &s->attrs[i];

		if (a->type == SPAN_STR || a->type == SPAN_BYTES)
			a->len = (uint32_t)text_cut(s->text + a->v.off, a->len, l->value_len,
						    a->type == SPAN_BYTES);
		else if (a->type == SPAN_STR_ARRAY)
			array_cut(s, a, l->value_len);
		attr_close(s, a);
	}
}

uint32_t span_estimate(const struct span *s)
{
	/* Ids, times, kind, flags and the span's own head; status; link. */
	size_t n = 3 + 18 + 10 + 10 + 9 + 9 + 2 + 6 + 3 + s->name_len;

	if (s->status)
		n += 6u + s->message_len;
	if (s->has_link || s->dropped_links)
		n += 40 + (s->has_link && s->link.trace_state ? strlen(s->link.trace_state) : 0);
	if (s->trace_state)
		n += 3 + strlen(s->trace_state);
	return (uint32_t)n + s->attrs_size;
}
