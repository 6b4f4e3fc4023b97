/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string that grows up to a limit.  Past the limit additions are cut and
 * truncated is set; nothing fails.  Always NUL-terminated.  Reset keeps the
 * memory, so a reused buffer does not allocate in the steady state.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct strbuf {
	char *p;
	size_t len, cap, max;	/* max: most bytes without the NUL */
	bool fixed;		/* p is the caller's memory */
	bool truncated;
};

void strbuf_init(struct strbuf *sb, size_t max);
void strbuf_init_fixed(struct strbuf *sb, char *mem, size_t size);
void strbuf_fini(struct strbuf *sb);
void strbuf_reset(struct strbuf *sb);
void strbuf_add(struct strbuf *sb, const void *p, size_t n);
void strbuf_add_u64(struct strbuf *sb, uint64_t v);
void strbuf_add_i64(struct strbuf *sb, int64_t v);
void strbuf_add_hex(struct strbuf *sb, uint64_t v);	/* 0x1f; 0 is "0" */
void strbuf_add_oct(struct strbuf *sb, uint64_t v);	/* 0644; 0 is "0" */
void strbuf_add_fmt(struct strbuf *sb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes and returns where they go (NULL: would pass max);
 * the caller writes them and adds n to len. */
char *strbuf_reserve(struct strbuf *sb, size_t n);

/* In line: most are constants, and characters are many. */
static inline void strbuf_add_str(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

static inline void strbuf_add_char(struct strbuf *sb, char c)
{
	if (sb->len + 1 >= sb->cap) {
		strbuf_add(sb, &c, 1);
		return;
	}
	sb->p[sb->len++] = c;
	sb->p[sb->len] = '\0';
}

#endif
