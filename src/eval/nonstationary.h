/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy that learns would have earned: the nonstationary doubly robust evaluator (Dudik,
 * Erhan, Langford, Li 2012; the form of 2014, Statistical Science 29). With the history h of the
 * rounds accepted so far, each round (x, a, p, r) adds c times
 *
 *     sum over arms of pi(arm | x, h) q(x, arm)  +  pi(a | x, h)/p (r - q(x, a)),
 *
 * divided by the sum of all c in the end, and joins the history with probability c pi(a | x, h)/p.
 * Every round counts, accepted or not, which rejection throws away; the policy is one that is
 * served the accepted rounds and nothing else.
 *
 * c is the least propensity of the log, which keeps that probability at or below 1 and the history
 * distributed as if served; or, after each acceptance, the given quantile of all p/pi so far, at
 * most 1: more rounds are accepted, and where c pi > p the history is off a little. */
#ifndef EVAL_NONSTATIONARY_H
#define EVAL_NONSTATIONARY_H

#include "eval/estimator.h"
#include "eval/interval.h"
#include "eval/model.h"
#include "eval/positions.h"
#include "eval/rejection.h"

/* What all runs of all policies on one log share. */
struct nonstationary_log {
	const struct rejection_log *l;
	struct model *model;
	struct positions positions;
	uint32_t *arm_of; /* by slot: experiments have their arms in another order */
	uint64_t *tried;  /* position * arms + arm: rounds */
	uint32_t narms;
};
/* Reads the first `rows` rows and learns the reward model. Errors of round_file_next(); RC_INVALID:
 * there are not so many; RC_LIMIT: more arms than distributions are asked for; RC_MEMORY. */
int nonstationary_open(const struct rejection_log *l, uint64_t rows, const struct model_spec *model,
    struct nonstationary_log *ret, struct errinfo *err);
void nonstationary_release(struct nonstationary_log *n);

#define RATIO_CELLS 4096
/* One run. Zero it to start, but for the first line. */
struct nonstationary_run {
	double quantile; /* below 0: c is the least propensity */
	uint64_t seed;
	double c;
	uint64_t rounds, accepted;
	struct est_sum sum;
	struct interval_sum weights;      /* of pi/p and rewards */
	double unsupported;               /* sum over rounds of pi(arms never tried there) */
	uint64_t ratios[RATIO_CELLS + 1]; /* of p/pi, by size; the last cell: infinite */
	/* The distribution since the last acceptance, where rounds do not differ for the policy. */
	uint32_t *slots;
	double *pmf;
	size_t npmf;
};
void nonstationary_run_release(struct nonstationary_run *run);
/* Plays one row with an experiment that rejection_start() made. mem is reset. RC_INVALID: the
 * policy gives no probabilities. */
int nonstationary_play(const struct nonstationary_log *n, struct experiment *e, uint64_t row,
    const struct round *round, struct arena *mem, struct nonstationary_run *run,
    struct errinfo *err);

#endif
