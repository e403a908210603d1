/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a policy and what it is told: plain structs, borrowed pointers. */
#ifndef CORE_ASK_H
#define CORE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Fixed for the life of a state. */
struct policy_env {
	const void *params; /* the struct that ops->params describes; kept valid by the caller */
	size_t dim;         /* entries of x; 0 unless POLICY_CONTEXTUAL */
	double lo, hi;      /* range of outcome.reward; lo < hi */
	uint32_t k;         /* arms wanted, as every ask will say; 0: not known, 1 */
	uint64_t seed;      /* pmf() and choose() draw from rng_at(seed, seq, RNG_POLICY) */
};

/* One question. Borrowed. */
struct ask {
	const uint32_t *slots; /* ascending, all active, n >= 1 */
	size_t n;
	bool all;            /* slots are exactly the active arms */
	const double *x;     /* dim entries, or NULL */
	uint64_t seq, at_us; /* of the decision that is about to be made; at never goes back */
	uint32_t k;          /* arms wanted: 1 unless POLICY_SLATE */
	const char *subject; /* NULL when absent */
	/* Indices of the decision's groups, each once, in the order they were named. Groups are
	 * numbered 0, 1, 2 ... in order of first appearance in the log; one that the state has not
	 * seen yet (it appears with this very decision) is numbered as it will be. */
	const uint32_t *groups;
	size_t ngroups;
};

/* The place of a slot in the ask, or ask->n. */
static inline size_t ask_place(const struct ask *ask, uint32_t slot)
{
	size_t lo = 0, hi = ask->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ask->slots[mid] < slot) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo < ask->n && ask->slots[lo] == slot ? lo : ask->n;
}

struct pick {
	uint32_t slot;
	double propensity; /* of the distribution it was drawn from, floor included */
};

/* The answer of choose(). */
struct choice {
	struct pick *picks; /* room for ask->k */
	size_t npicks;      /* <= ask->k; 0 is an answer for a slate, and for a forecast */
	double prediction;  /* POLICY_FORECAST */
	/* A decision made before that answers this question too, with nothing new to log; 0: none.
	 * Only what the state holds may say so. */
	uint64_t repeat;
	struct buf *memo; /* what pulled(), update() and lost() will need of it; empty at first */
};

/* A decision as it enters the state. */
struct pull {
	uint64_t seq, at_us;
	const struct pick *picks; /* of lost(): those that are lost */
	size_t npicks;
	const double *x;
	const char *subject;    /* NULL when absent, and in lost() */
	const uint32_t *groups; /* as in the ask */
	size_t ngroups;
	const void *memo; /* what choose() or note() wrote */
	size_t nmemo;
	double prediction;
	bool voided; /* in lost(): it never happened; else no reward came in time */
};

/* What a policy that plans shows of its plan. */
struct plan_view {
	uint64_t plans;      /* made so far; 0: none yet */
	double value, upper; /* of the tables it was made from, per period */
};

struct result {
	uint32_t slot;
	double reward; /* as in the outcome */
};

/* Feedback on one arm of one decision. */
struct outcome {
	uint64_t ref; /* seq of the decision */
	uint64_t at_us;
	uint32_t slot;     /* active or paused, never retired; of a forecast: SLOT_NONE */
	double reward;     /* in [lo, hi], larger is better: a cost comes negated, with its range;
			      a label is in [lo, hi] as it was sent */
	double propensity; /* as recorded when it was drawn, in (0, 1] */
	const double *x;
	bool revived; /* late: the decision had been given up by lost(), and is counted again */
	/* POLICY_FULL: every arm that could be drawn, ascending, retired ones left out. */
	const struct result *results;
	size_t nresults;
	const uint32_t *groups;
	size_t ngroups;
	const void *memo;
	size_t nmemo;
	double prediction; /* POLICY_FORECAST: what was answered */
};
#define SLOT_NONE UINT32_MAX
#define MEMO_MAX 65536 /* bytes of a memo */

#endif
