/* SPDX-License-Identifier: Apache-2.0 */
/* Writing. Reading is in event_read.c. */
#include "json/event_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "json/bind.h"
#include "json/spec_json.h"

static int set(json_t *o, const char *key, json_t *v)
{
	return json_object_set_new_nocheck(o, key, v);
}

static json_t *id_of(const struct experiment *e, uint32_t slot)
{
	return json_string_nocheck(arms_id(experiment_arms(e), slot));
}

/* The arm as the event has it, where its slot is used again. */
static json_t *arm_of(const struct experiment *e, const char *arm, uint32_t slot)
{
	return arm ? json_string_nocheck(arm) : id_of(e, slot);
}

/* 64 bits are more than a JSON number holds. */
static json_t *hex(uint64_t v)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, v);
	return json_string_nocheck(text);
}

static json_t *hex_bytes(const void *p, size_t n)
{
	const unsigned char *b = p;
	char *text = malloc(2 * n + 1);
	json_t *v;

	if (!text) {
		return NULL;
	}
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		snprintf(text + 2 * i, 3, "%02x", b[i]);
	}
	v = json_string_nocheck(text);
	free(text);
	return v;
}

static json_t *time_or_null(uint64_t us)
{
	char text[CLOCK_TEXT_MAX];

	if (us == 0) {
		return json_null();
	}
	clock_format(us, text);
	return json_string_nocheck(text);
}

static json_t *window_or_null(uint64_t us)
{
	char text[CLOCK_TEXT_MAX];

	if (us == 0) {
		return json_null();
	}
	clock_format_duration(us, text);
	return json_string_nocheck(text);
}

static int put_settings(json_t *o, const struct settings *s)
{
	int rc = set(o, "floor", json_real(s->floor));

	rc |= set(o, "state", json_string_nocheck(run_state_names[s->state]));
	rc |= set(o, "label", json_string(s->label));
	rc |= set(o, "window", window_or_null(s->window_us));
	rc |= set(o, "default", s->has_fallback ? json_real(s->fallback) : json_null());
	rc |= set(o, "late", json_string_nocheck(late_rule_names[s->late]));
	rc |= set(o, "aggregate", json_string_nocheck(aggregate_names[s->aggregate]));
	return rc;
}

static json_t *params_of(const struct spec_param *params, size_t n)
{
	json_t *o = json_object();
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		const struct spec_param *p = &params[i];

		rc |= set(o, p->name,
		    p->text     ? json_string(p->text)
		    : p->list.n ? list_to_json(&p->list)
				: json_real(p->number));
	}
	return bind_whole(o, rc);
}

static int put_change(json_t *o, const struct settings *s)
{
	int rc = put_settings(o, s);

	if (s->slots) {
		rc |= set(o, "slots", json_integer(s->slots));
	}
	if (s->nparams) {
		rc |= set(o, "params", params_of(s->params, s->nparams));
	}
	return rc;
}

/* Declared groups, if there are. */
static int put_declared(json_t *o, const struct experiment_spec *s)
{
	json_t *groups;
	int rc = 0;

	if (s->ngroups == 0) {
		return 0;
	}
	groups = json_array();
	for (size_t i = 0; i < s->ngroups; i++) {
		rc |= json_array_append_new(groups, json_string(s->groups[i]));
	}
	rc |= set(o, "groups", groups);
	return rc | set(o, "auto_groups", json_boolean(!s->closed_groups));
}

static int put_create(json_t *o, const struct experiment_spec *s)
{
	json_t *arms = json_array(), *features = json_array();
	int rc = set(o, "policy",
	    json_pack("{ss so}", "name", s->policy, "params", params_of(s->params, s->nparams)));

	for (size_t i = 0; i < s->narms; i++) {
		rc |= json_array_append_new(
		    arms, json_pack("{ss ss}", "id", s->arms[i].id, "label", s->arms[i].label));
	}
	for (size_t i = 0; i < s->nfeatures; i++) {
		rc |= json_array_append_new(features, json_string(s->features[i]));
	}
	rc |= set(o, "arms", arms);
	rc |= set(o, "context", features);
	rc |= set(o, "slots", json_integer(s->slots));
	rc |= set(o, "seed", json_integer((json_int_t)s->seed));
	rc |= set(o, "fingerprint", hex(s->fingerprint));
	rc |= set(o, "lo", json_real(s->lo));
	rc |= set(o, "hi", json_real(s->hi));
	rc |= set(o, "goal", json_string_nocheck(goal_names[s->goal]));
	rc |= put_declared(o, s);
	return rc | put_settings(o, &s->settings);
}

static json_t *doubles(const double *v, size_t n)
{
	json_t *list = json_array();
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		rc |= json_array_append_new(list, json_real(v[i]));
	}
	return bind_whole(list, rc);
}

static int put_draw(json_t *o, const struct experiment *e, const struct event_decision *d)
{
	json_t *picks = json_array(), *ids;
	int rc = 0;

	for (size_t i = 0; i < d->npicks; i++) {
		rc |= json_array_append_new(
		    picks, json_pack("{so sf}", "arm", arm_of(e, d->arm, d->picks[i].slot),
			       "propensity", d->picks[i].propensity));
	}
	rc |= set(o, "arms", picks);
	if (d->arm) {
		rc |= set(o, "slot", json_integer(d->picks[0].slot));
	}
	if (d->flags & DECISION_SLATE) {
		rc |= set(o, "slate", json_true());
	}
	if (d->flags & DECISION_FORECAST) {
		rc |= set(o, "prediction", json_real(d->prediction));
	}
	if (d->flags & (DECISION_RESTRICTED | DECISION_PMF)) {
		ids = json_array();
		for (size_t i = 0; i < d->nslots; i++) {
			rc |= json_array_append_new(ids, id_of(e, d->slots[i]));
		}
		rc |= set(o, d->flags & DECISION_RESTRICTED ? "eligible" : "active", ids);
	}
	if (d->flags & DECISION_PMF) {
		rc |= set(o, "pmf", doubles(d->pmf, d->nslots));
	}
	return rc;
}

static int put_decision(json_t *o, const struct experiment *e, const struct event *ev)
{
	const struct event_decision *d = &ev->decision;
	char scratch[DECISION_ID_MAX];
	json_t *groups;
	int rc = set(o, "decision", json_string_nocheck(experiment_decision_id(e, ev, scratch)));

	rc |= put_draw(o, e, d);
	if (d->id) {
		rc |= set(o, "fingerprint", hex(d->fingerprint));
	}
	rc |= set(o, "expires_at", time_or_null(d->expires_us));
	if (d->flags & DECISION_DEFER) {
		rc |= set(o, "deferred", json_true());
	}
	if (d->subject) {
		rc |= set(o, "subject", json_string_nocheck(d->subject));
	}
	if (d->context) {
		rc |= set(o, "context", json_loads(d->context, JSON_DECODE_ANY, NULL));
	}
	if (d->dim) {
		rc |= set(o, "x", doubles(d->x, d->dim));
	}
	if (d->ngroups) {
		groups = json_array();
		for (size_t i = 0; i < d->ngroups; i++) {
			rc |= json_array_append_new(groups, json_string_nocheck(d->groups[i]));
		}
		rc |= set(o, "groups", groups);
	}
	if (d->nmemo) {
		rc |= set(o, "memo", hex_bytes(d->memo, d->nmemo));
	}
	return rc;
}

static json_t *slate_arm(
    const struct experiment *e, const struct feedback_arm *a, enum event_kind kind)
{
	json_t *o = json_pack("{sI so sf}", "index", (json_int_t)a->index, "arm",
	    id_of(e, a->pick.slot), "propensity", a->pick.propensity);
	int rc = 0;

	if (kind == EVENT_REWARD) {
		rc |= set(o, "reward", json_real(a->reward));
		rc |= set(o, "status", json_string_nocheck(feedback_status_names[a->status]));
	}
	if (a->flags & FEEDBACK_LEARN) {
		rc |= set(o, "learnt", json_real(a->learn));
	}
	rc |= a->flags & FEEDBACK_LOST ? set(o, "lost", json_true()) : 0;
	rc |= a->flags & FEEDBACK_REVIVED ? set(o, "revived", json_true()) : 0;
	rc |= a->flags & FEEDBACK_CLIPPED ? set(o, "clipped", json_true()) : 0;
	return bind_whole(o, rc);
}

/* What the feedback is about: one arm, the arms of a slate, or a forecast. */
static int put_subject(json_t *o, const struct experiment *e, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;
	json_t *arms;
	int rc = 0;

	if (f->flags & FEEDBACK_FORECAST) {
		return set(o, "prediction", json_real(f->prediction));
	}
	if (!(f->flags & FEEDBACK_SLATE)) {
		rc |= set(o, "arm", arm_of(e, f->arm, f->pick.slot));
		rc |= f->arm ? set(o, "slot", json_integer(f->pick.slot)) : 0;
		return rc | set(o, "propensity", json_real(f->pick.propensity));
	}
	arms = json_array();
	for (size_t i = 0; i < f->narms; i++) {
		rc |= json_array_append_new(arms, slate_arm(e, &f->arms[i], ev->kind));
	}
	return rc | set(o, "arms", arms);
}

/* What the policy will need beside the reward. */
static int put_matter(json_t *o, const struct experiment *e, const struct event_feedback *f)
{
	json_t *list;
	int rc = 0;

	if (f->nresults) {
		list = json_object();
		for (size_t i = 0; i < f->nresults; i++) {
			rc |= set(list, arms_id(experiment_arms(e), f->results[i].slot),
			    json_real(f->results[i].reward));
		}
		rc |= set(o, "rewards", list);
	}
	if (f->ngroups) {
		list = json_array();
		for (size_t i = 0; i < f->ngroups; i++) {
			rc |= json_array_append_new(list,
			    f->groups[i] == GROUP_GONE
				? json_null()
				: json_string_nocheck(arms_id(experiment_groups(e), f->groups[i])));
		}
		rc |= set(o, "groups", list);
	}
	if (f->nmemo) {
		rc |= set(o, "memo", hex_bytes(f->memo, f->nmemo));
	}
	return rc;
}

static int put_feedback(json_t *o, const struct experiment *e, const struct event *ev)
{
	static const struct {
		const char *name;
		enum feedback_flag flag;
	} flags[] = {
	    {"closes", FEEDBACK_CLOSE},
	    {"lost", FEEDBACK_LOST},
	    {"revived", FEEDBACK_REVIVED},
	    {"late", FEEDBACK_IS_LATE},
	    {"clipped", FEEDBACK_CLIPPED},
	};
	const struct event_feedback *f = &ev->feedback;
	struct event d = {.kind = EVENT_DECISION, .seq = f->ref};
	char scratch[DECISION_ID_MAX];
	int rc;

	d.decision.id = f->id;
	rc = set(o, "decision", json_string_nocheck(experiment_decision_id(e, &d, scratch)));
	rc |= set(o, "ref", json_integer((json_int_t)f->ref));
	rc |= put_subject(o, e, ev) | put_matter(o, e, f);
	if (ev->kind == EVENT_REWARD && !(f->flags & FEEDBACK_SLATE)) {
		rc |=
		    set(o, f->flags & FEEDBACK_FORECAST ? "label" : "reward", json_real(f->reward));
	}
	if (ev->kind == EVENT_REWARD) {
		rc |= set(o, "status", json_string_nocheck(feedback_status_names[f->status]));
	}
	if ((f->flags & FEEDBACK_LEARN) ||
	    (ev->kind == EVENT_REWARD && f->status == FEEDBACK_PENDING &&
		!(f->flags & FEEDBACK_SLATE))) {
		rc |= set(o, f->flags & FEEDBACK_LEARN ? "learnt" : "held", json_real(f->learn));
	}
	if (f->tested) {
		rc |= set(o, "tested", json_true());
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (f->flags & flags[i].flag) {
			rc |= set(o, flags[i].name, json_true());
		}
	}
	if (f->dim) {
		rc |= set(o, "x", doubles(f->x, f->dim));
	}
	if (f->key) {
		rc |= set(o, "key", json_string_nocheck(f->key));
		rc |= set(o, "fingerprint", hex(f->fingerprint));
	}
	return rc;
}

static int put_arms(json_t *o, const struct experiment *e, const struct event_arm *a)
{
	json_t *list = json_array();
	int rc = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct arm_change *c = &a->changes[i];
		json_t *one =
		    c->op == ARM_OP_ADD
			? json_pack("{ss ss ss}", "op", "add", "arm", c->id, "label", c->label)
			: json_pack("{ss so ss}", "op", "set", "arm", id_of(e, c->slot), "state",
			      arm_state_names[c->state]);

		if (c->between) {
			rc |= set(one, "between",
			    json_pack("[oo]", id_of(e, c->left), id_of(e, c->right)));
		}
		rc |= json_array_append_new(list, one);
	}
	return rc | set(o, "changes", list);
}

static int put_stream(json_t *o, const struct event_stream *s)
{
	json_t *arms;
	int rc = set(o, "op", json_string_nocheck(stream_op_names[s->op]));

	if (s->op == STREAM_CLOSE || s->op == STREAM_RECHECK) {
		return rc;
	}
	rc |= set(o, "position", json_integer((json_int_t)s->position));
	if (s->op != STREAM_OFFER) {
		rc |= set(o, "offer", json_integer((json_int_t)s->offer));
	}
	if (s->rated) {
		rc |= set(o, "rated", json_true());
	}
	if (s->op == STREAM_READ) {
		rc |= set(o, "slot", json_integer(s->slot));
		rc |= set(o, "arm", json_string_nocheck(s->id));
		rc |= set(o, "label", json_string(s->label));
	} else if (s->op == STREAM_WITHDRAW) {
		rc |= set(o, "arm", json_string_nocheck(s->id));
	} else if (s->op == STREAM_OFFER) {
		arms = json_array();
		for (size_t i = 0; i < s->n; i++) {
			rc |= json_array_append_new(arms,
			    json_pack("{ss ss}", "id", s->arms[i].id, "label", s->arms[i].label));
		}
		rc |= set(o, "arms", arms);
		rc |= set(o, "before", json_integer((json_int_t)s->before));
		rc |= set(o, "remember", json_boolean(s->remember));
		if (s->stacked) {
			rc |= set(o, "below", json_integer((json_int_t)s->below));
			rc |= set(o, "below_offer", json_integer((json_int_t)s->below_offer));
		}
	}
	return rc;
}

json_t *event_to_json(const struct experiment *e, const struct event *ev)
{
	char at[CLOCK_TEXT_MAX];
	json_t *o = json_object();
	int rc = set(o, "v", json_integer(EVENT_LINE_VERSION));

	clock_format(ev->at_us, at);
	rc |= set(o, "experiment", json_string_nocheck(experiment_name(e)));
	rc |= set(o, "seq", json_integer((json_int_t)ev->seq));
	rc |= set(o, "at", json_string_nocheck(at));
	rc |= set(o, "kind", json_string_nocheck(event_kind_names[ev->kind]));
	if (ev->kind == EVENT_CREATE) {
		rc |= put_create(o, &ev->create);
	} else if (ev->kind == EVENT_DECISION) {
		rc |= put_decision(o, e, ev);
	} else if (event_is_feedback(ev)) {
		rc |= put_feedback(o, e, ev);
	} else if (ev->kind == EVENT_ARM) {
		rc |= put_arms(o, e, &ev->arm);
	} else if (ev->kind == EVENT_CHANGE) {
		rc |= put_change(o, &ev->change);
	} else if (ev->kind == EVENT_PLAN) {
		rc |= set(o, "op", json_string_nocheck(plan_op_names[ev->plan.op]));
		if (ev->plan.op != PLAN_BEGIN) {
			rc |= set(o, "bytes", hex_bytes(ev->plan.bytes, ev->plan.n));
		}
	} else if (ev->kind == EVENT_STREAM) {
		rc |= put_stream(o, &ev->stream);
	} else if (ev->kind == EVENT_GROUP) {
		rc |= set(o, "op", json_string("remove"));
		rc |= set(o, "group", json_string_nocheck(ev->group));
	}
	return bind_whole(o, rc);
}
