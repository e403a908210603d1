/* SPDX-License-Identifier: Apache-2.0 */
/* UCB-V: Audibert, Munos, Szepesvari, "Exploration-exploitation tradeoff using variance estimates
 *in multi-armed bandits", Theoretical Computer Science 410, 2009, the index B of the UCB-V policy
 *with the exploration function zeta ln t.
 *
 *	index = x + sqrt(2 S zeta ln t / k) + 3 c zeta ln t / k		S: variance of the arm
 *
 * Rewards in [lo, hi], mapped to [0, 1]. Select O(1);
 * update, which keeps the arg-max, O(log K) expected. */
#include "policies/policies.h"
#include "policies/ucb.h"

static double ucb_v_index(const struct ucb_time *now, const struct ucb_stat *a, double enough)
{
	double level = now->params->zeta * now->log_t / a->k;

	(void)enough;
	return a->mean + sqrt(2 * a->var * level) + 3 * now->params->c * level;
}

static double ucb_v_slope(const struct ucb_time *now, const struct ucb_stat *a)
{
	double level = now->params->zeta * now->log_t / a->k;

	return (sqrt(2 * a->var * level) / 2 + 3 * now->params->c * level) / now->log_t;
}

static bool ucb_v_is_full(const struct ucb_time *now, const struct ucb_stat *a)
{
	(void)now, (void)a;
	return false;
}

/* clang-format off */
static const struct ucb_kind ucb_v_kind = {
	.index = ucb_v_index,
	.slope = ucb_v_slope,
	.is_full = ucb_v_is_full,
};
/* clang-format on */

static size_t ucb_v_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return ucb_bound(&ucb_v_kind, params, slots);
}

static int ucb_v_create(const struct policy_env *env, void **ret_state)
{
	return ucb_create(&ucb_v_kind, env, ret_state);
}

static int ucb_v_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return ucb_deserialise(&ucb_v_kind, env, in, ret_state);
}

/* clang-format off */
static const struct param_desc ucb_v_params[] = {
	UCB_RANGE_PARAMS,
	{.name = "zeta", .type = PARAM_F64, .offset = offsetof(struct ucb_params, zeta),
	 .min = 1, .max = 1e6, .dflt = 1.2, .flags = PARAM_OPEN_MIN,
	 .text = "Scale of the exploration function zeta ln t."},
	{.name = "c", .type = PARAM_F64, .offset = offsetof(struct ucb_params, c),
	 .min = 0, .max = 1e6, .dflt = 1, .flags = PARAM_OPEN_MIN,
	 .text = "Weight of the term that does not depend on the variance."},
	UCB_PENDING_PARAM,
	{.name = NULL},
};

const struct policy_ops ucb_v_ops = {
	.name = "ucb_v",
	.summary = "UCB with empirical variances and a guarantee in terms of them",
	.version = 1,
	.params = ucb_v_params,
	.check = ucb_check,
	.bound = ucb_v_bound,
	.create = ucb_v_create,
	.deserialise = ucb_v_deserialise,
	UCB_HOOKS,
};
