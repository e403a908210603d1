/* SPDX-License-Identifier: Apache-2.0 */
/* UCB-tuned: Auer, Cesa-Bianchi, Fischer, "Finite-time Analysis of the Multiarmed Bandit Problem",
 * Machine Learning 47, 2002, section 4.
 *
 *	index = x + sqrt( (ln t / k) min(1/4, S + sqrt(2 ln t / k)) )	S: variance of the arm
 *
 * Rewards in [lo, hi], mapped to [0, 1]. Select O(1);
 * update, which keeps the arg-max, O(log K) expected. */
#include "policies/policies.h"
#include "policies/ucb.h"

static double ucb_tuned_index(const struct ucb_time *now, const struct ucb_stat *a, double enough)
{
	double per_play = now->log_t / a->k;
	double v = a->var + sqrt(2 * per_play);

	(void)enough;
	return a->mean + sqrt(per_play * (v < 0.25 ? v : 0.25));
}

static bool ucb_tuned_is_full(const struct ucb_time *now, const struct ucb_stat *a)
{
	return a->var + sqrt(2 * (now->log_t / a->k)) >= 0.25;
}

static double ucb_tuned_slope(const struct ucb_time *now, const struct ucb_stat *a)
{
	double per_play = now->log_t / a->k, e = sqrt(2 * per_play), v = a->var + e;

	if (v >= 0.25) {
		return sqrt(per_play * 0.25) / (2 * now->log_t);
	}
	return sqrt(per_play * v) * (a->var + 1.5 * e) / (2 * v * now->log_t);
}

/* clang-format off */
static const struct ucb_kind ucb_tuned_kind = {
	.index = ucb_tuned_index,
	.slope = ucb_tuned_slope,
	.is_full = ucb_tuned_is_full,
};
/* clang-format on */

static size_t ucb_tuned_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return ucb_bound(&ucb_tuned_kind, params, slots);
}

static int ucb_tuned_create(const struct policy_env *env, void **ret_state)
{
	return ucb_create(&ucb_tuned_kind, env, ret_state);
}

static int ucb_tuned_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return ucb_deserialise(&ucb_tuned_kind, env, in, ret_state);
}

/* clang-format off */
static const struct param_desc ucb_tuned_params[] = {
	UCB_RANGE_PARAMS,
	UCB_PENDING_PARAM,
	{.name = NULL},
};

const struct policy_ops ucb_tuned_ops = {
	.name = "ucb_tuned",
	.summary = "UCB that measures each arm's variance; usually the strongest, without a theorem",
	.version = 1,
	.params = ucb_tuned_params,
	.check = ucb_check,
	.bound = ucb_tuned_bound,
	.create = ucb_tuned_create,
	.deserialise = ucb_tuned_deserialise,
	UCB_HOOKS,
};
