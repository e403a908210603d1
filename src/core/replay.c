/* SPDX-License-Identifier: Apache-2.0 */
#include "core/replay.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/experiment_plan.h"
#include "core/replay_impl.h"

#define MEM_MAX ((size_t)64 << 20)

void replay_init(struct replay *r, const struct replay_options *o)
{
	*r = (struct replay){.o = *o};
	arena_init(&r->mem, MEM_MAX);
	buf_init(&r->logged, EVENT_BYTES_MAX);
	buf_init(&r->again, EVENT_BYTES_MAX);
	buf_init(&r->plan, EVENT_BYTES_MAX);
}

void replay_from(struct replay *r, struct experiment *e)
{
	r->e = e;
	r->base = experiment_seq(e);
}

void replay_release(struct replay *r)
{
	experiment_free(r->e);
	arena_release(&r->mem);
	buf_release(&r->logged);
	buf_release(&r->again);
	buf_release(&r->plan);
}

static int out_of_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

int replay_diverge(struct replay *r, const struct event *ev, const char *fmt, ...)
{
	va_list ap;

	r->report.seq = ev->seq;
	va_start(ap, fmt);
	vsnprintf(r->report.text, sizeof(r->report.text), fmt, ap);
	va_end(ap);
	return RC_CORRUPT;
}

int replay_refused(struct replay *r, const struct event *ev, int rc, const struct errinfo *why,
    struct errinfo *err)
{
	if (rc == RC_MEMORY) {
		return out_of_memory(err);
	}
	return replay_diverge(r, ev, "this %s is refused: %s", event_kind_names[ev->kind],
	    why->text[0] ? why->text : err_name(rc));
}

/* ---- what differs, in words ---- */

static int differ_decision(struct replay *r, const struct event *a, const struct event *b)
{
	const struct pick *was = a->decision.picks, *is = b->decision.picks;
	const struct arms *arms = experiment_arms(r->e);

	if (a->decision.npicks != b->decision.npicks) {
		return replay_diverge(r, a, "%zu arms are logged, %zu are answered",
		    a->decision.npicks, b->decision.npicks);
	}
	if (a->decision.prediction != b->decision.prediction) {
		return replay_diverge(r, a, "%.17g is logged as the prediction, %.17g is predicted",
		    a->decision.prediction, b->decision.prediction);
	}
	for (size_t i = 0; i + 1 < a->decision.npicks; i++) {
		if (was->slot == is->slot && was->propensity == is->propensity) {
			was++;
			is++;
		}
	}
	if (a->decision.npicks == 0) {
		return replay_diverge(r, a, "what the policy noted for its update differs");
	}
	if (was->slot != is->slot || was->propensity != is->propensity) {
		return replay_diverge(r, a,
		    "arm %.64s with propensity %.17g is logged, %.64s with %.17g is drawn",
		    was->slot < arms->n ? arms_id(arms, was->slot) : "?", was->propensity,
		    arms_id(arms, is->slot), is->propensity);
	}
	if (a->decision.expires_us != b->decision.expires_us) {
		return replay_diverge(r, a,
		    "its window is logged to close at %" PRIu64 ", not %" PRIu64,
		    a->decision.expires_us, b->decision.expires_us);
	}
	return replay_diverge(r, a, "%s",
	    a->decision.nmemo != b->decision.nmemo ? "what the policy noted for its update differs"
	    : a->decision.flags & DECISION_PMF
		? "the distribution or its arms differ"
		: "the arms that were eligible differ, or what the policy noted");
}

static int differ_feedback(struct replay *r, const struct event *a, const struct event *b)
{
	const struct event_feedback *was = &a->feedback, *is = &b->feedback;

	if (a->kind == EVENT_REWARD && was->status != is->status) {
		return replay_diverge(r, a, "status %s is logged, %s is due",
		    feedback_status_names[was->status], feedback_status_names[is->status]);
	}
	if (was->narms != is->narms) {
		return replay_diverge(r, a, "the fate of %zu arms is logged, that of %zu is due",
		    was->narms, is->narms);
	}
	if (was->pick.slot != is->pick.slot || was->pick.propensity != is->pick.propensity) {
		return replay_diverge(r, a,
		    "slot %" PRIu32 " with propensity %.17g is logged, the decision at seq %" PRIu64
		    " has %" PRIu32 " with %.17g",
		    was->pick.slot, was->pick.propensity, was->ref, is->pick.slot,
		    is->pick.propensity);
	}
	if (was->learn != is->learn) {
		return replay_diverge(
		    r, a, "%.17g is logged as learnt, %.17g is due", was->learn, is->learn);
	}
	return replay_diverge(r, a, "flags %u are logged, %u are due, or its decision differs",
	    was->flags, is->flags);
}

int replay_compare(
    struct replay *r, const struct event *ev, const struct event *again, struct errinfo *err)
{
	buf_reset(&r->logged);
	buf_reset(&r->again);
	event_encode(ev, &r->logged);
	event_encode(again, &r->again);
	if (r->logged.rc || r->again.rc) {
		return out_of_memory(err);
	}
	if (r->logged.len == r->again.len &&
	    memcmp(r->logged.data, r->again.data, r->logged.len) == 0) {
		r->report.derived++;
		return 0;
	}
	if (ev->at_us != again->at_us) {
		return replay_diverge(r, ev, "its time is before that of the event before");
	}
	if (ev->kind == EVENT_STREAM) {
		return replay_differ_stream(r, ev, again);
	}
	return ev->kind == EVENT_DECISION ? differ_decision(r, ev, again)
					  : differ_feedback(r, ev, again);
}

/* ---- asking again ---- */

/* The slots of the event as the ids that the question named. */
static const char *const *eligible_ids(
    struct replay *r, const struct event_decision *d, struct arena *mem)
{
	const struct arms *arms = experiment_arms(r->e);
	const char **ids = arena_array(mem, d->nslots, sizeof(*ids));

	for (size_t i = 0; ids && i < d->nslots; i++) {
		ids[i] = d->slots[i] < arms->n ? arms_id(arms, d->slots[i]) : "";
	}
	return ids;
}

static int derive_decision(struct replay *r, const struct event *ev, struct errinfo *err)
{
	const struct event_decision *d = &ev->decision;
	struct select_in in = {.id = d->id,
	    .fingerprint = d->fingerprint,
	    .subject = d->subject,
	    .context = d->context,
	    .groups = d->groups,
	    .ngroups = d->ngroups,
	    .x = d->x,
	    .dim = d->dim,
	    .defer = d->flags & DECISION_DEFER,
	    .want_pmf = d->flags & DECISION_PMF,
	    .has_eligible = d->flags & DECISION_RESTRICTED};
	struct errinfo why = {.rc = 0};
	struct event again;
	int rc;

	if (in.has_eligible) {
		in.eligible = eligible_ids(r, d, &r->mem);
		in.neligible = d->nslots;
		if (!in.eligible) {
			return out_of_memory(err);
		}
	}
	rc = experiment_select(r->e, &in, ev->at_us, &r->mem, &again, &why);
	if (rc == 0 && again.kind && again.decision.arm &&
	    !d->arm) { /* of a stream, as versions wrote it that had no backlog */
		again.decision.arm = NULL;
		again.decision.expires_us = d->expires_us;
	}
	return rc ? replay_refused(r, ev, rc, &why, err) : replay_compare(r, ev, &again, err);
}

/* The feedback as it was sent. */
static int reward_given(struct replay *r, const struct event_feedback *f, struct reward_in *ret)
{
	const struct arms *arms = experiment_arms(r->e);
	size_t n = f->flags & FEEDBACK_SLATE ? f->narms : f->nresults;
	struct arm_reward *at = arena_array(&r->mem, n, sizeof(*at));

	if (!at) {
		return RC_MEMORY;
	}
	ret->form = f->flags & FEEDBACK_FORECAST               ? FORM_LABEL
		    : f->flags & FEEDBACK_SLATE || f->nresults ? FORM_REWARDS
							       : FORM_REWARD;
	for (size_t i = 0; i < n; i++) {
		bool slate = f->flags & FEEDBACK_SLATE;
		uint32_t slot = slate ? f->arms[i].pick.slot : f->results[i].slot;

		at[i].arm = slot < arms->n ? arms_id(arms, slot) : "";
		at[i].reward = slate ? f->arms[i].reward : f->results[i].reward;
	}
	ret->rewards = at;
	ret->nrewards = n;
	return 0;
}

/* The event that the same feedback gives now; kind 0: none. */
static int ask_again(struct replay *r, const struct event *ev, const struct event *d,
    const struct pending *p, struct event *ret, struct errinfo *why)
{
	const struct event_feedback *f = &ev->feedback;
	struct reward_in in = {.reward = f->reward, .key = f->key, .fingerprint = f->fingerprint};
	enum feedback_status status;
	int rc = ev->kind == EVENT_REWARD ? reward_given(r, f, &in) : 0;

	if (rc) {
		return rc;
	}
	switch (ev->kind) {
	case EVENT_REWARD:
		return experiment_reward(r->e, d, p, &in, ev->at_us, &r->mem, ret, &status, why);
	case EVENT_ACTIVATE:
		return experiment_activate(r->e, d, p, ev->at_us, &r->mem, ret, why);
	case EVENT_VOID:
		return experiment_void(r->e, d, p, ev->at_us, &r->mem, ret, why);
	default:
		return experiment_expire(r->e, d, p, ev->at_us, &r->mem, ret);
	}
}

static int derive_feedback(struct replay *r, const struct event *ev, struct errinfo *err)
{
	const struct event_feedback *f = &ev->feedback;
	struct errinfo why = {.rc = 0};
	struct event d, again;
	struct pending p;
	int rc;

	if (f->ref == 0 || f->ref >= ev->seq) {
		return replay_diverge(
		    r, ev, "its decision, seq %" PRIu64 ", is not before it", f->ref);
	}
	if (f->ref <= r->base) {
		return 0;
	}
	rc = r->o.past(r->o.past_arg, f->ref, ev->seq, &r->mem, &d, &p, err);
	if (rc == RC_NOT_FOUND || (rc == 0 && d.kind != EVENT_DECISION)) {
		return replay_diverge(r, ev, "seq %" PRIu64 " is not a decision", f->ref);
	}
	if (rc) {
		return rc;
	}
	for (size_t i = 0; i < d.decision.npicks; i++) {
		if (d.decision.picks[i].slot >= experiment_arms(r->e)->n) {
			return replay_diverge(
			    r, ev, "its decision, seq %" PRIu64 ", has no such arm", f->ref);
		}
	}
	rc = ask_again(r, ev, &d, &p, &again, &why);
	if (rc) {
		return replay_refused(r, ev, rc, &why, err);
	}
	if (!again.kind) {
		return replay_diverge(r, ev, "a reward is logged that counts for nothing");
	}
	again.feedback.tested = again.feedback.tested && f->tested; /* older logs do not say it */
	return replay_compare(r, ev, &again, err);
}

/* A plan is computed again from the same state. */
static int derive_plan(struct replay *r, const struct event *ev, struct errinfo *err)
{
	struct event again;
	int rc;

	if (ev->plan.op != PLAN_DONE) {
		if (!experiment_policy(r->e)->plan_due) {
			return replay_diverge(r, ev, "its policy makes no plans");
		}
		rc = experiment_plan_now(r->e, ev->at_us, &r->mem, &again, err);
		if (rc) {
			return rc;
		}
		buf_reset(&r->plan);
		buf_put(&r->plan, again.plan.bytes, again.plan.n);
		if (r->plan.rc) {
			return out_of_memory(err);
		}
	}
	if (ev->plan.op != PLAN_BEGIN &&
	    (ev->plan.n != r->plan.len || memcmp(ev->plan.bytes, r->plan.data, r->plan.len) != 0)) {
		return replay_diverge(r, ev, "another plan comes out");
	}
	r->report.derived++;
	return 0;
}

static int create(struct replay *r, const struct event *ev, struct errinfo *err)
{
	const struct policy_ops *ops;
	struct errinfo why = {.rc = 0};
	int rc;

	if (ev->kind != EVENT_CREATE || ev->seq != 1) {
		return replay_diverge(r, ev, "the log does not begin with a creation");
	}
	ops = r->o.find(ev->create.policy);
	if (!ops) {
		return err_set(err, RC_VERSION, "unknown_policy", "",
		    "policy %s is not known to this version", ev->create.policy);
	}
	rc = experiment_new(&ev->create, ops, ev->at_us, &r->e, &why);
	return rc ? replay_refused(r, ev, rc, &why, err) : 0;
}

static int fold(struct replay *r, const struct event *ev, struct errinfo *err)
{
	int rc = experiment_apply(r->e, ev);

	if (rc == RC_MEMORY) {
		return out_of_memory(err);
	}
	return rc ? replay_diverge(r, ev, "this %s does not fit the state before it",
			event_kind_names[ev->kind])
		  : 0;
}

int replay_event(struct replay *r, const struct event *ev, struct errinfo *err)
{
	int rc = 0;

	arena_reset(&r->mem);
	if (!r->e) {
		rc = create(r, ev, err);
	} else if (ev->seq != experiment_seq(r->e) + 1) {
		rc = replay_diverge(r, ev, "it follows seq %" PRIu64, experiment_seq(r->e));
	} else {
		if (r->o.derive && ev->kind == EVENT_DECISION) {
			rc = derive_decision(r, ev, err);
		} else if (r->o.derive && r->o.past && event_is_feedback(ev)) {
			rc = derive_feedback(r, ev, err);
		}
		if (rc == 0 && r->o.derive && ev->kind == EVENT_PLAN) {
			rc = derive_plan(r, ev, err);
		}
		if (rc == 0 && r->o.derive && r->o.at && ev->kind == EVENT_STREAM) {
			rc = replay_stream(r, ev, err);
		}
		rc = rc ? rc : fold(r, ev, err);
	}
	if (rc == 0) {
		r->report.events++;
		r->report.decisions += ev->kind == EVENT_DECISION;
		r->report.rewards += ev->kind == EVENT_REWARD;
	}
	return rc;
}
