/* SPDX-License-Identifier: Apache-2.0 */
/* A log as the daemon would write it, in memory; then one thing in it is changed. */
#include "test.h"

#include <stdio.h>

#include "core/replay.h"
#include "needed.h"
#include "policies/policies.h"

#define EVENTS_MAX 2000
#define ROUNDS 200
#define START_US UINT64_C(1700000000000000)
#define STEP_US UINT64_C(1000000)
#define WINDOW_US (20 * STEP_US)
#define SEED 7

struct entry {
	unsigned char *bytes;
	size_t len;
};

struct log {
	const struct policy_ops *ops;
	struct entry entry[EVENTS_MAX]; /* entry[i] has seq i + 1 */
	size_t n;
	struct experiment *e;
	struct arena mem;
};

static struct log made;

static void encode(const struct event *ev, struct entry *ret)
{
	struct buf out;

	buf_init(&out, EVENT_BYTES_MAX);
	event_encode(ev, &out);
	ck_assert_int_eq(out.rc, 0);
	free(ret->bytes);
	ret->bytes = buf_take(&out, &ret->len);
}

static void decode(const struct log *l, uint64_t seq, struct arena *mem, struct event *ret)
{
	const struct entry *x = &l->entry[seq - 1];

	ck_assert_int_eq(event_decode(x->bytes, x->len, seq, mem, ret), 0);
}

static void append(struct log *l, const struct event *ev)
{
	ck_assert_uint_lt(l->n, EVENTS_MAX);
	ck_assert_uint_eq(ev->seq, l->n + 1);
	encode(ev, &l->entry[l->n++]);
	if (l->e) {
		ck_assert_int_eq(experiment_apply(l->e, ev), 0);
	}
}

/* The decision and the fold of what refers to it, from the log as it is. */
static int past(void *arg, uint64_t ref, uint64_t before, struct arena *mem, struct event *ret,
    struct pending *ret_pending, struct errinfo *err)
{
	const struct log *l = arg;

	(void)err;
	decode(l, ref, mem, ret);
	if (ret->kind != EVENT_DECISION) {
		return RC_NOT_FOUND;
	}
	pending_start(ret_pending, &ret->decision);
	for (uint64_t seq = ref + 1; seq < before; seq++) {
		struct event ev;

		decode(l, seq, mem, &ev);
		if (event_is_feedback(&ev) && ev.feedback.ref == ref) {
			pending_apply(ret_pending, &ev);
		}
	}
	return 0;
}

static void create(struct log *l, const char *policy)
{
	static const struct spec_arm arms[] = {{"news", ""}, {"sport", "Sport"}, {"film", ""}};
	const struct policy_ops *ops = policy_find(policy);
	struct event ev = {.kind = EVENT_CREATE, .seq = 1, .at_us = START_US};
	struct spec_param needed;

	l->ops = ops;
	ev.create = (struct experiment_spec){.name = "home",
	    .policy = policy,
	    .arms = arms,
	    .narms = 3,
	    .slots = 1,
	    .seed = SEED,
	    .hi = 1,
	    .params = &needed,
	    .nparams = policy_needs(ops, &needed),
	    .settings = {.floor = ops->pmf ? 0.05 : 0, .window_us = WINDOW_US, .label = ""}};
	append(l, &ev);
	ck_assert_int_eq(experiment_new(&ev.create, ops, START_US, &l->e, NULL), 0);
}

/* Round i decides in one of several ways; returns the seq. */
static uint64_t decide(struct log *l, int i, uint64_t at_us)
{
	static const char *const some[] = {"film", "news"};
	char id[16];
	struct select_in in = {.context = i % 2 ? "{\"hour\":21}" : NULL};
	struct event ev;

	snprintf(id, sizeof(id), "req-%d", i);
	if (i % 3 == 0) {
		in.id = id;
		in.fingerprint = (uint64_t)i + 1;
	}
	if (i % 5 == 1) {
		in.has_eligible = true;
		in.eligible = some;
		in.neligible = 2;
	} else if (i % 5 == 2) {
		in.exclude = some;
		in.nexclude = 1;
	}
	in.defer = i % 7 == 3;
	in.want_pmf = l->ops->pmf && i % 11 == 5;
	ck_assert_int_eq(experiment_select(l->e, &in, at_us, &l->mem, &ev, NULL), 0);
	append(l, &ev);
	return ev.seq;
}

/* What becomes of round i: void, activated and rewarded, rewarded late or nothing. */
static void settle(struct log *l, int i, uint64_t seq, uint64_t at_us)
{
	struct event d, ev;
	struct pending p;
	enum feedback_status status;
	char key[16];
	struct reward_in in = {.reward = i % 4 ? 0.25 * (i % 4) : 1.5};
	int rc;

	snprintf(key, sizeof(key), "click-%d", i);
	in.key = i % 3 ? key : NULL;
	in.fingerprint = i % 3 ? (uint64_t)i : 0;
	past(l, seq, l->n + 1, &l->mem, &d, &p, NULL);
	if (i % 8 == 6) {
		ck_assert_int_eq(experiment_void(l->e, &d, &p, at_us, &l->mem, &ev, NULL), 0);
		append(l, &ev);
		return;
	}
	if (i % 10 == 9) {
		at_us = d.decision.expires_us;
		ck_assert_int_eq(experiment_expire(l->e, &d, &p, at_us, &l->mem, &ev), 0);
		append(l, &ev);
		past(l, seq, l->n + 1, &l->mem, &d, &p, NULL);
	}
	rc = experiment_reward(l->e, &d, &p, &in, at_us, &l->mem, &ev, &status, NULL);
	ck_assert_int_eq(rc, 0);
	append(l, &ev);
	past(l, seq, l->n + 1, &l->mem, &d, &p, NULL);
	if (d.decision.flags & DECISION_DEFER && pending_is_open(&p)) {
		ck_assert_int_eq(experiment_activate(l->e, &d, &p, at_us, &l->mem, &ev, NULL), 0);
		append(l, &ev);
	}
}

static void add_arm(struct log *l, uint64_t at_us)
{
	struct event ev;

	ck_assert_int_eq(experiment_add_arms(l->e, &(struct spec_arm){"music", ""}, NULL, 1, at_us,
			     &l->mem, &ev, NULL),
	    0);
	append(l, &ev);
}

static struct log *make_log(const char *policy)
{
	struct log *l = &made;

	experiment_free(l->e);
	for (size_t i = 0; i < EVENTS_MAX; i++) {
		free(l->entry[i].bytes);
	}
	arena_release(&l->mem);
	memset(l, 0, sizeof(*l));
	arena_init(&l->mem, (size_t)16 << 20);
	create(l, policy);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at_us = START_US + (uint64_t)i * STEP_US;

		settle(l, i, decide(l, i, at_us), at_us + 1);
		if (i == ROUNDS / 2) {
			add_arm(l, at_us + 2);
		}
		arena_reset(&l->mem);
	}
	return l;
}

static int verify(struct log *l, bool derive, struct replay *r)
{
	const struct replay_options o = {
	    .find = policy_find, .derive = derive, .past = past, .past_arg = l};
	struct errinfo err = {.rc = 0};
	struct arena mem;
	struct event ev;
	int rc = 0;

	arena_init(&mem, (size_t)16 << 20);
	replay_init(r, &o);
	for (uint64_t seq = 1; rc == 0 && seq <= l->n; seq++) {
		arena_reset(&mem);
		decode(l, seq, &mem, &ev);
		rc = replay_event(r, &ev, &err);
	}
	arena_release(&mem);
	return rc;
}

static void assert_diverges(struct log *l, uint64_t seq, const char *word)
{
	struct replay r;

	ck_assert_int_eq(verify(l, true, &r), RC_CORRUPT);
	ck_assert_uint_eq(r.report.seq, seq);
	ck_assert_uint_eq(r.report.events, seq - 1);
	ck_assert_ptr_nonnull(strstr(r.report.text, word));
	replay_release(&r);
}

/* The first event of this kind (and flags, for feedback) from `from` on. */
static uint64_t find(struct log *l, enum event_kind kind, unsigned flags, uint64_t from)
{
	for (uint64_t seq = from; seq <= l->n; seq++) {
		struct event ev;
		unsigned has;

		decode(l, seq, &l->mem, &ev);
		has = ev.kind == EVENT_DECISION ? ev.decision.flags
		      : event_is_feedback(&ev)  ? ev.feedback.flags
						: 0;
		if (ev.kind == kind && (has & flags) == flags) {
			return seq;
		}
	}
	ck_abort_msg("no such event");
	return 0;
}

START_TEST(an_honest_log_verifies)
{
	for (size_t i = 0; policy_table[i]; i++) {
		struct log *l;
		unsigned char was[16], is[16];
		struct replay r;

		if (policy_table[i]->flags & (POLICY_CONTEXTUAL | POLICY_SLATE)) {
			continue;
		}
		l = make_log(policy_table[i]->name);
		ck_assert_int_eq(verify(l, true, &r), 0);
		ck_assert_uint_eq(r.report.events, l->n);
		ck_assert_uint_eq(r.report.decisions, ROUNDS);
		ck_assert_uint_eq(r.report.derived, l->n - 2); /* all but creation and arm */
		ck_assert_uint_eq(r.report.seq, 0);
		ck_assert_int_eq(experiment_digest(l->e, was), 0);
		ck_assert_int_eq(experiment_digest(r.e, is), 0);
		ck_assert_mem_eq(was, is, sizeof(was));
		replay_release(&r);
	}
}
END_TEST

START_TEST(a_fold_alone_derives_nothing)
{
	struct log *l = make_log("uniform");
	struct replay r;

	ck_assert_int_eq(verify(l, false, &r), 0);
	ck_assert_uint_eq(r.report.events, l->n);
	ck_assert_uint_eq(r.report.derived, 0);
	replay_release(&r);
}
END_TEST

START_TEST(a_changed_propensity_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_DECISION, 0, 100);
	struct event ev;

	decode(l, seq, &l->mem, &ev);
	((struct pick *)ev.decision.picks)[0].propensity *= 1 + 1e-15;
	encode(&ev, &l->entry[seq - 1]);
	assert_diverges(l, seq, "propensity");
}
END_TEST

START_TEST(a_changed_arm_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_DECISION, 0, 250);
	struct pick *pick;
	struct event ev;

	decode(l, seq, &l->mem, &ev);
	pick = (struct pick *)ev.decision.picks;
	pick->slot = pick->slot ? 0 : 1;
	encode(&ev, &l->entry[seq - 1]);
	assert_diverges(l, seq, "is drawn");
}
END_TEST

START_TEST(a_changed_distribution_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_DECISION, DECISION_PMF, 50);
	struct event ev;

	decode(l, seq, &l->mem, &ev);
	((double *)ev.decision.pmf)[0] += 1e-12;
	encode(&ev, &l->entry[seq - 1]);
	assert_diverges(l, seq, "distribution");
}
END_TEST

START_TEST(a_changed_eligible_arm_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_DECISION, DECISION_RESTRICTED, 50);
	struct event ev;

	decode(l, seq, &l->mem, &ev);
	ev.decision.nslots = 1;
	encode(&ev, &l->entry[seq - 1]);
	assert_diverges(l, seq, "");
}
END_TEST

/* What is learnt must follow from what was sent. */
START_TEST(a_changed_reward_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_REWARD, FEEDBACK_LEARN, 100);
	struct event ev;

	decode(l, seq, &l->mem, &ev);
	ev.feedback.learn = ev.feedback.learn > 0.5 ? 0 : 1;
	encode(&ev, &l->entry[seq - 1]);
	assert_diverges(l, seq, "learnt");
}
END_TEST

START_TEST(a_changed_status_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_REWARD, FEEDBACK_IS_LATE, 100);
	struct event ev;

	decode(l, seq, &l->mem, &ev);
	ck_assert_int_eq(ev.feedback.status, FEEDBACK_RECORDED);
	ev.feedback.status = FEEDBACK_LEARNT;
	ev.feedback.flags = FEEDBACK_LEARN;
	ev.feedback.learn = ev.feedback.reward > 1 ? 1 : ev.feedback.reward;
	encode(&ev, &l->entry[seq - 1]);
	assert_diverges(l, seq, "status");
}
END_TEST

START_TEST(feedback_on_another_decision_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_VOID, 0, 100);
	struct event ev;

	decode(l, seq, &l->mem, &ev);
	ev.feedback.ref = find(l, EVENT_VOID, 0, 1); /* no decision at all */
	encode(&ev, &l->entry[seq - 1]);
	assert_diverges(l, seq, "not a decision");
}
END_TEST

START_TEST(a_second_void_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t first = find(l, EVENT_VOID, 0, 20), second = find(l, EVENT_VOID, 0, first + 1);
	struct event a, b;

	decode(l, first, &l->mem, &a);
	decode(l, second, &l->mem, &b);
	a.seq = second;
	a.at_us = b.at_us;
	encode(&a, &l->entry[second - 1]);
	assert_diverges(l, second, "refused");
}
END_TEST

START_TEST(a_changed_order_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t reward = find(l, EVENT_REWARD, FEEDBACK_CLOSE, 120), seq;
	struct entry x = l->entry[reward - 1];
	struct event ev;

	decode(l, reward, &l->mem, &ev);
	seq = ev.feedback.ref;
	l->entry[reward - 1] = l->entry[seq - 1];
	l->entry[seq - 1] = x;
	assert_diverges(l, seq, "not before it");
}
END_TEST

START_TEST(a_missing_event_is_found)
{
	struct log *l = make_log("uniform");
	uint64_t seq = find(l, EVENT_ARM, 0, 1);

	free(l->entry[seq - 1].bytes);
	memmove(l->entry + seq - 1, l->entry + seq, (l->n - seq) * sizeof(*l->entry));
	l->entry[--l->n].bytes = NULL;
	/* Everything after it has moved up by one. */
	assert_diverges(l, seq, "");
}
END_TEST

START_TEST(a_log_begins_with_its_creation)
{
	struct log *l = make_log("uniform");
	struct replay r;
	struct event ev;

	replay_init(&r, &(struct replay_options){.find = policy_find});
	decode(l, 2, &l->mem, &ev);
	ck_assert_int_eq(replay_event(&r, &ev, NULL), RC_CORRUPT);
	ck_assert_uint_eq(r.report.seq, 2);
	replay_release(&r);
}
END_TEST

RUN("replay", an_honest_log_verifies, a_fold_alone_derives_nothing, a_changed_propensity_is_found,
    a_changed_arm_is_found, a_changed_distribution_is_found, a_changed_eligible_arm_is_found,
    a_changed_reward_is_found, a_changed_status_is_found, feedback_on_another_decision_is_found,
    a_second_void_is_found, a_changed_order_is_found, a_missing_event_is_found,
    a_log_begins_with_its_creation)
