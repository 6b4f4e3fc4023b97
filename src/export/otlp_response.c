/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of answers.  Runs on the exporter thread, once for a batch; bodies
 * are the transport's (at most 4 MiB), results go to the caller's struct.
 *
 * Bodies are JSON where the request was, and HTML or plain text where a proxy
 * or a receiver's own HTTP layer answered: then the first line is shown.
 */
#include "config.h"
#include "export/otlp_response.h"
#include <stdlib.h>
#include <string.h>
#include "export/proto/rpc_status.pb-c.h"
#include "export/proto/trace_service.pb-c.h"

/* The first line, without what a terminal could take as a command. */
static void set_message(struct otlp_answer *out, const char *p, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n && p[i] && p[i] != '\n' && p[i] != '\r' && len + 1 < sizeof(out->message); i++)
		out->message[len++] = (unsigned char)p[i] < ' ' || p[i] == 0x7f ? ' ' : p[i];
	out->message[len] = '\0';
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

static void error_from_json(struct otlp_answer *out, const uint8_t *body, size_t len)
{
	struct json_text top = { (const char *)body, (const char *)body + len }, v;

	if (json_lookup(top, "message", &v))
		json_set_message(out, v);
}

/* ---- protobuf ---- */

/* The answers for the other signals have the same fields. */
static void success_from_protobuf(struct otlp_answer *out, const uint8_t *body, size_t len)
{
	Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse *r =
		opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(NULL, len, body);

	if (!r)
		return;
	if (r->partial_success) {
		out->rejected = r->partial_success->rejected_spans > 0 ? (uint64_t)r->partial_success->rejected_spans : 0;
		set_message(out, r->partial_success->error_message, strlen(r->partial_success->error_message));
	}
	opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(r, NULL);
}

static void retry_info_decode(struct otlp_answer *out, const ProtobufCBinaryData *value)
{
	Google__Rpc__RetryInfo *info = google__rpc__retry_info__unpack(NULL, value->len, value->data);
	const Google__Rpc__Duration *d;

	if (!info)
		return;
	out->retry_info = true;
	d = info->retry_delay;
	if (d && d->seconds >= 0 && d->seconds < 86400 && d->nanos >= 0)
		out->retry_delay_ns = (uint64_t)d->seconds * 1000000000u + (uint64_t)d->nanos;
	else if (d && d->seconds >= 86400)
		out->retry_delay_ns = UINT64_MAX / 2;	/* longer than any export may take */
	google__rpc__retry_info__free_unpacked(info, NULL);
}

static void error_from_protobuf(struct otlp_answer *out, const uint8_t *body, size_t len)
{
	Google__Rpc__Status *s = google__rpc__status__unpack(NULL, len, body);

	if (!s)
		return;
	set_message(out, s->message, strlen(s->message));
	for (size_t i = 0; i < s->n_details; i++)
		if (strcmp(s->details[i]->type_url, "type.googleapis.com/google.rpc.RetryInfo") == 0)
			retry_info_decode(out, &s->details[i]->value);
	google__rpc__status__free_unpacked(s, NULL);
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
	uint8_t bytes[2048];
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
