/* SPDX-License-Identifier: Apache-2.0 */
/* Off-policy evaluation: what a fixed target would have earned on a log, by several estimators at
 * once, and whether to believe it. The log is read twice or more and never held, but for the terms
 * of a bootstrap. */
#ifndef EVAL_OPE_H
#define EVAL_OPE_H

#include "eval/estimator.h"
#include "eval/interval.h"
#include "eval/log_read.h"
#include "eval/model.h"
#include "eval/target.h"

/* A log that can be read again. names() is complete when the end was reached once. */
struct ope_log {
	void *arg;
	int (*rewind)(void *arg, struct errinfo *err);
	/* As log readers: 1 a round, 0 the end, RC_INVALID refused (zero err, go on), others
	 * stop. */
	int (*next)(void *arg, struct round *ret, struct errinfo *err);
	void (*names)(void *arg, struct target_names *ret);
	/* May be NULL: hears of refused lines, in the first pass alone. */
	void (*refused)(void *refused_arg, const struct errinfo *why);
	void *refused_arg;
};

struct ope_options {
	struct target *target;
	struct model_spec model;
	enum interval_kind interval;
	uint32_t resamples, threads;
	bool fixed_denominator; /* of quotients in the bootstrap: as published ones have it */
	uint64_t seed;
	double alpha;
	/* Hears of each round that is used, with its w, once; NULL is fine. */
	void (*seen)(void *seen_arg, const struct round *r, double w);
	void *seen_arg;
};

/* How the log overlaps with the target, by weights of one kind. */
struct ope_overlap {
	double ess, max_weight, mean_weight, mean_weight_se;
	double reward_ess; /* rounds that carry the weighted reward */
};

struct ope_summary {
	uint64_t rounds, refused, no_reward, used;
	double reward_sum, logging_mean, reward_lo,
	    reward_hi;      /* lo, hi: at least [0, 1] if inside */
	double unsupported; /* the target's probability of arms never logged there */
	struct interval_sum sums;
	struct ope_overlap overlap;
	size_t slots;                /* of the largest slate; 0: there is none */
	struct ope_overlap slate;    /* by what the slots add, as the pseudo-inverse weighs */
	struct ope_overlap balanced; /* by the classifier's weights */
	uint64_t unknown;            /* rounds without a propensity */
};
/* By the sums of weights and rewards; wr_abs: that of |w r|. */
struct ope_overlap ope_overlap_of(const struct interval_sum *q, double wr_abs);
/* By the weights that this estimator uses. */
const struct ope_overlap *ope_overlap_by(const struct ope_summary *s, const struct estimator *e);

enum ope_verdict { OPE_RELIABLE, OPE_WEAK, OPE_UNUSABLE };
extern const char *const ope_verdicts[];

struct ope_result {
	struct estimator estimator; /* with the threshold that was chosen */
	double value, se, lo, hi;
	enum ope_verdict verdict;
	char why[200];
};

/* Thresholds of the verdict; doc/evaluation.md has the reasons. */
#define OPE_ESS_UNUSABLE 50
#define OPE_ESS_WEAK 1000
#define OPE_UNSUPPORTED_UNUSABLE 0.10
#define OPE_UNSUPPORTED_WEAK 0.01
#define OPE_MEAN_WEIGHT_UNUSABLE 5 /* standard errors from 1 */
#define OPE_MEAN_WEIGHT_WEAK 3
#define OPE_MEAN_WEIGHT_FITTED 0.05 /* so far, weights of a classifier may be off before that */
#define OPE_REWARD_ESS_WEAK 10

/* RC_INVALID: an interval that does not go with an estimator, a target that does not fit, nothing
 * to use. RC_NOT_FOUND, RC_LIMIT, RC_MEMORY, errors of the log. ret_results has n. */
int ope_run(const struct ope_log *log, const struct ope_options *o, const struct estimator *est,
    size_t n, struct ope_summary *ret, struct ope_result *ret_results, struct errinfo *err);

/* The first of what is worst decides and is told: v and its words, if it is worse than *worst. */
void ope_find(enum ope_verdict *worst, char *why, size_t size, enum ope_verdict v, const char *fmt,
    ...) __attribute__((format(printf, 5, 6)));
#define OPE_FIND(r, v, ...) ope_find(&(r)->verdict, (r)->why, sizeof((r)->why), v, __VA_ARGS__)
void ope_judge(const struct ope_summary *s, struct ope_result *r);

#endif
