/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The budget of a trace.  One for each trace, in the span builder, on the
 * consumer thread.  Spans are counted when they are built (or reserved); bytes
 * are estimated from above, so that the trace that arrives is never larger.
 */
#include "config.h"
#include "span/budget.h"

static uint64_t part(uint64_t n, unsigned percent)
{
	return n / 100 * percent + n % 100 * percent / 100;
}

void budget_init(struct budget *b, uint64_t max_spans, uint64_t max_bytes, unsigned single, unsigned notable)
{
	struct budget_limit *l = b->share;
	uint64_t rest;

	*b = (struct budget){ .unlimited = max_spans == 0 };
	if (b->unlimited)
		return;
	l[BUDGET_FRAME].max_spans = max_spans - part(max_spans, single) - part(max_spans, notable);
	if (l[BUDGET_FRAME].max_spans < BUDGET_FRAME_MIN)
		l[BUDGET_FRAME].max_spans = max_spans < BUDGET_FRAME_MIN ? max_spans : BUDGET_FRAME_MIN;
	rest = max_spans - l[BUDGET_FRAME].max_spans;
	l[BUDGET_NOTABLE].max_spans = part(max_spans, notable) < rest ? part(max_spans, notable) : rest;
	l[BUDGET_SINGLE].max_spans = rest - l[BUDGET_NOTABLE].max_spans;
	if (!single) {
		l[BUDGET_FRAME].max_spans += l[BUDGET_SINGLE].max_spans;
		l[BUDGET_SINGLE].max_spans = 0;
	}
	l[BUDGET_SINGLE].max_bytes = max_bytes ? part(max_bytes, single) : UINT64_MAX;
	l[BUDGET_NOTABLE].max_bytes = max_bytes ? part(max_bytes, notable) : UINT64_MAX;
	l[BUDGET_FRAME].max_bytes = max_bytes ? part(max_bytes, 100 - single - notable) : UINT64_MAX;
}

bool budget_check(const struct budget *b, enum budget_share s, uint64_t spans, uint64_t bytes)
{
	const struct budget_limit *l = &b->share[s];

	return b->unlimited || (l->spans + spans <= l->max_spans && l->bytes + spans * bytes <= l->max_bytes);
}

void budget_add(struct budget *b, enum budget_share s, uint64_t spans, uint64_t bytes)
{
	b->share[s].spans += spans;
	b->share[s].bytes += bytes;
}

void budget_del(struct budget *b, enum budget_share s, uint64_t spans, uint64_t bytes)
{
	struct budget_limit *l = &b->share[s];

	l->spans -= spans < l->spans ? spans : l->spans;
	l->bytes -= bytes < l->bytes ? bytes : l->bytes;
}

uint64_t budget_room(const struct budget *b, enum budget_share s, uint64_t bytes)
{
	const struct budget_limit *l = &b->share[s];
	uint64_t by_spans, by_bytes;

	if (b->unlimited)
		return UINT64_MAX;
	by_spans = l->max_spans > l->spans ? l->max_spans - l->spans : 0;
	by_bytes = l->max_bytes > l->bytes ? (l->max_bytes - l->bytes) / (bytes ? bytes : 1) : 0;
	return by_spans < by_bytes ? by_spans : by_bytes;
}

bool budget_spent(const struct budget *b)
{
	const struct budget_limit *l = b->share;

	if (b->unlimited)
		return false;
	for (int i = 0; i < BUDGET_SHARES; i++)
		if (l[i].spans < l[i].max_spans && l[i].bytes < l[i].max_bytes)
			return false;
	return true;
}
