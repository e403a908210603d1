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
 * before. Arms are slots 0, 1, 2 ... in order of arrival; a slot is never used again, unless the
 * policy has a stream. */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/param.h"
#include "base/rng.h"
#include "core/ask.h"
#include "core/stream.h"

enum arm_state { ARM_ACTIVE, ARM_PAUSED, ARM_RETIRED };

enum policy_flag {
	POLICY_CONTEXTUAL = 1,    /* reads x */
	POLICY_DETERMINISTIC = 2, /* propensities are 0 or 1, unless all arms wait for rewards or
				     the experiment has a floor */
	POLICY_SLATE = 4,         /* choose() answers with up to ask->k arms, each rewarded apart */
	POLICY_FORECAST = 8,      /* choose() answers with a prediction, and learns from a label */
	POLICY_FULL = 16,         /* learns from the rewards of all arms that could be drawn */
	POLICY_SUBJECT = 32,      /* every decision names a subject */
	POLICY_ARMLESS = 64,      /* works without arms */
	POLICY_ANY_SLATE = 128,   /* learns soundly from arms drawn one after another without
				     replacement, each with its propensity at its turn */
	POLICY_MEMORY = 256,      /* made for arms whose pay depends on the pulls before: a log of
				     others' pulls says nothing about it */
};

#define PLAN_AT_ONCE 2e6 /* basic steps: some milliseconds */

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
	/* What is sound but seldom meant, of a new experiment with so many arms: a static text, or
	 * NULL; optional. */
	const char *(*warn)(const void *params, size_t arms);

	/* Most bytes a state with so many slots ever takes. */
	size_t (*bound)(const void *params, size_t slots, size_t dim);
	int (*create)(const struct policy_env *env, void **ret_state);
	void (*destroy)(void *state);         /* NULL is fine */
	uint32_t (*slots)(const void *state); /* how many arms were ever added */
	/* Memory for `slots` slots in all, so that no later call needs any. RC_MEMORY, RC_LIMIT
	 * (more than the policy takes with these parameters): as before. */
	int (*reserve)(void *state, size_t slots);

	void (*arm_add)(void *state, uint32_t slot); /* changes; the next slot, active */
	/* changes; optional: the arm that was just added lies between two others, of which nothing
	 * is retired, and is thought to be like them */
	void (*arm_between)(void *state, uint32_t slot, uint32_t left, uint32_t right);
	/* changes; what is learnt of this and the other arms stays */
	void (*arm_set)(void *state, uint32_t slot, enum arm_state to);

	/* What flags say, when it depends on the parameters; optional. */
	unsigned (*traits)(const void *params);
	/* Entries of x, when it does not depend on the declared features alone; optional.
	 * RC_INVALID. */
	int (*dim)(const void *params, size_t nfeatures, size_t *ret, struct errinfo *err);
	/* Memory for `groups` groups in all, as reserve(); optional, for those who read groups. */
	int (*reserve_groups)(void *state, size_t groups);
	/* A group was removed: should it come again, it is as new. Optional, as the last. */
	void (*group_gone)(void *state, uint32_t group);
	/* Optional, both or neither. Parameters with PARAM_CHANGE, or the arms wanted, are about to
	 * be others: memory for it, as reserve(); then, changes: env->params has the new ones. */
	int (*reserve_change)(void *state, const void *params, uint32_t k);
	void (*change)(void *state, const void *params_before, uint32_t k);
	/* Memory for one more decision of this subject, as reserve(); optional. */
	int (*reserve_subject)(void *state, const char *subject);

	/* A policy has either pmf() or choose(), or both when some of its kinds forecast: these
	 * have choose() called, the others pmf().
	 * ret_pmf[i] is the probability of ask->slots[i]; sums to 1. O(arms of the ask). */
	int (*pmf)(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf);
	/* Optional, both or neither, for many arms; called only when ask->all. draw() is equal in
	 * distribution to drawing from pmf(); prob() is pmf()'s entry of one slot. Sublinear. */
	int (*draw)(const void *state, const struct ask *ask, struct rng *rng, uint32_t *ret_slot,
	    double *ret_propensity);
	double (*prob)(const void *state, const struct ask *ask, uint32_t slot);
	/* With pmf(), optional: after the draw, writes what the update will need beside the
	 * propensity. pmf is that of the policy, without floor. */
	void (*note)(const void *state, const struct ask *ask, const double *pmf, size_t i,
	    struct buf *memo);
	/* Instead of pmf(), for what is not one arm from a distribution over all. RC_INVALID with
	 * err set when the question cannot be answered (a missing subject, say). */
	int (*choose)(const void *state, const struct ask *ask, struct rng *rng, struct choice *ret,
	    struct errinfo *err);

	/* Work that is too long for a decision; optional, all six or none. When plan_due(), the
	 * engine takes plan_input(), makes an event that begins a plan (plan_begin: changes), and
	 * computes plan_make() of the input, a function of bytes, at once if plan_cost() is below
	 * PLAN_AT_ONCE, else in another thread; a later event brings the result (plan_apply:
	 * changes; RC_CORRUPT, nothing changed). Decisions meanwhile use the old plan. Between
	 * begin and apply plan_due() is not asked. One made at once is applied, then begun:
	 * applied. */
	bool (*plan_due)(const void *state, const struct ask *ask);
	double (*plan_cost)(const void *state); /* about: basic steps */
	void (*plan_input)(const void *state, struct buf *out);
	int (*plan_make)(struct rd *in, struct buf *out); /* RC_MEMORY, RC_CORRUPT */
	void (*plan_begin)(void *state, bool applied);
	int (*plan_apply)(void *state, struct rd *in);
	/* Optional. Per slot a period (0: not scheduled) and an offset; there is room for all. */
	void (*plan_show)(
	    const void *state, uint32_t *periods, uint32_t *offsets, struct plan_view *ret);

	void (*pulled)(
	    void *state, const struct pull *p); /* changes; optional: a decision was made */
	/* changes; optional: a decision was made void, or its window closed without a reward */
	void (*lost)(void *state, const struct pull *p);
	void (*update)(void *state, const struct outcome *o); /* changes */

	void (*serialise)(const void *state, struct buf *out);
	/* The inverse, bit for bit. RC_CORRUPT for anything serialise cannot have written. */
	int (*deserialise)(const struct policy_env *env, struct rd *in, void **ret_state);
	void (*describe)(const void *state, uint32_t slot, struct arm_view *ret); /* optional */
	const struct stream_ops *stream;                                          /* optional */
};

#endif
