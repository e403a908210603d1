/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the planner: relaxation (recovering_fill.c), lanes (recovering_lane.c), packing
 * (recovering_pack.c), moves (recovering_moves.c). The tolerances are part of what the planner is:
 * they keep plans the same when tables differ by rounding. */
#ifndef POLICIES_RECOVERING_PLAN_IMPL_H
#define POLICIES_RECOVERING_PLAN_IMPL_H

#include "policies/recovering_plan.h"

#define RP_EPS 1e-12
#define RP_LEVELS 31 /* of periods a * 2^l <= 2^30 */
#define RP_PERIOD_MAX (1u << 30)

/* ---- relaxation ---- */

struct rp_fill {
	uint32_t *hull, *len; /* hull[i * (nd + 1) ..]: periods at arm i's breakpoints, from 0 */
	uint32_t *level;      /* the breakpoint that arm i has reached */
	double *x;            /* pulls per period */
	struct rp_head *heap;
	uint32_t stride;
	uint32_t frac; /* the arm between two breakpoints; n: none */
	double price, value;
};

/* The best use of t->k pulls per period when arm i gets the concave envelope over the nd periods d,
 * ascending. The arrays are large enough for nd <= t->d_max * 2. */
void rp_fill(const struct recovering_tables *t, const uint32_t *d, uint32_t nd, struct rp_fill *f);
int rp_fill_init(const struct recovering_tables *t, uint32_t most, struct rp_fill *f);
void rp_fill_release(struct rp_fill *f);

/* R_i(d) / d */
static inline double rp_rate(const struct recovering_tables *t, uint32_t i, uint32_t d)
{
	return t->r[(size_t)i * t->d_max + (d < t->d_max ? d : t->d_max) - 1] / d;
}

/* ---- lanes ---- */

/* All t = o (mod p). */
struct rp_node {
	uint32_t p, o;
};

/* One arm at most per period; periods are a * 2^l. Holds what is free. */
struct rp_lane {
	uint32_t a;
	struct rp_node *node;
	size_t n, cap;
	uint32_t count[RP_LEVELS]; /* free nodes with p = a * 2^l */
};

int rp_lane_init(struct rp_lane *lane, uint32_t a); /* RC_MEMORY; reuses its memory */
/* There must be a free node with p <= d. RC_MEMORY. */
int rp_lane_alloc(struct rp_lane *lane, uint32_t d, uint32_t *ret_o);
int rp_lane_release(struct rp_lane *lane, struct rp_node node); /* RC_MEMORY */
/* The p of the node that releasing would leave. */
uint32_t rp_lane_would_leave(const struct rp_lane *lane, struct rp_node node);

/* ---- one attempt ---- */

struct rp_try {
	uint32_t *period, *offset, *lane;
	double value;
	uint32_t classes, first_class, made, moves;
	bool up;
};

struct rp_work {
	const struct recovering_tables *t;
	double *by_d;         /* t->r the other way round: by_d[(d - 1) * n + i] */
	double *cur;          /* rate of arm i at its period */
	struct rp_lane *lane; /* t->k */
	struct rp_item *item;
	struct rp_made *made;
	struct rp_seen *seen; /* of period a * 2^l: seen[(a - 1) / 2 * RP_LEVELS + l] */
	uint32_t *touched, ntouched;
	struct rp_fill fill;
	struct rp_try now, best;
};

int rp_pack(struct rp_work *w);    /* now.period -> offsets, lanes; RC_MEMORY */
int rp_improve(struct rp_work *w); /* RC_MEMORY */
int rp_pack_init(struct rp_work *w);
int rp_improve_init(struct rp_work *w);
void rp_pack_release(struct rp_work *w);
void rp_improve_release(struct rp_work *w);

#endif
