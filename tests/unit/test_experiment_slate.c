/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions for several arms: each is drawn once, rewarded apart, and closes with the last. */
#include <string.h>

#include "core/replay.h"
#include "tests/unit/experiment_rig.h"

static struct experiment_spec slate_spec(uint32_t slots)
{
	struct experiment_spec s = spec_of("uniform");

	s.slots = slots;
	return s;
}

static int reward(struct rig *r, const struct event *d, struct pending *p,
    const struct arm_reward *rewards, size_t n, uint64_t at_us, struct event *ret)
{
	struct reward_in in = {.form = FORM_REWARDS, .rewards = rewards, .nrewards = n};
	enum feedback_status status;
	int rc;

	r->err = (struct errinfo){.rc = 0};
	rc = experiment_reward(r->e, d, p, &in, at_us, &r->mem, ret, &status, &r->err);
	if (rc == 0 && ret->kind) {
		commit(r, ret);
		pending_apply(p, ret);
	}
	return rc;
}

static const char *arm_of(struct rig *r, const struct event *d, size_t i)
{
	return arms_id(experiment_arms(r->e), d->decision.picks[i].slot);
}

START_TEST(arms_are_drawn_one_after_another_without_replacement)
{
	struct experiment_spec spec = slate_spec(3);
	struct rig r;

	rig_init(&r, &spec);
	for (int i = 0; i < 50; i++) {
		struct event d = decided(&r, &(struct select_in){.id = NULL}, AT_US);
		const struct pick *p = d.decision.picks;

		ck_assert(d.decision.flags & DECISION_SLATE);
		ck_assert_int_eq((int)d.decision.npicks, 3);
		ck_assert(
		    p[0].slot != p[1].slot && p[1].slot != p[2].slot && p[0].slot != p[2].slot);
		ck_assert_double_eq_tol(p[0].propensity, 1.0 / 3, 1e-15);
		ck_assert_double_eq_tol(p[1].propensity, 1.0 / 2, 1e-15);
		ck_assert_double_eq(p[2].propensity, 1);
	}
	ck_assert_int_eq((int)experiment_arms(r.e)->totals[0].decisions, 50);
	rig_release(&r);
}
END_TEST

START_TEST(a_slate_is_as_long_as_there_are_arms)
{
	struct experiment_spec spec = slate_spec(5);
	const char *const only[] = {"c"};
	struct rig r;
	struct event d;

	rig_init(&r, &spec);
	d = decided(&r, &(struct select_in){.id = NULL}, AT_US);
	ck_assert_int_eq((int)d.decision.npicks, 3);
	d = decided(
	    &r, &(struct select_in){.eligible = only, .neligible = 1, .has_eligible = true}, AT_US);
	ck_assert_int_eq((int)d.decision.npicks, 1);
	ck_assert_str_eq(arm_of(&r, &d, 0), "c");
	rig_release(&r);
}
END_TEST

START_TEST(each_arm_is_rewarded_apart_and_the_last_one_closes)
{
	struct experiment_spec spec = slate_spec(2);
	struct arm_reward both[2];
	struct pending p;
	struct event d, ev;
	struct rig r;

	rig_init(&r, &spec);
	d = decided(&r, &(struct select_in){.id = NULL}, AT_US);
	pending_start(&p, &d.decision);
	both[0] = (struct arm_reward){arm_of(&r, &d, 1), 0.5};
	both[1] = (struct arm_reward){arm_of(&r, &d, 0), 7};
	ck_assert_int_eq(reward(&r, &d, &p, both, 1, AT_US, &ev), 0);
	ck_assert(ev.feedback.narms == 1 && ev.feedback.arms[0].index == 1);
	ck_assert(!(ev.feedback.flags & FEEDBACK_CLOSE) && pending_is_open(&p));
	ck_assert_int_eq(reward(&r, &d, &p, both, 2, AT_US, &ev), 0);
	ck_assert_int_eq(ev.feedback.arms[0].status, FEEDBACK_LEARNT);
	ck_assert_int_eq(ev.feedback.arms[1].status, FEEDBACK_DUPLICATE);
	ck_assert(ev.feedback.flags & FEEDBACK_CLOSE && ev.feedback.flags & FEEDBACK_CLIPPED);
	ck_assert(!pending_is_open(&p));
	ck_assert_double_eq(ev.feedback.arms[0].learn, 1);
	ck_assert_int_eq(reward(&r, &d, &p, both, 2, AT_US, &ev), 0);
	ck_assert_int_eq(ev.kind, 0);
	ck_assert_int_eq((int)experiment_totals(r.e)->learnt, 2);
	ck_assert_int_eq((int)experiment_totals(r.e)->open, 0);
	rig_release(&r);
}
END_TEST

START_TEST(what_is_left_of_a_slate_closes_with_its_window)
{
	for (int fallback = 0; fallback < 2; fallback++) {
		struct experiment_spec spec = slate_spec(2);
		struct arm_reward one;
		struct pending p;
		struct event d, ev;
		struct rig r;

		spec.settings.has_fallback = fallback;
		spec.settings.fallback = 0.25;
		rig_init(&r, &spec);
		d = decided(&r, &(struct select_in){.id = NULL}, AT_US);
		pending_start(&p, &d.decision);
		one = (struct arm_reward){arm_of(&r, &d, 0), 1};
		ck_assert_int_eq(reward(&r, &d, &p, &one, 1, AT_US, &ev), 0);
		ck_assert_int_eq(experiment_expire(r.e, &d, &p, AT_US + WINDOW_US, &r.mem, &ev), 0);
		ck_assert(ev.feedback.narms == 1 && ev.feedback.arms[0].index == 1);
		ck_assert_int_eq(
		    (int)ev.feedback.arms[0].flags, fallback ? FEEDBACK_LEARN : FEEDBACK_LOST);
		commit(&r, &ev);
		pending_apply(&p, &ev);
		one.arm = arm_of(&r, &d, 1);
		ck_assert_int_eq(reward(&r, &d, &p, &one, 1, AT_US + WINDOW_US, &ev), 0);
		ck_assert_int_eq(ev.kind ? (int)ev.feedback.arms[0].status : -1,
		    fallback ? -1 : FEEDBACK_RECORDED);
		ck_assert_int_eq((int)experiment_totals(r.e)->open, 0);
		rig_release(&r);
	}
}
END_TEST

START_TEST(wrong_feedback_is_told)
{
	struct experiment_spec spec = slate_spec(2);
	const char *const two[] = {"a", "b"};
	struct arm_reward other = {"c", 1}, unknown = {"zz", 1};
	enum feedback_status status;
	struct pending p;
	struct event d, ev;
	struct rig r;

	rig_init(&r, &spec);
	d = decided(
	    &r, &(struct select_in){.eligible = two, .neligible = 2, .has_eligible = true}, AT_US);
	pending_start(&p, &d.decision);
	ck_assert_int_eq(reward(&r, &d, &p, &other, 1, AT_US, &ev), RC_INVALID);
	ck_assert_str_eq(r.err.pointer, "/rewards/c");
	ck_assert_int_eq(reward(&r, &d, &p, &unknown, 1, AT_US, &ev), RC_INVALID);
	ck_assert_str_eq(r.err.code, "unknown_arm");
	ck_assert_int_eq(reward(&r, &d, &p, NULL, 0, AT_US, &ev), RC_INVALID);
	ck_assert_int_eq(experiment_reward(r.e, &d, &p, &(struct reward_in){.reward = 1}, AT_US,
			     &r.mem, &ev, &status, &r.err),
	    RC_INVALID);
	rig_release(&r);
}
END_TEST

START_TEST(what_slates_cannot_have_is_refused)
{
	struct experiment_spec spec = slate_spec(2);
	struct errinfo err = {.rc = 0};
	struct experiment *e;
	struct event ev;
	struct rig r;

	spec.settings.aggregate = AGGREGATE_SUM;
	ck_assert_int_eq(
	    experiment_new(&spec, policy_find("uniform"), AT_US, &e, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, "/reward/aggregate");
	spec = slate_spec(2);
	spec.policy = "ucb1";
	err = (struct errinfo){.rc = 0};
	ck_assert_int_eq(experiment_new(&spec, policy_find("ucb1"), AT_US, &e, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, "/slots");
	spec = slate_spec(2);
	rig_init(&r, &spec);
	ck_assert_int_eq(
	    experiment_select(r.e, &(struct select_in){.defer = true}, AT_US, &r.mem, &ev, &r.err),
	    RC_INVALID);
	ck_assert_str_eq(r.err.pointer, "/defer");
	rig_release(&r);
}
END_TEST

/* 4,097 arms are too many for slates of 1,024, unless most of them are left out. */
START_TEST(the_work_of_a_draw_is_bounded)
{
	struct experiment_spec spec = slate_spec(SLATE_MAX);
	static char text[SLATE_WORK_MAX / SLATE_MAX + 1][8];
	static struct spec_arm arms[SLATE_WORK_MAX / SLATE_MAX + 1];
	const char *first[] = {"0", "1"};
	struct select_in in = {.id = NULL};
	struct event ev;
	struct rig r;

	spec.arms = arms;
	spec.narms = sizeof(arms) / sizeof(arms[0]);
	for (size_t i = 0; i < spec.narms; i++) {
		snprintf(text[i], sizeof(text[i]), "%zu", i);
		arms[i] = (struct spec_arm){.id = text[i], .label = ""};
	}
	rig_init(&r, &spec);
	ck_assert_int_eq(experiment_select(r.e, &in, AT_US, &r.mem, &ev, &r.err), RC_LIMIT);
	in.exclude = first;
	in.nexclude = 1;
	ev = decided(&r, &in, AT_US);
	ck_assert_int_eq((int)ev.decision.npicks, SLATE_MAX);
	rig_release(&r);
}
END_TEST

START_TEST(a_policy_refuses_arms_beyond_its_memory)
{
	struct experiment_spec spec = spec_of("recovering");
	struct spec_param d_max = {.name = "d_max", .number = 4096};
	struct errinfo err = {.rc = 0};
	static char text[2000][8];
	static struct spec_arm arms[2000];
	struct experiment *e;

	for (size_t i = 0; i < 2000; i++) {
		snprintf(text[i], sizeof(text[i]), "%zu", i);
		arms[i] = (struct spec_arm){.id = text[i], .label = ""};
	}
	spec.params = &d_max;
	spec.nparams = 1;
	spec.arms = arms;
	spec.narms = 2000;
	ck_assert_int_eq(
	    experiment_new(&spec, policy_find("recovering"), AT_US, &e, &err), RC_LIMIT);
	ck_assert_str_eq(err.pointer, "/arms");
}
END_TEST

START_TEST(odd_tables_are_refused)
{
	static const double falls[] = {.5, .4};
	struct spec_param params[] = {{.name = "tables", .list = {.v = falls, .n = 2, .width = 2}}};
	struct experiment_spec spec = spec_of("recovering");
	const struct policy_ops *ops = policy_find("recovering");
	struct experiment *e;

	spec.params = params;
	spec.nparams = 1;
	ck_assert_int_eq(experiment_new(&spec, ops, AT_US, &e, NULL), RC_INVALID);
	params[0].list.width = 1; /* two arms that never recover */
	ck_assert_int_eq(experiment_new(&spec, ops, AT_US, &e, NULL), 0);
	experiment_free(e);
	params[0].list.width = 0;
	ck_assert_int_eq(experiment_new(&spec, ops, AT_US, &e, NULL), RC_INVALID);
	params[0].name = "alpha";
	ck_assert_int_eq(experiment_new(&spec, ops, AT_US, &e, NULL), RC_INVALID);
}
END_TEST

START_TEST(a_decision_has_so_many_groups_and_no_more)
{
	struct experiment_spec spec = slate_spec(1);
	static char text[GROUPS_MAX + 1][8];
	const char *groups[GROUPS_MAX + 1];
	struct select_in in = {.groups = groups, .ngroups = GROUPS_MAX};
	struct event ev;
	struct rig r;

	for (int i = 0; i <= GROUPS_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "g%d", i);
		groups[i] = text[i];
	}
	rig_init(&r, &spec);
	ev = decided(&r, &in, AT_US);
	in.ngroups = GROUPS_MAX + 1;
	ck_assert_int_eq(experiment_select(r.e, &in, AT_US, &r.mem, &ev, &r.err), RC_LIMIT);
	ck_assert_str_eq(r.err.pointer, "/groups");
	ev = selected(&r, &(struct select_in){.id = NULL}, AT_US);
	ev.decision.groups = groups;
	ev.decision.ngroups = GROUPS_MAX + 1;
	ck_assert_int_eq(experiment_apply(r.e, &ev), RC_CORRUPT);
	rig_release(&r);
}
END_TEST

/* ---- the log of a slate folds to the same state ---- */

struct past {
	struct event decision;
	struct pending pending;
};

static int past_of(void *arg, uint64_t ref, uint64_t before, struct arena *mem, struct event *ret,
    struct pending *ret_pending, struct errinfo *err)
{
	struct past *past = arg;

	(void)before;
	(void)mem;
	(void)err;
	ck_assert(past->decision.seq == ref);
	*ret = past->decision;
	*ret_pending = past->pending;
	return 0;
}

START_TEST(a_replay_derives_slates_and_their_rewards)
{
	struct experiment_spec spec = slate_spec(2);
	struct past past = {.pending = {.flags = 0}};
	struct replay_options o = {
	    .find = policy_find, .derive = true, .past = past_of, .past_arg = &past};
	struct event creation = {.kind = EVENT_CREATE, .seq = 1, .at_us = AT_US, .create = spec};
	unsigned char a[16], b[16];
	struct replay again;
	struct rig r;

	rig_init(&r, &spec);
	replay_init(&again, &o);
	ck_assert_int_eq(replay_event(&again, &creation, &r.err), 0);
	for (int i = 0; i < 30; i++) {
		const char *const groups[] = {i % 2 ? "odd" : "even", "all", "all"};
		struct event d, ev;
		struct arm_reward rewards[2];
		struct pending p;

		d = decided(&r, &(struct select_in){.groups = groups, .ngroups = 3}, AT_US);
		ck_assert_int_eq((int)d.decision.ngroups, 2);
		ck_assert_int_eq(replay_event(&again, &d, &r.err), 0);
		pending_start(&p, &d.decision);
		past = (struct past){.decision = d, .pending = p};
		rewards[0] = (struct arm_reward){arm_of(&r, &d, 0), 2};
		rewards[1] = (struct arm_reward){arm_of(&r, &d, 1), 0.5};
		ck_assert_int_eq(reward(&r, &d, &p, rewards, 1 + (size_t)(i % 2), AT_US, &ev), 0);
		ck_assert_int_eq(replay_event(&again, &ev, &r.err), 0);
	}
	ck_assert_int_eq(experiment_digest(r.e, a), 0);
	ck_assert_int_eq(experiment_digest(again.e, b), 0);
	ck_assert(memcmp(a, b, sizeof(a)) == 0);
	ck_assert_int_eq((int)experiment_groups(r.e)->n, 3);
	ck_assert_int_eq((int)experiment_groups(r.e)->totals[1].decisions, 30);
	replay_release(&again);
	rig_release(&r);
}
END_TEST

RUN("experiment_slate", arms_are_drawn_one_after_another_without_replacement,
    a_slate_is_as_long_as_there_are_arms, each_arm_is_rewarded_apart_and_the_last_one_closes,
    what_is_left_of_a_slate_closes_with_its_window, wrong_feedback_is_told,
    a_decision_has_so_many_groups_and_no_more, the_work_of_a_draw_is_bounded,
    a_policy_refuses_arms_beyond_its_memory, odd_tables_are_refused,
    what_slates_cannot_have_is_refused, a_replay_derives_slates_and_their_rewards)
