/* SPDX-License-Identifier: Apache-2.0 */
/* Reward models for the doubly robust estimators, cross-fitted: what is expected in a round of fold
 * f was learnt from all other folds; the fold is the round's index modulo their number; one fold is
 * no cross-fitting. "mean:S" is per arm and position, drawn towards the overall mean as if S rounds
 * had paid it; "ridge:L" is a linear regression per arm on 1 and the features. */
#ifndef EVAL_MODEL_H
#define EVAL_MODEL_H

#include "base/err.h"
#include "eval/log_read.h"

#define MODEL_FOLDS_MAX 100
#define MODEL_BYTES_MAX ((size_t)1 << 30)

struct model_spec {
	bool ridge;
	double strength;
	uint32_t folds;
};
/* "mean", "mean:10", "ridge:1"; folds is left alone. RC_INVALID. */
int model_parse(const char *text, struct model_spec *ret, struct errinfo *err);

struct model;
/* RC_MEMORY; RC_LIMIT: it would be larger than MODEL_BYTES_MAX. */
int model_new(const struct model_spec *spec, size_t narms, size_t npositions, size_t dim,
    struct model **ret, struct errinfo *err);
void model_free(struct model *m); /* NULL is fine */
/* A round with a reward; of this weight in the fit. */
void model_add(struct model *m, const struct round *r, double weight);
/* After the last. RC_MEMORY. */
int model_fit(struct model *m, struct errinfo *err);
double model_value(const struct model *m, const struct round *r, uint32_t arm);
/* Of d equations: a, lower triangle by rows, becomes its Cholesky root, and b the solution. */
void model_solve(double *a, double *b, size_t d);

#endif
