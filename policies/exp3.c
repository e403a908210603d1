/* SPDX-License-Identifier: Apache-2.0 */
/* EXP3: Auer, Cesa-Bianchi, Freund, Schapire, "The Nonstochastic Multiarmed Bandit Problem", SIAM
 * J. Comput. 32, 2002, fig. 1 and corollary 3.2.
 *
 *   p(a) = (1 - gamma) exp(gamma G_a / K) / sum_b exp(gamma G_b / K) + gamma / K
 *   G_a += x / p(a), for x in [0, 1]: rewards in [lo, hi] count as (r - lo)/(hi - lo)
 *   gamma = min(1, sqrt(K ln K / ((e - 1) B))), B at least the gain of the best arm
 *
 * Up to naive_below slots a select is O(K) and an update O(1); beyond, both are O(log K). */
#include <math.h>

#include "policies/exp3_hooks.h"
#include "policies/exp3_impl.h"
#include "policies/policies.h"

static enum exp3_mode fixed_mode(const struct exp3_params *p)
{
	(void)p;
	return EXP3_FIXED;
}

static double gamma_of(const struct exp3_params *p, size_t n)
{
	double k = n < 2 ? 2 : (double)n, gain = (double)p->horizon, gamma;

	if (!isnan(p->gamma)) {
		return p->gamma;
	}
	if (!isnan(p->gain_bound)) {
		gain = p->gain_bound;
	}
	gamma = sqrt(k * num_log(k) / (1.718281828459045 * gain));
	return gamma < 1 ? gamma : 1;
}

static double fixed_mix(const struct exp3_params *p, size_t n, uint64_t t)
{
	(void)t;
	return n < 2 ? 1 : gamma_of(p, n);
}

static double fixed_rate(const struct exp3_params *p, size_t k, uint64_t t)
{
	(void)t;
	return gamma_of(p, k) / (k < 2 ? 2 : (double)k);
}

static double fixed_credit(struct exp3 *e, const struct outcome *o, double x)
{
	(void)e;
	return x / o->propensity;
}

static const struct exp3_kind fixed_kind = {
    .mode = fixed_mode,
    .mix = fixed_mix,
    .rate = fixed_rate,
    .credit = fixed_credit,
};

static size_t fixed_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return exp3_bound(&fixed_kind, params, slots);
}

static int fixed_create(const struct policy_env *env, void **ret_state)
{
	return exp3_create(&fixed_kind, env, ret_state);
}

static int fixed_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return exp3_deserialise(&fixed_kind, env, in, ret_state);
}

/* clang-format off */
#define AT(field) .offset = offsetof(struct exp3_params, field)
static const struct param_desc fixed_params[] = {
	{.name = "reward_lo", .type = PARAM_F64, AT(reward_lo), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_UNSET | PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "the reward that counts as 0; not given: the experiment's reward.lo"},
	{.name = "reward_hi", .type = PARAM_F64, AT(reward_hi), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_UNSET | PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "the reward that counts as 1; not given: the experiment's reward.hi"},
	{.name = "gamma", .type = PARAM_F64, AT(gamma), .min = 1e-9, .max = 1, .flags = PARAM_UNSET,
	 .text = "share of uniform exploration; not given: from gain_bound or horizon"},
	{.name = "gain_bound", .type = PARAM_F64, AT(gain_bound), .min = 1, .max = 1e15,
	 .flags = PARAM_UNSET,
	 .text = "at least what the best arm gains in all, in units of hi - lo; not given: horizon"},
	{.name = "horizon", .type = PARAM_INT, AT(horizon), .min = 1, .max = 1e15, .dflt = 10000,
	 .text = "decisions that are expected in all"},
	{.name = "naive_below", .type = PARAM_INT, AT(naive_below),
	 .min = 1, .max = EXP3_NAIVE_MAX, .dflt = 64,
	 .text = "arms up to which all weights are computed anew for every decision"},
	{.name = NULL},
};
/* clang-format on */

const struct policy_ops exp3_ops = {
    .name = "exp3",
    .summary = "exponential weights against an adversary, at a fixed rate",
    .version = 1,
    .params = fixed_params,
    EXP3_HOOKS,
    .bound = fixed_bound,
    .create = fixed_create,
    .draw = exp3_draw,
    .prob = exp3_prob,
    .deserialise = fixed_deserialise,
};
