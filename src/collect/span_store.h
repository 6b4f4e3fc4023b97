/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Received spans, kept in memory up to a limit so that a trace can be shown
 * as a tree once it is complete.  Not thread-safe: the caller holds a lock.
 */
#ifndef COLLECT_SPAN_STORE_H
#define COLLECT_SPAN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/strbuf.h"

struct stored_span {
	uint8_t trace_id[16], span_id[8], parent_id[8];
	uint64_t start_ns, end_ns;
	uint8_t status;			/* trace.proto Status.StatusCode */
	bool process;			/* has process.pid or is the parent of calls */
	bool summary;
	int64_t pid;			/* 0 unknown */
	int64_t count;			/* aggregation.span_count, else 1 */
	int64_t exit_code;		/* -1 unknown */
	char *name;			/* owned by the store */
	char *detail;			/* path, error: what a reader wants on the line; may be NULL */
	struct stored_span *child, *sibling;	/* made by store_link() */
};

struct span_store { struct stored_span *spans; size_t n, cap, max; uint64_t refused; };

void store_init(struct span_store *s, size_t max);
void store_fini(struct span_store *s);
/* Copies name and detail.  0, -ENOSPC (counted), -ENOMEM. */
int store_add(struct span_store *s, const struct stored_span *sp);

struct tree_options { unsigned lines_per_parent; bool color; };
/* The tree of one trace (all zero: of the first one); spans whose parent did not arrive are roots. */
void store_format_tree(struct span_store *s, const uint8_t trace_id[16], const struct tree_options *o,
		       struct strbuf *out);

#endif
