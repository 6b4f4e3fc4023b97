/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP resources.  Built on the consumer thread, immutable from the moment the
 * first span carries them; the last reference, dropped on whichever thread,
 * frees them.  Attribute limits do not hold for resources (OpenTelemetry
 * specification, common), so values are kept whole.
 */
#include "config.h"
#include "span/resource.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "span/span.h"

/* One resource never has more; a list in the environment is foreign input. */
#define RESOURCE_ATTRS_MAX 256u

struct resource *resource_new(uint32_t id)
{
	struct resource *r = calloc(1, sizeof(*r));

	if (r) {
		atomic_init(&r->refs, 1);
		r->id = id;
	}
	return r;
}

void resource_get_some(struct resource *r, uint32_t n)
{
	if (r)
		atomic_fetch_add_explicit(&r->refs, n, memory_order_relaxed);
}

struct resource *resource_get(struct resource *r)
{
	resource_get_some(r, 1);
	return r;
}

static void attrs_free(struct resource_attr *attrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(attrs[i].key);
		free(attrs[i].value);
	}
	free(attrs);
}

void resource_put_some(struct resource *r, uint32_t n)
{
	/* acq_rel: what other holders did with it happens before the free. */
	if (!r || !n || atomic_fetch_sub_explicit(&r->refs, n, memory_order_acq_rel) != n)
		return;
	attrs_free(r->attrs, r->nattrs);
	free(r->encoded);
	free(r);
}

void resource_put(struct resource *r)
{
	resource_put_some(r, 1);
}

const struct resource_attr *resource_lookup(const struct resource *r, const char *key)
{
	for (size_t i = 0; i < r->nattrs; i++)
		if (strcmp(r->attrs[i].key, key) == 0)
			return &r->attrs[i];
	return NULL;
}

/* Room for one more, or NULL where the key is there already (*ret 0) or there is no room. */
static struct resource_attr *attr_reserve(struct resource *r, const char *key, int *ret)
{
	struct resource_attr *a;

	*ret = 0;
	if (resource_lookup(r, key))
		return NULL;
	*ret = -ENOSPC;
	if (r->nattrs == RESOURCE_ATTRS_MAX)
		return NULL;
	*ret = -ENOMEM;
	a = realloc(r->attrs, (r->nattrs + 1) * sizeof(*a));
	if (!a)
		return NULL;
	r->attrs = a;
	a += r->nattrs;
	*a = (struct resource_attr){ .key = strdup(key) };
	return a->key ? a : NULL;
}

int resource_add_str(struct resource *r, const char *key, const char *p, size_t n)
{
	int ret;
	struct resource_attr *a = attr_reserve(r, key, &ret);

	if (!a)
		return ret;
	a->value = malloc(n + 1);
	if (!a->value) {
		free(a->key);
		return -ENOMEM;
	}
	memcpy(a->value, p, n);
	a->value[n] = '\0';
	a->value_len = n;
	a->type = utf8_valid(p, n) ? SPAN_STR : SPAN_BYTES;
	r->nattrs++;
	return 0;
}

int resource_add_int(struct resource *r, const char *key, int64_t v)
{
	int ret;
	struct resource_attr *a = attr_reserve(r, key, &ret);

	if (!a)
		return ret;
	a->i = v;
	a->type = SPAN_INT;
	r->nattrs++;
	return 0;
}

static int fail(char *why, size_t whylen, const char *reason, const char *at)
{
	if (why && whylen)
		snprintf(why, whylen, "%s at '%.40s'", reason, at);
	return -EINVAL;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; the new length, or -1 at a bad escape, a NUL, or what is not UTF-8. */
static ssize_t percent_decode(char *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (c == '%') {
			int hi = i + 2 < n ? nibble(p[i + 1]) : -1, lo = hi < 0 ? -1 : nibble(p[i + 2]);

			if (lo < 0)
				return -1;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (!c)
			return -1;
		p[out++] = c;
	}
	p[out] = '\0';
	return utf8_valid(p, out) ? (ssize_t)out : -1;
}

static char *trim(char *p, char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return p;
}

/* One "key=value", which ends at end (writable). */
static int pair_add(struct resource *into, char *p, char *end, char *why, size_t whylen)
{
	char *eq = memchr(p, '=', (size_t)(end - p)), *key, *value;

	if (!eq)
		return fail(why, whylen, "no '=' in the pair", trim(p, end));
	value = trim(eq + 1, end);
	key = trim(p, eq);
	if (strchr(value, '='))
		return fail(why, whylen, "a '=' that is not written as %3D", value);
	ssize_t klen = percent_decode(key, strlen(key)), vlen;
	if (klen <= 0)
		return fail(why, whylen, klen ? "bad escape or not UTF-8" : "empty key", key);
	vlen = percent_decode(value, strlen(value));
	if (vlen < 0)
		return fail(why, whylen, "bad escape or not UTF-8", value);
	return resource_add_str(into, key, value, (size_t)vlen);
}

static int list_parse(struct resource *into, char *list, char *why, size_t whylen)
{
	for (char *p = list;;) {
		char *comma = strchr(p, ','), *end = comma ? comma : p + strlen(p);
		int ret = pair_add(into, p, end, why, whylen);

		if (ret < 0 || !comma)
			return ret;
		p = comma + 1;
	}
}

int resource_add_list(struct resource *r, const char *list, char *why, size_t whylen)
{
	struct resource *tmp = resource_new(0);
	char *copy = strdup(list);
	int ret = -ENOMEM;

	if (tmp && copy)
		ret = list[strspn(list, " \t")] ? list_parse(tmp, copy, why, whylen) : 0;
	for (size_t i = 0; ret == 0 && i < tmp->nattrs; i++)
		ret = resource_add_str(r, tmp->attrs[i].key, tmp->attrs[i].value, tmp->attrs[i].value_len);
	resource_put(tmp);
	free(copy);
	return ret;
}
