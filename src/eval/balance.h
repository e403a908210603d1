/* SPDX-License-Identifier: Apache-2.0 */
/* How much likelier a target does something than the log did, where the log does not say: logistic
 * regressions, one an arm and position, on 1 and the features of the round, tell what the target
 * would do from what was done; their odds are the weights (Sondhi, Arbour, Dimmery 2020).
 * Cross-fitted as reward models are (model.h). Fitted over passes by Newton's method. */
#ifndef EVAL_BALANCE_H
#define EVAL_BALANCE_H

#include "base/err.h"
#include "eval/log_read.h"

#define BALANCE_PASSES_MAX 60

struct balance;
/* RC_MEMORY; RC_LIMIT: it would be larger than MODEL_BYTES_MAX. */
int balance_new(size_t narms, size_t npositions, size_t dim, uint32_t folds, struct balance **ret,
    struct errinfo *err);
void balance_free(struct balance *b); /* NULL is fine */
/* In a pass, for each round: what was done, with the round's weight, and each arm that the target
 * may take, with weight times its probability. */
void balance_add(
    struct balance *b, const struct round *r, uint32_t arm, double mass, bool of_target);
/* After each pass; true: all is settled. */
bool balance_step(struct balance *b);
/* Of the arm that was taken. */
double balance_weight(const struct balance *b, const struct round *r);

#endif
