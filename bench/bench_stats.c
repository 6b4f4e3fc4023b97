/* SPDX-License-Identifier: Apache-2.0 */
/* Cases for what is counted: histogram, groups, the table of -c.  Main thread. */
#include "config.h"
#include "bench.h"
#include <stdlib.h>
#include "stats/group.h"
#include "stats/histogram.h"
#include "stats/summary.h"

/* Durations as of real calls: most near a microsecond, a long tail. */
static uint64_t duration_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return 200 + (*x & 0x3ff) + (*x >> 60 == 0 ? *x >> 44 : 0);
}

static void *histogram_setup(void)
{
	struct histogram *h = malloc(sizeof(*h));

	if (h)
		histogram_init(h);
	return h;
}

static void run_histogram(void *state, uint64_t n)
{
	uint64_t x = 88172645463325252ull;

	while (n--)
		histogram_add(state, duration_next(&x));
}

static void *quantile_setup(void)
{
	struct histogram *h = histogram_setup();

	if (h)
		run_histogram(h, 100000);
	return h;
}

static void run_quantile(void *state, uint64_t n)
{
	uint64_t sum = 0;

	while (n--)
		sum += histogram_quantile(state, 0.99);
	bench_keep(&sum);
}

static void *group_setup(void)
{
	struct group_table *t = malloc(sizeof(*t));

	if (t)
		group_table_init(t, 4096);
	return t;
}

static void run_group(void *state, uint64_t n)
{
	uint64_t x = 88172645463325252ull;

	for (uint64_t i = 0; i < n; i++)
		group_add(group_table_get(state, group_key(0, (int)(i % 50), 0, false)), i,
			  i + duration_next(&x));
}

static void group_teardown(void *state)
{
	group_table_fini(state);
	free(state);
}

static void *summary_setup(void)
{
	struct summary *s;

	return summary_new(&s) < 0 ? NULL : s;
}

static void run_summary(void *state, uint64_t n)
{
	uint64_t x = 88172645463325252ull;

	for (uint64_t i = 0; i < n; i++)
		summary_add_raw(state, 0, (int)(i % 50), false, duration_next(&x));
}

static void summary_teardown(void *state)
{
	summary_free(state);
}

static const struct bench_case cases[] = {
	{ .name = "histogram", .what = "a duration into the log-linear histogram", .unit = "call",
	  .setup = histogram_setup, .run = run_histogram, .teardown = free },
	{ .name = "histogram_quantile", .what = "p99 of 100 000 durations", .setup = quantile_setup,
	  .run = run_quantile, .teardown = free },
	{ .name = "group", .what = "a call into one of 50 groups", .unit = "call", .setup = group_setup,
	  .run = run_group, .teardown = group_teardown },
	{ .name = "summary", .what = "a call into the table of -c, 50 kinds of calls", .unit = "call",
	  .setup = summary_setup, .run = run_summary, .teardown = summary_teardown },
	{ 0 }
};

const struct bench_suite bench_stats = { "stats", cases };
