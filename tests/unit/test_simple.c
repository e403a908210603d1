/* SPDX-License-Identifier: Apache-2.0 */
/* uniform, epsilon_greedy and thompson: what they answer, to the bit. */
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "base/num_special.h"
#include "policies/policies.h"
#include "rig.h"
#include "test.h"

static struct variant variant_of(
    const struct policy_ops *ops, const struct spec_param *param, size_t nparams)
{
	struct variant v = {.ops = ops, .nparams = nparams};

	for (size_t i = 0; i < nparams; i++) {
		v.param[i] = param[i];
	}
	return v;
}

static void start(struct rig *r, const struct policy_ops *ops, uint32_t arms,
    const struct spec_param *param, size_t nparams)
{
	struct variant v = variant_of(ops, param, nparams);

	ck_assert(rig_init(r, &v, 0, 1));
	ck_assert_int_eq(rig_add_arms(r, arms), 0);
}

static void pay(struct rig *r, uint32_t slot, double reward)
{
	rig_reward(r, 1, slot, 1, reward);
}

START_TEST(uniform_is_uniform)
{
	struct rig r;

	start(&r, &uniform_ops, 3, NULL, 0);
	pay(&r, 1, 1);
	rig_pmf(&r, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_double_eq(r.pmf[i], 1.0 / 3);
	}
	rig_release(&r);
}
END_TEST

START_TEST(greedy_takes_the_best_mean_and_the_first_of_equals)
{
	struct rig r;

	start(&r, &epsilon_greedy_ops, 4, NULL, 0);
	rig_pmf(&r, 0);
	ck_assert_double_eq(r.pmf[2], 0.25); /* nothing is known */
	pay(&r, 2, 0);
	rig_pmf(&r, 0);
	ck_assert_double_eq(r.pmf[2], 0.1 / 4 + 0.9); /* the only one with a reward */
	pay(&r, 3, 0.5);
	pay(&r, 1, 0.5);
	rig_pmf(&r, 0);
	ck_assert_double_eq(r.pmf[1], 0.1 / 4 + 0.9);
	ck_assert_double_eq(r.pmf[3], 0.1 / 4);
	pay(&r, 1, 0.25);
	rig_pmf(&r, 0);
	ck_assert_double_eq(r.pmf[3], 0.1 / 4 + 0.9);
	rig_release(&r);
}
END_TEST

START_TEST(greedy_passes_over_a_paused_arm)
{
	struct rig r;
	const uint32_t left[] = {0, 2};
	struct rng rng = rng_at(1, 1, RNG_POLICY);
	struct ask ask = {.slots = left, .n = 2, .all = true};
	double pmf[2];

	start(&r, &epsilon_greedy_ops, 3, NULL, 0);
	pay(&r, 1, 1);
	pay(&r, 2, 0.5);
	r.ops->arm_set(r.state, 1, ARM_PAUSED);
	pay(&r, 1, 1); /* late */
	ck_assert_int_eq(r.ops->pmf(r.state, &ask, &rng, pmf), 0);
	ck_assert_double_eq(pmf[1], 0.05 + 0.9);
	r.ops->arm_set(r.state, 1, ARM_ACTIVE);
	rig_pmf(&r, 0);
	ck_assert_double_eq_tol(r.pmf[1], 0.1 / 3 + 0.9, 1e-15);
	rig_release(&r);
}
END_TEST

START_TEST(epsilon_decays_with_decisions)
{
	const struct spec_param p = {.name = "decay", .text = "decaying"};
	struct rig r;
	double unused;

	start(&r, &epsilon_greedy_ops, 2, &p, 1);
	pay(&r, 0, 1);
	for (int i = 0; i < 40; i++) { /* c K / d^2 = 40: decisions until epsilon falls */
		rig_pmf(&r, 0);
		ck_assert_double_eq_tol(r.pmf[1], 0.5, 1e-15);
		rig_select(&r, &unused);
	}
	rig_pmf(&r, 0);
	ck_assert_double_eq_tol(r.pmf[1], 40.0 / 41 / 2, 1e-15);
	rig_release(&r);
}
END_TEST

START_TEST(a_state_of_ten_arms_is_small)
{
	const struct policy_ops *const ops[] = {&uniform_ops, &epsilon_greedy_ops, &thompson_ops};

	for (size_t i = 0; i < 3; i++) {
		ck_assert_msg(ops[i]->bound(NULL, 10, 0) < 400, "%s: %zu bytes", ops[i]->name,
		    ops[i]->bound(NULL, 10, 0));
	}
}
END_TEST

/* P(X0 > X1) of two normals, by many samples of the policy against the formula. */
START_TEST(thompson_draws_with_the_probability_of_being_best)
{
	const struct spec_param p[] = {
	    {.name = "likelihood", .text = "gaussian"}, {.name = "samples", .number = 1000}};
	struct rig r;
	double share = 0, weight = 1 + 4, mean0 = (0.5 + 4 * 0.5) / weight,
	       mean1 = (0.5 + 4 * 0.25) / weight, sd = 0.5 / sqrt(weight);
	enum { ASKS = 200 };

	start(&r, &thompson_ops, 2, p, 2);
	for (int i = 0; i < 4; i++) {
		pay(&r, 0, 0.5);
		pay(&r, 1, 0.25);
	}
	for (uint64_t i = 0; i < ASKS; i++) {
		rig_pmf(&r, i);
		share += r.pmf[0] / ASKS;
	}
	/* 0.5 erfc(-z / sqrt 2), 200 000 samples: 4.5 standard errors */
	ck_assert_double_eq_tol(
	    share, 0.5 * erfc(-(mean0 - mean1) / (sd * sqrt(2)) / sqrt(2)), 0.005);
	rig_release(&r);
}
END_TEST

/* P(Beta(3, 1) > Beta(1, 2)) = 0.9: the integral of 3 x^2 (1 - (1 - x)^2). */
START_TEST(thompson_counts_fractions_of_successes)
{
	const struct spec_param p = {.name = "samples", .number = 1000};
	struct rig r;
	double share = 0;
	enum { ASKS = 200 };

	start(&r, &thompson_ops, 2, &p, 1);
	pay(&r, 0, 1);
	pay(&r, 0, 0.75);
	pay(&r, 0, 0.25); /* as one success and one failure */
	pay(&r, 1, 0);
	for (uint64_t i = 0; i < ASKS; i++) {
		rig_pmf(&r, i);
		share += r.pmf[0] / ASKS;
	}
	/* Beta(3, 2) against Beta(1, 2): 12 x^2 (1 - x) (1 - (1 - x)^2) integrates to 0.8. */
	ck_assert_double_eq_tol(share, 0.8, 0.005);
	rig_release(&r);
}
END_TEST

/* P(X1 > X0) of two Beta posteriors: F1 over the quantiles of X0. */
static double chance_of_beta(double n0, double s0, double n1, double s1)
{
	enum { STEPS = 2000 };
	double sum = 0;

	for (int i = 0; i < STEPS; i++) {
		double x = num_beta_quantile((i + 0.5) / STEPS, 1 + s0, 1 + n0 - s0);

		sum += num_beta_inc(1 + n1 - s1, 1 + s1, 1 - x);
	}
	return sum / STEPS;
}

static void pay_often(struct rig *r, uint32_t arm, int n, int wins)
{
	for (int i = 0; i < n; i++) {
		pay(r, arm, i < wins);
	}
}

/* Of an arm that is behind only the samples above the leader's least one are drawn: as often, and
 * as large, as the formula says. */
START_TEST(thompson_draws_arms_that_are_behind_as_often_as_they_win)
{
	static const int cases[][4] = {{98, 39, 6, 0}, {98, 39, 7, 1}, {400, 300, 10, 4},
	    {1000, 900, 20, 15}, {5000, 2600, 300, 140}, {100, 95, 50, 40}};
	const struct spec_param p = {.name = "samples", .number = 1000};
	enum { ASKS = 1000 };

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		const int *k = cases[c];
		double share[3] = {0}, one = chance_of_beta(k[0], k[1], k[2], k[3]);
		double sd = sqrt(one * (1 - one) / (ASKS * p.number));
		struct rig r;

		start(&r, &thompson_ops, 3, &p, 1);
		pay_often(&r, 1, k[0], k[1]);
		pay_often(&r, 0, k[2], k[3]);
		pay_often(&r, 2, 200, 0); /* never the best */
		for (uint64_t i = 0; i < ASKS; i++) {
			rig_pmf(&r, i);
			for (size_t a = 0; a < 3; a++) {
				share[a] += r.pmf[a] / ASKS;
			}
		}
		ck_assert_double_gt(one, 1e-5);
		ck_assert_double_eq_tol(share[0], one, 4.5 * sd);
		ck_assert_double_eq(share[2], 0);
		rig_release(&r);
	}
}
END_TEST

START_TEST(thompson_draws_normal_arms_that_are_behind_as_often_as_they_win)
{
	const struct spec_param p[] = {
	    {.name = "likelihood", .text = "gaussian"}, {.name = "samples", .number = 1000}};
	enum { ASKS = 1000 };

	for (int n = 5; n <= 40; n += 5) {
		/* The prior is worth one reward of 1/2; sd 1/2. */
		double mean0 = (0.5 + 400) / 401, sd0 = 0.5 / sqrt(401), share = 0;
		double mean1 = (0.5 + 0.25 * n) / (1 + n), sd1 = 0.5 / sqrt(1 + n);
		double z = (mean0 - mean1) / sqrt(sd0 * sd0 + sd1 * sd1);
		double one = 0.5 * erfc(z / sqrt(2));
		struct rig r;

		start(&r, &thompson_ops, 2, p, 2);
		pay_often(&r, 0, 400, 400);
		for (int i = 0; i < n; i++) {
			pay(&r, 1, 0.25);
		}
		for (uint64_t i = 0; i < ASKS; i++) {
			rig_pmf(&r, i);
			share += r.pmf[1] / ASKS;
		}
		ck_assert_double_eq_tol(share, one, 4.5 * sqrt(one / ASKS / 1000) + 1e-6);
		rig_release(&r);
	}
}
END_TEST

START_TEST(thompson_takes_fewer_samples_of_many_arms)
{
	struct rig r;

	start(&r, &thompson_ops, 256, NULL, 0);
	rig_pmf(&r, 0);
	for (int i = 0; i < 256; i++) {
		double wins = r.pmf[i] * 32; /* 8192 draws */

		ck_assert_double_eq(wins, floor(wins));
	}
	rig_release(&r);
}
END_TEST

/* All distributions of 200 decisions that learn from each other, as one number. */
static uint64_t digest_of(const struct policy_ops *ops, const struct spec_param *param, size_t n)
{
	uint64_t digest = 0;
	struct rig r;

	start(&r, ops, 5, param, n);
	for (int i = 0; i < 200; i++) {
		rig_learn(&r, 1);
		for (size_t k = 0; k < r.ask.n; k++) {
			digest = test_mix(digest, r.pmf[k] / 3); /* no trailing zeros */
		}
	}
	rig_release(&r);
	return digest;
}

START_TEST(bits_are_the_same_everywhere)
{
	const struct spec_param decaying = {.name = "decay", .text = "decaying"};
	const struct spec_param gaussian = {.name = "likelihood", .text = "gaussian"};

	ck_assert_uint_eq(digest_of(&epsilon_greedy_ops, NULL, 0), UINT64_C(6507102846462303632));
	ck_assert_uint_eq(
	    digest_of(&epsilon_greedy_ops, &decaying, 1), UINT64_C(16913611504333622747));
	ck_assert_uint_eq(digest_of(&thompson_ops, NULL, 0), UINT64_C(10802090548016324243));
	ck_assert_uint_eq(digest_of(&thompson_ops, &gaussian, 1), UINT64_C(10467580351552438504));
}
END_TEST

RUN("simple", bits_are_the_same_everywhere, uniform_is_uniform,
    greedy_takes_the_best_mean_and_the_first_of_equals, greedy_passes_over_a_paused_arm,
    epsilon_decays_with_decisions, a_state_of_ten_arms_is_small,
    thompson_draws_with_the_probability_of_being_best, thompson_counts_fractions_of_successes,
    thompson_draws_arms_that_are_behind_as_often_as_they_win,
    thompson_draws_normal_arms_that_are_behind_as_often_as_they_win,
    thompson_takes_fewer_samples_of_many_arms)
