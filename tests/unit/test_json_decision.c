/* SPDX-License-Identifier: Apache-2.0 */
#include "json_rig.h"

#include "json/decision_json.h"

#define BODY                                                                                       \
	"{'id':'req-7731','subject':'u-9','groups':['f','18-24'],'context':{'hour':21},"           \
	"'eligible':['news','film'],'exclude':['sport'],'defer':false}"
#define PLAIN "{'policy':'uniform','arms':['news','sport','film'],'seed':42}"

static struct arena mem;

static void set_up(void)
{
	arena_init(&mem, 1 << 20);
}

static json_t *kept; /* texts are borrowed from it until the next one */

static int select_of(
    const char *body, const struct experiment *e, struct select_in *ret, struct errinfo *err)
{
	json_decref(kept);
	kept = parsed(body);
	return select_from_json(kept, e, false, &mem, ret, err);
}

START_TEST(every_member_of_a_decision_is_taken)
{
	struct experiment *e;
	struct select_in in;

	set_up();
	e = good_experiment(PLAIN, &mem);
	ck_assert_int_eq(select_of(BODY, e, &in, NULL), 0);
	ck_assert_str_eq(in.id, "req-7731");
	ck_assert_str_eq(in.subject, "u-9");
	ck_assert(in.ngroups == 2 && strcmp(in.groups[1], "18-24") == 0);
	ck_assert_str_eq(in.context, quoted("{'hour':21}"));
	ck_assert(in.has_eligible && in.neligible == 2 && in.nexclude == 1 && !in.defer);
	ck_assert(!in.x && in.dim == 0);
	ck_assert_int_eq(select_of("{}", e, &in, NULL), 0);
	ck_assert(!in.id && !in.has_eligible && !in.context);
	ck_assert_int_eq(select_of("{'eligible':[]}", e, &in, NULL), 0);
	ck_assert(in.has_eligible && in.neligible == 0);
	experiment_free(e);
}
END_TEST

START_TEST(a_vector_is_an_array_or_named_numbers)
{
	struct experiment *e;
	struct select_in in;

	set_up();
	e = good_experiment("{'policy':'uniform','arms':['a'],'context':['hour','age']}", &mem);
	ck_assert_int_eq(select_of("{'context':[21,0.5]}", e, &in, NULL), 0);
	ck_assert(in.dim == 2 && in.x[0] == 21 && in.x[1] == 0.5);
	ck_assert_int_eq(select_of("{'context':{'age':0.5,'hour':21}}", e, &in, NULL), 0);
	ck_assert(in.dim == 2 && in.x[0] == 21 && in.x[1] == 0.5);
	experiment_free(e);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
	static const struct {
		const char *body, *code, *pointer;
	} cases[] = {
	    {"[]", "wrong_type", ""},
	    {"{'ID':'a'}", "unknown_field", "/ID"},
	    {"{'id':null}", "wrong_type", "/id"},
	    {"{'id':'a b'}", "invalid_id", "/id"},
	    {"{'eligible':['a',1]}", "wrong_type", "/eligible/1"},
	    {"{'defer':1}", "wrong_type", "/defer"},
	    {"{'context':1}", "wrong_type", "/context"},
	    {"{'context':[1]}", "out_of_range", "/context"},
	    {"{'context':[1,2,3]}", "out_of_range", "/context"},
	    {"{'context':{'hour':1,'year':2}}", "missing_field", "/context/age"},
	    {"{'context':{'hour':'1','age':2}}", "wrong_type", "/context/hour"},
	    {"{'context':{'hour':9007199254740993,'age':2}}", "out_of_range", "/context/hour"},
	    {"{'context':[1,{'a/b':[9007199254740993]}]}", "out_of_range", "/context/1/a~1b/0"},
	};
	struct experiment *e;

	set_up();
	e = good_experiment("{'policy':'uniform','arms':['a'],'context':['hour','age']}", &mem);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errinfo err = {.rc = 0};
		struct select_in in;

		ck_assert_int_ne(select_of(cases[i].body, e, &in, &err), 0);
		assert_error(cases[i].body, &err, cases[i].code, cases[i].pointer);
	}
	experiment_free(e);
}
END_TEST

START_TEST(a_long_context_is_refused)
{
	char body[2 * CONTEXT_TEXT_MAX];
	struct errinfo err = {.rc = 0};
	struct experiment *e;
	struct select_in in;
	int n;

	set_up();
	e = good_experiment(PLAIN, &mem);
	n = snprintf(body, sizeof(body), "{'context':{'a':'%0*d'}}", CONTEXT_TEXT_MAX, 1);
	ck_assert_int_lt(n, (int)sizeof(body));
	ck_assert_int_eq(select_of(body, e, &in, &err), RC_LIMIT);
	assert_error("long", &err, "too_many", "/context");
	experiment_free(e);
}
END_TEST

static int reward_of(const char *body, struct reward_in *ret, struct errinfo *err)
{
	const char *decision = NULL;
	int rc;

	json_decref(kept);
	kept = parsed(body);
	rc = reward_from_json(kept, &mem, ret, &decision, err);
	ck_assert(rc || strcmp(decision, "d") == 0);
	return rc;
}

START_TEST(a_reward_is_a_number_about_a_decision)
{
	static const struct {
		const char *body, *code, *pointer;
	} cases[] = {
	    {"{'reward':1}", "missing_field", "/decision"},
	    {"{'decision':'d'}", "missing_field", "/reward"},
	    {"{'decision':'d','reward':null}", "wrong_type", "/reward"},
	    {"{'decision':'d','reward':'1'}", "wrong_type", "/reward"},
	    {"{'decision':'d','reward':9007199254740993}", "out_of_range", "/reward"},
	    {"{'decision':'d','reward':1,'key':7}", "wrong_type", "/key"},
	    {"{'decision':'d','rewards':{'a':1},'reward':1}", "unsupported_feedback", "/rewards"},
	    {"{'decision':'d','label':1,'reward':1}", "unsupported_feedback", "/label"},
	    {"{'decision':'d','rewards':{'a':null}}", "wrong_type", "/rewards/a"},
	    {"{'decision':'d','rewards':[1]}", "wrong_type", "/rewards"},
	    {"{'decision':'d','reward':1,'at':'now'}", "unknown_field", "/at"},
	};
	struct reward_in in;

	set_up();
	ck_assert_int_eq(reward_of("{'decision':'d','reward':-0.5,'key':'k'}", &in, NULL), 0);
	ck_assert(in.reward == -0.5);
	ck_assert_str_eq(in.key, "k");
	ck_assert_int_eq(reward_of("{'decision':'d','reward':9007199254740992}", &in, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errinfo err = {.rc = 0};

		ck_assert_int_eq(reward_of(cases[i].body, &in, &err), RC_INVALID);
		assert_error(cases[i].body, &err, cases[i].code, cases[i].pointer);
	}
}
END_TEST

/* The whole object, which must be JSON that is the same written again. */
static char *finished(struct buf *out)
{
	size_t n;
	char *text, *again;
	json_t *o;

	buf_put(out, "}", 2);
	ck_assert_int_eq(out->rc, 0);
	text = (char *)buf_take(out, &n);
	o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(o != NULL, "%s", text);
	again = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
	ck_assert_str_eq(text, again);
	free(again);
	json_decref(o);
	return text;
}

static char *rendered(const struct experiment *e, const struct event *ev)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	decision_write(e, ev, &out);
	return finished(&out);
}

START_TEST(an_answer_has_the_members_of_the_contract)
{
	struct experiment *e;
	struct event ev;
	char *text;

	set_up();
	e = good_experiment("{'policy':'uniform','arms':['a','b'],'seed':1,"
			    "'reward':{'window':'PT1H'}}",
	    &mem);
	ck_assert_int_eq(experiment_select(e,
			     &(struct select_in){.id = "req", .fingerprint = 7, .want_pmf = true},
			     RIG_AT, &mem, &ev, NULL),
	    0);
	text = rendered(e, &ev);
	ck_assert_str_eq(
	    text, quoted(ev.decision.picks[0].slot
			     ? "{'id':'req','experiment':'home','seq':2,'arm':'b','propensity':0.5,"
			       "'arms':[{'arm':'b','propensity':0.5}],'policy':'uniform',"
			       "'at':'2026-01-01T00:00:00.000000Z','expires_at':"
			       "'2026-01-01T01:00:00.000000Z','pmf':{'a':0.5,'b':0.5}}"
			     : "{'id':'req','experiment':'home','seq':2,'arm':'a','propensity':0.5,"
			       "'arms':[{'arm':'a','propensity':0.5}],'policy':'uniform',"
			       "'at':'2026-01-01T00:00:00.000000Z','expires_at':"
			       "'2026-01-01T01:00:00.000000Z','pmf':{'a':0.5,'b':0.5}}"));
	free(text);
	experiment_free(e);
}
END_TEST

/* What a client sent twice must read the same twice, whatever happened in between. */
START_TEST(a_stored_answer_is_the_same_bytes_again)
{
	struct experiment *e;
	struct event ev, again, other;
	struct buf bytes;
	char *first, *second;

	set_up();
	e = good_experiment(PLAIN, &mem);
	ck_assert_int_eq(
	    experiment_select(e, &(struct select_in){.defer = true}, RIG_AT + 1, &mem, &ev, NULL),
	    0);
	first = rendered(e, &ev);
	buf_init(&bytes, 1 << 16);
	event_encode(&ev, &bytes);
	ck_assert_int_eq(experiment_apply(e, &ev), 0);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(experiment_select(e, &(struct select_in){.id = "x"}, RIG_AT + 9,
				     &mem, &other, NULL),
		    0);
		ck_assert_int_eq(experiment_apply(e, &other), 0);
	}
	ck_assert_int_eq(event_decode(bytes.data, bytes.len, ev.seq, &mem, &again), 0);
	second = rendered(e, &again);
	ck_assert_str_eq(first, second);
	ck_assert_msg(strstr(first, quoted("'deferred':true")), "%s", first);
	free(first);
	free(second);
	buf_release(&bytes);
	experiment_free(e);
}
END_TEST

START_TEST(an_answer_to_a_reward_says_what_became_of_it)
{
	static const struct {
		enum feedback_status status;
		unsigned flags;
		const char *text;
	} cases[] = {
	    {FEEDBACK_LEARNT, 0, "{'decision':'d','status':'learnt'}"},
	    {FEEDBACK_RECORDED, FEEDBACK_IS_LATE,
		"{'decision':'d','status':'recorded','late':true}"},
	    {FEEDBACK_PENDING, FEEDBACK_CLIPPED,
		"{'decision':'d','status':'pending','clipped':true}"},
	    {FEEDBACK_LATE, FEEDBACK_IS_LATE, "{'decision':'d','status':'late','late':true}"},
	    {FEEDBACK_DUPLICATE, 0, "{'decision':'d','status':'duplicate'}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		char *text;

		buf_init(&out, 4096);
		reward_write(NULL, "d", cases[i].status,
		    &(struct event_feedback){.flags = cases[i].flags}, &out);
		text = finished(&out);
		ck_assert_str_eq(text, quoted(cases[i].text));
		free(text);
	}
}
END_TEST

static void try_select(const json_t *o, struct arena *m, struct errinfo *err, void *arg)
{
	struct experiment *e = arg;
	struct select_in in;
	struct event ev;

	if (select_from_json(o, e, true, m, &in, err) == 0 &&
	    experiment_select(e, &in, RIG_AT, m, &ev, err) == 0) {
		free(rendered(e, &ev));
	}
}

START_TEST(damaged_decisions_are_refused_or_sound)
{
	struct experiment *e;

	set_up();
	e = good_experiment(PLAIN, &mem);
	try_damaged(BODY, try_select, e);
	experiment_free(e);
	e = good_experiment("{'policy':'uniform','arms':['a'],'context':['hour','age']}", &mem);
	try_damaged("{'context':{'hour':21,'age':1e3}}", try_select, e);
	experiment_free(e);
}
END_TEST

static void try_reward(const json_t *o, struct arena *m, struct errinfo *err, void *arg)
{
	struct reward_in in;
	const char *decision;

	(void)arg;
	ck_assert_int_eq(reward_from_json(o, m, &in, &decision, err), err->rc);
}

START_TEST(damaged_rewards_are_refused_or_sound)
{
	try_damaged("{'decision':'req-7731','reward':1.25e0,'key':'click-88'}", try_reward, NULL);
}
END_TEST

RUN("json_decision", every_member_of_a_decision_is_taken, a_vector_is_an_array_or_named_numbers,
    what_is_wrong_is_named, a_long_context_is_refused, a_reward_is_a_number_about_a_decision,
    an_answer_has_the_members_of_the_contract, a_stored_answer_is_the_same_bytes_again,
    an_answer_to_a_reward_says_what_became_of_it, damaged_decisions_are_refused_or_sound,
    damaged_rewards_are_refused_or_sound)
