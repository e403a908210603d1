/* SPDX-License-Identifier: Apache-2.0 */
/* Groups that are removed: what was learnt goes, their late rewards pass them over, and a name that
 * comes again begins anew. */
#include "core/experiment.h"
#include "groupwise_rig.h"

/* Rewards and labels of groups 0 and 1 with `_all`, until each has learnt. */
static void live(struct rig *r, double *x)
{
	static const uint32_t both[] = {0, 1};
	uint32_t groups[2];

	for (unsigned t = 0; t < 40; t++) {
		double y = rig_row(t, x, groups);

		if (r->params.kind == GROUPWISE_REGRESS) {
			rig_predict(r, x, both, 2);
			rig_label(r, y);
		} else {
			rig_ask(r, both, 2);
			rig_reward(r, t % 3, y);
		}
	}
}

static void check_gone(enum groupwise_kind kind, enum groupwise_form form)
{
	static const uint32_t second[] = {1}, fresh[] = {7};
	const struct groupwise *g;
	double x[5], first, again;
	struct rig r;

	rig_init(&r, kind, 5);
	r.params.form = (int)form;
	r.params.eta = 0.3;
	rig_open(&r);
	live(&r, x);
	g = rig_state(&r);
	ck_assert_uint_gt(g->group[2].n, 0);
	groupwise_ops.group_gone(r.state, 1);
	ck_assert_uint_eq(g->group[2].n, 0);
	ck_assert_double_eq(g->group[2].r, 0);
	ck_assert_double_eq(g->group[2].c, 0);
	ck_assert_double_eq(g->group[2].m, 0);
	ck_assert_uint_gt(g->group[1].n, 0);
	groupwise_ops.group_gone(r.state, 1);
	groupwise_ops.group_gone(r.state, 4000); /* never came */
	if (kind == GROUPWISE_REGRESS) {         /* as one that was never named */
		first = rig_predict(&r, x, second, 1);
		again = rig_predict(&r, x, fresh, 1);
	} else {
		rig_ask(&r, second, 1);
		first = r.pmf[0];
		rig_ask(&r, fresh, 1);
		again = r.pmf[0];
	}
	ck_assert_double_eq(first, again);
	rig_close(&r);
}

START_TEST(a_group_that_is_gone_is_as_new)
{
	check_gone(GROUPWISE_ARMS, GROUPWISE_A);
	check_gone(GROUPWISE_ARMS, GROUPWISE_B);
	check_gone(GROUPWISE_REGRESS, GROUPWISE_A);
}
END_TEST

/* The state after a reward for a decision whose group in the middle was removed before. */
static void late(struct rig *r, enum groupwise_kind kind, enum groupwise_form form, bool removed)
{
	static const uint32_t three[] = {0, 1, 2}, rest[] = {0, GROUP_GONE, 2};
	double x[5], y;
	uint32_t groups[2];
	struct outcome o;

	rig_init(r, kind, 5);
	r->params.form = (int)form;
	r->params.eta = 0.3;
	rig_open(r);
	live(r, x);
	y = rig_row(50, x, groups);
	if (kind == GROUPWISE_REGRESS) {
		rig_predict(r, x, three, 3);
		o = rig_outcome(r, y);
	} else {
		rig_ask(r, three, 3);
		buf_reset(&r->memo);
		groupwise_ops.note(r->state, &r->ask, r->pmf, 1, &r->memo);
		rig_pull(r);
		o = rig_outcome(r, 0.25);
		o.slot = r->ask.slots[1];
		o.propensity = r->pmf[1];
	}
	if (removed) {
		groupwise_ops.group_gone(r->state, 1);
		o.groups = rest;
	}
	groupwise_ops.update(r->state, &o);
}

static void check_late(enum groupwise_kind kind, enum groupwise_form form)
{
	const struct groupwise *a, *b;
	struct rig with, without;

	late(&with, kind, form, false);
	late(&without, kind, form, true);
	a = rig_state(&with);
	b = rig_state(&without);
	ck_assert_uint_eq(b->group[2].n, 0);
	ck_assert_double_eq(b->group[2].c, 0);
	ck_assert_uint_eq(b->rejected, a->rejected);
	for (uint32_t i = 0; i < 4; i++) {
		if (i == 2) {
			continue;
		}
		ck_assert_uint_eq(a->group[i].n, b->group[i].n);
		if (kind == GROUPWISE_REGRESS) { /* by what was noted with the decision */
			ck_assert_double_eq(a->group[i].r, b->group[i].r);
			ck_assert_double_eq(a->group[i].c, b->group[i].c);
		}
	}
	rig_close(&with);
	rig_close(&without);
}

START_TEST(late_rewards_pass_over_what_is_gone)
{
	check_late(GROUPWISE_ARMS, GROUPWISE_A);
	check_late(GROUPWISE_ARMS, GROUPWISE_B);
	check_late(GROUPWISE_REGRESS, GROUPWISE_A);
}
END_TEST

/* Form A: what those that are left weigh together does not change. */
START_TEST(the_weight_of_the_rest_stays)
{
	double before = 0, after = 0;
	const struct groupwise *g;
	struct rig a, b;

	late(&a, GROUPWISE_ARMS, GROUPWISE_A, true);
	g = rig_state(&a);
	rig_init(&b, GROUPWISE_ARMS, 5);
	b.params.eta = 0.3;
	rig_open(&b);
	live(&b, (double[5]){0});
	for (uint32_t i = 0; i < 4; i++) {
		const struct groupwise_group *then =
		    i < rig_state(&b)->ngroups ? &rig_state(&b)->group[i] : NULL;

		for (uint32_t k = 0; i != 2 && k < RIG_ARMS; k++) {
			after += exp(g->group[i].cell[k]);
			before += then ? exp(then->cell[k]) : 1;
		}
	}
	ck_assert_double_eq_tol(after / before, 1, 1e-12);
	rig_close(&a);
	rig_close(&b);
}
END_TEST

/* No log has feedback of a group that was removed, only a gap where it was. */
START_TEST(feedback_names_no_group_that_is_gone)
{
	static const struct spec_arm arms[] = {{"a", ""}, {"b", ""}};
	static const char *const names[] = {"x", "y"};
	static const uint32_t numbers[] = {0, 1}, gap[] = {0, GROUP_GONE};
	const struct experiment_spec spec = {.name = "e",
	    .policy = "groupwise",
	    .arms = arms,
	    .narms = 2,
	    .slots = 1,
	    .hi = 1,
	    .settings = {.label = ""}};
	struct select_in in = {.groups = names, .ngroups = 2};
	struct event decision, ev;
	struct pending pending;
	struct experiment *e;
	struct arena mem;
	enum feedback_status status;

	arena_init(&mem, (size_t)1 << 20);
	ck_assert_int_eq(experiment_new(&spec, &groupwise_ops, 1, &e, NULL), 0);
	ck_assert_int_eq(experiment_select(e, &in, 2, &mem, &decision, NULL), 0);
	ck_assert_int_eq(experiment_apply(e, &decision), 0);
	ck_assert_int_eq(experiment_remove_group(e, "z", 3, &ev, NULL), RC_NOT_FOUND);
	ck_assert_int_eq(experiment_remove_group(e, "y", 3, &ev, NULL), 0);
	ck_assert_int_eq(experiment_apply(e, &ev), 0);
	ev.seq++;
	ck_assert_int_eq(experiment_apply(e, &ev), RC_CORRUPT); /* it is gone already */
	pending_start(&pending, &decision.decision);
	ck_assert_int_eq(experiment_reward(e, &decision, &pending, &(struct reward_in){.reward = 1},
			     4, &mem, &ev, &status, NULL),
	    0);
	ck_assert_mem_eq(ev.feedback.groups, gap, sizeof(gap));
	ev.feedback.groups = numbers;
	ck_assert_int_eq(experiment_apply(e, &ev), RC_CORRUPT);
	ev.feedback.groups = gap;
	ck_assert_int_eq(experiment_apply(e, &ev), 0);
	experiment_free(e);
	arena_release(&mem);
}
END_TEST

RUN("groupwise_gone", feedback_names_no_group_that_is_gone, a_group_that_is_gone_is_as_new,
    late_rewards_pass_over_what_is_gone, the_weight_of_the_rest_stays)
