/* SPDX-License-Identifier: Apache-2.0 */
#include "core/experiment_copy.h"

#include <string.h>

#include "core/experiment_impl.h"
#include "core/experiment_plan.h"

void experiment_view_arm(const struct experiment *e, uint32_t slot, struct arm_copy *ret)
{
	ret->id = arms_id(&e->arms, slot);
	ret->label = arms_label(&e->arms, slot);
	ret->state = e->arms.arm[slot].state;
	ret->totals = e->arms.totals[slot];
	experiment_describe(e, slot, &ret->view);
}

static const char *copy_text(struct arena *mem, const char *s)
{
	return arena_text(mem, s, strlen(s));
}

int experiment_copy_arms(
    const struct experiment *e, uint32_t from, size_t n, struct arena *mem, struct arms_copy *ret)
{
	struct arms_copy c = {.lo = e->lo, .hi = e->hi, .decisions = e->totals.decisions};
	uint32_t left = from < e->arms.n ? e->arms.n - from : 0;

	c.n = n < left ? (uint32_t)n : left;
	c.arm = arena_array(mem, c.n, sizeof(*c.arm));
	if (!c.arm) {
		return RC_MEMORY;
	}
	for (uint32_t i = 0; i < c.n; i++) {
		experiment_view_arm(e, from + i, &c.arm[i]);
		c.arm[i].id = copy_text(mem, c.arm[i].id);
		c.arm[i].label = copy_text(mem, c.arm[i].label);
		if (!c.arm[i].id || !c.arm[i].label) {
			return RC_MEMORY;
		}
	}
	*ret = c;
	return 0;
}

/* Those that were not removed. */
static int copy_groups(const struct experiment *e, struct arena *mem, struct stats_copy *c)
{
	c->group = arena_array(mem, e->groups.nactive, sizeof(*c->group));
	for (uint32_t i = 0; c->group && i < e->groups.n; i++) {
		struct group_copy *g = &c->group[c->ngroups];

		if (e->groups.arm[i].state != ARM_ACTIVE) {
			continue;
		}
		*g = (struct group_copy){
		    copy_text(mem, arms_id(&e->groups, i)), e->groups.totals[i]};
		if (!g->id) {
			return RC_MEMORY;
		}
		c->ngroups++;
	}
	return c->group ? 0 : RC_MEMORY;
}

static int copy_history(const struct experiment *e, struct arena *mem, struct stats_copy *c)
{
	c->history = e->history;
	c->history.bucket = arena_array(mem, e->history.n, sizeof(*e->history.bucket));
	if (!c->history.bucket) {
		return RC_MEMORY;
	}
	if (e->history.n) {
		memcpy(c->history.bucket, e->history.bucket,
		    e->history.n * sizeof(*e->history.bucket));
	}
	return 0;
}

int experiment_copy_stats(
    const struct experiment *e, size_t arms_max, struct arena *mem, struct stats_copy *ret)
{
	struct stats_copy c = {
	    .name = copy_text(mem, e->name), .goal = e->goal, .totals = e->totals};
	int rc = c.name ? experiment_copy_arms(e, 0, arms_max, mem, &c.arms) : RC_MEMORY;

	rc = rc ? rc : copy_groups(e, mem, &c);
	rc = rc ? rc : copy_history(e, mem, &c);
	if (rc) {
		return rc;
	}
	for (uint32_t slot = 0; slot < e->arms.n; slot++) {
		c.rewards += e->arms.totals[slot].rewards;
		c.sum += e->arms.totals[slot].sum;
	}
	*ret = c;
	return 0;
}

int experiment_copy_plan(const struct experiment *e, struct arena *mem, struct plan_copy *ret)
{
	struct plan_copy c = {.name = copy_text(mem, e->name), .planning = e->planning};
	uint32_t *periods = arena_array(mem, e->arms.n, sizeof(*periods));
	uint32_t *offsets = arena_array(mem, e->arms.n, sizeof(*offsets));

	c.arm = arena_array(mem, e->arms.n, sizeof(*c.arm));
	if (!c.name || !periods || !offsets || !c.arm) {
		return RC_MEMORY;
	}
	experiment_plan_show(e, periods, offsets, &c.view);
	for (uint32_t slot = 0; slot < e->arms.n; slot++) {
		struct plan_arm *a = &c.arm[c.n];

		if (e->arms.arm[slot].state == ARM_RETIRED) {
			continue;
		}
		*a = (struct plan_arm){
		    copy_text(mem, arms_id(&e->arms, slot)), periods[slot], offsets[slot]};
		if (!a->id) {
			return RC_MEMORY;
		}
		c.n++;
	}
	*ret = c;
	return 0;
}
