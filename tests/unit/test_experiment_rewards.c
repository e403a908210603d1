/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of rewards, windows and voids: the whole table of rules. */
#include "experiment_rig.h"

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
    {{ANY, LATE_LEARN, 1, 0, ANY, 1, ANY, ANY}, FEEDBACK_RECORDED}, /* nobody has seen it */
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
	int rc = experiment_reward(r->e, d, &p, &in, at_us, &r->mem, &ev, &status, &r->err);

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
		    experiment_expire(r.e, &d, &p, AT_US + WINDOW_US - 1, &r.mem, &ev), RC_STATE);
		ck_assert_int_eq(experiment_expire(r.e, &d, &p, AT_US + WINDOW_US, &r.mem, &ev), 0);
		ck_assert_uint_eq(
		    ev.feedback.flags, FEEDBACK_CLOSE | (retired     ? 0
							    : learns ? FEEDBACK_LEARN
								     : FEEDBACK_LOST));
		ck_assert_double_eq(ev.feedback.learn, retired || !learns ? 0 : held ? 1 : 0.25);
		commit(&r, &ev);
		pending_apply(&p, &ev);
		ck_assert(!pending_is_open(&p));
		ck_assert_int_eq(
		    experiment_expire(r.e, &d, &p, AT_US + WINDOW_US, &r.mem, &ev), RC_EXISTS);
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
				int rc = expire ? experiment_expire(r.e, &d, &p, at_us, &r.mem, &ev)
						: experiment_reward(r.e, &d, &p, &reward, at_us,
						      &r.mem, &ev, &status, &r.err);

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

RUN("experiment_rewards", a_reward_fares_by_the_table,
    a_window_closes_with_what_is_held_or_the_default_or_nothing,
    a_reward_just_before_the_window_is_closed_fares_as_one_just_after)
