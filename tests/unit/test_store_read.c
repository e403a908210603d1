/* SPDX-License-Identifier: Apache-2.0 */
/* What readers see, held against every backend, and what they notice. */
#include <sqlite3.h>

#include "store/care.h"
#include "store/store.h"
#include "tests/unit/place.h"

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

START_TEST(the_two_newest_snapshots_are_kept_and_a_bad_one_is_passed_over)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r;
		struct place_snapshots seen = {.n = 0};
		unsigned char bad[104] = {0};
		void *db;

		for (uint64_t seq = 1; seq <= 9; seq++) {
			place_append(s, 2, seq);
			place_put_snapshot(s, 2, seq);
		}
		place_put_snapshot(s, 1, 5);
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
		ck_assert_int_eq(
		    store_read_snapshots(r, 2, place_see_snapshot, place_see_bad, &seen), 0);
		ck_assert_int_eq(seen.n, 1);
		ck_assert_uint_eq(seen.seq[0], 9);
		ck_assert_int_eq(seen.bad, 1);
		seen = (struct place_snapshots){.n = 0};
		ck_assert_int_eq(
		    store_read_snapshots(r, 0, place_see_snapshot, place_see_bad, &seen), 0);
		ck_assert_int_eq(seen.n, 2);
		ck_assert_uint_eq(seen.seq[0], 5);
		store_reader_close(r);
	}
}
END_TEST

START_TEST(erasing_leaves_nothing_of_one_and_all_of_the_others)
{
	struct place p;

	EACH_BACKEND(p)
	{
		struct store *s = place_open(&p);
		struct store_reader *r;
		struct place_snapshots seen = {.n = 0};
		uint64_t ticket = 0, last = 1;
		int refs = 0;

		for (uint64_t seq = 1; seq <= 6000; seq++) { /* several slices */
			ck_assert_uint_ne(place_append(s, 1, seq), 0);
			ck_assert_uint_ne(place_append(s, 2, seq), 0);
			if (seq % 1000 == 0) {
				ck_assert_int_eq(store_drain(s), 0);
			}
		}
		place_put_snapshot(s, 1, 4);
		place_put_snapshot(s, 2, 4);
		ck_assert_int_eq(store_erase(s, 1, &ticket), 0);
		ck_assert_uint_eq(ticket, 12001);
		ck_assert_int_eq(store_wait(s, ticket), 0);
		ck_assert_int_eq(store_drain(s), 0);
		r = place_reader(&p);
		ck_assert_int_eq(store_last_seq(r, 1, &last), 0);
		ck_assert_uint_eq(last, 0);
		ck_assert_int_eq(store_read_refs(r, 1, 0, UINT64_MAX, count_refs, &refs), 0);
		ck_assert_int_eq(refs, 0);
		ck_assert_int_eq(
		    store_read_snapshots(r, 0, place_see_snapshot, place_see_bad, &seen), 0);
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
	char path[300];
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

RUN("store_read", events_are_found_by_name_and_by_reference,
    the_two_newest_snapshots_are_kept_and_a_bad_one_is_passed_over,
    erasing_leaves_nothing_of_one_and_all_of_the_others, bodies_of_the_registry_may_be_anything,
    a_gap_is_noticed, an_error_of_the_caller_is_not_explained_by_the_store,
    what_others_did_to_the_file_is_noticed)
