/* SPDX-License-Identifier: Apache-2.0 */
#include "tally_rig.h"

#include "base/err.h"

static const double golden[] = {0.9, 0.5, 0.6};

START_TEST(widths_are_as_in_the_reference)
{
	ck_assert_double_eq_tol(tally_width(2, tally_level(3, 0, 0.1)), 1.094016880901, 1e-12);
	ck_assert_double_eq_tol(tally_width(64, tally_level(3, 5, 0.1)), 0.247361296053, 1e-12);
	ck_assert_double_eq_tol(tally_width(100, tally_level(10, 3, 1e-4)), 0.275697342380, 1e-12);
	ck_assert_double_eq_tol(tally_width(1000, tally_level(5, 9, 5e-5)), 0.091941701668, 1e-12);
}
END_TEST

static void open_golden(struct tally_rig *r)
{
	tally_init(r, 2);
	tally_set(r, "n0", 2);
	tally_set(r, "delta", 0.1);
	tally_open(r, 3);
}

START_TEST(runs_go_as_in_the_reference)
{
	static const struct {
		uint32_t arm;
		int length;
	} runs[] = {{0, 4}, {1, 4}, {2, 6}, {0, 4}, {1, 8}, {0, 6}, {2, 14}, {0, 10}, {1, 26},
	    {0, 18}, {2, 50}, {0, 34}, {1, 98}, {0, 66}, {2, 194}, {0, 158}};
	static const double cnt[] = {284, 128, 256};
	int plays[3] = {0}, t = 0;
	struct tally_rig r;

	open_golden(&r);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		for (int k = 0; k < runs[i].length; k++, t++) {
			struct tally_play p = tally_select(&r, NULL);

			ck_assert_msg(p.pick.slot == runs[i].arm, "arm %u at %d", p.pick.slot, t);
			ck_assert((tally_view(&r, 1, "survives") > 0) == (t < 414));
			ck_assert((tally_view(&r, 2, "survives") > 0) == (t < 672));
			plays[p.pick.slot]++;
			tally_reward(&r, &p, golden[p.pick.slot]);
		}
	}
	ck_assert_int_eq(t, 700);
	ck_assert(plays[0] == 300 && plays[1] == 136 && plays[2] == 264);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_double_eq(tally_view(&r, i, "observed"), cnt[i]);
		ck_assert_double_eq_tol(tally_view(&r, i, "mean"), golden[i], 1e-12);
	}
	ck_assert(tally_alone(&r, 0));
	tally_close(&r);
}
END_TEST

static void play(struct tally_rig *r, const double *reward, int plays)
{
	while (plays-- > 0) {
		struct tally_play p = tally_select(r, NULL);

		tally_reward(r, &p, reward[p.pick.slot]);
	}
}

START_TEST(arms_come_and_go_at_run_time)
{
	static const double reward[] = {0.2, 0.3, 0.7, 0.98};
	struct tally_rig r;

	tally_init(&r, 3);
	tally_set(&r, "delta", 1e-4);
	tally_open(&r, 3);
	play(&r, reward, 4000);
	ck_assert(tally_alone(&r, 2));
	tally_add(&r);
	play(&r, reward, 5000);
	ck_assert(tally_alone(&r, 3));
	tally_set_arm(&r, 3, ARM_RETIRED);
	play(&r, reward, 5000);
	ck_assert(tally_alone(&r, 2));
	tally_close(&r);
}
END_TEST

START_TEST(a_void_decision_ends_its_run_and_a_silent_one_does_not)
{
	struct tally_rig r;
	struct tally_play p, old;

	for (int voided = 0; voided < 2; voided++) {
		tally_init(&r, 2);
		tally_set(&r, "n0", 4);
		tally_open(&r, 2);
		old = tally_select(&r, NULL);
		tally_select(&r, NULL);
		p = tally_select(&r, NULL);
		ck_assert_double_eq(tally_view(&r, 0, "used"), 1);
		tally_lose(&r, &p, voided);
		tally_select(&r, NULL);
		tally_select(&r, NULL);
		ck_assert_double_eq(tally_view(&r, 0, "used"), voided ? 1 : 3);
		tally_lose(&r, &old, voided); /* of a run that is over already */
		p = tally_select(&r, NULL);
		ck_assert_uint_eq(p.pick.slot, 0);
		ck_assert_double_eq(tally_view(&r, 0, "used"), voided ? 2 : 4);
		tally_close(&r);
	}
}
END_TEST

START_TEST(a_substitute_counts_for_nothing_and_breaks_the_block)
{
	static const uint32_t other[] = {1};
	struct tally_rig r;
	struct tally_play p;

	tally_init(&r, 2);
	tally_set(&r, "n0", 4);
	tally_open(&r, 2);
	tally_select(&r, NULL);
	tally_select(&r, NULL);
	ck_assert_int_eq(tally_ask(&r, NULL, other, 1, &p, NULL), 0);
	ck_assert_uint_eq(p.pick.slot, 1);
	tally_reward(&r, &p, 1);
	ck_assert_double_eq(tally_view(&r, 1, "observed"), 0);
	for (int used = 0; used < 3; used++) {
		p = tally_select(&r, NULL);
		ck_assert_uint_eq(p.pick.slot, 0);
	}
	ck_assert_double_eq(tally_view(&r, 0, "used"), 1);
	tally_close(&r);
}
END_TEST

START_TEST(late_rewards_of_an_arm_that_is_out_still_count)
{
	struct tally_rig r;
	struct tally_play p = {.seq = 0}, late = {.seq = 0};

	open_golden(&r);
	for (int t = 0; t < 430; t++) {
		p = tally_select(&r, NULL);
		if (t == 200) { /* in the last block of arm 1 */
			late = p;
			continue;
		}
		tally_reward(&r, &p, golden[p.pick.slot]);
	}
	ck_assert_double_eq(tally_view(&r, 1, "survives"), 0);
	ck_assert_double_eq(tally_view(&r, 1, "used"), tally_view(&r, 1, "observed") + 1);
	tally_reward(&r, &late, 0.5);
	ck_assert_double_eq(tally_view(&r, 1, "used"), tally_view(&r, 1, "observed"));
	tally_close(&r);
}
END_TEST

START_TEST(without_rewards_nothing_is_eliminated)
{
	struct tally_rig r;

	tally_init(&r, 2);
	tally_open(&r, 3);
	for (int t = 0; t < 5000; t++) {
		tally_select(&r, NULL);
	}
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_double_eq(tally_view(&r, i, "survives"), 1);
		ck_assert_double_ge(tally_view(&r, i, "used"), 500);
	}
	tally_close(&r);
}
END_TEST

static const char *name_of(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "s%d", i);
	return name;
}

START_TEST(isolated_subjects_each_go_as_in_the_reference)
{
	struct tally_rig r, alone;

	open_golden(&alone);
	tally_init(&r, 2);
	tally_set(&r, "n0", 2);
	tally_set(&r, "delta", 0.1);
	tally_set(&r, "mode", TALLY_ISOLATED);
	tally_open(&r, 3);
	for (int t = 0; t < 700; t++) {
		struct tally_play want = tally_select(&alone, NULL);

		tally_reward(&alone, &want, golden[want.pick.slot]);
		for (int s = 0; s < 5; s++) {
			struct tally_play p = tally_select(&r, name_of(s));

			ck_assert_uint_eq(p.pick.slot, want.pick.slot);
			tally_reward(&r, &p, golden[p.pick.slot]);
		}
	}
	tally_close(&r);
	tally_close(&alone);
}
END_TEST

static void open_pooled(struct tally_rig *r, double memory, enum tally_unit unit, double ttl)
{
	tally_init(r, memory);
	tally_set(r, "mode", TALLY_POOLED);
	tally_set(r, "unit", unit);
	tally_set(r, "subject_ttl", ttl);
	tally_open(r, 3);
}

START_TEST(pooled_subjects_keep_their_arm_and_share_what_is_learnt)
{
	struct tally_rig r;
	uint32_t arm[30];
	struct tally_play p;

	open_pooled(&r, 5, TALLY_PLAY, 0);
	for (int s = 0; s < 30; s++) {
		p = tally_select(&r, name_of(s));
		arm[s] = p.pick.slot;
		ck_assert_uint_eq(p.pick.slot, (uint32_t)s % 3);
	}
	for (int i = 0; i < 9; i++) {
		for (int s = 0; s < 30; s++) {
			p = tally_select(&r, name_of(s));
			ck_assert_uint_eq(p.pick.slot, arm[s]);
			tally_reward(&r, &p, golden[p.pick.slot]);
		}
	}
	ck_assert_double_eq(tally_view(&r, 0, "observed"), 50); /* 10 subjects, 10 - 5 plays */
	ck_assert_double_eq(tally_view(&r, 0, "subjects"), 10);
	for (int i = 0; i < 200; i++) {
		for (int s = 0; s < 30; s++) {
			p = tally_select(&r, name_of(s));
			tally_reward(&r, &p, golden[p.pick.slot]);
		}
	}
	ck_assert(tally_alone(&r, 0));
	ck_assert_double_eq(tally_view(&r, 0, "subjects"), 30);
	tally_close(&r);
}
END_TEST

START_TEST(a_sample_may_be_the_mean_of_one_subject)
{
	struct tally_rig r;
	struct tally_play p;

	open_pooled(&r, 0, TALLY_SUBJECT, 0);
	for (int i = 0; i < 4; i++) {
		for (int s = 0; s < 6; s++) {
			p = tally_select(&r, name_of(s));
			tally_reward(&r, &p, s < 3 ? 1 : i % 2);
		}
	}
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_double_eq(tally_view(&r, i, "used"), 8);
		ck_assert_double_eq(tally_view(&r, i, "observed"), 2);
		ck_assert_double_eq(tally_view(&r, i, "mean"), 0.75);
	}
	tally_close(&r);
}
END_TEST

START_TEST(a_subject_unseen_for_long_is_forgotten)
{
	struct tally_rig r;

	open_pooled(&r, 5, TALLY_PLAY, 10);
	for (int s = 0; s < 6; s++) {
		tally_select(&r, name_of(s));
	}
	r.at_us = 10000000;
	tally_select(&r, name_of(0));
	ck_assert_double_eq(tally_view(&r, 1, "subjects"), 2);
	r.at_us++;
	tally_select(&r, name_of(6));
	ck_assert_double_eq(tally_view(&r, 0, "subjects") + tally_view(&r, 1, "subjects") +
				tally_view(&r, 2, "subjects"),
	    2);
	tally_close(&r);
}
END_TEST

START_TEST(subjects_are_limited_and_make_room_when_gone)
{
	struct errinfo err = {.rc = 0};
	struct tally_rig r;
	struct tally_play p;

	for (int mode = TALLY_ISOLATED; mode <= TALLY_POOLED; mode++) {
		tally_init(&r, 5);
		tally_set(&r, "mode", mode);
		tally_set(&r, "subjects_max", 4);
		tally_set(&r, "subject_ttl", 10);
		tally_open(&r, 3);
		for (int s = 0; s < 4; s++) {
			tally_select(&r, name_of(s));
		}
		err.rc = 0;
		ck_assert_int_eq(tally_ask(&r, "new", NULL, 0, &p, &err), RC_LIMIT);
		ck_assert_str_eq(err.code, "too_many");
		tally_select(&r, name_of(0));
		r.at_us = 10000001;
		tally_select(&r, "new");
		err.rc = 0;
		ck_assert_int_eq(tally_ask(&r, NULL, NULL, 0, &p, &err), RC_INVALID);
		tally_close(&r);
	}
}
END_TEST

START_TEST(settings_that_make_no_sense_are_refused_and_odd_ones_warned_of)
{
	struct errinfo err = {.rc = 0};
	struct tally_rig r;

	tally_init(&r, 20);
	ck_assert_ptr_null(tallying_ops.warn(&r.params, 5));
	tally_set(&r, "horizon", 199);
	ck_assert_ptr_nonnull(tallying_ops.warn(&r.params, 5));
	tally_set(&r, "horizon", 200);
	ck_assert_ptr_null(tallying_ops.warn(&r.params, 5));
	tally_set(&r, "mode", TALLY_ISOLATED);
	ck_assert_ptr_nonnull(tallying_ops.warn(&r.params, 5));
	tally_set(&r, "unit", TALLY_SUBJECT);
	ck_assert_int_eq(tallying_ops.check(&r.params, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, "/unit");
	param_defaults(tallying_ops.params, &r.params);
	err.rc = 0;
	err.pointer[0] = '\0';
	ck_assert_int_eq(tallying_ops.check(&r.params, &err), RC_INVALID);
	tally_set(&r, "memory_bound", 2.5);
	ck_assert_int_eq(tallying_ops.check(&r.params, NULL), RC_INVALID);
	buf_release(&r.memo);
}
END_TEST

/* Some life with subjects that come, go and are limited, arms that pause, rewards out of order. */
static void live(struct tally_rig *r, struct rng *rng, int plays)
{
	struct tally_play recent[8] = {{.seq = 0}};

	for (int i = 0; i < plays; i++) {
		struct tally_play *p = &recent[rng_below(rng, 8)];
		uint32_t some = (uint32_t)rng_below(rng, r->n);

		if (p->seq && rng_below(rng, 10) > 0) {
			tally_reward(r, p, rng_uniform(rng) * golden[p->pick.slot]);
		} else if (p->seq) {
			tally_lose(r, p, true);
		}
		r->at_us += rng_below(rng, 1000000);
		if (tally_ask(r, name_of((int)rng_below(rng, 12)),
			rng_below(rng, 9) == 0 && r->active[some] ? &some : NULL, 1, p,
			NULL) != 0) {
			p->seq = 0;
		}
		if (rng_below(rng, 50) == 0) {
			tally_set_arm(r, 1, r->active[1] ? ARM_PAUSED : ARM_ACTIVE);
		}
	}
}

static int load(const struct tally_rig *r, const struct buf *saved, size_t n, void **ret)
{
	struct rd in;
	int rc;

	rd_init(&in, saved->data, n);
	rc = tallying_ops.deserialise(&r->env, &in, ret);
	if (rc == 0 && rd_left(&in)) {
		tallying_ops.destroy(*ret);
		return RC_CORRUPT;
	}
	return rc;
}

static void check_saving(struct tally_rig *r, struct rng *rng)
{
	struct buf saved, again;
	unsigned char was;
	void *state;
	size_t at;

	buf_init(&saved, 1u << 20);
	buf_init(&again, 1u << 20);
	tallying_ops.serialise(r->state, &saved);
	for (size_t n = 0; n < saved.len; n++) {
		ck_assert_int_ne(load(r, &saved, n, &state), 0);
	}
	for (int i = 0; i < 3000; i++) {
		at = rng_below(rng, saved.len);
		was = saved.data[at];
		saved.data[at] = (unsigned char)(i ? rng_u64(rng) : was);
		if (load(r, &saved, saved.len, &state) == 0) {
			buf_reset(&again);
			tallying_ops.serialise(state, &again);
			if (again.len != saved.len ||
			    memcmp(again.data, saved.data, saved.len) != 0) {
				ck_abort_msg("takes what it cannot have written");
			}
			tallying_ops.destroy(state);
		} else {
			ck_assert_int_gt(i, 0);
		}
		saved.data[at] = was;
	}
	/* A loaded state goes on as the one it was saved from. */
	ck_assert_int_eq(load(r, &saved, saved.len, &state), 0);
	tallying_ops.destroy(r->state);
	r->state = state;
	buf_release(&saved);
	buf_release(&again);
}

/* The same life twice, once through a save and a load. */
static void live_through_a_load(int mode, int unit)
{
	struct tally_rig r[2];
	struct buf saved[2];

	for (int loads = 0; loads < 2; loads++) {
		struct rng rng = rng_at(3, 1, RNG_TEST), damage = rng_at(4, 1, RNG_TEST);

		tally_init(&r[loads], 2);
		tally_set(&r[loads], "mode", mode);
		tally_set(&r[loads], "unit", unit);
		tally_set(&r[loads], "subjects_max", 8);
		tally_set(&r[loads], "subject_ttl", 5);
		tally_open(&r[loads], 3);
		live(&r[loads], &rng, 500);
		if (loads) {
			check_saving(&r[loads], &damage);
		}
		live(&r[loads], &rng, 500);
		buf_init(&saved[loads], 1u << 20);
		tallying_ops.serialise(r[loads].state, &saved[loads]);
	}
	ck_assert_uint_eq(saved[0].len, saved[1].len);
	ck_assert_mem_eq(saved[0].data, saved[1].data, saved[0].len);
	for (int loads = 0; loads < 2; loads++) {
		buf_release(&saved[loads]);
		tally_close(&r[loads]);
	}
}

START_TEST(every_mode_is_saved_and_loaded_and_goes_on_alike)
{
	live_through_a_load(TALLY_GLOBAL, TALLY_PLAY);
	live_through_a_load(TALLY_ISOLATED, TALLY_PLAY);
	live_through_a_load(TALLY_POOLED, TALLY_PLAY);
	live_through_a_load(TALLY_POOLED, TALLY_SUBJECT);
}
END_TEST

RUN("tallying", widths_are_as_in_the_reference, runs_go_as_in_the_reference,
    arms_come_and_go_at_run_time, a_void_decision_ends_its_run_and_a_silent_one_does_not,
    a_substitute_counts_for_nothing_and_breaks_the_block,
    late_rewards_of_an_arm_that_is_out_still_count, without_rewards_nothing_is_eliminated,
    isolated_subjects_each_go_as_in_the_reference,
    pooled_subjects_keep_their_arm_and_share_what_is_learnt,
    a_sample_may_be_the_mean_of_one_subject, a_subject_unseen_for_long_is_forgotten,
    every_mode_is_saved_and_loaded_and_goes_on_alike, subjects_are_limited_and_make_room_when_gone,
    settings_that_make_no_sense_are_refused_and_odd_ones_warned_of)
