/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/rng.h"
#include "core/pmf.h"
#include "test.h"

START_TEST(every_filler_passes_the_check)
{
	struct rng r = rng_at(1, 1, RNG_TEST);
	double p[300], scores[300];

	for (size_t n = 1; n <= 300; n++) {
		for (size_t i = 0; i < n; i++) {
			scores[i] = rng_normal(&r) * 1e5;
		}
		pmf_uniform(n, p);
		ck_assert_int_eq(pmf_check(n, p), 0);
		pmf_greedy(n, n / 2, p);
		ck_assert_int_eq(pmf_check(n, p), 0);
		pmf_softmax(n, scores, 1e-5 * (double)n, p);
		ck_assert_int_eq(pmf_check(n, p), 0);
		pmf_floor(n, rng_uniform(&r), p);
		ck_assert_int_eq(pmf_check(n, p), 0);
	}
}
END_TEST

START_TEST(check_refuses_what_is_no_distribution)
{
	ck_assert_int_eq(pmf_check(2, (double[]){0.5, 0.5 + 2e-9}), RC_INVALID);
	ck_assert_int_eq(pmf_check(2, (double[]){0.5, 0.5 + 5e-10}), 0);
	ck_assert_int_eq(pmf_check(2, (double[]){1.5, -0.5}), RC_INVALID);
	ck_assert_int_eq(pmf_check(2, (double[]){1, (double)NAN}), RC_INVALID);
	ck_assert_int_eq(pmf_check(2, (double[]){HUGE_VAL, 0}), RC_INVALID);
	ck_assert_int_eq(pmf_check(1, (double[]){0}), RC_INVALID);
}
END_TEST

START_TEST(softmax_has_the_right_ratios_whatever_the_size)
{
	double p[4];

	pmf_softmax(4, (double[]){1e8 + 1, 1e8, 1e8 - 1, -HUGE_VAL}, 2, p);
	ck_assert_double_eq_tol(p[0] / p[1], exp(2), 1e-14);
	ck_assert_double_eq_tol(p[1] / p[2], exp(2), 1e-14);
	ck_assert_double_eq(p[3], 0);
	pmf_softmax(3, (double[]){-1e300, 1e300, 0}, 1, p);
	ck_assert(p[0] == 0 && p[1] == 1 && p[2] == 0);
	pmf_softmax(3, (double[]){5, -7, -HUGE_VAL}, 0, p);
	ck_assert(p[0] == 0.5 && p[1] == 0.5 && p[2] == 0);
	double in_place[] = {0, 0};

	pmf_softmax(2, in_place, 1, in_place);
	ck_assert(in_place[0] == 0.5 && in_place[1] == 0.5);
}
END_TEST

START_TEST(floor_leaves_every_place_its_share)
{
	double p[] = {1, 0, 0, 0};

	pmf_floor(4, 0.2, p);
	ck_assert_double_eq_tol(p[0], 0.85, 1e-15);
	ck_assert_double_eq_tol(p[3], 0.05, 1e-15);
	pmf_floor(4, 1, p);
	ck_assert(p[0] == 0.25 && p[1] == 0.25);
}
END_TEST

START_TEST(draws_are_chi_square_distributed)
{
	static const double p[] = {0, 0.1, 0.2, 0, 0.3, 0.4, 0};
	struct rng r = rng_at(2, 2, RNG_TEST);
	unsigned count[7] = {0};

	for (int i = 0; i < 100000; i++) {
		count[pmf_draw(7, p, rng_uniform(&r))]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, p, 7, 100000)), TEST_Z_LIMIT);
}
END_TEST

START_TEST(a_draw_never_has_probability_zero)
{
	double almost = 1 - 0x1p-53;

	ck_assert_uint_eq(pmf_draw(4, (double[]){0, 1, 0, 0}, 0), 1);
	ck_assert_uint_eq(pmf_draw(4, (double[]){0, 1, 0, 0}, almost), 1);
	/* The sum stays below u: the last that can be drawn is. */
	ck_assert_uint_eq(pmf_draw(4, (double[]){0.5, 0.5 - 1e-10, 0, 0}, almost), 1);
	ck_assert_uint_eq(pmf_draw(3, (double[]){0.5, 0x1p-1074, 0.5}, 0.5), 2);
}
END_TEST

RUN("pmf", every_filler_passes_the_check, check_refuses_what_is_no_distribution,
    softmax_has_the_right_ratios_whatever_the_size, floor_leaves_every_place_its_share,
    draws_are_chi_square_distributed, a_draw_never_has_probability_zero)
