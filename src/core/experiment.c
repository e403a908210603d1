/* SPDX-License-Identifier: Apache-2.0 */
/* Birth, death and the only mutation. Questions are in experiment_ask.c, snapshots in
 * experiment_save.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/experiment_impl.h"

struct policy_env experiment_env(const struct experiment *e)
{
	bool cost = e->goal == GOAL_MINIMISE;

	return (struct policy_env){
	    .params = e->params,
	    .dim = e->ops->flags & POLICY_CONTEXTUAL ? e->nfeatures : 0,
	    .lo = cost ? -e->hi : e->lo,
	    .hi = cost ? -e->lo : e->hi,
	};
}

/* Room for a label of this length; what stands there stays, and stays where it is when it fits: a
 * change that keeps the label borrows it. */
static int reserve_label(struct experiment *e, const char *label)
{
	size_t need = strlen(label) + 1;
	char *grown;

	if (e->label && need <= strlen(e->label) + 1) {
		return 0;
	}
	grown = realloc(e->label, need);
	if (!grown) {
		return RC_MEMORY;
	}
	if (!e->label) {
		grown[0] = '\0';
	}
	e->label = grown;
	e->settings.label = grown;
	return 0;
}

static void set_settings(struct experiment *e, const struct settings *s)
{
	memmove(e->label, s->label, strlen(s->label) + 1);
	e->settings = *s;
	e->settings.label = e->label;
	e->has_windows = e->has_windows || s->window_us;
}

/* The list becomes the experiment's own. */
static int set_list(struct experiment *e, const struct param_desc *d, const struct param_list *list,
    const char *pointer, struct errinfo *err)
{
	struct param_list mine = *list;
	double *v;
	int rc = param_set_list(d, e->params, list, pointer, err);

	if (rc) {
		return rc;
	}
	v = malloc(list->n * sizeof(*v));
	if (v) {
		memcpy(v, list->v, list->n * sizeof(*v));
	} else {
		mine = (struct param_list){.n = 0};
	}
	mine.v = v;
	param_set_list(d, e->params, &mine, pointer, err);
	return v ? 0 : RC_MEMORY;
}

static void free_lists(struct experiment *e)
{
	for (const struct param_desc *d = e->ops->params; e->params && d && d->name; d++) {
		if (d->type == PARAM_LIST) {
			free((void *)param_get_list(d, e->params)->v);
		}
	}
}

static int set_params(struct experiment *e, const struct experiment_spec *spec, struct errinfo *err)
{
	char pointer[sizeof(err->pointer)];
	int rc = 0;

	param_defaults(e->ops->params, e->params);
	for (size_t i = 0; rc == 0 && i < spec->nparams; i++) {
		const struct spec_param *p = &spec->params[i];
		const struct param_desc *d = param_find(e->ops->params, p->name);

		snprintf(pointer, sizeof(pointer), "/policy/params/%s", p->name);
		if (!d) {
			return err_set(err, RC_INVALID, "unknown_field", pointer,
			    "policy %s has no parameter %s", e->ops->name, p->name);
		}
		if (p->text) {
			rc = param_set_text(d, e->params, p->text, pointer, err);
		} else if (p->list.n && d->type == PARAM_LIST && param_get_list(d, e->params)->n) {
			rc = err_set(
			    err, RC_INVALID, "duplicate_field", pointer, "%s twice", d->name);
		} else if (p->list.n) {
			rc = set_list(e, d, &p->list, pointer, err);
		} else if (d->type == PARAM_BOOL && (p->number == 0 || p->number == 1)) {
			rc = param_set_bool(d, e->params, p->number != 0, pointer, err);
		} else {
			rc = param_set_number(d, e->params, p->number, pointer, err);
		}
	}
	return rc ? rc : e->ops->check ? e->ops->check(e->params, err) : 0;
}

static int copy_features(struct experiment *e, const struct experiment_spec *spec)
{
	if (spec->nfeatures == 0) {
		return 0;
	}
	e->features = calloc(spec->nfeatures, sizeof(*e->features));
	if (!e->features) {
		return RC_MEMORY;
	}
	for (; e->nfeatures < spec->nfeatures; e->nfeatures++) {
		e->features[e->nfeatures] = strdup(spec->features[e->nfeatures]);
		if (!e->features[e->nfeatures]) {
			return RC_MEMORY;
		}
	}
	return 0;
}

int experiment_start(const struct experiment_spec *spec, const struct policy_ops *ops,
    bool with_state, struct experiment **ret, struct errinfo *err)
{
	struct experiment *e = calloc(1, sizeof(*e));
	struct policy_env env;
	int rc = RC_MEMORY;

	if (!e) {
		goto fail;
	}
	e->ops = ops;
	e->seed = spec->seed;
	e->fingerprint = spec->fingerprint;
	e->lo = spec->lo;
	e->hi = spec->hi;
	e->goal = spec->goal;
	arms_init(&e->arms, spec->seed);
	e->name = strdup(spec->name);
	e->params = calloc(1, ops->params_size ? ops->params_size : 1);
	if (!e->name || !e->params || reserve_label(e, spec->settings.label) ||
	    copy_features(e, spec)) {
		goto fail;
	}
	set_settings(e, &spec->settings);
	rc = set_params(e, spec, err);
	if (rc) {
		goto fail;
	}
	env = experiment_env(e);
	rc = with_state ? ops->create(&env, &e->state) : 0;
	if (rc) {
		goto fail;
	}
	*ret = e;
	return 0;
fail:
	experiment_free(e);
	return rc;
}

void experiment_free(struct experiment *e)
{
	if (!e) {
		return;
	}
	if (e->ops) {
		e->ops->destroy(e->state);
	}
	for (size_t i = 0; i < e->nfeatures; i++) {
		free(e->features[i]);
	}
	free(e->features);
	free_lists(e);
	free(e->params);
	free(e->name);
	free(e->label);
	arms_release(&e->arms);
	history_release(&e->history);
	free(e);
}

/* Room for arms in the table and the policy's state. */
static int reserve_arms(struct experiment *e, size_t n, size_t text_bytes, struct errinfo *err)
{
	size_t all = e->arms.n + n;
	int rc;

	if (all > ARMS_MAX || (!e->ops->draw && all > SCAN_MAX)) {
		return err_set(err, RC_LIMIT, "too_many", "/arms",
		    "policy %s takes at most %d arms", e->ops->name,
		    e->ops->draw ? ARMS_MAX : SCAN_MAX);
	}
	rc = arms_reserve(&e->arms, n, text_bytes);
	return rc ? rc : e->ops->reserve(e->state, e->arms.cap);
}

static void add_arm(struct experiment *e, const char *id, const char *label)
{
	e->ops->arm_add(e->state, arms_add(&e->arms, id, label));
}

/* All arms of the creation, with ids that are valid and differ. */
static int first_arms(struct experiment *e, const struct experiment_spec *spec, struct errinfo *err)
{
	size_t text = 0;
	char pointer[32];
	int rc;

	for (size_t i = 0; i < spec->narms; i++) {
		text += strlen(spec->arms[i].id) + strlen(spec->arms[i].label) + 2;
	}
	rc = reserve_arms(e, spec->narms, text, err);
	for (size_t i = 0; rc == 0 && i < spec->narms; i++) {
		const struct spec_arm *a = &spec->arms[i];

		snprintf(pointer, sizeof(pointer), "/arms/%zu", i);
		if (!id_is_valid(a->id) || strlen(a->label) > LABEL_MAX) {
			return err_set(err, RC_INVALID, "invalid_id", pointer,
			    "an arm's id is 1-128 of A-Z a-z 0-9 . _ : -, its label at most 256 "
			    "bytes");
		}
		if (arms_find(&e->arms, a->id) != ARM_NONE) {
			return err_set(err, RC_INVALID, "arm_exists", pointer,
			    "arm %s is listed twice", a->id);
		}
		add_arm(e, a->id, a->label);
	}
	return rc;
}

int experiment_new(const struct experiment_spec *spec, const struct policy_ops *ops, uint64_t at_us,
    struct experiment **ret, struct errinfo *err)
{
	struct experiment *e;
	int rc = spec_check(spec, err);

	if (rc) {
		return rc;
	}
	if (spec->slots != 1) {
		return err_set(err, RC_INVALID, "out_of_range", "/slots",
		    "policy %s answers one arm per decision", ops->name);
	}
	rc = experiment_start(spec, ops, true, &e, err);
	if (rc) {
		return rc;
	}
	rc = first_arms(e, spec, err);
	if (rc) {
		experiment_free(e);
		return rc;
	}
	e->seq = e->changed_seq = 1;
	e->at_us = e->created_us = at_us;
	history_init(&e->history, at_us);
	*ret = e;
	return 0;
}

int experiment_reserve(struct experiment *e, const struct event *ev)
{
	size_t n = 0, text = 0;

	if (ev->kind == EVENT_CHANGE) {
		return reserve_label(e, ev->change.label);
	}
	if (ev->kind != EVENT_ARM) {
		return history_reserve(&e->history, ev->at_us);
	}
	for (size_t i = 0; i < ev->arm.n; i++) {
		const struct arm_change *c = &ev->arm.changes[i];

		if (c->op == ARM_OP_ADD) {
			n++;
			text += strlen(c->id) + strlen(c->label) + 2;
		}
	}
	return n ? reserve_arms(e, n, text, NULL) : 0;
}

static int apply_decision(struct experiment *e, const struct event *ev)
{
	const struct event_decision *d = &ev->decision;
	const struct pick *pick = &d->picks[0];
	size_t dim = experiment_env(e).dim;

	if (d->npicks != 1 || pick->slot >= e->arms.n ||
	    e->arms.arm[pick->slot].state != ARM_ACTIVE || (dim && d->dim != dim)) {
		return RC_CORRUPT;
	}
	e->totals.decisions++;
	e->totals.open++;
	e->arms.totals[pick->slot].decisions++;
	history_decision(&e->history, ev->at_us);
	if (e->ops->pulled) {
		e->ops->pulled(e->state,
		    &(struct pull){
			.seq = ev->seq, .picks = d->picks, .npicks = d->npicks, .x = d->x});
	}
	return 0;
}

static void learn(struct experiment *e, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;
	struct arm_totals *t = &e->arms.totals[f->pick.slot];

	t->rewards++;
	t->sum += f->learn;
	t->squares += f->learn * f->learn;
	history_reward(&e->history, ev->at_us, f->learn);
	e->ops->update(e->state, &(struct outcome){
				     .ref = f->ref,
				     .slot = f->pick.slot,
				     .reward = e->goal == GOAL_MINIMISE ? -f->learn : f->learn,
				     .propensity = f->pick.propensity,
				     .x = f->x,
				     .revived = f->flags & FEEDBACK_REVIVED,
				 });
}

static void count_feedback(struct totals *t, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;

	t->open -= (f->flags & FEEDBACK_CLOSE) != 0;
	t->expired += ev->kind == EVENT_EXPIRY;
	t->voided += ev->kind == EVENT_VOID;
	t->learnt += (f->flags & FEEDBACK_LEARN) != 0;
	if (ev->kind == EVENT_REWARD) {
		t->recorded += f->status == FEEDBACK_RECORDED;
		t->held += f->status == FEEDBACK_PENDING;
		t->late += (f->flags & FEEDBACK_IS_LATE) != 0;
		t->clipped += (f->flags & FEEDBACK_CLIPPED) != 0;
	}
}

static int apply_feedback(struct experiment *e, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;
	bool learns = f->flags & FEEDBACK_LEARN, lost = f->flags & FEEDBACK_LOST;
	size_t dim = experiment_env(e).dim;

	if (f->ref == 0 || f->ref >= ev->seq || f->pick.slot >= e->arms.n || (learns && lost) ||
	    (dim && f->dim != dim) || ((f->flags & FEEDBACK_CLOSE) && e->totals.open == 0)) {
		return RC_CORRUPT;
	}
	if ((learns || lost) && e->arms.arm[f->pick.slot].state == ARM_RETIRED) {
		return RC_CORRUPT;
	}
	if (learns && !(f->learn >= e->lo && f->learn <= e->hi)) {
		return RC_CORRUPT;
	}
	count_feedback(&e->totals, ev);
	if (ev->kind == EVENT_EXPIRY && f->ref > e->expired_ref) {
		e->expired_ref = f->ref;
	}
	if (learns) {
		learn(e, ev);
	} else if (lost && e->ops->lost) {
		e->ops->lost(e->state,
		    &(struct pull){.seq = f->ref, .picks = &f->pick, .npicks = 1, .x = f->x});
	}
	return 0;
}

/* Would the change fit? Adds take the next slots in order; what is set is there and not retired. */
static bool arm_change_fits(const struct experiment *e, const struct arm_change *c, uint32_t *next)
{
	if (c->op == ARM_OP_ADD) {
		return c->slot == (*next)++ && arms_find(&e->arms, c->id) == ARM_NONE;
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
			add_arm(e, c->id, c->label);
		} else if (e->arms.arm[c->slot].state != c->state) {
			arms_set(&e->arms, c->slot, c->state);
			e->ops->arm_set(e->state, c->slot, c->state);
		}
	}
	e->changed_seq = ev->seq;
	return 0;
}

static int apply_change(struct experiment *e, const struct event *ev)
{
	if (settings_check(&ev->change, e->lo, e->hi, NULL)) {
		return RC_CORRUPT;
	}
	set_settings(e, &ev->change);
	e->changed_seq = ev->seq;
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
	default:
		rc = RC_CORRUPT;
	}
	if (rc == 0) {
		e->seq = ev->seq;
		e->at_us = ev->at_us;
	}
	return rc;
}
