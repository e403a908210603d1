/* SPDX-License-Identifier: Apache-2.0 */
/* Many arms: trees and interpolation against the plain formulas, and across save and load. */
#include <stdio.h>

#include "exp3_rig.h"
#include "test.h"

#define EXACT 1e-11

static const char *const schedules[] = {"schedule=epoch", "schedule=paper"};

static void must(bool holds, const char *claim, int i)
{
	if (!holds) {
		ck_abort_msg("%s at %d", claim, i);
	}
}

static void same_feedback(const struct policy_ops *ops, const char *settings)
{
	enum { ARMS = 300, STEPS = 12000 };
	char naive[80];
	struct play *fast = play_new(ops, settings, ARMS), *slow;
	double worst = 0, inside = 0, p, q;

	snprintf(naive, sizeof(naive), "%s naive_below=1000", settings);
	slow = play_new(ops, naive, ARMS);
	for (int i = 0; i < STEPS; i++) {
		uint32_t slot = play_draw(fast, &p);
		double reward = rng_uniform(&fast->rng) < (slot % 9 == 0 ? 0.7 : 0.3) ? 1 : -1;

		q = play_prob(slow, slot);
		worst = fmax(worst, fabs(p / q - 1));
		play_pulled(fast, slot, p);
		play_pulled(slow, slot, p);
		play_reward(fast, slot, p, reward);
		play_reward(slow, slot, p, reward);
		if (i % 500 == 499) {
			inside = fmax(inside, play_disagreement(fast));
		}
	}
	ck_assert(fast->state->fast && fast->state->fast->live.arms == ARMS);
	ck_assert_msg(worst < EXACT, "%s: %g from the scan", settings, worst);
	ck_assert_msg(inside < EXACT, "%s: prob is %g from pmf", settings, inside);
	play_free(fast);
	play_free(slow);
}

START_TEST(trees_answer_as_the_scan_does)
{
	same_feedback(&exp3_flad_ops, "schedule=epoch");
	same_feedback(&exp3_flad_ops, "schedule=epoch growth=1.01");
	same_feedback(&exp3_flad_ops, "schedule=paper");
	same_feedback(&exp3_flad_ops, "schedule=paper accept_floor=0.01");
	same_feedback(&exp3_flad_ops, "schedule=paper accept_floor=0.99");
	same_feedback(&exp3_flad_ops, "schedule=paper cheb_nodes=4");
	same_feedback(&exp3_flad_ops, "schedule=paper cheb_nodes=24");
	same_feedback(&exp3_flad_ops, "schedule=paper batch=7");
	same_feedback(&exp3_flad_ops, "schedule=epoch batch=7");
	same_feedback(&exp3_ops, "");
}
END_TEST

static void check_draws(const struct policy_ops *ops, const char *settings, int learn)
{
	enum { ARMS = 40, DRAWS = 100000 };
	unsigned count[ARMS] = {0};
	struct play *p = play_new(ops, settings, ARMS);
	double unused, z;

	play_learn(p, learn);
	for (int i = 0; i < DRAWS; i++) {
		count[play_draw(p, &unused)]++;
	}
	z = test_chi_square_z(count, play_pmf(p), ARMS, DRAWS);
	ck_assert_msg(fabs(z) < TEST_Z_LIMIT, "%s: z = %g", settings, z);
	play_free(p);
}

START_TEST(draws_follow_the_distribution)
{
	check_draws(&exp3_flad_ops, "schedule=epoch naive_below=1", 700);
	check_draws(&exp3_flad_ops, "schedule=paper naive_below=1", 700);
	check_draws(&exp3_flad_ops, "schedule=paper naive_below=1 accept_floor=0.05", 700);
	check_draws(&exp3_flad_ops, "schedule=epoch", 700);
	check_draws(&exp3_flad_ops, "naive_below=1", 20);
	check_draws(&exp3_ops, "naive_below=1 horizon=1000", 700);
	check_draws(&exp3_ops, "horizon=1000", 700);
}
END_TEST

/* The probability that a proposed arm is accepted, from the formula. */
static double acceptance(const struct play *p)
{
	const struct exp3_side *s = &p->state->fast->live;
	double all = 0, taken = 0, most = -HUGE_VAL, rate = exp3_rate(p->state);

	for (uint32_t i = 0; i < p->nslots; i++) {
		most = fmax(most, p->state->r[i]);
	}
	for (uint32_t i = 0; i < p->nslots; i++) {
		all += exp(s->rate * (p->state->r[i] - most));
		taken += exp(rate * (p->state->r[i] - most));
	}
	return taken / all;
}

START_TEST(half_of_what_is_proposed_is_accepted)
{
	struct play *p = play_new(&exp3_flad_ops, "schedule=paper", 200);
	double worst = 1, propensity;

	for (int i = 0; i < 6000; i++) {
		uint32_t slot = play_draw(p, &propensity);
		double rare = rng_uniform(&p->rng) < 0.01 ? 1e-5 : propensity;

		play_pulled(p, slot, propensity);
		play_reward(p, slot, rare, rng_uniform(&p->rng) < 0.5 ? 1 : -1);
		if (p->state->end) {
			worst = fmin(worst, acceptance(p));
		}
	}
	ck_assert_msg(worst >= 0.5, "%g", worst);
	play_free(p);
}
END_TEST

/* The play that was saved and the one that was loaded are the same to the bit for ever. */
static void go_on_alike(struct play *p, int steps)
{
	struct buf saved = play_save(p), a, b;
	struct play *q = play_load(p, &saved, saved.len);

	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(q->ops->reserve(q->state, q->nslots + 500), 0);
	for (int i = 0; i < steps; i++) {
		double x, y;
		uint32_t slot = play_draw(p, &x), other = play_draw(q, &y);
		double reward = rng_uniform(&p->rng) < 0.3 + 0.4 * (slot < 3) ? 1 : -1;

		must(slot == other && x == y, "loaded draws otherwise", i);
		play_pulled(p, slot, x);
		play_pulled(q, slot, x);
		play_reward(p, slot, x, reward);
		play_reward(q, slot, x, reward);
	}
	a = play_save(p);
	b = play_save(q);
	ck_assert(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	buf_release(&saved);
	buf_release(&a);
	buf_release(&b);
	play_free(q);
}

/* Returns how often the weights of the next epoch were half built when it was saved. */
static int check_saves(const struct policy_ops *ops, const char *settings, uint32_t arms)
{
	struct play *p = play_new(ops, settings, arms);
	const struct exp3_fast *f;
	int half = 0;

	for (int i = 0; i < 60; i++) {
		f = p->state->fast;
		half += f && f->next.arms && f->cursor < exp3_words(p->nslots);
		go_on_alike(p, 97);
		if (i == 30) {
			play_add(p, 5);
			play_set(p, 2, ARM_RETIRED);
		}
	}
	play_free(p);
	return half;
}

START_TEST(a_state_saved_anywhere_goes_on_bit_for_bit)
{
	check_saves(&exp3_flad_ops, "schedule=epoch", 300);
	check_saves(&exp3_flad_ops, "schedule=paper", 300);
	ck_assert_int_gt(check_saves(&exp3_flad_ops, "schedule=epoch growth=1.01", 300), 0);
	ck_assert_int_gt(check_saves(&exp3_flad_ops, "schedule=paper accept_floor=0.99", 300), 0);
	check_saves(&exp3_flad_ops, "schedule=paper batch=10", 300);
	check_saves(&exp3_flad_ops, "schedule=epoch batch=10 batch_estimator=flad", 300);
	check_saves(&exp3_flad_ops, "schedule=epoch reward_beta=0.5", 20);
	check_saves(&exp3_flad_ops, "schedule=paper", 63);
	check_saves(&exp3_ops, "", 300);
	check_saves(&exp3_ops, "", 30);
}
END_TEST

static void check_damage(const char *settings, uint32_t arms, int learn)
{
	struct play *p = play_new(&exp3_flad_ops, settings, arms), *q;
	struct buf saved, again;

	play_learn(p, learn);
	saved = play_save(p);
	for (size_t n = 0; n < saved.len; n++) {
		must(!play_load(p, &saved, n), "takes a part", (int)n);
	}
	for (int i = 0; i < 4000; i++) {
		size_t at = rng_below(&p->rng, saved.len);
		unsigned char was = saved.data[at];

		saved.data[at] = (unsigned char)rng_u64(&p->rng);
		q = play_load(p, &saved, saved.len);
		if (q) {
			again = play_save(q);
			must(again.len == saved.len &&
				 memcmp(again.data, saved.data, saved.len) == 0,
			    "takes what it cannot have written", (int)at);
			play_draw(q, &(double){0});
			buf_release(&again);
		}
		play_free(q);
		saved.data[at] = was;
	}
	buf_release(&saved);
	play_free(p);
}

START_TEST(damage_is_refused)
{
	check_damage("schedule=epoch", 70, 400);
	check_damage("schedule=paper", 70, 400);
	check_damage("schedule=paper batch=100", 70, 450);
	check_damage("schedule=epoch", 70, 40);
}
END_TEST

/* Among arms that come, pause, return and go, every answer is the formula's. */
static void come_and_go(const struct policy_ops *ops, const char *settings)
{
	struct play *p = play_new(ops, settings, 60);

	for (int i = 0; i < 400; i++) {
		uint32_t slot = (uint32_t)rng_below(&p->rng, p->nslots);

		play_learn(p, 20);
		if (i % 3 == 0 && p->nslots + 60 < EXP3_ARMS_MAX) {
			play_add(p, i % 60 ? 1 : 50);
		} else if (p->arm[slot] == ARM_PAUSED) {
			play_set(p, slot, ARM_ACTIVE);
		} else if (p->arm[slot] == ARM_ACTIVE && p->ask.n > 1) {
			play_set(p, slot, i % 2 ? ARM_RETIRED : ARM_PAUSED);
		}
		must(play_disagreement(p) < EXACT, settings, i);
	}
	while (p->ask.n > 3) {
		play_set(p, p->active[p->ask.n - 1], ARM_RETIRED);
	}
	play_learn(p, 2000);
	must(play_disagreement(p) < EXACT, settings, (int)p->nslots);
	ck_assert_uint_eq(p->state->fast->live.arms, 3);
	play_free(p);
}

START_TEST(arms_come_and_go)
{
	come_and_go(&exp3_flad_ops, schedules[0]);
	come_and_go(&exp3_flad_ops, schedules[1]);
	come_and_go(&exp3_flad_ops, "schedule=paper batch=3");
	come_and_go(&exp3_ops, "");
}
END_TEST

START_TEST(all_arms_may_pause_and_return)
{
	for (int s = 0; s < 2; s++) {
		struct play *p = play_new(&exp3_flad_ops, schedules[s], 100);

		play_learn(p, 1500);
		for (uint32_t i = 0; i < 100; i++) {
			play_set(p, i, ARM_PAUSED);
		}
		play_reward(p, 7, 0.5, 1); /* late */
		play_add(p, 1);
		play_learn(p, 10);
		for (uint32_t i = 0; i < 100; i++) {
			play_set(p, i, ARM_ACTIVE);
		}
		for (int i = 0; i < 2000; i++) {
			play_learn(p, 1);
			must(i % 50 || play_disagreement(p) < EXACT, schedules[s], i);
		}
		ck_assert(!p->state->fast->live.stale);
		play_free(p);
	}
}
END_TEST

/* Far more late rewards at once than the sums can follow: the rate stays where the tree is. */
START_TEST(a_flood_of_late_rewards_is_survived)
{
	static const double reward[] = {1, -1};

	for (int s = 0; s < 2; s++) {
		struct play *p = play_new(&exp3_flad_ops, "schedule=paper", 100);

		play_learn(p, 2000);
		for (int i = 0; i < 200000; i++) {
			play_reward(p, (uint32_t)i % (s ? 100 : 50), 0.01, reward[s]);
		}
		ck_assert(p->state->fast->live.stale);
		ck_assert_double_lt(play_disagreement(p), EXACT);
		go_on_alike(p, 200);
		play_learn(p, 4000);
		ck_assert(!p->state->fast->live.stale);
		ck_assert_double_lt(play_disagreement(p), EXACT);
		play_free(p);
	}
}
END_TEST

/* Falling sums, as when most rewards are near lo, are what a rate that moves meets in service. */
START_TEST(steady_losses_do_not_stop_the_rate)
{
	struct play *p = play_new(&exp3_flad_ops, "schedule=paper", 65);
	double propensity;
	int stale = 0;

	for (int i = 0; i < 400000; i++) {
		uint32_t slot = play_draw(p, &propensity);

		play_pulled(p, slot, propensity);
		play_reward(p, slot, propensity, -1);
		stale += p->state->fast->live.stale;
	}
	ck_assert_int_eq(stale, 0);
	ck_assert_double_lt(play_disagreement(p), EXACT);
	play_free(p);
}
END_TEST

RUN("exp3_fast", trees_answer_as_the_scan_does, draws_follow_the_distribution,
    half_of_what_is_proposed_is_accepted, a_state_saved_anywhere_goes_on_bit_for_bit,
    damage_is_refused, arms_come_and_go, all_arms_may_pause_and_return,
    a_flood_of_late_rewards_is_survived, steady_losses_do_not_stop_the_rate)
