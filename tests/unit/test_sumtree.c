/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sumtree.h"

#include "core/slots.h"
#include "test.h"

static struct sumtree *tree_of(size_t reserve)
{
	struct sumtree *t;

	ck_assert_int_eq(sumtree_new(&t), 0);
	ck_assert_int_eq(sumtree_reserve(t, reserve), 0);
	return t;
}

static struct sumtree *built(const double *x, size_t n, size_t reserve)
{
	struct sumtree *t = tree_of(reserve);

	for (size_t i = 0; i < n; i++) {
		sumtree_set_leaf(t, i, x[i]);
	}
	sumtree_build(t);
	return t;
}

static void assert_same(const struct sumtree *a, const struct sumtree *b, size_t n)
{
	struct rng ra = rng_at(1, n, RNG_TEST), rb = ra;
	int64_t ea, eb;

	ck_assert_uint_eq(test_bits(sumtree_root(a, &ea)), test_bits(sumtree_root(b, &eb)));
	ck_assert_int_eq(ea, eb);
	ck_assert_int_eq(sumtree_is_empty(a), sumtree_is_empty(b));
	for (size_t i = 0; i < n; i++) {
		ck_assert_double_eq(sumtree_log_weight(a, i), sumtree_log_weight(b, i));
	}
	for (int i = 0; i < 30 && !sumtree_is_empty(a); i++) {
		size_t slot = sumtree_draw(a, &ra);

		ck_assert_uint_eq(slot, sumtree_draw(b, &rb));
		ck_assert_uint_eq(
		    test_bits(sumtree_share(a, slot)), test_bits(sumtree_share(b, slot)));
	}
	ck_assert_uint_eq(ra.next, rb.next);
}

START_TEST(nothing_set_weighs_nothing)
{
	struct sumtree *t;
	int64_t e;

	ck_assert_int_eq(sumtree_new(&t), 0);
	ck_assert(sumtree_is_empty(t));
	ck_assert_double_eq(sumtree_root(t, &e), 0);
	ck_assert_double_eq(sumtree_log_total(t), -HUGE_VAL);
	ck_assert_int_eq(sumtree_reserve(t, 100), 0);
	sumtree_build(t);
	sumtree_set(t, 70, 3);
	sumtree_set(t, 70, -HUGE_VAL);
	ck_assert(sumtree_is_empty(t));
	ck_assert_double_eq(sumtree_log_weight(t, 69), -HUGE_VAL);
	ck_assert_double_eq(sumtree_log_weight(t, 99), -HUGE_VAL);
	sumtree_free(t);
	sumtree_free(NULL);
}
END_TEST

START_TEST(sums_and_shares_equal_the_naive_ones)
{
	struct rng r = rng_at(2, 2, RNG_TEST);
	double x[1000];

	for (int round = 0; round < 60; round++) {
		size_t n = 1 + rng_below(&r, 1000);
		double spread = ldexp(1, round % 20), shift = (rng_uniform(&r) - 0.5) * 2000;
		long double sum = 0, most = -HUGE_VALL;

		for (size_t i = 0; i < n; i++) {
			x[i] = shift + spread * rng_normal(&r);
			most = fmaxl(most, (long double)x[i]);
		}
		struct sumtree *t = built(x, n, n);

		for (size_t i = 0; i < n; i++) {
			sum += expl((long double)x[i] - most);
		}
		double log_sum = (double)(logl(sum) + most);

		ck_assert_double_eq_tol(
		    sumtree_log_total(t), log_sum, 1e-14 * fabs(log_sum) + 1e-13);
		for (size_t i = 0; i < n; i++) {
			long double share = expl((long double)x[i] - most) / sum;

			ck_assert_double_eq_tol(
			    sumtree_share(t, i), (double)share, 1e-14 * (double)share + 1e-300);
		}
		sumtree_free(t);
	}
}
END_TEST

START_TEST(weights_of_any_size_fit)
{
	struct sumtree *t = tree_of(4);
	struct rng r = rng_at(3, 3, RNG_TEST);
	int64_t e;

	sumtree_set(t, 0, -1e12);
	sumtree_set(t, 1, -1e12 + log(3));
	ck_assert_double_eq_tol(
	    sumtree_share(t, 1), 0.75, 1e-4); /* the argument's own ulp is 1e-4 */
	ck_assert(sumtree_root(t, &e) >= 1 && e < -1000000000000);
	sumtree_set(t, 2, 1e12);
	ck_assert_double_eq_tol(sumtree_log_total(t), 1e12, 1e-3);
	ck_assert_double_eq(sumtree_share(t, 2), 1);
	ck_assert_double_eq(sumtree_share(t, 0), 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_eq(sumtree_draw(t, &r), 2);
	}
	/* What was too small to see beside the giant is all there when it goes. */
	sumtree_set(t, 2, -HUGE_VAL);
	ck_assert_double_eq_tol(sumtree_share(t, 0), 0.25, 1e-4);
	sumtree_free(t);
}
END_TEST

START_TEST(updates_in_any_order_give_the_bits_of_a_rebuild)
{
	struct rng r = rng_at(4, 4, RNG_TEST);
	double x[700];

	for (size_t n = 1; n <= 700; n += n < 70 ? 1 : 90) {
		struct sumtree *t = tree_of(n);

		for (size_t i = 0; i < n; i++) {
			x[i] = -HUGE_VAL;
		}
		for (size_t k = 0; k < 5 * n; k++) {
			size_t slot = rng_below(&r, n);

			x[slot] = rng_below(&r, 4) ? 40 * rng_normal(&r) : -HUGE_VAL;
			sumtree_set(t, slot, x[slot]);
		}
		struct sumtree *again = built(x, n, n);

		assert_same(t, again, n);
		sumtree_free(t);
		sumtree_free(again);
	}
}
END_TEST

START_TEST(a_grown_tree_is_the_tree_built_at_once)
{
	struct rng r = rng_at(5, 5, RNG_TEST);
	struct sumtree *t;
	double x[600];

	ck_assert_int_eq(sumtree_new(&t), 0);
	for (size_t n = 1; n <= 600; n++) {
		x[n - 1] = 10 * rng_normal(&r);
		ck_assert_int_eq(sumtree_reserve(t, n), 0);
		sumtree_set(t, n - 1, x[n - 1]);
		struct sumtree *at_once = built(x, n, 5000);

		assert_same(t, at_once, n);
		sumtree_free(at_once);
	}
	sumtree_free(t);
}
END_TEST

START_TEST(skipped_slots_and_clearing_leave_no_trace)
{
	struct sumtree *t = tree_of(4096), *fresh = tree_of(4096);

	for (size_t i = 0; i < 4096; i++) {
		sumtree_set(t, i, (double)i);
	}
	sumtree_clear(t);
	ck_assert(sumtree_is_empty(t));
	for (size_t i = 3; i < 4096; i = 3 * i + 1) {
		sumtree_set(t, i, 1.0 / (double)i);
		sumtree_set(fresh, i, 1.0 / (double)i);
		assert_same(t, fresh, 4096);
	}
	sumtree_free(t);
	sumtree_free(fresh);
}
END_TEST

START_TEST(draws_are_chi_square_distributed)
{
	struct rng r = rng_at(6, 6, RNG_TEST);
	unsigned count[40] = {0};
	double x[40], p[40];

	for (size_t i = 0; i < 40; i++) {
		x[i] = i % 5 == 2 || i / 8 == 2 ? -HUGE_VAL : 5000 + 1.5 * rng_normal(&r);
	}
	struct sumtree *t = built(x, 40, 40);

	for (size_t i = 0; i < 40; i++) {
		p[i] = sumtree_share(t, i);
	}
	for (int i = 0; i < 100000; i++) {
		count[sumtree_draw(t, &r)]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, p, 40, 100000)), TEST_Z_LIMIT);
	sumtree_free(t);
}
END_TEST

START_TEST(draws_from_many_slots_follow_their_weights)
{
	enum { N = 100000, CELLS = 100 };
	struct rng r = rng_at(7, 7, RNG_TEST);
	struct sumtree *t = tree_of(N);
	double p[CELLS] = {0};
	unsigned count[CELLS] = {0};

	for (size_t i = 0; i < N; i++) {
		sumtree_set_leaf(t, i, 1e-5 * (double)i + rng_normal(&r));
	}
	sumtree_build(t);
	for (size_t i = 0; i < N; i++) {
		p[i * CELLS / N] += sumtree_share(t, i);
	}
	for (int i = 0; i < 100000; i++) {
		count[sumtree_draw(t, &r) * CELLS / N]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, p, CELLS, 100000)), TEST_Z_LIMIT);
	sumtree_free(t);
}
END_TEST

START_TEST(a_reserve_beyond_the_limit_is_refused)
{
	struct sumtree *t = tree_of(10);

	ck_assert_int_lt(sumtree_reserve(t, SLOTS_MAX + 1), 0);
	sumtree_set(t, 9, 0);
	ck_assert_double_eq(sumtree_share(t, 9), 1);
	ck_assert_uint_le(sumtree_bytes(1 << 20), 12 * (1 << 20) + 512);
	sumtree_free(t);
}
END_TEST

RUN("sumtree", nothing_set_weighs_nothing, sums_and_shares_equal_the_naive_ones,
    weights_of_any_size_fit, updates_in_any_order_give_the_bits_of_a_rebuild,
    a_grown_tree_is_the_tree_built_at_once, skipped_slots_and_clearing_leave_no_trace,
    draws_are_chi_square_distributed, draws_from_many_slots_follow_their_weights,
    a_reserve_beyond_the_limit_is_refused)
