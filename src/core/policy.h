/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy is: a state that answers with a probability per arm and learns from outcomes.
 *
 * To add one: write policies/NAME.c with one `const struct policy_ops`, add its line to
 * policies/table.c and to policies/Makefile.inc, and its section to doc/policies.md. It is then
 * served, simulated, verified and tested (tests/unit/test_policies.c) by its being listed.
 *
 * Contract. A state is used by one thread at a time and does no I/O, reads no clock and draws only
 * from the generator it is given. Whatever enters the state or a probability uses + - * / sqrt and
 * base/num, so that a replay gives the same bytes on every machine. Only the hooks marked "changes"
 * change the state; they are called when an event is applied and cannot fail: memory was reserved
 * before. Arms are slots 0, 1, 2 ... in order of arrival; a slot is never used again. */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/param.h"
#include "base/rng.h"

enum arm_state { ARM_ACTIVE, ARM_PAUSED, ARM_RETIRED };

enum policy_flag {
	POLICY_CONTEXTUAL = 1,    /* reads x */
	POLICY_DETERMINISTIC = 2, /* propensities are 0 or 1, unless all arms wait for rewards or
				     the experiment has a floor */
};

/* Fixed for the life of a state. */
struct policy_env {
	const void *params; /* the struct that ops->params describes; kept valid by the caller */
	size_t dim;         /* entries of x; 0 unless POLICY_CONTEXTUAL */
	double lo, hi;      /* range of outcome.reward; lo < hi */
};

/* One question. Borrowed. */
struct ask {
	const uint32_t *slots; /* ascending, all active, n >= 1 */
	size_t n;
	bool all;        /* slots are exactly the active arms */
	const double *x; /* dim entries, or NULL */
};

/* A decision as it enters the state. */
struct pull {
	uint64_t seq;
	uint32_t slot;
	double propensity;
	const double *x;
};

/* Feedback on one arm of one decision. */
struct outcome {
	uint64_t ref;      /* seq of the decision */
	uint32_t slot;     /* active or paused, never retired */
	double reward;     /* in [lo, hi], larger is better: a cost comes negated, with its range */
	double propensity; /* as recorded when it was drawn, in (0, 1] */
	const double *x;
	bool revived; /* late: the decision had been given up by lost(), and is counted again */
};

/* What a policy shows of an arm; names are static, in the field's words. */
#define ARM_VIEW_MAX 6
struct arm_view {
	size_t n;
	struct {
		const char *name;
		double value;
	} item[ARM_VIEW_MAX];
};

/* All hooks are required unless marked optional. */
struct policy_ops {
	const char *name, *summary; /* as in the API and the manual */
	uint32_t version;           /* of the serialised form; raise it when that changes */
	unsigned flags;
	const struct param_desc *params; /* may be NULL together with params_size 0 */
	size_t params_size;
	/* Checks what single bounds cannot; optional. Pointers are relative: "/reward_hi". */
	int (*check)(const void *params, struct errinfo *err);

	/* Most bytes a state with so many slots ever takes. */
	size_t (*bound)(const void *params, size_t slots, size_t dim);
	int (*create)(const struct policy_env *env, void **ret_state);
	void (*destroy)(void *state);         /* NULL is fine */
	uint32_t (*slots)(const void *state); /* how many arms were ever added */
	/* Memory for `slots` slots in all, so that no later call needs any. RC_MEMORY: as before.
	 */
	int (*reserve)(void *state, size_t slots);

	void (*arm_add)(void *state, uint32_t slot); /* changes; the next slot, active */
	/* changes; what is learnt of this and the other arms stays */
	void (*arm_set)(void *state, uint32_t slot, enum arm_state to);

	/* ret_pmf[i] is the probability of ask->slots[i]; sums to 1. O(arms of the ask). */
	int (*pmf)(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf);
	/* Optional, both or neither, for many arms; called only when ask->all. draw() is equal in
	 * distribution to drawing from pmf(); prob() is pmf()'s entry of one slot. Sublinear. */
	int (*draw)(const void *state, const struct ask *ask, struct rng *rng, uint32_t *ret_slot,
	    double *ret_propensity);
	double (*prob)(const void *state, const struct ask *ask, uint32_t slot);

	void (*pulled)(
	    void *state, const struct pull *p); /* changes; optional: a decision was made */
	/* changes; optional: a decision was made void, or its window closed without a reward */
	void (*lost)(void *state, const struct pull *p);
	void (*update)(void *state, const struct outcome *o); /* changes */

	void (*serialise)(const void *state, struct buf *out);
	/* The inverse, bit for bit. RC_CORRUPT for anything serialise cannot have written. */
	int (*deserialise)(const struct policy_env *env, struct rd *in, void **ret_state);
	void (*describe)(const void *state, uint32_t slot, struct arm_view *ret); /* optional */
};

#endif
