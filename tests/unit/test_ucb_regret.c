/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-regret against the figures of an independent simulation: ten arms with rewards 0 or 1, the
 * best with mean 0.6, the others 0.4; 30 seeds. Within four joint standard errors. */
#include "ucb_rig.h"

#define ARMS 10
#define HORIZON 10000
#define SEEDS 30
#define DELAY_MAX 1000

struct trial {
	const char *policy, *name; /* name: of a parameter to set, or NULL */
	double value;
	double lo;        /* declared least reward */
	int delay;        /* rewards come so many plays later */
	double mean, err; /* regret of the reference, its standard error */
};

static double mean_of(uint32_t arm)
{
	return arm == 3 ? 0.6 : 0.4;
}

static double regret(const struct trial *t, uint64_t seed)
{
	uint32_t played[HORIZON], others = 0;
	struct rng r = rng_at(seed, 0, RNG_ENV);
	struct rig g;
	struct ask ask;

	rig_init(&g, t->policy);
	if (t->name) {
		rig_set(&g, t->name, t->value);
	}
	g.env.lo = t->lo;
	rig_open(&g, ARMS);
	ask = rig_ask(&g);
	for (int i = 0; i < HORIZON; i++) {
		played[i] = rig_choice(&g, &ask);
		if (played[i] == RIG_ARMS) {
			played[i] = (uint32_t)rng_below(&r, ARMS);
		}
		others += played[i] != 3;
		rig_pull(&g, played[i]);
		if (i >= t->delay) {
			uint32_t arm = played[i - t->delay];

			rig_learn(&g, arm, rng_uniform(&r) < mean_of(arm), false);
		}
	}
	rig_close(&g);
	return 0.2 * others;
}

static void check_trial(const struct trial *t)
{
	double sum = 0, squares = 0, mean, error;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		double x = regret(t, seed);

		sum += x;
		squares += x * x;
	}
	mean = sum / SEEDS;
	error = sqrt((squares / SEEDS - mean * mean) / (SEEDS - 1) + t->err * t->err);
	ck_assert_msg(fabs(mean - t->mean) <= 4 * error, "%s: %.1f, not %.1f; joint error %.1f",
	    t->policy, mean, t->mean, error);
}

static void check_trials(const struct trial *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_trial(&t[i]);
	}
}

START_TEST(regret_is_that_of_the_reference)
{
	static const struct trial all[] = {
	    {.policy = "ucb1", .mean = 532, .err = 8},
	    {.policy = "ucb_tuned", .mean = 95, .err = 12},
	    {.policy = "ucb_v", .mean = 585, .err = 6},
	    {.policy = "kl_ucb", .mean = 160, .err = 4},
	    {.policy = "moss", .mean = 116, .err = 4},
	    {.policy = "ucb1_flad", .name = "init_mean", .value = 0.5, .mean = 1299, .err = 34},
	};

	check_trials(all, sizeof(all) / sizeof(all[0]));
}
END_TEST

START_TEST(a_range_twice_too_wide_costs_twice_the_regret)
{
	check_trial(&(struct trial){.policy = "ucb1", .lo = -1, .mean = 1188, .err = 10});
}
END_TEST

START_TEST(under_delay_counting_pending_plays_pays)
{
	/* The reference gives no errors for these; 10 is that of ucb1 without delay, about. */
	static const struct trial all[] = {
	    {.policy = "ucb1", .delay = 100, .mean = 524, .err = 10},
	    {.policy = "ucb1", .delay = 1000, .mean = 566, .err = 10},
	    {.policy = "ucb1", .name = "count_pending", .delay = 100, .mean = 614, .err = 10},
	    {.policy = "ucb1", .name = "count_pending", .delay = 1000, .mean = 1696, .err = 10},
	};

	check_trials(all, sizeof(all) / sizeof(all[0]));
}
END_TEST

RUN("ucb_regret", regret_is_that_of_the_reference, a_range_twice_too_wide_costs_twice_the_regret,
    under_delay_counting_pending_plays_pays)
