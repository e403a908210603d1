/* SPDX-License-Identifier: Apache-2.0 */
/* A ranking of candidates that were evaluated at several places (logs, or segments of them), and
 * whether to believe it. */
#ifndef EVAL_RANKING_H
#define EVAL_RANKING_H

#include "eval/holdout.h"
#include "eval/ope.h"
#include "eval/rank.h"

/* One candidate at one place. */
struct ranking_cell {
	double value, lo, hi;
	enum ope_verdict verdict;
	const char *why;
	bool guarded; /* lo and hi come of a holdout, whose slack is not chance */
	bool spent;   /* ... and there was no budget for them */
};

struct ranking {
	size_t n, places;
	double mean[RANK_MAX], lo[RANK_MAX],
	    hi[RANK_MAX];        /* over the places, each counting alike */
	double points[RANK_MAX]; /* Borda's */
	uint32_t by_mean[RANK_MAX], by_borda[RANK_MAX], by_kemeny[RANK_MAX];
	bool has_kemeny; /* of at most RANK_KEMENY_MAX */
	double distance; /* of Kemeny's order: pairs it disagrees with, over the places */
	/* [i]: is the interval of by_mean[i] above those of all that follow it? n - 1 of them. */
	bool separates[RANK_MAX];
	enum ope_verdict verdict;
	char why[400];
};

/* cell[place * n + candidate]; names of both for the words. n is at most RANK_MAX. RC_MEMORY. */
int ranking_make(const struct ranking_cell *cell, size_t places, size_t n,
    const char *const *place_names, const char *const *names, struct ranking *ret);

/* Where mean and rank aggregation disagree: the pair that by_mean has at i and k, i < k. */
struct ranking_conflict {
	bool borda, kemeny; /* which of them has it the other way round */
	double ahead;       /* places where k is ahead of i; ties are halves */
};
/* Is there one? Pairs with equal means are none. */
bool ranking_conflict(const struct ranking *r, const struct ranking_cell *cell, size_t i, size_t k,
    struct ranking_conflict *ret);

#endif
