/* SPDX-License-Identifier: Apache-2.0 */
/* Histogram against sorted numbers; summary against known counts. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <tracer/event.h>
#include "stats/histogram.h"
#include "stats/summary.h"
#include "unit.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

START_TEST(quantiles)
{
	static uint64_t v[20000];
	static const double q[] = { 0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
	unsigned long seed = 6;

	for (int round = 0; round < 20; round++) {
		struct histogram h;
		size_t n = 1 + unit_random(&seed) % 20000;
		uint64_t sum = 0;

		histogram_init(&h);
		for (size_t i = 0; i < n; i++) {
			v[i] = unit_random(&seed) >> (24 + unit_random(&seed) % 40);
			sum += v[i];
			histogram_add(&h, v[i]);
		}
		qsort(v, n, sizeof(v[0]), compare);
		ck_assert_uint_eq(h.count, n);
		ck_assert_uint_eq(h.sum, sum);
		ck_assert_uint_eq(h.min, v[0]);
		ck_assert_uint_eq(h.max, v[n - 1]);
		for (size_t k = 0; k < sizeof(q) / sizeof(q[0]); k++) {
			double rank = q[k] * (double)n;
			size_t at = (size_t)rank < rank ? (size_t)rank : (size_t)rank ? (size_t)rank - 1 : 0;
			uint64_t got = histogram_quantile(&h, q[k]);
			uint64_t off = got > v[at] ? got - v[at] : v[at] - got;

			ck_assert_msg((double)off <= (double)v[at] / (1 << HIST_SUB), "q %g: %lu for %lu",
				      q[k], (unsigned long)got, (unsigned long)v[at]);
		}
	}
}
END_TEST

START_TEST(edges_and_merge)
{
	struct histogram a, b;

	histogram_init(&a);
	histogram_init(&b);
	ck_assert_uint_eq(histogram_quantile(&a, 0.5), 0);
	histogram_merge(&a, &b);
	ck_assert_uint_eq(a.count, 0);
	histogram_add(&a, 0);
	histogram_add(&a, UINT64_MAX);
	ck_assert_uint_eq(a.sum, UINT64_MAX);
	ck_assert_uint_eq(histogram_quantile(&a, 0.5), 0);
	ck_assert_uint_ge(histogram_quantile(&a, 1), UINT64_MAX - (UINT64_MAX >> HIST_SUB));
	for (int i = 0; i < 5; i++)
		histogram_add(&b, 7);
	histogram_merge(&b, &a);
	ck_assert_uint_eq(b.count, 7);
	ck_assert_uint_eq(b.min, 0);
	ck_assert_uint_eq(b.max, UINT64_MAX);
	ck_assert_uint_eq(histogram_quantile(&b, 0.5), 7);
	b.buckets[7] = UINT32_MAX;
	histogram_add(&b, 7);
	ck_assert_uint_eq(b.buckets[7], UINT32_MAX);
}
END_TEST

static struct summary *filled(void)
{
	struct summary *s;

	ck_assert_int_eq(summary_new(&s), 0);
	for (int i = 0; i < 100; i++)
		summary_add_raw(s, TRACER_ABI_X86_64, 0, i < 3, 1000);		/* read */
	for (int i = 0; i < 10; i++)
		summary_add_raw(s, TRACER_ABI_X86_64, 1, false, 30000);		/* write */
	summary_add_unfinished(s, TRACER_ABI_X86_64, 231);			/* exit_group */
	return s;
}

START_TEST(rows)
{
	struct summary *s = filled();
	const struct summary_row *r;

	ck_assert_int_eq(summary_rows(s, NULL, &r), 3);
	ck_assert_str_eq(r[0].name, "write");
	ck_assert_uint_eq(r[0].calls, 10);
	ck_assert_uint_eq(r[0].total_ns, 300000);
	ck_assert_uint_eq(r[0].avg_ns, 30000);
	ck_assert_str_eq(r[1].name, "read");
	ck_assert_uint_eq(r[1].errors, 3);
	ck_assert_uint_eq(r[1].p99_ns, 1000);
	ck_assert_str_eq(r[2].name, "exit_group");
	ck_assert_uint_eq(r[2].calls, 1);
	ck_assert_uint_eq(r[2].min_ns, 0);
	ck_assert_int_eq(summary_rows(s, "calls", &r), 3);
	ck_assert_str_eq(r[0].name, "read");
	ck_assert_int_eq(summary_rows(s, "errors", &r), 3);
	ck_assert_str_eq(r[0].name, "read");
	ck_assert_int_eq(summary_rows(s, "name", &r), 3);
	ck_assert_str_eq(r[0].name, "exit_group");
	ck_assert_int_eq(summary_rows(s, "colour", &r), -EINVAL);
	summary_free(s);
	summary_free(NULL);
}
END_TEST

START_TEST(text)
{
	struct summary *s = filled();
	struct strbuf out;

	strbuf_init(&out, 1 << 20);
	summary_format(s, "time", &out);
	ck_assert_str_eq(out.p,
"% time     seconds  usecs/call     calls    errors      min      p50      p90      p99      max syscall\n"
"------ ----------- ----------- --------- --------- -------- -------- -------- -------- -------- ----------------\n"
" 75.00    0.000300          30        10             30.0us   30.0us   30.0us   30.0us   30.0us write\n"
" 25.00    0.000100           1       100         3   1.00us   1.00us   1.00us   1.00us   1.00us read\n"
"  0.00    0.000000           0         1                0ns      0ns      0ns      0ns      0ns exit_group\n"
"------ ----------- ----------- --------- --------- -------- -------- -------- -------- -------- ----------------\n"
"100.00    0.000400           3       111         3   1.00us   1.01us   1.01us   30.0us   30.0us total\n");
	strbuf_reset(&out);
	ck_assert_int_eq(summary_set_columns(s, "calls,bogus"), -EINVAL);
	ck_assert_int_eq(summary_set_columns(s, ""), -EINVAL);
	ck_assert_int_eq(summary_set_columns(s, "calls,name"), 0);
	summary_add_raw(s, TRACER_ABI_I386, 3, false, 5);
	summary_format(s, "calls", &out);
	ck_assert_str_eq(out.p,
			 "    calls syscall\n--------- ----------------\n      100 read\n       10 write\n"
			 "        1 exit_group\n        1 read (i386)\n--------- ----------------\n"
			 "      112 total\n");
	strbuf_fini(&out);
	summary_free(s);
}
END_TEST

/* A program that makes up numbers does not make us grow. */
START_TEST(rows_are_limited)
{
	const struct summary_row *r;
	struct summary *s;
	int n;

	ck_assert_int_eq(summary_new(&s), 0);
	for (int nr = 0; nr < 100000; nr++)
		summary_add_raw(s, TRACER_ABI_X86_64, nr - 5, true, 1);
	n = summary_rows(s, "calls", &r);
	ck_assert_int_eq(n, SUMMARY_ROWS_MAX + 1);
	ck_assert_str_eq(r[0].name, "other");
	ck_assert_uint_eq(r[0].calls, 100000 - SUMMARY_ROWS_MAX);
	summary_free(s);
}
END_TEST

int main(void)
{
	return unit_run("stats", (const TTest *const[]){ quantiles, edges_and_merge, rows, text, rows_are_limited, NULL });
}
