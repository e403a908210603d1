/* SPDX-License-Identifier: Apache-2.0 */
/* The backlog of a stream as its events leave it: the oldest first and the newest, arms that are
 * withdrawn, and what no log can hold. */
#include "core/experiment_stream.h"
#include "experiment_rig.h"

#define SAVE_MAX ((size_t)1 << 20)

static const struct spec_arm offered[] = {{"p", ""}, {"q", ""}, {"r", ""}, {"s", ""}};

static void init(struct rig *r, bool stacked)
{
	struct spec_param params[] = {
	    {.name = "test_pulls", .number = 4}, {.name = "order", .text = "lifo"}};
	struct experiment_spec spec = spec_of("streaming");

	spec.narms = 0;
	spec.params = params;
	spec.nparams = stacked ? 2 : 1;
	rig_init(r, &spec);
}

static uint64_t offer(struct rig *r, size_t from, size_t n)
{
	struct event ev;

	ck_assert_int_eq(experiment_offer(r->e, offered + from, n, AT_US, &ev, NULL), 0);
	commit(r, &ev);
	return ev.seq;
}

static void check_status(
    struct rig *r, uint64_t waiting, uint64_t head, uint64_t top, uint64_t skipped)
{
	struct stream_status s;

	experiment_stream_status(r->e, &s);
	ck_assert_uint_eq(s.waiting, waiting);
	ck_assert_uint_eq(s.head, head);
	ck_assert_uint_eq(s.top, top);
	ck_assert_uint_eq(s.skipped, skipped);
}

static void read_at(struct rig *r, uint64_t position, uint64_t at)
{
	struct event ev;

	experiment_read(r->e, position, at, &offered[position], AT_US, &ev);
	commit(r, &ev);
}

static void pass(struct rig *r, uint64_t position, uint64_t at)
{
	struct event ev;

	experiment_pass(r->e, position, at, AT_US, &ev);
	commit(r, &ev);
}

static struct event withdrawal(struct rig *r, uint64_t position, uint64_t at)
{
	struct event ev;

	ck_assert_int_eq(
	    experiment_withdraw(r->e, position, at, offered[position].id, AT_US, &ev, NULL), 0);
	return ev;
}

static void withdraw(struct rig *r, uint64_t position, uint64_t at)
{
	struct event ev = withdrawal(r, position, at);

	commit(r, &ev);
}

static void refuse(struct rig *r, const struct event *ev)
{
	unsigned char before[16], after[16];

	ck_assert_int_eq(experiment_digest(r->e, before), 0);
	ck_assert_int_eq(experiment_apply(r->e, ev), RC_CORRUPT);
	ck_assert_int_eq(experiment_digest(r->e, after), 0);
	ck_assert_mem_eq(before, after, sizeof(before));
}

/* A snapshot is the state, and no shorter one is. */
static void check_saved(struct rig *r)
{
	unsigned char before[16], after[16];
	struct experiment *again;
	struct buf out;
	struct rd in;

	buf_init(&out, SAVE_MAX);
	experiment_save(r->e, &out);
	for (size_t n = 0; n < out.len; n++) {
		rd_init(&in, out.data, n);
		ck_assert_int_eq(experiment_load(&in, policy_find, &again), RC_CORRUPT);
	}
	rd_init(&in, out.data, out.len);
	ck_assert_int_eq(experiment_load(&in, policy_find, &again), 0);
	ck_assert_int_eq(experiment_digest(r->e, before), 0);
	ck_assert_int_eq(experiment_digest(again, after), 0);
	ck_assert_mem_eq(before, after, sizeof(before));
	experiment_free(again);
	buf_release(&out);
}

START_TEST(the_oldest_is_read_first_and_the_withdrawn_are_counted_once)
{
	struct rig r;
	uint64_t at;

	init(&r, false);
	at = offer(&r, 0, 4);
	withdraw(&r, 2, at);
	withdraw(&r, 1, at);
	check_status(&r, 2, 0, 0, 2);
	check_saved(&r);
	read_at(&r, 0, at);
	check_status(&r, 1, 1, 0, 2);
	pass(&r, 1, at);
	check_status(&r, 1, 2, 0, 2);
	ck_assert(experiment_is_withdrawn(r.e, 2));
	pass(&r, 3, at); /* with the one before it */
	check_status(&r, 0, 4, 0, 3);
	check_saved(&r);
	rig_release(&r);
}
END_TEST

START_TEST(of_a_stack_the_newest_is_read_first)
{
	struct rig r;
	uint64_t first, second;

	init(&r, true);
	first = offer(&r, 0, 2);
	read_at(&r, 1, first);
	check_status(&r, 1, 1, 1, 0);
	second = offer(&r, 2, 2);
	check_status(&r, 3, 1, 4, 0);
	withdraw(&r, 2, second);
	check_saved(&r);
	pass(&r, 3, second);
	check_status(&r, 1, 2, 3, 2);
	pass(&r, 2, second);
	check_status(&r, 1, 3, 2, 2);
	pass(&r, 0, first);
	check_status(&r, 0, 4, 0, 3);
	check_saved(&r);
	rig_release(&r);
}
END_TEST

START_TEST(a_stack_whose_arms_all_waited_too_long_is_empty)
{
	struct event ev;
	struct rig r;
	uint64_t at;

	init(&r, true);
	at = offer(&r, 0, 4);
	withdraw(&r, 1, at);
	experiment_skip(r.e, 3, at, AT_US, &ev);
	commit(&r, &ev);
	check_status(&r, 0, 4, 0, 4);
	experiment_skip(r.e, 3, at, AT_US, &ev);
	refuse(&r, &ev);
	check_saved(&r);
	rig_release(&r);
}
END_TEST

START_TEST(what_does_not_wait_is_not_withdrawn)
{
	struct event ev;
	struct rig r;
	uint64_t at;

	for (int stacked = 0; stacked < 2; stacked++) {
		init(&r, stacked);
		at = offer(&r, 0, 3);
		withdraw(&r, 1, at);
		ev = withdrawal(&r, 1, at);
		refuse(&r, &ev);
		ev = withdrawal(&r, 3, at);
		refuse(&r, &ev);
		ev = withdrawal(&r, 2, at + 1);
		refuse(&r, &ev);
		read_at(&r, stacked ? 2 : 0, at);
		ev = withdrawal(&r, stacked ? 2 : 0, at);
		refuse(&r, &ev);
		rig_release(&r);
	}
}
END_TEST

START_TEST(the_withdrawn_are_not_read_nor_passed_by)
{
	struct event ev;
	struct rig r;
	uint64_t at;

	init(&r, true);
	at = offer(&r, 0, 3);
	withdraw(&r, 2, at);
	experiment_read(r.e, 2, at, &offered[2], AT_US, &ev);
	refuse(&r, &ev);
	experiment_read(r.e, 1, at, &offered[1], AT_US, &ev);
	refuse(&r, &ev); /* the one above it has not left */
	pass(&r, 2, at);
	read_at(&r, 1, at);
	rig_release(&r);
}
END_TEST

START_TEST(an_offer_to_a_stack_says_what_waits_under_it)
{
	struct event ev;
	struct rig r;
	uint64_t at;

	init(&r, true);
	at = offer(&r, 0, 2);
	ck_assert_int_eq(experiment_offer(r.e, offered + 2, 2, AT_US, &ev, NULL), 0);
	ck_assert_uint_eq(ev.stream.below, 2);
	ck_assert_uint_eq(ev.stream.below_offer, at);
	ev.stream.below = 1;
	refuse(&r, &ev);
	ev.stream.below = 2;
	ev.stream.stacked = false;
	refuse(&r, &ev);
	rig_release(&r);
}
END_TEST

START_TEST(a_recheck_needs_a_king)
{
	struct event ev;
	struct rig r;

	init(&r, false);
	ck_assert_int_eq(experiment_recheck(r.e, AT_US, &ev, &r.err), RC_STATE);
	ev = (struct event){.kind = EVENT_STREAM, .seq = 2, .at_us = AT_US};
	ev.stream.op = STREAM_RECHECK;
	refuse(&r, &ev);
	rig_release(&r);
}
END_TEST

/* Its bytes are its own, and no shorter ones are. */
static void check_bytes(const struct event *ev)
{
	struct event back;
	struct arena mem;
	struct buf one, two;

	arena_init(&mem, 1 << 16);
	buf_init(&one, 1 << 12);
	buf_init(&two, 1 << 12);
	event_encode(ev, &one);
	for (size_t n = 0; n < one.len; n++) {
		ck_assert_int_eq(event_decode(one.data, n, ev->seq, &mem, &back), RC_CORRUPT);
	}
	ck_assert_int_eq(event_decode(one.data, one.len, ev->seq, &mem, &back), 0);
	event_encode(&back, &two);
	ck_assert_uint_eq(one.len, two.len);
	ck_assert_mem_eq(one.data, two.data, one.len);
	buf_release(&one);
	buf_release(&two);
	arena_release(&mem);
}

static struct event late_reward(struct rig *r, const struct event *d)
{
	struct pending p;
	struct event ev;
	enum feedback_status status;

	pending_start(&p, &d->decision);
	ck_assert_int_eq(experiment_reward(r->e, d, &p, &(struct reward_in){.reward = 1},
			     AT_US + 2 * WINDOW_US, &r->mem, &ev, &status, &r->err),
	    0);
	ck_assert(ev.feedback.flags & FEEDBACK_IS_LATE);
	return ev;
}

static uint64_t late_pulls(const struct rig *r)
{
	struct stream_status s;

	experiment_stream_status(r->e, &s);
	return s.late;
}

/* Of four pulls of a test and one that was not; what an older log has of it is not counted. */
START_TEST(late_rewards_of_a_test_are_counted)
{
	struct rig r;
	struct event d[5], ev;

	init(&r, false);
	read_at(&r, 0, offer(&r, 0, 1));
	for (int i = 0; i < 5; i++) {
		d[i] = decided(&r, &(struct select_in){.id = NULL}, AT_US);
	}
	ev = late_reward(&r, &d[4]);
	ck_assert(!ev.feedback.tested);
	ev.feedback.tested = true;
	refuse(&r, &ev);
	ev.feedback.tested = false;
	commit(&r, &ev);
	ev = late_reward(&r, &d[0]);
	ck_assert(ev.feedback.tested);
	ev.feedback.tested = false;
	commit(&r, &ev);
	ck_assert_uint_eq(late_pulls(&r), 0);
	check_saved(&r);
	for (int i = 1; i < 3; i++) {
		ev = late_reward(&r, &d[i]);
		check_bytes(&ev);
		commit(&r, &ev);
	}
	ck_assert_uint_eq(late_pulls(&r), 2);
	ck_assert_uint_eq(experiment_totals(r.e)->late, 4);
	check_saved(&r);
	withdraw(&r, 1, offer(&r, 1, 2));
	check_saved(&r);
	rig_release(&r);
}
END_TEST

START_TEST(every_event_of_a_stream_comes_back_from_its_bytes)
{
	const struct event_stream all[] = {
	    {.op = STREAM_OFFER, .before = 1, .remember = true, .arms = offered, .n = 2},
	    {.op = STREAM_OFFER,
		.before = 9,
		.arms = offered,
		.n = 2,
		.position = 7,
		.stacked = true,
		.below = 3,
		.below_offer = 8},
	    {.op = STREAM_READ, .position = 3, .offer = 8, .slot = 2, .id = "p", .label = "P"},
	    {.op = STREAM_READ, .position = 3, .offer = 8, .id = "p", .label = "", .rated = true},
	    {.op = STREAM_SKIP, .position = 300, .offer = 8},
	    {.op = STREAM_CLOSE},
	    {.op = STREAM_RECHECK},
	    {.op = STREAM_WITHDRAW, .position = 4, .offer = 8, .id = "q"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct event ev = {.kind = EVENT_STREAM, .seq = 12, .at_us = AT_US};

		ev.stream = all[i];
		check_bytes(&ev);
	}
}
END_TEST

START_TEST(so_many_are_withdrawn_and_no_more)
{
	enum { MOST = 65536 };
	static char names[MOST + 1][8];
	static struct spec_arm arms[MOST + 1];
	struct event ev;
	struct rig r;
	uint64_t at;

	init(&r, false);
	for (size_t i = 0; i <= MOST; i++) {
		snprintf(names[i], sizeof(names[i]), "w%zu", i);
		arms[i] = (struct spec_arm){names[i], ""};
	}
	ck_assert_int_eq(experiment_offer(r.e, arms, MOST + 1, AT_US, &ev, NULL), 0);
	commit(&r, &ev);
	at = ev.seq;
	for (uint64_t i = 0; i < MOST; i++) {
		ck_assert_int_eq(experiment_withdraw(r.e, i, at, names[i], AT_US, &ev, NULL), 0);
		commit(&r, &ev);
	}
	ck_assert_int_eq(
	    experiment_withdraw(r.e, MOST, at, names[MOST], AT_US, &ev, NULL), RC_LIMIT);
	rig_release(&r);
}
END_TEST

RUN("backlog", so_many_are_withdrawn_and_no_more,
    the_oldest_is_read_first_and_the_withdrawn_are_counted_once,
    of_a_stack_the_newest_is_read_first, a_stack_whose_arms_all_waited_too_long_is_empty,
    what_does_not_wait_is_not_withdrawn, the_withdrawn_are_not_read_nor_passed_by,
    an_offer_to_a_stack_says_what_waits_under_it, a_recheck_needs_a_king,
    late_rewards_of_a_test_are_counted, every_event_of_a_stream_comes_back_from_its_bytes)
