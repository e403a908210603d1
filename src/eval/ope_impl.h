/* SPDX-License-Identifier: Apache-2.0 */
/* A run over a log, as its parts share it: ope.c reads, ope_bound.c makes intervals of the sums.
 * For ope*.c alone. */
#ifndef EVAL_OPE_IMPL_H
#define EVAL_OPE_IMPL_H

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
	struct interval_sum slate; /* of slates: the weights by slots */
	double slate_wr_abs;
};

/* RC_INVALID: an interval that does not go with an estimator. */
int ope_check_intervals(
    const struct ope_options *o, const struct estimator *est, size_t n, struct errinfo *err);
/* The value of result i, its standard error and interval. Errors of bootstrap_interval(). */
int ope_bound(struct run *u, size_t i, struct errinfo *err);

#endif
