/* SPDX-License-Identifier: Apache-2.0 */
/* Events as bytes: there and back for every kind and every part, and nothing that is cut short. */
#include "core/event.h"

#include "tests/unit/test.h"

static const double numbers[] = {0.5, -1e300, 5e-324};
static const uint32_t slots[] = {0, 7, 1048575};
static const double pmf[] = {0.25, 0.5, 0.25};
static const char *const names[] = {"first", "second"};
static const struct pick pick = {.slot = 7, .propensity = 0.5};

/* Encodes, decodes, encodes again: the same bytes. Every prefix is refused, as is one byte more. */
static void there_and_back(const struct event *ev)
{
	struct buf a, b;
	struct arena mem;
	struct event back;

	buf_init(&a, EVENT_BYTES_MAX);
	buf_init(&b, EVENT_BYTES_MAX);
	arena_init(&mem, 1 << 20);
	event_encode(ev, &a);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_int_eq(event_decode(a.data, a.len, ev->seq, &mem, &back), 0);
	event_encode(&back, &b);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_eq(a.data, b.data, a.len);
	ck_assert_int_eq(back.kind, ev->kind);
	ck_assert_uint_eq(back.seq, ev->seq);
	ck_assert_uint_eq(back.at_us, ev->at_us);
	for (size_t n = 0; n < a.len; n++) {
		unsigned char *exact = malloc(n ? n : 1); /* so that a reader beyond is seen */

		memcpy(exact, a.data, n);
		arena_reset(&mem);
		if (event_decode(exact, n, ev->seq, &mem, &back) != RC_CORRUPT) {
			ck_abort_msg("%zu of %zu bytes", n, a.len);
		}
		free(exact);
	}
	buf_put_u8(&a, 0);
	ck_assert_int_eq(event_decode(a.data, a.len, ev->seq, &mem, &back), RC_CORRUPT);
	a.data[0] = EVENT_VERSION + 1;
	ck_assert_int_eq(event_decode(a.data, a.len, ev->seq, &mem, &back), RC_VERSION);
	a.data[0] = 0;
	ck_assert_int_eq(event_decode(a.data, a.len - 1, ev->seq, &mem, &back), RC_CORRUPT);
	arena_release(&mem);
	buf_release(&a);
	buf_release(&b);
}

static struct event event_of(enum event_kind kind)
{
	struct event ev;

	memset(&ev, 0, sizeof(ev));
	ev.kind = kind;
	ev.seq = 5;
	ev.at_us = UINT64_C(1700000000000000);
	return ev;
}

START_TEST(decisions_come_back)
{
	for (unsigned i = 0; i < 512; i++) {
		struct event ev = event_of(EVENT_DECISION);
		struct event_decision *d = &ev.decision;

		d->flags = i & 7;
		d->picks = &pick;
		d->npicks = 1;
		d->id = i & 8 ? "mine" : NULL;
		d->fingerprint = i & 8 ? UINT64_MAX : 0;
		d->subject = i & 16 ? "user:1" : NULL;
		d->context = i & 32 ? "{\"age\":\"\\u00e9\"}" : NULL;
		d->x = i & 64 ? numbers : NULL;
		d->dim = i & 64 ? 3 : 0;
		d->groups = i & 128 ? names : NULL;
		d->ngroups = i & 128 ? 2 : 0;
		d->expires_us = i & 256 ? ev.at_us + 1 : 0;
		if (d->flags & (DECISION_RESTRICTED | DECISION_PMF)) {
			d->slots = slots;
			d->nslots = 3;
		}
		d->pmf = d->flags & DECISION_PMF ? pmf : NULL;
		there_and_back(&ev);
	}
}
END_TEST

START_TEST(feedback_comes_back)
{
	static const enum event_kind kinds[] = {
	    EVENT_REWARD, EVENT_EXPIRY, EVENT_ACTIVATE, EVENT_VOID};

	for (unsigned i = 0; i < 4 * 64 * 4 * 3; i++) {
		struct event ev = event_of(kinds[i % 4]);
		struct event_feedback *f = &ev.feedback;
		bool reward = ev.kind == EVENT_REWARD;

		f->ref = 4;
		f->pick = pick;
		f->flags = i / 4 % 64;
		f->id = i / 256 % 2 ? "mine" : NULL;
		f->x = i / 512 % 2 ? numbers : NULL;
		f->dim = i / 512 % 2 ? 3 : 0;
		if (reward) {
			f->status = (enum feedback_status)(i / 1024);
			f->reward = 0.75;
			f->key = i / 256 % 2 ? "k" : NULL;
			f->fingerprint = i / 256 % 2 ? 9 : 0;
		}
		f->learn = f->flags & FEEDBACK_LEARN ? 0.5 : 0;
		there_and_back(&ev);
		ck_assert(event_is_feedback(&ev));
	}
}
END_TEST

START_TEST(creations_and_changes_come_back)
{
	static const struct spec_arm arms[] = {{"a", ""}, {"b", "a label"}};
	static const struct spec_param params[] = {{.name = "rate", .number = 0.125},
	    {.name = "kind", .text = "linear"}, {.name = "list", .list = {.v = numbers, .n = 3}},
	    {.name = "rows", .list = {.v = numbers, .n = 2, .width = 1}}};
	static const struct arm_change changes[] = {
	    {.op = ARM_OP_ADD, .slot = 2, .id = "c", .label = ""},
	    {.op = ARM_OP_SET, .slot = 1, .state = ARM_RETIRED},
	    {.op = ARM_OP_ADD,
		.slot = 3,
		.id = "d",
		.label = "",
		.between = true,
		.left = 1,
		.right = 2}};

	for (unsigned i = 0; i < 64; i++) {
		struct event ev = event_of(EVENT_CREATE);
		struct settings s = {.floor = 0.125,
		    .window_us = i & 1 ? UINT64_MAX : 0,
		    .has_fallback = i & 2,
		    .fallback = i & 2 ? 0.5 : 0,
		    .late = (enum late_rule)(i % 3),
		    .aggregate = (enum aggregate)(i / 3 % 4),
		    .state = (enum run_state)(i / 5 % 3),
		    .label = i & 4 ? "a label" : ""};

		ev.create = (struct experiment_spec){.name = "e",
		    .policy = "uniform",
		    .params = params,
		    .nparams = i & 8 ? 4 : 0,
		    .arms = arms,
		    .narms = i & 16 ? 2 : 0,
		    .slots = 1,
		    .seed = UINT64_MAX,
		    .fingerprint = 1,
		    .lo = -1,
		    .hi = 1,
		    .goal = i & 32 ? GOAL_MINIMISE : GOAL_MAXIMISE,
		    .features = names,
		    .nfeatures = i & 32 ? 2 : 0,
		    .settings = s};
		there_and_back(&ev);
		ev = event_of(EVENT_CHANGE);
		ev.change = s;
		there_and_back(&ev);
		ev = event_of(EVENT_ARM);
		ev.arm = (struct event_arm){.changes = changes, .n = i % 4};
		there_and_back(&ev);
	}
}
END_TEST

START_TEST(without_memory_it_is_not_called_damaged)
{
	struct event ev = event_of(EVENT_DECISION), back;
	struct arena mem;
	struct buf a;

	ev.decision = (struct event_decision){.picks = &pick, .npicks = 1, .subject = "someone"};
	buf_init(&a, 1 << 10);
	event_encode(&ev, &a);
	arena_init(&mem, 8);
	ck_assert_int_eq(event_decode(a.data, a.len, 1, &mem, &back), RC_MEMORY);
	arena_release(&mem);
	buf_release(&a);
}
END_TEST

RUN("event", decisions_come_back, feedback_comes_back, creations_and_changes_come_back,
    without_memory_it_is_not_called_damaged)
