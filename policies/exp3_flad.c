/* SPDX-License-Identifier: Apache-2.0 */
/* EXP3-FLAD: Albalak, Raffel, Wang, "Improving Few-Shot Generalization by Exploring and Exploiting
 * Auxiliary Data", NeurIPS 2023, its equations for epsilon_t, pi_t and the estimate R; the schedule
 * is that of Seldin, Szepesvari, Auer, Abbasi-Yadkori, EWRL 2013.
 *
 *   eps_t   = min(1/K, sqrt(ln K / (K t))), eps_0 = 1/K
 *   pi_t(a) = (1 - K eps_t) exp(eps_{t-1} R_a) / sum_b exp(eps_{t-1} R_b) + eps_t
 *   R_a    += r / pi_t(a), for r in [-1, 1]: rewards in [lo, hi] count as 2 (r - lo)/(hi - lo) - 1
 *
 * `paper` is this; `epoch` keeps the rate in an epoch at what it is at the epoch's end. Uniform for
 * t <= K ln K. Up to naive_below slots a select is O(K) and an update O(1); beyond, `epoch` takes
 * O(log K) for both, `paper` O(log K + n), n = cheb_nodes: rejection from weights at the epoch's
 * lowest rate, the normaliser by interpolation. Some arms make up the whole: then O(arms asked). */
#include <math.h>

#include "policies/exp3_fast.h"
#include "policies/exp3_hooks.h"
#include "policies/policies.h"

enum schedule { SCHEDULE_EPOCH, SCHEDULE_PAPER };

static enum exp3_mode flad_mode(const struct exp3_params *p)
{
	return p->schedule == SCHEDULE_PAPER ? EXP3_MOVING : EXP3_EPOCH;
}

/* K eps_t; with fewer arms asked for, K is their number. */
static double flad_mix(const struct exp3_params *p, size_t n, uint64_t t)
{
	double k = (double)n, mix;

	(void)p;
	if (n < 2 || t == 0) {
		return 1;
	}
	mix = sqrt(k * num_log(k) / (double)t);
	return mix < 1 ? mix : 1;
}

/* eps_t; that of a lone arm, which nothing depends on, as of two, so that a second may come. */
static double flad_rate(const struct exp3_params *p, size_t k, uint64_t t)
{
	k = k < 2 ? 2 : k;
	return flad_mix(p, k, t) / (double)k;
}

static double flad_credit(struct exp3 *e, const struct outcome *o, double x)
{
	double r = 2 * x - 1, beta = e->params->reward_beta;

	if (e->smooth) {
		r = (1 - beta) * e->smooth[o->slot] + beta * r;
		e->smooth[o->slot] = r;
	}
	return r / o->propensity;
}

static const struct exp3_kind flad_kind = {
    .mode = flad_mode,
    .mix = flad_mix,
    .rate = flad_rate,
    .credit = flad_credit,
    .has_smoothing = true,
};

static size_t flad_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return exp3_bound(&flad_kind, params, slots);
}

static int flad_create(const struct policy_env *env, void **ret_state)
{
	return exp3_create(&flad_kind, env, ret_state);
}

static int flad_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return exp3_deserialise(&flad_kind, env, in, ret_state);
}

static const char *const schedules[] = {"epoch", "paper", NULL};
static const char *const estimators[] = {"sum", "flad", NULL};

/* clang-format off */
#define AT(field) .offset = offsetof(struct exp3_params, field)
static const struct param_desc flad_params[] = {
	{.name = "reward_lo", .type = PARAM_F64, AT(reward_lo), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_UNSET | PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "the reward that counts as -1; not given: the experiment's reward.lo"},
	{.name = "reward_hi", .type = PARAM_F64, AT(reward_hi), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_UNSET | PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "the reward that counts as 1; not given: the experiment's reward.hi"},
	{.name = "schedule", .type = PARAM_CHOICE, AT(schedule), .choices = schedules,
	 .text = "rate constant within epochs, or moving with every decision as in the paper"},
	{.name = "growth", .type = PARAM_F64, AT(growth), .min = 1.01, .max = 4, .dflt = 1.25,
	 .text = "epoch: each epoch ends at so many times the decisions at which it began"},
	{.name = "naive_below", .type = PARAM_INT, AT(naive_below),
	 .min = 1, .max = EXP3_NAIVE_MAX, .dflt = 64,
	 .text = "arms up to which all weights are computed anew for every decision"},
	{.name = "accept_floor", .type = PARAM_F64, AT(accept_floor),
	 .min = 0.01, .max = 0.99, .dflt = 0.5,
	 .text = "paper, many arms: least probability that a proposed arm is accepted"},
	{.name = "cheb_nodes", .type = PARAM_INT, AT(cheb_nodes),
	 .min = 4, .max = EXP3_NODES_MAX, .dflt = 10,
	 .text = "paper, many arms: points between which the normaliser is interpolated"},
	{.name = "batch", .type = PARAM_INT, AT(batch), .min = 1, .max = 1000, .dflt = 1,
	 .text = "decisions made from one distribution before their rewards count"},
	{.name = "batch_estimator", .type = PARAM_CHOICE, AT(batch_estimator),
	 .choices = estimators,
	 .text = "an arm is credited with the sum of its batch, or (biased) with the mean"},
	{.name = "reward_beta", .type = PARAM_F64, AT(reward_beta), .min = 0, .max = 1, .dflt = 1,
	 .flags = PARAM_OPEN_MIN,
	 .text = "below 1, rewards of an arm are smoothed: the weight of the newest"},
	{.name = NULL},
};
/* clang-format on */

const struct policy_ops exp3_flad_ops = {
    .name = "exp3_flad",
    .summary = "exponential weights against an adversary, with exploration that decays",
    .version = 1,
    .params = flad_params,
    EXP3_HOOKS,
    .bound = flad_bound,
    .create = flad_create,
    .draw = exp3_draw,
    .prob = exp3_prob,
    .deserialise = flad_deserialise,
};
