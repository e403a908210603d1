/* SPDX-License-Identifier: Apache-2.0 */
/* MOSS: Audibert, Bubeck, "Minimax policies for adversarial and stochastic bandits", COLT 2009, in
 * its anytime form: t in place of the horizon.
 *
 *	index = x + sqrt( max(0, ln(t / (K k))) / k )	K: active arms
 *
 * Rewards in [lo, hi], mapped to [0, 1]. Select O(D) for D distinct counts, update O(log K + D). */
#include "base/num.h"
#include "policies/policies.h"
#include "policies/ucb.h"

static double moss_index(const struct ucb_time *now, const struct ucb_stat *a, double enough)
{
	double share = now->arms * a->k;

	(void)enough;
	return share < now->t ? a->mean + sqrt(num_log(now->t / share) / a->k) : a->mean;
}

static const struct ucb_kind moss_kind = {.index = moss_index};

static size_t moss_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return ucb_bound(&moss_kind, params, slots);
}

static int moss_create(const struct policy_env *env, void **ret_state)
{
	return ucb_create(&moss_kind, env, ret_state);
}

static int moss_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return ucb_deserialise(&moss_kind, env, in, ret_state);
}

/* clang-format off */
static const struct param_desc moss_params[] = {
	UCB_RANGE_PARAMS,
	UCB_PENDING_PARAM,
	{.name = NULL},
};

const struct policy_ops moss_ops = {
	.name = "moss",
	.summary = "UCB that explores an arm less the more of its share it has had; minimax regret",
	.version = 1,
	.params = moss_params,
	.check = ucb_check,
	.bound = moss_bound,
	.create = moss_create,
	.deserialise = moss_deserialise,
	UCB_HOOKS,
};
