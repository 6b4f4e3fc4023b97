/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test's main() does: one suite, one case, verdict as exit
 * status.  A test passes its functions as a NULL-terminated list, or as a table
 * where some are run for each row of something, or need set-up and teardown.
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#define UNIT_TESTS_MAX 100
#define UNIT_COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* A test, run once, or with _i from 0 to n - 1. */
struct unit_case { const TTest *test; int n; };

static inline int unit_run_cases(const char *name, SFun setup, SFun teardown, const struct unit_case *cases)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	for (; cases->test; cases++) {
		if (cases->n)
			tcase_add_loop_test(tcase, cases->test, 0, cases->n);
		else
			tcase_add_test(tcase, cases->test);
	}
	if (setup || teardown)
		tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int unit_run(const char *name, const TTest *const *tests)
{
	struct unit_case cases[UNIT_TESTS_MAX + 1] = { 0 };

	for (size_t n = 0; tests[n]; n++) {
		if (n == UNIT_TESTS_MAX)
			return EXIT_FAILURE;
		cases[n].test = tests[n];
	}
	return unit_run_cases(name, NULL, NULL, cases);
}

/* Small deterministic generator for property tests (xorshift64*). */
static inline unsigned long unit_random(unsigned long *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dul;
}

#endif
