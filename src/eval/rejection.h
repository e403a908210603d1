/* SPDX-License-Identifier: Apache-2.0 */
/* Replay by rejection (Li, Chu, Langford, Wang 2011): a learning policy decides in every logged
 * round and learns only where it decides as the log did; that is as if it had been served to those
 * rounds alone, without bias. A log that is not uniform is thinned first: a match is kept with
 * probability p_min/p.
 *
 * As operations on an experiment, the same in process and over the wire: it is created with the
 * arms of the log in the order of their ids; then, for row 1, 2, 3 ..., a decision with the
 * features of the round and its eligible arms, and a reward where it is kept, else a void. So the
 * same policy, seed and log give the same decisions on either road; over the wire the decision and
 * the key of the reward are called "demo-ROW", so that they can be sent again. */
#ifndef EVAL_REJECTION_H
#define EVAL_REJECTION_H

#include "core/experiment.h"
#include "eval/log_read.h"
#include "eval/round_file.h"

/* What is known of a log before it is played. */
struct rejection_log {
	char (*items)[ID_MAX + 1]; /* in order: numbers by value, before other ids by bytes */
	size_t nitems;
	uint64_t rows, clicks, refused, skipped; /* clicks: rewards that are not 0 */
	double p_min, p_max;                     /* of propensity / weight */
	double lo, hi, sum;                      /* of rewards; [lo, hi] holds [0, 1] */
	bool binary;                             /* each reward is 0 or 1 */
	bool restricted;                         /* some rounds list fewer arms than there are */
	size_t dim;                              /* the most features of a round */
	struct log_counts counts;
	struct log_arms *arms;
	struct round_file *kept; /* the rows, to be played; not yet rewound */
};

/* Reads all of it, once. Errors of log_open(), log_next() and round_file_add(); RC_LIMIT: more
 * items than a policy takes; RC_INVALID: not a row in it. Rounds without a reward are no rows. */
int rejection_scan(
    const char *path, const struct log_options *o, struct rejection_log *ret, struct errinfo *err);
void rejection_log_release(struct rejection_log *l);
/* Is the decision for `arm` in this row kept? */
bool rejection_keeps(const struct rejection_log *l, uint64_t seed, uint64_t row,
    const struct round *round, const char *arm);

struct rejection_result {
	uint64_t rounds, accepted, clicks;
	double sum, squares;
};

/* Called with the experiment after the creation, NULL on failure. The caller frees it. */
int rejection_start(const struct rejection_log *l, const struct policy_ops *ops,
    const struct spec_param *params, size_t nparams, uint64_t seed, struct experiment **ret,
    struct errinfo *err);
/* Can a log answer for this policy at all? RC_INVALID with err: why not. */
int rejection_answers(
    const struct rejection_log *l, const struct policy_ops *ops, struct errinfo *err);
/* What the experiment is asked in this row, but for id and context: features as it reads them and
 * the arms that are eligible; in mem. RC_MEMORY. */
int rejection_ask(const struct rejection_log *l, const struct experiment *e,
    const struct round *round, struct arena *mem, struct select_in *ret);
/* Plays one row. mem is reset. */
int rejection_play(const struct rejection_log *l, struct experiment *e, uint64_t row,
    const struct round *round, struct arena *mem, struct rejection_result *r, struct errinfo *err);

#endif
