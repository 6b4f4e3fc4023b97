/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations of exports by their ending.  Pure: called by the exporter threads,
 * read by the consumer thread, both under their owner's lock.
 */
#include "config.h"
#include "export/export_times.h"
#include <inttypes.h>
#include <stdio.h>
#include "export/grpc.h"

static struct export_time *row_add(struct export_times *t, const struct export_time *like)
{
	struct export_time *r = &t->rows[t->n++];

	*r = *like;
	exp_histogram_init(&r->h);
	return r;
}

static struct export_time *row_lookup(struct export_times *t, const struct export_time *like)
{
	for (uint32_t i = 0; i < t->n; i++) {
		struct export_time *r = &t->rows[i];

		if (r->result == like->result && r->http_status == like->http_status && r->rpc_status == like->rpc_status)
			return r;
	}
	if (t->n < EXPORT_TIMES - 1)
		return row_add(t, like);
	if (t->n < EXPORT_TIMES)
		return row_add(t, &(struct export_time){ .result = EXPORT_FAILED, .rpc_status = -1 });
	return &t->rows[EXPORT_TIMES - 1];
}

void export_times_add(struct export_times *t, const struct export_outcome *out, uint64_t ns)
{
	struct export_time like = { .result = out->result, .http_status = out->http_status, .rpc_status = out->rpc_status };

	exp_histogram_add(&row_lookup(t, &like)->h, ns);
}

const char *export_time_format_error(const struct export_time *r, char buf[24])
{
	switch (r->result) {
	case EXPORT_OK:
		return NULL;
	case EXPORT_PARTIAL:
		return "rejected";
	case EXPORT_TIMEOUT:
		return "timeout";
	case EXPORT_REFUSED:
		return "connection_error";
	default:
		break;
	}
	if (r->rpc_status > 0)
		return grpc_status_name(r->rpc_status);
	if (!r->http_status)
		return "_OTHER";
	snprintf(buf, 24, "%" PRId64, r->http_status);
	return buf;
}
