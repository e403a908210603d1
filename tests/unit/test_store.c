/* SPDX-License-Identifier: Apache-2.0 */
/* What the store promises, held against every backend. */
#include "store/care.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/place.h"

START_TEST(what_is_durable_is_read_back_in_order)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r = place_reader(&p);

		for (uint64_t seq = 1; seq <= 500; seq++) {
			uint64_t ticket = place_append(s, 1 + seq % 2, 1 + (seq - 1) / 2);

			ck_assert_uint_eq(ticket, seq);
			if (seq % 50 == 0) {
				ck_assert_int_eq(store_wait(s, ticket), 0);
				ck_assert_int_eq(place_read(r, 1), (int64_t)seq / 2);
				ck_assert_int_eq(place_read(r, 2), (int64_t)seq / 2);
			}
		}
		ck_assert_uint_eq(store_queued_events(s), 0);
		ck_assert_uint_eq(store_durable(s), 500);
		store_reader_close(r);
		store_close(s);
	}
}
END_TEST

START_TEST(closing_writes_what_is_queued_and_opening_continues)
{
	struct place p;

	EACH_BACKEND(p)
	{
		for (uint64_t round = 0; round < 3; round++) {
			struct store *s = place_open(&p);
			struct store_reader *r;

			for (uint64_t i = 1; i <= 100; i++) {
				ck_assert_uint_ne(place_append(s, 7, round * 100 + i), 0);
			}
			store_close(s);
			s = place_open(&p);
			r = place_reader(&p);
			ck_assert_int_eq(place_read(r, 7), (int64_t)(round + 1) * 100);
			ck_assert_int_eq(store_check_tails(r, NULL), 0);
			ck_assert_int_eq(store_check_keys(r, 7, NULL), 0);
			store_reader_close(r);
			store_close(s);
		}
	}
}
END_TEST

START_TEST(a_seq_that_is_taken_fails_the_store_for_good)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r = place_reader(&p);
		struct errinfo why = {.rc = 0};
		uint64_t ticket;

		place_append(s, 1, 1);
		ticket = place_append(s, 1, 2);
		ck_assert_int_eq(store_wait(s, ticket), 0);
		ticket = place_append(s, 1, 2);
		ck_assert_int_eq(store_wait(s, ticket), RC_FAILED);
		ck_assert(store_failed(s));
		ck_assert_int_eq(store_failure(s, &why), RC_CONFLICT);
		ck_assert_str_ne(why.text, "");
		ck_assert_uint_eq(place_append(s, 1, 3), 0);
		ck_assert_int_eq(store_reserve(s, 1), RC_FAILED);
		ck_assert_uint_eq(store_durable(s), 2);
		ck_assert_int_eq(place_read(r, 1), 2);
		store_reader_close(r);
		store_close(s);
	}
}
END_TEST

/* Commit n fails, for every n: what was acknowledged is there, and it is a prefix. */
START_TEST(a_failing_call_loses_nothing_that_was_acknowledged)
{
	for (int call = STORE_CALL_PUT; call <= STORE_CALL_COMMIT; call++) {
		bool failed = true;

		for (uint64_t n = 1; failed; n++) {
			struct place p;
			struct store *s;
			struct store_reader *r;
			uint64_t acknowledged = 0;

			place_init(&p, &store_memory);
			s = place_open(&p);
			store_disk_fail(p.disk, call, n);
			for (uint64_t seq = 1; seq <= 40; seq++) {
				uint64_t ticket = place_append(s, 1, seq);

				if (!ticket || (seq % 3 == 0 && store_wait(s, ticket))) {
					break;
				}
				acknowledged = seq % 3 == 0 ? seq : acknowledged;
			}
			store_drain(s);
			failed = store_failed(s);
			store_close(s);
			r = place_reader(&p);
			ck_assert_int_ge(place_read(r, 1), (int64_t)acknowledged);
			ck_assert_int_eq(store_check_tails(r, NULL), 0);
			store_reader_close(r);
			place_release(&p);
		}
	}
}
END_TEST

START_TEST(the_queue_is_bounded_and_room_comes_back)
{
	struct place p;
	struct store *s;
	size_t half = PLACE_QUEUE / 2;

	place_init(&p, &store_memory);
	s = place_open(&p);
	ck_assert_int_eq(store_reserve(s, PLACE_QUEUE + 1), RC_LIMIT);
	ck_assert_int_eq(store_reserve(s, half), 0);
	ck_assert_int_eq(store_reserve(s, half), 0);
	ck_assert_int_eq(store_reserve(s, 1), RC_BUSY);
	store_unreserve(s, half);
	ck_assert_int_eq(store_reserve(s, half), 0);
	store_unreserve(s, half);
	store_unreserve(s, half);
	store_disk_hold(p.disk, true);
	for (uint64_t seq = 1;; seq++) {
		uint64_t ticket = place_append(s, 1, seq);

		if (!ticket) {
			ck_assert_uint_gt(seq, 1000);
			ck_assert_int_eq(store_reserve(s, 256), RC_BUSY);
			ck_assert_uint_eq(store_queued_events(s), seq - 1);
			break;
		}
	}
	store_disk_hold(p.disk, false);
	ck_assert_int_eq(store_drain(s), 0);
	ck_assert_int_eq(store_reserve(s, PLACE_QUEUE), 0);
	store_unreserve(s, PLACE_QUEUE);
	store_close(s);
	place_release(&p);
}
END_TEST

START_TEST(a_snapshot_is_never_of_a_state_that_is_not_on_disk)
{
	struct place p;
	struct store *s;
	struct store_reader *r;
	struct place_snapshots seen = {.n = 0};

	place_init(&p, &store_memory);
	s = place_open(&p);
	store_disk_fail(p.disk, STORE_CALL_COMMIT, 1);
	store_disk_hold(p.disk, true);
	place_append(s, 1, 1);
	place_put_snapshot(s, 1, 1);
	store_disk_hold(p.disk, false);
	ck_assert_int_eq(store_drain(s), RC_FAILED);
	store_close(s);
	r = place_reader(&p);
	ck_assert_int_eq(store_read_snapshots(r, 0, place_see_snapshot, place_see_bad, &seen), 0);
	ck_assert_int_eq(seen.n, 0);
	store_reader_close(r);
	place_release(&p);
}
END_TEST

static void post(void *arg)
{
	sem_post(arg);
}

/* Waits, but not by sleeping: the store says when something changed. */
static void wait_until_full_is(struct store *s, sem_t *changed, bool full)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 20;
	while (store_full(s) != full) {
		ck_assert(sem_timedwait(changed, &deadline) == 0 || errno == EINTR);
	}
}

START_TEST(a_nearly_full_disk_refuses_writes_and_heals_at_twice_the_floor)
{
	struct place p;
	struct store_options o;
	struct store_info info;
	struct store *s;
	sem_t changed;

	sem_init(&changed, 0, 0);
	place_init(&p, &store_memory);
	o = place_options(&p);
	o.disk_floor = 1000;
	o.notify = post;
	o.arg = &changed;
	ck_assert_int_eq(store_open(&o, &s, NULL), 0);
	ck_assert_uint_ne(place_append(s, 1, 1), 0);
	store_disk_set_free(p.disk, 999);
	wait_until_full_is(s, &changed, true);
	ck_assert_int_eq(store_reserve(s, 10), RC_FULL);
	store_disk_set_free(p.disk, 1500);
	ck_assert_int_eq(store_drain(s), 0);
	ck_assert(store_full(s));
	store_disk_set_free(p.disk, 2000);
	wait_until_full_is(s, &changed, false);
	ck_assert_uint_ne(place_append(s, 1, 2), 0);
	ck_assert(!store_failed(s));
	store_info(s, &info);
	ck_assert_uint_eq(info.free_bytes, 2000);
	store_close(s);
	place_release(&p);
	sem_destroy(&changed);
}
END_TEST

START_TEST(at_an_interval_nobody_waits_and_all_is_written_in_the_end)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store_options o = place_options(&p);
		struct store_reader *r;
		struct store *s;
		uint64_t ticket = 0;

		o.interval_ms = 3600 * 1000;
		ck_assert_int_eq(store_open(&o, &s, NULL), 0);
		for (uint64_t seq = 1; seq <= 20; seq++) {
			ticket = place_append(s, 1, seq);
		}
		ck_assert_uint_eq(store_durable(s), 0);
		ck_assert_int_eq(store_wait(s, ticket), 0); /* who waits does not wait so long */
		place_append(s, 1, 21);
		store_close(s);
		r = place_reader(&p);
		ck_assert_int_eq(place_read(r, 1), 21);
		store_reader_close(r);
	}
}
END_TEST

START_TEST(a_second_writer_is_refused_and_readers_are_not)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p), *other;
		struct store_reader *r = place_reader(&p);
		struct store_options o = place_options(&p);
		struct errinfo err = {.rc = 0};

		ck_assert_int_eq(store_open(&o, &other, &err), RC_BUSY);
		ck_assert_str_ne(err.text, "");
		ck_assert_int_eq(place_read(r, 1), 0);
		store_reader_close(r);
		store_close(s);
		store_close(place_open(&p));
	}
}
END_TEST

START_TEST(the_wal_stays_small_however_much_is_written)
{
	enum { BODY = 100000, BODIES = 800 };
	char wal[sizeof((struct place){0}.where) + 16];
	struct stat st;
	struct store_group g;
	struct place p;
	struct store *s;
	char *body = calloc(1, BODY);

	place_init(&p, &store_sqlite);
	s = place_open(&p);
	store_group_init(&g);
	for (uint64_t seq = 1; seq <= BODIES; seq++) {
		store_group_reset(&g);
		ck_assert_int_eq(store_group_add_raw(&g, STORE_REGISTRY, seq, body, BODY), 0);
		while (store_reserve(s, g.bytes.len) == RC_BUSY) {
			store_wait(s, store_durable(s) + 1);
		}
		store_append(s, &g, g.bytes.len);
	}
	ck_assert_int_eq(store_drain(s), 0);
	snprintf(wal, sizeof(wal), "%s/state.db-wal", p.where);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_int_gt(st.st_size, 0);
	ck_assert_int_lt(st.st_size, 24 << 20);
	store_group_release(&g);
	store_close(s);
	place_release(&p);
	free(body);
}
END_TEST

struct commits {
	_Atomic size_t n, events;
};

static void count_commit(void *arg, const struct store_commit *made)
{
	struct commits *c = arg;

	c->n++;
	c->events += made->events;
}

START_TEST(what_is_appended_while_corked_shares_a_commit)
{
	struct commits c = {0};
	struct store_options o;
	struct place p;
	struct store *s;

	place_init(&p, &store_memory);
	o = place_options(&p);
	o.committed = count_commit;
	o.arg = &c;
	ck_assert_int_eq(store_open(&o, &s, NULL), 0);
	store_cork(s);
	for (uint64_t seq = 1; seq <= 50; seq++) {
		place_append(s, 1, seq);
	}
	place_put_snapshot(s, 1, 50);
	store_uncork(s);
	ck_assert_int_eq(store_drain(s), 0);
	ck_assert_uint_eq(c.events, 50);
	ck_assert_uint_le(c.n, 2); /* a second may have passed in between */
	store_cork(s);
	place_append(s, 1, 51);
	ck_assert_int_eq(store_wait(s, 51), 0); /* who waits comes first */
	store_close(s);
	place_release(&p);
}
END_TEST

#define WRITERS 4
#define EACH 2000

struct writer {
	struct store *s;
	uint32_t experiment;
};

static void *write_many(void *arg)
{
	struct writer *w = arg;

	for (uint64_t seq = 1; seq <= EACH;) {
		if (place_append(w->s, w->experiment, seq)) {
			seq++;
		} else {
			store_wait(w->s, store_durable(w->s) + 1);
		}
	}
	return NULL;
}

START_TEST(threads_append_side_by_side)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct writer w[WRITERS];
		pthread_t thread[WRITERS];
		struct store_reader *r;

		for (uint32_t i = 0; i < WRITERS; i++) {
			w[i] = (struct writer){s, i + 1};
			pthread_create(&thread[i], NULL, write_many, &w[i]);
		}
		for (uint32_t i = 0; i < WRITERS; i++) {
			pthread_join(thread[i], NULL);
		}
		ck_assert_int_eq(store_drain(s), 0);
		ck_assert_uint_eq(store_durable(s), WRITERS * EACH);
		r = place_reader(&p);
		for (uint32_t i = 0; i < WRITERS; i++) {
			ck_assert_int_eq(place_read(r, i + 1), EACH);
		}
		store_reader_close(r);
		store_close(s);
	}
}
END_TEST

RUN("store", the_wal_stays_small_however_much_is_written, what_is_durable_is_read_back_in_order,
    closing_writes_what_is_queued_and_opening_continues,
    a_seq_that_is_taken_fails_the_store_for_good,
    a_failing_call_loses_nothing_that_was_acknowledged, the_queue_is_bounded_and_room_comes_back,
    a_snapshot_is_never_of_a_state_that_is_not_on_disk,
    a_nearly_full_disk_refuses_writes_and_heals_at_twice_the_floor,
    at_an_interval_nobody_waits_and_all_is_written_in_the_end,
    a_second_writer_is_refused_and_readers_are_not, what_is_appended_while_corked_shares_a_commit,
    threads_append_side_by_side)
