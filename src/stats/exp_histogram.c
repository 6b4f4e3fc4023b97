/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversion to an exponential histogram.  Pure; any thread.
 * Data model: OpenTelemetry specification, metrics/data-model.md, "ExponentialHistogram".
 */
#include "config.h"
#include "stats/exp_histogram.h"
#include <math.h>

/* Index of the bucket that holds v > 0: bounds are exclusive below, inclusive above. */
static int32_t index_of(double v)
{
	return (int32_t)ceil(log2(v) * (1 << EXP_SCALE)) - 1;
}

/* First and last index in use: false when there is none but zero. */
static int range_of(const struct histogram *h, double unit, int32_t *first, int32_t *last)
{
	int any = 0;

	for (unsigned i = 1; i < HIST_BUCKETS; i++) {
		if (!h->buckets[i])
			continue;
		if (!any)
			*first = index_of((double)histogram_bucket_value(i) * unit);
		*last = index_of((double)histogram_bucket_value(i) * unit);
		any = 1;
	}
	return any;
}

void exp_histogram_load(struct exp_histogram *e, const struct histogram *h, double unit)
{
	int32_t first = 0, last = 0;
	int down = 0;		/* how often two buckets have become one */

	*e = (struct exp_histogram){ .scale = EXP_SCALE, .zero_count = h->buckets[0], .count = h->buckets[0],
				     .sum = (double)h->sum * unit };
	if (h->count) {
		e->min = (double)h->min * unit;
		e->max = (double)h->max * unit;
	}
	if (!range_of(h, unit, &first, &last))
		return;
	while ((last >> down) - (first >> down) >= (int32_t)EXP_BUCKETS)
		down++;
	e->scale -= down;
	e->offset = first >> down;
	e->n = (size_t)((last >> down) - e->offset) + 1;
	for (unsigned i = 1; i < HIST_BUCKETS; i++) {
		if (!h->buckets[i])
			continue;
		e->counts[(index_of((double)histogram_bucket_value(i) * unit) >> down) - e->offset] += h->buckets[i];
		e->count += h->buckets[i];
	}
}
