/* SPDX-License-Identifier: Apache-2.0 */
#include "core/subjects.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/rng.h"
#include "test.h"

#define NAMES 500

struct model {
	bool there;
	uint64_t value, seen_us;
};

static struct subject_key key_of(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "s%u", i);
	return subject_key(name);
}

static void check_all(const struct subjects *s, const struct model *m)
{
	uint64_t last = 0;
	size_t n = 0, there = 0;

	for (void *r = subjects_oldest(s); r; r = subjects_next(s, r)) {
		ck_assert_uint_ge(subjects_seen_us(s, r), last);
		last = subjects_seen_us(s, r);
		n++;
	}
	for (unsigned i = 0; i < NAMES; i++) {
		struct subject_key key = key_of(i);
		uint64_t *r = subjects_find(s, &key);

		ck_assert(m[i].there == (r != NULL));
		there += m[i].there;
		if (r) {
			ck_assert_uint_eq(*r, m[i].value);
			ck_assert_uint_eq(subjects_seen_us(s, r), m[i].seen_us);
		}
	}
	ck_assert_uint_eq(n, there);
	ck_assert_uint_eq(n, subjects_count(s));
}

static void live(struct subjects *s, struct model *m, struct rng *rng, uint64_t *now)
{
	for (int i = 0; i < 3000; i++) {
		unsigned k = (unsigned)rng_below(rng, NAMES);
		struct subject_key key = key_of(k);
		uint64_t *r;

		if (rng_below(rng, 3) == 0 && m[k].there) {
			subjects_drop(s, subjects_find(s, &key));
			m[k].there = false;
			continue;
		}
		ck_assert_int_eq(subjects_reserve(s, subjects_count(s) + 1), 0);
		*now += rng_below(rng, 3);
		r = subjects_touch(s, &key, *now);
		ck_assert_uint_eq(*r, m[k].there ? m[k].value : 0);
		*r = 1 + rng_below(rng, 1000);
		m[k] = (struct model){.there = true, .value = *r, .seen_us = *now};
	}
}

START_TEST(it_remembers_whom_it_saw_in_order)
{
	struct model m[NAMES] = {{.there = false}};
	struct rng rng = rng_at(1, 1, RNG_TEST);
	struct subjects *s;
	uint64_t now = 0;

	ck_assert_int_eq(subjects_new(sizeof(uint64_t), 1000, &s), 0);
	check_all(s, m);
	for (int i = 0; i < 20; i++) {
		live(s, m, &rng, &now);
		check_all(s, m);
	}
	while (subjects_oldest(s)) {
		subjects_drop(s, subjects_oldest(s));
	}
	ck_assert_uint_eq(subjects_count(s), 0);
	subjects_free(s);
}
END_TEST

static void save(const struct subjects *s, struct buf *out)
{
	buf_reset(out);
	for (const uint64_t *r = subjects_oldest(s); r; r = subjects_next(s, r)) {
		subjects_put(s, r, out);
		buf_put_var(out, *r);
	}
}

START_TEST(it_is_loaded_in_the_same_order)
{
	struct model m[NAMES] = {{.there = false}};
	struct rng rng = rng_at(2, 1, RNG_TEST);
	struct subjects *s, *t;
	struct buf saved, again;
	struct rd in;
	uint64_t now = 5;

	buf_init(&saved, 1u << 20);
	buf_init(&again, 1u << 20);
	ck_assert_int_eq(subjects_new(sizeof(uint64_t), 1000, &s), 0);
	ck_assert_int_eq(subjects_new(sizeof(uint64_t), 1000, &t), 0);
	live(s, m, &rng, &now);
	save(s, &saved);
	rd_init(&in, saved.data, saved.len);
	ck_assert_int_eq(subjects_reserve(t, subjects_count(s)), 0);
	while (rd_left(&in)) {
		uint64_t *r = subjects_get(t, &in);

		ck_assert_ptr_nonnull(r);
		*r = rd_var(&in);
	}
	check_all(t, m);
	save(t, &again);
	ck_assert(saved.len == again.len && memcmp(saved.data, again.data, saved.len) == 0);
	live(s, m, &rng, &now);
	subjects_free(s);
	subjects_free(t);
	buf_release(&saved);
	buf_release(&again);
}
END_TEST

START_TEST(a_subject_saved_twice_is_refused)
{
	struct subject_key key = subject_key("a");
	struct subjects *s;
	struct buf saved;
	struct rd in;

	buf_init(&saved, 1000);
	ck_assert_int_eq(subjects_new(8, 10, &s), 0);
	ck_assert_int_eq(subjects_reserve(s, 2), 0);
	subjects_put(s, subjects_touch(s, &key, 7), &saved);
	rd_init(&in, saved.data, saved.len);
	ck_assert_ptr_null(subjects_get(s, &in));
	ck_assert_int_eq(in.rc, RC_CORRUPT);
	buf_release(&saved);
	subjects_free(s);
}
END_TEST

START_TEST(their_number_is_limited)
{
	struct subjects *s;

	ck_assert_int_eq(subjects_new(8, 10, &s), 0);
	ck_assert_int_eq(subjects_reserve(s, 10), 0);
	ck_assert_int_eq(subjects_reserve(s, 11), RC_LIMIT);
	subjects_free(s);
}
END_TEST

RUN("subjects", it_remembers_whom_it_saw_in_order, it_is_loaded_in_the_same_order,
    a_subject_saved_twice_is_refused, their_number_is_limited)
