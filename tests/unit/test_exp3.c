/* SPDX-License-Identifier: Apache-2.0 */
/* What the exp3 policies compute: formulas, epochs, batches, arms, regret. */
#include <stdio.h>

#include "exp3_rig.h"
#include "test.h"

#define GOLDEN_STEPS 10

struct golden {
	const char *settings;
	double pmf[GOLDEN_STEPS][3], r[3];
};

#define THIRD 0.333333333333333, 0.333333333333333, 0.333333333333333
/* clang-format off */
static const struct golden paper = {
	"schedule=paper",
	{{THIRD}, {THIRD}, {THIRD},
	 {0.356999350613, 0.314717935375, 0.328282714012},
	 {0.396112209358, 0.291678375151, 0.312209415492},
	 {0.411412504441, 0.280338695218, 0.308248800341},
	 {0.450535655310, 0.280353717667, 0.269110627023},
	 {0.493654136712, 0.257612879574, 0.248732983715},
	 {0.522749278527, 0.242535880743, 0.234714840731},
	 {0.536707882047, 0.231497191239, 0.231794926715}},
	{10.002636188077, -2.530775319654, -2.494132658079}};
static const struct golden epoch = {
	"schedule=epoch",
	{{THIRD}, {THIRD}, {THIRD},
	 {0.354931175975, 0.315990776282, 0.329078047743},
	 {0.390170897966, 0.294787424621, 0.315041677413},
	 {0.400039871602, 0.286653362717, 0.313306765680},
	 {0.442567461468, 0.284079754968, 0.273352783564},
	 {0.478911832710, 0.264956314499, 0.256131852791},
	 {0.515981052916, 0.245825241785, 0.238193705299},
	 {0.517039415707, 0.241151018471, 0.241809565822}},
	{10.168405123633, -2.516982626294, -2.441759992250}};
/* clang-format on */

static const uint32_t golden_arm[GOLDEN_STEPS] = {0, 1, 2, 0, 1, 2, 0, 0, 1, 0};
static const double golden_reward[GOLDEN_STEPS] = {1, -0.5, 0.25, 0.5, 0, -1, 1, 0.75, -0.25, 1};

static void follow(const struct golden *g, const char *more)
{
	char settings[80];
	struct play *p;

	snprintf(settings, sizeof(settings), "%s %s", g->settings, more);
	p = play_new(&exp3_flad_ops, settings, 3);
	for (int i = 0; i < GOLDEN_STEPS; i++) {
		const double *pmf = play_pmf(p);
		double propensity = pmf[golden_arm[i]];

		for (int a = 0; a < 3; a++) {
			ck_assert_double_eq_tol(pmf[a], g->pmf[i][a], 1e-11);
			ck_assert_double_eq_tol(play_prob(p, (uint32_t)a), pmf[a], 1e-12);
		}
		play_pulled(p, golden_arm[i], propensity);
		play_reward(p, golden_arm[i], propensity, golden_reward[i]);
	}
	for (int a = 0; a < 3; a++) {
		ck_assert_double_eq_tol(p->state->r[a], g->r[a], 1e-11);
	}
	play_free(p);
}

START_TEST(both_schedules_follow_the_golden_trace)
{
	follow(&paper, "");
	follow(&epoch, "");
}
END_TEST

START_TEST(many_arms_code_follows_the_golden_trace)
{
	follow(&epoch, "naive_below=1");
	follow(&paper, "naive_below=1");
}
END_TEST

/* Edges 3 4 5 7 9 12 for three arms, the rate of an epoch that of its end. */
static void check_edges(const char *settings)
{
	static const uint64_t ends[] = {4, 5, 7, 7, 9, 9, 12, 12, 12};
	struct play *p = play_new(&exp3_flad_ops, settings, 3);

	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(p->state->end, 0);
		play_pulled(p, 0, 1.0 / 3);
	}
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		double end = (double)ends[i];

		ck_assert_uint_eq(p->state->end, ends[i]);
		ck_assert_double_eq_tol(exp3_rate(p->state), sqrt(log(3) / (3 * end)), 1e-15);
		play_pulled(p, 0, 1.0 / 3);
	}
	play_free(p);
}

START_TEST(epochs_end_where_they_should)
{
	check_edges("");
	check_edges("naive_below=1");
}
END_TEST

START_TEST(it_is_uniform_for_k_ln_k_decisions)
{
	static const struct {
		uint32_t arms;
		int silent;
	} cases[] = {{2, 1}, {3, 3}, {10, 23}, {1000, 6907}};
	static const char *const settings[] = {"schedule=epoch", "schedule=paper"};

	for (size_t c = 0; c < 8; c++) {
		struct play *p = play_new(&exp3_flad_ops, settings[c % 2], cases[c / 2].arms);

		for (int i = 0; i < cases[c / 2].silent; i++) {
			if (play_prob(p, 0) != 1.0 / cases[c / 2].arms) {
				ck_abort_msg("not uniform at %d", i);
			}
			play_pulled(p, 0, play_prob(p, 0));
			play_reward(p, 0, 1.0 / cases[c / 2].arms, 1);
		}
		ck_assert_double_gt(play_prob(p, 0), 1.0 / cases[c / 2].arms);
		play_free(p);
	}
}
END_TEST

/* Rewards outside [lo, hi] of the policy's own are clipped and counted. */
START_TEST(rewards_are_mapped_and_clipped)
{
	struct play *p = play_new(&exp3_flad_ops, "reward_lo=0 reward_hi=0.5", 2);
	struct arm_view view;

	play_pulled(p, 0, 0.5);
	play_reward(p, 0, 0.5, 0.375);
	ck_assert_double_eq(p->state->r[0], 0.5 / 0.5);
	play_reward(p, 0, 0.5, 1);
	ck_assert_double_eq(p->state->r[0], 1 + 1 / 0.5);
	play_reward(p, 1, 0.25, -1);
	ck_assert_double_eq(p->state->r[1], -4);
	ck_assert_uint_eq(p->state->clipped, 2);
	exp3_flad_ops.describe(p->state, 0, &view);
	ck_assert_double_eq(view.item[0].value, 3);
	play_free(p);
}
END_TEST

START_TEST(own_range_comes_in_pairs)
{
	struct exp3_params params = {.reward_lo = 0, .reward_hi = (double)NAN};
	struct errinfo err = {.rc = 0};

	ck_assert_int_eq(exp3_flad_ops.check(&params, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, "/reward_hi");
	params.reward_hi = 0;
	ck_assert_int_eq(exp3_flad_ops.check(&params, NULL), RC_INVALID);
	params.reward_hi = 1;
	ck_assert_int_eq(exp3_flad_ops.check(&params, NULL), 0);
}
END_TEST

START_TEST(restricted_asks_are_conditioned)
{
	static const uint32_t some[] = {1, 4};
	struct ask ask = {.slots = some, .n = 2};
	struct play *p = play_new(&exp3_flad_ops, "", 5);
	double pmf[2], mix, weight, rate;

	play_learn(p, 400);
	rate = exp3_rate(p->state);
	ck_assert_int_eq(p->ops->pmf(p->state, &ask, NULL, pmf), 0);
	mix = sqrt(2 * log(2) / 401);
	weight = exp(rate * (p->state->r[4] - p->state->r[1]));
	ck_assert_double_eq_tol(pmf[1], (1 - mix) * weight / (1 + weight) + mix / 2, 1e-12);
	ck_assert_double_eq_tol(pmf[0] + pmf[1], 1, 1e-15);
	ask.n = 1;
	ck_assert_int_eq(p->ops->pmf(p->state, &ask, NULL, pmf), 0);
	ck_assert_double_eq(pmf[0], 1);
	play_free(p);
}
END_TEST

/* Parallel feedback, and feedback at once, are one batch's credit before the next decision. */
static void check_batch(bool at_once, const char *settings, double r0, double r1)
{
	static const uint32_t arm[] = {0, 1, 0, 0};
	static const double reward[] = {1, 0.5, -1, 0.75};
	struct play *p = play_new(&exp3_flad_ops, settings, 2);
	double pmf0;

	for (int i = 0; i < 4; i++) {
		ck_assert_double_eq(play_pmf(p)[0], 0.5);
		play_pulled(p, arm[i], 0.5);
		if (at_once) {
			play_reward(p, arm[i], 0.5, reward[i]);
		}
	}
	for (int i = 0; !at_once && i < 4; i++) {
		play_reward(p, arm[i], 0.5, reward[i]);
	}
	ck_assert_double_eq_tol(p->state->r[0], r0, 1e-15);
	ck_assert_double_eq_tol(p->state->r[1], r1, 1e-15);
	pmf0 = play_pmf(p)[0];
	ck_assert_double_ne(pmf0, 0.5);
	for (int i = 0; i < 3; i++) {
		play_pulled(p, 0, pmf0);
		play_reward(p, 0, pmf0, 1);
		ck_assert_double_eq(play_pmf(p)[0], pmf0);
	}
	play_pulled(p, 0, pmf0);
	ck_assert_double_gt(play_pmf(p)[0], pmf0);
	play_free(p);
}

START_TEST(a_batch_has_one_distribution_and_counts_at_its_end)
{
	check_batch(true, "batch=4", 1.5, 1);
	check_batch(false, "batch=4", 1.5, 1);
	check_batch(false, "batch=4 schedule=paper", 1.5, 1);
	check_batch(true, "batch=4 batch_estimator=flad", 0.5, 1);
	check_batch(false, "batch=4 batch_estimator=flad", 0.5, 1);
}
END_TEST

START_TEST(rewards_are_smoothed_when_asked)
{
	struct play *p = play_new(&exp3_flad_ops, "reward_beta=0.25", 2);

	play_reward(p, 0, 0.5, 1);
	ck_assert_double_eq(p->state->r[0], 0.25 / 0.5);
	play_reward(p, 0, 1, 1);
	ck_assert_double_eq(p->state->r[0], 0.5 + 0.75 * 0.25 + 0.25);
	play_free(p);
}
END_TEST

/* Its weight is the mean of theirs: it gets 1/(K + 1) of the Gibbs part, they keep their odds. */
static void check_share(const char *settings, uint32_t arms, int steps)
{
	struct play *p = play_new(&exp3_flad_ops, settings, arms);
	double before[2], after[2], mix, k = arms + 2;

	play_learn(p, steps);
	before[0] = p->state->r[0] - p->state->r[1];
	play_add(p, 2);
	mix = fmin(1, sqrt(k * log(k) / (steps + 1)));
	after[0] = play_prob(p, arms);
	after[1] = play_prob(p, arms + 1);
	ck_assert_double_eq_tol(after[0], (1 - mix) / k + mix / k, 2e-3 / k);
	ck_assert_double_eq(after[0], after[1]);
	ck_assert_double_eq(before[0], p->state->r[0] - p->state->r[1]);
	ck_assert_double_lt(play_disagreement(p), 1e-11);
	play_free(p);
}

START_TEST(an_arm_that_joins_starts_with_the_mean_weight)
{
	check_share("", 5, 200);
	check_share("", 100, 2000);
	check_share("schedule=paper", 100, 2000);
	check_share("", 100, 100); /* uniform as yet */
}
END_TEST

START_TEST(the_order_of_late_rewards_does_not_matter)
{
	struct play *p = play_new(&exp3_flad_ops, "", 4), *q = play_new(&exp3_flad_ops, "", 4);

	for (int i = 0; i < 40; i++) {
		play_pulled(p, 0, 0.25);
		play_pulled(q, 0, 0.25);
	}
	for (uint32_t i = 0; i < 40; i++) {
		play_reward(p, i % 4, 0.2 + 0.02 * i, i % 3 / 2.0);
		play_reward(q, (39 - i) % 4, 0.2 + 0.02 * (39 - i), (39 - i) % 3 / 2.0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_double_eq_tol(play_pmf(p)[i], play_pmf(q)[i], 1e-14);
	}
	play_free(p);
	play_free(q);
}
END_TEST

START_TEST(a_state_of_ten_arms_is_small)
{
	const struct policy_ops *const ops[] = {&exp3_flad_ops, &exp3_ops, &exp3_ix_ops};

	for (size_t i = 0; i < 3; i++) {
		struct play *p = play_new(ops[i], "", 10);

		ck_assert_uint_lt(ops[i]->bound(&p->params, 10, 0), 400);
		ck_assert_ptr_null(p->state->fast);
		play_free(p);
	}
}
END_TEST

START_TEST(exp3_is_that_of_auer)
{
	struct play *p = play_new(&exp3_ops, "horizon=1000", 3);
	double g = sqrt(3 * log(3) / ((exp(1) - 1) * 1000)), w;

	play_reward(p, 1, 0.25, 0.5); /* x = 0.75 */
	w = exp(g / 3 * 3);
	ck_assert_double_eq_tol(play_pmf(p)[1], (1 - g) * w / (2 + w) + g / 3, 1e-14);
	play_free(p);
	p = play_new(&exp3_ops, "gamma=0.5", 2);
	play_reward(p, 0, 0.5, 0);
	w = exp(0.25);
	ck_assert_double_eq_tol(play_pmf(p)[0], 0.5 * w / (1 + w) + 0.25, 1e-14);
	play_free(p);
}
END_TEST

START_TEST(exp3_ix_is_that_of_neu)
{
	struct play *p = play_new(&exp3_ix_ops, "", 3);
	double w;

	play_pulled(p, 1, 1.0 / 3);
	play_reward(p, 1, 1.0 / 3, -0.5); /* l = 0.75 */
	w = -0.75 / (1.0 / 3 + sqrt(log(3) / 3) / 2);
	ck_assert_double_eq_tol(p->state->r[1], w, 1e-14);
	w = exp(sqrt(log(3) / (3 * 2)) * w);
	ck_assert_double_eq_tol(play_pmf(p)[1], w / (2 + w), 1e-14);
	play_free(p);
}
END_TEST

/* All distributions of decisions that learn from each other, as one number. */
static uint64_t digest_of(const struct policy_ops *ops, const char *settings, uint32_t arms)
{
	struct play *p = play_new(ops, settings, arms);
	uint64_t digest = 0;
	double propensity;

	for (int i = 0; i < 600; i++) {
		uint32_t slot = play_draw(p, &propensity);
		const double *pmf = play_pmf(p);

		for (size_t k = 0; k < p->ask.n; k++) {
			digest = test_mix(digest, pmf[k] / 3); /* no trailing zeros */
		}
		digest = test_mix(digest, propensity / 3);
		play_pulled(p, slot, propensity);
		play_reward(p, slot, propensity, slot % 4 / 4.0 - rng_uniform(&p->rng));
	}
	play_free(p);
	return digest;
}

START_TEST(bits_are_the_same_everywhere)
{
	ck_assert_uint_eq(digest_of(&exp3_flad_ops, "", 10), UINT64_C(1291288394148496141));
	ck_assert_uint_eq(
	    digest_of(&exp3_flad_ops, "schedule=paper", 10), UINT64_C(8116631622862249227));
	ck_assert_uint_eq(
	    digest_of(&exp3_flad_ops, "naive_below=1", 70), UINT64_C(8673141820302935616));
	ck_assert_uint_eq(digest_of(&exp3_flad_ops, "naive_below=1 schedule=paper", 70),
	    UINT64_C(11523131398959943132));
	ck_assert_uint_eq(
	    digest_of(&exp3_ops, "naive_below=1", 10), UINT64_C(14380151002100548134));
}
END_TEST

RUN("exp3", both_schedules_follow_the_golden_trace, many_arms_code_follows_the_golden_trace,
    epochs_end_where_they_should, it_is_uniform_for_k_ln_k_decisions,
    rewards_are_mapped_and_clipped, own_range_comes_in_pairs, restricted_asks_are_conditioned,
    a_batch_has_one_distribution_and_counts_at_its_end, rewards_are_smoothed_when_asked,
    an_arm_that_joins_starts_with_the_mean_weight, the_order_of_late_rewards_does_not_matter,
    a_state_of_ten_arms_is_small, exp3_is_that_of_auer, exp3_ix_is_that_of_neu,
    bits_are_the_same_everywhere)
