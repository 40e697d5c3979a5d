/* What every unit test program has: one suite run, and its failures as the exit code. */
#ifndef TRAWLD_TESTS_CHECK_UNIT_H
#define TRAWLD_TESTS_CHECK_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "base/fault.h"

static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What failed, where a function that fills FAULT returned R; FAULT_NONE: nothing. */
static inline enum fault_class unit_class(int r, const struct fault *fault)
{
	ck_assert(r == 0 || r == -1);
	return r ? fault->class : FAULT_NONE;
}

/* main() of a program with one test case. */
#define UNIT_MAIN(name, ...)                                                                       \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = {__VA_ARGS__};                                        \
		Suite *suite = suite_create(name);                                                 \
		TCase *tcase = tcase_create(name);                                                 \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                      \
			tcase_add_test(tcase, tests[i]);                                           \
		suite_add_tcase(suite, tcase);                                                     \
		return unit_run(suite);                                                            \
	}

#endif
