/* SPDX-License-Identifier: Apache-2.0 */
/* The statistics that benchmark verdicts stand on. */
#include "config.h"
#include <math.h>
#include "../../bench/stat.h"
#include "unit.h"

START_TEST(quantiles_interpolate)
{
	const double v[] = { 1, 2, 3, 4 };

	ck_assert_double_eq_tol(stat_quantile(v, 4, 0.5), 2.5, 1e-9);
	ck_assert_double_eq_tol(stat_quantile(v, 4, 0), 1, 1e-9);
	ck_assert_double_eq_tol(stat_quantile(v, 4, 1), 4, 1e-9);
	ck_assert_double_eq_tol(stat_quantile(v, 0, 0.5), 0, 1e-9);
}
END_TEST

START_TEST(median_is_not_the_mean)
{
	double v[] = { 1, 1, 1, 1, 1000 };
	struct stat_result r;

	stat_compute(v, 5, 1, &r);
	ck_assert_double_eq_tol(r.median, 1, 1e-9);
	ck_assert_double_eq_tol(r.mean, 200.8, 1e-9);
	ck_assert_double_eq_tol(r.max, 1000, 1e-9);
}
END_TEST

START_TEST(outliers_and_interval)
{
	double v[101];
	struct stat_result r;

	for (int i = 0; i < 100; i++)
		v[i] = 100 + i % 10;
	v[100] = 500;
	stat_compute(v, 101, 7, &r);
	ck_assert_uint_eq(r.outliers, 1);
	ck_assert(r.ci_low <= r.median && r.median <= r.ci_high);
	ck_assert(r.ci_low >= 100 && r.ci_high <= 110);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { quantiles_interpolate, median_is_not_the_mean, outliers_and_interval, NULL };

	return unit_run("bench-stat", tests);
}
