/* SPDX-License-Identifier: Apache-2.0 */
/* Rankings: against tables small enough to see, and against every order there is. */
#include "test.h"

#include <stdbool.h>

#include "base/rng.h"
#include "eval/rank.h"

static void holds(const uint32_t *order, size_t n, const uint32_t *want)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(order[i], want[i]);
	}
}

START_TEST(what_is_equal_stays_in_order)
{
	static const double score[] = {1, 3, 1, 2, 3};
	uint32_t order[5];

	rank_by(score, 5, order);
	holds(order, 5, (const uint32_t[]){1, 4, 3, 0, 2});
}
END_TEST

START_TEST(borda_counts_who_is_beaten)
{
	/* First 0 > 1 > 2, then 1 = 2 > 0. */
	static const double value[] = {3, 2, 1, 0, 5, 5};
	double points[3];

	rank_borda(value, 2, 3, points);
	ck_assert_double_eq(points[0], 2);
	ck_assert_double_eq(points[1], 2.5);
	ck_assert_double_eq(points[2], 1.5);
}
END_TEST

/* Three of five voters put 0 first; Borda prefers 1, for nobody puts it last (Borda 1781). */
START_TEST(kemeny_follows_the_majority_where_borda_does_not)
{
	static const double value[] = {3, 2, 1, 3, 2, 1, 3, 2, 1, 1, 3, 2, 1, 3, 2};
	uint32_t order[3], borda[3];
	double points[3];

	rank_borda(value, 5, 3, points);
	rank_by(points, 3, borda);
	holds(borda, 3, (const uint32_t[]){1, 0, 2});
	ck_assert_double_eq(rank_kemeny(value, 5, 3, order), 4);
	holds(order, 3, (const uint32_t[]){0, 1, 2});
	ck_assert_double_eq(rank_wins(value, 5, 3, 0, 1), 3);
}
END_TEST

START_TEST(one_candidate_is_first)
{
	static const double value[] = {7, 8};
	uint32_t order[1];

	ck_assert_double_eq(rank_kemeny(value, 2, 1, order), 0);
	ck_assert_uint_eq(order[0], 0);
}
END_TEST

/* Every order of n, by counting in base n; false: not one. */
static bool order_of(uint32_t code, size_t n, uint32_t *ret)
{
	uint32_t seen = 0;

	for (size_t i = n; i-- > 0; code /= (uint32_t)n) {
		ret[i] = code % (uint32_t)n;
		if (seen >> ret[i] & 1) {
			return false;
		}
		seen |= 1U << ret[i];
	}
	return true;
}

static void hold_to_all_orders(const double *value, size_t places, size_t n)
{
	uint32_t order[8], other[8], best[8] = {0}, codes = 1;
	double got = rank_kemeny(value, places, n, order), least = 1e9;

	for (size_t i = 0; i < n; i++) {
		codes *= (uint32_t)n;
	}
	for (uint32_t code = 0; code < codes; code++) {
		if (order_of(code, n, other) && rank_distance(value, places, n, other) < least) {
			least = rank_distance(value, places, n, other);
			for (size_t i = 0; i < n; i++) {
				best[i] = other[i];
			}
		}
	}
	ck_assert_double_eq(got, least);
	ck_assert_double_eq(rank_distance(value, places, n, order), got);
	holds(order, n, best);
}

START_TEST(kemeny_is_the_best_of_all_orders)
{
	for (uint64_t table = 0; table < 500; table++) {
		struct rng rng = rng_at(1, table, RNG_TEST);
		size_t n = table % 10 == 0 ? 6 : 4, places = 1 + rng_below(&rng, 7);
		double value[7 * 6];

		/* Few different numbers, so that there are ties; and tables without. */
		for (size_t i = 0; i < places * n; i++) {
			value[i] = table % 2 ? (double)rng_below(&rng, 4) : rng_uniform(&rng);
		}
		hold_to_all_orders(value, places, n);
	}
}
END_TEST

START_TEST(ten_candidates_that_agree_are_in_their_order)
{
	double value[3 * RANK_KEMENY_MAX];
	uint32_t order[RANK_KEMENY_MAX];

	for (size_t i = 0; i < 3 * RANK_KEMENY_MAX; i++) {
		value[i] = (double)(i % RANK_KEMENY_MAX);
	}
	ck_assert_double_eq(rank_kemeny(value, 3, RANK_KEMENY_MAX, order), 0);
	for (uint32_t i = 0; i < RANK_KEMENY_MAX; i++) {
		ck_assert_uint_eq(order[i], RANK_KEMENY_MAX - 1 - i);
	}
}
END_TEST

START_TEST(a_condorcet_winner_is_first)
{
	for (uint64_t table = 0; table < 200; table++) {
		struct rng rng = rng_at(2, table, RNG_TEST);
		double value[5 * RANK_KEMENY_MAX];
		uint32_t order[RANK_KEMENY_MAX];

		for (size_t i = 0; i < 5 * RANK_KEMENY_MAX; i++) {
			value[i] = rng_uniform(&rng) + (i % RANK_KEMENY_MAX == 7 ? 0.5 : 0);
		}
		rank_kemeny(value, 5, RANK_KEMENY_MAX, order);
		for (uint32_t a = 0; a < RANK_KEMENY_MAX; a++) {
			bool beats_all = true;

			for (uint32_t b = 0; b < RANK_KEMENY_MAX; b++) {
				beats_all =
				    beats_all &&
				    (a == b || rank_wins(value, 5, RANK_KEMENY_MAX, a, b) > 2.5);
			}
			if (beats_all) {
				ck_assert_uint_eq(order[0], a);
			}
		}
	}
}
END_TEST

RUN("rank", what_is_equal_stays_in_order, borda_counts_who_is_beaten,
    kemeny_follows_the_majority_where_borda_does_not, one_candidate_is_first,
    kemeny_is_the_best_of_all_orders, ten_candidates_that_agree_are_in_their_order,
    a_condorcet_winner_is_first)
