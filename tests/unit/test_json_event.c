/* SPDX-License-Identifier: Apache-2.0 */
#include "json_rig.h"

#include "json/decision_json.h"
#include "json/event_json.h"

#define HOME                                                                                       \
	"{'policy':{'name':'epsilon_greedy','params':{'epsilon':0.1}},"                            \
	"'arms':['a',0.5,{'id':'c','label':'Ca \xc3\xa7'}],'floor':0.1,'seed':9007199254740992,"   \
	"'label':'x','context':['hour','age'],"                                                    \
	"'reward':{'lo':-1,'hi':1,'window':'PT1H','default':0.1}}"

static struct arena mem;

struct pair {
	struct experiment *from, *to; /* to is fed with what from wrote */
	uint64_t at_us;
	char *last; /* line */
};

static char *line_of(const struct experiment *e, const struct event *ev)
{
	json_t *o = event_to_json(e, ev);
	char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));

	ck_assert_ptr_nonnull(text);
	json_decref(o);
	return text;
}

/* Written, read again, and the same bytes both ways. */
static void carry(struct pair *p, const struct event *ev)
{
	struct errinfo err = {.rc = 0};
	struct buf a, b;
	struct event back;
	json_t *o;

	free(p->last);
	p->last = line_of(p->from, ev);
	ck_assert_int_eq(json_parse(p->last, strlen(p->last), &o, &err), 0);
	ck_assert_msg(event_from_json(o, p->to, &mem, &back, &err) == 0, "%s: %s %s", p->last,
	    err.pointer, err.text);
	json_decref(o);
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	event_encode(ev, &a);
	event_encode(&back, &b);
	ck_assert_uint_eq(back.seq, ev->seq);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_eq(a.data, b.data, a.len);
	buf_release(&a);
	buf_release(&b);
	if (ev->kind == EVENT_CREATE) {
		ck_assert_int_eq(experiment_new(&back.create, policy_find(back.create.policy),
				     back.at_us, &p->to, NULL),
		    0);
		return;
	}
	ck_assert_int_eq(experiment_apply(p->from, ev), 0);
	ck_assert_int_eq(experiment_apply(p->to, &back), 0);
}

static void begin_with(struct pair *p, const char *body)
{
	struct event ev = {.kind = EVENT_CREATE, .seq = 1, .at_us = RIG_AT};
	json_t *o = parsed(body);
	bool has_seed;

	*p = (struct pair){.at_us = RIG_AT};
	arena_init(&mem, 1 << 24);
	p->from = good_experiment(body, &mem);
	ck_assert_int_eq(spec_from_json(o, "home", &mem, &ev.create, &has_seed, NULL), 0);
	carry(p, &ev);
	json_decref(o);
}

static void begin(struct pair *p)
{
	begin_with(p, HOME);
}

static void end(struct pair *p)
{
	unsigned char a[16], b[16];

	ck_assert_int_eq(experiment_digest(p->from, a), 0);
	ck_assert_int_eq(experiment_digest(p->to, b), 0);
	ck_assert_mem_eq(a, b, sizeof(a));
	experiment_free(p->from);
	experiment_free(p->to);
	free(p->last);
	arena_release(&mem);
}

static struct event decide(struct pair *p, const char *body, bool want_pmf)
{
	json_t *o = parsed(body);
	struct select_in in;
	struct event ev;
	struct errinfo err = {.rc = 0};
	struct buf bytes;

	p->at_us += 1234567;
	ck_assert_msg(select_from_json(o, p->from, want_pmf, &mem, &in, &err) == 0, "%s", err.text);
	ck_assert_msg(
	    experiment_select(p->from, &in, p->at_us, &mem, &ev, &err) == 0, "%s", err.text);
	buf_init(&bytes, 1 << 20); /* so that texts live in mem, not in o */
	event_encode(&ev, &bytes);
	ck_assert_int_eq(event_decode(bytes.data, bytes.len, ev.seq, &mem, &ev), 0);
	buf_release(&bytes);
	json_decref(o);
	carry(p, &ev);
	return ev;
}

static struct event reward(
    struct pair *p, const struct event *d, struct pending *pending, double value, const char *key)
{
	enum feedback_status status;
	struct event ev;

	p->at_us += 10;
	ck_assert_int_eq(experiment_reward(p->from, d, pending,
			     &(struct reward_in){.reward = value, .key = key, .fingerprint = 77},
			     p->at_us, &mem, &ev, &status, NULL),
	    0);
	ck_assert_uint_ne(ev.kind, 0);
	pending_apply(pending, &ev);
	carry(p, &ev);
	return ev;
}

START_TEST(decisions_come_back_as_the_same_bytes)
{
	struct pair p;

	begin(&p);
	decide(&p, "{'context':[1,2]}", false);
	decide(&p, "{'context':[0.1,-0.0],'id':'mine'}", false);
	decide(
	    &p, "{'context':{'age':1e-300,'hour':1e300},'subject':'s','groups':['g','h']}", true);
	decide(&p, "{'context':[1,2],'eligible':['c','a']}", false);
	decide(&p, "{'context':[1,2],'exclude':['c']}", true);
	decide(&p, "{'context':[1,2],'defer':true}", false);
	end(&p);
}
END_TEST

START_TEST(feedback_comes_back_as_the_same_bytes)
{
	struct pair p;
	struct pending pending;
	struct event d, ev;

	begin(&p);
	d = decide(&p, "{'context':[1,2],'id':'one'}", false);
	pending_start(&pending, &d.decision);
	reward(&p, &d, &pending, 2.5, "k");
	ck_assert_msg(
	    strstr(p.last, quoted("'clipped':true,'x':[1.0,2.0],'key':'k'")), "%s", p.last);
	d = decide(&p, "{'context':[1,2],'defer':true}", false);
	pending_start(&pending, &d.decision);
	reward(&p, &d, &pending, 0.1, NULL);
	ck_assert_msg(strstr(p.last, quoted("'status':'pending','held':0.1")), "%s", p.last);
	ck_assert_int_eq(experiment_activate(p.from, &d, &pending, p.at_us, &mem, &ev, NULL), 0);
	pending_apply(&pending, &ev);
	carry(&p, &ev);
	d = decide(&p, "{'context':[1,2]}", false);
	pending_start(&pending, &d.decision);
	ck_assert_int_eq(experiment_void(p.from, &d, &pending, p.at_us, &mem, &ev, NULL), 0);
	carry(&p, &ev);
	ck_assert_msg(strstr(p.last, quoted("'closes':true,'lost':true")), "%s", p.last);
	d = decide(&p, "{'context':[1,2],'defer':true}", false);
	pending_start(&pending, &d.decision);
	p.at_us += UINT64_C(3600000000);
	ck_assert_int_eq(experiment_expire(p.from, &d, &pending, p.at_us, &mem, &ev), 0);
	pending_apply(&pending, &ev);
	carry(&p, &ev);
	reward(&p, &d, &pending, 1, NULL);
	ck_assert_msg(strstr(p.last, quoted("'status':'recorded','late':true")), "%s", p.last);
	end(&p);
}
END_TEST

START_TEST(changes_of_arms_and_settings_come_back_as_the_same_bytes)
{
	static const struct spec_arm more[] = {{"d", ""}, {"e", "E"}};
	struct settings s;
	struct pair p;
	struct event ev;

	begin(&p);
	ck_assert_int_eq(experiment_add_arms(p.from, more, NULL, 2, ++p.at_us, &mem, &ev, NULL), 0);
	carry(&p, &ev);
	ck_assert_int_eq(experiment_set_arm(p.from, 1, ARM_RETIRED, ++p.at_us, &mem, &ev, NULL), 0);
	carry(&p, &ev);
	ck_assert_int_eq(experiment_set_arm(p.from, 0, ARM_PAUSED, ++p.at_us, &mem, &ev, NULL), 0);
	carry(&p, &ev);
	s = *experiment_settings(p.from);
	s.floor = 0.3;
	s.label = "";
	s.window_us = 1;
	s.late = LATE_LEARN;
	s.has_fallback = false;
	ck_assert_int_eq(experiment_change(p.from, &s, ++p.at_us, &ev, NULL), 0);
	carry(&p, &ev);
	end(&p);
}
END_TEST

#define GRID                                                                                       \
	"{'policy':'tsallis_inf','arms':['1','2'],'seed':1,"                                       \
	"'reward':{'lo':0,'hi':9,'goal':'minimise'}}"

START_TEST(an_arm_between_others_comes_back_as_the_same_bytes)
{
	static const struct spec_arm more[] = {{"1.5", "half"}, {"3", ""}};
	static const struct between between[] = {{"2", "1"}, {NULL, NULL}};
	struct pair p;
	struct event ev;

	begin_with(&p, GRID);
	ck_assert_int_eq(
	    experiment_add_arms(p.from, more, between, 2, ++p.at_us, &mem, &ev, NULL), 0);
	carry(&p, &ev);
	ck_assert_msg(
	    strstr(p.last, quoted("{'op':'add','arm':'1.5','label':'half','between':['2','1']},"
				  "{'op':'add','arm':'3','label':''}")),
	    "%s", p.last);
	end(&p);
}
END_TEST

/* Reading an old line beside a state that has moved on, as GET .../events does. */
START_TEST(a_line_reads_the_same_with_a_later_state)
{
	static const struct spec_arm more[] = {{"d", ""}};
	struct pair p;
	struct event ev, back;
	json_t *o;

	begin(&p);
	ck_assert_int_eq(experiment_add_arms(p.from, more, NULL, 1, ++p.at_us, &mem, &ev, NULL), 0);
	carry(&p, &ev);
	o = json_loads(p.last, 0, NULL);
	ck_assert_int_eq(event_from_json(o, p.to, &mem, &back, NULL), 0);
	ck_assert_uint_eq(back.arm.changes[0].slot, 3);
	json_decref(o);
	end(&p);
}
END_TEST

START_TEST(what_is_wrong_in_a_line_is_named)
{
#define HEAD "'v':1,'experiment':'home','seq':2,'at':'2026-01-01T00:00:01Z',"
#define FEED HEAD "'kind':'reward','ref':1,'arm':'a','propensity':0.5,"
	static const struct {
		const char *line, *code, *pointer;
	} cases[] = {
	    {"{}", "out_of_range", "/kind"},
	    {"{" HEAD "'kind':'plan'}", "missing_field", "/op"},
	    {"{" HEAD "'kind':'create'}", "missing_field", "/floor"},
	    {"{" HEAD "'kind':'arm'}", "missing_field", "/changes"},
	    {"{" HEAD "'kind':'arm','changes':[{'op':'set','arm':'zz'}]}", "unknown_arm",
		"/changes/0"},
	    {"{" HEAD "'kind':'arm','changes':[{'op':'sell','arm':'a'}]}", "out_of_range",
		"/changes/0/op"},
	    {"{" HEAD "'kind':'arm','changes':[{'op':'add','arm':'d','between':['a']}]}",
		"out_of_range", "/changes/0"},
	    {"{" HEAD "'kind':'arm','changes':[{'op':'add','arm':'d','between':['a','zz']}]}",
		"unknown_arm", "/changes/0"},
	    {"{'v':2,'experiment':'home','seq':2,'at':'x','kind':'arm','changes':[]}",
		"out_of_range", "/v"},
	    {"{'v':1,'experiment':'home','seq':2,'at':'x','kind':'arm','changes':[]}",
		"out_of_range", "/at"},
	    {"{'v':1,'experiment':'away','seq':2,'at':'2026-01-01T00:00:01Z','kind':'arm',"
	     "'changes':[]}",
		"out_of_range", "/experiment"},
	    {"{" HEAD "'kind':'decision','decision':'d:2-00000000','expires_at':null,"
	     "'arms':[{'arm':'a','propensity':0.5}]}",
		"out_of_range", "/decision"},
	    {"{" HEAD "'kind':'decision','decision':'mine','expires_at':null,"
	     "'arms':[{'arm':'a','propensity':0.5}]}",
		"out_of_range", "/fingerprint"},
	    {"{" HEAD "'kind':'decision','decision':'mine','fingerprint':'0123456789abcdef',"
	     "'expires_at':null,'arms':[]}",
		"out_of_range", ""},
	    {"{" HEAD "'kind':'decision','decision':'mine','fingerprint':'0123456789abcdef',"
	     "'expires_at':null,'arms':[{'arm':'a','propensity':0}]}",
		"out_of_range", ""},
	    {"{" HEAD "'kind':'decision','decision':'mine','fingerprint':'0123456789abcdef',"
	     "'expires_at':null,'arms':[{'arm':'a','propensity':0.5}],'eligible':['c','a']}",
		"out_of_range", ""},
	    {"{" HEAD "'kind':'decision','decision':'mine','fingerprint':'0123456789abcdef',"
	     "'expires_at':null,'arms':[{'arm':'a','propensity':0.5}],'eligible':['a'],"
	     "'pmf':[0.5,0.5]}",
		"out_of_range", "/pmf"},
	    {"{" FEED "'decision':'mine','reward':1}", "missing_field", "/status"},
	    {"{" FEED "'decision':'mine','reward':1,'status':'pending'}", "out_of_range", "/held"},
	    {"{" FEED "'decision':'mine','reward':1,'status':'duplicate'}", "out_of_range", ""},
	    {"{" FEED "'decision':'mine','reward':1,'status':'learnt','key':'k'}", "out_of_range",
		"/fingerprint"},
	};
	struct pair p;

	begin(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errinfo err = {.rc = 0};
		struct event ev;
		json_t *o = parsed(cases[i].line);

		ck_assert_msg(
		    event_from_json(o, p.to, &mem, &ev, &err) == RC_INVALID, "%s", cases[i].line);
		assert_error(cases[i].line, &err, cases[i].code, cases[i].pointer);
		json_decref(o);
	}
	end(&p);
}
END_TEST

static void try_line(const json_t *o, struct arena *m, struct errinfo *err, void *arg)
{
	struct event ev;

	if (event_from_json(o, arg, m, &ev, err) == 0) {
		free(line_of(arg, &ev));
	}
}

START_TEST(damaged_lines_are_refused_or_sound)
{
	struct pair p;
	struct pending pending;
	struct event d;

	begin(&p);
	d = decide(
	    &p, "{'context':[0.5,2],'id':'q','subject':'s','groups':['g'],'eligible':['a']}", true);
	try_damaged(p.last, try_line, p.to);
	pending_start(&pending, &d.decision);
	reward(&p, &d, &pending, 0.25, "k");
	try_damaged(p.last, try_line, p.to);
	end(&p);
}
END_TEST

RUN("json_event", decisions_come_back_as_the_same_bytes, feedback_comes_back_as_the_same_bytes,
    changes_of_arms_and_settings_come_back_as_the_same_bytes,
    an_arm_between_others_comes_back_as_the_same_bytes, a_line_reads_the_same_with_a_later_state,
    what_is_wrong_in_a_line_is_named, damaged_lines_are_refused_or_sound)
