/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that no request reaches by itself: offers on their way to the disk, events, memos. */
#include "serve/engine_stream.h"
#include "tests/unit/engine_rig.h"

#define FLYING 131072
#define PART 8192

static int offer(struct engine_rig *r, size_t from, size_t n)
{
	static char names[PART][16];
	static struct spec_arm arms[PART];
	static struct offer_answer answers[PART];
	struct engine_item *it = rig_item(r, "s");
	struct engine_offer o;
	struct arena mem;
	int rc;

	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "o%zu", from + i);
		arms[i] = (struct spec_arm){names[i], ""};
	}
	arena_init(&mem, (size_t)16 << 20);
	ck_assert_int_eq(engine_seek_offer(r->g, it, arms, n, &mem, &o, NULL), 0);
	engine_begin(&r->w, it);
	rc = engine_offer(&r->w, &o, r->now_us, &mem, answers, &r->err);
	engine_commit(&r->w);
	arena_release(&mem);
	return rc;
}

START_TEST(offers_on_their_way_are_counted)
{
	struct spec_param order = {.name = "order", .text = "fifo"};
	struct experiment_spec spec = rig_spec("s");
	struct engine_rig r;

	rig_init(&r, &store_memory);
	r.o.queue_bytes = (size_t)64 << 20;
	rig_open(&r);
	spec.policy = "streaming";
	spec.params = &order;
	spec.nparams = 1;
	ck_assert_int_eq(rig_create(&r, &spec), 0);
	rig_drain(&r);
	store_disk_hold(r.place.disk, true);
	for (size_t at = 0; at < FLYING; at += PART) {
		ck_assert_int_eq(offer(&r, at, PART), 0);
	}
	ck_assert_int_eq(offer(&r, FLYING, 1), RC_BUSY);
	store_disk_hold(r.place.disk, false);
	rig_drain(&r);
	ck_assert_int_eq(offer(&r, FLYING, 1), 0);
	rig_release(&r);
}
END_TEST

/* A plan of so many bytes comes back from its encoding. */
static int goes_round(size_t n, size_t *ret_len)
{
	unsigned char *bytes = calloc(1, n);
	struct event again,
	    ev = {.kind = EVENT_PLAN, .seq = 2, .at_us = 1, .plan = {PLAN_NOW, bytes, n}};
	struct arena mem;
	struct buf out;
	int rc;

	buf_init(&out, EVENT_BYTES_MAX);
	arena_init(&mem, (size_t)2 * EVENT_BYTES_MAX);
	event_encode(&ev, &out);
	rc = out.rc ? out.rc : event_decode(out.data, out.len, 2, &mem, &again);
	*ret_len = out.len;
	if (rc == 0) {
		ck_assert_uint_eq(again.plan.n, n);
	}
	arena_release(&mem);
	buf_release(&out);
	free(bytes);
	return rc;
}

START_TEST(an_event_has_a_length)
{
	size_t len, head;

	ck_assert_int_eq(goes_round(EVENT_BYTES_MAX - 100, &len), 0);
	head = len - (EVENT_BYTES_MAX - 100);
	ck_assert_int_eq(goes_round(EVENT_BYTES_MAX - head, &len), 0);
	ck_assert_uint_eq(len, EVENT_BYTES_MAX);
	ck_assert_int_eq(goes_round(EVENT_BYTES_MAX - head + 1, &len), RC_LIMIT);
}
END_TEST

static int with_memo(size_t n)
{
	unsigned char *bytes = calloc(1, n);
	struct pick pick = {0, 1};
	struct event again,
	    ev = {.kind = EVENT_DECISION,
		.seq = 2,
		.at_us = 1,
		.decision = {.picks = &pick, .npicks = 1, .memo = bytes, .nmemo = n}};
	struct arena mem;
	struct buf out;
	int rc;

	buf_init(&out, EVENT_BYTES_MAX);
	arena_init(&mem, EVENT_BYTES_MAX);
	event_encode(&ev, &out);
	rc = out.rc ? out.rc : event_decode(out.data, out.len, 2, &mem, &again);
	arena_release(&mem);
	buf_release(&out);
	free(bytes);
	return rc;
}

START_TEST(a_memo_has_a_length)
{
	ck_assert_int_eq(with_memo(MEMO_MAX), 0);
	ck_assert_int_eq(with_memo(MEMO_MAX + 1), RC_CORRUPT);
}
END_TEST

RUN("engine_limits", offers_on_their_way_are_counted, an_event_has_a_length, a_memo_has_a_length)
