/* SPDX-License-Identifier: Apache-2.0 */
/* EXP3-IX: Neu, "Explore no more: improved high-probability regret bounds for non-stochastic
 * bandits", NeurIPS 2015, algorithm 1 with the anytime rates of theorem 1.
 *
 *   p_t(a) = exp(-eta_t L_a) / sum_b exp(-eta_t L_b)
 *   L_a   += l / (p_t(a) + gamma_t), for l = (hi - r)/(hi - lo) in [0, 1]
 *   eta_t  = 2 gamma_t = sqrt(ln K / (K t))
 *
 * There is no uniform part. Select O(K), update O(1); R_a = -L_a. */
#include <math.h>

#include "policies/exp3_hooks.h"
#include "policies/exp3_impl.h"
#include "policies/policies.h"

static enum exp3_mode ix_mode(const struct exp3_params *p)
{
	(void)p;
	return EXP3_DIRECT;
}

static double ix_mix(const struct exp3_params *p, size_t n, uint64_t t)
{
	(void)p, (void)t;
	return n < 2;
}

static double ix_rate(const struct exp3_params *p, size_t k, uint64_t t)
{
	double n = k < 2 ? 2 : (double)k;

	(void)p;
	return sqrt(num_log(n) / (n * (double)t));
}

/* A late reward is weighted with the gamma of today, which is smaller: less bias, more variance. */
static double ix_credit(struct exp3 *e, const struct outcome *o, double x)
{
	double gamma = ix_rate(e->params, e->active, e->t ? e->t : 1) / 2;

	return -(1 - x) / (o->propensity + gamma);
}

static const struct exp3_kind ix_kind = {
    .mode = ix_mode,
    .mix = ix_mix,
    .rate = ix_rate,
    .credit = ix_credit,
};

static size_t ix_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return exp3_bound(&ix_kind, params, slots);
}

static int ix_create(const struct policy_env *env, void **ret_state)
{
	return exp3_create(&ix_kind, env, ret_state);
}

static int ix_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return exp3_deserialise(&ix_kind, env, in, ret_state);
}

/* clang-format off */
#define AT(field) .offset = offsetof(struct exp3_params, field)
static const struct param_desc ix_params[] = {
	{.name = "reward_lo", .type = PARAM_F64, AT(reward_lo), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_UNSET | PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "the reward that is a loss of 1; not given: the experiment's reward.lo"},
	{.name = "reward_hi", .type = PARAM_F64, AT(reward_hi), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_UNSET | PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "the reward that is a loss of 0; not given: the experiment's reward.hi"},
	{.name = NULL},
};
/* clang-format on */

const struct policy_ops exp3_ix_ops = {
    .name = "exp3_ix",
    .summary =
	"exponential weights without uniform exploration; regret small with high probability",
    .version = 1,
    .params = ix_params,
    EXP3_HOOKS,
    .bound = ix_bound,
    .create = ix_create,
    .deserialise = ix_deserialise,
};
