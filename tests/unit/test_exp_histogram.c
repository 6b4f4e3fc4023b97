/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential histograms against the definition: every value is kept beside
 * the histogram, and each bucket must hold those that lie between its bounds.
 */
#include "config.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "stats/exp_histogram.h"
#include "unit.h"

#define VALUES 4000

struct reference { uint64_t ns[VALUES]; unsigned n; };

static void add(struct exp_histogram *h, struct reference *ref, uint64_t ns)
{
	exp_histogram_add(h, ns);
	ref->ns[ref->n++] = ns;
}

/* Bounds in long double, with room for the rounding that the data model allows. */
static long double bound(const struct exp_histogram *h, int32_t index)
{
	return exp2l(ldexpl((long double)index, -h->scale));
}

static bool bucket_right(const struct exp_histogram *h, const struct reference *ref, uint32_t i)
{
	long double lo = bound(h, h->offset + (int32_t)i), hi = bound(h, h->offset + (int32_t)i + 1);
	uint64_t inside = 0, near = 0;

	for (unsigned k = 0; k < ref->n; k++) {
		long double v = (long double)ref->ns[k] * 1e-9L;

		if (v > lo * (1 + 1e-12L) && v <= hi * (1 - 1e-12L))
			inside++;
		else if (v > lo * (1 - 1e-12L) && v <= hi * (1 + 1e-12L))
			near++;
	}
	return h->counts[i] >= inside && h->counts[i] <= inside + near;
}

static void expect_bucket(const struct exp_histogram *h, const struct reference *ref, uint32_t i)
{
	ck_assert_msg(bucket_right(h, ref, i), "scale %d bucket %d: %lu is wrong", h->scale,
		      h->offset + (int32_t)i, (unsigned long)h->counts[i]);
}

static void expect_exact(const struct exp_histogram *h, const struct reference *ref)
{
	uint64_t sum = 0, min = UINT64_MAX, max = 0, zero = 0, counted = h->zero_count;

	for (unsigned k = 0; k < ref->n; k++) {
		sum += ref->ns[k];
		min = ref->ns[k] < min ? ref->ns[k] : min;
		max = ref->ns[k] > max ? ref->ns[k] : max;
		zero += ref->ns[k] == 0;
	}
	for (uint32_t i = 0; i < h->used; i++)
		counted += h->counts[i];
	ck_assert_uint_eq(h->count, ref->n);
	ck_assert_uint_eq(counted, ref->n);
	ck_assert_uint_eq(h->zero_count, zero);
	ck_assert_uint_eq(h->sum, sum);
	ck_assert_uint_eq(h->min, min);
	ck_assert_uint_eq(h->max, max);
}

/* The finest scale at which the values fit: one more would not do. */
static void expect_scale(const struct exp_histogram *h, const struct reference *ref)
{
	uint64_t min = UINT64_MAX;
	long double lo, hi, width;

	ck_assert_int_le(h->scale, EXP_HISTOGRAM_SCALE);
	ck_assert_uint_le(h->used, EXP_HISTOGRAM_SIZE);
	for (unsigned k = 0; k < ref->n; k++)
		if (ref->ns[k])
			min = ref->ns[k] < min ? ref->ns[k] : min;
	if (min == UINT64_MAX || h->scale == EXP_HISTOGRAM_SCALE)
		return;
	lo = log2l((long double)min * 1e-9L);
	hi = log2l((long double)h->max * 1e-9L);
	width = ldexpl(hi - lo, h->scale + 1);
	ck_assert_msg(width > EXP_HISTOGRAM_SIZE - 2, "scale %d is coarser than needed", h->scale);
}

static void expect_all(const struct exp_histogram *h, const struct reference *ref)
{
	expect_exact(h, ref);
	expect_scale(h, ref);
	for (uint32_t i = 0; i < h->used; i++)
		expect_bucket(h, ref, i);
	if (h->used) {			/* no empty ends */
		ck_assert_uint_gt(h->counts[0] + (h->scale < EXP_HISTOGRAM_SCALE), 0);
		ck_assert_uint_gt(h->counts[h->used - 1] + (h->scale < EXP_HISTOGRAM_SCALE), 0);
	}
}

/* Log-uniform between 1 ns and 2^bits ns: syscalls look like that. */
static uint64_t any_duration(unsigned long *seed, unsigned bits)
{
	return unit_random(seed) >> (63 - unit_random(seed) % bits);
}

static struct exp_histogram h, other, both;
static struct reference ref, other_ref;

START_TEST(random_values)
{
	unsigned long seed = 42 + (unsigned)_i;

	exp_histogram_init(&h);
	ref.n = 0;
	for (unsigned i = 0; i < 600; i++)
		add(&h, &ref, any_duration(&seed, 1 + (unsigned)_i % 62));
	expect_all(&h, &ref);
}
END_TEST

/* After every single value, while the range is being found. */
START_TEST(growing)
{
	unsigned long seed = 7;

	exp_histogram_init(&h);
	ref.n = 0;
	for (unsigned i = 0; i < 250; i++) {
		add(&h, &ref, any_duration(&seed, 40));
		expect_all(&h, &ref);
	}
}
END_TEST

START_TEST(one_value_has_the_finest_scale)
{
	for (uint64_t ns = 1; ns < UINT64_MAX / 7; ns = ns * 7 + 1) {
		exp_histogram_init(&h);
		ref.n = 0;
		add(&h, &ref, ns);
		add(&h, &ref, ns);
		ck_assert_int_eq(h.scale, EXP_HISTOGRAM_SCALE);
		ck_assert_uint_eq(h.used, 1);
		expect_all(&h, &ref);
	}
}
END_TEST

/* A bound belongs to the bucket below it: 1 s is 2^0, in (base^-1, base^0]. */
START_TEST(bounds)
{
	exp_histogram_init(&h);
	exp_histogram_add(&h, 1000000000);
	ck_assert_int_eq(h.offset, -1);
	exp_histogram_init(&h);
	exp_histogram_add(&h, 2000000000);
	ck_assert_int_eq(h.offset, (1 << EXP_HISTOGRAM_SCALE) - 1);
	exp_histogram_init(&h);
	exp_histogram_add(&h, 500000000);
	ck_assert_int_eq(h.offset, -(1 << EXP_HISTOGRAM_SCALE) - 1);
	/* 1 us to 10 s fit at scale 2 (log2(1e7) * 4 = 93), not at scale 3 (186). */
	exp_histogram_init(&h);
	exp_histogram_add(&h, 1000);
	exp_histogram_add(&h, 10000000000);
	ck_assert_int_eq(h.scale, 2);
}
END_TEST

START_TEST(zeros)
{
	exp_histogram_init(&h);
	ref.n = 0;
	add(&h, &ref, 0);
	add(&h, &ref, 0);
	ck_assert_uint_eq(h.used, 0);
	add(&h, &ref, 5);
	expect_all(&h, &ref);
}
END_TEST

START_TEST(reset_is_empty)
{
	exp_histogram_init(&h);
	exp_histogram_add(&h, 3);
	exp_histogram_add(&h, 3000000000);
	exp_histogram_init(&h);
	ref.n = 0;
	expect_exact(&h, &(struct reference){ .n = 0 });
	add(&h, &ref, 17);
	expect_all(&h, &ref);
}
END_TEST

/* Merged is the same as counted together, buckets and all, up to the scale. */
START_TEST(merge)
{
	unsigned long seed = 99 + (unsigned)_i;

	exp_histogram_init(&h);
	exp_histogram_init(&other);
	ref.n = other_ref.n = 0;
	for (unsigned i = 0; i < 300; i++)
		add(&h, &ref, any_duration(&seed, 1 + (unsigned)_i % 50));
	for (unsigned i = 0; i < (unsigned)_i * 7 % 300; i++)
		add(&other, &other_ref, any_duration(&seed, 1 + (unsigned)_i * 13 % 50));
	both = h;
	exp_histogram_merge(&both, &other);
	memcpy(ref.ns + ref.n, other_ref.ns, other_ref.n * sizeof(ref.ns[0]));
	ref.n += other_ref.n;
	expect_exact(&both, &ref);
	for (uint32_t i = 0; i < both.used; i++)
		expect_bucket(&both, &ref, i);
	ck_assert_int_le(both.scale, h.scale);
	ck_assert_int_le(both.scale, other.scale);
}
END_TEST

/* The twin: a count in the wrong bucket is seen. */
START_TEST(reference_sees_a_wrong_bucket)
{
	exp_histogram_init(&h);
	ref.n = 0;
	add(&h, &ref, 1000);
	add(&h, &ref, 1000000);
	ck_assert(bucket_right(&h, &ref, 0));
	h.counts[0]--;
	h.counts[1]++;
	ck_assert(!bucket_right(&h, &ref, 0));
	ck_assert(!bucket_right(&h, &ref, 1));
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ random_values, 62 }, { merge, 100 }, { growing, 0 },
		{ one_value_has_the_finest_scale, 0 }, { bounds, 0 }, { zeros, 0 },
		{ reset_is_empty, 0 }, { reference_sees_a_wrong_bucket, 0 }, { NULL, 0 }
	};

	return unit_run_cases("exp_histogram", NULL, NULL, cases);
}
