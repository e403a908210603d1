/* SPDX-License-Identifier: Apache-2.0 */
/* A policy's state driven by its hooks alone, as an experiment would, but faster and within reach.
 */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include "world.h"

#define RIG_ARMS_MAX 256

struct rig {
	struct variant v;
	const struct policy_ops *ops;
	struct policy_env env;
	void *params, *state;
	uint32_t slots[RIG_ARMS_MAX];
	double pmf[RIG_ARMS_MAX];
	double x[WORLD_DIM];
	bool subjects;
	struct buf memo; /* of the last answer */
	struct ask ask;  /* all arms */
	uint64_t seq;
	struct rng rng; /* of the test: draws and rewards */
};

/* False when these settings are refused together. Params are fixed, the state is made. */
bool rig_init(struct rig *r, const struct variant *v, double lo, double hi);
void rig_release(struct rig *r);
int rig_add_arms(struct rig *r, uint32_t n);
/* A decision for this arm was made. */
void rig_pulled(struct rig *r, uint32_t slot, double propensity);
/* Draws by pmf() or, for many arms, as the policy offers; the decision counts. */
uint32_t rig_select(struct rig *r, double *ret_propensity);
void rig_reward(struct rig *r, uint64_t ref, uint32_t slot, double propensity, double reward);
/* pmf() with what is random in it a function of i. */
/* Of choose(): certain of its pick. */
void rig_pmf(struct rig *r, uint64_t i);
/* Select and reward, steps times: slot 0 pays best. */
void rig_learn(struct rig *r, int steps);

#endif
