/* SPDX-License-Identifier: Apache-2.0 */
/* A run over a log, as its parts share it: ope.c reads, ope_bound.c makes intervals of the sums.
 * For ope*.c alone. */
#ifndef EVAL_OPE_IMPL_H
#define EVAL_OPE_IMPL_H

#include "eval/balance.h"
#include "eval/ope.h"

struct run {
	const struct ope_log *log;
	const struct ope_options *o;
	struct ope_summary s;
	struct target_names names;
	struct model *model, *mrdr; /* NULL where none is asked for */
	uint64_t *tried;            /* position * narms + arm: rounds */
	double *everywhere;         /* by position: rounds where all arms are eligible */
	bool listed, fitted;        /* some rounds list their arms; tried is complete */
	size_t dim;
	struct ope_result *results;
	struct est_sum *sums;
	struct est_term **terms;
	size_t n;
	double wr_abs;
	struct interval_sum slate, balanced; /* of slates: weights by slots; the classifier's */
	double slate_wr_abs, balanced_wr_abs;
	struct balance *balance; /* NULL where it is not asked for */
};

/* The next round that has a reward: 1, 0 the end. Counts in the first pass alone. */
int ope_next_round(struct run *u, bool first, struct round *ret, struct errinfo *err);
/* RC_INVALID: a propensity is not known, and needed. */
int ope_check_unknown(const struct run *u, const struct estimator *est, struct errinfo *err);
/* Fits the classifier where it is needed. RC_FAILED: it does not settle; errors of the log. */
int ope_balance(struct run *u, const struct estimator *est, struct errinfo *err);

/* RC_INVALID: an interval that does not go with an estimator. */
int ope_check_intervals(
    const struct ope_options *o, const struct estimator *est, size_t n, struct errinfo *err);
/* The value of result i, its standard error and interval. Errors of bootstrap_interval(). */
int ope_bound(struct run *u, size_t i, struct errinfo *err);

#endif
