/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Received spans into the store: what the tree view shows of each.  Receiver's
 * polling thread; the request is the caller's.
 */
#include "config.h"
#include "collect/traces.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef Opentelemetry__Proto__Trace__V1__Span pb_span;
typedef Opentelemetry__Proto__Trace__V1__ResourceSpans pb_resource_spans;
typedef Opentelemetry__Proto__Common__V1__KeyValue pb_key_value;
typedef Opentelemetry__Proto__Common__V1__AnyValue pb_any;

/* trace.proto, Span.flags: bit 9 says that the parent is remote (bit 8: that this is known). */
#define SPAN_FLAG_PARENT_REMOTE 0x200u

static const pb_any *find(pb_key_value *const *kv, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(kv[i]->key, key) == 0)
			return kv[i]->value;
	return NULL;
}

static int64_t find_int(pb_key_value *const *kv, size_t n, const char *key, int64_t missing)
{
	const pb_any *v = find(kv, n, key);

	return v && v->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE
		   ? v->int_value
		   : missing;
}

static const char *find_str(pb_key_value *const *kv, size_t n, const char *key)
{
	const pb_any *v = find(kv, n, key);

	return v && v->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE
		       ? v->string_value
		       : NULL;
}

static void copy_id(uint8_t *to, size_t n, const ProtobufCBinaryData *from)
{
	memset(to, 0, n);
	if (from->len == n)
		memcpy(to, from->data, n);
}

/* What a reader wants to see behind the name. */
static const char *detail(const pb_span *sp, char *buf, size_t size)
{
	const char *path = find_str(sp->attributes, sp->n_attributes, "file.path");
	const char *peer = find_str(sp->attributes, sp->n_attributes, "network.peer.address");
	const char *sig = find_str(sp->attributes, sp->n_attributes, "tracer.exit.signal");
	const char *err = find_str(sp->attributes, sp->n_attributes, "error.type");
	const char *what = path ? path : peer ? peer : sig;

	if (!what && !err)
		return NULL;
	snprintf(buf, size, "%s%s%s", what ? what : "", what && err ? "  " : "", err ? err : "");
	return buf;
}

static void store_span(const pb_span *sp, const pb_resource_spans *rs, struct span_store *store,
		       struct traces_stats *st, uint8_t root_trace[16])
{
	pb_key_value *const *kv = sp->attributes;
	size_t n = sp->n_attributes;
	char buf[512];
	struct stored_span s = {
		.start_ns = sp->start_time_unix_nano, .end_ns = sp->end_time_unix_nano,
		.status = sp->status ? (uint8_t)sp->status->code : 0, .name = sp->name,
		.count = find_int(kv, n, "aggregation.span_count", 1),
		.exit_code = find_int(kv, n, "process.exit.code", -1), .detail = (char *)detail(sp, buf, sizeof(buf)),
	};
	bool call = find(kv, n, "syscall.name") != NULL;

	copy_id(s.trace_id, 16, &sp->trace_id);
	copy_id(s.span_id, 8, &sp->span_id);
	copy_id(s.parent_id, 8, &sp->parent_span_id);
	s.summary = find(kv, n, "aggregation.is_summary") != NULL;
	s.process = find(kv, n, "process.executable.name") != NULL ||
		    find(kv, n, "process.exit.code") != NULL;
	s.pid = find_int(kv, n, "process.pid", 0);
	if (!s.pid && rs->resource)
		s.pid = find_int(rs->resource->attributes, rs->resource->n_attributes, "process.pid", 0);
	if (s.end_ns < s.start_ns)
		s.end_ns = s.start_ns;
	st->spans++;
	if (call)
		st->calls += (uint64_t)s.count;
	if (s.process && (sp->parent_span_id.len == 0 || (sp->flags & SPAN_FLAG_PARENT_REMOTE))) {
		st->roots++;
		memcpy(root_trace, s.trace_id, 16);
	}
	store_add(store, &s);
}

void traces_store(const traces_request *req, struct span_store *store, struct traces_stats *st,
		  uint8_t root_trace[16])
{
	for (size_t i = 0; i < req->n_resource_spans; i++) {
		const pb_resource_spans *rs = req->resource_spans[i];

		for (size_t j = 0; j < rs->n_scope_spans; j++)
			for (size_t k = 0; k < rs->scope_spans[j]->n_spans; k++)
				store_span(rs->scope_spans[j]->spans[k], rs, store, st, root_trace);
	}
}
