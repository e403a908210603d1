/* SPDX-License-Identifier: Apache-2.0 */
/* Iterative solvers with a parameter to choose, on the 5-point matrix of a square grid: `diagonal`
 * on the diagonal, -side for each neighbour. Unknowns are in natural order, `points` to a side. */
#ifndef EVAL_SOR_SOLVE_H
#define EVAL_SOR_SOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

struct grid_matrix {
	uint32_t points;
	double diagonal, side;
};

/* Successive over-relaxation until |b - A x| < tol |b|; the sweeps made, at most cap. x is the
 * start and the result, points^2 long, as b. */
uint32_t sor_solve(const struct grid_matrix *a, const double *b, double *x, double omega,
    double tol, uint32_t cap);

/* Young's theory: the omega with which the error shrinks fastest in the end. */
double sor_best_omega(const struct grid_matrix *a);

/* One of a sequence of independent systems: 100 unknowns, 4 + x on the diagonal for x = -0.15 + 0.6
 * Beta(2, 6), or Beta(1/2, 3/2) when they vary more, and b normal of a length of at most 10. */
#define SOR_POINTS 10
struct sor_system {
	struct grid_matrix a;
	double x, b[SOR_POINTS * SOR_POINTS];
};
void sor_draw(struct sor_system *s, bool varied, struct rng *rng);

#define SOR_EACH_MAX 32

/* The sweeps of sor_solve() from 0 for up to SOR_EACH_MAX omegas at once, in less time: a point
 * waits for the one before it, and the other omegas fill that time. work: n (points + 2)^2. */
void sor_solve_each(const struct grid_matrix *a, const double *b, size_t n, const double *omega,
    double tol, uint32_t cap, double *work, uint32_t *ret);

/* Conjugate gradients with the SSOR preconditioner of omega in (0, 2); none when omega is 0. Steps
 * until |r| <= tol |b|, maybe none. work: 4 points^2. */
uint32_t cg_solve(const struct grid_matrix *a, const double *b, double *x, double omega, double tol,
    uint32_t cap, double *work);

/* The heat equation on the unit square by Crank and Nicolson, steps of 1 ms: a coefficient that
 * swings between 0.1 and 10, a source that circles, edges at 0. */
struct heat {
	uint32_t cells, step;
	struct grid_matrix a;
	double *u, *b, *work; /* at the step's start; of the step to come */
};

/* RC_MEMORY. */
int heat_init(struct heat *h, uint32_t cells);
void heat_release(struct heat *h);
double heat_coefficient(double t);
double heat_context(const struct heat *h); /* the coefficient at the step's start */
/* The step's system with this omega; u moves on. The iterations. */
uint32_t heat_step(struct heat *h, double omega, uint32_t cap);

#endif
