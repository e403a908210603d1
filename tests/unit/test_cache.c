/* SPDX-License-Identifier: Apache-2.0 */
/* The cache by itself: found by number and by name, what may be put out and what may not. */
#include "base/hash.h"
#include "serve/cache.h"
#include "tests/unit/test.h"

#define ROOM ((size_t)1 << 20)
#define DURABLE 10 /* tickets up to here */

static struct cache *cache_of(size_t bytes)
{
	struct cache *c;

	ck_assert_int_eq(hash_init(), 0);
	ck_assert_int_eq(cache_new(bytes, &c), 0);
	return c;
}

/* Adds a decision of experiment 1 whose bytes are "body", and unpins it. */
static void add(struct cache *c, uint64_t seq, const char *name, uint64_t ticket)
{
	struct cache_entry what = {.experiment = 1,
	    .kind = CACHE_DECISION,
	    .seq = seq,
	    .ticket = ticket,
	    .bytes = "body",
	    .len = 4};
	struct cache_entry *e;

	ck_assert_int_eq(cache_add(c, &what, name, DURABLE, CACHE_NEW, &e), 0);
	cache_unpin(c, e);
}

static bool holds(struct cache *c, uint64_t seq)
{
	struct cache_entry *e = cache_find(c, 1, seq);

	cache_unpin(c, e);
	return e != NULL;
}

/* Bytes that one unnamed entry takes. */
static size_t one_entry(void)
{
	struct cache *c = cache_of(ROOM);
	size_t n;

	add(c, 1, NULL, 1);
	n = cache_bytes(c);
	cache_free(c);
	return n;
}

START_TEST(an_entry_is_found_by_number_and_by_name_of_its_kind)
{
	struct cache *c = cache_of(ROOM);
	struct cache_entry *e, *again;

	add(c, 7, "n", 1);
	e = cache_find(c, 1, 7);
	ck_assert_ptr_nonnull(e);
	ck_assert_uint_eq(e->len, 4);
	ck_assert_mem_eq(e->bytes, "body", 4);
	again = cache_find_name(c, 1, CACHE_DECISION, "n");
	ck_assert_ptr_eq(e, again);
	ck_assert_ptr_null(cache_find_name(c, 1, CACHE_REWARD, "n"));
	ck_assert_ptr_null(cache_find_name(c, 2, CACHE_DECISION, "n"));
	ck_assert_ptr_null(cache_find_name(c, 1, CACHE_DECISION, "nn"));
	ck_assert_ptr_null(cache_find(c, 2, 7));
	ck_assert_ptr_null(cache_find(c, 1, 8));
	cache_unpin(c, e);
	cache_unpin(c, again);
	cache_free(c);
}
END_TEST

/* What became of a slate is a bit for each of its arms: a decision of one arm does not pay for the
 * 1,024 that a slate may have. */
START_TEST(what_became_of_a_decision_takes_what_it_needs)
{
	struct cache *c = cache_of(ROOM);
	struct pending slate = {.npicks = SLATE_MAX}, single = {.rewards = 3};
	struct cache_entry what = {.experiment = 1, .seq = 1, .bytes = "body", .len = 4};
	struct cache_entry *e;
	size_t before;

	what.pending = &single;
	ck_assert_int_eq(cache_add(c, &what, NULL, DURABLE, CACHE_NEW, &e), 0);
	ck_assert_uint_eq(e->pending->rewards, 3);
	cache_unpin(c, e);
	before = cache_bytes(c);
	memset(slate.done, 0xa5, sizeof(slate.done));
	what.seq = 2;
	what.pending = &slate;
	ck_assert_int_eq(cache_add(c, &what, NULL, DURABLE, CACHE_NEW, &e), 0);
	ck_assert_mem_eq(e->pending, &slate, pending_bytes(&slate));
	ck_assert_uint_eq(cache_bytes(c) - before, before + sizeof(slate.done));
	cache_unpin(c, e);
	cache_free(c);
}
END_TEST

START_TEST(the_oldest_make_room)
{
	struct cache *c = cache_of(3 * one_entry());

	for (uint64_t seq = 1; seq <= 5; seq++) {
		add(c, seq, NULL, 1);
	}
	for (uint64_t seq = 1; seq <= 5; seq++) {
		ck_assert_int_eq(holds(c, seq), seq > 2);
	}
	ck_assert_uint_eq(cache_evictions(c), 2);
	ck_assert_uint_eq(cache_bytes(c), 3 * one_entry());
	cache_free(c);
}
END_TEST

START_TEST(what_is_pinned_or_not_durable_stays)
{
	struct cache *c = cache_of(1);
	struct cache_entry *pinned;

	add(c, 1, NULL, 1);
	pinned = cache_find(c, 1, 1);
	add(c, 2, NULL, DURABLE + 1);
	add(c, 3, NULL, 1);
	add(c, 4, NULL, 1); /* puts out 3 */
	ck_assert(holds(c, 1) && holds(c, 2) && !holds(c, 3) && holds(c, 4));
	cache_touch(c, pinned, DURABLE + 1); /* a newer event about it */
	cache_unpin(c, pinned);
	add(c, 5, NULL, 1);
	ck_assert(holds(c, 1) && !holds(c, 4));
	cache_free(c);
}
END_TEST

START_TEST(what_was_read_before_something_was_put_out_is_refused)
{
	struct cache *c = cache_of(ROOM), *small = cache_of(1);
	struct cache_entry what = {.experiment = 1, .seq = 1, .bytes = "body", .len = 4}, *e, *same;
	uint64_t seen = cache_evictions(small);

	ck_assert_int_eq(cache_add(c, &what, NULL, DURABLE, cache_evictions(c), &e), 0);
	ck_assert_int_eq(cache_add(c, &what, NULL, DURABLE, cache_evictions(c), &same), 0);
	ck_assert_ptr_eq(e, same); /* not twice */
	add(small, 8, NULL, 1);
	add(small, 9, NULL, 1);
	ck_assert_uint_ne(cache_evictions(small), seen);
	e = NULL;
	ck_assert_int_eq(cache_add(small, &what, NULL, DURABLE, seen, &e), RC_BUSY);
	ck_assert_ptr_null(e);
	ck_assert(!holds(small, 1));
	cache_free(small);
	cache_free(c);
}
END_TEST

START_TEST(what_was_read_back_goes_first)
{
	struct cache *c = cache_of(3 * one_entry());
	struct cache_entry what = {.experiment = 1, .seq = 1, .bytes = "body", .len = 4}, *e;

	add(c, 8, NULL, 1);
	add(c, 9, NULL, 1);
	ck_assert_int_eq(cache_add(c, &what, NULL, DURABLE, cache_evictions(c), &e), 0);
	cache_unpin(c, e);
	add(c, 10, NULL, 1);
	ck_assert(!holds(c, 1) && holds(c, 8) && holds(c, 9) && holds(c, 10));
	cache_free(c);
}
END_TEST

START_TEST(an_experiment_is_forgotten_with_its_names)
{
	struct cache *c = cache_of(ROOM);
	struct cache_entry other = {.experiment = 2, .seq = 1, .bytes = "body", .len = 4}, *e;

	add(c, 1, "n", 1);
	ck_assert_int_eq(cache_add(c, &other, "n", DURABLE, CACHE_NEW, &e), 0);
	cache_forget(c, 1);
	ck_assert(!holds(c, 1));
	ck_assert_ptr_null(cache_find_name(c, 1, CACHE_DECISION, "n"));
	cache_forget(c, 2); /* pinned: stays */
	ck_assert_ptr_eq(cache_find(c, 2, 1), e);
	cache_free(c);
	cache_free(NULL);
}
END_TEST

RUN("cache", an_entry_is_found_by_number_and_by_name_of_its_kind,
    what_became_of_a_decision_takes_what_it_needs, the_oldest_make_room,
    what_is_pinned_or_not_durable_stays, what_was_read_before_something_was_put_out_is_refused,
    what_was_read_back_goes_first, an_experiment_is_forgotten_with_its_names)
