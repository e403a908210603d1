/* SPDX-License-Identifier: Apache-2.0 */
/* The planner by itself: worked examples, what it promises on random tables, and the true optimum
 * of small ones. */
#include "base/rng.h"
#include "policies/recovering_plan.h"
#include "test.h"

#define EACH 60

static const double g1[] = {
    .10, .45, .60, .66, .32, .41, .45, .48, .05, .15, .57, .59, .20, .37, .41, .44};
static const double g3[] = {.31, .47, .55, .59, .61, .62, .12, .22, .31, .39, .45, .51, .44, .47,
    .48, .48, .48, .48, 0, 0, .7, .7, .7, .7, .25, .25, .25, .25, .25, .25, .05, .30, .42, .55, .58,
    .93};
static const double rt[] = {.2, .5, .9, .5, .6, .65, .3, .7, .8};

static const struct worked {
	const char *name;
	const double *r;
	uint32_t n, d_max, k;
	double upper, price, value, plain;
	uint32_t first_class, classes, made, moves;
	bool up;
	uint32_t period[6], offset[6];
	double x[6];
	const char *shown; /* arms by period, from 0 */
} worked[] = {
    {"G1, one slot", g1, 4, 4, 1, 0.548333333333, 0.44, 0.543333333333, -1, 3, 1, 1, 0, false,
	{3, 6, 3, 6}, {0, 2, 1, 5}, {.25, .25, .333333333333, .166666666667},
	"0 2 1 0 2 3 0 2 1 0 2 3"},
    {"G1, two slots", g1, 4, 4, 2, 0.856666666667, 0.23, 0.846666666667, 0.78, 1, 2, 3, 1, true,
	{3, 1, 3, 3}, {0, 0, 1, 2}, {.333333333333, .833333333333, .333333333333, .5},
	"01 12 13 01 12 13"},
    {"G3, three slots", g3, 6, 6, 3, 1.356666666667, 0.25, 1.346666666667, 1.273333333333, 1, 2, 4,
	1, true, {3, 6, 1, 3, 1, 6}, {2, 4, 0, 0, 0, 1},
	{.5, .166666666667, 1, .333333333333, .833333333333, .166666666667},
	"234 245 024 234 124 024 234 245 024 234 124 024"},
    {"G3, two slots", g3, 6, 6, 2, 1.096666666667, -1, 1.096666666667, -1, 0, 0, 0, 0, false,
	{3, 6, 1, 3, 0, 6}, {1, 5, 0, 0, 0, 2}, {-1}, NULL},
    {"RT", rt, 3, 3, 2, 1.15, 0, 1.1, -1, 0, 0, 0, 0, false, {2, 1, 2}, {1, 0, 0}, {-1}, NULL},
};

static struct recovering_tables tables(
    const double *r, uint32_t n, uint32_t d_max, uint32_t k, bool improve)
{
	struct recovering_tables t = {
	    .r = r, .n = n, .d_max = d_max, .k = k, .j_max = 32, .improve = improve};

	ck_assert_int_eq(recovering_tables_check(&t, NULL), 0);
	return t;
}

static void check_shown(const struct worked *w, const struct recovering_plan *p)
{
	const char *s = w->shown;

	for (uint32_t t = 0; s && *s; t++) {
		for (uint32_t i = 0; i < w->n; i++) {
			if (p->period[i] && t % p->period[i] == p->offset[i]) {
				ck_assert_int_eq(*s++, (int)('0' + i));
			}
		}
		s += *s == ' ';
	}
}

static void check_worked(const struct worked *w)
{
	struct recovering_tables t = tables(w->r, w->n, w->d_max, w->k, true);
	struct recovering_plan p = {.n = 0}, plain = {.n = 0};

	ck_assert_int_eq(recovering_plan_make(&t, &p), 0);
	ck_assert_double_eq_tol(p.upper, w->upper, 1e-12);
	ck_assert_double_eq_tol(p.value, w->value, 1e-12);
	ck_assert_msg(
	    w->price < 0 || fabs(p.price - w->price) < 1e-12, "%s: price %.12f", w->name, p.price);
	for (uint32_t i = 0; i < w->n; i++) {
		ck_assert_msg(p.period[i] == w->period[i] && p.offset[i] == w->offset[i],
		    "%s: arm %u at %u mod %u", w->name, i, p.offset[i], p.period[i]);
		ck_assert(w->x[0] < 0 || fabs(p.x[i] - w->x[i]) < 1e-11);
	}
	if (w->classes) {
		ck_assert_uint_eq(p.first_class, w->first_class);
		ck_assert_uint_eq(p.classes, w->classes);
		ck_assert_uint_eq(p.made, w->made);
		ck_assert_uint_eq(p.moves, w->moves);
		ck_assert_int_eq(p.up, w->up);
	}
	check_shown(w, &p);
	t.improve = false;
	ck_assert_int_eq(recovering_plan_make(&t, &plain), 0);
	ck_assert(w->plain < 0 || fabs(plain.value - w->plain) < 1e-12);
	recovering_plan_release(&plain);
	recovering_plan_release(&p);
}

START_TEST(worked_examples_come_out)
{
	for (size_t i = 0; i < sizeof(worked) / sizeof(worked[0]); i++) {
		check_worked(&worked[i]);
	}
}
END_TEST

static int by_size(const void *left, const void *right)
{
	double x = *(const double *)left, y = *(const double *)right;

	return x < y ? -1 : x > y;
}

static void random_arm(struct rng *rng, uint32_t d_max, double *r)
{
	double c = .1 + .9 * rng_uniform(rng), tau = .3 + rng_uniform(rng) * (d_max / 1.5 - .3);
	uint32_t s = 1 + (uint32_t)rng_below(rng, d_max), kind = (uint32_t)rng_below(rng, 3);

	for (uint32_t d = 1; d <= d_max; d++) {
		double u = rng_uniform(rng);

		r[d - 1] = kind == 0   ? c * (1 - exp(-(double)d / tau))
			   : kind == 1 ? c * (d >= s)
				       : c * u * u;
	}
	if (kind == 2) {
		qsort(r, d_max, sizeof(*r), by_size);
	}
}

static double *random_tables(struct rng *rng, uint32_t n, uint32_t d_max)
{
	double *r = calloc((size_t)n * d_max, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	for (uint32_t i = 0; i < n; i++) {
		random_arm(rng, d_max, &r[(size_t)i * d_max]);
	}
	return r;
}

static double gamma_of(uint32_t k)
{
	double best = 0, g;

	for (uint32_t j = 1; j < 1000; j++) {
		g = j / (j + 1.0) * k / (double)(k + j);
		best = g > best ? g : best;
	}
	return best;
}

/* The bound by linear-programming duality: another way to the same number. */
static double dual(const struct recovering_tables *t, double price)
{
	double sum = t->k * price, most, x;

	for (uint32_t i = 0; i < t->n; i++) {
		most = 0;
		for (uint32_t d = 1; d <= t->d_max; d++) {
			x = (t->r[(size_t)i * t->d_max + d - 1] - price) / d;
			most = x > most ? x : most;
		}
		sum += most;
	}
	return sum;
}

/* Pairwise disjoint classes in each lane, and no more lanes than slots, mean at most k arms in each
 * period of however long a cycle. */
static void check_lanes(const struct recovering_tables *t, const struct recovering_plan *p)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (p->period[i] == 0) {
			continue;
		}
		ck_assert(p->lane[i] < t->k && p->offset[i] < p->period[i]);
		for (uint32_t j = 0; j < i; j++) {
			uint32_t a = p->period[i], b = p->period[j], c;

			while (b) { /* the greatest common divisor */
				c = a % b;
				a = b;
				b = c;
			}
			if (p->period[j] && p->lane[j] == p->lane[i] &&
			    p->offset[i] % a == p->offset[j] % a) {
				ck_abort_msg("arms %u and %u meet", i, j);
			}
		}
	}
}

static double check_random(struct rng *rng, uint32_t k)
{
	static const uint32_t d_maxes[] = {4, 6, 8, 12, 16};
	uint32_t most = 5 * k + 4 < 150 ? 5 * k + 4 : 150;
	uint32_t d_max = d_maxes[rng_below(rng, 5)], n = k + 1 + (uint32_t)rng_below(rng, most - k);
	double *r = random_tables(rng, n, d_max), share;
	struct recovering_tables t = tables(r, n, d_max, k, true);
	struct recovering_plan p = {.n = 0};

	ck_assert_int_eq(recovering_plan_make(&t, &p), 0);
	check_lanes(&t, &p);
	ck_assert_double_eq_tol(dual(&t, p.price), p.upper, 1e-9);
	ck_assert_double_eq_tol(recovering_plan_worth(&t, p.period), p.value, 1e-12);
	share = p.value / p.upper;
	ck_assert_double_ge(share, gamma_of(k));
	ck_assert_double_le(share, 1 + 1e-12);
	recovering_plan_release(&p);
	free(r);
	return share;
}

START_TEST(random_tables_are_planned_nearly_as_well_as_any_policy_could)
{
	static const struct {
		uint32_t k;
		double mean;
	} want[] = {{1, .95}, {2, .965}, {5, .98}, {10, .99}, {50, .998}};
	struct rng rng = rng_at(1, 1, RNG_TEST);
	double sum;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		sum = 0;
		for (int j = 0; j < EACH; j++) {
			sum += check_random(&rng, want[i].k);
		}
		ck_assert_msg(sum / EACH >= want[i].mean, "k %u: %g", want[i].k, sum / EACH);
	}
}
END_TEST

/* ---- the optimum, by relative value iteration over vectors of idle times ---- */

#define EXACT_N 4
#define EXACT_D 5
#define EXACT_STATES 625 /* EXACT_D ^ EXACT_N */

static uint32_t after(uint32_t state, uint32_t n, uint32_t d_max, uint32_t pulls)
{
	uint32_t next = 0, unit = 1, idle;

	for (uint32_t i = 0; i < n; i++) {
		idle = state % d_max; /* one less than it is */
		state /= d_max;
		idle = pulls >> i & 1 ? 0 : idle + 1 < d_max ? idle + 1 : idle;
		next += idle * unit;
		unit *= d_max;
	}
	return next;
}

static double pays(const struct recovering_tables *t, uint32_t state, uint32_t pulls)
{
	double sum = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		sum += pulls >> i & 1 ? t->r[i * t->d_max + state % t->d_max] : 0;
		state /= t->d_max;
	}
	return sum;
}

static uint32_t bits(uint32_t x)
{
	uint32_t n = 0;

	for (; x; x &= x - 1) {
		n++;
	}
	return n;
}

/* Largest reward per period: bounds of v' - v close in on it (lazily, so that no cycle hides it).
 */
static void optimum(const struct recovering_tables *t, double *ret_lo, double *ret_hi)
{
	static double v[EXACT_STATES], w[EXACT_STATES];
	uint32_t states = 1;
	double lo = 0, hi = 1, best, x;

	memset(v, 0, sizeof(v));
	for (uint32_t i = 0; i < t->n; i++) {
		states *= t->d_max;
	}
	for (int round = 0; round < 3000 && hi - lo > 1e-7; round++) {
		lo = 1e300;
		hi = -1e300;
		for (uint32_t s = 0; s < states; s++) {
			best = -1;
			for (uint32_t a = 0; a < 1u << t->n; a++) {
				if (bits(a) <= t->k) {
					x = pays(t, s, a) + v[after(s, t->n, t->d_max, a)];
					best = x > best ? x : best;
				}
			}
			lo = best - v[s] < lo ? best - v[s] : lo;
			hi = best - v[s] > hi ? best - v[s] : hi;
			w[s] = .5 * (best + v[s]);
		}
		for (uint32_t s = 0; s < states; s++) {
			v[s] = w[s] - w[0];
		}
	}
	*ret_lo = lo;
	*ret_hi = hi;
}

START_TEST(the_true_optimum_lies_between_value_and_bound)
{
	struct rng rng = rng_at(1, 2, RNG_TEST);
	double lo, hi, share, sum = 0, least = 1;
	int runs = 40;

	for (int i = 0; i < runs; i++) {
		uint32_t n = 2 + (uint32_t)rng_below(&rng, EXACT_N - 1);
		uint32_t d_max = 2 + (uint32_t)rng_below(&rng, n == 4 ? 3 : EXACT_D - 1);
		uint32_t k = 1 + (uint32_t)rng_below(&rng, 2);
		double *r = random_tables(&rng, n, d_max);
		struct recovering_tables t = tables(r, n, d_max, k, true);
		struct recovering_plan p = {.n = 0};

		ck_assert_int_eq(recovering_plan_make(&t, &p), 0);
		optimum(&t, &lo, &hi);
		ck_assert_double_le(p.value, hi + 1e-9);
		ck_assert_double_le(lo, p.upper + 1e-9);
		share = p.value / hi;
		sum += share;
		least = share < least ? share : least;
		recovering_plan_release(&p);
		free(r);
	}
	ck_assert_double_ge(sum / runs, .94);
	ck_assert_double_ge(least, .7);
}
END_TEST

START_TEST(worked_examples_have_the_optimum_that_is_told)
{
	static const double want[] = {0.543333333333, 0.846666666667, -1, -1, 1.133333333333};
	double lo, hi;

	for (size_t i = 0; i < sizeof(worked) / sizeof(worked[0]); i++) {
		if (want[i] > 0) {
			struct recovering_tables t =
			    tables(worked[i].r, worked[i].n, worked[i].d_max, worked[i].k, true);

			optimum(&t, &lo, &hi);
			ck_assert_double_eq_tol(lo, want[i], 1e-6);
			ck_assert_double_eq_tol(hi, want[i], 1e-6);
		}
	}
}
END_TEST

/* What rounding elsewhere, or another machine's mean, may do to a table. */
START_TEST(a_jitter_of_the_tables_changes_no_plan)
{
	struct rng rng = rng_at(1, 3, RNG_TEST);
	double r[36];

	for (int round = 0; round < 200; round++) {
		const struct worked *w = &worked[round % 5];
		struct recovering_tables t;
		struct recovering_plan p = {.n = 0};

		for (uint32_t i = 0; i < w->n * w->d_max; i++) {
			r[i] = fmax(0, w->r[i] + 2e-7 * (rng_uniform(&rng) - .5));
			r[i] = i % w->d_max && r[i] < r[i - 1] ? r[i - 1] : r[i];
		}
		t = tables(r, w->n, w->d_max, w->k, true);
		ck_assert_int_eq(recovering_plan_make(&t, &p), 0);
		for (uint32_t i = 0; i < w->n; i++) {
			ck_assert_msg(p.period[i] == w->period[i] && p.offset[i] == w->offset[i],
			    "%s: arm %u at %u mod %u", w->name, i, p.offset[i], p.period[i]);
		}
		recovering_plan_release(&p);
	}
}
END_TEST

START_TEST(bad_tables_are_refused)
{
	static const double falls[] = {.5, .4}, negative[] = {-.1, .4}, odd[] = {0, NAN};
	struct recovering_tables t = {.r = falls, .n = 1, .d_max = 2, .k = 1, .j_max = 32};

	ck_assert_int_eq(recovering_tables_check(&t, NULL), RC_INVALID);
	t.r = negative;
	ck_assert_int_eq(recovering_tables_check(&t, NULL), RC_INVALID);
	t.r = odd;
	ck_assert_int_eq(recovering_tables_check(&t, NULL), RC_INVALID);
	t.r = g1;
	ck_assert_int_eq(recovering_tables_check(&t, NULL), 0);
	t.k = 0;
	ck_assert_int_eq(recovering_tables_check(&t, NULL), RC_INVALID);
}
END_TEST

START_TEST(ten_thousand_arms_are_planned_while_one_waits)
{
	struct rng rng = rng_at(1, 3, RNG_TEST);
	double *r = random_tables(&rng, 10000, 32);
	struct recovering_tables t = tables(r, 10000, 32, 50, true);
	struct recovering_plan p = {.n = 0};

	ck_assert_int_eq(recovering_plan_make(&t, &p), 0);
	check_lanes(&t, &p);
	ck_assert_double_ge(p.value / p.upper, .99);
	recovering_plan_release(&p);
	free(r);
}
END_TEST

START_TEST(slots_to_spare_and_arms_that_never_recover_do_no_harm)
{
	static const double flat[] = {.3, .3, 0, 0};
	struct recovering_tables t = tables(flat, 2, 2, 5, true);
	struct recovering_plan p = {.n = 0};

	ck_assert_int_eq(recovering_plan_make(&t, &p), 0);
	ck_assert_uint_eq(p.period[0], 1);
	ck_assert_uint_eq(p.period[1], 0);
	ck_assert_double_eq_tol(p.value, .3, 1e-15);
	recovering_plan_release(&p);
}
END_TEST

RUN("recovering_plan", worked_examples_come_out,
    random_tables_are_planned_nearly_as_well_as_any_policy_could,
    the_true_optimum_lies_between_value_and_bound, worked_examples_have_the_optimum_that_is_told,
    a_jitter_of_the_tables_changes_no_plan, bad_tables_are_refused,
    ten_thousand_arms_are_planned_while_one_waits,
    slots_to_spare_and_arms_that_never_recover_do_no_harm)
