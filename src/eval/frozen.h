/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as it was at some moment, as a fixed target: in each round it is asked for its
 * distribution and learns nothing. For target.c alone. One thread. */
#ifndef EVAL_FROZEN_H
#define EVAL_FROZEN_H

#include "core/experiment.h"
#include "eval/log_read.h"

struct frozen;

/* Takes e over, on success alone. RC_INVALID: it answers with no distribution over single arms, or
 * would depend on more than context and eligible arms; RC_MEMORY. */
int frozen_new(struct experiment *e, struct frozen **ret, struct errinfo *err);
void frozen_free(struct frozen *f); /* NULL is fine */
/* Fits it to the arms of a log. RC_NOT_FOUND: the log has one that the experiment has not. */
int frozen_bind(struct frozen *f, const char *const *arms, size_t narms, struct errinfo *err);
/* Is asked what it would do in this round. RC_INVALID, RC_MEMORY. */
int frozen_ask(struct frozen *f, const struct round *r, struct errinfo *err);
/* Of the last round that was asked: of an arm of the log, and of all that the log does not know. */
double frozen_prob(const struct frozen *f, uint32_t arm);
double frozen_missing(const struct frozen *f);

#endif
