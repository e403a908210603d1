/* SPDX-License-Identifier: Apache-2.0 */
/* King and deputy of a stream tested again, and the ratio that says when it is time. */
#include "stream_rig.h"

/* Saved and loaded again, at any point of it. */
static void reload(struct stream_rig *r)
{
	struct buf out;
	struct rd in;
	void *again;

	buf_init(&out, 1u << 16);
	streaming_ops.serialise(r->state, &out);
	rd_init(&in, out.data, out.len);
	ck_assert_int_eq(streaming_ops.deserialise(&r->env, &in, &again), 0);
	ck_assert_int_eq(in.rc, 0);
	streaming_ops.destroy(r->state);
	r->state = again;
	buf_release(&out);
}

static void test_with(struct stream_rig *r, char arm, int pulls, int ones)
{
	for (int i = 0; i < pulls; i++) {
		struct play p = expect(r, arm, 't');

		reload(r);
		reward(r, &p, i < ones);
	}
}

START_TEST(a_recheck_measures_king_and_deputy_anew)
{
	struct stream_rig r;

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 4);
	start(&r, 2);
	ck_assert(!streaming_ops.stream->recheck(r.state));
	test_with(&r, 'a', 4, 2);
	test_with(&r, 'b', 2, 2);
	ck_assert(streaming_ops.stream->recheck(r.state)); /* the test that runs goes on */
	ck_assert(streaming_ops.stream->recheck(r.state));
	test_with(&r, 'b', 2, 1);
	ck_assert_uint_eq(state(&r)->king, 1);
	ck_assert_double_eq(state(&r)->bench, 0.75);
	test_with(&r, 'b', 4, 1);
	add(&r, 1); /* waits */
	test_with(&r, 'a', 4, 2);
	ck_assert_uint_eq(state(&r)->king, 0);
	ck_assert_double_eq(state(&r)->bench, 0.5);
	ck_assert_uint_eq(state(&r)->deputy, 1);
	ck_assert_double_eq(state(&r)->deputy_bench, 0.25);
	test_with(&r, 'c', 4, 3);
	ck_assert_uint_eq(state(&r)->king, 2);
	ck_assert_uint_eq(state(&r)->dropped, 0);
	streaming_ops.destroy(r.state);
}
END_TEST

START_TEST(a_recheck_ends_when_its_arms_go_or_stay_silent)
{
	struct stream_rig r;
	struct play p;

	init(&r, STREAM_RACE);
	set(&r, "test_pulls", 4);
	set(&r, "m_min", 1);
	set(&r, "max_lost", 0);
	start(&r, 2);
	test_with(&r, 'a', 4, 2);
	test_with(&r, 'b', 4, 3);
	ck_assert(streaming_ops.stream->recheck(r.state));
	p = expect(&r, 'b', 't');
	lose(&r, &p, false);
	ck_assert_double_eq(state(&r)->bench, 0.75);
	expect(&r, 'b', 'k');
	ck_assert(streaming_ops.stream->recheck(r.state));
	test_with(&r, 'b', 4, 0); /* no checkpoint drops it */
	p = expect(&r, 'a', 't');
	streaming_ops.arm_set(r.state, 1, ARM_RETIRED);
	ck_assert_uint_eq(state(&r)->king, 0);
	ck_assert_double_eq(state(&r)->bench, 0.5);
	expect(&r, 'a', 'k');
	reward(&r, &p, 1);
	ck_assert_uint_eq(state(&r)->test.arm, STREAM_NONE);
	streaming_ops.destroy(r.state);
}
END_TEST

START_TEST(a_recheck_fills_the_budget_of_its_king_anew)
{
	struct stream_rig r;

	init(&r, STREAM_BUDGET);
	set(&r, "ratio", 64);
	start(&r, 1);
	test_with(&r, 'a', 5, 4);
	ck_assert(streaming_ops.stream->recheck(r.state));
	test_with(&r, 'a', 5, 2);
	ck_assert_double_eq_tol(state(&r)->bench, 0.4, 1e-12);
	ck_assert_double_eq_tol(state(&r)->phi, 4.8, 1e-12);
	streaming_ops.destroy(r.state);
}
END_TEST

static struct stream_view view(const struct stream_rig *r)
{
	struct stream_view v;

	streaming_ops.stream->show(r->state, &v);
	return v;
}

/* The next arm that was offered; the one whose ratio is not kept as logs of before have it. */
static void read_next(struct stream_rig *r, bool rated)
{
	uint32_t slot = (uint32_t)r->n;

	ck_assert_int_eq(streaming_ops.reserve(r->state, ++r->n), 0);
	r->slots[slot] = slot;
	streaming_ops.stream->queue(r->state, slot + 1, 0);
	streaming_ops.stream->read(r->state, slot, rated);
}

/* As reload(), and what is not saved is told again. */
static void reload_queue(struct stream_rig *r)
{
	reload(r);
	streaming_ops.stream->queue(r->state, r->n, 0);
}

static void test_next(struct stream_rig *r, char arm, int ones)
{
	for (int i = 0; i < 4; i++) {
		struct play p = expect(r, arm, 't');

		reload_queue(r);
		reward(r, &p, i < ones);
		reload_queue(r);
	}
}

/* (decisions + 1000) / (arms + 1) */
START_TEST(the_ratio_at_the_crowning_is_kept)
{
	struct stream_rig r;

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 4);
	start(&r, 0);
	read_next(&r, true);
	ck_assert_double_eq(view(&r).king_ratio, 0);
	test_next(&r, 'a', 2);
	ck_assert_double_eq(view(&r).king_ratio, 1004 / 2.0);
	read_next(&r, true);
	ck_assert_double_eq(view(&r).ratio, 1004 / 3.0);
	ck_assert_double_eq(view(&r).king_ratio, 1004 / 2.0);
	test_next(&r, 'b', 3);
	ck_assert_double_eq(view(&r).king_ratio, 1008 / 3.0);
	streaming_ops.arm_set(r.state, 1, ARM_RETIRED);
	ck_assert_double_eq(view(&r).king_ratio, 1004 / 2.0); /* of the deputy that returned */
	read_next(&r, false);
	test_next(&r, 'c', 4);
	ck_assert_uint_eq(view(&r).king, 2);
	ck_assert_double_eq(view(&r).king_ratio, 0);
	ck_assert(streaming_ops.stream->recheck(r.state));
	test_next(&r, 'c', 1);
	test_next(&r, 'a', 2);
	ck_assert_uint_eq(view(&r).king, 0);
	ck_assert_double_eq(view(&r).king_ratio, 1020 / 4.0);
	streaming_ops.destroy(r.state);
}
END_TEST

START_TEST(a_ratio_that_was_given_is_that_of_every_crowning)
{
	struct stream_rig r;

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 4);
	set(&r, "ratio", 64);
	start(&r, 1);
	ck_assert_double_eq(view(&r).king_ratio, 0);
	test_with(&r, 'a', 4, 2);
	ck_assert_double_eq(view(&r).king_ratio, 64);
	streaming_ops.destroy(r.state);
}
END_TEST

RUN("streaming_again", a_recheck_measures_king_and_deputy_anew,
    a_recheck_ends_when_its_arms_go_or_stay_silent, a_recheck_fills_the_budget_of_its_king_anew,
    the_ratio_at_the_crowning_is_kept, a_ratio_that_was_given_is_that_of_every_crowning)
