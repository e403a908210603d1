/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an experiment in time: windows close, decisions, arms and settings change. */
#include "base/clock.h"
#include "tests/unit/engine_rig.h"

#define MINUTE_US (60 * CLOCK_SECOND_US)
#define MANY 3000 /* open decisions */

static const struct settings a_minute_then_half = {
    .window_us = MINUTE_US, .has_fallback = true, .fallback = 0.5, .label = ""};

/* ---- windows ---- */

START_TEST(a_window_closes_at_its_time_and_the_default_is_learnt)
{
	struct engine_rig r;
	struct totals t;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", &a_minute_then_half);
	for (int i = 0; i < 10; i++) {
		rig_decide(&r, "one", i == 5 ? "d" : NULL, false);
		r.now_us += CLOCK_SECOND_US;
	}
	ck_assert_int_eq(rig_reward(&r, "one", "d", 1, NULL).status, FEEDBACK_LEARNT);
	rig_drain(&r);
	ck_assert_uint_eq(engine_open_decisions(r.g), 9);
	ck_assert_int_eq(engine_tick(r.g, RIG_START_US + MINUTE_US - 1), 0);
	ck_assert_int_eq(engine_tick(r.g, RIG_START_US + MINUTE_US), 1);
	ck_assert_int_eq(engine_tick(r.g, RIG_START_US + MINUTE_US), 0);
	ck_assert_int_eq(engine_tick(r.g, RIG_START_US + MINUTE_US + 7 * CLOCK_SECOND_US), 6);
	ck_assert_int_eq(engine_tick(r.g, RIG_START_US + 2 * MINUTE_US), 2);
	ck_assert_int_eq(engine_tick(r.g, RIG_START_US + 9 * MINUTE_US), 0);
	t = rig_totals(&r, "one");
	ck_assert_uint_eq(t.open, 0);
	ck_assert_uint_eq(t.expired, 9);
	ck_assert_uint_eq(t.learnt, 10);
	rig_release(&r);
}
END_TEST

START_TEST(an_experiment_that_fails_keeps_no_other_waiting)
{
	struct engine_rig r;

	rig_init(&r, &store_memory);
	rig_damage(&r, 1, 2);
	rig_open(&r);
	rig_make(&r, "one", &a_minute_then_half);
	rig_make(&r, "two", &a_minute_then_half);
	rig_decide(&r, "one", NULL, false);
	rig_decide(&r, "two", NULL, false);
	rig_drain(&r);
	ck_assert_int_eq(engine_tick(r.g, RIG_START_US + 2 * MINUTE_US), RC_CORRUPT);
	ck_assert_uint_eq(rig_totals(&r, "one").open, 1);
	ck_assert_uint_eq(rig_totals(&r, "two").open, 0);
	rig_release(&r);
}
END_TEST

START_TEST(expiry_goes_on_after_a_restart)
{
	struct engine_rig r;
	uint64_t at_us = RIG_START_US + MINUTE_US;

	for (int keep = 0; keep < 2; keep++) {
		rig_init(&r, &store_memory);
		rig_snapshots(&r, keep ? RIG_SNAPSHOTS : RIG_NO_SNAPSHOTS);
		rig_open(&r);
		rig_make(&r, "one", &a_minute_then_half);
		for (int i = 0; i < 600; i++) { /* more than one look at the log */
			rig_decide(&r, "one", NULL, false);
			r.now_us += CLOCK_SECOND_US / 10;
		}
		rig_drain(&r);
		for (int i = 0; i < 6; i++) {
			ck_assert_int_eq(engine_tick(r.g, at_us), i ? 100 : 1);
			at_us += 10 * CLOCK_SECOND_US;
			rig_reopen(&r);
			ck_assert_uint_eq(r.recovery.snapshots, keep);
			ck_assert_uint_eq(engine_open_decisions(r.g), 599 - 100 * (uint64_t)i);
		}
		ck_assert_int_eq(engine_tick(r.g, at_us), 99);
		ck_assert_int_eq(engine_tick(r.g, at_us), 0);
		ck_assert(digest_equal(rig_digest(&r, "one"), rig_replay(&r, "one")));
		at_us = RIG_START_US + MINUTE_US;
		rig_release(&r);
	}
}
END_TEST

START_TEST(thousands_of_open_decisions_expire_with_a_tiny_cache)
{
	struct engine_rig r;
	char id[16];

	for (size_t b = 0; b < 2; b++) {
		rig_init(&r, place_backends[b]);
		r.o.cache_bytes = RIG_SMALL_CACHE;
		rig_open(&r);
		rig_make(&r, "one", &a_minute_then_half);
		for (int i = 0; i < MANY; i++) {
			snprintf(id, sizeof(id), "i%d", i);
			ck_assert_int_eq(rig_decide(&r, "one", id, false).rc, 0);
			if (i % 100 == 0) {
				rig_drain(&r);
			}
		}
		for (int i = 0; i < MANY; i += 3) {
			snprintf(id, sizeof(id), "i%d", i);
			ck_assert_int_eq(rig_reward(&r, "one", id, 1, NULL).rc, 0);
			if (i % 100 == 0) {
				rig_drain(&r);
			}
		}
		rig_drain(&r);
		ck_assert_int_eq(engine_tick(r.g, r.now_us + MINUTE_US), MANY - MANY / 3);
		ck_assert_uint_eq(engine_open_decisions(r.g), 0);
		ck_assert(digest_equal(rig_digest(&r, "one"), rig_replay(&r, "one")));
		rig_decide(&r, "one", "last", false);
		rig_drain(&r);
		rig_decide(&r, "one", "very-last", false);
		ck_assert_uint_lt(engine_cache_bytes(r.g), 4096);
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_window_made_shorter_does_not_wait_for_decisions_that_are_closed)
{
	struct engine_rig r;
	struct settings s = {.window_us = 1000 * MINUTE_US, .label = ""};

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", &s);
	rig_decide(&r, "one", "long", false);
	rig_drain(&r);
	ck_assert_int_eq(engine_tick(r.g, r.now_us), 0);
	rig_reward(&r, "one", "long", 1, NULL);
	rig_drain(&r);
	ck_assert_int_eq(engine_tick(r.g, r.now_us), 0);
	s.window_us = MINUTE_US;
	ck_assert_int_eq(rig_change(&r, "one", &s), 0);
	rig_decide(&r, "one", "short", false);
	rig_drain(&r);
	ck_assert_int_eq(engine_tick(r.g, r.now_us + MINUTE_US), 1);
	rig_release(&r);
}
END_TEST

/* ---- deferred, void, arms, settings ---- */

/* The search is bounded in each tick, so it may take some. */
static uint64_t oldest_us(struct engine_rig *r)
{
	struct engine_item *it = rig_item(r, "one");

	rig_drain(r);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_ge(engine_tick(r->g, r->now_us), 0);
		if (rig_totals(r, "one").open == 0 || engine_oldest_open_us(it)) {
			break;
		}
	}
	return engine_oldest_open_us(it);
}

START_TEST(the_oldest_decision_that_waits_is_known)
{
	struct engine_rig r;
	char id[16];

	for (size_t b = 0; b < 2; b++) {
		rig_init(&r, place_backends[b]);
		r.o.cache_bytes = RIG_SMALL_CACHE;
		rig_open(&r);
		rig_make(&r, "one", NULL);
		ck_assert_uint_eq(oldest_us(&r), 0);
		for (int i = 0; i < 2000; i++) {
			r.now_us = RIG_START_US + (uint64_t)i * CLOCK_SECOND_US;
			snprintf(id, sizeof(id), "d%d", i);
			rig_decide(&r, "one", id, false);
		}
		ck_assert_uint_eq(oldest_us(&r), RIG_START_US);
		for (int i = 0; i < 1500; i++) {
			snprintf(id, sizeof(id), "d%d", i);
			rig_reward(&r, "one", id, 1, NULL);
		}
		ck_assert_uint_eq(oldest_us(&r), RIG_START_US + 1500 * CLOCK_SECOND_US);
		rig_reward(&r, "one", "d1700", 1, NULL); /* not the oldest */
		ck_assert_uint_eq(oldest_us(&r), RIG_START_US + 1500 * CLOCK_SECOND_US);
		rig_void(&r, "one", "d1500");
		rig_reopen(&r);
		ck_assert_uint_eq(oldest_us(&r), RIG_START_US + 1501 * CLOCK_SECOND_US);
		for (int i = 1501; i < 2000; i++) {
			snprintf(id, sizeof(id), "d%d", i);
			rig_reward(&r, "one", id, 1, NULL);
		}
		ck_assert_uint_eq(oldest_us(&r), 0);
		rig_decide(&r, "one", "again", false);
		ck_assert_uint_eq(oldest_us(&r), r.now_us);
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_deferred_decision_counts_once_it_is_activated)
{
	struct engine_rig r;
	struct totals t;

	rig_init(&r, &store_memory);
	r.o.cache_bytes = RIG_SMALL_CACHE;
	rig_open(&r);
	rig_make(&r, "one", &a_minute_then_half);
	rig_decide(&r, "one", "shown", true);
	rig_decide(&r, "one", "unshown", true);
	rig_decide(&r, "one", "void", true);
	rig_decide(&r, "one", "plain", false);
	ck_assert_int_eq(rig_activate(&r, "one", "plain"), RC_STATE);
	r.err.rc = 0;
	ck_assert_int_eq(rig_reward(&r, "one", "shown", 1, NULL).status, FEEDBACK_PENDING);
	ck_assert_int_eq(rig_reward(&r, "one", "unshown", 1, NULL).status, FEEDBACK_PENDING);
	rig_reopen(&r);
	ck_assert_uint_eq(rig_totals(&r, "one").learnt, 0);
	ck_assert_int_eq(rig_activate(&r, "one", "shown"), 0);
	ck_assert_int_eq(rig_activate(&r, "one", "shown"), RC_EXISTS);
	ck_assert_uint_eq(rig_totals(&r, "one").learnt, 1);
	ck_assert_int_eq(rig_void(&r, "one", "shown"), RC_STATE);
	r.err.rc = 0;
	ck_assert_int_eq(rig_void(&r, "one", "void"), 0);
	rig_reopen(&r);
	ck_assert_int_eq(rig_void(&r, "one", "void"), RC_EXISTS);
	ck_assert_int_eq(rig_activate(&r, "one", "void"), RC_STATE);
	ck_assert_int_eq(rig_reward(&r, "one", "void", 1, NULL).rc, RC_STATE);
	rig_drain(&r);
	ck_assert_int_eq(engine_tick(r.g, r.now_us + MINUTE_US), 2);
	t = rig_totals(&r, "one");
	ck_assert_uint_eq(t.learnt, 2); /* shown's reward and plain's default */
	ck_assert_uint_eq(t.voided, 1);
	ck_assert_uint_eq(t.open, 0);
	ck_assert(digest_equal(rig_digest(&r, "one"), rig_replay(&r, "one")));
	rig_release(&r);
}
END_TEST

START_TEST(arms_come_and_go)
{
	struct engine_rig r;
	struct answer d;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	ck_assert_int_eq(rig_add_arm(&r, "one", "d"), 0);
	ck_assert_int_eq(rig_add_arm(&r, "one", "d"), RC_CONFLICT);
	r.err.rc = 0;
	ck_assert_int_eq(rig_set_arm(&r, "one", 0, ARM_PAUSED), 0);
	ck_assert_int_eq(rig_set_arm(&r, "one", 0, ARM_PAUSED), RC_EXISTS);
	ck_assert_int_eq(rig_set_arm(&r, "one", 1, ARM_RETIRED), 0);
	ck_assert_int_eq(rig_set_arm(&r, "one", 1, ARM_ACTIVE), RC_STATE);
	r.err.rc = 0;
	for (int i = 0; i < 50; i++) {
		d = rig_decide(&r, "one", NULL, false);
		ck_assert(d.slot == 2 || d.slot == 3);
		if (i % 10 == 0) {
			rig_reopen(&r);
		}
	}
	rig_set_arm(&r, "one", 2, ARM_PAUSED);
	rig_set_arm(&r, "one", 3, ARM_PAUSED);
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, RC_INVALID);
	ck_assert_str_eq(r.err.code, "no_eligible_arm");
	r.err.rc = 0;
	rig_set_arm(&r, "one", 0, ARM_ACTIVE);
	d = rig_decide(&r, "one", NULL, false);
	ck_assert_uint_eq(d.slot, 0);
	ck_assert_double_eq(d.propensity, 1);
	ck_assert(digest_equal(rig_digest(&r, "one"), rig_replay(&r, "one")));
	rig_release(&r);
}
END_TEST

START_TEST(arms_that_are_added_together_differ)
{
	struct engine_rig r;
	struct spec_arm twice[] = {{"x", ""}, {"y", ""}, {"x", ""}};
	uint64_t seq;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	seq = rig_seq(&r, "one");
	engine_begin(&r.w, rig_item(&r, "one"));
	ck_assert_int_eq(engine_add_arms(&r.w, twice, NULL, 3, r.now_us, &r.err), RC_CONFLICT);
	ck_assert_str_eq(r.err.code, "arm_exists");
	engine_commit(&r.w);
	ck_assert_uint_eq(rig_seq(&r, "one"), seq);
	rig_reopen(&r);
	rig_release(&r);
}
END_TEST

START_TEST(settings_change_and_stay_changed)
{
	struct engine_rig r;
	struct settings s;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	s = rig_settings(&r, "one");
	ck_assert_int_eq(rig_change(&r, "one", &s), RC_EXISTS);
	s.state = RUN_PAUSED;
	s.label = "a longer label than before";
	ck_assert_int_eq(rig_change(&r, "one", &s), 0);
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, RC_STATE);
	ck_assert_str_eq(r.err.code, "experiment_paused");
	r.err.rc = 0;
	ck_assert_uint_eq(engine_experiments(r.g, RUN_PAUSED), 1);
	rig_snapshots(&r, RIG_NO_SNAPSHOTS);
	rig_reopen(&r);
	ck_assert_str_eq(rig_settings(&r, "one").label, "a longer label than before");
	s = rig_settings(&r, "one");
	s.floor = 2;
	ck_assert_int_eq(rig_change(&r, "one", &s), RC_INVALID);
	r.err.rc = 0;
	s.floor = 0.25;
	s.state = RUN_ARCHIVED;
	ck_assert_int_eq(rig_change(&r, "one", &s), 0);
	s.state = RUN_RUNNING;
	ck_assert_int_eq(rig_change(&r, "one", &s), RC_STATE);
	rig_reopen(&r);
	ck_assert_int_eq(rig_settings(&r, "one").state, RUN_ARCHIVED);
	rig_release(&r);
}
END_TEST

START_TEST(the_thread_expires_and_takes_snapshots)
{
	struct engine_rig r;
	struct settings s = {.window_us = 1000, .label = ""};

	rig_init(&r, &store_memory);
	r.o.snapshot_events = 10;
	rig_open(&r);
	r.now_us = clock_wall_us();
	rig_make(&r, "one", &s);
	ck_assert_int_eq(engine_start(r.g), 0);
	ck_assert_uint_ne(engine_oldest_snapshot_us(r.g), 0);
	for (int i = 0; i < 50; i++) {
		rig_decide(&r, "one", NULL, false);
	}
	for (int i = 0; i < 100 && engine_open_decisions(r.g); i++) {
		usleep(50 * 1000);
	}
	ck_assert_uint_eq(engine_open_decisions(r.g), 0);
	rig_reopen(&r);
	ck_assert_uint_eq(r.recovery.snapshots, 1);
	ck_assert_uint_eq(engine_oldest_snapshot_us(r.g), 0);
	rig_release(&r);
}
END_TEST

RUN("engine_time", a_window_closes_at_its_time_and_the_default_is_learnt,
    an_experiment_that_fails_keeps_no_other_waiting, expiry_goes_on_after_a_restart,
    thousands_of_open_decisions_expire_with_a_tiny_cache,
    a_window_made_shorter_does_not_wait_for_decisions_that_are_closed,
    the_oldest_decision_that_waits_is_known, arms_come_and_go,
    a_deferred_decision_counts_once_it_is_activated, arms_come_and_go,
    arms_that_are_added_together_differ, settings_change_and_stay_changed,
    the_thread_expires_and_takes_snapshots)
