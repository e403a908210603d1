/* SPDX-License-Identifier: Apache-2.0 */
/* bandit compare: candidates (targets, then policies) on places (logs, or segments of them). */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "cli/replay_args.h"
#include "cli/replay_plot.h"
#include "eval/ranking.h"

#define COMPARE_PLACES_MAX 256
#define COMPARE_SEGMENTS_MAX 100

struct compare_candidate {
	const char *name;
	const struct given_policy *policy; /* NULL: a target */
};

struct compare_place {
	const char *path;
	char name[160]; /* the path, and which segment */
	struct log_part part;
	uint32_t segment, segments; /* from 1; segments 1: the whole log */
	uint64_t rounds, used, refused;
	double logged; /* the log's own mean */
	/* of its holdout, where there is one */
	char holdout[256];
	uint32_t budget, spent;
	uint64_t queries;
};

struct compare_cell {
	struct ope_summary s;
	struct ope_result r;
	struct holdout_answer guard; /* with a holdout */
};

struct comparison {
	struct replay_args *given;
	struct estimator estimator;    /* of targets */
	struct learning_kind learning; /* of policies */
	uint32_t segments, budget;
	struct compare_candidate candidate[RANK_MAX];
	size_t n;
	struct compare_place *place;
	size_t places;
	struct compare_cell *cell; /* [place * n + candidate] */
	struct plot_data *data; /* [candidate], on the first place; NULL: no plots are asked for */
	struct ranking_cell *judged;
	struct ranking ranking;
};

/* The interval that a cell's answer has; learnt ones are normal. */
const char *compare_interval(const struct comparison *c, size_t candidate);

/* Fills all but what was given. Errors of the log, of the holdout, RC_MEMORY, RC_LIMIT. */
int compare_run(struct comparison *c, struct errinfo *err);
void compare_release(struct comparison *c);

void compare_print(const struct comparison *c);
json_t *compare_json(const struct comparison *c); /* NULL: out of memory */

#endif
