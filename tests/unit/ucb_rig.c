/* SPDX-License-Identifier: Apache-2.0 */
#include "ucb_rig.h"

const char *const rig_all[] = {"ucb1", "ucb_tuned", "ucb_v", "kl_ucb", "moss", "ucb1_flad", NULL};

void rig_claim(bool ok, const char *otherwise)
{
	if (!ok) {
		ck_abort_msg("%s", otherwise);
	}
}

void rig_set(struct rig *g, const char *name, double v)
{
	const struct param_desc *d = param_find(g->ops->params, name);

	ck_assert_ptr_nonnull(d);
	if (d->type == PARAM_BOOL) {
		ck_assert_int_eq(param_set_bool(d, &g->params, v != 0, "", NULL), 0);
	} else {
		ck_assert_int_eq(param_set_number(d, &g->params, v, "", NULL), 0);
	}
}

void rig_init(struct rig *g, const char *policy)
{
	memset(g, 0, sizeof(*g));
	g->ops = policy_find(policy);
	ck_assert_ptr_nonnull(g->ops);
	param_defaults(g->ops->params, &g->params);
	g->env = (struct policy_env){.params = &g->params, .lo = 0, .hi = 1};
}

static void rig_list(struct rig *g)
{
	g->nactive = 0;
	for (uint32_t i = 0; i < g->arms; i++) {
		if (g->is[i] == ARM_ACTIVE) {
			g->active[g->nactive++] = i;
		}
	}
}

void rig_add(struct rig *g)
{
	ck_assert_uint_lt(g->arms, RIG_ARMS);
	ck_assert_int_eq(g->ops->reserve(g->state, g->arms + 1), 0);
	g->ops->arm_add(g->state, g->arms++);
	rig_list(g);
}

void rig_arm(struct rig *g, uint32_t slot, enum arm_state to)
{
	g->is[slot] = to;
	g->ops->arm_set(g->state, slot, to);
	rig_list(g);
}

void rig_open(struct rig *g, uint32_t arms)
{
	ck_assert_int_eq(g->ops->create(&g->env, &g->state), 0);
	ck_assert_int_eq(g->ops->reserve(g->state, arms), 0);
	while (g->arms < arms) {
		rig_add(g);
	}
}

void rig_start(struct rig *g, const char *policy, uint32_t arms)
{
	rig_init(g, policy);
	rig_open(g, arms);
}

void rig_close(struct rig *g)
{
	g->ops->destroy(g->state);
	g->state = NULL;
}

struct ask rig_ask(const struct rig *g)
{
	return (struct ask){.slots = g->active, .n = g->nactive, .all = true};
}

uint32_t rig_choice(const struct rig *g, const struct ask *ask)
{
	struct rng r = rng_at(1, 1, RNG_TEST);
	double pmf[RIG_ARMS];

	rig_claim(g->ops->pmf(g->state, ask, &r, pmf) == 0, "pmf failed");
	for (size_t i = 0; i < ask->n; i++) {
		if (pmf[i] == 1) {
			return ask->slots[i];
		}
		rig_claim(pmf[i] == pmf[0], "neither one arm nor all alike");
	}
	rig_claim(pmf[0] == 1 / (double)ask->n, "not uniform");
	return RIG_ARMS;
}

void rig_pull(struct rig *g, uint32_t slot)
{
	g->ops->pulled(g->state, &(struct pull){.picks = &(struct pick){slot, 1}, .npicks = 1});
}

void rig_lose(struct rig *g, uint32_t slot)
{
	g->ops->lost(g->state, &(struct pull){.picks = &(struct pick){slot, 1}, .npicks = 1});
}

void rig_learn(struct rig *g, uint32_t slot, double reward, bool revived)
{
	g->ops->update(g->state, &(struct outcome){
				     .slot = slot,
				     .reward = reward,
				     .propensity = 1,
				     .revived = revived,
				 });
}

uint32_t rig_round(struct rig *g, const double *rewards)
{
	struct ask ask = rig_ask(g);
	uint32_t slot = rig_choice(g, &ask);

	rig_claim(slot < RIG_ARMS, "all wait");
	rig_pull(g, slot);
	rig_learn(g, slot, rewards[slot], false);
	return slot;
}

double rig_view(const struct rig *g, uint32_t slot, const char *name)
{
	struct arm_view v;

	g->ops->describe(g->state, slot, &v);
	ck_assert_uint_le(v.n, ARM_VIEW_MAX);
	for (size_t i = 0; i < v.n; i++) {
		if (strcmp(v.item[i].name, name) == 0) {
			return v.item[i].value;
		}
	}
	return -HUGE_VAL;
}

struct buf rig_save(const struct rig *g)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	g->ops->serialise(g->state, &out);
	ck_assert_int_eq(out.rc, 0);
	return out;
}
