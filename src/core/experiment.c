/* SPDX-License-Identifier: Apache-2.0 */
/* Birth and death. Decisions are made in experiment_select.c, feedback is judged in
 * experiment_ask.c and experiment_slate.c, the only mutation is in experiment_apply.c, snapshots
 * are in experiment_save.c. */
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
	    .dim = e->dim,
	    .lo = cost ? -e->hi : e->lo,
	    .hi = cost ? -e->lo : e->hi,
	    .k = e->slots,
	    .seed = e->seed,
	};
}

/* Room for a label of this length; what stands there stays, and stays where it is when it fits: a
 * change that keeps the label borrows it. */
int experiment_reserve_label(struct experiment *e, const char *label)
{
	size_t need = strlen(label);
	char *grown;

	if (need <= (e->label ? strlen(e->label) : 0)) {
		return 0;
	}
	grown = realloc(e->label, need + 1);
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

void experiment_set(struct experiment *e, const struct settings *s)
{
	if (e->label) {
		memmove(e->label, s->label, strlen(s->label) + 1);
	}
	e->settings = *s;
	e->settings.label = e->label ? e->label : "";
	e->settings.slots = 0;
	e->settings.params = NULL;
	e->settings.nparams = 0;
	e->has_windows = e->has_windows || s->window_us;
}

/* What follows from the parameters. */
static int set_traits(struct experiment *e, struct errinfo *err)
{
	e->traits = e->ops->traits ? e->ops->traits(e->params) : e->ops->flags;
	e->dim = e->traits & POLICY_CONTEXTUAL ? e->nfeatures : 0;
	return e->ops->dim ? e->ops->dim(e->params, e->nfeatures, &e->dim, err) : 0;
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
	e->slots = spec->slots;
	arms_init(&e->arms, spec->seed);
	arms_init(&e->groups, spec->seed);
	e->name = strdup(spec->name);
	e->params = calloc(1, ops->params_size ? ops->params_size : 1);
	e->other = ops->change ? calloc(1, ops->params_size) : NULL;
	if (!e->name || !e->params || (ops->change && !e->other) || backlog_init(e) ||
	    experiment_reserve_label(e, spec->settings.label) || copy_features(e, spec)) {
		goto fail;
	}
	experiment_set(e, &spec->settings);
	rc = experiment_set_params(e, spec, err);
	rc = rc ? rc : set_traits(e, err);
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
	experiment_free_lists(e);
	free(e->params);
	free(e->other);
	free(e->results);
	free(e->name);
	free(e->label);
	arms_release(&e->arms);
	arms_release(&e->groups);
	history_release(&e->history);
	backlog_release(e);
	free(e);
}

static int reserve_results(struct experiment *e)
{
	struct result *grown = realloc(e->results, e->arms.cap * sizeof(*grown));

	if (!grown) {
		return RC_MEMORY;
	}
	e->results = grown;
	return 0;
}

/* Room for arms in the table and the policy's state. */
int experiment_reserve_arms(struct experiment *e, size_t n, size_t text_bytes, struct errinfo *err)
{
	size_t all = e->arms.n + n;
	int rc;

	if (all > ARMS_MAX || (!e->ops->draw && all > SCAN_MAX)) {
		return err_set(err, RC_LIMIT, "too_many", "/arms",
		    "policy %s takes at most %d arms", e->ops->name,
		    e->ops->draw ? ARMS_MAX : SCAN_MAX);
	}
	rc = arms_reserve(&e->arms, n, text_bytes);
	if (rc == 0 && (e->traits & POLICY_FULL)) {
		rc = reserve_results(e);
	}
	rc = rc ? rc : backlog_reserve(e);
	rc = rc ? rc : e->ops->reserve(e->state, e->arms.cap);
	return rc == RC_LIMIT
		   ? err_set(err, rc, "too_many", "/arms",
			 "policy %s takes fewer arms with these parameters", e->ops->name)
		   : rc;
}

void experiment_add_arm(struct experiment *e, const char *id, const char *label)
{
	uint32_t slot = arms_add(&e->arms, id, label);

	e->ops->arm_add(e->state, slot);
	backlog_add_arm(e, slot);
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
	rc = experiment_reserve_arms(e, spec->narms, text, err);
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
		experiment_add_arm(e, a->id, a->label);
	}
	return rc;
}

/* The groups that were declared, in this order. */
static int first_groups(
    struct experiment *e, const struct experiment_spec *spec, struct errinfo *err)
{
	size_t text = 0;
	char pointer[32];
	int rc;

	for (size_t i = 0; i < spec->ngroups; i++) {
		text += strlen(spec->groups[i]) + 2;
	}
	e->closed_groups = spec->closed_groups;
	rc = spec->ngroups ? arms_reserve(&e->groups, spec->ngroups, text) : 0;
	if (rc == 0 && spec->ngroups && e->ops->reserve_groups) {
		rc = e->ops->reserve_groups(e->state, spec->ngroups);
	}
	for (size_t i = 0; rc == 0 && i < spec->ngroups; i++) {
		if (arms_find(&e->groups, spec->groups[i]) != ARM_NONE) {
			snprintf(pointer, sizeof(pointer), "/groups/%zu", i);
			return err_set(err, RC_INVALID, "out_of_range", pointer,
			    "group %s is listed twice", spec->groups[i]);
		}
		arms_add(&e->groups, spec->groups[i], "");
	}
	return rc == RC_LIMIT
		   ? err_set(err, rc, "too_many", "/groups",
			 "policy %s takes fewer groups with these parameters", e->ops->name)
		   : rc;
}

int experiment_check_settings(
    const struct experiment *e, const struct settings *s, struct errinfo *err)
{
	bool plain = !experiment_is_slate(e) && !(e->traits & (POLICY_FORECAST | POLICY_FULL));

	if (s->floor > 0 && (!e->ops->pmf || e->slots > 1 || (e->traits & POLICY_FORECAST))) {
		return err_set(err, RC_INVALID, "not_supported", "/floor",
		    "policy %s answers from no distribution that a floor could be part of",
		    e->ops->name);
	}
	if (!plain && s->aggregate != AGGREGATE_FIRST) {
		return err_set(err, RC_INVALID, "not_supported", "/reward/aggregate",
		    "only the first feedback counts here: aggregate must be first");
	}
	if (s->has_fallback && (e->traits & (POLICY_FORECAST | POLICY_FULL))) {
		return err_set(err, RC_INVALID, "not_supported", "/reward/default",
		    "there is no default for what policy %s learns from", e->ops->name);
	}
	return 0;
}

/* Can this policy answer with so many arms? */
static int check_answers(const struct experiment *e, struct errinfo *err)
{
	if (e->slots > 1 && !(e->traits & (POLICY_SLATE | POLICY_ANY_SLATE))) {
		return err_set(err, RC_INVALID, "not_supported", "/slots",
		    "policy %s answers one arm per decision", e->ops->name);
	}
	return experiment_check_settings(e, &e->settings, err);
}

int experiment_new(const struct experiment_spec *spec, const struct policy_ops *ops, uint64_t at_us,
    struct experiment **ret, struct errinfo *err)
{
	struct experiment *e;
	int rc = spec_check(spec, err);

	if (rc) {
		return rc;
	}
	rc = experiment_start(spec, ops, true, &e, err);
	if (rc) {
		return rc;
	}
	rc = check_answers(e, err);
	rc = rc ? rc : first_arms(e, spec, err);
	rc = rc ? rc : first_groups(e, spec, err);
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
