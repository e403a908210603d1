/* SPDX-License-Identifier: Apache-2.0 */
/* Low regret on every one of many overlapping groups: one learner per group, mixed over the groups
 * of a decision. Acharya, Arunachaleswaran, Kannan, Roth, Ziani, "Oracle Efficient Algorithms for
 * Groupwise Regret", ICLR 2024. The mixture: groupwise_hedge.c; kinds: `arms` groupwise_arms.c,
 * `regress` groupwise_ridge.c, `experts` groupwise_experts.c, groupwise_leader.c.
 *
 * A group begins when it is first named; `_all` is awake in every decision, else nothing would
 * bound the overall loss. Rewards and labels in [lo, hi]. Draws only for `output` = sample
 * and for the perturbed leader. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/slots.h"
#include "policies/groupwise_impl.h"
#include "policies/policies.h"

static bool by_arms(const struct groupwise *g)
{
	return g->p->kind != GROUPWISE_REGRESS;
}

static size_t groupwise_bound(const void *params, size_t slots, size_t dim)
{
	const struct groupwise_params *p = params;
	size_t own = sizeof(struct groupwise) + sizeof(struct groupwise_group);
	size_t cap = slots_capacity(slots);

	if (p->kind == GROUPWISE_REGRESS) {
		return own + cap + groupwise_ridge_cells(dim) * sizeof(double);
	}
	return own + cap * (1 + sizeof(uint32_t) + sizeof(double));
}

static unsigned groupwise_traits(const void *params)
{
	const struct groupwise_params *p = params;

	switch (p->kind) {
	case GROUPWISE_REGRESS:
		return POLICY_CONTEXTUAL | POLICY_FORECAST | POLICY_ARMLESS;
	case GROUPWISE_EXPERTS:
		return POLICY_FULL;
	default:
		return 0;
	}
}

static int groupwise_dim(const void *params, size_t nfeatures, size_t *ret, struct errinfo *err)
{
	const struct groupwise_params *p = params;

	if (p->kind != GROUPWISE_REGRESS) {
		*ret = 0;
		return 0;
	}
	if (nfeatures < 1 || nfeatures > GROUPWISE_DIM_MAX) {
		return err_set(err, RC_INVALID, "out_of_range", "/features",
		    "regression takes 1 to %d features, a constant 1 among them",
		    GROUPWISE_DIM_MAX);
	}
	*ret = nfeatures;
	return 0;
}

static void groupwise_destroy(void *state)
{
	struct groupwise *g = state;

	if (g) {
		for (uint32_t i = 0; i < g->group_cap; i++) {
			free(g->group[i].cell);
		}
		free(g->group);
		free(g->arm);
		free(g->among);
		free(g);
	}
}

static size_t cells(const struct groupwise *g)
{
	return by_arms(g) ? g->cap : g->fixed;
}

/* Group i comes into being: as one that has slept so far. */
static void begin_group(struct groupwise *g, uint32_t i)
{
	struct groupwise_group *group = &g->group[i];
	double *cell = group->cell;

	*group = (struct groupwise_group){.cell = cell};
	if (by_arms(g)) {
		for (uint32_t k = 0; k < g->slots; k++) {
			cell[k] = 0;
		}
	} else {
		groupwise_ridge_init(cell, g->dim, g->p->lambda);
	}
}

static int make_room(struct groupwise *g, size_t cap)
{
	struct groupwise_group *group;

	if (cap <= g->group_cap) {
		return 0;
	}
	if (cap > GROUPWISE_GROUPS_MAX + 1 || cap * cells(g) > GROUPWISE_CELLS_MAX) {
		return RC_LIMIT;
	}
	group = realloc(g->group, cap * sizeof(*group));
	if (!group) {
		return RC_MEMORY;
	}
	g->group = group;
	for (; g->group_cap < cap; g->group_cap++) {
		group[g->group_cap] = (struct groupwise_group){.cell = NULL};
		if (cells(g) > 0) {
			group[g->group_cap].cell = calloc(cells(g), sizeof(double));
			if (!group[g->group_cap].cell) {
				return RC_MEMORY;
			}
		}
	}
	return 0;
}

static int groupwise_reserve_groups(void *state, size_t groups)
{
	return make_room(state, groups + 1);
}

static int groupwise_create(const struct policy_env *env, void **ret_state)
{
	struct groupwise *g = calloc(1, sizeof(*g));
	int rc;

	if (!g) {
		return RC_MEMORY;
	}
	g->p = env->params;
	g->lo = env->lo;
	g->width = env->hi - env->lo;
	g->seed = env->seed;
	g->leader_scale = groupwise_leader_scale(&g->p->components);
	g->dim = env->dim;
	if (!by_arms(g)) {
		g->fixed = groupwise_ridge_cells(g->dim);
	}
	rc = make_room(g, 1);
	if (rc) {
		groupwise_destroy(g);
		return rc;
	}
	g->ngroups = 1;
	if (!by_arms(g)) {
		begin_group(g, 0);
	}
	*ret_state = g;
	return 0;
}

static uint32_t groupwise_slots(const void *state)
{
	return ((const struct groupwise *)state)->slots;
}

/* Groups that have grown when another could not stay so; cap tells what all have. */
static int grow_cells(struct groupwise *g, size_t cap)
{
	double *cell;
	uint32_t *among;

	for (uint32_t i = 0; by_arms(g) && i < g->group_cap; i++) {
		cell = realloc(g->group[i].cell, cap * sizeof(*cell));
		if (!cell) {
			return RC_MEMORY;
		}
		g->group[i].cell = cell;
	}
	if (by_arms(g)) {
		among = realloc(g->among, cap * sizeof(*among));
		if (!among) {
			return RC_MEMORY;
		}
		g->among = among;
	}
	return 0;
}

static int groupwise_reserve(void *state, size_t slots)
{
	struct groupwise *g = state;
	unsigned char *arm;
	size_t cap;

	if (slots <= g->cap) {
		return 0;
	}
	if (slots > GROUPWISE_CELLS_MAX) {
		return RC_LIMIT;
	}
	cap = slots_capacity(slots);
	if (by_arms(g) && cap * g->group_cap > GROUPWISE_CELLS_MAX) {
		return RC_LIMIT;
	}
	arm = realloc(g->arm, cap);
	if (!arm) {
		return RC_MEMORY;
	}
	g->arm = arm;
	if (grow_cells(g, cap)) {
		return RC_MEMORY;
	}
	g->cap = (uint32_t)cap;
	return 0;
}

static void groupwise_arm_add(void *state, uint32_t slot)
{
	struct groupwise *g = state;

	assert(slot == g->slots && slot < g->cap);
	g->arm[slot] = ARM_ACTIVE;
	for (uint32_t i = 0; by_arms(g) && i < g->ngroups; i++) {
		g->group[i].cell[slot] = 0;
	}
	g->slots++;
	g->alive++;
}

static void groupwise_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	struct groupwise *g = state;

	g->alive -= g->arm[slot] != ARM_RETIRED;
	g->arm[slot] = (unsigned char)to;
	g->alive += to != ARM_RETIRED;
}

static int groupwise_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	const struct groupwise *g = state;

	if (ask->n == 1) {
		ret_pmf[0] = 1;
	} else if (g->p->kind == GROUPWISE_EXPERTS) {
		groupwise_experts_pmf(g, ask, rng, ret_pmf);
	} else {
		groupwise_arms_pmf(g, ask, ret_pmf);
	}
	return 0;
}

static void groupwise_note(
    const void *state, const struct ask *ask, const double *pmf, size_t i, struct buf *memo)
{
	const struct groupwise *g = state;

	(void)pmf;
	if (g->p->kind == GROUPWISE_ARMS) {
		groupwise_arms_note(g, ask, i, memo);
	}
}

static int groupwise_choose(const void *state, const struct ask *ask, struct rng *rng,
    struct choice *ret, struct errinfo *err)
{
	return groupwise_regress_choose(state, ask, rng, ret, err);
}

/* A power of two ends an epoch. */
static void double_horizon(struct groupwise *g)
{
	if ((g->plays & (g->plays - 1)) != 0) {
		return;
	}
	for (uint32_t i = 0; i < g->ngroups; i++) {
		g->group[i].m = 0;
		for (uint32_t k = 0; k < g->slots; k++) {
			g->group[i].cell[k] = 0;
		}
	}
}

static void groupwise_pulled(void *state, const struct pull *p)
{
	struct groupwise *g = state;

	for (size_t i = 0; i < p->ngroups; i++) {
		while (g->ngroups <= p->groups[i] + 1) {
			assert(g->ngroups < g->group_cap);
			begin_group(g, g->ngroups++);
		}
	}
	g->plays++;
	if (g->p->doubling && g->p->kind == GROUPWISE_ARMS) {
		double_horizon(g);
	}
}

static void groupwise_group_gone(void *state, uint32_t group)
{
	struct groupwise *g = state;

	if (group + 1 < g->ngroups) {
		begin_group(g, group + 1);
	}
}

static void groupwise_update(void *state, const struct outcome *o)
{
	struct groupwise *g = state;

	switch (g->p->kind) {
	case GROUPWISE_REGRESS:
		groupwise_regress_update(g, o);
		break;
	case GROUPWISE_EXPERTS:
		groupwise_experts_update(g, o);
		break;
	default:
		groupwise_arms_update(g, o);
	}
}

static void groupwise_serialise(const void *state, struct buf *out)
{
	const struct groupwise *g = state;
	size_t n = by_arms(g) ? g->slots : g->fixed;

	buf_put_var(out, g->slots);
	for (uint32_t i = 0; i < g->slots; i++) {
		buf_put_u8(out, g->arm[i]);
	}
	buf_put_var(out, g->plays);
	buf_put_var(out, g->rejected);
	buf_put_var(out, g->ngroups);
	for (uint32_t i = 0; i < g->ngroups; i++) {
		const struct groupwise_group *group = &g->group[i];

		buf_put_f64(out, group->r);
		buf_put_f64(out, group->c);
		buf_put_f64(out, group->m);
		buf_put_var(out, group->n);
		for (size_t k = 0; k < n; k++) {
			buf_put_f64(out, group->cell[k]);
		}
	}
}

static void load_arms(struct groupwise *g, struct rd *in, uint32_t slots)
{
	while (g->slots < slots) {
		uint8_t arm = rd_u8(in);

		if (arm > ARM_RETIRED) {
			rd_fail(in);
			return;
		}
		g->arm[g->slots++] = arm;
		g->alive += arm != ARM_RETIRED;
	}
}

static void load_group(struct groupwise *g, struct rd *in, struct groupwise_group *group)
{
	size_t n = by_arms(g) ? g->slots : g->fixed;

	group->r = rd_f64(in);
	group->c = rd_f64(in);
	group->m = rd_f64(in);
	group->n = rd_var(in);
	if (!(isfinite(group->r) && isfinite(group->m) && group->c >= 0 && isfinite(group->c))) {
		rd_fail(in);
	}
	for (size_t k = 0; k < n; k++) {
		group->cell[k] = rd_f64(in);
		if (!isfinite(group->cell[k])) {
			rd_fail(in);
			return;
		}
	}
}

/* What is left of the input bounds what is reserved. */
static int load(struct groupwise *g, struct rd *in)
{
	size_t slots = rd_count(in, 1), n;
	int rc = in->rc ? in->rc : groupwise_reserve(g, slots);

	if (rc) {
		return rc;
	}
	load_arms(g, in, (uint32_t)slots);
	g->plays = rd_var(in);
	g->rejected = rd_var(in);
	n = rd_count(in, 25 + 8 * (by_arms(g) ? slots : g->fixed));
	if (in->rc || n == 0) {
		return RC_CORRUPT;
	}
	rc = make_room(g, n);
	for (g->ngroups = 0; rc == 0 && g->ngroups < n; g->ngroups++) {
		load_group(g, in, &g->group[g->ngroups]);
		rc = in->rc;
	}
	return rc;
}

static int groupwise_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	void *state;
	int rc = groupwise_create(env, &state);

	if (rc) {
		return rc;
	}
	rc = load(state, in);
	if (rc) {
		groupwise_destroy(state);
		return rc == RC_MEMORY ? rc : RC_CORRUPT;
	}
	*ret_state = state;
	return 0;
}

const struct policy_ops groupwise_ops = {
    .name = "groupwise",
    .summary = "low regret on every one of many overlapping groups of decisions",
    .version = 1,
    .params = groupwise_params,
    .params_size = sizeof(struct groupwise_params),
    .check = groupwise_check,
    .bound = groupwise_bound,
    .create = groupwise_create,
    .destroy = groupwise_destroy,
    .slots = groupwise_slots,
    .reserve = groupwise_reserve,
    .arm_add = groupwise_arm_add,
    .arm_set = groupwise_arm_set,
    .traits = groupwise_traits,
    .dim = groupwise_dim,
    .reserve_groups = groupwise_reserve_groups,
    .group_gone = groupwise_group_gone,
    .pmf = groupwise_pmf,
    .note = groupwise_note,
    .choose = groupwise_choose,
    .pulled = groupwise_pulled,
    .update = groupwise_update,
    .serialise = groupwise_serialise,
    .deserialise = groupwise_deserialise,
    .describe = groupwise_describe,
};
