/* SPDX-License-Identifier: Apache-2.0 */
/* What is changed of tallying while it runs, and by a new stage. */
#include "tally_rig.h"

static void change_memory(struct tally_rig *r, double memory)
{
	struct tallying_params before = r->params;

	r->params.memory_bound = memory;
	ck_assert_int_eq(tallying_ops.reserve_change(r->state, &r->params, 1), 0);
	tallying_ops.change(r->state, &before, 1);
}

/* Arm 1 is out; a longer memory takes it back and trusts no reward of before, a shorter one keeps
 * all. */
START_TEST(a_longer_memory_begins_anew_and_a_shorter_one_does_not)
{
	static const double rewards[] = {0.9, 0.1};
	struct tally_play late, p;
	struct tally_rig r;

	tally_init(&r, 2);
	tally_set(&r, "delta", 0.1);
	tally_open(&r, 2);
	for (int i = 0; i < 400; i++) {
		p = tally_select(&r, NULL);
		tally_reward(&r, &p, rewards[p.pick.slot]);
	}
	ck_assert(tally_alone(&r, 0));
	late = tally_select(&r, NULL);
	change_memory(&r, 1);
	ck_assert(tally_alone(&r, 0));
	change_memory(&r, 5);
	ck_assert(!tally_alone(&r, 0));
	ck_assert_double_eq(tally_view(&r, 0, "observed"), 0);
	tally_reward(&r, &late, 0.9);
	ck_assert_double_eq(tally_view(&r, 0, "observed"), 0); /* of the shorter memory */
	for (int i = 0; i < 400; i++) {
		p = tally_select(&r, NULL);
		tally_reward(&r, &p, rewards[p.pick.slot]);
	}
	ck_assert(tally_alone(&r, 0));
	ck_assert_double_gt(tally_view(&r, 0, "observed"), 100);
	tally_close(&r);
}
END_TEST

/* Arm 1 is out by the first rewards; the rest come late and are good. */
static double survives_what_was_bad_luck(bool anytime)
{
	struct tally_rig r;
	struct tally_play p, late[64];
	double out;
	size_t n = 0;

	tally_init(&r, 0);
	tally_set(&r, "n0", 64);
	tally_set(&r, anytime ? "t0" : "horizon", 256);
	tally_open(&r, 2);
	for (int t = 0; t < 200; t++) {
		p = tally_select(&r, NULL);
		if (p.pick.slot == 1 && tally_view(&r, 1, "used") > 16) {
			late[n++] = p;
		} else {
			tally_reward(&r, &p, p.pick.slot == 0 ? 0.9 : 0);
		}
	}
	out = tally_view(&r, 1, "survives");
	ck_assert_double_eq(out, 0);
	ck_assert_uint_eq(n, 48);
	while (n > 0) {
		tally_reward(&r, &late[--n], 1);
	}
	for (int t = 200; t < 256; t++) {
		p = tally_select(&r, NULL);
		ck_assert_uint_eq(p.pick.slot, 0);
	}
	tally_select(&r, NULL); /* the first of the next stage */
	out = tally_view(&r, 1, "survives");
	tally_close(&r);
	return out;
}

START_TEST(a_new_stage_tests_all_arms_anew_and_a_horizon_does_not)
{
	ck_assert_double_eq(survives_what_was_bad_luck(true), 1);
	ck_assert_double_eq(survives_what_was_bad_luck(false), 0);
}
END_TEST

/* The gigabyte is what all of them know, so many arms fit as there is room for with each of them.
 */
START_TEST(what_isolated_subjects_know_has_a_bound)
{
	enum { SUBJECTS = 1000 };
	size_t most = ((size_t)1 << 30) / (SUBJECTS * sizeof(struct tally_arm));
	struct errinfo err = {.rc = 0};
	struct tally_play p;
	struct tally_rig r;
	char name[16];

	tally_init(&r, 1);
	tally_set(&r, "mode", TALLY_ISOLATED);
	tally_open(&r, 2);
	for (int i = 0; i < SUBJECTS; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ck_assert_int_eq(tally_ask(&r, name, NULL, 0, &p, &err), 0);
	}
	ck_assert_int_eq(tallying_ops.reserve(r.state, most), 0);
	ck_assert_int_eq(tallying_ops.reserve(r.state, most + 1), RC_LIMIT);
	tally_close(&r);
}
END_TEST

RUN("tallying_change", what_isolated_subjects_know_has_a_bound,
    a_longer_memory_begins_anew_and_a_shorter_one_does_not,
    a_new_stage_tests_all_arms_anew_and_a_horizon_does_not)
