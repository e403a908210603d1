/* SPDX-License-Identifier: Apache-2.0 */
/* One policy of the upper-confidence family, driven as an experiment drives it. */
#ifndef TESTS_UNIT_UCB_RIG_H
#define TESTS_UNIT_UCB_RIG_H

#include "base/rng.h"
#include "policies/policies.h"
#include "policies/ucb.h"
#include "test.h"

#define RIG_ARMS 400

struct rig {
	const struct policy_ops *ops;
	struct ucb_params params;
	struct policy_env env;
	void *state;
	uint32_t arms, nactive, active[RIG_ARMS];
	enum arm_state is[RIG_ARMS];
};

extern const char *const rig_all[]; /* names, ending with NULL */

/* ck_assert, which writes to a file each time, for what is said a million times. */
void rig_claim(bool ok, const char *otherwise);
void rig_set(struct rig *g, const char *name, double v);
/* Rewards in [0, 1]; parameters may be set before rig_open(). */
void rig_init(struct rig *g, const char *policy);
void rig_add(struct rig *g);
void rig_arm(struct rig *g, uint32_t slot, enum arm_state to);
void rig_open(struct rig *g, uint32_t arms);
void rig_start(struct rig *g, const char *policy, uint32_t arms);
void rig_close(struct rig *g);
struct ask rig_ask(const struct rig *g);
/* The arm with probability 1; RIG_ARMS when they are all alike. */
uint32_t rig_choice(const struct rig *g, const struct ask *ask);
void rig_pull(struct rig *g, uint32_t slot);
void rig_lose(struct rig *g, uint32_t slot);
void rig_learn(struct rig *g, uint32_t slot, double reward, bool revived);
/* One decision with its reward at once; rewards by slot. */
uint32_t rig_round(struct rig *g, const double *rewards);
double rig_view(const struct rig *g, uint32_t slot, const char *name);
struct buf rig_save(const struct rig *g);

#endif
