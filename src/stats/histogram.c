/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histogram.  Owned by one thread.  A bucket that is full stays
 * full; count and sum go on.
 */
#include "config.h"
#include "stats/histogram.h"

#define SUB_MASK ((1u << HIST_SUB) - 1)

void histogram_init(struct histogram *h)
{
	*h = (struct histogram){ .min = UINT64_MAX };
}

/* Numbers below 2^HIST_SUB have a bucket each. */
static unsigned bucket_of(uint64_t v)
{
	unsigned shift;

	if (v <= SUB_MASK)
		return (unsigned)v;
	shift = 63u - (unsigned)__builtin_clzll(v) - HIST_SUB;
	return (shift + 1) << HIST_SUB | (unsigned)(v >> shift & SUB_MASK);
}

/* Middle of a bucket. */
static uint64_t bucket_value(unsigned i)
{
	unsigned shift;

	if (i <= SUB_MASK)
		return i;
	shift = (i >> HIST_SUB) - 1;
	return ((uint64_t)(SUB_MASK + 1 + (i & SUB_MASK)) << shift) + (((uint64_t)1 << shift) >> 1);
}

static uint64_t add_sat(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static void bucket_add(uint32_t *bucket, uint64_t n)
{
	*bucket = n > UINT32_MAX - *bucket ? UINT32_MAX : *bucket + (uint32_t)n;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->count++;
	h->sum = add_sat(h->sum, ns);
	if (ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
	bucket_add(&h->buckets[bucket_of(ns)], 1);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	into->sum = add_sat(into->sum, from->sum);
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		bucket_add(&into->buckets[i], from->buckets[i]);
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t total = 0;
	uint64_t seen = 0;
	uint64_t rank, v;
	unsigned i;

	for (i = 0; i < HIST_BUCKETS; i++)
		total += h->buckets[i];
	if (!total)
		return 0;
	/* Nearest rank: the smallest value that q of all are not above. */
	rank = q <= 0 ? 1 : q >= 1 ? total : (uint64_t)(q * (double)total);
	if (rank < total && (double)rank < q * (double)total)
		rank++;
	rank = rank ? rank : 1;
	for (i = 0; seen + h->buckets[i] < rank; i++)
		seen += h->buckets[i];
	v = bucket_value(i);
	return v < h->min ? h->min : v > h->max ? h->max : v;
}
