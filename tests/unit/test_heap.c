/* SPDX-License-Identifier: Apache-2.0 */
#include "core/heap.h"

#include "base/rng.h"
#include "core/slots.h"
#include "test.h"

#define SLOTS 400
#define HEAPS 20

static struct heap *heap_of(size_t slots)
{
	struct heap *h;

	ck_assert_int_eq(heap_new(&h), 0);
	ck_assert_int_eq(heap_reserve(h, slots), 0);
	return h;
}

struct naive {
	int in[SLOTS]; /* the heap, -1 for none */
	double key[SLOTS];
};

static uint32_t naive_top(const struct naive *n, int which)
{
	uint32_t best = HEAP_NONE;

	for (uint32_t i = 0; i < SLOTS; i++) {
		if (n->in[i] == which && (best == HEAP_NONE || n->key[i] > n->key[best])) {
			best = i;
		}
	}
	return best;
}

START_TEST(tops_are_what_a_scan_finds_while_slots_move_between_heaps)
{
	struct rng r = rng_at(1, 1, RNG_TEST);
	struct heap *h = heap_of(SLOTS);
	struct naive n;
	uint32_t top[HEAPS];

	memset(n.in, -1, sizeof(n.in));
	memset(top, 0xff, sizeof(top));
	for (int round = 0; round < 60000; round++) {
		size_t slot = rng_below(&r, SLOTS);
		int from = n.in[slot], to = (int)rng_below(&r, HEAPS + 2) - 2;
		double key = (double)rng_below(&r, 30) / 4; /* ties are common */

		if (from >= 0 && to == -2) {
			to = from;
			heap_update(h, &top[from], slot, key);
		} else {
			if (from >= 0) {
				heap_remove(h, &top[from], slot);
				ck_assert(!heap_has(h, slot));
			}
			if (to >= 0) {
				heap_insert(h, &top[to], slot, key);
			}
		}
		n.in[slot] = to >= 0 ? to : -1;
		n.key[slot] = key;
		if (from >= 0) {
			ck_assert_uint_eq(top[from], naive_top(&n, from));
		}
		if (to >= 0) {
			ck_assert_uint_eq(top[to], naive_top(&n, to));
			ck_assert_double_eq(heap_key(h, slot), key);
		}
	}
	heap_free(h);
	heap_free(NULL);
}
END_TEST

START_TEST(one_heap_sorts_whatever_the_order_of_arrival)
{
	enum { N = 5000 };
	struct rng r = rng_at(2, 2, RNG_TEST);

	for (int order = 0; order < 3; order++) {
		struct heap *h = heap_of(1);
		uint32_t top = HEAP_NONE, slot;
		double before = HUGE_VAL;
		size_t left = N;

		for (size_t i = 0; i < N; i++) {
			ck_assert_int_eq(heap_reserve(h, i + 1), 0);
			heap_insert(h, &top, i,
			    order == 0   ? (double)i
			    : order == 1 ? -(double)i
					 : rng_uniform(&r));
		}
		for (; top != HEAP_NONE; left--) {
			slot = top;
			ck_assert_double_le(heap_key(h, slot), before);
			before = heap_key(h, slot);
			heap_remove(h, &top, slot);
		}
		ck_assert_uint_eq(left, 0);
		heap_free(h);
	}
}
END_TEST

START_TEST(equal_keys_come_in_order_of_slots)
{
	struct heap *h = heap_of(100);
	uint32_t top = HEAP_NONE;

	for (size_t i = 0; i < 100; i++) {
		heap_insert(h, &top, i * 37 % 100, i % 2 ? 0.0 : -0.0);
	}
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(top, i);
		heap_remove(h, &top, i);
	}
	ck_assert_uint_eq(top, HEAP_NONE);
	heap_free(h);
}
END_TEST

START_TEST(a_cleared_heap_and_growth_lose_nothing_but_members)
{
	struct heap *h = heap_of(3);
	uint32_t top = HEAP_NONE;

	heap_insert(h, &top, 2, 1);
	ck_assert_int_eq(heap_reserve(h, 100000), 0);
	heap_insert(h, &top, 99999, 2);
	ck_assert(heap_has(h, 2) && !heap_has(h, 3) && heap_has(h, 99999));
	ck_assert_uint_eq(top, 99999);
	heap_clear(h);
	ck_assert(!heap_has(h, 2) && !heap_has(h, 99999));
	top = HEAP_NONE;
	heap_insert(h, &top, 99999, -1);
	ck_assert(!heap_has(h, 2));
	ck_assert_int_lt(heap_reserve(h, SLOTS_MAX + 1), 0);
	ck_assert_uint_le(heap_bytes(1 << 20), 25 * (1 << 20));
	heap_free(h);
}
END_TEST

RUN("heap", tops_are_what_a_scan_finds_while_slots_move_between_heaps,
    one_heap_sorts_whatever_the_order_of_arrival, equal_keys_come_in_order_of_slots,
    a_cleared_heap_and_growth_lose_nothing_but_members)
