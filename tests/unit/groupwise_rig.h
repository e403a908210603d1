/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks of groupwise, driven as an experiment would. Groups are named 0, 1, 2 ...; `_all`,
 * which is 0 inside, is awake in every decision. */
#ifndef TESTS_UNIT_GROUPWISE_RIG_H
#define TESTS_UNIT_GROUPWISE_RIG_H

#include "policies/groupwise_impl.h"
#include "policies/policies.h"
#include "test.h"

#define RIG_ARMS 3
#define RIG_DIM 5

struct rig {
	struct groupwise_params params;
	struct policy_env env;
	void *state;
	struct buf memo;
	uint32_t slots[RIG_ARMS];
	struct ask ask;
	double pmf[RIG_ARMS], prediction;
	uint64_t seq;
};

/* Defaults of one kind; params may be changed until rig_open(). */
void rig_init(struct rig *r, enum groupwise_kind kind, size_t dim);
void rig_open(struct rig *r);
void rig_close(struct rig *r);
const struct groupwise *rig_state(const struct rig *r);

/* A forecast is made and counts. */
double rig_predict(struct rig *r, const double *x, const uint32_t *groups, size_t n);
void rig_label(struct rig *r, double y);
/* Asks for r->pmf over r->ask.slots. */
void rig_ask(struct rig *r, const uint32_t *groups, size_t n);
/* The i-th of these was drawn: the decision counts, and its loss comes. */
void rig_reward(struct rig *r, size_t i, double loss);
/* The parts of these. */
void rig_pull(struct rig *r);
struct outcome rig_outcome(const struct rig *r, double reward);

/* The fraction of (t + 1) sqrt(p). */
double rig_fraction(unsigned t, double p);
/* A row with its groups and its label: 0 or 1, 2 or 3. */
double rig_row(unsigned t, double *x, uint32_t *groups);
/* R <= sqrt(3 C (ln G + ln B)). */
void rig_check_bound(const struct groupwise *g);

#endif
