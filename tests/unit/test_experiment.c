/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment_rig.h"

START_TEST(a_cost_is_learnt_in_its_own_direction)
{
	struct experiment_spec spec = spec_of("epsilon_greedy");
	struct select_in in = {.id = NULL};
	struct pending p = {.flags = 0};
	struct reward_in cost = {.key = NULL};
	struct event d, ev;
	enum feedback_status status;
	unsigned count[3] = {0};
	struct rig r;

	spec.goal = GOAL_MINIMISE;
	spec.lo = 10;
	spec.hi = 20;
	rig_init(&r, &spec);
	for (uint64_t i = 0; i < 600; i++) {
		d = decided(&r, &in, AT_US + i);
		cost.reward = d.decision.picks[0].slot == 1 ? 5 : 18; /* 5 is clipped */
		ck_assert_int_eq(
		    experiment_reward(r.e, &d, &p, &cost, AT_US + i, &r.mem, &ev, &status, &r.err),
		    0);
		ck_assert_double_eq(ev.feedback.learn, cost.reward < 10 ? 10 : 18);
		commit(&r, &ev);
		count[d.decision.picks[0].slot] += i >= 100;
	}
	ck_assert_uint_gt(count[1], 400);
	ck_assert_double_eq(experiment_arms(r.e)->totals[0].sum,
	    18.0 * (double)experiment_arms(r.e)->totals[0].rewards);
	ck_assert_double_eq(experiment_lo(r.e), 10);
	rig_release(&r);
}
END_TEST

/* ---- selecting ---- */

START_TEST(the_floor_is_shared_by_the_arms_of_the_decision)
{
	struct experiment_spec spec = spec_of("uniform");
	struct spec_arm arms[100];
	char ids[100][8];
	struct rig r;
	struct event d;

	for (int i = 0; i < 100; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%u", (unsigned)i % 1000);
		arms[i] = (struct spec_arm){ids[i], ""};
	}
	spec.arms = arms;
	for (int n = 1; n <= 100; n += 33) {
		for (int f = 0; f < 4; f++) {
			struct select_in in = {.want_pmf = f % 2};

			spec.narms = (size_t)n;
			spec.policy = f / 2 ? "thompson" : "uniform";
			spec.settings.floor = 0.25 * f;
			rig_init(&r, &spec);
			for (uint64_t i = 0; i < 50; i++) {
				d = decided(&r, &in, AT_US + i);
				ck_assert_double_ge(
				    d.decision.picks[0].propensity, spec.settings.floor / n);
				ck_assert_double_le(d.decision.picks[0].propensity, 1 + 1e-12);
				if (in.want_pmf) {
					double sum = 0;

					ck_assert_uint_eq(d.decision.nslots, (size_t)n);
					for (size_t k = 0; k < d.decision.nslots; k++) {
						ck_assert_double_ge(
						    d.decision.pmf[k], spec.settings.floor / n);
						sum += d.decision.pmf[k];
					}
					ck_assert_double_eq_tol(sum, 1, 1e-9);
				}
			}
			rig_release(&r);
		}
	}
}
END_TEST

static void expect_slots(struct rig *r, const struct select_in *in, const char *want)
{
	struct event d = selected(r, in, AT_US);
	char have[16] = "";

	ck_assert_uint_le(d.decision.nslots, 3);
	for (size_t i = 0; i < d.decision.nslots; i++) {
		have[i] = (char)('a' + (int)d.decision.slots[i]);
	}
	ck_assert_str_eq(have, want);
	ck_assert_uint_eq(d.decision.flags & DECISION_RESTRICTED, DECISION_RESTRICTED);
}

static void expect_refusal(
    struct rig *r, const struct select_in *in, const char *code, const char *pointer)
{
	struct event d;

	r->err.rc = 0;
	ck_assert_int_eq(experiment_select(r->e, in, AT_US, &r->mem, &d, &r->err), RC_INVALID);
	ck_assert_str_eq(r->err.code, code);
	ck_assert_str_eq(r->err.pointer, pointer);
}

START_TEST(eligible_and_excluded_arms_are_resolved)
{
	static const char *const cab[] = {"c", "a", "b", "a"}, *const b[] = {"b", "b"},
				 *const unknown[] = {"a", "x"};
	struct experiment_spec spec = spec_of("uniform");
	struct rig r;

	rig_init(&r, &spec);
	expect_slots(
	    &r, &(struct select_in){.eligible = cab, .neligible = 4, .has_eligible = true}, "abc");
	expect_slots(
	    &r, &(struct select_in){.eligible = cab, .neligible = 2, .has_eligible = true}, "ac");
	expect_slots(&r, &(struct select_in){.exclude = b, .nexclude = 2}, "ac");
	expect_slots(&r,
	    &(struct select_in){
		.eligible = cab, .neligible = 3, .has_eligible = true, .exclude = b, .nexclude = 1},
	    "ac");
	expect_refusal(
	    &r, &(struct select_in){.has_eligible = true}, "no_eligible_arm", "/eligible");
	expect_refusal(
	    &r, &(struct select_in){.exclude = cab, .nexclude = 3}, "no_eligible_arm", "/exclude");
	expect_refusal(&r,
	    &(struct select_in){.eligible = unknown, .neligible = 2, .has_eligible = true},
	    "unknown_arm", "/eligible/1");
	expect_refusal(&r, &(struct select_in){.exclude = unknown, .nexclude = 2}, "unknown_arm",
	    "/exclude/1");
	set_arm(&r, 0, ARM_PAUSED);
	expect_slots(
	    &r, &(struct select_in){.eligible = cab, .neligible = 4, .has_eligible = true}, "bc");
	expect_slots(&r, &(struct select_in){.exclude = b, .nexclude = 1}, "c");
	set_arm(&r, 2, ARM_RETIRED);
	expect_refusal(&r,
	    &(struct select_in){.eligible = cab, .neligible = 2, .has_eligible = true},
	    "no_eligible_arm", "/eligible");
	rig_release(&r);
}
END_TEST

START_TEST(a_made_id_carries_a_check)
{
	struct experiment_spec spec = spec_of("uniform");
	struct event d = {.kind = EVENT_DECISION};
	char id[DECISION_ID_MAX], other[DECISION_ID_MAX];
	struct rig r, s;

	rig_init(&r, &spec);
	spec.seed++;
	rig_init(&s, &spec);
	for (uint64_t seq = 1; seq; seq *= 3) {
		d.seq = seq;
		experiment_decision_id(r.e, &d, id);
		ck_assert_uint_eq(experiment_decision_seq(r.e, id), seq);
		ck_assert_uint_eq(experiment_decision_seq(s.e, id), 0);
		ck_assert(decision_id_is_made(id));
		for (size_t i = 0; id[i]; i++) {
			memcpy(other, id, sizeof(other));
			other[i] = other[i] == '1' ? '2' : '1';
			ck_assert_uint_eq(experiment_decision_seq(r.e, other), 0);
			memcpy(other, id, sizeof(other));
			other[i] = '\0';
			ck_assert_uint_eq(experiment_decision_seq(r.e, other), 0);
		}
		if (seq > UINT64_MAX / 3) {
			break;
		}
	}
	ck_assert(!decision_id_is_made("mine"));
	ck_assert_uint_eq(
	    experiment_decision_seq(r.e, "d:00000000000000000000000000000000000002"), 0);
	rig_release(&r);
	rig_release(&s);
}
END_TEST

START_TEST(a_clock_that_jumps_back_does_not_turn_back_the_log)
{
	struct experiment_spec spec = spec_of("uniform");
	struct select_in in = {.id = NULL};
	struct event d, ev;
	struct rig r;

	rig_init(&r, &spec);
	d = decided(&r, &in, AT_US + 10 * SECOND_US);
	d = decided(&r, &in, AT_US - 10 * SECOND_US);
	ck_assert_uint_eq(d.at_us, AT_US + 10 * SECOND_US);
	ck_assert_uint_eq(d.decision.expires_us, AT_US + 10 * SECOND_US + WINDOW_US);
	ck_assert_int_eq(experiment_set_arm(r.e, 0, ARM_PAUSED, 0, &r.mem, &ev, &r.err), 0);
	ck_assert_uint_eq(ev.at_us, AT_US + 10 * SECOND_US);
	ev.at_us--;
	ck_assert_int_eq(experiment_apply(r.e, &ev), RC_CORRUPT);
	rig_release(&r);
}
END_TEST

START_TEST(what_does_not_fit_changes_nothing)
{
	struct experiment_spec spec = spec_of("thompson");
	struct select_in in = {.id = NULL};
	unsigned char before[16], after[16];
	struct pick pick;
	struct event d, ev;
	struct rig r;

	rig_init(&r, &spec);
	d = decided(&r, &in, AT_US);
	ck_assert_int_eq(experiment_digest(r.e, before), 0);
	for (int i = 0; i < 10; i++) {
		pick = d.decision.picks[0];
		ev = (struct event){.kind = EVENT_REWARD, .seq = d.seq + 1, .at_us = AT_US};
		ev.feedback = (struct event_feedback){.ref = d.seq,
		    .pick = pick,
		    .flags = FEEDBACK_LEARN | FEEDBACK_CLOSE,
		    .learn = 1};
		switch (i) {
		case 0:
			ev.seq++;
			break;
		case 1:
			ev.feedback.ref = ev.seq;
			break;
		case 2:
			ev.feedback.ref = 0;
			break;
		case 3:
			ev.feedback.pick.slot = 3;
			break;
		case 4:
			ev.feedback.flags |= FEEDBACK_LOST;
			break;
		case 5:
			ev.feedback.learn = 1.5;
			break;
		case 6:
			ev.feedback.learn = NAN;
			break;
		case 7:
			ev = d;
			ev.seq++;
			pick.slot = 9;
			ev.decision.picks = &pick;
			break;
		case 8:
			ev.kind = EVENT_PLAN;
			break;
		default:
			ev.kind = EVENT_CHANGE;
			ev.change = (struct settings){.floor = 1, .label = ""};
		}
		ck_assert_int_eq(experiment_apply(r.e, &ev), RC_CORRUPT);
		ck_assert_int_eq(experiment_digest(r.e, after), 0);
		ck_assert_mem_eq(before, after, 16);
	}
	rig_release(&r);
}
END_TEST

START_TEST(a_forced_arm_is_taken_with_the_probability_it_had)
{
	const struct experiment_spec spec = spec_of("epsilon_greedy");
	struct event ev, all;
	struct rig r;

	rig_init(&r, &spec);
	for (size_t i = 0; i < 3; i++) {
		all = selected(&r, &(struct select_in){.want_pmf = true}, AT_US);
		ev = selected(&r, &(struct select_in){.forced = three[i].id}, AT_US);
		ck_assert_uint_eq(ev.decision.picks[0].slot, i);
		ck_assert(ev.decision.picks[0].propensity == all.decision.pmf[i]);
		commit(&r, &ev);
	}
	ck_assert_int_eq(experiment_select(r.e,
			     &(struct select_in){.forced = "a",
				 .has_eligible = true,
				 .eligible = (const char *const[]){"b"},
				 .neligible = 1},
			     AT_US, &r.mem, &ev, &r.err),
	    RC_INVALID);
	ck_assert_str_eq(r.err.pointer, "/forced");
	rig_release(&r);
}
END_TEST

RUN("experiment", a_forced_arm_is_taken_with_the_probability_it_had,
    a_cost_is_learnt_in_its_own_direction, the_floor_is_shared_by_the_arms_of_the_decision,
    eligible_and_excluded_arms_are_resolved, a_made_id_carries_a_check,
    a_clock_that_jumps_back_does_not_turn_back_the_log, what_does_not_fit_changes_nothing)
