/* SPDX-License-Identifier: Apache-2.0 */
/* A state of one of the exp3 policies driven by its hooks, with a view of its inside. */
#ifndef TESTS_UNIT_EXP3_RIG_H
#define TESTS_UNIT_EXP3_RIG_H

#include "policies/exp3_fast.h"
#include "policies/policies.h"

#define EXP3_ARMS_MAX 2048

struct play {
	const struct policy_ops *ops;
	struct exp3_params params;
	struct policy_env env;
	struct exp3 *state;
	uint32_t slots[EXP3_ARMS_MAX], nslots;
	enum arm_state arm[EXP3_ARMS_MAX];
	uint32_t active[EXP3_ARMS_MAX];
	double pmf[EXP3_ARMS_MAX];
	struct ask ask; /* all active arms */
	uint64_t seq;
	struct rng rng;
};

/* Settings are "name=value name=value". Rewards lie in [-1, 1]. */
struct play *play_new(const struct policy_ops *ops, const char *settings, uint32_t arms);
void play_free(struct play *p);
void play_add(struct play *p, uint32_t n);
void play_set(struct play *p, uint32_t slot, enum arm_state to);
const double *play_pmf(struct play *p); /* over the active arms */
double play_prob(struct play *p, uint32_t slot);
uint32_t play_draw(struct play *p, double *ret_propensity); /* by draw(), seq of its own */
void play_pulled(struct play *p, uint32_t slot, double propensity);
void play_reward(struct play *p, uint32_t slot, double propensity, double reward);
/* Draws, counts and learns from 0/1 rewards scaled to the range; slot 0 pays best. */
void play_learn(struct play *p, int steps);
/* The largest relative difference between prob() and pmf() over all arms. */
double play_disagreement(struct play *p);
struct buf play_save(const struct play *p);
/* A second play that goes on from the bytes; NULL when they are refused. */
struct play *play_load(const struct play *like, const struct buf *saved, size_t len);

#endif
