/* SPDX-License-Identifier: Apache-2.0 */
/* What the upper-confidence-bound policies share: counts and means of every arm, the rules of
 * delay, snapshots, and the arg-max over many arms without looking at each. A policy adds its
 * index: one struct ucb_kind, its parameter table and its struct policy_ops, in a file of its own.
 *
 * The answer. The first arm, in order of arrival, that was never issued; else the arm of largest
 * index among those observed; arms issued but not observed yet wait. When all wait: uniform. Equal
 * indices: the larger mean, then the smaller slot. This order is part of the contract. */
#ifndef POLICIES_UCB_H
#define POLICIES_UCB_H

#include <math.h>

#include "core/policy.h"

#define UCB_BATCH_MAX 256 /* one update moves so many arms at most */

/* Of all the policies; each names those it has. The others are zero. */
struct ucb_params {
	double reward_lo, reward_hi; /* NaN: the experiment's */
	double zeta, c, kl_c, beta;
	double init_mean; /* NaN: an arm's first reward is its first mean */
	int64_t batch;
	bool count_pending;
};

/* What the indices of one moment have in common; from integers, never accumulated. */
struct ucb_time {
	const struct ucb_params *params;
	double t, log_t; /* decisions so far */
	double arms;     /* active ones */
};

/* What the index of an arm is made of. */
struct ucb_stat {
	double k;    /* plays, > 0 */
	double mean; /* mapped to [0, 1] unless ema */
	double var;  /* of the mapped rewards, 0 without squares */
};

struct ucb_kind {
	/* Exponential moving averages of rewards that are not mapped. */
	bool ema;
	/* Never falls when the mean rises. When it is below `enough`, any number from the index up
	 * to `enough`, exclusive, will do as well. */
	double (*index)(const struct ucb_time *now, const struct ucb_stat *a, double enough);
	/* Both or neither: for an index that depends on the variance. It never falls when the
	 * variance or t rises or k falls, and is concave in log_t. slope: its derivative there.
	 * is_full: more variance changes nothing, now or later. */
	double (*slope)(const struct ucb_time *now, const struct ucb_stat *a);
	bool (*is_full)(const struct ucb_time *now, const struct ucb_stat *a);
};

/* Hooks that need to know the kind; a policy wraps them. */
size_t ucb_bound(const struct ucb_kind *kind, const void *params, size_t slots);
int ucb_create(const struct ucb_kind *kind, const struct policy_env *env, void **ret_state);
int ucb_deserialise(
    const struct ucb_kind *kind, const struct policy_env *env, struct rd *in, void **ret_state);

/* The others are the same functions for all. */
int ucb_check(const void *params, struct errinfo *err); /* of UCB_RANGE_PARAMS */
void ucb_destroy(void *state);
int ucb_reserve(void *state, size_t slots);
void ucb_arm_add(void *state, uint32_t slot);
void ucb_arm_set(void *state, uint32_t slot, enum arm_state to);
int ucb_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf);
int ucb_draw(const void *state, const struct ask *ask, struct rng *rng, uint32_t *ret_slot,
    double *ret_propensity);
double ucb_prob(const void *state, const struct ask *ask, uint32_t slot);
void ucb_pulled(void *state, const struct pull *p);
void ucb_lost(void *state, const struct pull *p);
void ucb_update(void *state, const struct outcome *o);
uint32_t ucb_slots(const void *state);
void ucb_serialise(const void *state, struct buf *out);
void ucb_describe(const void *state, uint32_t slot, struct arm_view *ret);

/* clang-format off */
#define UCB_HOOKS \
	.flags = POLICY_DETERMINISTIC, \
	.params_size = sizeof(struct ucb_params), \
	.destroy = ucb_destroy, \
	.reserve = ucb_reserve, \
	.arm_add = ucb_arm_add, \
	.arm_set = ucb_arm_set, \
	.pmf = ucb_pmf, \
	.draw = ucb_draw, \
	.prob = ucb_prob, \
	.pulled = ucb_pulled, \
	.lost = ucb_lost, \
	.update = ucb_update, \
	.slots = ucb_slots, \
	.serialise = ucb_serialise, \
	.describe = ucb_describe

#define UCB_RANGE_PARAMS \
	{.name = "reward_lo", .type = PARAM_F64, .offset = offsetof(struct ucb_params, reward_lo), \
	 .min = -1e100, .max = 1e100, .flags = PARAM_UNSET, \
	 .text = "Least reward, mapped to 0; the experiment's when not given."}, \
	{.name = "reward_hi", .type = PARAM_F64, .offset = offsetof(struct ucb_params, reward_hi), \
	 .min = -1e100, .max = 1e100, .flags = PARAM_UNSET, \
	 .text = "Largest reward, mapped to 1; given together with reward_lo."}

#define UCB_PENDING_PARAM \
	{.name = "count_pending", .type = PARAM_BOOL, \
	 .offset = offsetof(struct ucb_params, count_pending), .dflt = 1, \
	 .text = "Whether decisions without a reward so far count as plays of their arm."}
/* clang-format on */

/* max{ y in [x, 1] : d(x, y) <= level }, d the relative entropy of two coins, x in [0, 1] rounded
 * to a multiple of 2^-40. Never falls when x rises, to the last bit. When it is below `enough`, a
 * bound in [it, enough) will do. */
double kl_ucb_upper(double x, double level, double enough);

#endif
