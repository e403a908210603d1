/* SPDX-License-Identifier: Apache-2.0 */
/* The byte layout is described in doc/storage.md; event_decode.c is the inverse of this file. */
#include "core/event.h"

#include <string.h>

#include "core/event_impl.h"

const char *const event_kind_names[EVENT_KINDS] = {NULL, "create", "decision", "reward", "expiry",
    "activate", "void", "arm", "change", "plan", "stream", "group"};
const char *const feedback_status_names[FEEDBACK_STATUSES + 1] = {
    "learnt", "recorded", "pending", "late", "duplicate", NULL};

const char *const plan_op_names[PLAN_OPS + 1] = {"begin", "done", "now", NULL};

bool event_is_feedback(const struct event *ev)
{
	return ev->kind == EVENT_REWARD || ev->kind == EVENT_EXPIRY || ev->kind == EVENT_ACTIVATE ||
	       ev->kind == EVENT_VOID;
}

static void put_text(struct buf *out, const char *s)
{
	buf_put_str(out, s, strlen(s));
}

static void put_doubles(struct buf *out, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_put_f64(out, v[i]);
	}
}

static void put_settings(struct buf *out, const struct settings *s)
{
	buf_put_f64(out, s->floor);
	buf_put_var(out, s->window_us);
	buf_put_u8(out, s->has_fallback);
	if (s->has_fallback) {
		buf_put_f64(out, s->fallback);
	}
	buf_put_u8(out, (uint8_t)s->late);
	buf_put_u8(out, (uint8_t)s->aggregate);
	buf_put_u8(out, (uint8_t)s->state);
	put_text(out, s->label);
}

static void put_params(struct buf *out, const struct spec_param *params, size_t n)
{
	buf_put_var(out, n);
	for (size_t i = 0; i < n; i++) {
		const struct spec_param *p = &params[i];

		put_text(out, p->name);
		buf_put_u8(out, p->text ? 1 : p->list.n ? 2 : 0);
		if (p->text) {
			put_text(out, p->text);
		} else if (p->list.n) {
			spec_list_write(&p->list, out);
		} else {
			buf_put_f64(out, p->number);
		}
	}
}

static void put_change(struct buf *out, const struct settings *s)
{
	put_settings(out, s);
	if (s->slots || s->nparams) {
		buf_put_var(out, s->slots);
		put_params(out, s->params, s->nparams);
	}
}

static void put_create(struct buf *out, const struct experiment_spec *s)
{
	put_text(out, s->name);
	put_text(out, s->policy);
	put_params(out, s->params, s->nparams);
	buf_put_var(out, s->slots);
	buf_put_u64(out, s->seed);
	buf_put_u64(out, s->fingerprint);
	buf_put_f64(out, s->lo);
	buf_put_f64(out, s->hi);
	buf_put_u8(out, (uint8_t)s->goal);
	buf_put_var(out, s->nfeatures);
	for (size_t i = 0; i < s->nfeatures; i++) {
		put_text(out, s->features[i]);
	}
	put_settings(out, &s->settings);
	buf_put_var(out, s->narms);
	for (size_t i = 0; i < s->narms; i++) {
		put_text(out, s->arms[i].id);
		put_text(out, s->arms[i].label);
	}
	if (s->ngroups) {
		buf_put_u8(out, s->closed_groups);
		buf_put_var(out, s->ngroups);
		for (size_t i = 0; i < s->ngroups; i++) {
			put_text(out, s->groups[i]);
		}
	}
}

/* Ascending slots as differences. */
static void put_slots(struct buf *out, const uint32_t *slots, size_t n)
{
	uint32_t before = 0;

	buf_put_var(out, n);
	for (size_t i = 0; i < n; i++) {
		buf_put_var(out, slots[i] - before);
		before = slots[i];
	}
}

static void put_decision(struct buf *out, const struct event_decision *d, uint64_t at_us)
{
	buf_put_var(out, d->flags | (d->id ? HAS_ID : 0) | (d->subject ? HAS_SUBJECT : 0) |
			     (d->context ? HAS_CONTEXT : 0) | (d->dim ? HAS_X : 0) |
			     (d->ngroups ? HAS_GROUPS : 0) | (d->nmemo ? HAS_MEMO : 0) |
			     (d->arm ? HAS_ARM : 0));
	if (d->id) {
		put_text(out, d->id);
		buf_put_u64(out, d->fingerprint);
	}
	buf_put_var(out, d->expires_us ? d->expires_us - at_us : 0);
	buf_put_var(out, d->npicks);
	for (size_t i = 0; i < d->npicks; i++) {
		buf_put_var(out, d->picks[i].slot);
		buf_put_f64(out, d->picks[i].propensity);
	}
	if (d->flags & DECISION_FORECAST) {
		buf_put_f64(out, d->prediction);
	}
	if (d->flags & (DECISION_RESTRICTED | DECISION_PMF)) {
		put_slots(out, d->slots, d->nslots);
	}
	if (d->flags & DECISION_PMF) {
		put_doubles(out, d->pmf, d->nslots);
	}
	if (d->dim) {
		buf_put_var(out, d->dim);
		put_doubles(out, d->x, d->dim);
	}
	if (d->subject) {
		put_text(out, d->subject);
	}
	if (d->context) {
		put_text(out, d->context);
	}
	if (d->ngroups) {
		buf_put_var(out, d->ngroups);
		for (size_t i = 0; i < d->ngroups; i++) {
			put_text(out, d->groups[i]);
		}
	}
	if (d->nmemo) {
		buf_put_str(out, d->memo, d->nmemo);
	}
	if (d->arm) {
		put_text(out, d->arm);
	}
}

static void put_feedback_arms(struct buf *out, const struct event_feedback *f, enum event_kind kind)
{
	buf_put_var(out, f->narms);
	for (size_t i = 0; i < f->narms; i++) {
		const struct feedback_arm *a = &f->arms[i];

		buf_put_var(out, a->index);
		buf_put_var(out, a->pick.slot);
		buf_put_f64(out, a->pick.propensity);
		buf_put_u8(out, (uint8_t)a->flags);
		if (kind == EVENT_REWARD) {
			buf_put_u8(out, (uint8_t)a->status);
			buf_put_f64(out, a->reward);
		}
		if (a->flags & FEEDBACK_LEARN) {
			buf_put_f64(out, a->learn);
		}
	}
}

static void put_results(struct buf *out, const struct event_feedback *f)
{
	buf_put_var(out, f->nresults);
	for (size_t i = 0; i < f->nresults; i++) {
		buf_put_var(out, f->results[i].slot);
		buf_put_f64(out, f->results[i].reward);
	}
}

static void put_plan(struct buf *out, const struct event_plan *p)
{
	buf_put_u8(out, (uint8_t)p->op);
	if (p->op != PLAN_BEGIN) {
		buf_put_str(out, p->bytes, p->n);
	}
}

static void put_feedback(struct buf *out, const struct event_feedback *f, enum event_kind kind)
{
	buf_put_u8(out, (uint8_t)f->flags);
	buf_put_var(out, (f->id ? HAS_ID : 0) | (f->key ? HAS_KEY : 0) | (f->dim ? HAS_X : 0) |
			     (f->ngroups ? HAS_GROUPS : 0) | (f->nmemo ? HAS_MEMO : 0) |
			     (f->nresults ? HAS_RESULTS : 0) | (f->arm ? HAS_ARM : 0) |
			     (f->tested ? WAS_TESTED : 0));
	buf_put_var(out, f->ref);
	if (f->id) {
		put_text(out, f->id);
	}
	if (f->flags & FEEDBACK_SLATE) {
		put_feedback_arms(out, f, kind);
	} else if (f->flags & FEEDBACK_FORECAST) {
		buf_put_f64(out, f->prediction);
	} else {
		buf_put_var(out, f->pick.slot);
		buf_put_f64(out, f->pick.propensity);
	}
	if (f->dim) {
		buf_put_var(out, f->dim);
		put_doubles(out, f->x, f->dim);
	}
	if (kind == EVENT_REWARD) {
		buf_put_u8(out, (uint8_t)f->status);
		if (!(f->flags & FEEDBACK_SLATE)) {
			buf_put_f64(out, f->reward);
		}
	}
	if (feedback_has_learn(f, kind)) {
		buf_put_f64(out, f->learn);
	}
	if (f->nresults) {
		put_results(out, f);
	}
	if (f->ngroups) {
		buf_put_var(out, f->ngroups);
		for (size_t i = 0; i < f->ngroups; i++) {
			buf_put_var(out, f->groups[i]);
		}
	}
	if (f->nmemo) {
		buf_put_str(out, f->memo, f->nmemo);
	}
	if (f->arm) {
		put_text(out, f->arm);
	}
	if (f->key) {
		put_text(out, f->key);
		buf_put_u64(out, f->fingerprint);
	}
}

static void put_arm(struct buf *out, const struct event_arm *a)
{
	buf_put_var(out, a->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct arm_change *c = &a->changes[i];

		buf_put_u8(out, c->between ? WRITTEN_BETWEEN : (uint8_t)c->op);
		buf_put_var(out, c->slot);
		if (c->op == ARM_OP_SET) {
			buf_put_u8(out, (uint8_t)c->state);
			continue;
		}
		put_text(out, c->id);
		put_text(out, c->label);
		if (c->between) {
			buf_put_var(out, c->left);
			buf_put_var(out, c->right);
		}
	}
}

void event_encode(const struct event *ev, struct buf *out)
{
	buf_put_u8(out, EVENT_VERSION);
	buf_put_u8(out, (uint8_t)ev->kind);
	buf_put_var(out, ev->at_us);
	switch (ev->kind) {
	case EVENT_CREATE:
		put_create(out, &ev->create);
		break;
	case EVENT_DECISION:
		put_decision(out, &ev->decision, ev->at_us);
		break;
	case EVENT_REWARD:
	case EVENT_EXPIRY:
	case EVENT_ACTIVATE:
	case EVENT_VOID:
		put_feedback(out, &ev->feedback, ev->kind);
		break;
	case EVENT_ARM:
		put_arm(out, &ev->arm);
		break;
	case EVENT_CHANGE:
		put_change(out, &ev->change);
		break;
	case EVENT_PLAN:
		put_plan(out, &ev->plan);
		break;
	case EVENT_STREAM:
		event_put_stream(out, &ev->stream);
		break;
	case EVENT_GROUP:
		buf_put_u8(out, GROUP_REMOVED);
		put_text(out, ev->group);
		break;
	case EVENT_KINDS:
		break;
	}
}
