/* SPDX-License-Identifier: Apache-2.0 */
/* Fold groups against a plain count, and the budget's arithmetic. */
#include "config.h"

#include <string.h>

#include "span/budget.h"
#include "stats/group.h"
#include "unit.h"

START_TEST(keys_keep_their_parts)
{
	static const int nrs[] = { 0, 1, 257, 1000000, -1, 0x7fffffff };

	for (size_t i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++)
		for (int abi = 0; abi < 3; abi++)
			for (int err = 0; err < 4096; err += 123) {
				uint64_t k = group_key(abi, nrs[i], err, err & 1);

				ck_assert_int_eq(group_nr(k), nrs[i]);
				ck_assert_int_eq(group_abi(k), abi);
				ck_assert_int_eq(group_errno(k), err);
				ck_assert_int_eq(group_unexpected(k), err & 1);
				ck_assert(k != GROUP_OTHER);
			}
}
END_TEST

static unsigned bucket_of(const struct group *g)
{
	unsigned i = 0;

	while (!g->buckets[i])
		i++;
	return i;
}

/* The bucket is the first whose bound is not below the duration. */
static void expect_bucket(uint64_t ns)
{
	struct group g = { 0 };
	unsigned want = 0;

	group_add(&g, 5, 5 + ns);
	while (want < GROUP_BOUNDS && ns > group_bounds_ns[want])
		want++;
	ck_assert_msg(bucket_of(&g) == want, "%lu ns: bucket %u, not %u", (unsigned long)ns, bucket_of(&g),
		      want);
}

START_TEST(buckets)
{
	unsigned long seed = 3;

	for (unsigned i = 0; i < GROUP_BOUNDS; i++) {
		expect_bucket(group_bounds_ns[i] - 1);
		expect_bucket(group_bounds_ns[i]);
		expect_bucket(group_bounds_ns[i] + 1);
		ck_assert(group_bounds_s[i] * 1e9 > (double)group_bounds_ns[i] * 0.999999 &&
			  group_bounds_s[i] * 1e9 < (double)group_bounds_ns[i] * 1.000001);
	}
	expect_bucket(0);
	for (int i = 0; i < 64; i++) {
		expect_bucket((uint64_t)1 << i);
		expect_bucket(((uint64_t)1 << i) - 1);
	}
	for (int i = 0; i < 10000; i++)
		expect_bucket(unit_random(&seed) >> unit_random(&seed) % 64);
}
END_TEST

START_TEST(counts_are_cumulative)
{
	struct group g = { 0 };
	int64_t out[GROUP_BUCKETS];

	group_add(&g, 0, 500);
	group_add(&g, 0, 1000);
	group_add(&g, 0, 2000);
	group_add(&g, 100, 100 + 20000000000u);
	group_format_counts(&g, out);
	ck_assert_int_eq(out[0], 2);
	ck_assert_int_eq(out[1], 3);
	ck_assert_int_eq(out[GROUP_BOUNDS - 1], 3);
	ck_assert_int_eq(out[GROUP_BOUNDS], 4);		/* +Inf: all of them */
	ck_assert_uint_eq(g.min_ns, 500);
	ck_assert_uint_eq(g.max_ns, 20000000000u);
	ck_assert_uint_eq(g.first_ns, 0);
	ck_assert_uint_eq(g.last_ns, 20000000100u);
	group_reset(&g);
	ck_assert_uint_eq(g.count, 0);
	group_add(&g, 7, 9);
	ck_assert(g.min_ns == 2 && g.max_ns == 2 && g.first_ns == 7 && g.last_ns == 9);
	group_add(&g, 9, 8);	/* a clock that went back: no time, no overflow */
	ck_assert_uint_eq(g.total_ns, 2);
}
END_TEST

#define KEYS 700

static void expect_tables_match(struct group_table *t, const uint64_t *want, uint64_t total)
{
	struct group *g;
	uint32_t pos = 0;
	uint64_t sum = 0;

	while ((g = group_table_next(t, &pos))) {
		ck_assert_uint_gt(g->count, 0);
		sum += g->count;
		if (g->key != GROUP_OTHER)
			ck_assert_uint_eq(g->count, want[group_nr(g->key)]);
	}
	ck_assert_uint_eq(sum, total);
}

START_TEST(tables_lose_nothing)
{
	unsigned long seed = 11;

	for (unsigned max = 1; max < 1200; max = max * 3 + 1) {
		struct group_table t, into;
		uint64_t want[KEYS] = { 0 }, total = 0;

		group_table_init(&t, max);
		group_table_init(&into, max / 2 + 1);
		for (int i = 0; i < 20000; i++) {
			int nr = (int)(unit_random(&seed) % KEYS);
			struct group *g = group_table_get(&t, group_key(0, nr, 0, false));

			group_add(g, 0, unit_random(&seed) % 1000000);
			total++;
			if (g->key != GROUP_OTHER)
				want[nr]++;
		}
		ck_assert_uint_le(t.used, max);
		expect_tables_match(&t, want, total);
		uint32_t pos = 0;
		struct group *g;
		uint64_t sum = 0;
		while ((g = group_table_next(&t, &pos)))
			group_merge(group_table_get(&into, g->key), g);
		pos = 0;
		while ((g = group_table_next(&into, &pos))) {
			uint64_t in = 0;

			sum += g->count;
			for (unsigned i = 0; i < GROUP_BUCKETS; i++)
				in += g->buckets[i];
			ck_assert_uint_eq(in, g->count);
		}
		ck_assert_uint_eq(sum, total);
		group_table_reset(&t);
		pos = 0;
		ck_assert_ptr_null(group_table_next(&t, &pos));
		ck_assert_uint_eq(group_table_get(&t, 5)->count, 0);
		group_table_fini(&t);
		group_table_fini(&into);
	}
}
END_TEST

START_TEST(slowest_are_kept)
{
	struct group g = { 0 };
	unsigned long seed = 5;
	uint64_t all[200], best[GROUP_SLOW] = { 0 };

	for (int i = 0; i < 200; i++) {
		int slot;

		all[i] = unit_random(&seed) % 100000;
		slot = group_slow_lookup(&g, all[i]);
		ck_assert_int_eq(slot >= 0, all[i] > g.floor_ns);
		if (slot >= 0)
			group_slow_set(&g, slot, all[i], NULL);
	}
	for (int k = 0; k < (int)GROUP_SLOW; k++) {	/* the k-th largest, by hand */
		for (int i = 0; i < 200; i++)
			if (all[i] > best[k] && (k == 0 || all[i] < best[k - 1]))
				best[k] = all[i];
		bool found = false;
		for (unsigned i = 0; i < GROUP_SLOW; i++)
			found |= g.slow[i].ns == best[k];
		ck_assert(found);
	}
}
END_TEST

START_TEST(budget_shares)
{
	struct budget b;

	budget_init(&b, 10000, 4000000, 70, 20);
	ck_assert_uint_eq(b.share[BUDGET_SINGLE].max_spans, 7000);
	ck_assert_uint_eq(b.share[BUDGET_NOTABLE].max_spans, 2000);
	ck_assert_uint_eq(b.share[BUDGET_FRAME].max_spans, 1000);
	ck_assert_uint_eq(b.share[BUDGET_SINGLE].max_bytes, 2800000);
	ck_assert_uint_eq(b.share[BUDGET_FRAME].max_bytes, 400000);
	ck_assert(budget_check(&b, BUDGET_SINGLE, 1, 400));
	budget_add(&b, BUDGET_SINGLE, 6999, 100);
	ck_assert(budget_check(&b, BUDGET_SINGLE, 1, 400));
	ck_assert(!budget_check(&b, BUDGET_SINGLE, 2, 400));
	budget_add(&b, BUDGET_NOTABLE, 1, 799000);
	ck_assert(budget_check(&b, BUDGET_NOTABLE, 1, 1000));
	ck_assert(!budget_check(&b, BUDGET_NOTABLE, 1, 1001));
	budget_del(&b, BUDGET_NOTABLE, 1, 799000);
	ck_assert_uint_eq(budget_room(&b, BUDGET_NOTABLE, 400), 2000);
	ck_assert_uint_eq(budget_room(&b, BUDGET_NOTABLE, 800), 1000);
	ck_assert(!budget_spent(&b));
	budget_add(&b, BUDGET_SINGLE, 1, 0);
	budget_add(&b, BUDGET_NOTABLE, 2000, 0);
	budget_add(&b, BUDGET_FRAME, 1000, 0);
	ck_assert(budget_spent(&b));
}
END_TEST

START_TEST(budget_small_and_none)
{
	struct budget b;

	for (uint64_t n = 1; n < 200; n++) {
		budget_init(&b, n, 0, 70, 20);
		ck_assert_uint_eq(b.share[0].max_spans + b.share[1].max_spans + b.share[2].max_spans, n);
		ck_assert_uint_ge(b.share[BUDGET_FRAME].max_spans,
				  n < BUDGET_FRAME_MIN ? n : BUDGET_FRAME_MIN);
		budget_init(&b, n, 0, 0, 0);
		ck_assert_uint_eq(b.share[BUDGET_FRAME].max_spans, n);
	}
	budget_init(&b, 0, 0, 70, 20);
	budget_add(&b, BUDGET_SINGLE, 1u << 30, 1u << 30);
	ck_assert(budget_check(&b, BUDGET_SINGLE, 1u << 30, 1000));
	ck_assert(!budget_spent(&b));
}
END_TEST

int main(void)
{
	return unit_run("group", (const TTest *const[]){ keys_keep_their_parts, buckets, counts_are_cumulative,
		tables_lose_nothing, slowest_are_kept, budget_shares, budget_small_and_none, NULL });
}
