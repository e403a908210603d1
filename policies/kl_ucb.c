/* SPDX-License-Identifier: Apache-2.0 */
/* KL-UCB: Garivier, Cappe, "The KL-UCB Algorithm for Bounded Stochastic Bandits and Beyond", COLT
 * 2011, Algorithm 1.
 *
 *	index = max{ y in [x, 1] : k d(x, y) <= ln t + kl_c ln ln t }
 *	d(x, y) = x ln(x / y) + (1 - x) ln((1 - x) / (1 - y))
 *
 * Rewards in [lo, hi], mapped to [0, 1]. Select O(D) bounds
 *for D distinct counts and a root for the few that may win, update O(log K + D).
 *
 * Arms of equal count are compared by their means alone, so the computed root must not fall, not by
 * a bit, when the mean rises. Its exact logit rises by at least 4 (x2 - x1) >= 4 * 2^-40 between
 *two rounded means; the forms of d below keep the error of the logit under a hundredth of that
 *where a double can tell y from 1. */
#include "base/num.h"
#include "policies/policies.h"
#include "policies/ucb.h"

#define GRID 4096.0       /* doubles near it are 2^-40 apart */
#define FAR_LEAST 0x1p-60 /* 1 - y below this is y = 1 */

/* Newton's method from the right: d is convex and grows with y, so the steps fall to the root and
 * stop when rounding does. Here y = x + delta, delta at most (1 - x) / 2. */
static double near_root(double x, double level, double delta)
{
	double r = 1 - x;

	for (;;) {
		double d = -(x * num_log1p(delta / x) + r * num_log1p(-delta / r));
		double next = delta - (d - level) * (x + delta) * (r - delta) / delta;

		if (!(d > level && next < delta)) {
			return x + delta;
		}
		delta = next;
	}
}

/* Likewise for y = 1 - z, z below (1 - x) / 2. */
static double far_root(double x, double level, double z)
{
	double r = 1 - x;

	while (z < r / 2) {
		double d = r * num_log(r / z) - x * num_log1p((r - z) / x);
		double next = z + (d - level) * z * (1 - z) / (r - z);

		if (!(d > level && next > z)) {
			return 1 - z;
		}
		z = next;
	}
	return near_root(x, level, r - z);
}

/* Is the root certainly below y, as computed too? d(x, y) > level, by more than any rounding. */
static bool is_below(double x, double level, double y)
{
	double r = 1 - x, delta = y - x, z = 1 - y, far;

	if (delta < 0x1p-30 || z < 0x1p-18) {
		return false;
	}
	far = delta < r / 2 ? num_log1p(-delta / r) : num_log(z / r);
	return -(x * num_log1p(delta / x) + r * far) > level + 1e-9 * delta;
}

double kl_ucb_upper(double mean, double level, double enough)
{
	double x = (mean + GRID) - GRID, r = 1 - x, pinsker = sqrt(level / 2), z;

	if (!(level > 0) || r <= 0) {
		return x;
	}
	if (x <= 0) {
		return -num_expm1(-level);
	}
	/* Two upper bounds of the root: Pinsker's, and that of dropping x ln(1 / y). */
	if (x + pinsker < enough) {
		return x + pinsker;
	}
	if (is_below(x, level, enough)) {
		return enough * (1 - 0x1p-52);
	}
	z = num_exp((x * num_log(x) + r * num_log(r) - level) / r);
	if (pinsker <= r / 2 || z >= r / 2) {
		return near_root(x, level, r - z < pinsker ? r - z : pinsker);
	}
	z = z > r - pinsker ? z : r - pinsker;
	return far_root(x, level, z > FAR_LEAST ? z : FAR_LEAST);
}

static double kl_ucb_index(const struct ucb_time *now, const struct ucb_stat *a, double enough)
{
	double level = now->log_t;

	if (now->params->kl_c > 0) {
		level += now->params->kl_c * num_log(now->log_t);
	}
	return kl_ucb_upper(a->mean, level / a->k, enough);
}

static const struct ucb_kind kl_ucb_kind = {.index = kl_ucb_index};

static size_t kl_ucb_bound(const void *params, size_t slots, size_t dim)
{
	(void)dim;
	return ucb_bound(&kl_ucb_kind, params, slots);
}

static int kl_ucb_create(const struct policy_env *env, void **ret_state)
{
	return ucb_create(&kl_ucb_kind, env, ret_state);
}

static int kl_ucb_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	return ucb_deserialise(&kl_ucb_kind, env, in, ret_state);
}

/* clang-format off */
static const struct param_desc kl_ucb_params[] = {
	UCB_RANGE_PARAMS,
	{.name = "kl_c", .type = PARAM_F64, .offset = offsetof(struct ucb_params, kl_c),
	 .min = 0, .max = 1e6, .dflt = 0,
	 .text = "Weight of ln ln t beside ln t: 3 in the theorem, 0 in practice."},
	UCB_PENDING_PARAM,
	{.name = NULL},
};

const struct policy_ops kl_ucb_ops = {
	.name = "kl_ucb",
	.summary = "UCB by relative entropy: optimal for 0/1 rewards, good for rewards near 0 or 1",
	.version = 1,
	.params = kl_ucb_params,
	.check = ucb_check,
	.bound = kl_ucb_bound,
	.create = kl_ucb_create,
	.deserialise = kl_ucb_deserialise,
	UCB_HOOKS,
};
