/* SPDX-License-Identifier: Apache-2.0 */
/* UCB1: Auer, Cesa-Bianchi, Fischer, "Finite-time Analysis of the Multiarmed Bandit Problem",
 * Machine Learning 47, 2002, Figure 1.
 *
 *	index = x + sqrt(2 ln t / k)	x: mean, k: plays of the arm, t: plays of all
 *
 * Rewards in [lo, hi], mapped to [0, 1]. Select O(D) for D distinct counts, at most sqrt(2t) + 1
 *and in practice dozens to hundreds; update O(log K + D). */
#include "policies/policies.h"
#include "policies/ucb.h"

static double ucb1_index(const struct ucb_time *now, const struct ucb_stat *a, double enough)
{
	(void)enough;
	return a->mean + sqrt(2 * now->log_t / a->k);
}

static const struct ucb_kind ucb1_kind = {.index = ucb1_index};

static size_t ucb1_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return ucb_bound(&ucb1_kind, params, slots);
}

static int ucb1_create(const struct policy_env *env, void **ret_state)
{
	return ucb_create(&ucb1_kind, env, ret_state);
}

static int ucb1_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return ucb_deserialise(&ucb1_kind, env, in, ret_state);
}

/* clang-format off */
static const struct param_desc ucb1_params[] = {
	UCB_RANGE_PARAMS,
	UCB_PENDING_PARAM,
	{.name = NULL},
};

const struct policy_ops ucb1_ops = {
	.name = "ucb1",
	.summary = "largest upper confidence bound, with its finite-time guarantee",
	.version = 1,
	.params = ucb1_params,
	.check = ucb_check,
	.bound = ucb1_bound,
	.create = ucb1_create,
	.deserialise = ucb1_deserialise,
	UCB_HOOKS,
};
