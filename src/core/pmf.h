/* SPDX-License-Identifier: Apache-2.0 */
/* Distributions over n >= 1 places: pure functions that fill, change, check or draw from p[n]. The
 * same bits on every machine. No allocation, no state. */
#ifndef CORE_PMF_H
#define CORE_PMF_H

#include <stddef.h>

#define PMF_TOLERANCE 1e-9 /* how far the sum may be from 1 */

void pmf_uniform(size_t n, double *ret_p);
void pmf_greedy(size_t n, size_t best, double *ret_p); /* 1 at best, 0 elsewhere */
/* p proportional to exp(eta score), any size of eta score; eta >= 0. A score is finite, or -inf for
 * p = 0; at least one is finite. ret_p may be scores itself. */
void pmf_softmax(size_t n, const double *scores, double eta, double *ret_p);
/* Mixes in the uniform distribution with share f in [0, 1]: p = (1 - f) p + f / n. */
void pmf_floor(size_t n, double f, double *p);
/* 0, or RC_INVALID unless every entry is finite and not negative and the sum is 1 within
 * PMF_TOLERANCE. */
int pmf_check(size_t n, const double *p);
/* The place where the running sum first exceeds u, for u in [0, 1); never one with p = 0. What
 * rounding leaves between the sum and 1 goes to the last place with p > 0. p passes pmf_check. */
size_t pmf_draw(size_t n, const double *p, double u);

#endif
