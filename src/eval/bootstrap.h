/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap of an estimate: rounds are drawn with replacement and every sum of est_term is
 * resampled, denominators too.
 *
 * Rounds with equal terms are one cell, and a resample draws the multinomial counts of the cells:
 * exactly the bootstrap, at the cost of the cells and not of the rounds. Where a log has more than
 * BOOTSTRAP_CELLS different terms, cells are split where they scatter most, so outliers stand
 * alone, and what is lost inside the cells is put back as one normal draw with the covariance that
 * was lost: the mean and the covariance of a resample are then those of the plain bootstrap, and
 * its skewness too but for that inside the cells.
 *
 * Resample i draws from the stream of i, so any number of threads gives the same digits. */
#ifndef EVAL_BOOTSTRAP_H
#define EVAL_BOOTSTRAP_H

#include "base/rng.h"
#include "eval/estimator.h"

#define BOOTSTRAP_CELLS 4096
#define BOOTSTRAP_MAX 1000000 /* resamples */

/* The 1 - alpha percentile interval. Puts terms into another order. RC_MEMORY, RC_FAILED: no
 * threads. */
int bootstrap_interval(struct est_term *terms, size_t n, uint32_t resamples, uint64_t seed,
    uint32_t threads, double alpha, double *ret_lo, double *ret_hi, struct errinfo *err);

/* A binomial draw, n < 2^53. */
double bootstrap_binomial(struct rng *r, double n, double p);

#endif
