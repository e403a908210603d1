/* SPDX-License-Identifier: Apache-2.0 */
/* The reusable holdout (Thresholdout; Dwork, Feldman, Hardt, Pitassi, Reingold, Roth 2015). A part
 * of a log is kept back, and only asked whether it agrees with the rest: while it does, the answer
 * is that of the rest and tells nothing new; where it does not, what was looked at was fitted to
 * the rest, the answer comes from the part kept back, with noise, and costs one of the budget. Pure
 * but for the numbers drawn, which are a function of key and queries. */
#ifndef EVAL_HOLDOUT_H
#define EVAL_HOLDOUT_H

#include <stdint.h>

#define HOLDOUT_BUDGET 10 /* by default */
#define HOLDOUT_BUDGET_MAX 1000
/* In standard errors of the part kept back, as the rest foretells them. Noise is Laplace's: 2 of
 * these for the threshold, 4 for the comparison, 1 for the answer. doc/evaluation.md has the
 * reasons. */
#define HOLDOUT_THRESHOLD 4
#define HOLDOUT_NOISE 0.25

struct holdout {
	uint64_t key, queries;
	uint32_t budget, spent;
	double shift; /* of the threshold, drawn anew whenever budget is spent; in noise */
};
void holdout_start(struct holdout *h, uint32_t budget, uint64_t key);

/* What one question is worth on either part. se and n are those of the training part, so that
 * nothing but the answer depends on what is kept back. */
struct holdout_query {
	double training, se, kept;
	uint64_t training_n, kept_n;
};
enum holdout_source { HOLDOUT_AGREES, HOLDOUT_DIFFERS, HOLDOUT_SPENT };
extern const char *const holdout_sources[];
struct holdout_answer {
	enum holdout_source source;
	double value, lo, hi;
};
/* For intervals of 1 - alpha. When the budget is spent, kept is not looked at, and the interval is
 * that of the training part, which promises nothing. */
void holdout_ask(
    struct holdout *h, const struct holdout_query *q, double alpha, struct holdout_answer *ret);

#endif
