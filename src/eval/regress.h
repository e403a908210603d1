/* SPDX-License-Identifier: Apache-2.0 */
/* A policy that forecasts, on a table (table.h): each row is a decision with the groups it belongs
 * to, and its label comes at once. */
#ifndef EVAL_REGRESS_H
#define EVAL_REGRESS_H

#include "eval/sim.h"

/* Whether this is an environment for regress_run(). */
bool regress_is(const json_t *env);

/* Squared error of the predictions, less that of the best linear predictor for the rows in
 * hindsight: overall and per group, means over shuffles of the rows; beside it what the same policy
 * does when it is told of no groups. As sim_run(); horizon, runs, delay and loss do not matter. */
int regress_run(const json_t *env, const struct sim_policy *policy, const struct sim_opts *opts,
    struct sim_result *ret, struct errinfo *err);

#endif
