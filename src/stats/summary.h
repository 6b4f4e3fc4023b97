/* SPDX-License-Identifier: Apache-2.0 */
/* The -c table: per call counts, errors, times, percentiles; data first, text by format. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/strbuf.h"

struct summary;
struct summary_row {
	const char *name;
	int abi;
	uint64_t calls, errors, total_ns, min_ns, avg_ns, max_ns, p50_ns, p90_ns, p99_ns;
};

/* Memory: one histogram (4 KB) for each distinct call seen; numbers beyond
 * SUMMARY_ROWS_MAX distinct ones are counted together as "other". */
#define SUMMARY_ROWS_MAX 2048u

int summary_new(struct summary **out);
void summary_free(struct summary *s);
/* A call that returned, and the time that it took. */
void summary_add_raw(struct summary *s, int abi, int nr, bool error, uint64_t ns);
/* A call that never returned (exit): counted, but it has no time. */
void summary_add_unfinished(struct summary *s, int abi, int nr);
/* Rows sorted by key: "time" (default), "calls", "errors", "name", "max", "avg", "none".  Count of
 * rows, or -EINVAL; *out is owned by s, till the next call. */
int summary_rows(struct summary *s, const char *sort, const struct summary_row **out);
/* Columns of the text, comma-separated: time-percent total-time avg-time calls errors min-time p50
 * p90 p99 max-time name (strace's short names, too).  -EINVAL: unknown name. */
int summary_set_columns(struct summary *s, const char *list);
void summary_format(struct summary *s, const char *sort, struct strbuf *out);

#endif
