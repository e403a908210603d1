/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy that learns would have earned on a log, over several seeds: by rejection
 * (rejection.h) or by the nonstationary doubly robust evaluator (nonstationary.h). What differs
 * between seeds is the luck of policy and evaluator, and more seeds make it smaller; what a run's
 * own standard error says is the luck of the log, which stays. They are reported apart. */
#ifndef EVAL_LEARNING_H
#define EVAL_LEARNING_H

#include "eval/nonstationary.h"
#include "eval/ope.h"

#define LEARNING_RUNS_MAX 1000

struct learning_kind {
	bool rejection;
	double quantile; /* of dr-ns; below 0: the least propensity */
	char text[ESTIMATOR_TEXT_MAX];
};
/* "rejection", "dr-ns", "dr-ns:0.05". RC_INVALID. */
int learning_parse(const char *text, struct learning_kind *ret, struct errinfo *err);

struct learning_policy {
	const struct policy_ops *ops;
	const struct spec_param *params;
	size_t nparams;
};

/* All runs of one policy and kind; run i has the seed seed + i. */
struct learning;
/* Errors of rejection_start(); n is for dr-ns alone. What is given outlives it. */
int learning_new(const struct rejection_log *l, const struct nonstationary_log *n,
    const struct learning_kind *kind, const struct learning_policy *policy, uint64_t seed,
    uint32_t runs, struct learning **ret, struct errinfo *err);
void learning_free(struct learning *g); /* NULL is fine */
/* The next row, in every run. Errors of the evaluators. */
int learning_play(struct learning *g, uint64_t row, const struct round *round, struct errinfo *err);
/* How many rounds the first run has accepted. */
uint64_t learning_taken(const struct learning *g);
/* The experiment of the first run. */
const struct experiment *learning_first(const struct learning *g);

struct learning_result {
	uint64_t rounds;
	uint32_t runs, valued;   /* valued: those that accepted anything */
	double accepted, clicks; /* a run; clicks: rewards that are not 0 */
	double reward_sum;       /* of what was accepted, a run */
	/* Means over the runs; NaN where none can be had. se: of the sampling of the log. seed_sd:
	 * between runs, NaN for one. */
	double value, se, seed_sd, lo, hi;
	struct ope_summary summary; /* of weights: means over the runs */
	struct ope_result judged;   /* verdict and why */
};
void learning_result(const struct learning *g, double alpha, struct learning_result *ret);

#endif
