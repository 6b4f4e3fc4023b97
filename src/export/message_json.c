/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to JSON by their descriptors.  Pure, on the thread of the caller;
 * for what is sent now and then (metrics).  Spans have an encoder of their own.
 *
 * Rules: proto3's JSON mapping with OTLP's deviations (opentelemetry-proto,
 * docs/specification.md, "JSON Protobuf Encoding").
 */
#include "config.h"
#include "export/message_json.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/base64.h"
#include "base/json_writer.h"

#define KEY_LIMIT 64u

static void add_message(struct json_writer *w, const char *key, const ProtobufCMessage *m);

static void format_key(const char *name, char key[KEY_LIMIT])
{
	bool upper = false;
	size_t n = 0;

	for (; *name && n + 1 < KEY_LIMIT; name++) {
		if (*name != '_')
			key[n++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		upper = *name == '_';
	}
	key[n] = '\0';
}

static void add_base64(struct json_writer *w, const char *key, const ProtobufCBinaryData *b)
{
	char *text = malloc(BASE64_SIZE(b->len) + 1);

	json_add_str(w, key, text ? text : "", text ? (size_t)(base64_format(text, b->data, b->len) - text) : 0);
	free(text);
}

/* One value; p: where it is, as a field or an element of an array. */
static void add_value(struct json_writer *w, const char *key, ProtobufCType type, const void *p)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		json_add_i64(w, key, *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		json_add_u64(w, key, *(const uint32_t *)p);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		json_add_i64_str(w, key, *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		json_add_u64_str(w, key, *(const uint64_t *)p);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		json_add_double(w, key, (double)*(const float *)p);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		json_add_double(w, key, *(const double *)p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		json_add_bool(w, key, *(const protobuf_c_boolean *)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		json_add_str(w, key, *(char *const *)p, strlen(*(char *const *)p));
		break;
	case PROTOBUF_C_TYPE_BYTES:
		add_base64(w, key, p);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		add_message(w, key, *(ProtobufCMessage *const *)p);
		break;
	}
}

static size_t element_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	default:
		return 8;
	}
}

/* Is it there?  A field without presence is, unless it has its default. */
static bool field_present(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const void *p = (const uint8_t *)m + f->offset;
	static const uint8_t zero[8];

	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)((const uint8_t *)m + f->quantifier_offset) == f->id;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return *(char *const *)p && **(char *const *)p;
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)p)->len > 0;
	return memcmp(p, zero, element_size(f->type)) != 0;
}

static void add_field(struct json_writer *w, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const uint8_t *p = (const uint8_t *)m + f->offset;
	char key[KEY_LIMIT];
	size_t n;

	format_key(f->name, key);
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		if (field_present(m, f))
			add_value(w, key, f->type, p);
		return;
	}
	n = *(const size_t *)((const uint8_t *)m + f->quantifier_offset);
	if (!n)
		return;
	json_open_array(w, key);
	p = *(const uint8_t *const *)p;
	for (size_t i = 0; i < n; i++)
		add_value(w, NULL, f->type, p + i * element_size(f->type));
	json_close_array(w);
}

static void add_message(struct json_writer *w, const char *key, const ProtobufCMessage *m)
{
	json_open_object(w, key);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		add_field(w, m, &m->descriptor->fields[i]);
	json_close_object(w);
}

void message_json_format(struct strbuf *out, const ProtobufCMessage *message)
{
	struct json_writer w;

	json_init(&w, out);
	add_message(&w, NULL, message);
}
