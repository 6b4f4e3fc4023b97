/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential form of a histogram: nothing lost, values where they belong. */
#include "config.h"
#include <math.h>
#include "stats/exp_histogram.h"
#include "unit.h"

/* How many buckets v is away from the nearest one that has something. */
static int32_t distance(const struct exp_histogram *e, double v)
{
	int32_t at = (int32_t)ceil(log2(v) * pow(2, e->scale)) - 1 - e->offset, best = 1000;

	for (int32_t i = 0; i < (int32_t)e->n; i++)
		if (e->counts[i] && abs(i - at) < best)
			best = abs(i - at);
	return best;
}

START_TEST(test_values)
{
	unsigned long r = 0x5eed0900;

	for (int round = 0; round < 300; round++) {
		unsigned width = 1 + (unsigned)(unit_random(&r) % 60);
		struct exp_histogram e;
		struct histogram h;
		uint64_t values[100], sum = 0;

		histogram_init(&h);
		for (int i = 0; i < 100; i++) {
			values[i] = unit_random(&r) >> (64 - width);
			histogram_add(&h, values[i]);
		}
		exp_histogram_load(&e, &h, 1e-9);
		ck_assert_uint_eq(e.count, 100);
		ck_assert_uint_le(e.n, EXP_BUCKETS);
		for (size_t i = 0; i < e.n; i++)
			sum += e.counts[i];
		ck_assert_uint_eq(sum + e.zero_count, 100);
		for (int i = 0; i < 100; i++)
			if (values[i])
				ck_assert_int_le(distance(&e, (double)values[i] * 1e-9), 1);
		ck_assert(e.n == 0 || (e.counts[0] && e.counts[e.n - 1]));
		ck_assert(e.min <= e.max && e.sum >= e.max);
	}
}
END_TEST

/* The whole range of 64 bits fits by a smaller scale. */
START_TEST(test_range)
{
	struct exp_histogram e;
	struct histogram h;

	histogram_init(&h);
	exp_histogram_load(&e, &h, 1e-9);
	ck_assert_uint_eq(e.count, 0);
	ck_assert_uint_eq(e.n, 0);
	histogram_add(&h, 0);
	exp_histogram_load(&e, &h, 1e-9);
	ck_assert_uint_eq(e.zero_count, 1);
	histogram_add(&h, 1000);
	exp_histogram_load(&e, &h, 1e-9);
	ck_assert_int_eq(e.scale, EXP_SCALE);
	ck_assert_uint_eq(e.n, 1);
	histogram_add(&h, 1);
	histogram_add(&h, UINT64_MAX);
	exp_histogram_load(&e, &h, 1e-9);
	ck_assert_int_lt(e.scale, EXP_SCALE);
	ck_assert_uint_le(e.n, EXP_BUCKETS);
	ck_assert_uint_eq(e.count, 4);
}
END_TEST

int main(void)
{
	return unit_run("exp-histogram", (const TTest *const[]){ test_values, test_range, NULL });
}
