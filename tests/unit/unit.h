/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test's main() does: one suite, one case, verdict as exit
 * status.  A test passes its functions as a NULL-terminated list.
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

static inline int unit_run(const char *name, const TTest *const *tests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
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
