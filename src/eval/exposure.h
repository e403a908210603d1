/* SPDX-License-Identifier: Apache-2.0 */
/* What arms earn by their own past: after how long a rest, or as which play of a row. Of a log
 * whose policy is certain of its arm (recovering, tallying) this is what can be learnt: means over
 * (arm, rest) of every pull, and means of the plays after the first M of a row. Leaving out rounds,
 * as estimators by propensities do, would change the rest that a reward came of.
 *
 * The log is read twice: what was shown is not known before its end (a decision may be made void
 * later), and a pull that was not shown neither ends a rest nor counts in a row. Memory: a bit for
 * each event, the subjects, and the pulls whose reward may come yet. One thread. */
#ifndef EVAL_EXPOSURE_H
#define EVAL_EXPOSURE_H

#include "core/experiment.h"

#define EXPOSURE_SUBJECTS_MAX 1000000
#define EXPOSURE_OPEN_MAX (1u << 20)  /* decisions; the oldest gives up its reward */
#define EXPOSURE_CELLS_MAX (1u << 22) /* arms times d_max */

struct exposure_options {
	uint32_t d_max;  /* rests are counted 1 to d_max, as recovering does; 0: rows of plays */
	uint64_t memory; /* rows: plays at the beginning that do not count, as tallying has it */
	bool by_subject; /* each has rests and rows of its own */
	double tick_us;  /* a period; 0: a decision (of the subject) is one */
	bool from_start; /* false: what was before the log is not known */
};

struct exposure_cell {
	uint64_t n;
	double sum; /* of rewards as the policy learns them: [0, 1], more is better */
};

/* What did not count, in pulls. */
struct exposure_left_out {
	uint64_t not_shown, unrewarded, unknown; /* unknown: what was before it */
};

struct exposure;
int exposure_new(const struct exposure_options *o, struct exposure **ret); /* RC_MEMORY */
void exposure_free(struct exposure *x);                                    /* NULL is fine */
/* First each event of the log in order, then each again. e: as it was before the event; NULL at its
 * creation. RC_INVALID: a log that does not say it; RC_LIMIT, RC_MEMORY. */
int exposure_look(struct exposure *x, const struct event *ev, struct errinfo *err);
int exposure_count(
    struct exposure *x, const struct experiment *e, const struct event *ev, struct errinfo *err);
/* After the last event. */
struct exposure_left_out exposure_end(struct exposure *x);
/* Of an arm: d_max cells by rest - 1, or one; NULL when it was never pulled. */
const struct exposure_cell *exposure_of(const struct exposure *x, uint32_t slot);

/* The non-decreasing row nearest to the means, weighted by their numbers (pool adjacent
 * violators). Where there is none it is what a shorter rest earned, so never more than was seen; 0
 * before the first. */
void exposure_rising(const struct exposure_cell *cells, uint32_t d_max, double *ret);

#endif
