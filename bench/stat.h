/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of samples: robust ones, because the machines are small and
 * noisy.  Pure; quantiles by linear interpolation between order statistics
 * (Hyndman and Fan, type 7).
 */
#ifndef BENCH_STAT_H
#define BENCH_STAT_H

#include <stddef.h>
#include <stdint.h>

struct stat_result {
	size_t n, outliers;		/* outliers: farther than 3 scaled MADs from the median */
	double min, max, mean, median, mad;
	double p50, p95, p99;
	double ci_low, ci_high;		/* 95 % bootstrap interval of the median */
};

/* v is sorted in place.  seed makes the bootstrap repeatable. */
void stat_compute(double *v, size_t n, uint64_t seed, struct stat_result *out);
double stat_quantile(const double *sorted, size_t n, double q);

#endif
