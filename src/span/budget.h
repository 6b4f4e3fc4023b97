/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one trace may contain.  Back-ends refuse or freeze on large traces, so
 * a trace has a budget of spans and of serialised bytes, cut in three shares:
 * single calls as they come, notable calls, and the frame (process spans and
 * summaries) without which the rest makes no sense.  Pure arithmetic.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum budget_share { BUDGET_SINGLE = 0, BUDGET_NOTABLE, BUDGET_FRAME, BUDGET_SHARES };

struct budget_limit { uint64_t spans, bytes, max_spans, max_bytes; };

struct budget {
	struct budget_limit share[BUDGET_SHARES];
	bool unlimited;
};

/* Percent of single and notable calls; the rest is the frame's, never less than
 * BUDGET_FRAME_MIN spans.  max_spans 0: no limit at all; max_bytes 0: none of bytes. */
#define BUDGET_FRAME_MIN 4u
void budget_init(struct budget *b, uint64_t max_spans, uint64_t max_bytes, unsigned single, unsigned notable);
/* Whether spans more spans of about bytes each fit into a share. */
bool budget_check(const struct budget *b, enum budget_share s, uint64_t spans, uint64_t bytes);
void budget_add(struct budget *b, enum budget_share s, uint64_t spans, uint64_t bytes);
void budget_del(struct budget *b, enum budget_share s, uint64_t spans, uint64_t bytes);
/* Spans of about this size that a share still has room for. */
uint64_t budget_room(const struct budget *b, enum budget_share s, uint64_t bytes);
/* True once the trace as a whole is full. */
bool budget_spent(const struct budget *b);

#endif
