/* SPDX-License-Identifier: Apache-2.0 */
/* Robust statistics of benchmark samples.  Pure functions on the caller's memory. */
#include "config.h"
#include "stat.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 1000

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double stat_quantile(const double *sorted, size_t n, double q)
{
	double at, frac;
	size_t i;

	if (!n)
		return 0;
	at = q * (double)(n - 1);
	i = (size_t)at;
	frac = at - (double)i;
	return i + 1 < n ? sorted[i] + frac * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

static uint64_t random_next(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dull;
}

/* Percentile bootstrap: medians of resamples drawn with replacement. */
static void bootstrap(const double *v, size_t n, uint64_t seed, struct stat_result *out)
{
	double *pick = malloc(n * sizeof(*pick)), *medians = malloc(RESAMPLES * sizeof(*medians));
	uint64_t s = seed | 1;

	out->ci_low = out->ci_high = out->median;
	if (pick && medians && n > 1) {
		for (size_t r = 0; r < RESAMPLES; r++) {
			for (size_t i = 0; i < n; i++)
				pick[i] = v[random_next(&s) % n];
			qsort(pick, n, sizeof(*pick), by_value);
			medians[r] = stat_quantile(pick, n, 0.5);
		}
		qsort(medians, RESAMPLES, sizeof(*medians), by_value);
		out->ci_low = stat_quantile(medians, RESAMPLES, 0.025);
		out->ci_high = stat_quantile(medians, RESAMPLES, 0.975);
	}
	free(pick);
	free(medians);
}

/* 1.4826 scales the MAD to the standard deviation of a normal distribution. */
static void spread(const double *v, size_t n, struct stat_result *out)
{
	double *d = malloc(n * sizeof(*d));

	if (!d)
		return;
	for (size_t i = 0; i < n; i++)
		d[i] = fabs(v[i] - out->median);
	qsort(d, n, sizeof(*d), by_value);
	out->mad = stat_quantile(d, n, 0.5);
	for (size_t i = 0; i < n; i++)
		out->outliers += out->mad > 0 && d[i] > 3 * 1.4826 * out->mad;
	free(d);
}

void stat_compute(double *v, size_t n, uint64_t seed, struct stat_result *out)
{
	memset(out, 0, sizeof(*out));
	if (!n)
		return;
	qsort(v, n, sizeof(*v), by_value);
	out->n = n;
	out->min = v[0];
	out->max = v[n - 1];
	for (size_t i = 0; i < n; i++)
		out->mean += v[i] / (double)n;
	out->median = out->p50 = stat_quantile(v, n, 0.5);
	out->p95 = stat_quantile(v, n, 0.95);
	out->p99 = stat_quantile(v, n, 0.99);
	spread(v, n, out);
	bootstrap(v, n, seed, out);
}
