/* SPDX-License-Identifier: Apache-2.0 */
/* `recovering` within an experiment: a life of slates whose rewards come late, in part, twice or
 * never, among arms and subjects that come and go, and what its log and its saved state give. */
#include <stdio.h>

#include "base/hash.h"
#include "core/experiment_plan.h"
#include "core/replay.h"
#include "policies/policies.h"
#include "test.h"

#define EVENTS_MAX 4000
#define ARMS_HERE 24
#define RECENT 32
#define BIG ((size_t)64 << 20)

struct life {
	struct experiment_spec spec;
	struct spec_arm arms[ARMS_HERE];
	char ids[ARMS_HERE][8];
	struct experiment *e;
	struct arena mem, old;
	struct buf log;
	size_t at[EVENTS_MAX + 2];
	struct pending pending[EVENTS_MAX + 2];
	uint64_t now_us, recent[RECENT];
	struct rng rng;
};

static struct life *born(const struct spec_param *params, size_t nparams)
{
	struct life *l = calloc(1, sizeof(*l));
	struct errinfo err = {.rc = 0};

	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(hash_init(), 0);
	for (size_t i = 0; i < ARMS_HERE; i++) {
		snprintf(l->ids[i], sizeof(l->ids[i]), "a%zu", i);
		l->arms[i] = (struct spec_arm){.id = l->ids[i], .label = ""};
	}
	l->spec = (struct experiment_spec){.name = "life",
	    .policy = "recovering",
	    .params = params,
	    .nparams = nparams,
	    .arms = l->arms,
	    .narms = 6,
	    .slots = 3,
	    .seed = 3,
	    .hi = 1,
	    .settings = {.window_us = 100, .label = "", .late = LATE_LEARN}};
	arena_init(&l->mem, BIG);
	arena_init(&l->old, BIG);
	buf_init(&l->log, BIG);
	l->rng = rng_at(1, nparams, RNG_TEST);
	l->now_us = 1000000;
	ck_assert_msg(experiment_new(&l->spec, &recovering_ops, 1, &l->e, &err) == 0, "%s: %s",
	    err.pointer, err.text);
	return l;
}

static void died(struct life *l)
{
	experiment_free(l->e);
	arena_release(&l->mem);
	arena_release(&l->old);
	buf_release(&l->log);
	free(l);
}

static void commit(struct life *l, const struct event *ev)
{
	ck_assert_uint_lt(ev->seq, EVENTS_MAX);
	l->at[ev->seq] = l->log.len;
	event_encode(ev, &l->log);
	l->at[ev->seq + 1] = l->log.len;
	ck_assert_int_eq(experiment_apply(l->e, ev), 0);
	if (ev->kind == EVENT_DECISION) {
		pending_start(&l->pending[ev->seq], &ev->decision);
	} else if (event_is_feedback(ev)) {
		pending_apply(&l->pending[ev->feedback.ref], ev);
	}
	arena_reset(&l->mem);
}

static struct event logged(struct life *l, uint64_t seq)
{
	struct event ev;

	arena_reset(&l->old);
	ck_assert_int_eq(
	    event_decode(l->log.data + l->at[seq], l->at[seq + 1] - l->at[seq], seq, &l->old, &ev),
	    0);
	return ev;
}

/* Another d_max, other arms per decision, or both. */
static void change_policy(struct life *l)
{
	struct spec_param p[] = {{.name = "d_max", .number = (double)(1 + rng_below(&l->rng, 9))},
	    {.name = "phase_min", .number = (double)rng_below(&l->rng, 5)}};
	struct settings s = *experiment_settings(l->e);
	struct errinfo err = {.rc = 0};
	struct event ev;
	int rc;

	s.slots = (uint32_t)rng_below(&l->rng, 4); /* 0: as before */
	s.params = p;
	s.nparams = rng_below(&l->rng, 3);
	rc = experiment_change(l->e, &s, l->now_us, &ev, &err);
	ck_assert_msg(rc == 0 || rc == RC_EXISTS, "%s: %s", err.pointer, err.text);
	if (rc == 0) {
		commit(l, &ev);
	}
}

/* A plan that was made for the slots of today has no more arms due than there are slots. */
static void check_fits(const struct life *l)
{
	uint32_t periods[ARMS_HERE], offsets[ARMS_HERE], due;
	struct experiment_spec spec;
	struct plan_view v;

	experiment_spec_of(l->e, &spec);
	experiment_plan_show(l->e, periods, offsets, &v);
	for (uint32_t t = 0; v.plans && t < 240; t++) {
		due = 0;
		for (uint32_t i = 0; i < experiment_arms(l->e)->n; i++) {
			due += periods[i] && t % periods[i] == offsets[i];
		}
		ck_assert_uint_le(due, spec.slots);
	}
}

/* A plan that is due, at once or begun now and brought later. */
static void plan(struct life *l)
{
	struct event ev;
	struct buf in, out;
	struct rd rd;

	if (!experiment_plan_due(l->e, l->now_us)) {
		check_fits(l);
		return;
	}
	if (rng_below(&l->rng, 2)) {
		ck_assert_int_eq(experiment_plan_now(l->e, l->now_us, &l->mem, &ev, NULL), 0);
		commit(l, &ev);
		return;
	}
	buf_init(&in, BIG);
	buf_init(&out, BIG);
	experiment_plan_input(l->e, &in);
	experiment_plan_begin(l->e, l->now_us, &ev);
	commit(l, &ev);
	if (rng_below(&l->rng, 2) && experiment_arms(l->e)->n < ARMS_HERE) {
		ck_assert_int_eq(experiment_add_arms(l->e, &l->arms[experiment_arms(l->e)->n], NULL,
				     1, l->now_us, &l->mem, &ev, NULL),
		    0);
		commit(l, &ev);
	}
	if (rng_below(&l->rng, 2)) {
		change_policy(l);
	}
	rd_init(&rd, in.data, in.len);
	ck_assert_int_eq(recovering_ops.plan_make(&rd, &out), 0);
	experiment_plan_done(l->e, l->now_us, out.data, out.len, &ev);
	commit(l, &ev);
	buf_release(&in);
	buf_release(&out);
}

static void decide(struct life *l, size_t i)
{
	static const char *const names[] = {"ann", "bob", "eve", "joe", "sue"};
	const char *no = l->ids[rng_below(&l->rng, 6)];
	struct select_in in = {.subject = names[rng_below(&l->rng, 5)], .exclude = &no};
	struct errinfo err = {.rc = 0};
	struct event ev;

	in.nexclude = rng_below(&l->rng, 8) == 0 && experiment_arms(l->e)->nactive > 1;
	ck_assert_msg(
	    experiment_select(l->e, &in, l->now_us, &l->mem, &ev, &err) == 0, "%s", err.text);
	if (ev.kind) {
		ck_assert_uint_le(ev.decision.npicks, 3);
		for (size_t k = 0; k < ev.decision.npicks; k++) {
			ck_assert(ev.decision.picks[k].propensity == 1);
			ck_assert(
			    k == 0 || ev.decision.picks[k].slot > ev.decision.picks[k - 1].slot);
		}
		l->recent[i % RECENT] = ev.seq;
		commit(l, &ev);
	}
}

/* One arm of the slate. */
static void reward(struct life *l, uint64_t ref)
{
	struct event d = logged(l, ref), ev;
	size_t n = d.decision.npicks;
	struct arm_reward r = {.reward = rng_uniform(&l->rng)};
	struct reward_in in = {.form = FORM_REWARDS, .rewards = &r, .nrewards = 1};
	enum feedback_status status;
	int rc;

	if (n == 0 || (l->pending[ref].flags & PENDING_VOID)) {
		return;
	}
	r.arm = l->ids[d.decision.picks[rng_below(&l->rng, n)].slot];
	rc = experiment_reward(
	    l->e, &d, &l->pending[ref], &in, l->now_us, &l->mem, &ev, &status, NULL);
	if (rc == 0 && ev.kind) {
		commit(l, &ev);
	}
}

static void end_one(struct life *l, uint64_t ref, bool expire)
{
	struct event d = logged(l, ref), ev;
	int rc;

	if (expire && d.decision.expires_us > l->now_us) {
		l->now_us = d.decision.expires_us;
	}
	rc = expire ? experiment_expire(l->e, &d, &l->pending[ref], l->now_us, &l->mem, &ev)
		    : experiment_void(l->e, &d, &l->pending[ref], l->now_us, &l->mem, &ev, NULL);
	if (rc == 0) {
		commit(l, &ev);
	}
}

static void change_arm(struct life *l)
{
	const struct arms *arms = experiment_arms(l->e);
	uint32_t slot = (uint32_t)rng_below(&l->rng, arms->n);
	enum arm_state to = (enum arm_state)rng_below(&l->rng, arms->n > 10 ? 3 : 2);
	struct event ev;

	if (arms->nactive > 2 || to == ARM_ACTIVE) {
		if (experiment_set_arm(l->e, slot, to, l->now_us, &l->mem, &ev, NULL) == 0) {
			commit(l, &ev);
		}
	}
}

static void live(struct life *l, int steps)
{
	for (int i = 0; i < steps; i++) {
		uint64_t ref;

		l->now_us += 1 + rng_below(&l->rng, 500000);
		plan(l);
		decide(l, (size_t)i);
		for (int k = 0; k < 3; k++) {
			ref = l->recent[rng_below(&l->rng, RECENT)];
			if (ref) {
				reward(l, ref);
			}
		}
		ref = l->recent[rng_below(&l->rng, RECENT)];
		if (ref && rng_below(&l->rng, 4) == 0) {
			end_one(l, ref, rng_below(&l->rng, 2));
		}
		if (rng_below(&l->rng, 25) == 0) {
			change_arm(l);
		}
		if (rng_below(&l->rng, 20) == 0) {
			change_policy(l);
		}
	}
}

static bool same(const struct experiment *a, const struct experiment *b)
{
	unsigned char x[16], y[16];

	ck_assert_int_eq(experiment_digest(a, x) | experiment_digest(b, y), 0);
	return memcmp(x, y, sizeof(x)) == 0;
}

static const double tables[] = {.2, .5, .9, .5, .6, .65, .3, .7, .8, .1, .2, .3};

/* Settings by number; how many of them there are. */
static size_t setting(size_t i, struct spec_param *ret)
{
	static const char *const names[] = {"clock", "scope", "fill"};
	static const char *const values[] = {"tick", "subject", "unplanned"};
	size_t n = 0;

	for (size_t bit = 0; bit < 3; bit++) {
		if (i >> bit & 1) {
			ret[n++] = (struct spec_param){.name = names[bit], .text = values[bit]};
		}
	}
	ret[n++] = (struct spec_param){.name = "tick_seconds", .number = .5};
	ret[n++] = (struct spec_param){.name = "d_max", .number = 5};
	ret[n++] = (struct spec_param){.name = "phase_min", .number = 3};
	if (i & 8) {
		ret[n++] = (struct spec_param){
		    .name = "tables", .list = {.v = tables, .n = 12, .width = 3}};
	}
	return n;
}

START_TEST(a_replay_and_a_derivation_agree)
{
	struct spec_param params[8];

	for (size_t i = 0; i < 16; i++) {
		struct life *l = born(params, setting(i, params));
		struct experiment *again;
		struct replay r;
		struct event ev = {.kind = EVENT_CREATE, .seq = 1, .at_us = 1};

		live(l, 250);
		ck_assert_int_eq(experiment_new(&l->spec, &recovering_ops, 1, &again, NULL), 0);
		replay_init(&r, &(struct replay_options){.find = policy_find, .derive = true});
		ev.create = l->spec;
		ck_assert_int_eq(replay_event(&r, &ev, NULL), 0);
		for (uint64_t seq = 2; seq <= experiment_seq(l->e); seq++) {
			ev = logged(l, seq);
			ck_assert_int_eq(experiment_apply(again, &ev), 0);
			ck_assert_msg(replay_event(&r, &ev, NULL) == 0, "%zu: event %d: %s", i,
			    (int)ev.kind, r.report.text);
		}
		ck_assert_msg(same(l->e, again) && same(l->e, r.e), "setting %zu", i);
		replay_release(&r);
		experiment_free(again);
		died(l);
	}
}
END_TEST

static int load(const unsigned char *p, size_t n, struct experiment **ret)
{
	struct rd in;

	rd_init(&in, p, n);
	return experiment_load(&in, policy_find, ret);
}

START_TEST(a_saved_state_goes_on_alike_and_damage_is_refused)
{
	struct spec_param params[8];
	struct buf saved, again;

	buf_init(&saved, BIG);
	buf_init(&again, BIG);
	for (size_t i = 0; i < 16; i++) {
		struct life *l = born(params, setting(i, params));
		struct experiment *loaded, *odd;
		uint64_t from;

		live(l, 60);
		buf_reset(&saved);
		experiment_save(l->e, &saved);
		ck_assert_int_eq(load(saved.data, saved.len, &loaded), 0);
		ck_assert(same(l->e, loaded));
		from = experiment_seq(l->e);
		live(l, 60);
		while (from < experiment_seq(l->e)) {
			struct event ev = logged(l, ++from);

			ck_assert_int_eq(experiment_apply(loaded, &ev), 0);
		}
		ck_assert(same(l->e, loaded));
		experiment_free(loaded);
		for (size_t n = 0; n < saved.len; n++) {
			ck_assert_int_ne(load(saved.data, n, &odd), 0);
		}
		for (int k = 0; k < 300; k++) {
			size_t at = rng_below(&l->rng, saved.len);
			unsigned char was = saved.data[at];

			saved.data[at] = (unsigned char)rng_u64(&l->rng);
			if (load(saved.data, saved.len, &odd) == 0) {
				buf_reset(&again);
				experiment_save(odd, &again);
				experiment_free(odd);
				ck_assert_msg(again.len == saved.len &&
						  memcmp(again.data, saved.data, saved.len) == 0,
				    "setting %zu, byte %zu of %zu: %d for %d", i, at, saved.len,
				    saved.data[at], was);
			}
			saved.data[at] = was;
		}
		died(l);
	}
	buf_release(&saved);
	buf_release(&again);
}
END_TEST

static int change_to(struct life *l, const char *name, double number, uint32_t slots,
    struct event *ret, struct errinfo *err)
{
	static struct spec_param p; /* the event borrows it */
	struct settings s = *experiment_settings(l->e);

	p = (struct spec_param){.name = name, .number = number};
	s.slots = slots;
	s.params = &p;
	s.nparams = name != NULL;
	return experiment_change(l->e, &s, l->now_us, ret, err);
}

START_TEST(only_what_may_change_is_changed)
{
	static const struct {
		const char *name;
		double number;
		uint32_t slots;
		int rc;
		const char *pointer;
	} cases[] = {
	    {"d_max", 0, 0, RC_INVALID, "/policy/params/d_max"},
	    {"d_max", 5000, 0, RC_INVALID, "/policy/params/d_max"},
	    {"d_max", 2.5, 0, RC_INVALID, "/policy/params/d_max"},
	    {"clock", 1, 0, RC_INVALID, "/policy/params/clock"},
	    {"depth", 1, 0, RC_INVALID, "/policy/params/depth"},
	    {NULL, 0, 1025, RC_INVALID, "/slots"},
	    {"d_max", 5, 3, RC_EXISTS, ""},
	    {"d_max", 5, 0, RC_EXISTS, ""},
	};
	struct spec_param params[8];
	struct life *l = born(params, setting(0, params));
	struct event ev;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errinfo err = {.rc = 0};

		ck_assert_int_eq(
		    change_to(l, cases[i].name, cases[i].number, cases[i].slots, &ev, &err),
		    cases[i].rc);
		ck_assert_str_eq(err.pointer, cases[i].pointer);
	}
	died(l);
}
END_TEST

static double observed(struct life *l, uint32_t slot)
{
	struct arm_view v;

	experiment_describe(l->e, slot, &v);
	return v.item[0].value;
}

/* Six arms, one to a period, each paid at once: what was seen of an arm never pulled before, which
 * counts as recovered, is in the last bucket. */
START_TEST(a_longer_recovery_drops_the_last_bucket_and_a_shorter_one_keeps_all)
{
	struct spec_param p[] = {{.name = "d_max", .number = 4}};
	struct life *l = born(p, 1);
	struct event ev;
	double before[6], sum = 0;

	live(l, 0);
	for (size_t i = 0; i < 40; i++) {
		plan(l);
		decide(l, i);
		for (int k = 0; k < 9; k++) {
			reward(l, l->recent[i % RECENT]);
		}
		l->now_us += 10;
	}
	for (uint32_t i = 0; i < 6; i++) {
		before[i] = observed(l, i);
		sum += before[i];
	}
	ck_assert_double_gt(sum, 40);
	ck_assert_int_eq(change_to(l, "d_max", 2, 0, &ev, NULL), 0);
	commit(l, &ev);
	ck_assert(experiment_plan_due(l->e, l->now_us));
	for (uint32_t i = 0; i < 6; i++) {
		ck_assert_double_eq(observed(l, i), before[i]);
	}
	ck_assert_int_eq(change_to(l, "d_max", 1, 0, &ev, NULL), 0);
	commit(l, &ev);
	ck_assert_int_eq(change_to(l, "d_max", 9, 0, &ev, NULL), 0);
	commit(l, &ev);
	for (uint32_t i = 0; i < 6; i++) {
		ck_assert_double_eq(observed(l, i), 0); /* one bucket had it all */
	}
	died(l);
}
END_TEST

RUN("recovering_life", a_replay_and_a_derivation_agree,
    a_saved_state_goes_on_alike_and_damage_is_refused, only_what_may_change_is_changed,
    a_longer_recovery_drops_the_last_bucket_and_a_shorter_one_keeps_all)
