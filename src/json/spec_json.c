/* SPDX-License-Identifier: Apache-2.0 */
/* Reading. Writing is in spec_write.c. */
#include "json/spec_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "json/bind.h"

#define PARAMS_MAX 64

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* ---- policy ---- */

static int param_from_json(const char *name, const json_t *v, struct arena *mem,
    struct spec_param *ret, struct errinfo *err)
{
	char where[BIND_POINTER_MAX];

	bind_pointer("/policy/params", name, where);
	*ret = (struct spec_param){.name = name};
	if (!id_is_valid(name)) { /* else it would be named again, unescaped, further on */
		return err_set(
		    err, RC_INVALID, "unknown_field", where, "no parameter is called %.64s", name);
	}
	if (json_is_string(v)) {
		ret->text = json_string_value(v);
		return 0;
	}
	if (json_is_boolean(v)) {
		ret->number = json_is_true(v);
		return 0;
	}
	if (json_is_array(v)) {
		return list_from_json(v, where, mem, &ret->list, err);
	}
	if (!json_is_number(v)) {
		return err_set(err, RC_INVALID, "wrong_type", where,
		    "must be a number, text, true or false, or a list of numbers");
	}
	return bind_number(v, where, &ret->number, err);
}

int params_from_json(const json_t *o, struct arena *mem, const struct spec_param **ret,
    size_t *ret_n, struct errinfo *err)
{
	size_t n = json_object_size(o);
	struct spec_param *p = arena_array(mem, n, sizeof(*p));
	int rc = 0;

	if (!json_is_object(o)) {
		return err_set(
		    err, RC_INVALID, "wrong_type", "/policy/params", "params must be an object");
	}
	if (n > PARAMS_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "/policy/params", "too many parameters");
	}
	if (!p) {
		return no_memory(err);
	}
	*ret = p;
	for (void *i = json_object_iter((json_t *)o); i && rc == 0;
	     i = json_object_iter_next((json_t *)o, i)) {
		const json_t *v = json_object_iter_value(i);

		if (!json_is_null(v)) { /* null: not given */
			rc = param_from_json(json_object_iter_key(i), v, mem, &p[(*ret_n)++], err);
		}
	}
	return rc;
}

/* "key=value": a number when it reads as one, true and false, else text. */
static int param_from_text(char *pair, struct spec_param *ret, struct errinfo *err)
{
	char *eq = strchr(pair, '='), *end;

	if (!eq || eq == pair || !eq[1]) {
		return err_set(err, RC_INVALID, "wrong_type", "/policy",
		    "parameters are written key=value, not \"%.60s\"", pair);
	}
	*eq = '\0';
	*ret = (struct spec_param){.name = pair};
	ret->number = strtod(eq + 1, &end);
	if (*end || !isfinite(ret->number)) {
		ret->number = strcmp(eq + 1, "true") == 0;
		ret->text = ret->number != 0 || strcmp(eq + 1, "false") == 0 ? NULL : eq + 1;
	}
	return 0;
}

int policy_from_text(
    const char *text, struct arena *mem, struct experiment_spec *ret, struct errinfo *err)
{
	char *copy = arena_text(mem, text, strlen(text)), *pair, *next;
	struct spec_param *p = arena_array(mem, PARAMS_MAX, sizeof(*p));
	int rc = 0;

	if (!copy || !p) {
		return no_memory(err);
	}
	ret->policy = copy;
	ret->params = p;
	ret->nparams = 0;
	pair = strchr(copy, ':');
	if (pair) {
		*pair++ = '\0';
	}
	for (; pair && rc == 0; pair = next) {
		next = strchr(pair, ',');
		if (next) {
			*next++ = '\0';
		}
		if (ret->nparams == PARAMS_MAX) {
			return err_set(err, RC_LIMIT, "too_many", "/policy", "too many parameters");
		}
		rc = param_from_text(pair, &p[ret->nparams++], err);
	}
	return rc;
}

struct policy_object {
	const char *name;
	const json_t *params;
};

int policy_from_json(const json_t *v, const char *pointer, struct arena *mem,
    struct experiment_spec *ret, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"name", BIND_ID, offsetof(struct policy_object, name), BIND_REQUIRED, 0, 0, NULL},
	    {"params", BIND_JSON, offsetof(struct policy_object, params), BIND_NULL, 0, 0, NULL},
	    {.name = NULL},
	};
	struct policy_object p = {.name = NULL};
	int rc;

	if (json_is_string(v)) {
		return policy_from_text(json_string_value(v), mem, ret, err);
	}
	rc = bind_object(v, fields, pointer, mem, &p, err);
	ret->policy = p.name;
	return rc || !p.params ? rc
			       : params_from_json(p.params, mem, &ret->params, &ret->nparams, err);
}

/* ---- settings ---- */

struct reward_object {
	double lo, hi;
	int goal, late, aggregate;
	const json_t *window, *fallback;
};

#define REWARD_AT(m) offsetof(struct reward_object, m)
static const struct bind_field reward_fields[] = {
    {"lo", BIND_NUMBER, REWARD_AT(lo), 0, -1e300, 1e300, NULL},
    {"hi", BIND_NUMBER, REWARD_AT(hi), 0, -1e300, 1e300, NULL},
    {"goal", BIND_CHOICE, REWARD_AT(goal), 0, 0, 0, goal_names},
    {"window", BIND_JSON, REWARD_AT(window), 0, 0, 0, NULL},
    {"default", BIND_JSON, REWARD_AT(fallback), 0, 0, 0, NULL},
    {"late", BIND_CHOICE, REWARD_AT(late), 0, 0, 0, late_rule_names},
    {"aggregate", BIND_CHOICE, REWARD_AT(aggregate), 0, 0, 0, aggregate_names},
    {.name = NULL},
};
/* The same of a patch. null takes a member away, so that its default is back (RFC 7396). */
static const struct bind_field reward_patch_fields[] = {
    {"lo", BIND_FIXED, 0, 0, 0, 0, NULL},
    {"hi", BIND_FIXED, 0, 0, 0, 0, NULL},
    {"goal", BIND_FIXED, 0, 0, 0, 0, NULL},
    {"window", BIND_JSON, REWARD_AT(window), 0, 0, 0, NULL},
    {"default", BIND_JSON, REWARD_AT(fallback), 0, 0, 0, NULL},
    {"late", BIND_CHOICE, REWARD_AT(late), BIND_NULL, 0, 0, late_rule_names},
    {"aggregate", BIND_CHOICE, REWARD_AT(aggregate), BIND_NULL, 0, 0, aggregate_names},
    {.name = NULL},
};

static int set_window(const json_t *v, struct settings *s, struct errinfo *err)
{
	if (!v) {
		return 0;
	}
	if (json_is_null(v)) {
		s->window_us = 0;
		return 0;
	}
	if (!json_is_string(v) || clock_parse_duration(json_string_value(v), &s->window_us) ||
	    s->window_us == 0) {
		return err_set(err, RC_INVALID, json_is_string(v) ? "out_of_range" : "wrong_type",
		    "/reward/window", "window is an ISO 8601 duration like PT24H, or null");
	}
	return 0;
}

static int set_fallback(const json_t *v, struct settings *s, struct errinfo *err)
{
	if (!v) {
		return 0;
	}
	s->has_fallback = !json_is_null(v);
	s->fallback = 0;
	return s->has_fallback ? bind_number(v, "/reward/default", &s->fallback, err) : 0;
}

/* The part of a reward object that may change later. */
static int set_rules(const struct reward_object *r, struct settings *s, struct errinfo *err)
{
	int rc = set_window(r->window, s, err);

	rc = rc ? rc : set_fallback(r->fallback, s, err);
	s->late = (enum late_rule)r->late;
	s->aggregate = (enum aggregate)r->aggregate;
	return rc;
}

struct settings_object {
	double floor;
	int state;
	const char *label;
	uint64_t slots;
	const json_t *reward, *policy;
};

static bool is_taken_away(const json_t *patch, const char *name)
{
	return json_is_null(json_object_get(patch, name));
}

static int patch_reward(
    const json_t *patch, struct arena *mem, struct settings *s, struct errinfo *err)
{
	struct reward_object r = {.late = is_taken_away(patch, "late") ? LATE_RECORD : (int)s->late,
	    .aggregate = is_taken_away(patch, "aggregate") ? AGGREGATE_FIRST : (int)s->aggregate};
	int rc;

	if (json_is_null(patch)) {
		s->window_us = 0;
		s->has_fallback = false;
		s->late = LATE_RECORD;
		s->aggregate = AGGREGATE_FIRST;
		return 0;
	}
	rc = bind_object(patch, reward_patch_fields, "/reward", mem, &r, err);
	return rc ? rc : set_rules(&r, s, err);
}

/* null would take a parameter away, and its default depends on the policy: a value is needed. */
static int patch_policy(
    const json_t *patch, struct arena *mem, struct settings *s, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"name", BIND_FIXED, 0, 0, 0, 0, NULL},
	    {"params", BIND_JSON, 0, BIND_REQUIRED, 0, 0, NULL},
	    {.name = NULL},
	};
	const json_t *params = NULL, *v;
	char where[BIND_POINTER_MAX];
	const char *name;
	int rc = json_is_object(patch) ? bind_object(patch, fields, "/policy", mem, &params, err)
				       : err_set(err, RC_INVALID, "fixed_field", "/policy",
					     "policy is fixed at creation, but for some params");

	rc = rc ? rc : params_from_json(params, mem, &s->params, &s->nparams, err);
	json_object_foreach ((json_t *)params, name, v) {
		if (rc == 0 && json_is_null(v)) {
			bind_pointer("/policy/params", name, where);
			rc = err_set(err, RC_INVALID, "wrong_type", where,
			    "a parameter that is changed needs its value");
		}
	}
	return rc;
}

int settings_patch_json(
    const json_t *patch, struct arena *mem, struct settings *s, struct errinfo *err)
{
	static const char *const states[] = {"running", "paused", NULL};
#define SETTINGS_AT(m) offsetof(struct settings_object, m)
	static const struct bind_field fields[] = {
	    {"floor", BIND_NUMBER, SETTINGS_AT(floor), BIND_NULL, 0, 1, NULL},
	    {"state", BIND_CHOICE, SETTINGS_AT(state), BIND_NULL, 0, 0, states},
	    {"label", BIND_TEXT, SETTINGS_AT(label), BIND_NULL, 0, LABEL_MAX, NULL},
	    {"reward", BIND_JSON, SETTINGS_AT(reward), 0, 0, 0, NULL},
	    {"policy", BIND_JSON, SETTINGS_AT(policy), 0, 0, 0, NULL},
	    {"slots", BIND_U64, SETTINGS_AT(slots), 0, 1, SLATE_MAX, NULL},
	    {"arms", BIND_FIXED, 0, 0, 0, 0, NULL},
	    {"groups", BIND_FIXED, 0, 0, 0, 0, NULL},
	    {"auto_groups", BIND_FIXED, 0, 0, 0, 0, NULL},
	    {"seed", BIND_FIXED, 0, 0, 0, 0, NULL},
	    {"context", BIND_FIXED, 0, 0, 0, 0, NULL},
	    {.name = NULL},
	};
#undef SETTINGS_AT
	struct settings_object o = {.floor = is_taken_away(patch, "floor") ? 0 : s->floor,
	    .state = is_taken_away(patch, "state") ? (int)RUN_RUNNING : (int)s->state,
	    .label = is_taken_away(patch, "label") ? "" : s->label};
	struct settings after = *s;
	int rc = bind_object(patch, fields, "", mem, &o, err);

	if (rc == 0 && o.reward) {
		rc = patch_reward(o.reward, mem, &after, err);
	}
	if (rc == 0 && o.policy) {
		rc = patch_policy(o.policy, mem, &after, err);
	}
	if (rc) {
		return rc;
	}
	after.floor = o.floor;
	after.state = (enum run_state)o.state;
	after.label = o.label;
	after.slots = (uint32_t)o.slots;
	*s = after;
	return 0;
}

int arm_patch_json(const json_t *patch, enum arm_state *ret, struct errinfo *err)
{
	static const char *const states[] = {"active", "paused", NULL};
	static const struct bind_field fields[] = {
	    {"state", BIND_CHOICE, 0, BIND_REQUIRED, 0, 0, states},
	    {.name = NULL},
	};
	int state = 0, rc = bind_object(patch, fields, "", NULL, &state, err);

	*ret = state ? ARM_PAUSED : ARM_ACTIVE;
	return rc;
}

/* ---- the whole experiment ---- */

struct spec_object {
	const json_t *policy, *arms, *reward;
	struct bind_ids context, groups;
	uint64_t slots, seed;
	double floor;
	bool auto_groups;
	const char *label;
};

#define SPEC_AT(m) offsetof(struct spec_object, m)
static const struct bind_field spec_fields[] = {
    {"policy", BIND_JSON, SPEC_AT(policy), BIND_REQUIRED, 0, 0, NULL},
    {"arms", BIND_JSON, SPEC_AT(arms), 0, 0, 0, NULL},
    {"slots", BIND_U64, SPEC_AT(slots), 0, 1, SLATE_MAX, NULL},
    {"floor", BIND_NUMBER, SPEC_AT(floor), 0, 0, 1, NULL},
    {"seed", BIND_U64, SPEC_AT(seed), BIND_NULL, 0, JSON_EXACT_MAX, NULL},
    {"reward", BIND_JSON, SPEC_AT(reward), BIND_NULL, 0, 0, NULL},
    {"label", BIND_TEXT, SPEC_AT(label), 0, 0, LABEL_MAX, NULL},
    {"context", BIND_IDS, SPEC_AT(context), BIND_NULL, 0, DIM_MAX, NULL},
    {"groups", BIND_IDS, SPEC_AT(groups), BIND_NULL, 0, GROUPS_ALL_MAX, NULL},
    {"auto_groups", BIND_BOOL, SPEC_AT(auto_groups), 0, 0, 0, NULL},
    {.name = NULL},
};

static int set_reward(
    const json_t *v, struct arena *mem, struct experiment_spec *ret, struct errinfo *err)
{
	struct reward_object r = {.lo = 0, .hi = 1};
	int rc = v ? bind_object(v, reward_fields, "/reward", mem, &r, err) : 0;

	ret->lo = r.lo;
	ret->hi = r.hi;
	ret->goal = (enum goal)r.goal;
	return rc ? rc : set_rules(&r, &ret->settings, err);
}

int spec_from_json(const json_t *o, const char *name, struct arena *mem,
    struct experiment_spec *ret, bool *ret_has_seed, struct errinfo *err)
{
	struct spec_object s = {.slots = 1, .label = "", .auto_groups = true};
	struct spec_arm *arms = NULL;
	int rc;

	*ret = (struct experiment_spec){.name = name};
	rc = bind_object(o, spec_fields, "", mem, &s, err);
	rc = rc ? rc : policy_from_json(s.policy, "/policy", mem, ret, err);
	if (rc == 0 && s.arms) {
		if (!json_is_array(s.arms)) {
			return err_set(
			    err, RC_INVALID, "wrong_type", "/arms", "arms must be an array");
		}
		rc = arms_from_json(s.arms, "/arms", ARMS_MAX, mem, &arms, &ret->narms, err);
		ret->arms = arms;
	}
	rc = rc ? rc : set_reward(s.reward, mem, ret, err);
	*ret_has_seed = json_is_integer(json_object_get(o, "seed"));
	ret->seed = s.seed;
	ret->slots = (uint32_t)s.slots;
	ret->features = s.context.id;
	ret->nfeatures = s.context.n;
	ret->groups = s.groups.id;
	ret->ngroups = s.groups.n;
	ret->closed_groups = !s.auto_groups;
	ret->settings.floor = s.floor;
	ret->settings.label = s.label;
	ret->fingerprint = rc ? 0 : bind_fingerprint(o);
	return rc;
}
