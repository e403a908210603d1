/* SPDX-License-Identifier: Apache-2.0 */
/* A unit test file is a list of claims and one line that runs them:
 *	#include "test.h"
 *	START_TEST(sum_of_nothing_is_zero) { ... } END_TEST
 *	RUN("num", sum_of_nothing_is_zero, ...)
 * Each claim runs in a process of its own; CK_RUN_CASE and CK_FORK=no work as libcheck says. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEST_SECONDS 60

static inline int test_main(const char *name, const TTest *const *tests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, TEST_SECONDS);
	for (; *tests; tests++) {
		tcase_add_test(tcase, *tests);
	}
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define RUN(name, ...)                                                                             \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = {__VA_ARGS__, NULL};                                  \
                                                                                                   \
		return test_main(name, tests);                                                     \
	}

/* The bits of a double, to compare and to print. */
static inline uint64_t test_bits(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	return u;
}

static inline double test_of_bits(uint64_t u)
{
	double x;

	memcpy(&x, &u, sizeof(x));
	return x;
}

/* One number for many doubles (FNV-1a over their bits), all NaNs alike. */
static inline uint64_t test_mix(uint64_t digest, double x)
{
	uint64_t u = x != x ? UINT64_C(0x7ff8000000000000) : test_bits(x);

	return (digest ^ u) * UINT64_C(0x100000001b3);
}

/* All seeds are fixed, so a test of randomness cannot flicker; beyond this it is wrong. */
#define TEST_Z_LIMIT 4.5

/* The z value of a chi-square sum (Wilson and Hilferty): n draws over cells of probability p, or
 * equally likely ones when p is NULL. Cells of probability 0 must be empty. */
static inline double test_chi_square_z(
    const unsigned *count, const double *p, size_t cells, double n)
{
	double sum = 0, df = -1;

	for (size_t i = 0; i < cells; i++) {
		double expected = p ? n * p[i] : n / (double)cells;

		if (expected > 0) {
			sum += (count[i] - expected) * (count[i] - expected) / expected;
			df++;
		} else if (count[i]) {
			return HUGE_VAL;
		}
	}
	return (cbrt(sum / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df));
}

#endif
