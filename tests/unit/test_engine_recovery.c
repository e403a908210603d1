/* SPDX-License-Identifier: Apache-2.0 */
/* What comes back after a restart, and what a store does to the engine that does not do as asked.
 */
#include "base/clock.h"
#include "tests/unit/engine_rig.h"

#define MINUTE_US (60 * CLOCK_SECOND_US)

static const struct settings a_minute = {.window_us = MINUTE_US, .label = ""};
static const struct settings a_minute_then_half = {
    .window_us = MINUTE_US, .has_fallback = true, .fallback = 0.5, .label = ""};

/* ---- recovery ---- */

/* A bit of everything, in two experiments. */
static void live(struct engine_rig *r, int from, int to)
{
	char id[16], key[16];
	struct settings s;

	for (int i = from; i < to; i++) {
		const char *name = i % 3 ? "one" : "two";

		r->now_us += CLOCK_SECOND_US;
		snprintf(id, sizeof(id), "i%d", i);
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(rig_decide(r, name, id, i % 7 == 0).rc, 0);
		if (i % 2) {
			rig_reward(r, name, id, (i % 5) / 4.0, key);
		}
		if (i % 11 == 0) {
			rig_void(r, name, id);
		}
		if (i % 14 == 0) {
			rig_activate(r, name, id);
		}
		if (i % 20 == 0) {
			ck_assert_int_eq(rig_add_arm(r, name, id), 0);
			rig_drain(r);
			ck_assert_int_ge(engine_tick(r->g, r->now_us), 0);
		}
		if (i % 25 == 0) {
			s = rig_settings(r, name);
			s.floor = (i % 9) / 10.0;
			rig_change(r, name, &s);
		}
		r->err.rc = 0;
	}
	rig_drain(r);
}

START_TEST(what_comes_back_is_what_was_with_and_without_snapshots)
{
	struct engine_rig r;

	for (size_t b = 0; b < 2; b++) {
		for (int how = 0; how < 4; how++) {
			rig_init(&r, place_backends[b]);
			rig_snapshots(&r, how == 0 ? RIG_NO_SNAPSHOTS : RIG_SNAPSHOTS);
			r.o.snapshot_events = how == 2 ? 10 : 100000;
			rig_open(&r);
			rig_make(&r, "one", &a_minute_then_half);
			rig_make(&r, "two", &a_minute);
			for (int round = 0; round < 4; round++) {
				struct digest one, two;

				live(&r, 100 * round, 100 * (round + 1));
				if (how == 3 && round == 1) { /* then an old one with a long tail */
					rig_snapshots(&r, RIG_NO_SNAPSHOTS);
				}
				one = rig_digest(&r, "one");
				two = rig_digest(&r, "two");
				ck_assert(digest_equal(one, rig_replay(&r, "one")));
				rig_reopen(&r);
				ck_assert_uint_eq(r.recovery.snapshots, how == 0 ? 0 : 2);
				if (how == 1 || how == 2) {
					ck_assert_uint_eq(r.recovery.events, 0);
				}
				ck_assert(digest_equal(one, rig_digest(&r, "one")));
				ck_assert(digest_equal(two, rig_digest(&r, "two")));
			}
			rig_release(&r);
		}
	}
}
END_TEST

START_TEST(a_bad_snapshot_is_ignored_and_reported)
{
	struct engine_rig r;
	struct digest before;

	for (size_t b = 0; b < 2; b++) {
		rig_init(&r, place_backends[b]);
		rig_open(&r);
		rig_make(&r, "one", &a_minute);
		rig_make(&r, "two", &a_minute);
		live(&r, 0, 50);
		rig_reopen(&r); /* a good one */
		live(&r, 50, 100);
		before = rig_digest(&r, "one");
		rig_snapshots(&r, RIG_BAD_SNAPSHOTS);
		rig_reopen(&r);
		ck_assert_uint_eq(r.recovery.bad_snapshots, 2);
		ck_assert_uint_eq(r.recovery.snapshots, 2);
		ck_assert_int_eq(r.reports, 2);
		ck_assert_int_eq(r.report_rc, RC_CORRUPT);
		ck_assert_uint_gt(r.report_seq, 0);
		ck_assert(digest_equal(before, rig_digest(&r, "one")));
		live(&r, 100, 150);
		before = rig_digest(&r, "one");
		rig_reopen(&r); /* both are bad */
		ck_assert_uint_eq(r.recovery.bad_snapshots, 4);
		ck_assert_uint_eq(r.recovery.snapshots, 0);
		ck_assert(digest_equal(before, rig_digest(&r, "one")));
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_damaged_event_refuses_the_start_and_is_named)
{
	struct engine_rig r;

	for (size_t b = 0; b < 2; b++) {
		rig_init(&r, place_backends[b]);
		rig_snapshots(&r, RIG_NO_SNAPSHOTS);
		rig_open(&r);
		rig_make(&r, "one", NULL);
		rig_make(&r, "two", NULL);
		rig_damage(&r, 2, 5);
		for (int i = 0; i < 10; i++) {
			rig_decide(&r, "one", NULL, false);
			rig_decide(&r, "two", NULL, false);
		}
		rig_close(&r);
		ck_assert_int_eq(rig_try_open(&r), RC_CORRUPT);
		ck_assert_msg(strstr(r.err.text, "experiment 2") && strstr(r.err.text, " 5"),
		    "%s %s", r.err.pointer, r.err.text);
		rig_release(&r);
	}
}
END_TEST

START_TEST(an_event_that_does_not_fit_refuses_the_start_and_is_named)
{
	struct engine_rig r;
	struct made_event m;
	struct store_group group;
	struct store *s;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	rig_decide(&r, "one", NULL, false);
	rig_close(&r);
	s = place_open(&r.place);
	make_event(&m, 1, 3);
	m.pick.slot = 3; /* there are three */
	store_group_init(&group);
	ck_assert_int_eq(store_group_add(s, &group, 1, &m.ev), 0);
	ck_assert_int_eq(store_reserve(s, group.bytes.len), 0);
	store_append(s, &group, group.bytes.len);
	store_group_release(&group);
	store_close(s);
	ck_assert_int_eq(rig_try_open(&r), RC_CORRUPT);
	ck_assert_str_eq(r.err.code, "state_damaged");
	ck_assert_str_eq(r.err.pointer, "experiment 1 seq 3");
	rig_release(&r);
}
END_TEST

/* ---- when the store does not do as asked ---- */

START_TEST(a_full_queue_refuses_and_nothing_is_half_done)
{
	struct engine_rig r;
	struct answer a;
	struct digest before;
	uint64_t seq, ticket;
	int n = 0;

	rig_init(&r, &store_memory);
	r.o.queue_bytes = 4096;
	rig_open(&r);
	rig_make(&r, "one", NULL);
	rig_decide(&r, "one", "d", false);
	rig_drain(&r);
	store_disk_hold(r.place.disk, true);
	do {
		before = rig_digest(&r, "one");
		a = rig_decide(&r, "one", NULL, false);
		n++;
	} while (a.rc == 0 && n < 1000);
	ck_assert_int_eq(a.rc, RC_BUSY);
	ck_assert_str_eq(r.err.code, "overloaded");
	ck_assert(digest_equal(before, rig_digest(&r, "one")));
	seq = rig_seq(&r, "one");
	for (int i = 0; i < 10; i++) {
		struct experiment_spec spec = rig_spec("two");

		ck_assert_int_eq(rig_reward(&r, "one", "d", 1, "k").rc, RC_BUSY);
		ck_assert_int_eq(rig_void(&r, "one", "d"), RC_BUSY);
		ck_assert_int_eq(rig_add_arm(&r, "one", "x"), RC_BUSY);
		ck_assert_int_eq(rig_create(&r, &spec), RC_BUSY);
		ck_assert_int_eq(engine_purge(r.g, rig_item(&r, "one"), &ticket, &r.err), RC_BUSY);
	}
	ck_assert(digest_equal(before, rig_digest(&r, "one")));
	store_disk_hold(r.place.disk, false);
	rig_drain(&r);
	r.err.rc = 0;
	ck_assert_int_eq(rig_reward(&r, "one", "d", 1, "k").status, FEEDBACK_LEARNT);
	ck_assert_int_eq(rig_add_arm(&r, "one", "x"), 0);
	ck_assert_uint_eq(rig_seq(&r, "one"), seq + 2);
	ck_assert(digest_equal(rig_digest(&r, "one"), rig_replay(&r, "one")));
	rig_release(&r);
}
END_TEST

START_TEST(a_commit_that_fails_is_never_pretended)
{
	struct engine_rig r;
	struct experiment_spec spec = rig_spec("two");
	struct digest durable;
	struct answer a;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", &a_minute);
	rig_decide(&r, "one", "d", false);
	rig_drain(&r);
	durable = rig_digest(&r, "one");
	store_disk_fail(r.place.disk, STORE_CALL_COMMIT, 1);
	a = rig_decide(&r, "one", "e", false);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_uint_ne(a.ticket, 0);
	ck_assert_int_eq(store_wait(engine_store(r.g), a.ticket), RC_FAILED);
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, RC_FAILED);
	ck_assert_str_eq(r.err.code, "storage_failed");
	ck_assert_int_eq(rig_reward(&r, "one", "d", 1, NULL).rc, RC_FAILED);
	ck_assert_int_eq(rig_create(&r, &spec), RC_FAILED);
	ck_assert_int_eq(engine_tick(r.g, r.now_us + MINUTE_US), RC_FAILED);
	a = rig_decide(&r, "one", "e", false); /* known, but not durable: its ticket never is */
	ck_assert(a.replayed);
	ck_assert_uint_ne(a.ticket, 0);
	rig_reopen(&r);
	ck_assert(digest_equal(durable, rig_digest(&r, "one")));
	ck_assert(!rig_decide(&r, "one", "e", false).replayed);
	rig_release(&r);
}
END_TEST

START_TEST(a_full_disk_refuses_and_heals)
{
	struct engine_rig r;
	struct digest before;
	int tries = 0, rc;

	rig_init(&r, &store_memory);
	r.o.disk_floor = 1 << 20;
	rig_open(&r);
	rig_make(&r, "one", NULL);
	rig_drain(&r); /* else the commit of the creation may be the one that finds the disk full */
	store_disk_set_free(r.place.disk, 1000);
	rig_decide(&r, "one", "d", false);
	rig_drain(&r);
	/* A commit is told of before the disk is looked at. */
	while ((rc = rig_decide(&r, "one", NULL, false).rc) == 0 && tries++ < 5000) {
		usleep(1000);
	}
	ck_assert_int_eq(rc, RC_FULL);
	ck_assert_str_eq(r.err.code, "storage_full");
	before = rig_digest(&r, "one");
	r.err.rc = 0;
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, RC_FULL);
	r.err.rc = 0;
	tries = 0;
	ck_assert(rig_decide(&r, "one", "d", false).replayed);
	ck_assert(digest_equal(before, rig_digest(&r, "one")));
	store_disk_set_free(r.place.disk, (3 << 20) / 2); /* not twice as many */
	usleep(1500 * 1000);
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, RC_FULL);
	r.err.rc = 0;
	store_disk_set_free(r.place.disk, 1 << 30);
	while (rig_decide(&r, "one", NULL, false).rc && tries++ < 100) {
		usleep(100 * 1000);
	}
	ck_assert_int_lt(tries, 100);
	rig_release(&r);
}
END_TEST

RUN("engine_recovery", what_comes_back_is_what_was_with_and_without_snapshots,
    a_bad_snapshot_is_ignored_and_reported, a_damaged_event_refuses_the_start_and_is_named,
    an_event_that_does_not_fit_refuses_the_start_and_is_named,
    a_full_queue_refuses_and_nothing_is_half_done, a_commit_that_fails_is_never_pretended,
    a_full_disk_refuses_and_heals)
