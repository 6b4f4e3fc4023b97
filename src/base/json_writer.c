/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text (RFC 8259) onto a strbuf.  The writer belongs to one thread and
 * holds nothing but whether a comma is due.
 */
#include "config.h"
#include "base/json_writer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/utf8.h"

void json_init(struct json_writer *w, struct strbuf *sb)
{
	*w = (struct json_writer){ .sb = sb };
}

static void add_escape(struct strbuf *sb, uint8_t c)
{
	static const char shorts[][2] = {
		{ '"', '"' }, { '\\', '\\' }, { '\n', 'n' }, { '\t', 't' },
		{ '\r', 'r' }, { '\b', 'b' }, { '\f', 'f' },
	};
	char u[6] = { '\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };

	for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++) {
		if ((uint8_t)shorts[i][0] == c) {
			u[1] = shorts[i][1];
			strbuf_add(sb, u, 2);
			return;
		}
	}
	strbuf_add(sb, u, sizeof(u));
}

/* Runs of ASCII that needs no escape are most of all text: nothing is decoded there. */
static size_t next_unplain(const char *s, size_t i, size_t n)
{
	while (i < n && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

static void add_quoted(struct strbuf *sb, const char *s, size_t n)
{
	size_t from = 0;
	size_t i = 0;

	strbuf_add_char(sb, '"');
	while ((i = next_unplain(s, i, n)) < n) {
		uint8_t c = (uint8_t)s[i];
		size_t len = utf8_next(s + i, n - i);

		if (len && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			i += len;
			continue;
		}
		strbuf_add(sb, s + from, i - from);
		add_escape(sb, c);
		from = ++i;
	}
	strbuf_add(sb, s + from, n - from);
	strbuf_add_char(sb, '"');
}

static void begin(struct json_writer *w, const char *key)
{
	if (w->comma)
		strbuf_add_char(w->sb, ',');
	w->comma = true;
	if (key) {
		add_quoted(w->sb, key, strlen(key));
		strbuf_add_char(w->sb, ':');
	}
}

void json_open_object(struct json_writer *w, const char *key)
{
	begin(w, key);
	strbuf_add_char(w->sb, '{');
	w->comma = false;
}

void json_close_object(struct json_writer *w)
{
	strbuf_add_char(w->sb, '}');
	w->comma = true;
}

void json_open_array(struct json_writer *w, const char *key)
{
	begin(w, key);
	strbuf_add_char(w->sb, '[');
	w->comma = false;
}

void json_close_array(struct json_writer *w)
{
	strbuf_add_char(w->sb, ']');
	w->comma = true;
}

void json_add_str(struct json_writer *w, const char *key, const char *s, size_t n)
{
	begin(w, key);
	add_quoted(w->sb, s, n);
}

void json_add_i64(struct json_writer *w, const char *key, int64_t v)
{
	begin(w, key);
	strbuf_add_i64(w->sb, v);
}

void json_add_u64(struct json_writer *w, const char *key, uint64_t v)
{
	begin(w, key);
	strbuf_add_u64(w->sb, v);
}

/* JSON has no NaN and no infinity: as proto3's JSON mapping, they are strings. */
size_t json_format_double(char out[JSON_DOUBLE_MAX], double v)
{
	size_t n;

	if (isnan(v) || isinf(v))
		return (size_t)sprintf(out, "\"%s\"", isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
	for (int digits = 15; digits <= 17; digits++) {
		n = (size_t)snprintf(out, JSON_DOUBLE_MAX, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	/* The embedding program's locale may have a decimal comma. */
	for (size_t i = 0; i < n; i++) {
		if (out[i] == ',')
			out[i] = '.';
	}
	if (v == 0 && signbit(v))
		n += (size_t)sprintf(out + n, ".0");	/* readers take "-0" for the integer 0 */
	return n;
}

void json_add_double(struct json_writer *w, const char *key, double v)
{
	char buf[JSON_DOUBLE_MAX];

	begin(w, key);
	strbuf_add(w->sb, buf, json_format_double(buf, v));
}

void json_add_bool(struct json_writer *w, const char *key, bool v)
{
	begin(w, key);
	strbuf_add_str(w->sb, v ? "true" : "false");
}

void json_add_null(struct json_writer *w, const char *key)
{
	begin(w, key);
	strbuf_add_str(w->sb, "null");
}

void json_add_u64_str(struct json_writer *w, const char *key, uint64_t v)
{
	begin(w, key);
	strbuf_add_char(w->sb, '"');
	strbuf_add_u64(w->sb, v);
	strbuf_add_char(w->sb, '"');
}

void json_add_i64_str(struct json_writer *w, const char *key, int64_t v)
{
	begin(w, key);
	strbuf_add_char(w->sb, '"');
	strbuf_add_i64(w->sb, v);
	strbuf_add_char(w->sb, '"');
}
