/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON onto a strbuf: commas and escapes are right by construction.  Strings
 * that are not UTF-8 come out with their bad bytes as \u00XX of the byte
 * (Latin-1), so the line is always valid JSON.
 */
#ifndef BASE_JSON_WRITER_H
#define BASE_JSON_WRITER_H

#include <stdbool.h>
#include "base/strbuf.h"

struct json_writer { struct strbuf *sb; bool comma; };

void json_init(struct json_writer *w, struct strbuf *sb);
void json_open_object(struct json_writer *w, const char *key);	/* key NULL: in an array, or top */
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *key);
void json_close_array(struct json_writer *w);
void json_add_str(struct json_writer *w, const char *key, const char *s, size_t n);
void json_add_i64(struct json_writer *w, const char *key, int64_t v);
void json_add_u64(struct json_writer *w, const char *key, uint64_t v);
void json_add_double(struct json_writer *w, const char *key, double v);
/* The text of a number, as json_add_double() has it; its length. */
#define JSON_DOUBLE_MAX 40u
size_t json_format_double(char out[JSON_DOUBLE_MAX], double v);
void json_add_bool(struct json_writer *w, const char *key, bool v);
void json_add_null(struct json_writer *w, const char *key);
/* 64-bit integer as a decimal string (OTLP/JSON). */
void json_add_u64_str(struct json_writer *w, const char *key, uint64_t v);
void json_add_i64_str(struct json_writer *w, const char *key, int64_t v);

#endif
