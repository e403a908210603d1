/* SPDX-License-Identifier: Apache-2.0 */
/* The two formulas of cheb_cb that stand by themselves. */
#ifndef POLICIES_CHEB_CB_H
#define POLICIES_CHEB_CB_H

#include <stddef.h>
#include <stdint.h>

/* T_0 .. T_(n-1) at x mapped from [lo, hi] to [-1, 1], and kept in it; n >= 2. */
void cheb_features(double lo, double hi, double x, uint32_t n, double *ret);
/* In place: predicted losses become probabilities. */
void cheb_inverse_gap(size_t n, double gamma, double *y);

#endif
