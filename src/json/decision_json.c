/* SPDX-License-Identifier: Apache-2.0 */
#include "json/decision_json.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digits.h"
#include "core/experiment_stream.h"
#include "json/bind.h"

#define ELIGIBLE_MAX 10000

struct decision_object {
	const char *id, *subject;
	struct bind_ids groups, eligible, exclude;
	const json_t *context;
	bool defer;
};

#define AT(m) offsetof(struct decision_object, m)
static const struct bind_field decision_fields[] = {
    {"id", BIND_ID, AT(id), 0, 0, 0, NULL},
    {"subject", BIND_ID, AT(subject), BIND_NULL, 0, 0, NULL},
    {"context", BIND_JSON, AT(context), BIND_NULL, 0, 0, NULL},
    {"groups", BIND_IDS, AT(groups), BIND_NULL, 0, GROUPS_MAX, NULL},
    {"eligible", BIND_IDS, AT(eligible), BIND_NULL, 0, ELIGIBLE_MAX, NULL},
    {"exclude", BIND_IDS, AT(exclude), BIND_NULL, 0, ELIGIBLE_MAX, NULL},
    {"defer", BIND_BOOL, AT(defer), 0, 0, 0, NULL},
    {.name = NULL},
};
#undef AT

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* The declared features in their order, as a vector; from an array, from named numbers, or from the
 * number of the only one. */
static int vector_from_json(const json_t *v, const struct experiment_spec *spec, struct arena *mem,
    struct select_in *ret, struct errinfo *err)
{
	double *x = arena_array(mem, spec->nfeatures, sizeof(*x));
	size_t n = json_is_number(v)  ? 1
		   : json_is_array(v) ? json_array_size(v)
				      : json_object_size(v);
	char where[BIND_POINTER_MAX];

	if (!x) {
		return no_memory(err);
	}
	if (n != spec->nfeatures) {
		return err_set(err, RC_INVALID, "out_of_range", "/context",
		    "the experiment declares %zu features, not %zu", spec->nfeatures, n);
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *f = json_is_number(v)  ? v
				  : json_is_array(v) ? json_array_get(v, i)
						     : json_object_get(v, spec->features[i]);

		if (!json_is_number(f)) {
			if (json_is_array(v)) {
				snprintf(where, sizeof(where), "/context/%zu", i);
			} else {
				bind_pointer("/context", spec->features[i], where);
			}
			return err_set(err, RC_INVALID, f ? "wrong_type" : "missing_field", where,
			    "feature %s must be a number", spec->features[i]);
		}
		x[i] = json_number_value(f);
	}
	ret->x = x;
	ret->dim = n;
	return 0;
}

/* The log must hold what the client meant: integers that a double would round are refused. */
static int check_exact(const json_t *v, const char *pointer, struct errinfo *err)
{
	char where[BIND_POINTER_MAX], index[24];
	double ignored;
	int rc = 0;

	if (json_is_number(v)) {
		return bind_number(v, pointer, &ignored, err);
	}
	for (size_t i = 0; rc == 0 && i < json_array_size(v); i++) {
		const json_t *item = json_array_get(v, i);

		if (json_is_integer(item) || json_is_object(item) || json_is_array(item)) {
			snprintf(index, sizeof(index), "%zu", i);
			bind_pointer(pointer, index, where);
			rc = check_exact(item, where, err);
		}
	}
	for (void *i = json_object_iter((json_t *)v); rc == 0 && i;
	     i = json_object_iter_next((json_t *)v, i)) {
		bind_pointer(pointer, json_object_iter_key(i), where);
		rc = check_exact(json_object_iter_value(i), where, err);
	}
	return rc;
}

static int context_from_json(const json_t *v, const struct experiment *e, struct arena *mem,
    struct select_in *ret, struct errinfo *err)
{
	struct experiment_spec spec;
	int rc;

	experiment_spec_of(e, &spec);
	if (!json_is_object(v) && !json_is_array(v) &&
	    !(json_is_number(v) && spec.nfeatures == 1)) {
		return err_set(err, RC_INVALID, "wrong_type", "/context",
		    "context must be an object or an array, not %s", bind_type_name(v));
	}
	rc = check_exact(v, "/context", err);
	if (rc) {
		return rc;
	}
	rc = bind_compact(v, CONTEXT_TEXT_MAX, mem, &ret->context);
	if (rc) {
		return rc == RC_MEMORY ? no_memory(err)
				       : err_set(err, rc, "too_many", "/context",
					     "context is longer than %d bytes", CONTEXT_TEXT_MAX);
	}
	return spec.nfeatures ? vector_from_json(v, &spec, mem, ret, err) : 0;
}

int select_from_json(const json_t *o, const struct experiment *e, bool want_pmf, struct arena *mem,
    struct select_in *ret, struct errinfo *err)
{
	struct decision_object d;
	int rc;

	memset(&d, 0, sizeof(d));
	rc = bind_object(o, decision_fields, "", mem, &d, err);
	*ret = (struct select_in){.id = d.id,
	    .subject = d.subject,
	    .groups = d.groups.id,
	    .ngroups = d.groups.n,
	    .eligible = d.eligible.id,
	    .neligible = d.eligible.n,
	    .has_eligible = d.eligible.given,
	    .exclude = d.exclude.id,
	    .nexclude = d.exclude.n,
	    .defer = d.defer,
	    .want_pmf = want_pmf};
	if (rc == 0 && d.context) {
		rc = context_from_json(d.context, e, mem, ret, err);
	}
	return rc;
}

struct reward_object {
	const char *decision, *key;
	const json_t *reward, *rewards, *label;
};

/* {arm: number} */
static int rewards_from_json(
    const json_t *v, struct arena *mem, struct reward_in *ret, struct errinfo *err)
{
	json_t *o = (json_t *)v;
	size_t n = json_object_size(o);
	struct arm_reward *at = arena_array(mem, n, sizeof(*at));
	char where[BIND_POINTER_MAX];
	int rc = 0;

	if (!at) {
		return no_memory(err);
	}
	if (!json_is_object(v)) {
		return err_set(err, RC_INVALID, "wrong_type", "/rewards",
		    "rewards must be an object of numbers by arm, not %s", bind_type_name(v));
	}
	for (void *i = json_object_iter(o); rc == 0 && i; i = json_object_iter_next(o, i)) {
		struct arm_reward *a = &at[ret->nrewards++];

		bind_pointer("/rewards", json_object_iter_key(i), where);
		a->arm = arena_text(mem, json_object_iter_key(i), strlen(json_object_iter_key(i)));
		if (!a->arm) {
			return no_memory(err);
		}
		if (!id_is_valid(a->arm)) {
			return err_set(
			    err, RC_INVALID, "invalid_id", where, "not the id of an arm");
		}
		rc = bind_number(json_object_iter_value(i), where, &a->reward, err);
	}
	ret->rewards = at;
	return rc;
}

int reward_from_json(const json_t *o, struct arena *mem, struct reward_in *ret,
    const char **ret_decision, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"decision", BIND_ID, offsetof(struct reward_object, decision), BIND_REQUIRED, 0, 0,
		NULL},
	    {"reward", BIND_JSON, offsetof(struct reward_object, reward), 0, 0, 0, NULL},
	    {"key", BIND_ID, offsetof(struct reward_object, key), BIND_NULL, 0, 0, NULL},
	    {"rewards", BIND_JSON, offsetof(struct reward_object, rewards), 0, 0, 0, NULL},
	    {"label", BIND_JSON, offsetof(struct reward_object, label), 0, 0, 0, NULL},
	    {.name = NULL},
	};
	struct reward_object r;
	const json_t *value;
	int rc;

	memset(&r, 0, sizeof(r));
	rc = bind_object(o, fields, "", mem, &r, err);
	if (rc) {
		return rc;
	}
	value = r.reward ? r.reward : r.label;
	if (!value && !r.rewards) {
		return err_set(err, RC_INVALID, "missing_field", "/reward", "reward is missing");
	}
	if ((r.reward && (r.rewards || r.label)) || (r.rewards && r.label)) {
		return err_set(err, RC_INVALID, "unsupported_feedback",
		    r.rewards ? "/rewards" : "/label",
		    "one of reward, rewards and label at a time");
	}
	*ret = (struct reward_in){.form = r.rewards ? FORM_REWARDS
					  : r.label ? FORM_LABEL
						    : FORM_REWARD,
	    .key = r.key};
	*ret_decision = r.decision;
	return r.rewards ? rewards_from_json(r.rewards, mem, ret, err)
			 : bind_number(value, r.label ? "/label" : "/reward", &ret->reward, err);
}

static void put(struct buf *out, const char *s)
{
	buf_put(out, s, strlen(s));
}

static void put_count(struct buf *out, uint64_t v)
{
	char text[DIGITS_MAX];

	buf_put(out, text, (size_t)(digits_put(text, v) - text));
}

/* As JSON wants a real: with a point or an exponent. Propensities are finite. */
static void put_real(struct buf *out, double v)
{
	char text[32];

	if (v >= 0 && v < 1e15 &&
	    v == (double)(uint64_t)v) { /* a draw without choice, most often */
		put_count(out, (uint64_t)v);
		put(out, ".0");
		return;
	}
	snprintf(text, sizeof(text), "%.17g", v);
	put(out, text);
	if (!strpbrk(text, ".e")) {
		put(out, ".0");
	}
}

/* ,"key":"value" */
static void put_member(struct buf *out, const char *key, const char *value)
{
	put(out, ",\"");
	put(out, key);
	put(out, "\":\"");
	put(out, value);
	put(out, "\"");
}

/* "arm":"news","propensity":0.5 */
static void put_pick(
    struct buf *out, const struct experiment *e, const struct event_decision *d, size_t i)
{
	const struct pick *p = &d->picks[i];

	put(out, "\"arm\":\"");
	put(out, d->arm ? d->arm : arms_id(experiment_arms(e), p->slot));
	put(out, "\",\"propensity\":");
	put_real(out, p->propensity);
}

static void put_picks(struct buf *out, const struct experiment *e, const struct event_decision *d)
{
	size_t from, to;
	const char *first;

	if (d->flags & DECISION_FORECAST) {
		put(out, ",\"prediction\":");
		put_real(out, d->prediction);
		return;
	}
	if (d->npicks == 0) {
		put(out, ",\"arm\":null,\"propensity\":null,\"arms\":[]");
		return;
	}
	put(out, ",");
	from = out->len;
	put_pick(out, e, d, 0);
	to = out->len;
	put(out, ",\"arms\":[{");
	if (buf_reserve(out, to - from)) {
		return;
	}
	first = (const char *)out->data + from; /* the first one again, already written */
	buf_put(out, first, to - from);
	for (size_t i = 1; i < d->npicks; i++) {
		put(out, "},{");
		put_pick(out, e, d, i);
	}
	put(out, "}]");
}

static void put_pmf(struct buf *out, const struct experiment *e, const struct event_decision *d)
{
	put(out, ",\"pmf\":{");
	for (size_t i = 0; i < d->nslots; i++) {
		put(out, i ? ",\"" : "\"");
		put(out, arms_id(experiment_arms(e), d->slots[i]));
		put(out, "\":");
		put_real(out, d->pmf[i]);
	}
	put(out, "}");
}

void decision_write(const struct experiment *e, const struct event *ev, struct buf *out)
{
	const struct event_decision *d = &ev->decision;
	char scratch[DECISION_ID_MAX], at[CLOCK_TEXT_MAX];
	const char *role;

	put(out, "{\"id\":\"");
	put(out, experiment_decision_id(e, ev, scratch));
	put(out, "\"");
	put_member(out, "experiment", experiment_name(e));
	put(out, ",\"seq\":");
	put_count(out, ev->seq);
	put_picks(out, e, d);
	put_member(out, "policy", experiment_policy(e)->name);
	clock_format(ev->at_us, at);
	put_member(out, "at", at);
	if (d->expires_us) {
		clock_format(d->expires_us, at);
		put_member(out, "expires_at", at);
	} else {
		put(out, ",\"expires_at\":null");
	}
	if (d->flags & DECISION_DEFER) {
		put(out, ",\"deferred\":true");
	}
	role = experiment_role(e, d);
	if (role) {
		put_member(out, "role", role);
	}
	if (d->pmf) {
		put_pmf(out, e, d);
	}
}

/* ,"arms":[{"arm":"news","status":"learnt"}]: of a slate, each has its own. */
static void put_fates(struct buf *out, const struct experiment *e, const struct event_feedback *f)
{
	put(out, ",\"arms\":[");
	for (size_t i = 0; i < f->narms; i++) {
		put(out, i ? ",{\"arm\":\"" : "{\"arm\":\"");
		put(out, arms_id(experiment_arms(e), f->arms[i].pick.slot));
		put(out, "\"");
		put_member(out, "status", feedback_status_names[f->arms[i].status]);
		put(out, f->arms[i].flags & FEEDBACK_CLIPPED ? ",\"clipped\":true}" : "}");
	}
	put(out, "]");
}

void reward_write(const struct experiment *e, const char *decision, enum feedback_status status,
    const struct event_feedback *f, struct buf *out)
{
	put(out, "{\"decision\":\"");
	put(out, decision);
	put(out, "\"");
	put_member(out, "status", feedback_status_names[status]);
	if (f->flags & FEEDBACK_IS_LATE) {
		put(out, ",\"late\":true");
	}
	if (f->flags & FEEDBACK_CLIPPED) {
		put(out, ",\"clipped\":true");
	}
	if (f->narms) {
		put_fates(out, e, f);
	}
}
