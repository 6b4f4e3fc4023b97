/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quoting of strings and buffers.  Pure; the output is ASCII whatever goes in.
 * The form is strace's: C escapes, else the shortest octal that the next
 * character does not lengthen, or \xHH where hexadecimal is asked for.
 */
#include "config.h"
#include "decode/quote.h"

#include <string.h>

static bool printable(uint8_t c)
{
	return c >= 0x20 && c < 0x7f;
}

/* The letter of a short escape, or 0. */
static char escape_letter(uint8_t c)
{
	switch (c) {
	case '\t':
		return 't';
	case '\n':
		return 'n';
	case '\v':
		return 'v';
	case '\f':
		return 'f';
	case '\r':
		return 'r';
	default:
		return 0;
	}
}

static void add_hex(struct strbuf *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char text[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };

	strbuf_add(out, text, sizeof(text));
}

static void add_octal(struct strbuf *out, uint8_t c, bool digit_follows)
{
	char text[4] = { '\\' };
	size_t n = 1;

	if (digit_follows || c > 077)
		text[n++] = (char)('0' + (c >> 6));
	if (digit_follows || c > 07)
		text[n++] = (char)('0' + ((c >> 3) & 7));
	text[n++] = (char)('0' + (c & 7));
	strbuf_add(out, text, n);
}

static bool special(uint8_t c, bool bare)
{
	return c == '\\' || (bare ? c == '<' || c == '>' : c == '"');
}

static void add_escape(struct strbuf *out, uint8_t c, uint8_t next, bool bare)
{
	char letter = escape_letter(c);
	const char text[2] = { '\\', letter ? letter : (char)c };

	if (letter || (special(c, bare) && !bare) || c == '\\')
		strbuf_add(out, text, sizeof(text));
	else
		add_octal(out, c, next >= '0' && next <= '7');
}

#define EACH(c) (0x0101010101010101ull * (c))

/* Bit 7 of each byte that is not printable, a quote, an angle bracket or a backslash; where there is one,
 * perhaps of others, too. */
static uint64_t odd_bytes(uint64_t w)
{
	uint64_t quote = w ^ EACH('"'), slash = w ^ EACH('\\'), less = w ^ EACH('<'), more = w ^ EACH('>');
	uint64_t odd = (w - EACH(0x20)) | (w + EACH(1)) | w;

	odd |= (quote - EACH(1)) | (slash - EACH(1)) | (less - EACH(1)) | (more - EACH(1));
	return odd & EACH(0x80);
}

/* How many bytes at p are shown as they are, for sure: eight at a time. */
static size_t plain_words(const uint8_t *p, size_t n)
{
	size_t i = 0;
	uint64_t w;

	for (; i + sizeof(w) <= n; i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		if (odd_bytes(w))
			return i;
	}
	if (i == n || n < sizeof(w))
		return i;
	memcpy(&w, p + n - sizeof(w), sizeof(w));
	return odd_bytes(w) ? i : n;
}

static void add_escaped(struct strbuf *out, const uint8_t *p, size_t n, bool bare)
{
	size_t plain = 0;

	for (size_t i = plain_words(p, n); i < n; i++) {
		if (printable(p[i]) && !special(p[i], bare))
			continue;
		strbuf_add(out, p + plain, i - plain);
		add_escape(out, p[i], i + 1 < n ? p[i + 1] : 0, bare);
		plain = i + 1;
	}
	strbuf_add(out, p + plain, n - plain);
}

static bool wants_hex(const uint8_t *p, size_t n, uint8_t hex)
{
	if (hex != QUOTE_HEX_NONASCII)
		return hex == QUOTE_HEX_ALL;
	for (size_t i = 0; i < n; i++)
		if (!printable(p[i]) && !escape_letter(p[i]))
			return true;
	return false;
}

void quote_format(struct strbuf *out, const void *p, size_t n, uint8_t hex, bool more)
{
	const uint8_t *bytes = p;

	strbuf_add_char(out, '"');
	if (wants_hex(bytes, n, hex)) {
		for (size_t i = 0; i < n; i++)
			add_hex(out, bytes[i]);
	} else {
		add_escaped(out, bytes, n, false);
	}
	strbuf_add_str(out, more ? "\"..." : "\"");
}

void quote_format_bare(struct strbuf *out, const void *p, size_t n)
{
	add_escaped(out, p, n, true);
}
