/* SPDX-License-Identifier: Apache-2.0 */
#include "ucb_rig.h"

static const double constant[] = {0.9, 0.8, 0.5};

static const struct golden {
	const char *policy, *plays;
	double n[3], index[3];
} golden[] = {
    {"ucb1", "01201201012010021010", {9, 7, 4}, {1.715915610227, 1.725161340918, 1.723873415340}},
    {"ucb_tuned", "01201001020100100100", {12, 6, 2},
	{1.149822114778, 1.153301822900, 1.111936707670}},
    {"ucb_v", "01201201201201201021", {7, 7, 6}, {2.440662312113, 2.340662322792, 2.297439364132}},
    {"kl_ucb", "01200100100012000100", {13, 5, 2},
	{0.995990468403, 0.995835044886, 0.987339717240}},
    {"moss", "01201201021001021000", {10, 6, 4}, {0.900000000000, 0.932514474466, 0.857360330677}},
};

static void check_golden(const struct golden *want)
{
	struct rig g;

	rig_start(&g, want->policy, 3);
	for (const char *p = want->plays; *p; p++) {
		ck_assert_uint_eq(rig_round(&g, constant), (uint32_t)(*p - '0'));
	}
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_double_eq(rig_view(&g, i, "issued"), want->n[i]);
		ck_assert_double_eq_tol(rig_view(&g, i, "index"), want->index[i], 1e-11);
	}
	rig_close(&g);
}

START_TEST(twenty_plays_go_as_in_the_reference)
{
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		check_golden(&golden[i]);
	}
}
END_TEST

static void check_counts(const char *policy, int rounds, double a, double b, double c)
{
	struct rig g;

	rig_start(&g, policy, 3);
	while (rounds-- > 0) {
		rig_round(&g, constant);
	}
	ck_assert_double_eq(rig_view(&g, 0, "issued"), a);
	ck_assert_double_eq(rig_view(&g, 1, "issued"), b);
	ck_assert_double_eq(rig_view(&g, 2, "observed"), c);
	rig_close(&g);
}

START_TEST(a_thousand_plays_are_shared_as_in_the_reference)
{
	check_counts("ucb1", 100, 52, 34, 14);
	check_counts("ucb1", 1000, 711, 241, 48);
	check_counts("kl_ucb", 100, 76, 19, 5);
	check_counts("kl_ucb", 1000, 917, 73, 10);
}
END_TEST

START_TEST(flad_goes_as_in_the_reference_after_one_probe_an_arm)
{
	static const double probe[] = {0.5, 0.2, -0.1}, reward[] = {0.3, 0.6, -0.2};
	static const double n[] = {8, 7, 3}, mean[] = {0.39565938, 0.3874236, -0.119};
	static const double index[] = {1.245714048521, 1.296170265609, 1.269133460898};
	struct rig g;

	rig_init(&g, "ucb1_flad");
	g.env.lo = -1;
	rig_open(&g, 3);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(rig_round(&g, probe), i);
	}
	for (const char *p = "010210012011010"; *p; p++) {
		ck_assert_uint_eq(rig_round(&g, reward), (uint32_t)(*p - '0'));
	}
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_double_eq(rig_view(&g, i, "issued"), n[i]);
		ck_assert_double_eq_tol(rig_view(&g, i, "mean"), mean[i], 1e-12);
		ck_assert_double_eq_tol(rig_view(&g, i, "index"), index[i], 1e-11);
	}
	rig_close(&g);
}
END_TEST

START_TEST(flad_with_a_given_mean_counts_it_as_a_play)
{
	static const double reward[] = {1, 1, 1};
	struct rig g;

	rig_init(&g, "ucb1_flad");
	rig_set(&g, "init_mean", 0.5);
	rig_open(&g, 3);
	ck_assert_double_eq(rig_view(&g, 2, "issued"), 1);
	ck_assert_double_eq(rig_view(&g, 2, "mean"), 0.5);
	ck_assert_double_eq_tol(rig_view(&g, 2, "index"), 0.5 + sqrt(2 * log(3)), 1e-12);
	ck_assert_uint_eq(rig_round(&g, reward), 0);
	ck_assert_double_eq(rig_view(&g, 0, "issued"), 2);
	ck_assert_double_eq_tol(rig_view(&g, 0, "mean"), 0.55, 1e-15);
	ck_assert_double_eq_tol(rig_view(&g, 2, "index"), 0.5 + sqrt(2 * log(4)), 1e-12);
	rig_close(&g);
}
END_TEST

START_TEST(flad_means_move_by_the_average_of_their_batch)
{
	static const double reward[] = {0, 0};
	struct rig g;

	rig_init(&g, "ucb1_flad");
	rig_set(&g, "batch", 3);
	rig_open(&g, 2);
	rig_round(&g, reward);
	rig_round(&g, reward); /* the probes count at once */
	rig_learn(&g, 0, 0.5, false);
	rig_learn(&g, 1, 0.25, false);
	ck_assert_double_eq(rig_view(&g, 0, "mean"), 0);
	rig_learn(&g, 0, 1, false);
	ck_assert_double_eq_tol(rig_view(&g, 0, "mean"), 0.075, 1e-15);
	ck_assert_double_eq_tol(rig_view(&g, 1, "mean"), 0.025, 1e-15);
	rig_learn(&g, 1, 1, false);
	ck_assert_double_eq_tol(rig_view(&g, 1, "mean"), 0.025, 1e-15);
	rig_close(&g);
}
END_TEST

START_TEST(kl_bound_is_as_in_the_reference)
{
	ck_assert_double_eq_tol(kl_ucb_upper(0.5, 0.1, -1), 0.712878631456, 1e-12);
	ck_assert_double_eq_tol(kl_ucb_upper(0.9, 0.01, -1), 0.937089370153, 1e-12);
	ck_assert_double_eq_tol(kl_ucb_upper(0, 0.3, -1), 0.259181779318, 1e-12);
	ck_assert_double_eq_tol(kl_ucb_upper(0.01, 2, -1), 0.874495617462, 1e-12);
	ck_assert_double_eq(kl_ucb_upper(1, 2, -1), 1);
	ck_assert_double_eq(kl_ucb_upper(0.25, 0, -1), 0.25);
	ck_assert_double_eq(kl_ucb_upper(0.25, -1, -1), 0.25);
	ck_assert_double_eq(kl_ucb_upper(0.999, 1e6, -1), 1);
}
END_TEST

static double entropy(double x, double y)
{
	return x * log(x / y) + (1 - x) * log((1 - x) / (1 - y));
}

static double by_bisection(double x, double level)
{
	double lo = x, hi = 1;

	for (int i = 0; i < 60; i++) {
		double mid = (lo + hi) / 2;

		*(entropy(x, mid) <= level ? &lo : &hi) = mid;
	}
	return lo;
}

/* x anywhere in (0, 1), often near its ends; a multiple of 2^-40. */
static double some_mean(struct rng *r)
{
	double u = rng_uniform(r), small = exp(-27 * rng_uniform(r));

	u = rng_below(r, 2) ? u : small;
	u = 0x1p-40 * floor(0x1p40 * (rng_below(r, 4) ? u : 1 - small));
	return u > 0x1p-39 ? u < 1 - 0x1p-39 ? u : 0.5 : 0x1p-39;
}

START_TEST(kl_bound_is_where_bisection_finds_it)
{
	struct rng r = rng_at(3, 1, RNG_TEST);

	for (int i = 0; i < 20000; i++) {
		double x = rng_uniform(&r), level = exp(log(1e-8) + 22 * rng_uniform(&r));

		ck_assert_double_eq_tol(kl_ucb_upper(x, level, -1), by_bisection(x, level), 1e-11);
	}
}
END_TEST

START_TEST(kl_bound_never_falls_when_the_mean_rises_by_its_least_step)
{
	struct rng r = rng_at(4, 1, RNG_TEST);

	for (int i = 0; i < 300000; i++) {
		double x = some_mean(&r), level = exp(-40 + 45 * rng_uniform(&r));
		double below = kl_ucb_upper(x - 0x1p-40, level, -1);
		double y = kl_ucb_upper(x, level, -1), above = kl_ucb_upper(x + 0x1p-40, level, -1);

		rig_claim(x <= y && y <= 1 && below <= y && y <= above, "it falls");
	}
}
END_TEST

START_TEST(a_bound_that_is_not_enough_stays_a_bound)
{
	struct rng r = rng_at(5, 1, RNG_TEST);

	for (int i = 0; i < 20000; i++) {
		double x = some_mean(&r), level = exp(-20 + 24 * rng_uniform(&r));
		double y = kl_ucb_upper(x, level, -1), enough = rng_uniform(&r);
		double quick = kl_ucb_upper(x, level, enough);

		rig_claim(quick == y || (y <= quick && quick < enough), "no bound");
		rig_claim(kl_ucb_upper(x, level, y) == y, "not exact where it counts");
	}
}
END_TEST

START_TEST(arms_that_were_never_issued_come_first_in_order_of_arrival)
{
	struct rig g;
	struct ask ask;

	for (const char *const *p = rig_all; *p; p++) {
		rig_start(&g, *p, 3);
		ask = rig_ask(&g);
		for (uint32_t i = 0; i < 3; i++) {
			ck_assert_uint_eq(rig_choice(&g, &ask), i);
			rig_pull(&g, i);
		}
		rig_add(&g);
		rig_learn(&g, 1, 1, false);
		ask = rig_ask(&g);
		ck_assert_uint_eq(rig_choice(&g, &ask), 3);
		rig_close(&g);
	}
}
END_TEST

START_TEST(arms_without_a_reward_wait_while_another_has_one)
{
	struct rig g;
	struct ask ask;

	for (const char *const *p = rig_all; *p; p++) {
		rig_start(&g, *p, 3);
		ask = rig_ask(&g);
		for (uint32_t i = 0; i < 3; i++) {
			rig_pull(&g, i);
		}
		ck_assert_uint_eq(rig_choice(&g, &ask), RIG_ARMS); /* all wait: uniform */
		rig_learn(&g, 2, 0, false);
		ck_assert_uint_eq(rig_choice(&g, &ask), 2);
		rig_learn(&g, 0, 1, false);
		ck_assert_uint_eq(rig_choice(&g, &ask), 0);
		rig_close(&g);
	}
}
END_TEST

START_TEST(ties_go_to_the_larger_mean_and_then_to_the_smaller_slot)
{
	static const double same[] = {0.5, 0.5, 0.5};
	struct rig g;
	struct ask ask;

	for (const char *const *p = rig_all; *p; p++) {
		rig_start(&g, *p, 3);
		for (uint32_t i = 0; i < 6; i++) {
			ck_assert_uint_eq(rig_round(&g, same), i % 3);
		}
		rig_close(&g);
	}
	rig_start(&g, "moss", 2); /* whose bonus vanishes: the mean is the index */
	for (int i = 0; i < 8; i++) {
		rig_pull(&g, (uint32_t)i % 2);
		rig_learn(&g, (uint32_t)i % 2, i % 2 ? 0.75 : 0.5, false);
	}
	ask = rig_ask(&g);
	ck_assert_double_eq(rig_view(&g, 1, "index"), 0.75);
	ck_assert_uint_eq(rig_choice(&g, &ask), 1);
	rig_close(&g);
}
END_TEST

START_TEST(a_lost_decision_uncounts_the_play_and_time_goes_on)
{
	static const double same[] = {0.5, 0.5};
	struct rig g;
	struct ask ask;
	double index;

	rig_start(&g, "ucb1", 2);
	rig_round(&g, same);
	rig_round(&g, same);
	rig_pull(&g, 0);
	index = rig_view(&g, 1, "index");
	rig_lose(&g, 0);
	ck_assert_double_eq(rig_view(&g, 0, "issued"), 1);
	ck_assert_double_eq(rig_view(&g, 1, "index"), index);
	ck_assert_double_eq(rig_view(&g, 0, "index"), index);
	rig_learn(&g, 0, 1, true); /* late after all */
	ck_assert_double_eq(rig_view(&g, 0, "issued"), 2);
	ck_assert_double_eq(rig_view(&g, 0, "observed"), 2);
	ck_assert_double_eq(rig_view(&g, 1, "index"), index);
	rig_close(&g);
	rig_start(&g, "ucb1", 2);
	rig_pull(&g, 0);
	rig_lose(&g, 0);
	rig_lose(&g, 0); /* said twice: no harm */
	ask = rig_ask(&g);
	ck_assert_uint_eq(rig_choice(&g, &ask), 0); /* as if never issued */
	rig_close(&g);
}
END_TEST

/* In a replay by rejection most decisions are lost: as if they had not been made. */
START_TEST(decisions_that_are_lost_one_after_the_other_do_not_explore)
{
	static const double same[] = {0.5, 0.5};
	struct rig g;
	double index;

	rig_start(&g, "ucb1", 2);
	rig_round(&g, same);
	rig_pull(&g, 0);
	rig_lose(&g, 0);
	index = rig_view(&g, 1, "index");
	for (int i = 0; i < 1000; i++) {
		rig_pull(&g, 0);
		rig_lose(&g, 0);
	}
	ck_assert_double_eq(rig_view(&g, 1, "index"), index);
	rig_close(&g);
}
END_TEST

START_TEST(counting_pending_plays_is_what_shrinks_the_bonus)
{
	static const double same[] = {0.5, 0.5};
	struct rig g;
	double open[2];

	for (int counted = 0; counted < 2; counted++) {
		rig_init(&g, "ucb1");
		rig_set(&g, "count_pending", counted);
		rig_open(&g, 2);
		rig_round(&g, same);
		rig_round(&g, same);
		rig_pull(&g, 0);
		open[counted] = rig_view(&g, 0, "bonus");
		rig_close(&g);
	}
	ck_assert_double_eq_tol(open[0], sqrt(2 * log(3)), 1e-12);
	ck_assert_double_eq_tol(open[1], sqrt(2 * log(3) / 2), 1e-12);
}
END_TEST

START_TEST(rewards_are_mapped_from_the_experiments_range_or_the_policys)
{
	struct rig g;

	rig_init(&g, "ucb_v");
	g.env.lo = -10;
	g.env.hi = 10;
	rig_open(&g, 1);
	rig_pull(&g, 0);
	rig_learn(&g, 0, 5, false);
	ck_assert_double_eq(rig_view(&g, 0, "mean"), 0.75);
	rig_close(&g);
	rig_set(&g, "reward_lo", 0);
	rig_set(&g, "reward_hi", 2);
	rig_open(&g, 0);
	g.arms = 0;
	rig_add(&g);
	rig_pull(&g, 0);
	rig_learn(&g, 0, 1, false);
	ck_assert_double_eq(rig_view(&g, 0, "mean"), 0.5);
	rig_learn(&g, 0, 7, false); /* beyond it: clipped */
	ck_assert_double_eq(rig_view(&g, 0, "mean"), 0.75);
	rig_close(&g);
}
END_TEST

START_TEST(half_a_range_or_an_empty_one_is_refused)
{
	struct errinfo err = {.rc = 0};
	struct rig g;

	rig_init(&g, "moss");
	ck_assert_int_eq(g.ops->check(&g.params, &err), 0);
	rig_set(&g, "reward_lo", 1);
	ck_assert_int_eq(g.ops->check(&g.params, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, "/reward_hi");
	rig_set(&g, "reward_hi", 1);
	ck_assert_int_eq(g.ops->check(&g.params, NULL), RC_INVALID);
	rig_set(&g, "reward_hi", 1.5);
	ck_assert_int_eq(g.ops->check(&g.params, NULL), 0);
}
END_TEST

START_TEST(ten_arms_take_less_than_five_hundred_bytes)
{
	struct rig g;

	for (const char *const *p = rig_all; *p; p++) {
		rig_init(&g, *p);
		ck_assert_uint_lt(g.ops->bound(&g.params, 10, 0), 500);
	}
}
END_TEST

RUN("ucb", twenty_plays_go_as_in_the_reference, a_thousand_plays_are_shared_as_in_the_reference,
    flad_goes_as_in_the_reference_after_one_probe_an_arm,
    flad_with_a_given_mean_counts_it_as_a_play, flad_means_move_by_the_average_of_their_batch,
    kl_bound_is_as_in_the_reference, kl_bound_is_where_bisection_finds_it,
    kl_bound_never_falls_when_the_mean_rises_by_its_least_step,
    a_bound_that_is_not_enough_stays_a_bound,
    arms_that_were_never_issued_come_first_in_order_of_arrival,
    arms_without_a_reward_wait_while_another_has_one,
    ties_go_to_the_larger_mean_and_then_to_the_smaller_slot,
    a_lost_decision_uncounts_the_play_and_time_goes_on,
    decisions_that_are_lost_one_after_the_other_do_not_explore,
    counting_pending_plays_is_what_shrinks_the_bonus,
    rewards_are_mapped_from_the_experiments_range_or_the_policys,
    half_a_range_or_an_empty_one_is_refused, ten_arms_take_less_than_five_hundred_bytes)
