/* SPDX-License-Identifier: Apache-2.0 */
/* An experiment without a log, for the tests of its rules. */
#ifndef TESTS_UNIT_EXPERIMENT_RIG_H
#define TESTS_UNIT_EXPERIMENT_RIG_H

#include "base/rng.h"
#include "core/experiment.h"
#include "policies/policies.h"
#include "tests/unit/test.h"
#include <stdio.h>

#define AT_US UINT64_C(1700000000000000)
#define SECOND_US UINT64_C(1000000)
#define WINDOW_US (60 * SECOND_US)

static const struct spec_arm three[] = {{"a", ""}, {"b", "the second"}, {"c", ""}};

static inline struct experiment_spec spec_of(const char *policy)
{
	return (struct experiment_spec){.name = "e",
	    .policy = policy,
	    .arms = three,
	    .narms = 3,
	    .slots = 1,
	    .seed = 3,
	    .hi = 1,
	    .settings = {.window_us = WINDOW_US, .label = ""}};
}

struct rig {
	struct experiment *e;
	struct arena mem;
	struct errinfo err;
};

static inline void rig_init(struct rig *r, const struct experiment_spec *spec)
{
	*r = (struct rig){.e = NULL};
	arena_init(&r->mem, (size_t)64 << 20);
	ck_assert_int_eq(experiment_new(spec, policy_find(spec->policy), AT_US, &r->e, &r->err), 0);
}

static inline void rig_release(struct rig *r)
{
	experiment_free(r->e);
	arena_release(&r->mem);
}

static inline void commit(struct rig *r, const struct event *ev)
{
	ck_assert_int_eq(experiment_reserve(r->e, ev), 0);
	ck_assert_int_eq(experiment_apply(r->e, ev), 0);
}

static inline struct event selected(struct rig *r, const struct select_in *in, uint64_t at_us)
{
	struct event ev;

	ck_assert_int_eq(experiment_select(r->e, in, at_us, &r->mem, &ev, &r->err), 0);
	return ev;
}

static inline struct event decided(struct rig *r, const struct select_in *in, uint64_t at_us)
{
	struct event ev = selected(r, in, at_us);

	commit(r, &ev);
	return ev;
}

static inline void set_arm(struct rig *r, uint32_t slot, enum arm_state to)
{
	struct event ev;

	ck_assert_int_eq(experiment_set_arm(r->e, slot, to, AT_US, &r->mem, &ev, &r->err), 0);
	commit(r, &ev);
}

/* ---- what becomes of a reward ---- */

#define ANY (-1)
/* What a reward meets. */

#endif
