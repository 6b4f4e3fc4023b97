/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential histograms.  One thread at a time, memory is the caller's,
 * nothing is allocated.  A value that lies in the buckets there are costs a
 * logarithm and an increment; all else happens while a histogram finds its
 * range.
 *
 * Rules: OpenTelemetry specification, metrics/data-model.md, "Exponential
 * Histogram", and metrics/sdk.md, "Base2 Exponential Bucket Histogram
 * Aggregation".
 */
#include "config.h"
#include "stats/exp_histogram.h"
#include <math.h>
#include <string.h>

void exp_histogram_init(struct exp_histogram *h)
{
	/* The counts behind used are never read. */
	h->count = h->zero_count = h->sum = h->max = 0;
	h->min = UINT64_MAX;
	h->offset = 0;
	h->scale = EXP_HISTOGRAM_SCALE;
	h->used = 0;
}

/* ceil(log_base(seconds)) - 1: the upper bound of a bucket belongs to it.  A
 * double has 52 bits of fraction, an index at most 26: what is off is the
 * rounding next to a bound, which the data model allows. */
static inline int32_t index_of(uint64_t ns, int32_t scale)
{
	double x = log2((double)ns * 1e-9) * (double)(1u << scale);
	int32_t i = (int32_t)x;

	return x <= (double)i ? i - 1 : i;
}

/* Buckets 2^shift at a time become one. */
static void downscale(struct exp_histogram *h, unsigned shift)
{
	int32_t offset = h->offset >> shift;
	uint32_t used = h->used;

	h->scale -= (int32_t)shift;
	if (!used)
		return;
	h->used = (uint32_t)(((h->offset + (int32_t)used - 1) >> shift) - offset) + 1;
	for (uint32_t i = 0; i < used; i++) {
		uint32_t to = (uint32_t)(((h->offset + (int32_t)i) >> shift) - offset);
		uint64_t n = h->counts[i];

		h->counts[i] = 0;
		h->counts[to] += n;	/* to <= i: not read yet, or just emptied */
	}
	h->offset = offset;
}

/* Makes the buckets first..last be there; both are indexes of the present
 * scale.  Returns by how much the scale went down. */
static unsigned make_room(struct exp_histogram *h, int32_t first, int32_t last)
{
	unsigned shift = 0;

	if (h->used) {
		int32_t end = h->offset + (int32_t)h->used - 1;

		first = first < h->offset ? first : h->offset;
		last = last > end ? last : end;
	}
	while ((last >> shift) - (first >> shift) >= (int32_t)EXP_HISTOGRAM_SIZE)
		shift++;
	if (shift)
		downscale(h, shift);
	first >>= shift;
	last >>= shift;
	if (!h->used)
		h->offset = first;
	uint32_t before = (uint32_t)(h->offset - first), used = (uint32_t)(last - first) + 1;

	memmove(h->counts + before, h->counts, h->used * sizeof(h->counts[0]));
	memset(h->counts, 0, before * sizeof(h->counts[0]));
	memset(h->counts + before + h->used, 0, (used - before - h->used) * sizeof(h->counts[0]));
	h->offset = first;
	h->used = used;
	return shift;
}

void exp_histogram_add(struct exp_histogram *h, uint64_t ns)
{
	uint32_t at;
	int32_t i;

	h->count++;
	h->sum += ns;
	h->min = ns < h->min ? ns : h->min;
	h->max = ns > h->max ? ns : h->max;
	if (!ns) {
		h->zero_count++;
		return;
	}
	i = index_of(ns, h->scale);
	at = (uint32_t)(i - h->offset);
	if (__builtin_expect(at >= h->used, 0)) {
		i >>= make_room(h, i, i);
		at = (uint32_t)(i - h->offset);
	}
	h->counts[at]++;
}

void exp_histogram_merge(struct exp_histogram *into, const struct exp_histogram *from)
{
	unsigned shift = 0;

	into->count += from->count;
	into->zero_count += from->zero_count;
	into->sum += from->sum;
	into->min = from->min < into->min ? from->min : into->min;
	into->max = from->max > into->max ? from->max : into->max;
	if (!from->used)
		return;
	if (into->scale > from->scale)
		downscale(into, (unsigned)(into->scale - from->scale));
	shift = (unsigned)(from->scale - into->scale);
	shift += make_room(into, from->offset >> shift, (from->offset + (int32_t)from->used - 1) >> shift);
	for (uint32_t i = 0; i < from->used; i++)
		into->counts[((from->offset + (int32_t)i) >> shift) - into->offset] += from->counts[i];
}
