/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine promises, over a log in memory and, where files matter, on disk. */
#include "base/clock.h"
#include "tests/unit/engine_rig.h"

#define MINUTE_US (60 * CLOCK_SECOND_US)
#define MANY 3000 /* open decisions */

static const struct settings a_minute = {.window_us = MINUTE_US, .label = ""};
static const struct settings a_minute_then_half = {
    .window_us = MINUTE_US, .has_fallback = true, .fallback = 0.5, .label = ""};

/* ---- the registry ---- */

START_TEST(an_experiment_is_found_and_created_once)
{
	struct engine_rig r;
	struct experiment_spec spec = rig_spec("one");
	struct engine_item *it;

	rig_init(&r, &store_memory);
	rig_open(&r);
	ck_assert_int_eq(engine_find(r.g, "one", &it, &r.err), RC_NOT_FOUND);
	ck_assert_str_eq(r.err.code, "unknown_experiment");
	ck_assert_int_eq(rig_create(&r, &spec), 0);
	ck_assert_int_eq(rig_create(&r, &spec), RC_EXISTS);
	spec.fingerprint++;
	ck_assert_int_eq(rig_create(&r, &spec), RC_CONFLICT);
	ck_assert_str_eq(r.err.code, "experiment_exists");
	rig_reopen(&r);
	ck_assert_int_eq(rig_create(&r, &spec), RC_CONFLICT);
	spec.fingerprint--;
	ck_assert_int_eq(rig_create(&r, &spec), RC_EXISTS);
	ck_assert_uint_eq(engine_number(rig_item(&r, "one")), 1);
	spec = rig_spec("two");
	spec.policy = "none";
	ck_assert_int_eq(rig_create(&r, &spec), RC_INVALID);
	ck_assert_str_eq(r.err.pointer, "/policy/name");
	ck_assert_uint_eq(engine_experiments(r.g, RUN_RUNNING), 1);
	ck_assert_uint_eq(engine_experiments(r.g, RUN_PAUSED), 0);
	rig_release(&r);
}
END_TEST

START_TEST(no_more_experiments_than_the_limit)
{
	struct engine_rig r;
	struct experiment_spec spec = rig_spec("three");

	rig_init(&r, &store_memory);
	r.o.experiments_max = 2;
	rig_open(&r);
	rig_make(&r, "one", NULL);
	rig_make(&r, "two", NULL);
	ck_assert_int_eq(rig_create(&r, &spec), RC_LIMIT);
	rig_reopen(&r);
	ck_assert_int_eq(rig_create(&r, &spec), RC_LIMIT);
	ck_assert_uint_eq(r.recovery.experiments, 2);
	rig_release(&r);
}
END_TEST

START_TEST(experiments_come_in_the_order_of_their_creation)
{
	struct engine_rig r;
	struct engine_item *it;
	char name[16];
	uint32_t n = 0;

	rig_init(&r, &store_memory);
	rig_open(&r);
	for (int i = 0; i < 90; i++) {
		snprintf(name, sizeof(name), "e%d", 89 - i);
		rig_make(&r, name, NULL);
	}
	rig_reopen(&r);
	for (it = engine_next(r.g, 0); it; it = engine_next(r.g, n)) {
		n = engine_number(it);
		snprintf(name, sizeof(name), "e%u", 90 - n);
		ck_assert_str_eq(experiment_name(engine_lock(it)), name);
		engine_unlock(it);
	}
	ck_assert_uint_eq(n, 90);
	rig_release(&r);
}
END_TEST

/* ---- purge ---- */

static void purge(struct engine_rig *r, const char *name)
{
	uint64_t ticket;

	ck_assert_int_eq(engine_purge(r->g, rig_item(r, name), &ticket, &r->err), 0);
}

START_TEST(numbers_are_never_used_again)
{
	struct engine_rig r;
	struct engine_item *it;

	for (size_t b = 0; b < 2; b++) {
		rig_init(&r, place_backends[b]);
		rig_open(&r);
		rig_make(&r, "one", NULL);
		rig_make(&r, "two", NULL);
		rig_decide(&r, "two", "d", false);
		purge(&r, "two");
		ck_assert_int_eq(engine_find(r.g, "two", &it, NULL), RC_NOT_FOUND);
		rig_make(&r, "two", NULL);
		ck_assert_uint_eq(engine_number(rig_item(&r, "two")), 3);
		ck_assert(!rig_decide(&r, "two", "d", false).replayed);
		purge(&r, "two");
		rig_reopen(&r);
		ck_assert_uint_eq(r.recovery.experiments, 1);
		rig_make(&r, "two", NULL);
		ck_assert_uint_eq(engine_number(rig_item(&r, "two")), 4);
		rig_reopen(&r);
		ck_assert_uint_eq(r.recovery.experiments, 2);
		rig_release(&r);
	}
}
END_TEST

static uint64_t last_seq(struct engine_rig *r, uint32_t number)
{
	struct store_reader *reader = place_reader(&r->place);
	uint64_t last;

	ck_assert_int_eq(store_last_seq(reader, number, &last), 0);
	store_reader_close(reader);
	return last;
}

static int erase_nothing(void *db, uint32_t experiment, size_t limit)
{
	(void)db;
	(void)experiment;
	(void)limit;
	return 1; /* always more to do, never done: a stop comes in between */
}

START_TEST(an_interrupted_erasure_is_finished_by_the_next_start)
{
	struct engine_rig r;

	for (size_t b = 0; b < 2; b++) {
		rig_init(&r, place_backends[b]);
		r.ops.erase = erase_nothing;
		rig_open(&r);
		rig_make(&r, "one", NULL);
		for (int i = 0; i < 50; i++) {
			rig_decide(&r, "one", NULL, false);
		}
		purge(&r, "one");
		rig_close(&r);
		ck_assert_uint_eq(last_seq(&r, 1), 51);
		r.ops.erase = r.place.ops->erase;
		rig_open(&r);
		rig_drain(&r);
		ck_assert_uint_eq(last_seq(&r, 1), 0);
		ck_assert_uint_eq(r.recovery.experiments, 0);
		rig_reopen(&r);
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_purge_whose_erasure_finds_no_room_is_a_purge)
{
	struct engine_rig r;
	struct engine_item *it;
	char name[16];
	uint64_t ticket;
	int refused = 0;

	rig_init(&r, &store_memory);
	r.ops.erase = erase_nothing;
	rig_open(&r);
	for (int i = 0; i < 100; i++) { /* more erasures than the store keeps at once */
		snprintf(name, sizeof(name), "e%d", i);
		rig_make(&r, name, NULL);
		if (engine_purge(r.g, rig_item(&r, name), &ticket, &r.err)) {
			refused++;
		} else {
			ck_assert_int_eq(engine_find(r.g, name, &it, NULL), RC_NOT_FOUND);
		}
	}
	ck_assert_int_eq(refused, 0);
	rig_reopen(&r);
	ck_assert_uint_eq(r.recovery.experiments, 0);
	rig_release(&r);
}
END_TEST

/* ---- decisions that are asked for again ---- */

static bool answers_equal(const struct answer *a, const struct answer *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

START_TEST(a_decision_asked_for_again_is_the_same_bytes)
{
	static const size_t caches[] = {RIG_SMALL_CACHE, (size_t)1 << 20};
	struct engine_rig r;
	struct answer first[40], again;
	char id[40][16];

	for (size_t b = 0; b < 4; b++) {
		rig_init(&r, place_backends[b / 2]);
		r.o.cache_bytes = caches[b % 2];
		rig_open(&r);
		rig_make(&r, "one", NULL);
		for (int i = 0; i < 40; i++) {
			snprintf(id[i], sizeof(id[i]), "i%d", i);
			first[i] = rig_decide(&r, "one", id[i], i % 2);
			ck_assert_int_eq(first[i].rc, 0);
			ck_assert(!first[i].replayed);
			ck_assert_uint_eq(first[i].seq, 2 + (uint64_t)i);
		}
		for (int round = 0; round < 3; round++) {
			rig_drain(&r);
			for (int i = 0; i < 40; i++) {
				r.now_us += CLOCK_SECOND_US;
				again = rig_decide(&r, "one", id[i], i % 2);
				ck_assert_int_eq(again.rc, 0);
				ck_assert(again.replayed);
				ck_assert_uint_eq(again.ticket, 0);
				ck_assert(answers_equal(&first[i], &again));
				again = rig_decide(&r, "one", id[i], !(i % 2));
				ck_assert_int_eq(again.rc, RC_CONFLICT);
				ck_assert_str_eq(r.err.code, "decision_conflict");
				r.err.rc = 0;
			}
			rig_reopen(&r);
		}
		ck_assert_uint_eq(rig_totals(&r, "one").decisions, 40);
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_repeated_answer_waits_for_what_it_repeats)
{
	struct engine_rig r;
	struct answer first, again;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	rig_drain(&r);
	store_disk_hold(r.place.disk, true);
	first = rig_decide(&r, "one", "d", false);
	again = rig_decide(&r, "one", "d", false);
	ck_assert(again.replayed);
	ck_assert_uint_ne(first.ticket, 0);
	ck_assert_uint_eq(again.ticket, first.ticket);
	store_disk_hold(r.place.disk, false);
	rig_release(&r);
}
END_TEST

START_TEST(a_batch_sees_its_own_decisions_and_keys)
{
	struct engine_rig r;
	struct select_in in = {.id = "d", .fingerprint = 1};
	struct reward_in reward = {.reward = 1, .key = "k", .fingerprint = 2};
	struct event a, b;
	struct cache_entry *d;
	enum feedback_status status;
	bool replayed;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	engine_begin(&r.w, rig_item(&r, "one"));
	ck_assert_int_eq(engine_decide(&r.w, &in, NULL, r.now_us, &a, &replayed, &r.err), 0);
	ck_assert(!replayed);
	ck_assert_int_eq(engine_decide(&r.w, &in, NULL, r.now_us, &b, &replayed, &r.err), 0);
	ck_assert(replayed);
	ck_assert_uint_eq(a.seq, b.seq);
	engine_commit(&r.w);
	ck_assert_int_eq(engine_seek_decision(r.g, rig_item(&r, "one"), "d", &d, &r.err), 0);
	engine_begin(&r.w, rig_item(&r, "one"));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		    engine_reward(&r.w, &reward, d, NULL, r.now_us, &a, &status, &replayed, &r.err),
		    0);
		ck_assert_int_eq(replayed, i);
		ck_assert_int_eq(status, FEEDBACK_LEARNT);
	}
	engine_commit(&r.w);
	engine_release(r.g, d);
	ck_assert_uint_eq(rig_totals(&r, "one").learnt, 1);
	ck_assert_uint_eq(rig_seq(&r, "one"), 3);
	rig_release(&r);
}
END_TEST

START_TEST(made_ids_are_found_and_others_are_not)
{
	struct engine_rig r;
	struct answer d, reward;
	struct event ev = {.kind = EVENT_DECISION};
	char id[DECISION_ID_MAX];
	uint64_t seq[4] = {1, 0, 1000, UINT64_MAX};

	for (int small = 0; small < 2; small++) {
		rig_init(&r, &store_memory);
		r.o.cache_bytes = small ? RIG_SMALL_CACHE : r.o.cache_bytes;
		rig_open(&r);
		rig_make(&r, "one", NULL);
		d = rig_decide(&r, "one", NULL, false);
		rig_drain(&r);
		reward = rig_reward(&r, "one", d.id, 1, "k");
		ck_assert_int_eq(reward.rc, 0);
		seq[1] = reward.seq;
		rig_drain(&r);
		/* The right check of a number that is no decision's: its creation, the reward,
		 * one to come, the largest. */
		for (int i = 0; i < 4; i++) {
			ev.seq = seq[i];
			experiment_decision_id(engine_lock(rig_item(&r, "one")), &ev, id);
			engine_unlock(rig_item(&r, "one"));
			ck_assert_int_eq(rig_reward(&r, "one", id, 1, NULL).rc, RC_NOT_FOUND);
			ck_assert_str_eq(r.err.code, "unknown_decision");
		}
		d.id[strlen(d.id) - 1] ^= 1;
		ck_assert_int_eq(rig_reward(&r, "one", d.id, 1, NULL).rc, RC_NOT_FOUND);
		ck_assert_int_eq(rig_reward(&r, "one", "d:", 1, NULL).rc, RC_NOT_FOUND);
		ck_assert_int_eq(rig_reward(&r, "one", "d:2", 1, NULL).rc, RC_NOT_FOUND);
		ck_assert_int_eq(rig_reward(&r, "one", "unheard", 1, NULL).rc, RC_NOT_FOUND);
		rig_release(&r);
	}
}
END_TEST

/* ---- rewards ---- */

START_TEST(a_key_gives_the_stored_answer_or_a_conflict)
{
	struct engine_rig r;
	struct answer first, again;

	for (int small = 0; small < 2; small++) {
		rig_init(&r, &store_memory);
		r.o.cache_bytes = small ? RIG_SMALL_CACHE : r.o.cache_bytes;
		rig_open(&r);
		rig_make(&r, "one", NULL);
		rig_decide(&r, "one", "d", false);
		rig_decide(&r, "one", "e", false);
		first = rig_reward(&r, "one", "d", 0.5, "k");
		ck_assert_int_eq(first.status, FEEDBACK_LEARNT);
		ck_assert(!first.replayed);
		for (int round = 0; round < 3; round++) {
			again = rig_reward(&r, "one", round ? "e" : "d", 0.5, "k");
			ck_assert(again.replayed);
			ck_assert_int_eq(again.status, FEEDBACK_LEARNT);
			ck_assert(answers_equal(&first, &again));
			again = rig_reward(&r, "one", "d", 0.25, "k");
			ck_assert_int_eq(again.rc, RC_CONFLICT);
			r.err.rc = 0;
			rig_reopen(&r);
		}
		again = rig_reward(&r, "one", "d", 0.5, "other");
		ck_assert_int_eq(again.status, FEEDBACK_DUPLICATE);
		ck_assert_uint_eq(again.len, 0);
		ck_assert_uint_eq(rig_totals(&r, "one").learnt, 1);
		rig_release(&r);
	}
}
END_TEST

START_TEST(late_rewards_follow_the_rule)
{
	static const enum feedback_status status[] = {
	    [LATE_RECORD] = FEEDBACK_RECORDED,
	    [LATE_LEARN] = FEEDBACK_LEARNT,
	    [LATE_DROP] = FEEDBACK_LATE,
	};
	struct engine_rig r;
	struct settings s = a_minute;
	uint64_t seq;

	for (int late = 0; late < 3; late++) {
		for (int ticked = 0; ticked < 2; ticked++) {
			rig_init(&r, &store_memory);
			r.o.cache_bytes = RIG_SMALL_CACHE;
			rig_open(&r);
			s.late = (enum late_rule)late;
			rig_make(&r, "one", &s);
			rig_decide(&r, "one", "d", false);
			rig_drain(&r);
			r.now_us += MINUTE_US;
			if (ticked) {
				ck_assert_int_eq(engine_tick(r.g, r.now_us), 1);
				rig_drain(&r);
			}
			seq = rig_seq(&r, "one");
			ck_assert_int_eq(rig_reward(&r, "one", "d", 1, "k").status, status[late]);
			ck_assert_uint_eq(rig_seq(&r, "one"), seq + (late != LATE_DROP));
			ck_assert_uint_eq(rig_totals(&r, "one").learnt, late == LATE_LEARN ? 1 : 0);
			ck_assert_uint_eq(
			    rig_totals(&r, "one").open, ticked || late == LATE_LEARN ? 0 : 1);
			rig_release(&r);
		}
	}
}
END_TEST

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
	ck_assert_int_eq(engine_add_arms(&r.w, twice, 3, r.now_us, &r.err), RC_CONFLICT);
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
	int tries = 0;

	rig_init(&r, &store_memory);
	r.o.disk_floor = 1 << 20;
	rig_open(&r);
	rig_make(&r, "one", NULL);
	store_disk_set_free(r.place.disk, 1000);
	rig_decide(&r, "one", "d", false);
	rig_drain(&r);
	before = rig_digest(&r, "one");
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, RC_FULL);
	ck_assert_str_eq(r.err.code, "storage_full");
	r.err.rc = 0;
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

RUN("engine", an_experiment_is_found_and_created_once, no_more_experiments_than_the_limit,
    experiments_come_in_the_order_of_their_creation, numbers_are_never_used_again,
    an_interrupted_erasure_is_finished_by_the_next_start,
    a_purge_whose_erasure_finds_no_room_is_a_purge, a_decision_asked_for_again_is_the_same_bytes,
    a_repeated_answer_waits_for_what_it_repeats, a_batch_sees_its_own_decisions_and_keys,
    made_ids_are_found_and_others_are_not, a_key_gives_the_stored_answer_or_a_conflict,
    late_rewards_follow_the_rule, a_window_closes_at_its_time_and_the_default_is_learnt,
    expiry_goes_on_after_a_restart, thousands_of_open_decisions_expire_with_a_tiny_cache,
    a_window_made_shorter_does_not_wait_for_decisions_that_are_closed,
    a_deferred_decision_counts_once_it_is_activated, arms_come_and_go,
    arms_that_are_added_together_differ, settings_change_and_stay_changed,
    what_comes_back_is_what_was_with_and_without_snapshots, a_bad_snapshot_is_ignored_and_reported,
    a_damaged_event_refuses_the_start_and_is_named,
    an_event_that_does_not_fit_refuses_the_start_and_is_named,
    a_full_queue_refuses_and_nothing_is_half_done, a_commit_that_fails_is_never_pretended,
    a_full_disk_refuses_and_heals, the_thread_expires_and_takes_snapshots)
