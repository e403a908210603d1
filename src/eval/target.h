/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed targets: "uniform", "always:ARM", or "@FILE", probabilities per arm and position as CSV,
 * either arm,position,probability or one row an item with columns item_id,pos1,pos2... */
#ifndef EVAL_TARGET_H
#define EVAL_TARGET_H

#include "core/experiment.h"
#include "eval/log_read.h"

struct target;

/* RC_INVALID, RC_IO, RC_MEMORY. */
int target_parse(const char *text, struct target **ret, struct errinfo *err);
/* The policy of an experiment as it is now, which is taken over on success. RC_INVALID: it gives no
 * distribution over single arms; RC_MEMORY. */
int target_freeze(struct experiment *e, struct target **ret, struct errinfo *err);
void target_free(struct target *t); /* NULL is fine */
/* Does it depend on more than arm, position and eligible arms? */
bool target_varies(const struct target *t);

/* What a log is about, by number. Borrowed. */
struct target_names {
	const char *const *arms;
	size_t narms;
	const uint64_t *positions;
	size_t npositions;
};
/* Fits the target to a log. RC_INVALID: it has no say about a position; RC_NOT_FOUND: the arm of
 * always: is not in the log; RC_MEMORY. */
int target_bind(struct target *t, const struct target_names *names, struct errinfo *err);
/* Before the two below, for each round: a policy is asked. RC_INVALID: it cannot be; RC_MEMORY. */
int target_see(struct target *t, const struct round *r, struct errinfo *err);
/* The probability of this arm in this round, which may name any arm of the log; 0 when the arm is
 * not eligible. */
double target_prob(const struct target *t, const struct round *r, uint32_t arm);
/* The probability at this position of arms that the log does not know. */
double target_missing(const struct target *t, uint32_t position);

#endif
