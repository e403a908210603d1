/* SPDX-License-Identifier: Apache-2.0 */
/* `recovering` in the time of a clock and in that of each subject. */
#include <stdio.h>

#include "recovering_rig.h"

static uint32_t idle_of(const struct decision *d)
{
	ck_assert_uint_eq(d->npicks, 1);
	return rig_remembered(d, 0).idle;
}

START_TEST(a_tick_has_one_decision)
{
	struct decision d, again;
	struct rig g;

	rig_init(&g, 4, 1);
	g.params.clock = REC_TICK;
	ck_assert_int_eq(recovering_ops.check(&g.params, NULL), RC_INVALID);
	g.params.tick_seconds = 10;
	rig_start(&g, 1);
	g.at_us = 1000 * SECOND;
	d = rig_decide(&g);
	g.at_us += 9 * SECOND;
	again = rig_decide(&g);
	ck_assert_uint_eq(again.repeat, d.seq);
	rig_lose(&g, &d, true);
	d = rig_decide(&g);
	ck_assert(d.repeat == 0 && idle_of(&d) == 4); /* the first was not shown */
	g.at_us += 31 * SECOND;
	d = rig_decide(&g); /* ticks without a decision are rest */
	ck_assert_uint_eq(idle_of(&d), 4);
	g.at_us += 10 * SECOND;
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	g.at_us -= 500 * SECOND; /* a clock that goes back stands still */
	again = rig_decide(&g);
	ck_assert_uint_eq(again.repeat, d.seq);
	rig_stop(&g);
}
END_TEST

START_TEST(each_subject_has_its_own_time)
{
	struct decision d;
	struct ask ask;
	struct rig g;

	rig_init(&g, 4, 1);
	g.params.scope = REC_SUBJECT;
	rig_start(&g, 1);
	ask = rig_ask_of(&g);
	ck_assert_int_eq(rig_choose(&g, &ask, &d), RC_INVALID);
	ck_assert(recovering_ops.traits(&g.params) & POLICY_SUBJECT);
	for (int i = 0; i < 3; i++) {
		g.subject = "ann";
		d = rig_decide(&g);
		ck_assert_uint_eq(idle_of(&d), i ? 1 : 4);
	}
	g.subject = "bob";
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 4);
	rig_lose(&g, &d, true);
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 4);
	g.subject = "ann";
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	ck_assert_uint_eq(((struct recovering *)g.state)->nsubjects, 2);
	rig_stop(&g);
}
END_TEST

START_TEST(subjects_and_doubts_are_saved)
{
	static const char *const names[] = {"ann", "bob", "eve"};
	struct decision d, later;
	struct rig g;

	rig_init(&g, 4, 2);
	g.params.scope = REC_SUBJECT;
	rig_start(&g, 3);
	for (int i = 0; i < 20; i++) {
		g.subject = names[i * i % 3];
		d = rig_decide(&g);
		later = rig_decide(&g);
		rig_lose(&g, i % 2 ? &d : &later, true);
	}
	ck_assert_uint_gt(((struct recovering *)g.state)->ntaints, 0);
	rig_check_load(&g);
	rig_stop(&g);
}
END_TEST

START_TEST(recovered_subjects_make_room)
{
	char name[16];
	struct decision d;
	struct recovering *r;
	struct ask ask;
	struct rig g;

	rig_init(&g, 4, 1);
	g.params.scope = REC_SUBJECT;
	g.params.clock = REC_TICK;
	g.params.tick_seconds = 1;
	rig_start(&g, 1);
	r = g.state;
	g.subject = name;
	for (int i = 0; i < REC_SUBJECTS_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		rig_decide(&g);
	}
	ck_assert_uint_eq(r->nsubjects, REC_SUBJECTS_MAX);
	snprintf(name, sizeof(name), "one more");
	ask = rig_ask_of(&g);
	ck_assert_int_eq(rig_choose(&g, &ask, &d), RC_LIMIT);
	g.at_us = 5 * SECOND;
	rig_decide(&g);
	ck_assert_uint_eq(r->nsubjects, 1);
	rig_stop(&g);
}
END_TEST

/* 32 arms each, so that pulls come to an end before subjects do. */
START_TEST(pulls_that_have_not_recovered_are_counted)
{
	enum { ARMS = 32 };
	char name[16];
	struct decision d;
	struct recovering *r;
	struct ask ask;
	struct rig g;

	rig_init(&g, 4, ARMS);
	g.params.scope = REC_SUBJECT;
	g.params.clock = REC_TICK;
	g.params.tick_seconds = 1;
	rig_start(&g, ARMS);
	r = g.state;
	g.subject = name;
	for (uint32_t i = 0; i < REC_PULLS_MAX / ARMS; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		rig_decide(&g);
	}
	ck_assert_uint_eq(r->npulls, REC_PULLS_MAX);
	snprintf(name, sizeof(name), "one more");
	ask = rig_ask_of(&g);
	ck_assert_int_eq(rig_choose(&g, &ask, &d), RC_LIMIT);
	g.at_us = 5 * SECOND;
	rig_decide(&g);
	ck_assert_uint_eq(r->npulls, ARMS);
	rig_stop(&g);
}
END_TEST

RUN("recovering_subject", pulls_that_have_not_recovered_are_counted, a_tick_has_one_decision,
    each_subject_has_its_own_time, subjects_and_doubts_are_saved, recovered_subjects_make_room)
