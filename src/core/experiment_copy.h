/* SPDX-License-Identifier: Apache-2.0 */
/* What a document shows of an experiment, copied at one moment: under its lock, so that the
 * document is made without it. Texts and lists lie in the caller's memory; RC_MEMORY. */
#ifndef CORE_EXPERIMENT_COPY_H
#define CORE_EXPERIMENT_COPY_H

#include "core/experiment.h"

struct arm_copy {
	const char *id, *label;
	enum arm_state state;
	struct arm_totals totals;
	struct arm_view view;
};

struct arms_copy {
	double lo, hi;      /* of a reward */
	uint64_t decisions; /* of all arms */
	struct arm_copy *arm;
	uint32_t n;
};

struct group_copy {
	const char *id;
	struct arm_totals totals;
};

struct stats_copy {
	const char *name;
	enum goal goal;
	struct totals totals;
	uint64_t rewards; /* of all arms, and their sum */
	double sum;
	struct arms_copy arms; /* the first of them */
	struct group_copy *group;
	uint32_t ngroups;
	struct history history; /* not to be released */
};

struct plan_arm {
	const char *id;
	uint32_t period, offset; /* period 0: not scheduled */
};

struct plan_copy {
	const char *name;
	bool planning;
	struct plan_view view;
	struct plan_arm *arm; /* without those that are retired */
	uint32_t n;
};

/* At most n arms from one slot on. */
int experiment_copy_arms(
    const struct experiment *e, uint32_t from, size_t n, struct arena *mem, struct arms_copy *ret);
int experiment_copy_stats(
    const struct experiment *e, size_t arms_max, struct arena *mem, struct stats_copy *ret);
/* Of a policy that shows its plan. */
int experiment_copy_plan(const struct experiment *e, struct arena *mem, struct plan_copy *ret);
/* One arm, with texts that are the experiment's. */
void experiment_view_arm(const struct experiment *e, uint32_t slot, struct arm_copy *ret);

#endif
