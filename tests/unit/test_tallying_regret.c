/* SPDX-License-Identifier: Apache-2.0 */
/* Tallying on the instances of its specification; seeds are fixed. */
#include "eval/env.h"
#include "eval/sim.h"
#include "tally_rig.h"

#define FORM "{\"env\":\"tallying\",\"memory\":%d,\"decay\":%g,\"subjects\":%d,\"losses\":["
#define T 40000

struct instance {
	int memory, subjects, arms; /* the last arm is the one to find */
	double decay, power, last_power;
};

static const struct instance reo = {20, 1, 5, 1, 1, 1}, slow = {200, 1, 5, 1, 0.25, 4},
			     pool = {20, 200, 5, 1, 1, 1};

static json_t *env_of(const struct instance *i)
{
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text), FORM, i->memory, i->decay, i->subjects);
	json_t *j;

	for (int a = 0; a + 1 < i->arms; a++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "{\"from\":%.2f,\"to\":%.2f,\"power\":%g},", 0.3 + 0.03 * a, 0.5 + 0.08 * a,
		    i->power);
	}
	snprintf(
	    text + n, sizeof(text) - n, "{\"from\":0.9,\"to\":0.2,\"power\":%g}]}", i->last_power);
	j = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(j);
	return j;
}

/* Loss of the best sequence of plays, as dynamic programming over all histories has it. */
static void check_optimum(const struct instance *i, uint64_t plays, double loss)
{
	json_t *j = env_of(i);
	struct rng rng = rng_at(1, 1, RNG_ENV);
	double mean;
	const struct env_ops *ops;
	void *env;

	ck_assert_int_eq(env_new(j, &ops, &env, NULL), 0);
	for (uint64_t t = 1; t <= plays; t++) {
		ops->step(env, t, (uint32_t)(t % (uint64_t)i->arms), &rng, &mean);
	}
	ck_assert_double_eq_tol(ops->optimum(env, plays), (double)plays - loss, 1e-11);
	env_free(ops, env);
	json_decref(j);
}

START_TEST(the_best_sequence_is_the_one_of_dynamic_programming)
{
	check_optimum(&(struct instance){3, 1, 3, 1, 1, 1}, 30, 6.7);
	check_optimum(&(struct instance){4, 1, 4, 1, 1, 1}, 40, 9.05);
	check_optimum(&(struct instance){4, 1, 3, 0.7, 1, 1}, 40, 8.748637978681);
}
END_TEST

struct figures {
	double regret, best; /* and the share of the last arm */
};

static struct figures simulate(const struct instance *i, const struct policy_ops *ops,
    const struct spec_param *params, size_t n, const struct sim_opts *opts)
{
	const struct sim_policy policy = {.ops = ops, .params = params, .nparams = n};
	json_t *j = env_of(i);
	struct errinfo err = {.rc = 0};
	struct figures f;
	struct sim_result r;

	ck_assert_msg(sim_run(j, &policy, opts, &r, &err) == 0, "%s", err.text);
	f = (struct figures){.regret = r.regret.mean, .best = r.share[i->arms - 1]};
	sim_release(&r);
	json_decref(j);
	return f;
}

static struct figures tallying(const struct instance *i, double memory, double n0, const char *mode,
    const struct sim_opts *opts)
{
	const struct spec_param params[] = {
	    {.name = "memory_bound", .number = memory},
	    {.name = "n0", .number = n0},
	    {.name = "horizon", .number = (double)opts->horizon},
	    {.name = "mode", .text = mode},
	};

	return simulate(i, &tallying_ops, params, 4, opts);
}

static const struct sim_opts twelve = {.horizon = T, .runs = 12, .seed = 1, .threads = 1};

START_TEST(regret_is_far_below_that_of_policies_that_mix_arms)
{
	struct figures f = tallying(&reo, 20, 0, "global", &twelve);

	ck_assert_double_lt(f.regret, 0.025 * T);
	ck_assert_double_gt(f.best, 0.9);
	f = simulate(&reo, &exp3_ops, NULL, 0, &twelve);
	ck_assert_double_gt(f.regret, 0.18 * T);
}
END_TEST

START_TEST(the_best_arm_is_left_alone_whatever_the_seed)
{
	struct sim_opts one = twelve;

	one.runs = 1;
	for (one.seed = 1; one.seed <= 12; one.seed++) {
		struct figures f = tallying(&reo, 20, 0, "global", &one);

		/* It would have no more than half of the plays while another one survives. */
		ck_assert_double_gt(f.best, 0.9);
		ck_assert_double_lt(f.regret, 2615); /* what is guaranteed in the mean */
	}
}
END_TEST

START_TEST(too_long_a_memory_costs_little_and_none_costs_all)
{
	ck_assert_double_lt(tallying(&slow, 200, 0, "global", &twelve).regret, 1300);
	ck_assert_double_lt(tallying(&slow, 400, 0, "global", &twelve).regret, 2000);
	ck_assert_double_gt(tallying(&slow, 0, 1, "global", &twelve).regret, 10000);
}
END_TEST

START_TEST(late_rewards_cost_about_their_delay)
{
	struct sim_opts late = twelve;

	late.delay = 1000;
	ck_assert_double_lt(tallying(&reo, 20, 0, "global", &late).regret, 1700);
	late.delay = 0;
	late.loss = 0.5;
	ck_assert_double_lt(tallying(&reo, 20, 0, "global", &late).regret, 1700);
}
END_TEST

START_TEST(memories_of_subjects_call_for_pooled)
{
	const struct sim_opts four = {.horizon = 60000, .runs = 4, .seed = 1, .threads = 1};

	ck_assert_double_lt(tallying(&pool, 20, 0, "pooled", &four).regret, 2000);
	ck_assert_double_gt(tallying(&pool, 20, 0, "global", &four).regret, 14000);
	ck_assert_double_gt(tallying(&pool, 20, 0, "isolated", &four).regret, 14000);
}
END_TEST

/* Subjects differ more than arms do; does the worse arm end up alone? */
static bool errs(enum tally_unit unit, uint64_t seed)
{
	enum { SUBJECTS = 20, PLAYS = 20000 };
	struct rng rng = rng_at(seed, 1, RNG_TEST);
	double base[SUBJECTS];
	struct tally_rig r;
	bool wrong;

	tally_init(&r, 0);
	tally_set(&r, "n0", 10);
	tally_set(&r, "delta", 0.05);
	tally_set(&r, "mode", TALLY_POOLED);
	tally_set(&r, "unit", unit);
	tally_open(&r, 2);
	for (int s = 0; s < SUBJECTS; s++) {
		base[s] = 0.05 + 0.85 * rng_uniform(&rng);
	}
	for (int t = 0; t < PLAYS; t++) {
		uint64_t s = rng_below(&rng, SUBJECTS);
		char name[8];
		struct tally_play p;

		snprintf(name, sizeof(name), "%d", (int)s);
		p = tally_select(&r, name);
		tally_reward(&r, &p, rng_uniform(&rng) < base[s] + 0.05 * p.pick.slot);
	}
	wrong = tally_alone(&r, 0);
	tally_close(&r);
	return wrong;
}

START_TEST(subjects_that_differ_call_for_the_subject_as_the_unit)
{
	int wrong[2] = {0};

	for (uint64_t seed = 0; seed < 40; seed++) {
		wrong[TALLY_PLAY] += errs(TALLY_PLAY, seed);
		wrong[TALLY_SUBJECT] += errs(TALLY_SUBJECT, seed);
	}
	ck_assert_int_gt(wrong[TALLY_PLAY], 2); /* of 40, delta allows 2 */
	ck_assert_int_eq(wrong[TALLY_SUBJECT], 0);
}
END_TEST

RUN("tallying_regret", the_best_sequence_is_the_one_of_dynamic_programming,
    regret_is_far_below_that_of_policies_that_mix_arms,
    the_best_arm_is_left_alone_whatever_the_seed, too_long_a_memory_costs_little_and_none_costs_all,
    late_rewards_cost_about_their_delay, memories_of_subjects_call_for_pooled,
    subjects_that_differ_call_for_the_subject_as_the_unit)
