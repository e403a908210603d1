/* SPDX-License-Identifier: Apache-2.0 */
/* The reusable holdout: its split, its budget, and analysts who ask again and again. */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/rng.h"
#include "eval/holdout.h"
#include "eval/log_read.h"

#define ALPHA 0.05
#define Z 1.959963984540054

static const struct holdout_query agrees = {0.5, 0.01, 0.5, 1000, 1000};
static const struct holdout_query differs = {0.9, 0.01, 0.5, 1000, 1000};

START_TEST(each_round_is_on_one_side_and_stays_there)
{
	const struct log_part training = {LOG_TRAINING, 0.3, 0, 0}, kept = {LOG_KEPT, 0.3, 0, 0};
	const struct log_part segment = {LOG_KEPT, 0.3, 100, 200};
	unsigned n = 0, alike = 0;
	uint32_t bits = 0;

	for (uint64_t i = 0; i < 100000; i++) {
		ck_assert(log_part_has(&training, i) != log_part_has(&kept, i));
		ck_assert(log_part_has(&(struct log_part){LOG_WHOLE, 0.3, 0, 0}, i));
		ck_assert(
		    log_part_has(&segment, i) == (i >= 100 && i < 200 && log_part_has(&kept, i)));
		n += log_part_has(&kept, i);
		alike += log_part_has(&kept, i) == log_part_has(&kept, i + 1);
	}
	ck_assert(fabs(n - 30000.) < TEST_Z_LIMIT * sqrt(100000 * 0.3 * 0.7));
	ck_assert(fabs(alike - 58000.) < TEST_Z_LIMIT * sqrt(100000 * 0.58 * 0.42 * 2));
	for (uint64_t i = 0; i < 32; i++) {
		bits |= (uint32_t)log_part_has(&kept, i) << i;
	}
	/* A log that was split with one version is split the same way by the next. */
	ck_assert_uint_eq(bits, 136922131);
}
END_TEST

START_TEST(what_agrees_is_answered_from_training_and_is_free)
{
	unsigned paid = 0;

	for (uint64_t key = 0; key < 1000; key++) {
		struct holdout h;
		struct holdout_answer a;

		holdout_start(&h, 10, key);
		holdout_ask(&h, &agrees, ALPHA, &a);
		ck_assert_uint_eq(h.queries, 1);
		ck_assert_uint_eq(h.spent, a.source == HOLDOUT_DIFFERS);
		paid += h.spent;
		if (a.source == HOLDOUT_AGREES) {
			ck_assert_double_eq(a.value, 0.5);
			ck_assert(fabs(a.hi - a.lo - 2 * 0.01 * (Z + HOLDOUT_THRESHOLD)) < 1e-12);
		}
	}
	/* Noise of Laplace(1) + Laplace(1/2) below -4: (e^-4 - e^-8/4) 2/3 = 1.2 %. */
	ck_assert_uint_ge(paid, 1);
	ck_assert_uint_le(paid, 30);
}
END_TEST

START_TEST(what_differs_is_answered_from_the_part_kept_back_and_costs)
{
	struct holdout h;
	struct holdout_answer a;
	double sum = 0, squares = 0;

	holdout_start(&h, HOLDOUT_BUDGET_MAX, 1);
	for (uint32_t i = 0; i < HOLDOUT_BUDGET_MAX; i++) {
		holdout_ask(&h, &differs, ALPHA, &a);
		ck_assert_int_eq(a.source, HOLDOUT_DIFFERS);
		ck_assert_uint_eq(h.spent, i + 1);
		ck_assert(a.lo < 0.5 && 0.5 < a.hi);
		sum += a.value - 0.5;
		squares += (a.value - 0.5) * (a.value - 0.5);
	}
	/* Laplace noise of 1/4 of a standard error: variance 2/16. */
	ck_assert(fabs(sum) < TEST_Z_LIMIT * 0.01 * sqrt(HOLDOUT_BUDGET_MAX / 8.));
	ck_assert(fabs(squares / HOLDOUT_BUDGET_MAX / 1e-4 - 1 / 8.) < 0.03);
	holdout_ask(&h, &differs, ALPHA, &a);
	ck_assert_int_eq(a.source, HOLDOUT_SPENT);
	ck_assert_uint_eq(h.spent, HOLDOUT_BUDGET_MAX);
	ck_assert_double_eq(a.value, 0.9);
	ck_assert(fabs(a.hi - a.lo - 2 * Z * 0.01) < 1e-12);
}
END_TEST

START_TEST(a_spent_budget_never_looks_at_what_is_kept)
{
	struct holdout h;
	struct holdout_query q = differs;
	struct holdout_answer a;

	holdout_start(&h, 0, 1);
	q.kept = NAN;
	holdout_ask(&h, &q, ALPHA, &a);
	ck_assert_int_eq(a.source, HOLDOUT_SPENT);
	ck_assert_double_eq(a.value, 0.9);
	ck_assert_uint_eq(h.queries, 0);
}
END_TEST

START_TEST(a_smaller_part_kept_back_is_allowed_more)
{
	struct holdout h;
	struct holdout_query q = agrees;
	struct holdout_answer wide, narrow;

	q.kept_n = 250;
	holdout_start(&h, 10, 3);
	holdout_ask(&h, &q, ALPHA, &wide);
	holdout_start(&h, 10, 3);
	holdout_ask(&h, &agrees, ALPHA, &narrow);
	ck_assert_int_eq(wide.source, HOLDOUT_AGREES);
	ck_assert(fabs((wide.hi - wide.lo) / (narrow.hi - narrow.lo) - 2) < 1e-12);
}
END_TEST

/* ---- an analyst who reuses a holdout ---- */

/* A log of two arms, taken with even chances, and FEATURES of each round that say which arm a
 * target would take. With no effect every target earns 1/2. The analyst asks for the target of each
 * feature, turns those that look bad around, lets all that seem to matter vote, and asks what the
 * vote would earn: 1/2, but it was chosen by the very rounds that judge it. The naive one judges
 * the vote alone, so that it is not blamed for having asked a hundred questions. */
#define ROUNDS 2000
#define FEATURES 100
#define LOGS 200
#define KEPT 0.5

struct world {
	bool x[ROUNDS][FEATURES], arm[ROUNDS], reward[ROUNDS], kept[ROUNDS];
	int vote[FEATURES]; /* of each feature's target: for it, against it, not asked */
};

static void make(struct world *w, uint64_t seed, double effect)
{
	const struct log_part part = {LOG_KEPT, KEPT, 0, 0};
	struct rng rng = rng_at(seed, 0, RNG_TEST);

	for (size_t i = 0; i < ROUNDS; i++) {
		uint64_t bits[2] = {rng_u64(&rng), rng_u64(&rng)};
		double mean;

		for (size_t k = 0; k < FEATURES; k++) {
			w->x[i][k] = bits[k / 64] >> (k % 64) & 1;
		}
		w->arm[i] = rng_u64(&rng) >> 63;
		mean = 0.5 + (w->x[i][0] == w->arm[i] ? effect : -effect);
		w->reward[i] = rng_uniform(&rng) < mean;
		w->kept[i] = log_part_has(&part, i);
	}
}

static bool decides(const struct world *w, size_t i, int feature)
{
	int sum = 0;

	if (feature >= 0) {
		return w->x[i][feature];
	}
	for (size_t k = 0; k < FEATURES; k++) {
		sum += w->x[i][k] ? w->vote[k] : -w->vote[k];
	}
	return sum > 0;
}

/* IPS on one side of the log. */
static void value(const struct world *w, int feature, bool kept, double *ret_mean, double *ret_se,
    uint64_t *ret_n)
{
	double sum = 0, squares = 0, n = 0;

	for (size_t i = 0; i < ROUNDS; i++) {
		if (w->kept[i] == kept) {
			double v = decides(w, i, feature) == w->arm[i] ? 2. * w->reward[i] : 0;

			sum += v;
			squares += v * v;
			n++;
		}
	}
	*ret_mean = sum / n;
	*ret_se = sqrt((squares / n - sum / n * (sum / n)) / (n - 1));
	*ret_n = (uint64_t)n;
}

struct analyst {
	struct holdout *guard; /* NULL: reads the part kept back as often as it likes */
	unsigned from_kept;
};

/* Returns what the analyst is told, and its lower bound. */
static double ask(struct analyst *a, const struct world *w, int feature, double *ret_lo)
{
	struct holdout_query q;
	struct holdout_answer got;
	double se;

	value(w, feature, false, &q.training, &q.se, &q.training_n);
	value(w, feature, true, &q.kept, &se, &q.kept_n);
	if (!a->guard) {
		*ret_lo = q.kept - Z * se;
		return q.kept;
	}
	holdout_ask(a->guard, &q, ALPHA, &got);
	a->from_kept += got.source == HOLDOUT_DIFFERS;
	/* Once it is spent, nothing that is said is a finding. */
	*ret_lo = got.source == HOLDOUT_SPENT ? -HUGE_VAL : got.lo;
	return got.value;
}

/* Does the analyst find a target that seems to earn more than 1/2? */
static bool finds(struct world *w, struct holdout *guard, unsigned *ret_from_kept)
{
	struct analyst a = {.guard = guard};
	bool found = false;
	double lo;

	for (int k = 0; k < FEATURES; k++) {
		double told = ask(&a, w, k, &lo);

		w->vote[k] = told > 0.52 ? 1 : told < 0.48 ? -1 : 0;
		found = found || (lo > 0.5 && guard);
	}
	ask(&a, w, -1, &lo);
	*ret_from_kept += a.from_kept;
	return found || lo > 0.5;
}

/* How often is a lie found by naive reuse, and by the guarded one? */
static void count(double effect, unsigned *ret_naive, unsigned *ret_guarded, unsigned *ret_kept)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned none = 0;

	*ret_naive = *ret_guarded = *ret_kept = 0;
	ck_assert_ptr_nonnull(w);
	for (uint64_t seed = 0; seed < LOGS; seed++) {
		struct holdout h;

		make(w, seed, effect);
		*ret_naive += finds(w, NULL, &none);
		holdout_start(&h, HOLDOUT_BUDGET, seed);
		*ret_guarded += finds(w, &h, ret_kept);
	}
	free(w);
	printf("effect %.2f: of %d logs naive reuse finds something in %u, the guarded one in %u, "
	       "with %.2f answers from the part kept back\n",
	    effect, LOGS, *ret_naive, *ret_guarded, (double)*ret_kept / LOGS);
}

/* One-sided: were lies found in 2.5 % of the logs, none in 200 would be seen once in 158 times. */
START_TEST(the_guard_stops_false_discoveries_of_naive_reuse)
{
	unsigned naive, guarded, kept;

	count(0, &naive, &guarded, &kept);
	ck_assert_uint_ge(naive, LOGS * 9 / 10);
	ck_assert_uint_eq(guarded, 0);
	ck_assert_uint_ge(kept, LOGS);
}
END_TEST

START_TEST(the_guard_lets_true_discoveries_pass)
{
	unsigned naive, guarded, kept;

	count(0.25, &naive, &guarded, &kept);
	ck_assert_uint_ge(naive, LOGS * 9 / 10);
	ck_assert_uint_ge(guarded, LOGS * 9 / 10);
}
END_TEST

RUN("holdout", each_round_is_on_one_side_and_stays_there,
    what_agrees_is_answered_from_training_and_is_free,
    what_differs_is_answered_from_the_part_kept_back_and_costs,
    a_spent_budget_never_looks_at_what_is_kept, a_smaller_part_kept_back_is_allowed_more,
    the_guard_stops_false_discoveries_of_naive_reuse, the_guard_lets_true_discoveries_pass)
