/* SPDX-License-Identifier: Apache-2.0 */
/* A log in memory, for tests of evaluation. */
#ifndef TESTS_UNIT_OPE_RIG_H
#define TESTS_UNIT_OPE_RIG_H

#include "eval/ope.h"

struct rig_log {
	struct round *rounds;
	size_t n, at, narms, npositions;
};

static const char *const rig_arms[] = {"a", "b", "c", "d"};
static const uint64_t rig_positions[] = {1, 2, 3};

static inline int rig_rewind(void *arg, struct errinfo *err)
{
	(void)err;
	((struct rig_log *)arg)->at = 0;
	return 0;
}

static inline int rig_next(void *arg, struct round *ret, struct errinfo *err)
{
	struct rig_log *l = arg;

	(void)err;
	if (l->at == l->n) {
		return 0;
	}
	*ret = l->rounds[l->at];
	ret->index = l->at++;
	return 1;
}

static inline void rig_names(void *arg, struct target_names *ret)
{
	struct rig_log *l = arg;

	*ret = (struct target_names){rig_arms, l->narms, rig_positions, l->npositions};
}

static inline struct ope_log rig_of(struct rig_log *l)
{
	return (struct ope_log){
	    .arg = l, .rewind = rig_rewind, .next = rig_next, .names = rig_names};
}

#endif
