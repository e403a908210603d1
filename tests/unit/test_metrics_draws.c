/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence that draws do not follow their propensities: rare while they do, however often it is
 * looked at and however the propensities move, and soon there when they do not. */
#include <math.h>

#include "base/rng.h"
#include "serve/metrics_impl.h"
#include "tests/unit/test.h"

#define LOGS 1000

/* The most evidence of a log whose leader is drawn with `bias` times its propensity, which follows
 * what was drawn before, the other way, as one that explores does. */
static double most_evidence(uint64_t seed, double bias, uint64_t decisions)
{
	struct draws w = {.answers = 0};
	double most = 0, p = 0.5;

	for (uint64_t i = 0; i < decisions; i++) {
		struct rng rng = rng_at(seed, i, RNG_DRAW);
		bool drawn = rng_uniform(&rng) < p * bias;
		struct pick pick = {.slot = !drawn, .propensity = drawn ? p : 1 - p};
		struct event_decision d = {
		    .picks = &pick, .npicks = 1, .watched = {.p = p, .drawn = drawn}};

		draws_add(&w, &d);
		most = fmax(most, draws_evidence(&w));
		p = fmin(0.9, fmax(0.1, p + (drawn ? -0.02 : 0.02)));
	}
	return most;
}

START_TEST(honest_draws_are_seldom_suspected)
{
	int at_20 = 0, at_1000 = 0;

	for (uint64_t seed = 0; seed < LOGS; seed++) {
		double most = most_evidence(seed, 1, 2000);

		at_20 += most >= log(20);
		at_1000 += most >= log(1000);
	}
	/* Expected at most 50 and 1; 3 standard deviations beyond. */
	ck_assert_int_le(at_20, 50 + 3 * 7);
	ck_assert_int_le(at_1000, 4);
	ck_assert_int_gt(at_20, 0); /* or nothing was counted */
}
END_TEST

START_TEST(wrong_draws_are_found_out)
{
	int more = 0, fewer = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		more += most_evidence(seed, 1.1, 10000) >= log(1000);
		fewer += most_evidence(seed, 0.8, 10000) >= log(1000);
	}
	ck_assert_int_ge(more, 90);
	ck_assert_int_ge(fewer, 90);
}
END_TEST

START_TEST(entropy_is_the_mean_of_what_is_learnt_from_a_draw)
{
	struct draws w = {.answers = 0};

	for (uint64_t i = 0; i < 100000; i++) {
		struct rng rng = rng_at(7, i, RNG_DRAW);
		struct pick pick = {.propensity = rng_uniform(&rng) < 0.9 ? 0.9 : 0.1};

		draws_add(&w, &(struct event_decision){.picks = &pick, .npicks = 1});
	}
	ck_assert_uint_eq(w.answers, 100000);
	ck_assert_uint_eq(w.watched, 0);
	/* The entropy of (.9, .1) is .32508, the deviation of one term .66. */
	ck_assert_double_eq_tol(w.nats / (double)w.answers, 0.32508, 4 * 0.66 / sqrt(100000));
}
END_TEST

RUN("metrics_draws", honest_draws_are_seldom_suspected, wrong_draws_are_found_out,
    entropy_is_the_mean_of_what_is_learnt_from_a_draw)
