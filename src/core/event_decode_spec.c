/* SPDX-License-Identifier: Apache-2.0 */
/* What an experiment is created with, and what is changed of it: the rest of event_decode.c. */
#include "core/event_impl.h"

const struct spec_arm *source_arms(struct source *s, size_t *ret_n)
{
	size_t n = rd_count(s->in, 3);
	struct spec_arm *arms = source_take(s, n, sizeof(*arms));

	for (size_t i = 0; arms && i < n; i++) {
		arms[i].id = source_id(s);
		arms[i].label = source_text(s, LABEL_MAX);
	}
	*ret_n = n;
	return arms;
}

static void get_settings(struct source *s, struct settings *ret)
{
	ret->floor = source_finite(s);
	ret->window_us = rd_var(s->in);
	ret->has_fallback = source_choice(s, 2);
	ret->fallback = ret->has_fallback ? source_finite(s) : 0;
	ret->late = (enum late_rule)source_choice(s, LATE_DROP + 1);
	ret->aggregate = (enum aggregate)source_choice(s, AGGREGATE_MAX + 1);
	ret->state = (enum run_state)source_choice(s, RUN_ARCHIVED + 1);
	ret->label = source_text(s, LABEL_MAX);
}

static void get_params(struct source *s, const struct spec_param **ret, size_t *ret_n)
{
	size_t n = rd_count(s->in, 3), kind;
	struct spec_param *p = source_take(s, n, sizeof(*p));

	*ret = p;
	*ret_n = n;
	for (size_t i = 0; p && i < n; i++) {
		p[i] = (struct spec_param){.name = source_id(s)};
		kind = source_choice(s, 3);
		p[i].number = kind == 0 ? source_finite(s) : 0;
		p[i].text = kind == 1 ? source_id(s) : NULL;
		s->starved = (kind == 2 && spec_list_read(s->in, s->mem, &p[i].list)) || s->starved;
	}
}

static uint32_t get_slots(struct source *s)
{
	uint64_t v = rd_var(s->in);

	if (v > SLATE_MAX) {
		rd_fail(s->in);
		return 0;
	}
	return (uint32_t)v;
}

/* None are written as none. */
static void get_groups(struct source *s, struct experiment_spec *ret)
{
	ret->closed_groups = source_choice(s, 2);
	ret->ngroups = rd_count(s->in, 2);
	ret->groups = source_ids(s, ret->ngroups);
	if (ret->ngroups == 0 || ret->ngroups > GROUPS_ALL_MAX) {
		rd_fail(s->in);
	}
}

void event_get_create(struct source *s, struct experiment_spec *ret)
{
	ret->name = source_id(s);
	ret->policy = source_id(s);
	get_params(s, &ret->params, &ret->nparams);
	ret->slots = get_slots(s);
	ret->seed = rd_u64(s->in);
	ret->fingerprint = rd_u64(s->in);
	ret->lo = source_finite(s);
	ret->hi = source_finite(s);
	ret->goal = (enum goal)source_choice(s, GOAL_MINIMISE + 1);
	ret->nfeatures = rd_count(s->in, 2);
	ret->features = source_ids(s, ret->nfeatures);
	get_settings(s, &ret->settings);
	ret->arms = source_arms(s, &ret->narms);
	if (rd_left(s->in)) { /* since groups can be declared */
		get_groups(s, ret);
	}
}

void event_get_change(struct source *s, struct settings *ret)
{
	get_settings(s, ret);
	if (rd_left(s->in)) { /* of the policy too */
		ret->slots = get_slots(s);
		get_params(s, &ret->params, &ret->nparams);
		if (ret->slots == 0 && ret->nparams == 0) {
			rd_fail(s->in);
		}
	}
}
