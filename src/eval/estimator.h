/* SPDX-License-Identifier: Apache-2.0 */
/* Estimators of what a fixed target would have earned. Each makes of a round a struct term; the
 * estimate is sum(base)/sum(weight) + sum(num)/sum(den), so one pass, one delta method and one
 * bootstrap serve all of them. To add one: a function and a line in estimator.c. */
#ifndef EVAL_ESTIMATOR_H
#define EVAL_ESTIMATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/num.h"

/* Of one round: how many rounds it stands for, target over logging probability, the reward, what
 * the reward model expects of the arm taken and of the target. Of a slate, w is the product over
 * its slots, and w_slots 1 - m + their sum; of a single arm both are the same. w_balanced is the
 * classifier's, and w too where the propensity is not known. */
struct est_round {
	double weight, w, r, q, q_target, w_slots, w_balanced;
};

struct est_term {
	double weight, base, num, den;
};

enum {
	EST_MODEL = 1,
	EST_RATIO = 2,
	EST_MRDR = 4,
	EST_MODEL_ALONE = 8,
	EST_LIKELIHOOD = 16, /* its number is the largest weight that is possible */
	EST_SLOTS = 32,
	EST_TERMS = 64, /* made of all its terms, which are kept */
	EST_BALANCED = 128
};

struct est_kind {
	const char *name;
	const char *param; /* what stands before the number, "" for ":5"; NULL: none is taken */
	double dflt, max;
	unsigned flags;
	void (*term)(const struct est_round *in, double param, struct est_term *ret);
};

#define ESTIMATOR_TEXT_MAX 48
struct estimator {
	const struct est_kind *kind;
	double param;
	bool slope, mse; /* param is to be chosen, by either rule; mse implies slope */
	char text[ESTIMATOR_TEXT_MAX];
};

extern const struct est_kind est_kinds[]; /* ends with a NULL name */

/* "dr", "ips:clip=5", "switch-dr:5", "switch-dr:slope". RC_INVALID. */
int estimator_parse(const char *text, struct estimator *ret, struct errinfo *err);

/* Streaming sums. Zero it to start. */
struct est_sum {
	uint64_t n;
	struct num_sum weight, base, num, den;
	double ww, bb, nn, dd, wb, wn, wd, bn, bd, nd; /* products, for the delta method */
	double lo, hi;                                 /* of (base + num) / weight */
};
void est_sum_add(struct est_sum *s, const struct est_term *t);
double est_sum_value(const struct est_sum *s);
/* Standard error: exact n - 1 for plain means, the delta method for ratios. */
double est_sum_se(const struct est_sum *s);

/* SLOPE (Su, Srinath, Krishnamurthy 2020): candidates in the order of falling variance and rising
 * bias; the last one whose interval value +- 2 z se still meets those of all before it. */
size_t est_slope(const double *value, const double *se, size_t n, double delta);
/* A bound of the squared error, the other way to choose: variance and squared bias, which the
 * rounds show within what chance allows (Saito, Aihara, Matsutani, Narita 2021). lost is the mean
 * of what the threshold takes away, ww the mean square of weights, with probability 1 - delta. */
double est_mse_bound(double se, double lost, double n, double ww, double w_max, double delta);
/* The thresholds that are tried, in that order. *ret_n of them. */
const double *est_slope_grid(const struct est_kind *k, size_t *ret_n);

#endif
