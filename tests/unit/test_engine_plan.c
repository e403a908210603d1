/* SPDX-License-Identifier: Apache-2.0 */
/* Long plans, made by a thread of their own: what becomes of one that fails. */
#include <stdatomic.h>

#include "base/clock.h"
#include "core/experiment_plan.h"
#include "policies/policies.h"
#include "serve/engine_impl.h"
#include "tests/unit/engine_rig.h"

/* A policy whose plans are always long, and fail as often as a test says. */
static struct policy_ops slow;
static atomic_int made, to_fail;

static double long_cost(const void *state)
{
	(void)state;
	return 2 * PLAN_AT_ONCE;
}

static int make_or_fail(struct rd *in, struct buf *out)
{
	atomic_fetch_add(&made, 1);
	return atomic_fetch_sub(&to_fail, 1) > 0 ? RC_MEMORY : recovering_ops.plan_make(in, out);
}

static const struct policy_ops *find_slow(const char *name)
{
	return strcmp(name, slow.name) == 0 ? &slow : NULL;
}

static void open_slow(struct engine_rig *r, int failures)
{
	struct experiment_spec spec = rig_spec("one");

	slow = recovering_ops;
	slow.plan_cost = long_cost;
	slow.plan_make = make_or_fail;
	to_fail = failures;
	rig_init(r, &store_memory);
	r->o.find = find_slow;
	rig_open(r);
	spec.policy = slow.name;
	ck_assert_int_eq(rig_create(r, &spec), 0);
	ck_assert_int_eq(engine_start(r->g), 0);
}

/* Waits until no plan is in the making; the moment before which none will be begun. */
static uint64_t after_plan(struct engine_rig *r)
{
	struct engine_item *it = rig_item(r, "one");
	uint64_t seq, after_us;

	do {
		usleep(1000);
		engine_lock(it);
		seq = it->plan_seq;
		after_us = it->plan_after_us;
		engine_unlock(it);
	} while (seq);
	return after_us;
}

static void set_after(struct engine_rig *r, uint64_t after_us)
{
	struct engine_item *it = rig_item(r, "one");

	engine_lock(it);
	it->plan_after_us = after_us;
	engine_unlock(it);
}

static bool is_planning(struct engine_rig *r)
{
	struct engine_item *it = rig_item(r, "one");
	bool planning = experiment_is_planning(engine_lock(it));

	engine_unlock(it);
	return planning;
}

START_TEST(a_plan_that_failed_is_begun_again_later_and_keeps_no_decision_waiting)
{
	struct engine_rig r;
	uint64_t now_us;

	open_slow(&r, 2);
	for (int failed = 1; failed <= 2; failed++) {
		ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, 0);
		now_us = clock_mono_us();
		ck_assert_uint_gt(after_plan(&r), now_us);
		ck_assert_int_eq(made, failed);
		ck_assert(is_planning(&r));
		set_after(&r, UINT64_MAX);
		for (int i = 0; i < 20; i++) {
			ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, 0);
			after_plan(&r);
		}
		ck_assert_int_eq(made, failed);
		set_after(&r, 0);
	}
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, 0);
	ck_assert_uint_eq(after_plan(&r), 0);
	ck_assert_int_eq(made, 3);
	ck_assert(!is_planning(&r));
	rig_release(&r);
}
END_TEST

START_TEST(a_plan_that_failed_before_a_stop_is_begun_after_it)
{
	struct engine_rig r;

	open_slow(&r, 1);
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, 0);
	after_plan(&r);
	rig_reopen(&r);
	ck_assert(is_planning(&r));
	ck_assert_int_eq(engine_start(r.g), 0);
	ck_assert_int_eq(rig_decide(&r, "one", NULL, false).rc, 0);
	after_plan(&r);
	ck_assert_int_eq(made, 2);
	ck_assert(!is_planning(&r));
	rig_release(&r);
}
END_TEST

RUN("engine_plan", a_plan_that_failed_is_begun_again_later_and_keeps_no_decision_waiting,
    a_plan_that_failed_before_a_stop_is_begun_after_it)
