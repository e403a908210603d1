/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "json/bind.h"
#include "json/spec_json.h"
#include "policies/policies.h"

/* A parameter's value in its own type; null when it is not given. */
static json_t *param_value(const struct param_desc *d, double v)
{
	if (isnan(v)) {
		return d->choices ? json_string(d->choices[0]) : json_null();
	}
	switch (d->type) {
	case PARAM_F64:
		return json_real(v);
	case PARAM_INT:
		return json_integer((json_int_t)v);
	case PARAM_BOOL:
		return json_boolean(v != 0);
	case PARAM_CHOICE:
		return json_string(d->choices[(int)v]);
	case PARAM_LIST: /* as a whole: list_to_json() */
	case PARAM_TEXT:
		break;
	}
	return json_null();
}

json_t *policy_to_json(const struct policy_ops *ops, const void *params)
{
	json_t *values = json_object();
	int rc = 0;

	for (const struct param_desc *d = ops->params; d && d->name; d++) {
		bool list = d->type == PARAM_LIST && param_get_list(d, params)->n;

		rc |= json_object_set_new(values, d->name,
		    list ? list_to_json(param_get_list(d, params))
			 : param_value(d, param_get(d, params)));
	}
	return json_pack("{ss so}", "name", ops->name, "params", bind_whole(values, rc));
}

static json_t *window_value(uint64_t window_us)
{
	char text[CLOCK_TEXT_MAX];

	if (window_us == 0) {
		return json_null();
	}
	clock_format_duration(window_us, text);
	return json_string(text);
}

static json_t *reward_to_json(const struct experiment *e)
{
	const struct settings *s = experiment_settings(e);

	return json_pack("{sf sf ss so so ss ss}", "lo", experiment_lo(e), "hi", experiment_hi(e),
	    "goal", goal_names[experiment_goal(e)], "window", window_value(s->window_us), "default",
	    s->has_fallback ? json_real(s->fallback) : json_null(), "late",
	    late_rule_names[s->late], "aggregate", aggregate_names[s->aggregate]);
}

static json_t *features_to_json(const struct experiment_spec *spec)
{
	json_t *list = json_array();
	int rc = 0;

	for (size_t i = 0; i < spec->nfeatures; i++) {
		rc |= json_array_append_new(list, json_string(spec->features[i]));
	}
	return bind_whole(list, rc);
}

json_t *experiment_to_json(const struct experiment *e)
{
	const struct settings *s = experiment_settings(e);
	const struct arms *arms = experiment_arms(e);
	const struct policy_ops *ops = experiment_policy(e);
	const char *warning = ops->warn ? ops->warn(experiment_params(e), arms->n) : NULL;
	struct experiment_spec spec;
	char created[CLOCK_TEXT_MAX];
	json_t *o;

	experiment_spec_of(e, &spec);
	clock_format(experiment_created_us(e), created);
	o = json_pack("{ss ss ss so si sf sI so so si si sI sI ss}", "experiment", spec.name,
	    "label", s->label, "state", run_state_names[s->state], "policy",
	    policy_to_json(experiment_policy(e), experiment_params(e)), "slots", (int)spec.slots,
	    "floor", s->floor, "seed", (json_int_t)spec.seed, "reward", reward_to_json(e),
	    "context", features_to_json(&spec), "arms", (int)arms->n, "active_arms",
	    (int)arms->nactive, "seq", (json_int_t)experiment_seq(e), "revision",
	    (json_int_t)experiment_changed_seq(e), "created_at", created);
	if (spec.closed_groups) {
		o = bind_whole(o, json_object_set_new(o, "auto_groups", json_false()));
	}
	return warning
		   ? bind_whole(o, json_object_set_new(o, "warnings", json_pack("[s]", warning)))
		   : o;
}

static const char *const type_names[] = {"number", "integer", "boolean", "choice", "text", "list"};

/* No bound is none: JSON has no infinity. */
static json_t *bound_value(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *choices_to_json(const char *const *choices)
{
	json_t *list = json_array();
	int rc = 0;

	for (int i = 0; choices[i]; i++) {
		rc |= json_array_append_new(list, json_string(choices[i]));
	}
	return bind_whole(list, rc);
}

static json_t *param_to_json(const struct param_desc *d)
{
	bool none = d->flags & PARAM_UNSET || d->type == PARAM_LIST;
	double dflt = none ? (double)NAN : d->dflt;
	json_t *o = json_pack("{ss ss so ss}", "name", d->name, "type", type_names[d->type],
	    "default", param_value(d, dflt), "text", d->text);
	int rc = 0;

	if (d->type == PARAM_F64 || d->type == PARAM_INT || d->type == PARAM_LIST) {
		rc |= json_object_set_new(o, "min", bound_value(d->min));
		rc |= json_object_set_new(o, "max", bound_value(d->max));
		rc |=
		    json_object_set_new(o, "min_excluded", json_boolean(d->flags & PARAM_OPEN_MIN));
		rc |=
		    json_object_set_new(o, "max_excluded", json_boolean(d->flags & PARAM_OPEN_MAX));
	}
	if (d->choices) {
		rc |= json_object_set_new(o, "choices", choices_to_json(d->choices));
	}
	return bind_whole(o, rc);
}

static json_t *ops_to_json(const struct policy_ops *ops)
{
	json_t *params = json_array();
	int rc = 0;

	for (const struct param_desc *d = ops->params; d && d->name; d++) {
		rc |= json_array_append_new(params, param_to_json(d));
	}
	return json_pack("{ss ss so sb sb sb sb si}", "name", ops->name, "summary", ops->summary,
	    "params", bind_whole(params, rc), "contextual", (ops->flags & POLICY_CONTEXTUAL) != 0,
	    "deterministic", (ops->flags & POLICY_DETERMINISTIC) != 0, "slates",
	    (ops->flags & (POLICY_SLATE | POLICY_ANY_SLATE)) != 0, "plans", ops->plan_due != NULL,
	    "arms_max", ops->draw ? ARMS_MAX : SCAN_MAX);
}

json_t *policies_to_json(void)
{
	json_t *items = json_array();

	for (const struct policy_ops *const *p = policy_table; *p; p++) {
		if (json_array_append_new(items, ops_to_json(*p))) {
			json_decref(items);
			return NULL;
		}
	}
	return items;
}
