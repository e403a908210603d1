/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a state, for the files exp3*.c: policies that draw arm a with probability
 * (1 - mix) exp(rate R_a) / sum_b exp(rate R_b) + mix / K, R_a the importance-weighted sum of its
 * rewards. They differ in mix, rate and what a reward adds.
 *
 * Few slots: every answer is a scan. From naive_below + 1 slots on ("fast"; never back) a side
 * holds the weights at one rate in a tree; while it serves, the next one is filled, so many words
 * of 64 slots a decision, and then takes over. A side is a function of its numbers and the R_a, its
 * sums apart, and those are saved: a loaded state answers the same to the bit. */
#ifndef POLICIES_EXP3_IMPL_H
#define POLICIES_EXP3_IMPL_H

#include "base/num.h"
#include "core/policy.h"

#define EXP3_LIMIT 1e100 /* |R_a| stays below; no sound propensity leads there */
#define EXP3_TIME_MAX (UINT64_C(1) << 52)
#define EXP3_NAIVE_MAX 1000

/* How the rate moves. */
enum exp3_mode {
	EXP3_DIRECT, /* with every decision; always a scan */
	EXP3_FIXED,  /* with K alone */
	EXP3_EPOCH,  /* from epoch to epoch */
	EXP3_MOVING, /* with every decision, within known bounds for a while */
};

enum exp3_estimator { EXP3_SUM, EXP3_MEAN };

/* All settings of all kinds; a kind's table names its own, the others are 0. */
struct exp3_params {
	double reward_lo, reward_hi;
	int schedule, batch_estimator;
	int64_t batch, naive_below, cheb_nodes;
	double growth, accept_floor, reward_beta;
	double gamma, gain_bound;
	int64_t horizon;
};

struct exp3;
struct exp3_fast;

struct exp3_kind {
	enum exp3_mode (*mode)(const struct exp3_params *p);
	double (*mix)(
	    const struct exp3_params *p, size_t n, uint64_t t); /* at decision t, [0, 1] */
	double (*rate)(const struct exp3_params *p, size_t k, uint64_t t); /* (0, 1] */
	/* What a reward, mapped to [0, 1], adds to R. */
	double (*credit)(struct exp3 *e, const struct outcome *o, double x);
	bool has_smoothing; /* reads reward_beta */
};

/* The slots 64 i ... 64 i + 63. */
struct exp3_word {
	uint64_t active, retired;
};

/* What waits for its batch to end, by slot; `slot` by place in the list of those that wait. */
struct exp3_wait {
	double sum, credited; /* credited: how much of it is in R already */
	uint32_t n, slot;
};

struct exp3 {
	const struct exp3_kind *kind;
	const struct exp3_params *params;
	double lo, width; /* rewards are mapped by (r - lo) / width */
	uint64_t t;       /* decisions */
	uint64_t rewards, clipped;
	uint64_t end; /* last decision of the epoch; 0: uniform until K ln K (epoch, moving) */
	double eta;   /* rate of the epoch while not fast */
	struct num_sum total; /* of R over active arms */
	uint32_t slots, cap, active, nwait;
	enum exp3_mode mode;
	bool shared; /* nothing but arms came since the last one, so its R is the level */
	double *r;   /* by slot */
	struct exp3_word *word;
	double *smooth;         /* last smoothed reward; NULL unless reward_beta < 1 */
	struct exp3_wait *wait; /* NULL unless batch > 1 */
	struct exp3_fast *fast; /* NULL unless more than naive_below slots are reserved */
};

static inline size_t exp3_words(size_t slots)
{
	return (slots + 63) / 64;
}

static inline bool exp3_is_active(const struct exp3 *e, uint32_t slot)
{
	return e->word[slot / 64].active >> slot % 64 & 1;
}

static inline bool exp3_is_retired(const struct exp3 *e, uint32_t slot)
{
	return e->word[slot / 64].retired >> slot % 64 & 1;
}

static inline bool exp3_is_fast(const struct exp3 *e)
{
	return e->mode != EXP3_DIRECT && e->slots > (uint64_t)e->params->naive_below;
}

static inline uint64_t exp3_batch(const struct exp3_params *p)
{
	return p->batch > 1 ? (uint64_t)p->batch : 1;
}

/* Of the next decision, as the formulas count: the first of its batch. */
static inline uint64_t exp3_now(const struct exp3 *e)
{
	return e->t - e->t % exp3_batch(e->params) + 1;
}

/* exp3_ask.c */
double exp3_rate(const struct exp3 *e);
/* ln of the mean weight, over the rate: the R that would not change it. */
double exp3_level(const struct exp3 *e);
int exp3_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf);
int exp3_draw(const void *state, const struct ask *ask, struct rng *rng, uint32_t *ret_slot,
    double *ret_propensity);
double exp3_prob(const void *state, const struct ask *ask, uint32_t slot);
void exp3_describe(const void *state, uint32_t slot, struct arm_view *ret);

/* exp3_state.c: the hooks that do not depend on the kind. */
int exp3_check(const void *params, struct errinfo *err);
size_t exp3_bound(const struct exp3_kind *kind, const void *params, size_t slots);
int exp3_create(const struct exp3_kind *kind, const struct policy_env *env, void **ret_state);
void exp3_destroy(void *state);
int exp3_reserve(void *state, size_t slots);
void exp3_arm_add(void *state, uint32_t slot);
void exp3_arm_set(void *state, uint32_t slot, enum arm_state to);
void exp3_pulled(void *state, const struct pull *p);
void exp3_update(void *state, const struct outcome *o);

/* exp3_save.c */
uint32_t exp3_slots(const void *state);
void exp3_serialise(const void *state, struct buf *out);
int exp3_deserialise(
    const struct exp3_kind *kind, const struct policy_env *env, struct rd *in, void **ret_state);

/* exp3_epoch.c: t has moved; enters what is due. Not fast: epochs alone. */
void exp3_advance(struct exp3 *e);

#endif
