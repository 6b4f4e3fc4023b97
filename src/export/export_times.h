/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long exports took, each with all its retries, by how they ended: what
 * otel.sdk.exporter.operation.duration is made of.  The owner has the lock.
 */
#ifndef EXPORT_TIMES_H
#define EXPORT_TIMES_H

#include "export/span_exporter.h"
#include "stats/exp_histogram.h"

#define EXPORT_TIMES 8u		/* endings; the last row takes all that find no row */

struct export_time {
	enum export_result result;
	int64_t http_status;		/* 0 none */
	int rpc_status;			/* -1 none */
	struct exp_histogram h;
};

struct export_times { uint32_t n; struct export_time rows[EXPORT_TIMES]; };

void export_times_add(struct export_times *t, const struct export_outcome *out, uint64_t ns);
/* error.type: "rejected", "timeout", "503", "UNAVAILABLE" ...; NULL: it went well. */
const char *export_time_format_error(const struct export_time *r, char buf[24]);

#endif
