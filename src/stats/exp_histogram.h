/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log-linear histogram as OpenTelemetry's exponential one (base
 * 2^(2^-scale), at most 160 buckets as SDKs have it).  The bounds of the two
 * differ, so a count lands by the middle of its bucket: off by one bucket at
 * the most.
 */
#ifndef EXP_HISTOGRAM_H
#define EXP_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include "stats/histogram.h"

#define EXP_SCALE 3		/* 8 buckets for each power of two; the log-linear has 16 */
#define EXP_BUCKETS 160u

struct exp_histogram {
	int32_t scale, offset;		/* bucket i holds (base^(offset+i), base^(offset+i+1)] */
	uint64_t zero_count, count;	/* count: of all buckets and zero_count */
	double sum, min, max;		/* in the unit asked for; min and max 0 when empty */
	size_t n;
	uint64_t counts[EXP_BUCKETS];
};

/* unit: what a nanosecond is in the unit wanted (seconds: 1e-9). */
void exp_histogram_load(struct exp_histogram *e, const struct histogram *h, double unit);

#endif
