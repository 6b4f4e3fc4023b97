/* SPDX-License-Identifier: Apache-2.0 */
/* The -c table: per call counts, errors, times, percentiles; data first, text by format. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/strbuf.h"
#include "decode/decode.h"

struct summary;
struct summary_row {
	const char *name;
	int abi;
	uint64_t calls, errors, total_ns, min_ns, avg_ns, max_ns, p50_ns, p90_ns, p99_ns;
};

int summary_new(struct summary **out);
void summary_free(struct summary *s);
void summary_add(struct summary *s, const struct call *c);
/* Hot path: no struct call needed. */
void summary_add_raw(struct summary *s, int abi, int nr, bool error, uint64_t ns);
/* Rows sorted by key: "time" (default), "calls", "errors", "name", "max", "avg".  Count of rows; *out is owned by s. */
int summary_rows(struct summary *s, const char *sort, const struct summary_row **out);
void summary_format(struct summary *s, const char *sort, struct strbuf *out);

#endif
