/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that create an experiment or change it. */
#include "base/clock.h"
#include "json/event_line.h"
#include "json/spec_json.h"

static int read_settings(struct line_source *s, struct settings *ret)
{
	const struct line *l = &s->l;

	ret->floor = l->floor;
	ret->state = (enum run_state)l->state;
	ret->label = l->label;
	ret->late = (enum late_rule)l->late_rule;
	ret->aggregate = (enum aggregate)l->aggregate;
	ret->has_fallback = !json_is_null(l->fallback);
	if (!json_is_null(l->window) &&
	    (!json_is_string(l->window) ||
		clock_parse_duration(json_string_value(l->window), &ret->window_us))) {
		return line_invalid(s, "/window", "an ISO 8601 duration like PT24H, or null");
	}
	return ret->has_fallback ? bind_number(l->fallback, "/default", &ret->fallback, s->err) : 0;
}

int line_create(struct line_source *s, struct experiment_spec *ret)
{
	const struct line *l = &s->l;
	struct spec_arm *arms;
	int rc = policy_from_json(l->policy, "/policy", s->mem, ret, s->err);

	if (rc == 0) {
		rc = arms_from_json(l->arms, "/arms", ARMS_MAX, s->mem, &arms, &ret->narms, s->err);
	}
	if (rc) {
		return rc;
	}
	ret->arms = arms;
	ret->name = l->experiment;
	ret->features = l->features.id;
	ret->nfeatures = l->features.n;
	ret->slots = (uint32_t)l->slots;
	ret->seed = l->seed;
	ret->lo = l->lo;
	ret->hi = l->hi;
	ret->goal = (enum goal)l->goal;
	ret->groups = l->groups.id;
	ret->ngroups = l->groups.n;
	ret->closed_groups = l->groups.n > 0 && !l->auto_groups;
	rc = line_fingerprint(s, true, &ret->fingerprint);
	return rc ? rc : read_settings(s, &ret->settings);
}

int line_change(struct line_source *s, struct settings *ret)
{
	int rc = read_settings(s, ret);

	ret->slots = (uint32_t)s->l.slots;
	return rc || !s->l.params
		   ? rc
		   : params_from_json(s->l.params, s->mem, &ret->params, &ret->nparams, s->err);
}
