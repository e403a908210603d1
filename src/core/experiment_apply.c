/* SPDX-License-Identifier: Apache-2.0 */
/* The only mutation: an event is checked against the state, then enters it. */
#include <string.h>

#include "core/experiment_impl.h"

/* Room for the groups that this decision names first, and for its subject. */
static int reserve_decision(struct experiment *e, const struct event_decision *d)
{
	size_t n = 0, text = 0;
	int rc;

	for (size_t i = 0; i < d->ngroups; i++) {
		if (arms_find(&e->groups, d->groups[i]) == ARM_NONE) {
			n++;
			text += strlen(d->groups[i]) + 2;
		}
	}
	if (e->groups.n + n > GROUPS_ALL_MAX) {
		return RC_LIMIT;
	}
	rc = n ? arms_reserve(&e->groups, n, text) : 0;
	if (rc == 0 && n && e->ops->reserve_groups) {
		rc = e->ops->reserve_groups(e->state, e->groups.n + n);
	}
	if (rc == 0 && d->subject && e->ops->reserve_subject) {
		rc = e->ops->reserve_subject(e->state, d->subject);
	}
	return rc;
}

int experiment_reserve(struct experiment *e, const struct event *ev)
{
	size_t n = 0, text = 0;
	int rc;

	if (ev->kind == EVENT_CHANGE) {
		rc = experiment_reserve_label(e, ev->change.label);
		return rc ? rc : experiment_reserve_policy(e, &ev->change);
	}
	if (ev->kind == EVENT_STREAM) {
		return backlog_reserve_event(e, &ev->stream);
	}
	if (ev->kind != EVENT_ARM) {
		rc = ev->kind == EVENT_DECISION ? reserve_decision(e, &ev->decision) : 0;
		return rc ? rc : history_reserve(&e->history, ev->at_us);
	}
	for (size_t i = 0; i < ev->arm.n; i++) {
		const struct arm_change *c = &ev->arm.changes[i];

		if (c->op == ARM_OP_ADD) {
			n++;
			text += strlen(c->id) + strlen(c->label) + 2;
		}
	}
	return n ? experiment_reserve_arms(e, n, text, NULL) : 0;
}

static bool decision_fits(const struct experiment *e, const struct event_decision *d)
{
	bool slate = d->flags & DECISION_SLATE, forecast = d->flags & DECISION_FORECAST;

	if (slate != experiment_is_slate(e) || forecast != !!(e->traits & POLICY_FORECAST) ||
	    (!slate && d->npicks != !forecast) || d->ngroups > GROUPS_MAX ||
	    (e->dim && d->dim != e->dim)) {
		return false;
	}
	for (size_t i = 0; e->closed_groups && i < d->ngroups; i++) {
		if (experiment_group(e, d->groups[i]) == ARM_NONE) {
			return false;
		}
	}
	for (size_t i = 0; i < d->npicks; i++) {
		if (d->picks[i].slot >= e->arms.n ||
		    e->arms.arm[d->picks[i].slot].state != ARM_ACTIVE) {
			return false;
		}
	}
	return true;
}

/* Their numbers; those that are new get the next ones, and those that were removed are back. */
static void count_groups(
    struct experiment *e, const struct event_decision *d, uint32_t ret[GROUPS_MAX])
{
	for (size_t i = 0; i < d->ngroups; i++) {
		ret[i] = arms_find(&e->groups, d->groups[i]);
		if (ret[i] == ARM_NONE) {
			ret[i] = arms_add(&e->groups, d->groups[i], "");
		}
		if (e->groups.arm[ret[i]].state != ARM_ACTIVE) {
			arms_set(&e->groups, ret[i], ARM_ACTIVE);
		}
		e->groups.totals[ret[i]].decisions++;
	}
}

static int apply_decision(struct experiment *e, const struct event *ev)
{
	const struct event_decision *d = &ev->decision;
	uint32_t groups[GROUPS_MAX];

	if (!decision_fits(e, d) || backlog_decide(e, d)) {
		return RC_CORRUPT;
	}
	e->totals.decisions++;
	e->totals.open += d->npicks || (d->flags & DECISION_FORECAST);
	for (size_t i = 0; i < d->npicks; i++) {
		uint32_t slot = d->picks[i].slot;

		e->arms.totals[slot].decisions++;
		if (e->arms.totals[slot].decisions > e->arms.totals[e->leader].decisions) {
			e->leader = slot;
		}
	}
	count_groups(e, d, groups);
	history_decision(&e->history, ev->at_us);
	if (e->ops->pulled) {
		e->ops->pulled(e->state, &(struct pull){.seq = ev->seq,
					     .at_us = ev->at_us,
					     .picks = d->picks,
					     .npicks = d->npicks,
					     .x = d->x,
					     .subject = d->subject,
					     .groups = groups,
					     .ngroups = d->ngroups,
					     .memo = d->memo,
					     .nmemo = d->nmemo,
					     .prediction = d->prediction});
	}
	return 0;
}

static void count_learnt(struct arm_totals *t, double learn)
{
	t->rewards++;
	t->sum += learn;
	t->squares += learn * learn;
}

/* The results as the policy learns them. */
static const struct result *learnable(struct experiment *e, const struct event_feedback *f)
{
	for (size_t i = 0; i < f->nresults; i++) {
		double v = experiment_clip(e, f->results[i].reward);

		e->results[i] =
		    (struct result){f->results[i].slot, e->goal == GOAL_MINIMISE ? -v : v};
	}
	return e->results;
}

/* One arm's (or a forecast's) feedback enters the state. */
static void learn(struct experiment *e, const struct event *ev, const struct pick *pick,
    double value, bool revived)
{
	const struct event_feedback *f = &ev->feedback;

	if (!(f->flags & FEEDBACK_FORECAST) && backlog_is_of(e, pick->slot, f->ref)) {
		count_learnt(&e->arms.totals[pick->slot], value);
	}
	for (size_t i = 0; i < f->ngroups; i++) {
		if (f->groups[i] != GROUP_GONE) {
			count_learnt(&e->groups.totals[f->groups[i]], value);
		}
	}
	history_reward(&e->history, ev->at_us, value);
	e->ops->update(e->state, &(struct outcome){
				     .ref = f->ref,
				     .at_us = ev->at_us,
				     .slot = f->flags & FEEDBACK_FORECAST ? SLOT_NONE : pick->slot,
				     .reward = e->goal == GOAL_MINIMISE ? -value : value,
				     .propensity = pick->propensity,
				     .x = f->x,
				     .revived = revived,
				     .results = learnable(e, f),
				     .nresults = f->nresults,
				     .groups = f->groups,
				     .ngroups = f->ngroups,
				     .memo = f->memo,
				     .nmemo = f->nmemo,
				     .prediction = f->prediction,
				 });
}

static void count_status(struct totals *t, enum feedback_status status, unsigned flags, bool late)
{
	t->recorded += status == FEEDBACK_RECORDED;
	t->held += status == FEEDBACK_PENDING;
	t->late += late;
	t->clipped += (flags & FEEDBACK_CLIPPED) != 0;
}

static void count_feedback(struct totals *t, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;
	bool late = f->flags & FEEDBACK_IS_LATE;

	t->open -= (f->flags & FEEDBACK_CLOSE) != 0;
	t->expired += ev->kind == EVENT_EXPIRY;
	t->voided += ev->kind == EVENT_VOID;
	t->learnt += (f->flags & FEEDBACK_LEARN) != 0;
	for (size_t i = 0; i < f->narms; i++) {
		t->learnt += (f->arms[i].flags & FEEDBACK_LEARN) != 0;
		if (ev->kind == EVENT_REWARD && f->arms[i].status <= FEEDBACK_RECORDED) {
			count_status(t, f->arms[i].status, f->arms[i].flags, late);
		}
	}
	if (ev->kind == EVENT_REWARD && !(f->flags & FEEDBACK_SLATE)) {
		count_status(t, f->status, f->flags, late);
	}
}

static bool arm_fits(const struct experiment *e, const struct pick *pick, unsigned flags, double v)
{
	bool learns = flags & FEEDBACK_LEARN, lost = flags & FEEDBACK_LOST;

	return pick->slot < e->arms.n && !(learns && lost) &&
	       !((learns || lost) && e->arms.arm[pick->slot].state == ARM_RETIRED) &&
	       !(learns && !(v >= e->lo && v <= e->hi));
}

/* Full information is there whenever it is learnt, and may be when it is only recorded. */
static bool results_fit(const struct experiment *e, const struct event_feedback *f)
{
	if (!(e->traits & POLICY_FULL)) {
		return f->nresults == 0;
	}
	if (f->nresults > e->arms.n || (f->nresults == 0 && (f->flags & FEEDBACK_LEARN))) {
		return false;
	}
	for (size_t i = 0; i < f->nresults; i++) {
		uint32_t slot = f->results[i].slot;

		if (slot >= e->arms.n ||
		    ((f->flags & FEEDBACK_LEARN) && e->arms.arm[slot].state == ARM_RETIRED)) {
			return false;
		}
	}
	return true;
}

static bool feedback_fits(const struct experiment *e, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;
	bool slate = f->flags & FEEDBACK_SLATE, forecast = f->flags & FEEDBACK_FORECAST;

	if (f->ref == 0 || f->ref >= ev->seq || (e->dim && f->dim != e->dim) ||
	    (f->tested && !backlog_explores(e, f->memo, f->nmemo)) ||
	    ((f->flags & FEEDBACK_CLOSE) && e->totals.open == 0) ||
	    slate != experiment_is_slate(e) || forecast != !!(e->traits & POLICY_FORECAST) ||
	    !results_fit(e, f)) {
		return false;
	}
	for (size_t i = 0; i < f->ngroups; i++) {
		uint32_t number = f->groups[i];

		if (number != GROUP_GONE &&
		    (number >= e->groups.n || e->groups.arm[number].state != ARM_ACTIVE)) {
			return false;
		}
	}
	for (size_t i = 0; i < f->narms; i++) {
		if (!arm_fits(e, &f->arms[i].pick, f->arms[i].flags, f->arms[i].learn)) {
			return false;
		}
	}
	if (forecast) {
		return !(f->flags & FEEDBACK_LEARN) || (f->learn >= e->lo && f->learn <= e->hi);
	}
	return slate || arm_fits(e, &f->pick, f->flags, f->learn);
}

static void lose(struct experiment *e, const struct event *ev, const struct pick *pick)
{
	const struct event_feedback *f = &ev->feedback;

	if (e->ops->lost) {
		e->ops->lost(e->state, &(struct pull){.seq = f->ref,
					   .at_us = ev->at_us,
					   .picks = pick,
					   .npicks = pick != NULL,
					   .x = f->x,
					   .groups = f->groups,
					   .ngroups = f->ngroups,
					   .memo = f->memo,
					   .nmemo = f->nmemo,
					   .prediction = f->prediction,
					   .voided = ev->kind == EVENT_VOID});
	}
}

static int apply_feedback(struct experiment *e, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;

	if (!feedback_fits(e, ev)) {
		return RC_CORRUPT;
	}
	count_feedback(&e->totals, ev);
	if (f->tested) {
		e->backlog->late++;
	}
	if (ev->kind == EVENT_EXPIRY && f->ref > e->expired_ref) {
		e->expired_ref = f->ref;
	}
	for (size_t i = 0; i < f->narms; i++) {
		const struct feedback_arm *a = &f->arms[i];

		if (a->flags & FEEDBACK_LEARN) {
			learn(e, ev, &a->pick, a->learn, a->flags & FEEDBACK_REVIVED);
		} else if (a->flags & FEEDBACK_LOST) {
			lose(e, ev, &a->pick);
		}
	}
	if (f->flags & FEEDBACK_LEARN) {
		learn(e, ev, &f->pick, f->learn, f->flags & FEEDBACK_REVIVED);
	} else if (f->flags & FEEDBACK_LOST) {
		lose(e, ev, f->flags & FEEDBACK_FORECAST ? NULL : &f->pick);
	}
	return 0;
}

/* Would the change fit? Adds take the next slots in order; what is set is there and not retired. */
static bool arm_change_fits(const struct experiment *e, const struct arm_change *c, uint32_t *next)
{
	if (c->op == ARM_OP_ADD) {
		return c->slot == (*next)++ && arms_find(&e->arms, c->id) == ARM_NONE &&
		       (!c->between || experiment_refines(e, c->left, c->right));
	}
	return c->slot < e->arms.n && e->arms.arm[c->slot].state != ARM_RETIRED;
}

static int apply_arm(struct experiment *e, const struct event *ev)
{
	uint32_t next = e->arms.n;

	for (size_t i = 0; i < ev->arm.n; i++) {
		if (!arm_change_fits(e, &ev->arm.changes[i], &next)) {
			return RC_CORRUPT;
		}
	}
	for (size_t i = 0; i < ev->arm.n; i++) {
		const struct arm_change *c = &ev->arm.changes[i];

		if (c->op == ARM_OP_ADD) {
			experiment_add_arm(e, c->id, c->label);
			if (c->between) {
				e->ops->arm_between(e->state, c->slot, c->left, c->right);
			}
		} else if (e->arms.arm[c->slot].state != c->state) {
			arms_set(&e->arms, c->slot, c->state);
			backlog_keep(e, c->slot);
			e->ops->arm_set(e->state, c->slot, c->state);
		}
	}
	e->changed_seq = ev->seq;
	return 0;
}

static int apply_change(struct experiment *e, const struct event *ev)
{
	if (settings_check(&ev->change, e->lo, e->hi, NULL) ||
	    experiment_check_settings(e, &ev->change, NULL) ||
	    experiment_check_policy(e, &ev->change, NULL)) {
		return RC_CORRUPT;
	}
	experiment_change_policy(e, &ev->change);
	experiment_set(e, &ev->change);
	e->changed_seq = ev->seq;
	return 0;
}

static int apply_plan(struct experiment *e, const struct event *ev)
{
	const struct event_plan *p = &ev->plan;
	struct rd in;
	int rc = 0;

	if (!e->ops->plan_due || (p->op == PLAN_DONE && !e->planning)) {
		return RC_CORRUPT;
	}
	if (p->op != PLAN_BEGIN) { /* first, for it alone can fail */
		rd_init(&in, p->bytes, p->n);
		rc = e->ops->plan_apply(e->state, &in);
	}
	if (rc == 0 && p->op != PLAN_DONE) {
		e->ops->plan_begin(e->state, p->op == PLAN_NOW);
	}
	if (rc == 0) {
		e->planning = p->op == PLAN_BEGIN;
	}
	return rc;
}

static int apply_group(struct experiment *e, const char *id)
{
	uint32_t number = experiment_group(e, id);

	if (number == ARM_NONE) {
		return RC_CORRUPT;
	}
	arms_set(&e->groups, number, ARM_RETIRED);
	e->groups.totals[number] = (struct arm_totals){.decisions = 0};
	if (e->ops->group_gone) {
		e->ops->group_gone(e->state, number);
	}
	return 0;
}

int experiment_apply(struct experiment *e, const struct event *ev)
{
	int rc;

	if (ev->seq != e->seq + 1 || ev->at_us < e->at_us) {
		return RC_CORRUPT;
	}
	rc = experiment_reserve(e, ev);
	if (rc) {
		return rc == RC_LIMIT ? RC_CORRUPT : rc;
	}
	switch (ev->kind) {
	case EVENT_DECISION:
		rc = apply_decision(e, ev);
		break;
	case EVENT_REWARD:
	case EVENT_EXPIRY:
	case EVENT_ACTIVATE:
	case EVENT_VOID:
		rc = apply_feedback(e, ev);
		break;
	case EVENT_ARM:
		rc = apply_arm(e, ev);
		break;
	case EVENT_CHANGE:
		rc = apply_change(e, ev);
		break;
	case EVENT_PLAN:
		rc = apply_plan(e, ev);
		break;
	case EVENT_STREAM:
		rc = backlog_apply(e, ev);
		break;
	case EVENT_GROUP:
		rc = apply_group(e, ev->group);
		break;
	default:
		rc = RC_CORRUPT;
	}
	if (rc == 0) {
		e->seq = ev->seq;
		e->at_us = ev->at_us;
	}
	return rc;
}
