/* SPDX-License-Identifier: Apache-2.0 */
/* What the store promises, held against every backend. */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <time.h>

#include "store/record.h"
#include "tests/unit/place.h"

static const struct store_ops *const backends[] = {&store_sqlite, &store_memory};

/* The body of a claim runs once for each backend. */
#define EACH_BACKEND(p)                                                                            \
	for (size_t b_ = 0; b_ < 2 && (place_init(&(p), backends[b_]), 1);                         \
	     place_release(&(p)), b_++)

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

static int count_refs(void *arg, int64_t key, uint64_t seq)
{
	ck_assert_int_eq(key + 1, (int64_t)seq);
	++*(int *)arg;
	return 0;
}

START_TEST(events_are_found_by_name_and_by_reference)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r;
		struct errinfo err = {.rc = 0};
		struct arena mem;
		uint64_t found = 0;
		int refs = 0;

		arena_init(&mem, 1 << 20);
		for (uint64_t seq = 1; seq <= 400; seq++) {
			place_append(s, 3, seq);
		}
		ck_assert_int_eq(store_drain(s), 0);
		r = place_reader(&p);
		for (uint64_t seq = 1; seq <= 400; seq++) {
			struct made_event m;
			struct pending pending;
			struct event ev;
			int rc;

			make_event(&m, 3, seq);
			ck_assert_int_eq(store_read_event(r, 3, seq, &mem, &ev, &err), 0);
			ck_assert_int_eq(ev.kind, m.ev.kind);
			rc = store_read_pending(r, 3, seq, &mem, &ev, &pending, &err);
			ck_assert_int_eq(rc, seq % 2 ? 0 : RC_NOT_FOUND);
			ck_assert(!(seq % 2) || (pending.flags & PENDING_LEARNT));
			if (m.name[0]) {
				rc = seq % 2 ? store_find_decision(r, 3, m.name, &mem, &found, &err)
					     : store_find_reward(r, 3, m.name, &mem, &found, &err);
				ck_assert_int_eq(rc, 0);
				ck_assert_uint_eq(found, seq);
				rc = seq % 2
					 ? store_find_reward(r, 3, m.name, &mem, &found, &err)
					 : store_find_decision(r, 3, m.name, &mem, &found, &err);
				ck_assert_int_eq(rc, RC_NOT_FOUND);
			}
			arena_reset(&mem);
		}
		ck_assert_int_eq(
		    store_read_event(r, 3, 401, &mem, &(struct event){0}, &err), RC_NOT_FOUND);
		ck_assert_int_eq(err.rc, 0);
		ck_assert_int_eq(store_read_refs(r, 3, 101, 200, count_refs, &refs), 0);
		ck_assert_int_eq(refs, 50);
		ck_assert_int_eq(store_check_keys(r, 3, &err), 0);
		arena_release(&mem);
		store_reader_close(r);
		store_close(s);
	}
}
END_TEST

struct seen {
	uint64_t seq[8];
	int n, bad;
};

static int see_snapshot(void *arg, const struct store_snapshot *s)
{
	struct seen *seen = arg;

	ck_assert_uint_eq(s->len, 100);
	ck_assert_uint_eq(s->cursor, s->seq / 2);
	ck_assert_int_eq(((const char *)s->body)[99], (char)s->seq);
	seen->seq[seen->n++] = s->seq;
	return 0;
}

static void see_bad(void *arg, uint32_t experiment, uint64_t seq)
{
	(void)experiment;
	(void)seq;
	((struct seen *)arg)->bad++;
}

static void put_snapshot(struct store *s, uint32_t experiment, uint64_t seq)
{
	char *body = calloc(1, 100);

	body[99] = (char)seq;
	ck_assert_int_eq(store_snapshot_put(s, experiment, seq, seq / 2, body, 100), 0);
}

START_TEST(the_two_newest_snapshots_are_kept_and_a_bad_one_is_passed_over)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r;
		struct seen seen = {.n = 0};
		unsigned char bad[104] = {0};
		void *db;

		for (uint64_t seq = 1; seq <= 9; seq++) {
			place_append(s, 2, seq);
			put_snapshot(s, 2, seq);
		}
		put_snapshot(s, 1, 5);
		store_close(s);
		ck_assert_int_eq(p.ops->open(p.where, false, &db, NULL), 0);
		ck_assert_int_eq(p.ops->begin(db), 0);
		ck_assert_int_eq(p.ops->put_snapshot(db, &(struct store_snapshot){.experiment = 2,
							     .seq = 10,
							     .cursor = 5,
							     .body = bad,
							     .len = sizeof(bad)}),
		    0);
		ck_assert_int_eq(p.ops->commit(db), 0);
		p.ops->close(db);
		r = place_reader(&p);
		ck_assert_int_eq(store_read_snapshots(r, 2, see_snapshot, see_bad, &seen), 0);
		ck_assert_int_eq(seen.n, 1);
		ck_assert_uint_eq(seen.seq[0], 9);
		ck_assert_int_eq(seen.bad, 1);
		seen = (struct seen){.n = 0};
		ck_assert_int_eq(store_read_snapshots(r, 0, see_snapshot, see_bad, &seen), 0);
		ck_assert_int_eq(seen.n, 2);
		ck_assert_uint_eq(seen.seq[0], 5);
		store_reader_close(r);
	}
}
END_TEST

START_TEST(a_snapshot_is_never_of_a_state_that_is_not_on_disk)
{
	struct place p;
	struct store *s;
	struct store_reader *r;
	struct seen seen = {.n = 0};

	place_init(&p, &store_memory);
	s = place_open(&p);
	store_disk_fail(p.disk, STORE_CALL_COMMIT, 1);
	store_disk_hold(p.disk, true);
	place_append(s, 1, 1);
	put_snapshot(s, 1, 1);
	store_disk_hold(p.disk, false);
	ck_assert_int_eq(store_drain(s), RC_FAILED);
	store_close(s);
	r = place_reader(&p);
	ck_assert_int_eq(store_read_snapshots(r, 0, see_snapshot, see_bad, &seen), 0);
	ck_assert_int_eq(seen.n, 0);
	store_reader_close(r);
	place_release(&p);
}
END_TEST

START_TEST(erasing_leaves_nothing_of_one_and_all_of_the_others)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r;
		struct seen seen = {.n = 0};
		uint64_t ticket = 0, last = 1;
		int refs = 0;

		for (uint64_t seq = 1; seq <= 6000; seq++) { /* several slices */
			ck_assert_uint_ne(place_append(s, 1, seq), 0);
			ck_assert_uint_ne(place_append(s, 2, seq), 0);
			if (seq % 1000 == 0) {
				ck_assert_int_eq(store_drain(s), 0);
			}
		}
		put_snapshot(s, 1, 4);
		put_snapshot(s, 2, 4);
		ck_assert_int_eq(store_erase(s, 1, &ticket), 0);
		ck_assert_uint_eq(ticket, 12001);
		ck_assert_int_eq(store_wait(s, ticket), 0);
		ck_assert_int_eq(store_drain(s), 0);
		r = place_reader(&p);
		ck_assert_int_eq(store_last_seq(r, 1, &last), 0);
		ck_assert_uint_eq(last, 0);
		ck_assert_int_eq(store_read_refs(r, 1, 0, UINT64_MAX, count_refs, &refs), 0);
		ck_assert_int_eq(refs, 0);
		ck_assert_int_eq(store_read_snapshots(r, 0, see_snapshot, see_bad, &seen), 0);
		ck_assert_int_eq(seen.n, 1);
		ck_assert_int_eq(place_read(r, 2), 6000);
		ck_assert_int_eq(store_check_keys(r, 1, NULL), 0);
		ck_assert_int_eq(store_check_keys(r, 2, NULL), 0);
		ck_assert_int_eq(store_check_tails(r, NULL), 0);
		store_reader_close(r);
		store_close(s);
	}
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

static int see_raw(void *arg, uint64_t seq, const void *body, size_t len)
{
	ck_assert_uint_eq(len, seq);
	ck_assert_int_eq(((const char *)body)[0], 'x');
	++*(int *)arg;
	return 0;
}

START_TEST(bodies_of_the_registry_may_be_anything)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r;
		struct store_group g;
		int n = 0;

		store_group_init(&g);
		for (uint64_t seq = 1; seq <= 20; seq++) {
			ck_assert_int_eq(store_group_add_raw(
					     &g, STORE_REGISTRY, seq, "xxxxxxxxxxxxxxxxxxxx", seq),
			    0);
		}
		ck_assert_int_eq(store_reserve(s, PLACE_QUEUE), 0);
		ck_assert_int_eq(store_wait(s, store_append(s, &g, PLACE_QUEUE)), 0);
		store_group_release(&g);
		r = place_reader(&p);
		ck_assert_int_eq(store_read_raw(r, STORE_REGISTRY, 5, see_raw, &n, NULL), 0);
		ck_assert_int_eq(n, 15);
		ck_assert_int_eq(store_check_tails(r, NULL), 0);
		store_reader_close(r);
		store_close(s);
	}
}
END_TEST

/* A log whose events are those of a program that skips one. */
START_TEST(a_gap_is_noticed)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct errinfo err = {.rc = 0};
		struct store_reader *r;
		struct arena mem;

		place_append(s, 1, 1);
		place_append(s, 1, 2);
		place_append(s, 1, 4);
		store_close(s);
		r = place_reader(&p);
		ck_assert_int_eq(place_read(r, 1), RC_CORRUPT);
		arena_init(&mem, 1 << 20);
		ck_assert_int_eq(store_read_events(r, 1, 0, 9, 9, &mem, place_compare,
				     &(struct place_check){.experiment = 1}, &err),
		    RC_CORRUPT);
		ck_assert_str_eq(err.text, "experiment 1, event 3: missing");
		ck_assert_int_eq(store_check_tails(r, NULL), RC_CORRUPT);
		arena_release(&mem);
		store_reader_close(r);
	}
}
END_TEST

static int refuse(void *arg, const struct event *ev)
{
	(void)arg;
	(void)ev;
	return RC_STATE;
}

START_TEST(an_error_of_the_caller_is_not_explained_by_the_store)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct errinfo err = {.rc = 0};
		struct store_reader *r;
		struct arena mem;

		arena_init(&mem, 1 << 20);
		place_append(s, 1, 1);
		store_close(s);
		r = place_reader(&p);
		ck_assert_int_eq(
		    store_read_events(r, 1, 0, 9, 9, &mem, refuse, NULL, &err), RC_STATE);
		ck_assert_int_eq(err.rc, 0);
		arena_release(&mem);
		store_reader_close(r);
	}
}
END_TEST

/* Changes a database behind the back of its owner. */
static void alter(const struct place *p, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/state.db", p->where);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int open_after(const char *sql)
{
	struct store_options o;
	struct errinfo err = {.rc = 0};
	struct place p;
	struct store *s;
	int rc;

	place_init(&p, &store_sqlite);
	s = place_open(&p);
	for (uint64_t seq = 1; seq <= 8; seq++) {
		place_append(s, 1, seq);
	}
	store_close(s);
	alter(&p, sql);
	o = place_options(&p);
	rc = store_open(&o, &s, &err);
	if (!rc) {
		struct store_reader *r = place_reader(&p);

		rc = store_check_tails(r, &err);
		if (!rc) {
			rc = store_check_keys(r, 1, &err);
		}
		store_reader_close(r);
		store_close(s);
	}
	ck_assert_int_eq(rc, err.rc);
	place_release(&p);
	return rc;
}

START_TEST(what_others_did_to_the_file_is_noticed)
{
	ck_assert_int_eq(open_after("SELECT 1"), 0);
	ck_assert_int_eq(open_after("PRAGMA user_version=99"), RC_VERSION);
	ck_assert_int_eq(open_after("PRAGMA application_id=5"), RC_CORRUPT);
	ck_assert_int_eq(open_after("PRAGMA user_version=0"), RC_CORRUPT);
	ck_assert_int_eq(open_after("DELETE FROM info"), RC_CORRUPT);
	ck_assert_int_eq(open_after("UPDATE info SET value = zeroblob(28)"), RC_CORRUPT);
	ck_assert_int_eq(open_after("DELETE FROM event WHERE seq = 8"), RC_CORRUPT);
	ck_assert_int_eq(open_after("DELETE FROM event_key WHERE seq = 6"), RC_CORRUPT);
	ck_assert_int_eq(open_after("INSERT INTO event_key VALUES (1, 5, 5)"), RC_CORRUPT);
	ck_assert_int_eq(open_after("UPDATE event_key SET key = 1 WHERE key = 3"), RC_CORRUPT);
	ck_assert_int_eq(open_after("DROP TABLE event_key"), RC_CORRUPT);
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

RUN("store", what_is_durable_is_read_back_in_order,
    closing_writes_what_is_queued_and_opening_continues,
    a_seq_that_is_taken_fails_the_store_for_good,
    a_failing_call_loses_nothing_that_was_acknowledged, the_queue_is_bounded_and_room_comes_back,
    events_are_found_by_name_and_by_reference,
    the_two_newest_snapshots_are_kept_and_a_bad_one_is_passed_over,
    a_snapshot_is_never_of_a_state_that_is_not_on_disk,
    erasing_leaves_nothing_of_one_and_all_of_the_others,
    a_nearly_full_disk_refuses_writes_and_heals_at_twice_the_floor,
    at_an_interval_nobody_waits_and_all_is_written_in_the_end,
    a_second_writer_is_refused_and_readers_are_not, bodies_of_the_registry_may_be_anything,
    a_gap_is_noticed, an_error_of_the_caller_is_not_explained_by_the_store,
    what_others_did_to_the_file_is_noticed, threads_append_side_by_side)
