/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maxtree.h"

#include "base/rng.h"
#include "core/slots.h"
#include "test.h"

#define SLOTS 1500

static size_t first_best(const double *x, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++) {
		best = x[i] > x[best] ? i : best;
	}
	return best;
}

START_TEST(top_is_what_a_scan_finds_while_slots_come_and_go)
{
	struct rng r = rng_at(1, 1, RNG_TEST);
	struct maxtree *t;
	double x[SLOTS];
	size_t n = 0;

	ck_assert_int_eq(maxtree_new(&t), 0);
	ck_assert_double_eq(maxtree_max(t), -HUGE_VAL);
	for (int round = 0; round < 20000; round++) {
		size_t slot = rng_below(&r, n + 3 < SLOTS ? n + 3 : SLOTS);
		/* Few different values: ties are common. */
		double v = rng_below(&r, 3) ? (double)rng_below(&r, 50) - 25 : -HUGE_VAL;

		ck_assert_int_eq(maxtree_reserve(t, slot + 1), 0);
		for (; n <= slot; n++) {
			x[n] = -HUGE_VAL;
		}
		maxtree_set(t, slot, v);
		x[slot] = v;
		size_t best = first_best(x, n);

		ck_assert_double_eq(maxtree_max(t), x[best]);
		ck_assert_double_eq(maxtree_value(t, slot), v);
		if (x[best] > -HUGE_VAL) {
			ck_assert_uint_eq(maxtree_top(t), best);
		}
	}
	maxtree_free(t);
	maxtree_free(NULL);
}
END_TEST

START_TEST(a_far_slot_and_a_cleared_tree_are_right)
{
	struct maxtree *t;

	ck_assert_int_eq(maxtree_new(&t), 0);
	ck_assert_int_eq(maxtree_reserve(t, 100000), 0);
	maxtree_set(t, 0, -5);
	maxtree_set(t, 99999, -6);
	ck_assert_uint_eq(maxtree_top(t), 0);
	maxtree_set(t, 5000, -4);
	ck_assert_uint_eq(maxtree_top(t), 5000);
	ck_assert_double_eq(maxtree_value(t, 7), -HUGE_VAL);
	maxtree_clear(t);
	ck_assert_double_eq(maxtree_max(t), -HUGE_VAL);
	maxtree_set(t, 9, 1);
	ck_assert_uint_eq(maxtree_top(t), 9);
	ck_assert_int_lt(maxtree_reserve(t, SLOTS_MAX + 1), 0);
	ck_assert_uint_le(maxtree_bytes(1 << 20), 10 * (1 << 20));
	maxtree_free(t);
}
END_TEST

RUN("maxtree", top_is_what_a_scan_finds_while_slots_come_and_go,
    a_far_slot_and_a_cleared_tree_are_right)
