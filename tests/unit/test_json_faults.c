/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation failing once: what is read is whole or refused as out of memory, what is written
 * is whole or NULL. Leaks show in a sanitizer build. */
#include "json_rig.h"

#include "json/decision_json.h"
#include "json/event_json.h"
#include "json/memory.h"
#include "json/stats_json.h"
#include "tests/unit/fault.h"

#define HOME                                                                                       \
	"{'policy':{'name':'epsilon_greedy','params':{'epsilon':0.1}},'seed':7,"                   \
	"'arms':['a',0.5,{'id':'c','label':'A name that makes buffers grow more than once, and "   \
	"again'}],'floor':0.1,'label':'x','context':['h','i'],"                                    \
	"'reward':{'window':'PT1H','default':0.1}}"
#define ASK                                                                                        \
	"{'id':'q','subject':'s','groups':['g'],'context':{'h':1,'i':2},'eligible':['a','c'],"     \
	"'exclude':['0.5']}"

static struct arena mem;
static struct experiment *e;

static void set_up(void)
{
	json_memory_init(); /* its malloc is ours, which fails on demand */
	arena_init(&mem, 1 << 24);
	e = good_experiment(HOME, &mem);
}

static void tear_down(void)
{
	experiment_free(e);
	arena_release(&mem);
}

typedef json_t *write_fn(const void *arg);

/* Equal to the whole, or NULL. */
static void assert_whole_or_null(write_fn *fn, const void *arg)
{
	json_t *whole = fn(arg);
	bool failed = true;

	ck_assert_ptr_nonnull(whole);
	for (uint64_t n = 1; failed; n++) {
		json_t *o;

		fault_malloc(n);
		o = fn(arg);
		failed = fault_malloc_happened();
		fault_malloc(0);
		ck_assert_msg(o ? json_equal(o, whole) : failed, "allocation %d", (int)n);
		json_decref(o);
	}
	json_decref(whole);
}

static json_t *write_experiment(const void *arg)
{
	return experiment_to_json(arg);
}

static json_t *write_stats(const void *arg)
{
	struct stats_copy s;
	struct arena own;
	json_t *o = NULL;

	arena_init(&own, 1 << 20);
	if (experiment_copy_stats(arg, 100, &own, &s) == 0) {
		o = stats_to_json(&s, 8);
	}
	arena_release(&own);
	return o;
}

static json_t *write_policies(const void *arg)
{
	(void)arg;
	return policies_to_json();
}

static json_t *write_event(const void *arg)
{
	return event_to_json(e, arg);
}

START_TEST(documents_are_whole_or_none)
{
	set_up();
	assert_whole_or_null(write_experiment, e);
	assert_whole_or_null(write_stats, e);
	assert_whole_or_null(write_policies, NULL);
	tear_down();
}
END_TEST

static struct event decide(void)
{
	json_t *o = parsed(ASK);
	struct select_in in;
	struct event ev;
	struct buf bytes;

	ck_assert_int_eq(select_from_json(o, e, true, &mem, &in, NULL), 0);
	ck_assert_int_eq(experiment_select(e, &in, RIG_AT, &mem, &ev, NULL), 0);
	buf_init(&bytes, 1 << 20);
	event_encode(&ev, &bytes);
	ck_assert_int_eq(event_decode(bytes.data, bytes.len, ev.seq, &mem, &ev), 0);
	buf_release(&bytes);
	json_decref(o);
	return ev;
}

static struct event create(json_t *o)
{
	struct event ev = {.kind = EVENT_CREATE, .seq = 1, .at_us = RIG_AT};
	bool has_seed;

	ck_assert_int_eq(spec_from_json(o, "home", &mem, &ev.create, &has_seed, NULL), 0);
	return ev;
}

START_TEST(lines_are_whole_or_none)
{
	static const struct arm_change changes[] = {
	    {.op = ARM_OP_ADD, .slot = 3, .id = "d", .label = "D"},
	    {.op = ARM_OP_ADD, .slot = 4, .id = "e", .label = "", .between = true, .right = 1},
	    {.op = ARM_OP_SET, .slot = 0, .state = ARM_PAUSED}};
	json_t *o = parsed(HOME);
	struct event ev;
	struct pending p;
	enum feedback_status status;
	struct event d;

	set_up();
	ev = create(o);
	assert_whole_or_null(write_event, &ev);
	d = decide();
	assert_whole_or_null(write_event, &d);
	ck_assert_int_eq(experiment_apply(e, &d), 0);
	pending_start(&p, &d.decision);
	ck_assert_int_eq(experiment_reward(e, &d, &p,
			     &(struct reward_in){.reward = 3, .key = "k", .fingerprint = 1}, RIG_AT,
			     &mem, &ev, &status, NULL),
	    0);
	assert_whole_or_null(write_event, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.kind = EVENT_ARM;
	ev.arm = (struct event_arm){changes, 3};
	assert_whole_or_null(write_event, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.kind = EVENT_CHANGE;
	ev.change = *experiment_settings(e);
	assert_whole_or_null(write_event, &ev);
	json_decref(o);
	tear_down();
}
END_TEST

typedef int read_fn(const json_t *o, struct arena *m, struct errinfo *err);

static uint64_t fingerprint_of(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	uint64_t h = bind_fingerprint(o);

	json_decref(o);
	return h;
}

/* Done, or refused as out of memory: never as if the body were wrong. Nothing of the test framework
 * runs while an allocation may fail: it allocates as well. */
static void assert_done_or_no_memory(const char *text, read_fn *fn)
{
	uint64_t sent = fingerprint_of(text);
	bool failed = true;

	for (uint64_t n = 1; failed; n++) {
		struct errinfo err = {.rc = 0};
		struct arena m;
		json_t *o = NULL;
		bool right;
		int rc;

		arena_init(&m, 1 << 24);
		fault_malloc(n);
		rc = json_parse(text, strlen(text), &o, &err);
		right = rc || bind_fingerprint(o) == sent;
		rc = rc ? rc : fn(o, &m, &err);
		failed = fault_malloc_happened();
		fault_malloc(0);
		ck_assert_msg(right, "allocation %d: something else was read", (int)n);
		ck_assert_msg(rc == (failed ? RC_MEMORY : 0) || rc == 0, "allocation %d: %s %s",
		    (int)n, err.code, err.text);
		ck_assert_int_eq(rc, err.rc);
		ck_assert_msg(rc == 0 || strcmp(err.code, "out_of_memory") == 0, "%s", err.code);
		json_decref(o);
		arena_release(&m);
	}
}

static int read_spec(const json_t *o, struct arena *m, struct errinfo *err)
{
	struct experiment_spec s;
	bool has_seed;
	int rc = spec_from_json(o, "home", m, &s, &has_seed, err);

	return rc || (s.narms == 3 && s.nparams == 1 && s.nfeatures == 2) ? rc : RC_CORRUPT;
}

static int read_select(const json_t *o, struct arena *m, struct errinfo *err)
{
	struct select_in in;
	int rc = select_from_json(o, e, false, m, &in, err);

	return rc || (in.neligible == 2 && in.dim == 2 && in.context) ? rc : RC_CORRUPT;
}

static int read_line(const json_t *o, struct arena *m, struct errinfo *err)
{
	struct event ev;

	return event_from_json(o, e, m, &ev, err);
}

START_TEST(bodies_are_taken_or_refused_for_memory)
{
	struct event d;
	char *line;
	json_t *o;

	set_up();
	assert_done_or_no_memory(quoted(HOME), read_spec);
	assert_done_or_no_memory(quoted(ASK), read_select);
	d = decide();
	o = event_to_json(e, &d);
	line = json_dumps(o, JSON_REAL_PRECISION(17));
	assert_done_or_no_memory(line, read_line);
	free(line);
	json_decref(o);
	tear_down();
}
END_TEST

RUN("json_faults", documents_are_whole_or_none, lines_are_whole_or_none,
    bodies_are_taken_or_refused_for_memory)
