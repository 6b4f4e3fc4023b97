/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing string with a limit.  One owner at a time; memory is the buffer's
 * own (or the caller's, when fixed) and is kept over resets.
 */
#include "config.h"
#include "base/strbuf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRBUF_MIN 256

void strbuf_init(struct strbuf *sb, size_t max)
{
	/* cap 0: p is a constant and is never written. */
	*sb = (struct strbuf){ .p = (char *)"", .max = max };
}

void strbuf_init_fixed(struct strbuf *sb, char *mem, size_t size)
{
	if (size == 0) {
		strbuf_init(sb, 0);
		sb->fixed = true;
		return;
	}
	*sb = (struct strbuf){ .p = mem, .cap = size, .max = size - 1, .fixed = true };
	mem[0] = '\0';
}

void strbuf_fini(struct strbuf *sb)
{
	if (!sb)
		return;
	if (!sb->fixed && sb->cap)
		free(sb->p);
	strbuf_init(sb, sb->max);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	sb->truncated = false;
	if (sb->cap)
		sb->p[0] = '\0';
}

/* Makes cap at least need + 1; need <= max.  False: no memory. */
static bool grow(struct strbuf *sb, size_t need)
{
	size_t cap = sb->cap ? sb->cap : STRBUF_MIN;
	char *p;

	while (cap <= need)
		cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
	if (cap > sb->max && sb->max != SIZE_MAX)
		cap = sb->max + 1;
	p = realloc(sb->cap ? sb->p : NULL, cap);
	if (!p)
		return false;
	p[sb->len] = '\0';
	sb->p = p;
	sb->cap = cap;
	return true;
}

/* Bytes of n that fit, memory made for them. */
static size_t room(struct strbuf *sb, size_t n)
{
	size_t left = sb->max - sb->len;

	if (n > left) {
		sb->truncated = true;
		n = left;
	}
	if (n && sb->len + n >= sb->cap && (sb->fixed || !grow(sb, sb->len + n))) {
		sb->truncated = true;
		return 0;
	}
	return n;
}

void strbuf_add(struct strbuf *sb, const void *p, size_t n)
{
	/* what is within the capacity is within the limit */
	if (n >= sb->cap - sb->len) {
		n = room(sb, n);
		if (!n)
			return;
	}
	memcpy(sb->p + sb->len, p, n);
	sb->len += n;
	sb->p[sb->len] = '\0';
}

/* In line, where the radix is a constant: no division is left. */
static inline __attribute__((always_inline)) void add_digits(struct strbuf *sb, uint64_t v, unsigned radix,
							     const char *prefix)
{
	char buf[32];
	size_t at = sizeof(buf);

	do {
		buf[--at] = "0123456789abcdef"[v % radix];
		v /= radix;
	} while (v);
	for (size_t n = strlen(prefix); n; n--)
		buf[--at] = prefix[n - 1];
	strbuf_add(sb, buf + at, sizeof(buf) - at);
}

void strbuf_add_u64(struct strbuf *sb, uint64_t v)
{
	add_digits(sb, v, 10, "");
}

void strbuf_add_i64(struct strbuf *sb, int64_t v)
{
	if (v < 0)
		add_digits(sb, 0 - (uint64_t)v, 10, "-");
	else
		add_digits(sb, (uint64_t)v, 10, "");
}

void strbuf_add_hex(struct strbuf *sb, uint64_t v)
{
	if (v)
		add_digits(sb, v, 16, "0x");
	else
		strbuf_add_char(sb, '0');
}

void strbuf_add_oct(struct strbuf *sb, uint64_t v)
{
	if (v)
		add_digits(sb, v, 8, "0");
	else
		strbuf_add_char(sb, '0');
}

void strbuf_add_fmt(struct strbuf *sb, const char *fmt, ...)
{
	size_t have = sb->cap ? sb->cap - sb->len : 0;
	size_t fit;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(have ? sb->p + sb->len : NULL, have, fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	if ((size_t)n >= have) {
		fit = room(sb, (size_t)n);
		va_start(ap, fmt);
		if (fit)
			vsnprintf(sb->p + sb->len, fit + 1, fmt, ap);
		va_end(ap);
		n = (int)fit;
	}
	sb->len += (size_t)n;
	if (sb->cap)
		sb->p[sb->len] = '\0';
}

char *strbuf_reserve(struct strbuf *sb, size_t n)
{
	if (n > sb->max - sb->len)
		return NULL;
	if (sb->len + n >= sb->cap && (sb->fixed || !grow(sb, sb->len + n)))
		return NULL;
	/* Terminated already for when the caller has added n. */
	sb->p[sb->len + n] = '\0';
	return sb->p + sb->len;
}
