/* SPDX-License-Identifier: Apache-2.0 */
/* The state of groupwise, and its parts: the mixture of groups and the three kinds of learners.
 * Inside, group 0 is `_all` and the experiment's group i is i + 1. */
#ifndef POLICIES_GROUPWISE_IMPL_H
#define POLICIES_GROUPWISE_IMPL_H

#include "base/rng.h"
#include "core/policy.h"

#define GROUPWISE_GROUPS_MAX 4096
#define GROUPWISE_AWAKE_MAX 64 /* besides _all */
#define GROUPWISE_DIM_MAX 512
#define GROUPWISE_COMPONENTS_MAX 512
#define GROUPWISE_CELLS_MAX ((size_t)1 << 25) /* doubles of all learners */

enum groupwise_kind { GROUPWISE_ARMS, GROUPWISE_REGRESS, GROUPWISE_EXPERTS };
enum groupwise_form { GROUPWISE_A, GROUPWISE_B };
enum groupwise_learner { GROUPWISE_RIDGE, GROUPWISE_FORWARD, GROUPWISE_HEDGE, GROUPWISE_FTPL };
enum groupwise_mix { GROUPWISE_EXPECTED, GROUPWISE_ACTUAL };
enum groupwise_output { GROUPWISE_AVERAGE, GROUPWISE_SAMPLE };
enum groupwise_prior { GROUPWISE_EQUAL, GROUPWISE_OPEN };

struct groupwise_params {
	int kind, form, learner, mix, output, prior;
	double lambda, horizon, eta, ix, gamma, samples;
	bool doubling;
	struct param_list components, priors;
};

struct groupwise_group {
	double r, c;  /* AdaNormalHedge: regret to this group's learner, and its absolute sum */
	double m;     /* form B: ln-weight */
	uint64_t n;   /* rounds it learnt from */
	double *cell; /* its learner; NULL stands for a fresh one */
};

struct groupwise {
	const struct groupwise_params *p;
	double lo, width;
	uint64_t seed;
	double leader_scale; /* of the components; 0: each arm is one */
	size_t dim, fixed;   /* fixed: doubles of a learner that do not depend on arms */
	struct groupwise_group *group;
	uint32_t ngroups, group_cap; /* _all included */
	unsigned char *arm;          /* enum arm_state */
	uint32_t *among;             /* scratch of updates: the arms of the decision */
	uint32_t slots, cap, alive;
	uint64_t plays, rejected;
};

/* The groups awake in a decision; those not seen yet are fresh. */
struct groupwise_awake {
	const struct groupwise_group *group[GROUPWISE_AWAKE_MAX + 1];
	uint32_t at[GROUPWISE_AWAKE_MAX + 1];
	size_t n;
};

void groupwise_wake(
    const struct groupwise *g, const uint32_t *groups, size_t ngroups, struct groupwise_awake *ret);

/* Leaves out those that were removed since the decision, and their places among the values, which
 * may be NULL. */
void groupwise_keep_known(const struct groupwise *g, struct groupwise_awake *a, double *values);

/* ln of the weight of a group with these sums: -inf exactly when r <= -1. */
double groupwise_ln_weight(double r, double c);
/* The share of each of n groups from ln-weights and ln-priors; in the ratio of the priors when
 * every weight is 0. */
void groupwise_shares(size_t n, const double *lnw, const double *lnq, double *ret_p);
/* Shares of the awake by AdaNormalHedge. */
void groupwise_mixture(const struct groupwise *g, const struct groupwise_awake *a, double *ret_p);
/* A round in which the mixture lost `mixture` and the group's learner `own`, both in [0, 1]. */
void groupwise_charge(struct groupwise_group *group, double mixture, double own);

/* Online least squares in dim dimensions; cell has groupwise_ridge_cells() doubles. */
size_t groupwise_ridge_cells(size_t dim);
void groupwise_ridge_init(double *cell, size_t dim, double lambda);
double groupwise_ridge_predict(
    const double *cell, size_t dim, enum groupwise_learner learner, const double *x);
/* n counts this update. False, nothing changed: the numbers do not allow it. */
bool groupwise_ridge_update(double *cell, size_t dim, uint64_t n, const double *x, double y);

int groupwise_regress_choose(const struct groupwise *g, const struct ask *ask, struct rng *rng,
    struct choice *ret, struct errinfo *err);
void groupwise_regress_update(struct groupwise *g, const struct outcome *o);

void groupwise_arms_pmf(const struct groupwise *g, const struct ask *ask, double *ret_pmf);
void groupwise_arms_note(
    const struct groupwise *g, const struct ask *ask, size_t i, struct buf *memo);
void groupwise_arms_update(struct groupwise *g, const struct outcome *o);
/* The arm in the group _all. */
void groupwise_describe(const void *state, uint32_t slot, struct arm_view *ret);

void groupwise_experts_pmf(
    const struct groupwise *g, const struct ask *ask, const struct rng *rng, double *ret_pmf);
void groupwise_experts_update(struct groupwise *g, const struct outcome *o);

/* Arms in question: those of an ask, or those whose losses are told. */
struct groupwise_arms {
	const uint32_t *slots; /* NULL: of results */
	const struct result *results;
	size_t n;
};

static inline uint32_t groupwise_arm(const struct groupwise_arms *a, size_t i)
{
	return a->slots ? a->slots[i] : a->results[i].slot;
}

extern const struct param_desc groupwise_params[];
int groupwise_check(const void *params, struct errinfo *err);

/* The perturbed leaders of the awake. D / A of the components; 0: there are none. */
int groupwise_components_check(const struct groupwise_params *p, struct errinfo *err);
double groupwise_leader_scale(const struct param_list *components);
/* Adds to ret_pmf the shares of each arm; p: of each of the awake. */
void groupwise_leader_pmf(const struct groupwise *g, const struct groupwise_awake *a,
    const struct groupwise_arms *arms, struct rng rng, const double *p, double *ret_pmf);
/* What each of the awake loses in the mean, by the draws of the decision. */
void groupwise_leader_losses(const struct groupwise *g, const struct groupwise_awake *a,
    const struct outcome *o, double *ret_own);

/* A reward as a loss in [0, 1]. */
static inline double groupwise_loss(const struct groupwise *g, double reward)
{
	double l = 1 - (reward - g->lo) / g->width;

	return l > 0 ? l < 1 ? l : 1 : 0;
}

static inline double groupwise_cell(const struct groupwise_group *group, uint32_t slot)
{
	return group->cell ? group->cell[slot] : 0;
}

#endif
