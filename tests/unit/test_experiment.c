/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of one experiment, without a server around it. */
#include "core/experiment.h"

#include <stdio.h>

#include "base/rng.h"
#include "policies/policies.h"
#include "tests/unit/test.h"

#define AT_US UINT64_C(1700000000000000)
#define SECOND_US UINT64_C(1000000)
#define WINDOW_US (60 * SECOND_US)

static const struct spec_arm three[] = {{"a", ""}, {"b", "the second"}, {"c", ""}};

static struct experiment_spec spec_of(const char *policy)
{
	return (struct experiment_spec){.name = "e",
	    .policy = policy,
	    .arms = three,
	    .narms = 3,
	    .slots = 1,
	    .seed = 3,
	    .hi = 1,
	    .settings = {.window_us = WINDOW_US, .label = ""}};
}

struct rig {
	struct experiment *e;
	struct arena mem;
	struct errinfo err;
};

static void rig_init(struct rig *r, const struct experiment_spec *spec)
{
	*r = (struct rig){.e = NULL};
	arena_init(&r->mem, (size_t)64 << 20);
	ck_assert_int_eq(experiment_new(spec, policy_find(spec->policy), AT_US, &r->e, &r->err), 0);
}

static void rig_release(struct rig *r)
{
	experiment_free(r->e);
	arena_release(&r->mem);
}

static void commit(struct rig *r, const struct event *ev)
{
	ck_assert_int_eq(experiment_reserve(r->e, ev), 0);
	ck_assert_int_eq(experiment_apply(r->e, ev), 0);
}

static struct event selected(struct rig *r, const struct select_in *in, uint64_t at_us)
{
	struct event ev;

	ck_assert_int_eq(experiment_select(r->e, in, at_us, &r->mem, &ev, &r->err), 0);
	return ev;
}

static struct event decided(struct rig *r, const struct select_in *in, uint64_t at_us)
{
	struct event ev = selected(r, in, at_us);

	commit(r, &ev);
	return ev;
}

static void set_arm(struct rig *r, uint32_t slot, enum arm_state to)
{
	struct event ev;

	ck_assert_int_eq(experiment_set_arm(r->e, slot, to, AT_US, &r->mem, &ev, &r->err), 0);
	commit(r, &ev);
}

/* ---- what becomes of a reward ---- */

#define ANY (-1)
/* What a reward meets. */
struct met {
	int aggregate, rule;
	int late, learnt, retired, unshown, held, closing; /* 0, 1 or ANY */
};

/* The first row that fits. */
static const struct {
	struct met when;
	enum feedback_status status;
} rules[] = {
    /* aggregate, rule, late, learnt, retired, unshown, held, closing */
    {{AGGREGATE_FIRST, ANY, ANY, 1, ANY, ANY, ANY, ANY}, FEEDBACK_DUPLICATE},
    {{ANY, ANY, 0, 1, ANY, ANY, ANY, ANY}, FEEDBACK_DUPLICATE},
    {{ANY, ANY, ANY, ANY, 1, ANY, ANY, ANY}, FEEDBACK_RECORDED},
    {{ANY, LATE_DROP, 1, ANY, ANY, ANY, ANY, ANY}, FEEDBACK_LATE},
    {{ANY, LATE_RECORD, 1, ANY, ANY, ANY, ANY, ANY}, FEEDBACK_RECORDED},
    {{ANY, LATE_LEARN, 1, 1, ANY, ANY, ANY, ANY}, FEEDBACK_RECORDED},
    {{ANY, LATE_LEARN, 1, 0, ANY, ANY, ANY, 1}, FEEDBACK_RECORDED},
    {{ANY, LATE_LEARN, 1, 0, ANY, ANY, ANY, 0}, FEEDBACK_LEARNT},
    {{AGGREGATE_FIRST, ANY, 0, 0, 0, ANY, 1, ANY}, FEEDBACK_DUPLICATE},
    {{AGGREGATE_FIRST, ANY, 0, 0, 0, 0, 0, ANY}, FEEDBACK_LEARNT},
    {{ANY, ANY, 0, 0, 0, ANY, ANY, ANY}, FEEDBACK_PENDING},
};

static bool fits(int have, int want)
{
	return want == ANY || have == want;
}

static enum feedback_status expected(const struct met *m)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct met *w = &rules[i].when;

		if (fits(m->aggregate, w->aggregate) && fits(m->rule, w->rule) &&
		    fits(m->late, w->late) && fits(m->learnt, w->learnt) &&
		    fits(m->retired, w->retired) && fits(m->unshown, w->unshown) &&
		    fits(m->held, w->held) && fits(m->closing, w->closing)) {
			return rules[i].status;
		}
	}
	ck_abort_msg("no rule");
	return FEEDBACK_STATUSES;
}

static double aggregate(int how, int held, double before, double reward)
{
	double all[] = {before, reward, before + reward, before > reward ? before : reward};

	return held ? all[how] : reward;
}

/* One decision in one state; one reward. Bits of `flags` as in enum pending_flag. */
static void try_reward(
    struct rig *r, const struct event *d, unsigned flags, bool held, bool late, bool retired)
{
	const struct settings *s = experiment_settings(r->e);
	struct pending p = {.flags = flags, .rewards = held, .held = held ? 0.5 : 0};
	uint64_t at_us = d->decision.expires_us - !late;
	struct reward_in in = {.reward = 1.75};
	struct event ev;
	enum feedback_status status = FEEDBACK_STATUSES;
	struct met m = {.aggregate = (int)s->aggregate, .rule = (int)s->late, .retired = retired};
	unsigned want = FEEDBACK_CLIPPED;
	int rc = experiment_reward(r->e, d, &p, &in, at_us, &ev, &status, &r->err);

	if (flags & PENDING_VOID) {
		ck_assert_int_eq(rc, RC_STATE);
		r->err.rc = 0;
		return;
	}
	ck_assert_int_eq(rc, 0);
	m.late = late || flags & PENDING_EXPIRED;
	m.learnt = !!(flags & PENDING_LEARNT);
	m.unshown = flags & PENDING_DEFERRED && !(flags & PENDING_ACTIVATED);
	m.held = held;
	m.closing = pending_is_open(&p) && !m.unshown && (held || s->has_fallback);
	ck_assert_msg(status == expected(&m), "%s: aggregate %s late %s flags %u held %d late %d",
	    feedback_status_names[status], aggregate_names[s->aggregate], late_rule_names[s->late],
	    flags, held, late);
	if (status == FEEDBACK_DUPLICATE || status == FEEDBACK_LATE) {
		ck_assert_int_eq(ev.kind, 0);
		return;
	}
	ck_assert_int_eq(ev.kind, EVENT_REWARD);
	want |= m.late ? FEEDBACK_IS_LATE : 0;
	if (status == FEEDBACK_LEARNT) {
		want |= FEEDBACK_LEARN;
		want |= pending_is_open(&p) ? FEEDBACK_CLOSE : 0;
		want |= flags & PENDING_LOST ? FEEDBACK_REVIVED : 0;
	}
	ck_assert_uint_eq(ev.feedback.flags, want);
	ck_assert_double_eq(ev.feedback.reward, 1.75);
	ck_assert_double_eq(ev.feedback.learn, status == FEEDBACK_LEARNT ? 1
					       : status == FEEDBACK_PENDING
						   ? aggregate(m.aggregate, held, 0.5, 1)
						   : 0);
	ck_assert_uint_eq(ev.feedback.ref, d->seq);
}

START_TEST(a_reward_fares_by_the_table)
{
	struct experiment_spec spec = spec_of("uniform");
	struct select_in in = {.id = NULL};
	struct event d;
	struct rig r;

	for (int i = 0; i < 4 * 3 * 2 * 2; i++) {
		bool retired = i / 12 % 2;

		spec.settings.aggregate = (enum aggregate)(i % 4);
		spec.settings.late = (enum late_rule)(i / 4 % 3);
		spec.settings.has_fallback = i / 24;
		rig_init(&r, &spec);
		d = decided(&r, &in, AT_US);
		if (retired) {
			set_arm(&r, d.decision.picks[0].slot, ARM_RETIRED);
		}
		for (unsigned flags = 0; flags < 64; flags++) {
			for (int k = 0; k < 4; k++) {
				try_reward(&r, &d, flags, k % 2, k / 2, retired);
			}
		}
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_window_closes_with_what_is_held_or_the_default_or_nothing)
{
	struct experiment_spec spec = spec_of("uniform");
	struct select_in in = {.id = NULL};
	struct event d, ev;
	struct rig r;

	spec.settings.aggregate = AGGREGATE_SUM;
	for (int i = 0; i < 32; i++) {
		bool fallback = i & 1, held = i & 2, deferred = i & 4, shown = i & 8;
		bool retired = i & 16, learns = (held || fallback) && (!deferred || shown);
		struct pending p = {.rewards = held, .held = held ? 3 : 0};

		spec.settings.has_fallback = fallback;
		spec.settings.fallback = 0.25;
		p.flags = (deferred ? PENDING_DEFERRED : 0) | (shown ? PENDING_ACTIVATED : 0);
		rig_init(&r, &spec);
		d = decided(&r, &in, AT_US);
		if (retired) {
			set_arm(&r, d.decision.picks[0].slot, ARM_RETIRED);
		}
		ck_assert_int_eq(
		    experiment_expire(r.e, &d, &p, AT_US + WINDOW_US - 1, &ev), RC_STATE);
		ck_assert_int_eq(experiment_expire(r.e, &d, &p, AT_US + WINDOW_US, &ev), 0);
		ck_assert_uint_eq(
		    ev.feedback.flags, FEEDBACK_CLOSE | (retired     ? 0
							    : learns ? FEEDBACK_LEARN
								     : FEEDBACK_LOST));
		ck_assert_double_eq(ev.feedback.learn, retired || !learns ? 0 : held ? 1 : 0.25);
		commit(&r, &ev);
		pending_apply(&p, &ev);
		ck_assert(!pending_is_open(&p));
		ck_assert_int_eq(experiment_expire(r.e, &d, &p, AT_US + WINDOW_US, &ev), RC_EXISTS);
		ck_assert_uint_eq(experiment_totals(r.e)->open, 0);
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_reward_just_before_the_window_is_closed_fares_as_one_just_after)
{
	struct experiment_spec spec = spec_of("thompson");
	struct select_in in = {.id = NULL};
	struct reward_in reward = {.reward = 0.25};
	struct rig r;

	spec.settings.late = LATE_LEARN;
	for (int i = 0; i < 8; i++) {
		uint64_t learnt[2];
		double sum[2];

		spec.settings.aggregate = i & 1 ? AGGREGATE_SUM : AGGREGATE_FIRST;
		spec.settings.has_fallback = i & 2;
		for (int after = 0; after < 2; after++) {
			struct pending p = {.flags = 0};
			struct event d, ev;
			enum feedback_status status;

			rig_init(&r, &spec);
			d = decided(&r, &in, AT_US);
			pending_start(&p, &d.decision);
			for (int k = i & 4 ? 0 : 1; k < 3; k++) { /* on time, late, expiry */
				uint64_t at_us = k ? AT_US + WINDOW_US : AT_US;
				bool expire = k == (after ? 1 : 2);
				int rc = expire ? experiment_expire(r.e, &d, &p, at_us, &ev)
						: experiment_reward(r.e, &d, &p, &reward, at_us,
						      &ev, &status, &r.err);

				if (rc == 0 && ev.kind) {
					commit(&r, &ev);
					pending_apply(&p, &ev);
				}
			}
			learnt[after] = experiment_totals(r.e)->learnt;
			sum[after] = experiment_arms(r.e)->totals[d.decision.picks[0].slot].sum;
			ck_assert_uint_eq(experiment_totals(r.e)->open, 0);
			rig_release(&r);
		}
		ck_assert_uint_eq(learnt[0], learnt[1]);
		ck_assert_double_eq(sum[0], sum[1]);
	}
}
END_TEST

START_TEST(a_cost_is_learnt_in_its_own_direction)
{
	struct experiment_spec spec = spec_of("epsilon_greedy");
	struct select_in in = {.id = NULL};
	struct pending p = {.flags = 0};
	struct reward_in cost;
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
		    experiment_reward(r.e, &d, &p, &cost, AT_US + i, &ev, &status, &r.err), 0);
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

RUN("experiment", a_reward_fares_by_the_table,
    a_window_closes_with_what_is_held_or_the_default_or_nothing,
    a_reward_just_before_the_window_is_closed_fares_as_one_just_after,
    a_cost_is_learnt_in_its_own_direction, the_floor_is_shared_by_the_arms_of_the_decision,
    eligible_and_excluded_arms_are_resolved, a_made_id_carries_a_check,
    a_clock_that_jumps_back_does_not_turn_back_the_log, what_does_not_fit_changes_nothing)
