/* SPDX-License-Identifier: Apache-2.0 */
/* UCB1-FLAD: Albalak, Raffel, Wang, "Improving Few-Shot Generalization by Exploring and Exploiting
 * Auxiliary Data", NeurIPS 2023: UCB1 of Auer, Cesa-Bianchi and Fischer (2002) over exponential
 * moving averages, for rewards that drift.
 *
 *	index = m + sqrt(2 ln t / k)		m = (1 - beta) m + beta r
 *
 * An arm starts with one probe: its first reward is its first mean, or init_mean stands for it.
 *With batch G the means move after every G rewards, each by the average of its own. As in the
 *paper, and unlike in its published code, the arg-max is played itself. Rewards are not mapped;
 *[-1, 1] in the paper. Select O(D) for D distinct counts, update O(log K + D), times G for the last
 *of a batch. */
#include "policies/policies.h"
#include "policies/ucb.h"

static double ucb1_flad_index(const struct ucb_time *now, const struct ucb_stat *a, double enough)
{
	(void)enough;
	return a->mean + sqrt(2 * now->log_t / a->k);
}

static const struct ucb_kind ucb1_flad_kind = {.ema = true, .index = ucb1_flad_index};

static size_t ucb1_flad_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return ucb_bound(&ucb1_flad_kind, params, slots);
}

static int ucb1_flad_create(const struct policy_env *env, void **ret_state)
{
	return ucb_create(&ucb1_flad_kind, env, ret_state);
}

static int ucb1_flad_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return ucb_deserialise(&ucb1_flad_kind, env, in, ret_state);
}

/* clang-format off */
static const struct param_desc ucb1_flad_params[] = {
	{.name = "beta", .type = PARAM_F64, .offset = offsetof(struct ucb_params, beta),
	 .min = 0, .max = 1, .dflt = 0.1, .flags = PARAM_OPEN_MIN,
	 .text = "Weight of a new reward in the moving average."},
	{.name = "batch", .type = PARAM_INT, .offset = offsetof(struct ucb_params, batch),
	 .min = 1, .max = UCB_BATCH_MAX, .dflt = 1,
	 .text = "Means move after every so many rewards."},
	{.name = "init_mean", .type = PARAM_F64, .offset = offsetof(struct ucb_params, init_mean),
	 .min = -1e100, .max = 1e100, .flags = PARAM_UNSET,
	 .text = "First mean of every arm; when not given, each arm is played once for it."},
	UCB_PENDING_PARAM,
	{.name = NULL},
};

const struct policy_ops ucb1_flad_ops = {
	.name = "ucb1_flad",
	.summary = "UCB1 over moving averages, for rewards that drift",
	.version = 1,
	.params = ucb1_flad_params,
	.bound = ucb1_flad_bound,
	.create = ucb1_flad_create,
	.deserialise = ucb1_flad_deserialise,
	UCB_HOOKS,
};
