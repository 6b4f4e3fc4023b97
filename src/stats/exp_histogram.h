/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base-2 exponential histogram of durations, as OpenTelemetry's metrics data
 * model has it: bucket i of scale s counts values in (base^i, base^(i+1)]
 * seconds, base = 2^(2^-s).  It starts at the finest scale and merges pairs of
 * buckets when the values no longer fit, so that any range is covered with a
 * bounded error in constant memory.  Values come in as nanoseconds; count,
 * sum, least and largest value are exact.
 */
#ifndef EXP_HISTOGRAM_H
#define EXP_HISTOGRAM_H

#include <stdint.h>

/* The SDK specification's defaults. */
#define EXP_HISTOGRAM_SIZE 160u
#define EXP_HISTOGRAM_SCALE 20

struct exp_histogram {
	uint64_t count, zero_count;	/* zero_count: of count, values of 0 */
	uint64_t sum, min, max;		/* ns; min and max mean nothing while count is 0 */
	int32_t offset;			/* index of counts[0] */
	int32_t scale;
	uint32_t used;			/* buckets in counts */
	uint64_t counts[EXP_HISTOGRAM_SIZE];
};

void exp_histogram_init(struct exp_histogram *h);
void exp_histogram_add(struct exp_histogram *h, uint64_t ns);
void exp_histogram_merge(struct exp_histogram *into, const struct exp_histogram *from);

#endif
