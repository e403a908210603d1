/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals against figures published with the formulas, and against hand computation. */
#include "test.h"

#include "eval/bootstrap.h"
#include "eval/interval.h"
#include "eval/mle.h"

static void near(double got, double want, double absolute)
{
	ck_assert_msg(fabs(got - want) <= absolute, "%.9f, not %.9f", got, want);
}

/* A log of 23 rounds of four actions under an epsilon-greedy policy, as "always the first": 9 of
 * them took it, six of these were rewarded, and so were six of the others. */
static struct interval_sum always_first(void)
{
	struct interval_sum s = {.lo = 0, .hi = 1};
	const double w = 1 / 0.8500000238418579;
	static const int took[23] = {
	    0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1};
	static const int paid[23] = {
	    0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 1, 1};

	for (int i = 0; i < 23; i++) {
		interval_add(&s, 1, took[i] ? w : 0, paid[i]);
	}
	return s;
}

START_TEST(published_figures_come_out)
{
	struct interval_sum s = always_first();
	double lo, hi;

	near(s.wr.hi / s.n, 0.306905, 5e-7);
	near(s.wr.hi / s.w.hi, 0.666667, 5e-7);
	near(interval_cressie_read_point(&s, 0, HUGE_VAL), 0.588458, 5e-7);
	interval_gaussian(&s, 0.05, &lo, &hi);
	near(lo, 0.0910, 5e-5);
	near(hi, 0.5228, 5e-5);
	interval_clopper_pearson(&s, 0.05, &lo, &hi);
	near(lo, 0.1219, 5e-5);
	near(hi, 0.5528, 5e-5);
}
END_TEST

START_TEST(bounds_lie_around_the_points)
{
	struct interval_sum s = always_first();
	double lo, hi, v = interval_cressie_read_point(&s, 0, HUGE_VAL);

	interval_cressie_read(&s, 0, HUGE_VAL, 0.05, &lo, &hi);
	ck_assert(0 <= lo && lo < v && v < hi && hi <= 1);
	interval_sequence(&s, 0.05, &lo, &hi);
	ck_assert(0 <= lo && lo < v && v < hi && hi <= 1);
}
END_TEST

START_TEST(empirical_bernstein_is_its_formula)
{
	/* log(2/0.05) = 3.688879454; 7 * 2 * 3.688879454 / 297 + sqrt(2 * 3.688879454 / 99 / 4) */
	near(interval_bernstein(0.25, 2, 100, 0.05), 0.3103807, 1e-6);
}
END_TEST

START_TEST(hoeffding_is_its_formula)
{
	/* 3 sqrt(2.995732274 / 200) */
	near(interval_hoeffding(3, 100, 0.05), 0.3671620, 1e-6);
}
END_TEST

START_TEST(student_is_wider_than_normal_by_its_quantile)
{
	double lo, hi;

	interval_student(1, 0.5, 5, 0.05, &lo, &hi);
	near(lo, 1 - 0.5 * 2.776445105, 1e-8);
	near(hi, 1 + 0.5 * 2.776445105, 1e-8);
	interval_student(1, 0, 1, 0.05, &lo, &hi);
	ck_assert(isinf(lo) && isinf(hi));
}
END_TEST

START_TEST(the_most_likely_value_is_its_formula)
{
	/* 1/(b + 2) - 0.5/(2 - 0.5 b) is 0 at b = 1: the rounds have 1/3 and 2/3. */
	static const struct est_term both[] = {{1, 0, 2, 2}, {1, 0, 0, 0.5}};
	/* Weights below 1 alone: b goes to its end, 2/(1 - 2) or 0, and leaves some for others. */
	static const struct est_term light[] = {{1, 0, 0.5, 0.5}, {1, 0, 0, 0}};
	/* Weights above 1 alone: b goes as far as leaves a round all there is. */
	static const struct est_term heavy[] = {{1, 0, 3, 3}, {1, 0, 0, 3}};

	near(mle_point(both, 2, 5, 0.5), 2 / 3., 1e-12);
	near(mle_point(both, 2, HUGE_VAL, 0.5), 2 / 3., 1e-12);
	near(mle_point(light, 2, 2, 0.5), 0.5 / 3 + 2.5 / 3 * 0.5, 1e-12);
	near(mle_point(light, 2, HUGE_VAL, 0.5), 0.25 + 0.75 * 0.5, 1e-12);
	near(mle_point(heavy, 2, HUGE_VAL, 0.5), 0.5, 1e-12);
}
END_TEST

START_TEST(a_round_that_stands_for_two_is_two)
{
	static const struct est_term one[] = {{2, 0, 4, 4}, {1, 0, 0, 0.25}},
				     two[] = {{1, 0, 2, 2}, {1, 0, 2, 2}, {1, 0, 0, 0.25}};

	near(mle_point(one, 2, 7, 0.5), mle_point(two, 3, 7, 0.5), 1e-12);
}
END_TEST

START_TEST(nothing_to_go_by_is_the_whole_range)
{
	struct interval_sum s = {.lo = -1, .hi = 2};
	double lo, hi;

	interval_add(&s, 1, 0, 1);
	interval_clopper_pearson(&s, 0.05, &lo, &hi);
	ck_assert(lo == -1 && hi == 2);
	interval_sequence(&s, 0.05, &lo, &hi);
	ck_assert(lo == -1 && hi == 2);
}
END_TEST

START_TEST(binomial_draws_have_their_mean_and_variance)
{
	static const double n[] = {5, 40, 1000, 1e6}, p[] = {0.01, 0.2, 0.5, 0.9};
	struct rng r = rng_at(1, 1, RNG_TEST);

	for (int i = 0; i < 16; i++) {
		struct num_welford w = {.n = 0};
		double a = n[i / 4], b = p[i % 4], v = a * b * (1 - b);

		for (int k = 0; k < 20000; k++) {
			double x = bootstrap_binomial(&r, a, b);

			ck_assert(x >= 0 && x <= a && x == floor(x));
			num_welford_add(&w, x);
		}
		near(w.mean, a * b, 4 * sqrt(v / 20000));
		near(num_welford_variance(&w) / v, 1, 4 * sqrt((2 + 1 / v) / 20000));
	}
}
END_TEST

static struct est_term *terms_of(size_t n, bool many)
{
	struct est_term *t = calloc(n, sizeof(*t));
	struct rng r = rng_at(3, 1, RNG_TEST);

	for (size_t i = 0; i < n; i++) {
		double w = many ? rng_gamma(&r, 2) : 1 + (double)rng_below(&r, 3);

		t[i] = (struct est_term){1, 0, w * (rng_uniform(&r) < 0.2), w};
	}
	return t;
}

START_TEST(the_bootstrap_agrees_with_the_delta_method)
{
	for (int many = 0; many < 2; many++) {
		struct est_term *t = terms_of(20000, many);
		struct est_sum s = {.n = 0};
		double lo, hi, v, se;

		for (size_t i = 0; i < 20000; i++) {
			est_sum_add(&s, &t[i]);
		}
		v = est_sum_value(&s);
		se = est_sum_se(&s);
		ck_assert_int_eq(bootstrap_interval(t, 20000, 4000, 7, 2, 0.05, &lo, &hi, NULL), 0);
		near((lo - v) / se, -1.96, 0.1);
		near((hi - v) / se, 1.96, 0.1);
		free(t);
	}
}
END_TEST

START_TEST(threads_change_no_digit)
{
	double lo[3], hi[3];

	for (uint32_t i = 0; i < 3; i++) {
		struct est_term *t = terms_of(9000, true);

		ck_assert_int_eq(
		    bootstrap_interval(t, 9000, 300, 7, 1 + 2 * i, 0.1, &lo[i], &hi[i], NULL), 0);
		free(t);
	}
	ck_assert(lo[0] == lo[1] && lo[1] == lo[2] && hi[0] == hi[1] && hi[1] == hi[2]);
}
END_TEST

RUN("interval", published_figures_come_out, bounds_lie_around_the_points,
    empirical_bernstein_is_its_formula, hoeffding_is_its_formula,
    student_is_wider_than_normal_by_its_quantile, the_most_likely_value_is_its_formula,
    a_round_that_stands_for_two_is_two, nothing_to_go_by_is_the_whole_range,
    binomial_draws_have_their_mean_and_variance, the_bootstrap_agrees_with_the_delta_method,
    threads_change_no_digit)
