/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of answers.  Runs on the exporter thread, once for a batch; bodies
 * are the transport's, which limits them; results go to the caller's struct.  What
 * comes before damage counts.
 *
 * Bodies are JSON where the request was, and HTML or plain text where a proxy
 * or a receiver's own HTTP layer answered: then the first line is shown.
 */
#include "config.h"
#include "export/otlp_response.h"
#include <stdlib.h>
#include <string.h>
#include "base/proto_reader.h"
#include "base/utf8.h"

void otlp_format_message(char *out, size_t room, const char *p, size_t n)
{
	size_t len = 0, step;

	for (size_t i = 0; i < n && p[i] && p[i] != '\n' && p[i] != '\r'; i += step) {
		const unsigned char *c = (const unsigned char *)p + i;
		/* U+0080 to U+009F are commands, too */
		bool command = *c < ' ' || *c == 0x7f || (*c == 0xc2 && i + 1 < n && c[1] < 0xa0);
		size_t valid = utf8_next(p + i, n - i), add = command || !valid ? 1 : valid;

		step = valid ? valid : 1;
		if (len + add + 1 > room)
			break;
		memcpy(out + len, command ? " " : valid ? p + i : "?", add);
		len += add;
	}
	if (room)
		out[len] = '\0';
}

static void set_message(struct otlp_answer *out, const char *p, size_t n)
{
	otlp_format_message(out->message, sizeof(out->message), p, n);
}

/* ---- JSON: only as much as finds one member of an object ---- */

#define JSON_DEPTH 32

struct json_text { const char *p, *end; };

static void json_skip_space(struct json_text *j)
{
	while (j->p < j->end && strchr(" \t\r\n", *j->p) && *j->p)
		j->p++;
}

static bool json_take(struct json_text *j, char c)
{
	json_skip_space(j);
	if (j->p >= j->end || *j->p != c)
		return false;
	j->p++;
	return true;
}

/* A string's raw bytes between the quotes. */
static bool json_read_string(struct json_text *j, const char **s, size_t *n)
{
	if (!json_take(j, '"'))
		return false;
	*s = j->p;
	while (j->p < j->end && *j->p != '"')
		j->p += *j->p == '\\' ? 2 : 1;
	if (j->p >= j->end)
		return false;
	*n = (size_t)(j->p++ - *s);
	return true;
}

/* Behind any value.  Containers are walked by counting, strings skipped. */
static bool json_skip_value(struct json_text *j)
{
	const char *s;
	size_t n;
	int depth = 0;

	do {
		json_skip_space(j);
		if (j->p >= j->end || depth > JSON_DEPTH)
			return false;
		if (*j->p == '"') {
			if (!json_read_string(j, &s, &n))
				return false;
			continue;
		}
		depth += *j->p == '{' || *j->p == '[';
		depth -= *j->p == '}' || *j->p == ']';
		j->p++;
		while (depth == 0 && j->p < j->end && !strchr(",}] \t\r\n", *j->p))
			j->p++;		/* the rest of a number or word */
	} while (depth > 0);
	return depth == 0;
}

/* The value of a member of the object at j; j stays. */
static bool json_lookup(struct json_text j, const char *key, struct json_text *value)
{
	const char *s;
	size_t n;

	if (!json_take(&j, '{'))
		return false;
	do {
		if (!json_read_string(&j, &s, &n) || !json_take(&j, ':'))
			return false;
		json_skip_space(&j);
		*value = j;
		if (!json_skip_value(&j))
			return false;
		value->end = j.p;
		if (n == strlen(key) && memcmp(s, key, n) == 0)
			return true;
	} while (json_take(&j, ','));
	return false;
}

/* \uXXXX is left as it is: this is for a log line. */
static void json_set_message(struct otlp_answer *out, struct json_text v)
{
	char text[sizeof(out->message)];
	size_t n = 0, len;
	const char *s;

	if (!json_read_string(&v, &s, &len))
		return;
	for (size_t i = 0; i < len && n < sizeof(text); i++) {
		if (s[i] == '\\' && i + 1 < len && strchr("\"\\/", s[i + 1]))
			i++;
		text[n++] = s[i];
	}
	set_message(out, text, n);
}

/* int64 as OTLP/JSON has it: a decimal string, or a number. */
static uint64_t json_read_count(struct json_text v)
{
	char digits[24];
	size_t n;

	json_take(&v, '"');
	n = (size_t)(v.end - v.p);
	n = n < sizeof(digits) ? n : sizeof(digits) - 1;
	memcpy(digits, v.p, n);
	digits[n] = '\0';
	return digits[0] == '-' ? 0 : strtoull(digits, NULL, 10);
}

static void success_from_json(struct otlp_answer *out, const uint8_t *body, size_t len)
{
	struct json_text top = { (const char *)body, (const char *)body + len }, partial, v;

	if (!json_lookup(top, "partialSuccess", &partial))
		return;
	if (json_lookup(partial, "rejectedSpans", &v) || json_lookup(partial, "rejectedDataPoints", &v))
		out->rejected = json_read_count(v);
	if (json_lookup(partial, "errorMessage", &v))
		json_set_message(out, v);
}

/* ---- google.rpc.RetryInfo ---- */

static void retry_set(struct otlp_answer *out, uint64_t seconds, uint64_t nanos)
{
	out->retry_info = true;
	/* a day is longer than any export may take */
	out->retry_delay_ns = seconds < 86400 ? seconds * 1000000000u + nanos : UINT64_MAX / 2;
}

/* "type.googleapis.com/google.rpc.RetryInfo": what is in front of the slash does not matter. */
static bool is_retry_info(const char *url, size_t n)
{
	static const char name[] = "/google.rpc.RetryInfo";

	return n >= sizeof(name) - 1 && memcmp(url + n - (sizeof(name) - 1), name, sizeof(name) - 1) == 0;
}

/* Digits of a fraction as nanoseconds. */
static uint64_t fraction_read(const char *p, size_t n)
{
	uint64_t nanos = 0, unit = 100000000;

	for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '9'; i++, unit /= 10)
		nanos += (uint64_t)(p[i] - '0') * unit;
	return nanos;
}

/* A Duration in JSON: "1.500s".  One that is negative or no duration is none. */
static void retry_from_json(struct otlp_answer *out, struct json_text v)
{
	uint64_t seconds = 0;
	const char *s;
	size_t n, i;

	if (!json_read_string(&v, &s, &n) || n < 2 || s[n - 1] != 's' || s[0] < '0' || s[0] > '9')
		return;
	for (i = 0; i < n && s[i] >= '0' && s[i] <= '9'; i++)
		seconds = seconds < 86400 ? seconds * 10 + (uint64_t)(s[i] - '0') : seconds;
	retry_set(out, seconds, s[i] == '.' ? fraction_read(s + i + 1, n - i - 1) : 0);
}

static void details_from_json(struct otlp_answer *out, struct json_text list)
{
	struct json_text detail, v;
	const char *url;
	size_t n;

	if (!json_take(&list, '['))
		return;
	do {
		json_skip_space(&list);
		detail = list;
		if (!json_skip_value(&list))
			return;
		detail.end = list.p;
		if (json_lookup(detail, "@type", &v) && json_read_string(&v, &url, &n) && is_retry_info(url, n) &&
		    json_lookup(detail, "retryDelay", &v))
			retry_from_json(out, v);
	} while (json_take(&list, ','));
}

static void error_from_json(struct otlp_answer *out, const uint8_t *body, size_t len)
{
	struct json_text top = { (const char *)body, (const char *)body + len }, v;

	if (json_lookup(top, "message", &v))
		json_set_message(out, v);
	if (json_lookup(top, "details", &v))
		details_from_json(out, v);
}

/* ---- protobuf: read in place, so that no body makes us allocate many times its size ---- */

static bool is_field(const struct proto_field *f, uint32_t number, enum proto_wire wire)
{
	return f->number == number && f->wire == wire;
}

/* The answers for the other signals have the same fields. */
static void success_from_protobuf(struct otlp_answer *out, const uint8_t *body, size_t len)
{
	struct proto_reader top, partial;
	struct proto_field f;

	proto_reader_init(&top, body, len);
	while (proto_reader_next(&top, &f)) {
		if (!is_field(&f, 1, PROTO_BYTES))		/* partial_success */
			continue;
		proto_reader_init(&partial, f.bytes, f.len);
		while (proto_reader_next(&partial, &f)) {
			if (is_field(&f, 1, PROTO_VARINT))	/* rejected_spans, an int64 */
				out->rejected = f.value <= INT64_MAX ? f.value : 0;
			else if (is_field(&f, 2, PROTO_BYTES))	/* error_message */
				set_message(out, (const char *)f.bytes, f.len);
		}
	}
}

/* google.protobuf.Duration; one that is negative is none. */
static void duration_from_protobuf(struct otlp_answer *out, const uint8_t *p, size_t n)
{
	uint64_t seconds = 0, nanos = 0;
	struct proto_reader r;
	struct proto_field f;

	proto_reader_init(&r, p, n);
	while (proto_reader_next(&r, &f)) {
		if (is_field(&f, 1, PROTO_VARINT))
			seconds = f.value;
		else if (is_field(&f, 2, PROTO_VARINT))
			nanos = f.value;
	}
	if (seconds <= INT64_MAX && nanos < 1000000000)
		retry_set(out, seconds, nanos);
}

static void retry_from_protobuf(struct otlp_answer *out, const uint8_t *p, size_t n)
{
	struct proto_reader r;
	struct proto_field f;

	proto_reader_init(&r, p, n);
	out->retry_info = true;
	while (proto_reader_next(&r, &f))
		if (is_field(&f, 1, PROTO_BYTES))		/* retry_delay */
			duration_from_protobuf(out, f.bytes, f.len);
}

/* google.protobuf.Any */
static void detail_from_protobuf(struct otlp_answer *out, const uint8_t *p, size_t n)
{
	struct proto_field f, url = { 0 }, value = { 0 };
	struct proto_reader r;

	proto_reader_init(&r, p, n);
	while (proto_reader_next(&r, &f)) {
		if (is_field(&f, 1, PROTO_BYTES))
			url = f;
		else if (is_field(&f, 2, PROTO_BYTES))
			value = f;
	}
	if (url.len && is_retry_info((const char *)url.bytes, url.len))
		retry_from_protobuf(out, value.bytes, value.len);
}

static void error_from_protobuf(struct otlp_answer *out, const uint8_t *body, size_t len)
{
	struct proto_reader r;
	struct proto_field f;

	proto_reader_init(&r, body, len);
	while (proto_reader_next(&r, &f)) {
		if (is_field(&f, 2, PROTO_BYTES))
			set_message(out, (const char *)f.bytes, f.len);
		else if (is_field(&f, 3, PROTO_BYTES))
			detail_from_protobuf(out, f.bytes, f.len);
	}
}

void otlp_decode_success(struct otlp_answer *out, enum http_body type, const uint8_t *body, size_t len)
{
	*out = (struct otlp_answer){ 0 };
	if (len == 0)
		return;
	if (type == HTTP_BODY_PROTOBUF || type == HTTP_BODY_GRPC)
		success_from_protobuf(out, body, len);
	else if (type == HTTP_BODY_JSON)
		success_from_json(out, body, len);
}

void otlp_decode_error(struct otlp_answer *out, enum http_body type, const uint8_t *body, size_t len)
{
	*out = (struct otlp_answer){ 0 };
	if (len == 0)
		return;
	if (type == HTTP_BODY_PROTOBUF)
		error_from_protobuf(out, body, len);
	else if (type == HTTP_BODY_JSON)
		error_from_json(out, body, len);
	else
		set_message(out, (const char *)body, len);
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

void otlp_decode_details(struct otlp_answer *out, const char *base64)
{
	uint8_t bytes[OTLP_DETAILS_MAX];
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	*out = (struct otlp_answer){ 0 };
	for (; *base64 && *base64 != '=' && n < sizeof(bytes); base64++) {
		int d = base64_digit(*base64);

		if (d < 0)
			return;
		acc = acc << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[n++] = (uint8_t)(acc >> bits);
		}
	}
	error_from_protobuf(out, bytes, n);
}
