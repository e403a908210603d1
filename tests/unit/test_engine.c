/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine promises, over a log in memory and, where files matter, on disk: which
 * experiments there are, and answers that are asked for again. */
#include "base/clock.h"
#include "tests/unit/engine_rig.h"

#define MINUTE_US (60 * CLOCK_SECOND_US)

static const struct settings a_minute = {.window_us = MINUTE_US, .label = ""};

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

RUN("engine", an_experiment_is_found_and_created_once, no_more_experiments_than_the_limit,
    experiments_come_in_the_order_of_their_creation, numbers_are_never_used_again,
    an_interrupted_erasure_is_finished_by_the_next_start,
    a_purge_whose_erasure_finds_no_room_is_a_purge, a_decision_asked_for_again_is_the_same_bytes,
    a_repeated_answer_waits_for_what_it_repeats, a_batch_sees_its_own_decisions_and_keys,
    made_ids_are_found_and_others_are_not, a_key_gives_the_stored_answer_or_a_conflict,
    late_rewards_follow_the_rule)
