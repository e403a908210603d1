/* SPDX-License-Identifier: Apache-2.0 */
/* What can be read of an experiment. */
#include <string.h>

#include "core/experiment_impl.h"

const char *experiment_name(const struct experiment *e)
{
	return e->name;
}

uint64_t experiment_seed(const struct experiment *e)
{
	return e->seed;
}

uint64_t experiment_at_us(const struct experiment *e)
{
	return e->at_us;
}

uint64_t experiment_seq(const struct experiment *e)
{
	return e->seq;
}

uint64_t experiment_created_us(const struct experiment *e)
{
	return e->created_us;
}

uint64_t experiment_changed_seq(const struct experiment *e)
{
	return e->changed_seq;
}

bool experiment_has_windows(const struct experiment *e)
{
	return e->has_windows || (e->ops->stream && e->ops->stream->rules(e->params).pull_us);
}

const struct settings *experiment_settings(const struct experiment *e)
{
	return &e->settings;
}

double experiment_lo(const struct experiment *e)
{
	return e->lo;
}

double experiment_hi(const struct experiment *e)
{
	return e->hi;
}

enum goal experiment_goal(const struct experiment *e)
{
	return e->goal;
}

uint64_t experiment_fingerprint(const struct experiment *e)
{
	return e->fingerprint;
}

const struct totals *experiment_totals(const struct experiment *e)
{
	return &e->totals;
}

unsigned experiment_traits(const struct experiment *e)
{
	return e->traits;
}

size_t experiment_dim(const struct experiment *e)
{
	return e->dim;
}

uint32_t experiment_group(const struct experiment *e, const char *id)
{
	uint32_t number = arms_find(&e->groups, id);

	return number != ARM_NONE && e->groups.arm[number].state == ARM_ACTIVE ? number : ARM_NONE;
}

const struct arms *experiment_groups(const struct experiment *e)
{
	return &e->groups;
}

const struct arms *experiment_arms(const struct experiment *e)
{
	return &e->arms;
}

const struct history *experiment_history(const struct experiment *e)
{
	return &e->history;
}

const struct policy_ops *experiment_policy(const struct experiment *e)
{
	return e->ops;
}

const void *experiment_params(const struct experiment *e)
{
	return e->params;
}

void experiment_describe(const struct experiment *e, uint32_t slot, struct arm_view *ret)
{
	ret->n = 0;
	if (e->ops->describe) {
		e->ops->describe(e->state, slot, ret);
	}
}

void experiment_spec_of(const struct experiment *e, struct experiment_spec *ret)
{
	*ret = (struct experiment_spec){
	    .name = e->name,
	    .policy = e->ops->name,
	    .slots = e->slots,
	    .closed_groups = e->closed_groups,
	    .seed = e->seed,
	    .fingerprint = e->fingerprint,
	    .lo = e->lo,
	    .hi = e->hi,
	    .goal = e->goal,
	    .features = (const char *const *)e->features,
	    .nfeatures = e->nfeatures,
	    .settings = e->settings,
	};
}

size_t experiment_bytes(const struct experiment *e)
{
	return sizeof(*e) + strlen(e->name) + strlen(e->settings.label) +
	       (e->other ? 2 : 1) * e->ops->params_size +
	       (e->backlog ? sizeof(*e->backlog) + e->backlog->cap * sizeof(*e->backlog->slot)
			   : 0) +
	       arms_bytes(&e->arms) + e->history.cap * sizeof(*e->history.bucket) +
	       e->ops->bound(e->params, e->arms.cap, experiment_env(e).dim);
}
