/* SPDX-License-Identifier: Apache-2.0 */
/* Empirical likelihood of power 0: of all distributions of weights and rewards under which weights
 * have the mean 1, the one that makes the log most likely, and its mean of w r. A pure function. */
#ifndef EVAL_MLE_H
#define EVAL_MLE_H

#include "eval/estimator.h"

/* Terms of snips. w_max is the largest possible weight, above 1, HUGE_VAL when not known; mean is
 * what a round that was not seen is taken to earn. */
double mle_point(const struct est_term *terms, size_t n, double w_max, double mean);

#endif
