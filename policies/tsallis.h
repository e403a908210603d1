/* SPDX-License-Identifier: Apache-2.0 */
/* What tsallis_inf and tsallis_bins share: one Tsallis-INF learner a bin.
 *
 * Zimmert, Seldin, "Tsallis-INF: an optimal algorithm for stochastic and adversarial bandits",
 * JMLR 22, 2021, algorithm 1 with alpha = 1/2. */
#ifndef POLICIES_TSALLIS_H
#define POLICIES_TSALLIS_H

#include "core/policy.h"

enum tsallis_estimator { TSALLIS_IW, TSALLIS_RV, TSALLIS_CENTRED };

struct tsallis_params {
	int estimator;
	double loss_scale; /* NaN: the mean loss so far, or 1 if that is less */
	int64_t bins;      /* 0: no context is read */
	double ctx_lo, ctx_hi;
};

struct tsallis_bin {
	uint64_t t, n; /* decisions; losses that came */
	double mean;   /* of the losses */
};

struct tsallis {
	const struct tsallis_params *params;
	double hi;
	struct tsallis_bin *bin;
	double *lhat;          /* [slot * nbins + bin]: estimated losses, unscaled */
	double *work;          /* [slot]: scratch of arm_add */
	unsigned char *active; /* [slot] */
	uint32_t nbins, slots, cap;
};

/* The u > 0 with sum 4 / (eta (d_i + u))^2 = 1, for d_i >= 0 with minimum 0, n >= 1. A function of
 * its arguments alone, within 6e-16. */
double tsallis_normaliser(size_t n, const double *d, double eta);

extern const char *const tsallis_estimators[], *const tsallis_scales[];

/* The hooks. */
size_t tsallis_bound(const void *params, size_t slots, size_t dim);
int tsallis_create(const struct policy_env *env, void **ret_state);
void tsallis_destroy(void *state);
uint32_t tsallis_slots(const void *state);
int tsallis_reserve(void *state, size_t slots);
void tsallis_arm_add(void *state, uint32_t slot);
void tsallis_arm_between(void *state, uint32_t slot, uint32_t left, uint32_t right);
void tsallis_arm_set(void *state, uint32_t slot, enum arm_state to);
int tsallis_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf);
void tsallis_note(
    const void *state, const struct ask *ask, const double *pmf, size_t i, struct buf *memo);
void tsallis_pulled(void *state, const struct pull *p);
void tsallis_update(void *state, const struct outcome *o);
void tsallis_serialise(const void *state, struct buf *out);
int tsallis_deserialise(const struct policy_env *env, struct rd *in, void **ret_state);
void tsallis_describe(const void *state, uint32_t slot, struct arm_view *ret);

/* For policies that read x[0]: at least one feature, and a range that is one. */
int ctx_dim(const void *params, size_t nfeatures, size_t *ret, struct errinfo *err);
int ctx_check(double lo, double hi, struct errinfo *err);

#define TSALLIS_AT(field) .offset = offsetof(struct tsallis_params, field)
/* clang-format off */
#define TSALLIS_PARAMS \
	{.name = "estimator", .type = PARAM_CHOICE, TSALLIS_AT(estimator), \
	 .choices = tsallis_estimators, \
	 .text = "iw: plain importance weights; rv: reduced variance; centred: around half the scale"}, \
	{.name = "loss_scale", .type = PARAM_F64, TSALLIS_AT(loss_scale), .max = HUGE_VAL, \
	 .flags = PARAM_UNSET | PARAM_OPEN_MIN | PARAM_OPEN_MAX, .choices = tsallis_scales, \
	 .text = "the loss that counts as 1; mean: the mean so far, or 1 if that is less"}
#define TSALLIS_HOOKS \
	.params_size = sizeof(struct tsallis_params), \
	.bound = tsallis_bound, \
	.create = tsallis_create, \
	.destroy = tsallis_destroy, \
	.slots = tsallis_slots, \
	.reserve = tsallis_reserve, \
	.arm_add = tsallis_arm_add, \
	.arm_between = tsallis_arm_between, \
	.arm_set = tsallis_arm_set, \
	.pmf = tsallis_pmf, \
	.note = tsallis_note, \
	.pulled = tsallis_pulled, \
	.update = tsallis_update, \
	.serialise = tsallis_serialise, \
	.deserialise = tsallis_deserialise, \
	.describe = tsallis_describe
/* clang-format on */

#endif
