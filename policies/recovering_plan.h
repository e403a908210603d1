/* SPDX-License-Identifier: Apache-2.0 */
/* The planner of `recovering`, usable alone: tables of rewards by idle time -> a periodic schedule
 * of at most k arms a period. A pure function of its input; no randomness. doc/policies.md says
 * what it promises. */
#ifndef POLICIES_RECOVERING_PLAN_H
#define POLICIES_RECOVERING_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RECOVERING_D_MAX 4096
#define RECOVERING_K_MAX 1024
#define RECOVERING_J_MAX 256

struct recovering_tables {
	const double *r; /* n rows of d_max: r[i * d_max + d - 1] of arm i pulled after d periods */
	uint32_t n, d_max, k, j_max;
	bool improve;
};

/* Owned; zeroed before the first use. Arm i is pulled at t = offset[i] mod period[i]. */
struct recovering_plan {
	uint32_t n;
	uint32_t *period, *offset, *lane; /* period 0: not scheduled */
	double *x;                        /* the relaxation's pulls per period */
	double value, upper, price;       /* of the plan; of any policy; of one more slot's worth */
	uint32_t classes, first_class;    /* how many odd classes it uses, and the least of them */
	uint32_t made, moves;             /* lanes before the best k were kept, moves after it */
	bool up;
};

/* RC_INVALID: k < 1, no arms, or a table that is not finite, >= 0 and non-decreasing. */
int recovering_tables_check(const struct recovering_tables *t, struct errinfo *err);
/* t must pass the check. RC_MEMORY. */
int recovering_plan_make(const struct recovering_tables *t, struct recovering_plan *ret);
void recovering_plan_release(struct recovering_plan *p);
/* About how many basic steps recovering_plan_make() takes. */
double recovering_plan_cost(const struct recovering_tables *t);
/* sum of R_i(period_i) / period_i */
double recovering_plan_worth(const struct recovering_tables *t, const uint32_t *period);

#endif
