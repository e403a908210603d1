/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a state, for the files ucb*.c. */
#ifndef POLICIES_UCB_IMPL_H
#define POLICIES_UCB_IMPL_H

#include "core/heap.h"
#include "policies/ucb.h"

#define UCB_NONE HEAP_NONE /* no arm */
#define UCB_FAST_FROM 65   /* reserved slots from which the arg-max is kept up to date */

struct ucb_arm {
	uint64_t n : 62; /* decisions, lost ones not counted; without probe: one more */
	uint64_t state : 2;
	uint64_t o; /* rewards, <= n */
	double s;   /* their sum; ema: the mean */
};

/* A reward that waits for its batch to fill. */
struct ucb_pend {
	double reward;
	uint32_t slot;
};

struct ucb_fast;
struct ucb_node;

struct ucb {
	const struct ucb_kind *kind;
	const struct ucb_params *params;
	double lo, width;            /* rewards are mapped by (r - lo) / width */
	uint64_t t, issued;          /* decisions ever; sum of n over all arms, <= t */
	uint32_t slots, cap, active; /* arms: there, reserved, active */
	uint32_t npend;              /* < params->batch */
	struct ucb_arm *arm;
	double *squares; /* sums of squares; NULL unless the kind has a slope */
	struct ucb_pend *pend;
	struct ucb_fast *fast; /* NULL while few slots are reserved */
};

/* The plays an arm has had before its first decision: 1 when its mean is given. */
static inline uint64_t ucb_probes(const struct ucb *u)
{
	return u->kind->ema && !isnan(u->params->init_mean);
}

/* May the index choose it? Not while it has no mean. */
static inline bool ucb_is_ready(const struct ucb *u, uint32_t slot)
{
	return u->arm[slot].o + ucb_probes(u) > 0;
}

struct ucb_time ucb_now(const struct ucb *u);
struct ucb_stat ucb_stat(const struct ucb *u, uint32_t slot); /* ready */
/* Is arm b before arm a, in the order of the answer? */
static inline bool ucb_before(
    double index_b, double mean_b, uint32_t b, double index_a, double mean_a, uint32_t a)
{
	return index_b > index_a ||
	       (index_b == index_a && (mean_b > mean_a || (mean_b == mean_a && b < a)));
}

/* The structures for many arms hold the active arms: those never issued, and those ready. An arm
 * leaves before its numbers change and enters afterwards; settle comes last, when t may have moved.
 * Without structures the first three do nothing. None can fail but reserve. */
int ucb_fast_reserve(struct ucb *u, size_t slots); /* RC_MEMORY: as before */
void ucb_fast_free(struct ucb_fast *f);            /* NULL is fine */
size_t ucb_fast_bytes(const struct ucb_kind *kind, size_t slots);
void ucb_fast_build(struct ucb *u); /* from all the arms; empty before */
void ucb_fast_leave(struct ucb *u, uint32_t slot);
void ucb_fast_enter(struct ucb *u, uint32_t slot);
void ucb_fast_settle(struct ucb *u);
uint32_t ucb_fast_best(const struct ucb *u); /* UCB_NONE: all wait; there are structures */

/* A tournament over arms whose kind has a slope; t never falls from call to call. */
struct ucb_tree {
	const struct ucb_kind *kind;
	struct ucb_node *node; /* by slot */
	uint32_t root;
};

#define UCB_NODE_BYTES 56
int ucb_tree_reserve(struct ucb_tree *t, size_t slots);
/* The answer is right again after ucb_tree_settle(), for this t. */
void ucb_tree_insert(
    struct ucb_tree *t, const struct ucb_time *now, uint32_t slot, const struct ucb_stat *stat);
void ucb_tree_remove(struct ucb_tree *t, const struct ucb_time *now, uint32_t slot);
void ucb_tree_attach(struct ucb_tree *t, uint32_t slot, const struct ucb_stat *stat); /* in bulk */
void ucb_tree_settle(struct ucb_tree *t, const struct ucb_time *now);
uint32_t ucb_tree_best(const struct ucb_tree *t, const struct ucb_time *now); /* UCB_NONE: empty */

#endif
