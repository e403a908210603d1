/* SPDX-License-Identifier: Apache-2.0 */
#include "json/decision_json.h"

#include <float.h>
#include <string.h>

#include "base/clock.h"
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

/* The declared features in their order, as a vector; from an array or from named numbers. */
static int vector_from_json(const json_t *v, const struct experiment_spec *spec, struct arena *mem,
    struct select_in *ret, struct errinfo *err)
{
	double *x = arena_array(mem, spec->nfeatures, sizeof(*x));
	size_t n = json_is_array(v) ? json_array_size(v) : json_object_size(v);
	char where[160];

	if (!x) {
		return no_memory(err);
	}
	if (n != spec->nfeatures) {
		return err_set(err, RC_INVALID, "out_of_range", "/context",
		    "the experiment declares %zu features, not %zu", spec->nfeatures, n);
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *f =
		    json_is_array(v) ? json_array_get(v, i) : json_object_get(v, spec->features[i]);

		if (!json_is_number(f)) {
			snprintf(where, sizeof(where), "/context/%s", spec->features[i]);
			return err_set(err, RC_INVALID, f ? "wrong_type" : "missing_field", where,
			    "feature %s must be a number", spec->features[i]);
		}
		x[i] = json_number_value(f);
	}
	ret->x = x;
	ret->dim = n;
	return 0;
}

static int context_from_json(const json_t *v, const struct experiment *e, struct arena *mem,
    struct select_in *ret, struct errinfo *err)
{
	struct experiment_spec spec;

	if (!json_is_object(v) && !json_is_array(v)) {
		return err_set(err, RC_INVALID, "wrong_type", "/context",
		    "context must be an object or an array, not %s", bind_type_name(v));
	}
	ret->context = bind_compact(v, CONTEXT_TEXT_MAX, mem);
	if (!ret->context) {
		return err_set(err, RC_LIMIT, "too_many", "/context",
		    "context is longer than %d bytes", CONTEXT_TEXT_MAX);
	}
	experiment_spec_of(e, &spec);
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
	int rc;

	memset(&r, 0, sizeof(r));
	rc = bind_object(o, fields, "", mem, &r, err);
	if (rc) {
		return rc;
	}
	if (r.rewards || r.label) {
		return err_set(err, RC_INVALID, "unsupported_feedback",
		    r.rewards ? "/rewards" : "/label", "this policy takes one reward per decision");
	}
	if (!json_is_number(r.reward)) {
		return err_set(err, RC_INVALID, r.reward ? "wrong_type" : "missing_field",
		    "/reward", "reward must be a number");
	}
	*ret = (struct reward_in){.reward = json_number_value(r.reward), .key = r.key};
	*ret_decision = r.decision;
	return 0;
}

static json_t *picks_to_json(const struct experiment *e, const struct event_decision *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->npicks; i++) {
		json_t *o = json_object();

		json_object_set_new_nocheck(
		    o, "arm", json_string_nocheck(arms_id(experiment_arms(e), d->picks[i].slot)));
		json_object_set_new_nocheck(o, "propensity", json_real(d->picks[i].propensity));
		if (json_array_append_new(list, o)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *pmf_to_json(const struct experiment *e, const struct event_decision *d)
{
	json_t *o = json_object();

	for (size_t i = 0; i < d->nslots; i++) {
		json_object_set_new_nocheck(
		    o, arms_id(experiment_arms(e), d->slots[i]), json_real(d->pmf[i]));
	}
	return o;
}

json_t *decision_to_json(const struct experiment *e, const struct event *ev)
{
	const struct event_decision *d = &ev->decision;
	char scratch[DECISION_ID_MAX], at[CLOCK_TEXT_MAX], expires[CLOCK_TEXT_MAX];
	json_t *o = json_object();
	int rc = 0;

	clock_format(ev->at_us, at);
	rc |= json_object_set_new_nocheck(
	    o, "id", json_string_nocheck(experiment_decision_id(e, ev, scratch)));
	rc |= json_object_set_new_nocheck(o, "experiment", json_string_nocheck(experiment_name(e)));
	rc |= json_object_set_new_nocheck(o, "seq", json_integer((json_int_t)ev->seq));
	rc |= json_object_set_new_nocheck(
	    o, "arm", json_string_nocheck(arms_id(experiment_arms(e), d->picks[0].slot)));
	rc |= json_object_set_new_nocheck(o, "propensity", json_real(d->picks[0].propensity));
	rc |= json_object_set_new_nocheck(o, "arms", picks_to_json(e, d));
	rc |= json_object_set_new_nocheck(
	    o, "policy", json_string_nocheck(experiment_policy(e)->name));
	rc |= json_object_set_new_nocheck(o, "at", json_string_nocheck(at));
	if (d->expires_us) {
		clock_format(d->expires_us, expires);
	}
	rc |= json_object_set_new_nocheck(
	    o, "expires_at", d->expires_us ? json_string_nocheck(expires) : json_null());
	if (d->flags & DECISION_DEFER) {
		rc |= json_object_set_new_nocheck(o, "deferred", json_true());
	}
	if (d->pmf) {
		rc |= json_object_set_new_nocheck(o, "pmf", pmf_to_json(e, d));
	}
	if (rc) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *reward_to_json(const char *decision, enum feedback_status status, unsigned flags)
{
	json_t *o = json_object();
	int rc = json_object_set_new_nocheck(o, "decision", json_string_nocheck(decision));

	rc |= json_object_set_new_nocheck(
	    o, "status", json_string_nocheck(feedback_status_names[status]));
	if (flags & FEEDBACK_IS_LATE) {
		rc |= json_object_set_new_nocheck(o, "late", json_true());
	}
	if (flags & FEEDBACK_CLIPPED) {
		rc |= json_object_set_new_nocheck(o, "clipped", json_true());
	}
	if (rc) {
		json_decref(o);
		return NULL;
	}
	return o;
}
