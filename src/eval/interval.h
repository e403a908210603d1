/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals from sums over a log, for weights w >= 0 and rewards in a known range. Each bound is
 * written for 1 - alpha in all. Formulas: doc/evaluation.md. Pure functions; struct interval_sum
 * is zeroed to start, but for its range. */
#ifndef EVAL_INTERVAL_H
#define EVAL_INTERVAL_H

#include <math.h>
#include <stdint.h>

#include "base/num.h"

/* n counts what the logger dropped, too; w carries 1/(1 - pdrop). */
struct interval_sum {
	double lo, hi; /* the range of rewards, set by the caller */
	double n, w_max, w_min;
	uint64_t rounds;
	struct num_sum w, ww, wr, wwr, wwrr, r;
	struct num_sum x[2], v[2]; /* of the sequence: rewards, and hi + lo - rewards */
};
void interval_add(struct interval_sum *s, double weight, double w, double r);

enum interval_kind {
	INTERVAL_NORMAL,
	INTERVAL_BOOTSTRAP,
	INTERVAL_BERNSTEIN,
	INTERVAL_HOEFFDING,
	INTERVAL_STUDENT,
	INTERVAL_CLOPPER_PEARSON,
	INTERVAL_CRESSIE_READ,
	INTERVAL_SEQUENCE,
	INTERVAL_KINDS
};
extern const char *const interval_names[INTERVAL_KINDS];

void interval_normal(double value, double se, double alpha, double *ret_lo, double *ret_hi);
/* The gaussian interval of the importance-weighted mean, as VW's estimators have it. */
void interval_gaussian(const struct interval_sum *s, double alpha, double *ret_lo, double *ret_hi);
/* The same with Student's t of n - 1 degrees; one round: no bound. */
void interval_student(
    double value, double se, double n, double alpha, double *ret_lo, double *ret_hi);
/* How far below (or above) the mean of n values that lie in a range of this width the truth is,
 * with probability 1 - delta (Maurer, Pontil 2009). */
double interval_bernstein(double variance, double width, double n, double delta);
/* The same without looking at the variance (Hoeffding 1963). */
double interval_hoeffding(double width, double n, double delta);
/* Treats n/w_max rounds as having k = sum(w r)/w_max successes: wide, never too narrow. */
void interval_clopper_pearson(
    const struct interval_sum *s, double alpha, double *ret_lo, double *ret_hi);
/* Empirical likelihood of power -2 (Karampatziakis, Langford, Mineiro 2020). w_max is the largest
 * possible weight, HUGE_VAL when not known. */
double interval_cressie_read_point(const struct interval_sum *s, double w_min, double w_max);
void interval_cressie_read(const struct interval_sum *s, double w_min, double w_max, double alpha,
    double *ret_lo, double *ret_hi);
/* Holds at all times at once (Karampatziakis, Mineiro, Ramdas 2021). */
void interval_sequence(const struct interval_sum *s, double alpha, double *ret_lo, double *ret_hi);

#endif
