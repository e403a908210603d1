/* SPDX-License-Identifier: Apache-2.0 */
#include "json_rig.h"

#include "json/stats_json.h"

#define HOME                                                                                       \
	"{'policy':{'name':'epsilon_greedy','params':{'epsilon':0.25}},"                           \
	"'arms':['news',0.5,1e15,{'id':'film','label':'Film of the day'}],"                        \
	"'slots':1,'floor':0.1,'seed':42,'label':'a b','context':['hour','age'],"                  \
	"'reward':{'lo':-2,'hi':3,'goal':'minimise','window':'PT24H','default':1.5,"               \
	"'late':'drop','aggregate':'max'}}"

START_TEST(every_member_of_a_body_is_taken)
{
	json_t *o = parsed(HOME);
	struct experiment_spec s;
	struct arena mem;
	bool has_seed = false;

	arena_init(&mem, 1 << 20);
	ck_assert_int_eq(spec_from_json(o, "home", &mem, &s, &has_seed, NULL), 0);
	ck_assert_str_eq(s.name, "home");
	ck_assert_str_eq(s.policy, "epsilon_greedy");
	ck_assert_str_eq(s.params[0].name, "epsilon");
	ck_assert(s.nparams == 1 && s.params[0].number == 0.25 && !s.params[0].text);
	ck_assert_uint_eq(s.narms, 4);
	ck_assert_str_eq(s.arms[1].id, "0.5");
	ck_assert_str_eq(s.arms[2].id, "1000000000000000");
	ck_assert_str_eq(s.arms[2].label, "");
	ck_assert_str_eq(s.arms[3].label, "Film of the day");
	ck_assert(s.slots == 1 && s.settings.floor == 0.1 && has_seed && s.seed == 42);
	ck_assert(s.lo == -2 && s.hi == 3 && s.goal == GOAL_MINIMISE);
	ck_assert_uint_eq(s.settings.window_us, 86400 * UINT64_C(1000000));
	ck_assert(s.settings.has_fallback && s.settings.fallback == 1.5);
	ck_assert(s.settings.late == LATE_DROP && s.settings.aggregate == AGGREGATE_MAX);
	ck_assert_str_eq(s.settings.label, "a b");
	ck_assert_uint_eq(s.nfeatures, 2);
	ck_assert_str_eq(s.features[1], "age");
	ck_assert_uint_ne(s.fingerprint, 0);
	arena_release(&mem);
	json_decref(o);
}
END_TEST

START_TEST(what_is_left_out_has_its_default)
{
	json_t *o = parsed("{'policy':'uniform'}");
	struct experiment_spec s;
	struct arena mem;
	bool has_seed = true;

	arena_init(&mem, 1 << 20);
	ck_assert_int_eq(spec_from_json(o, "home", &mem, &s, &has_seed, NULL), 0);
	ck_assert(!has_seed && s.narms == 0 && s.nparams == 0 && s.nfeatures == 0);
	ck_assert(s.slots == 1 && s.lo == 0 && s.hi == 1 && s.goal == GOAL_MAXIMISE);
	ck_assert(s.settings.floor == 0 && s.settings.window_us == 0 && !s.settings.has_fallback);
	ck_assert(s.settings.late == LATE_RECORD && s.settings.aggregate == AGGREGATE_FIRST);
	ck_assert(s.settings.state == RUN_RUNNING);
	ck_assert_str_eq(s.settings.label, "");
	arena_release(&mem);
	json_decref(o);
}
END_TEST

START_TEST(a_policy_has_a_short_form)
{
	struct experiment_spec s = {.name = NULL};
	struct arena mem;

	arena_init(&mem, 1 << 20);
	ck_assert_int_eq(
	    policy_from_text("p:growth=1.25,on=true,off=false,kind=x", &mem, &s, NULL), 0);
	ck_assert_str_eq(s.policy, "p");
	ck_assert_uint_eq(s.nparams, 4);
	ck_assert(s.params[0].number == 1.25 && s.params[1].number == 1 && s.params[2].number == 0);
	ck_assert(!s.params[1].text && !s.params[2].text);
	ck_assert_str_eq(s.params[3].text, "x");
	ck_assert_int_eq(policy_from_text("p:growth", &mem, &s, NULL), RC_INVALID);
	ck_assert_int_eq(policy_from_text("p:=1", &mem, &s, NULL), RC_INVALID);
	ck_assert_int_eq(policy_from_text("p:a=", &mem, &s, NULL), RC_INVALID);
	ck_assert_int_eq(policy_from_text("p:", &mem, &s, NULL), RC_INVALID);
	arena_release(&mem);
}
END_TEST

static const struct {
	const char *body, *code, *pointer;
} wrong[] = {
    {"[]", "wrong_type", ""},
    {"{}", "missing_field", "/policy"},
    {"{'policy':1}", "wrong_type", "/policy"},
    {"{'policy':{}}", "missing_field", "/policy/name"},
    {"{'policy':{'name':'uniform','parms':{}}}", "unknown_field", "/policy/parms"},
    {"{'policy':{'name':'epsilon_greedy','params':[]}}", "wrong_type", "/policy/params"},
    {"{'policy':{'name':'epsilon_greedy','params':{'growth':1}}}", "unknown_field",
	"/policy/params/growth"},
    {"{'policy':{'name':'epsilon_greedy','params':{'a/b':1}}}", "unknown_field",
	"/policy/params/a~1b"},
    {"{'policy':{'name':'epsilon_greedy','params':{'epsilon':2}}}", "out_of_range",
	"/policy/params/epsilon"},
    {"{'policy':{'name':'epsilon_greedy','params':{'epsilon':'much'}}}", "wrong_type",
	"/policy/params/epsilon"},
    {"{'policy':{'name':'epsilon_greedy','params':{'epsilon':[]}}}", "wrong_type",
	"/policy/params/epsilon"},
    {"{'policy':'epsilon_greedy:epsilon=2'}", "out_of_range", "/policy/params/epsilon"},
    {"{'policy':'uniform','arm':[]}", "unknown_field", "/arm"},
    {"{'policy':'uniform','arms':'a'}", "wrong_type", "/arms"},
    {"{'policy':'uniform','arms':['a',true]}", "wrong_type", "/arms/1"},
    {"{'policy':'uniform','arms':['a','b c']}", "invalid_id", "/arms/1"},
    {"{'policy':'uniform','arms':['a','a']}", "arm_exists", "/arms/1"},
    {"{'policy':'uniform','arms':[10,'10']}", "arm_exists", "/arms/1"},
    {"{'policy':'uniform','arms':[1e3,'1000']}", "arm_exists", "/arms/1"},
    {"{'policy':'uniform','arms':[-0.0,0]}", "arm_exists", "/arms/1"},
    {"{'policy':'uniform','arms':[1e30]}", "invalid_id", "/arms/0"},
    {"{'policy':'uniform','arms':[9007199254740993]}", "out_of_range", "/arms/0"},
    {"{'policy':'uniform','arms':[{'label':'x'}]}", "missing_field", "/arms/0/id"},
    {"{'policy':'uniform','arms':[{'id':'a','x':1}]}", "unknown_field", "/arms/0/x"},
    {"{'policy':'uniform','slots':0}", "out_of_range", "/slots"},
    {"{'policy':'uniform','slots':1.5}", "wrong_type", "/slots"},
    {"{'policy':'ucb1','slots':2}", "not_supported", "/slots"},
    {"{'policy':'uniform','floor':1}", "out_of_range", "/floor"},
    {"{'policy':'uniform','floor':-0.1}", "out_of_range", "/floor"},
    {"{'policy':'uniform','seed':-1}", "out_of_range", "/seed"},
    {"{'policy':'uniform','seed':1.5}", "wrong_type", "/seed"},
    {"{'policy':'uniform','seed':9007199254740993}", "out_of_range", "/seed"},
    {"{'policy':'uniform','context':['a','a b']}", "invalid_id", "/context/1"},
    {"{'policy':'uniform','context':['a','b','a']}", "out_of_range", "/context/2"},
    {"{'policy':'uniform','reward':{'lo':1}}", "out_of_range", "/reward/lo"},
    {"{'policy':'uniform','reward':{'low':1}}", "unknown_field", "/reward/low"},
    {"{'policy':'uniform','reward':{'goal':'max'}}", "out_of_range", "/reward/goal"},
    {"{'policy':'uniform','reward':{'window':'1 day'}}", "out_of_range", "/reward/window"},
    {"{'policy':'uniform','reward':{'window':'PT0S'}}", "out_of_range", "/reward/window"},
    {"{'policy':'uniform','reward':{'window':60}}", "wrong_type", "/reward/window"},
    {"{'policy':'uniform','reward':{'default':'1'}}", "wrong_type", "/reward/default"},
    {"{'policy':'uniform','reward':{'default':1}}", "out_of_range", "/reward/default"},
    {"{'policy':'uniform','reward':{'window':'PT1H','default':2}}", "out_of_range",
	"/reward/default"},
    {"{'policy':'uniform','reward':{'aggregate':'sum'}}", "out_of_range", "/reward/aggregate"},
};

START_TEST(what_is_wrong_is_named)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct errinfo err = {.rc = 0};
		struct arena mem;

		arena_init(&mem, 1 << 20);
		ck_assert_msg(!experiment_of(wrong[i].body, &mem, &err), "%s", wrong[i].body);
		assert_error(wrong[i].body, &err, wrong[i].code, wrong[i].pointer);
		arena_release(&mem);
	}
}
END_TEST

/* The members of a that both have, as b has them. */
static void assert_same(const json_t *a, const json_t *b, const char *name)
{
	json_t *x = json_object_get(a, name), *y = json_object_get(b, name);

	ck_assert_msg(json_equal(x, y), "%s: %s and %s", name,
	    json_dumps(x, JSON_ENCODE_ANY | JSON_COMPACT),
	    json_dumps(y, JSON_ENCODE_ANY | JSON_COMPACT));
}

START_TEST(an_experiment_reads_as_it_was_put)
{
	static const char *const same[] = {"floor", "seed", "label", "slots", "context"};
	struct stats_copy stats;
	struct arena mem;
	struct experiment *e;
	json_t *o, *put = parsed(HOME);
	json_t *reward;

	arena_init(&mem, 1 << 20);
	e = good_experiment(HOME, &mem);
	o = experiment_to_json(e);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_same(put, o, same[i]);
	}
	reward = json_object_get(o, "reward");
	ck_assert(json_number_value(json_object_get(reward, "lo")) == -2);
	ck_assert_str_eq(json_string_value(json_object_get(reward, "window")), "PT24H");
	ck_assert_str_eq(json_string_value(json_object_get(reward, "goal")), "minimise");
	ck_assert_str_eq(json_string_value(json_object_get(reward, "aggregate")), "max");
	ck_assert_int_eq(json_integer_value(json_object_get(o, "arms")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "revision")), 1);
	ck_assert_str_eq(
	    json_string_value(json_object_get(o, "created_at")), "2026-01-01T00:00:00.000000Z");
	json_decref(o);
	ck_assert_int_eq(experiment_copy_stats(e, 10, &mem, &stats), 0);
	o = stats_to_json(&stats, 10);
	ck_assert_ptr_nonnull(o);
	ck_assert_int_eq(json_array_size(json_object_get(o, "arms")), 4);
	json_decref(o);
	json_decref(put);
	experiment_free(e);
	arena_release(&mem);
}
END_TEST

/* The interval of an arm whose rewards add up to this. */
static void interval_of(struct experiment *e, struct arm_totals t, double *ret_lo, double *ret_hi)
{
	json_t *o;

	((struct arms *)experiment_arms(e))->totals[0] = t;
	o = arm_to_json(e, 0);
	*ret_lo = json_real_value(json_object_get(o, "lo"));
	*ret_hi = json_real_value(json_object_get(o, "hi"));
	json_decref(o);
}

START_TEST(an_interval_is_never_empty_and_holds_its_mean)
{
	struct arena mem;
	struct experiment *e;
	double lo, hi;

	arena_init(&mem, 1 << 20);
	e = good_experiment("{'policy':{'name':'uniform'},'arms':['a','b'],"
			    "'reward':{'lo':-2,'hi':2}}",
	    &mem);
	interval_of(e, (struct arm_totals){.rewards = 0}, &lo, &hi);
	ck_assert(lo == -2 && hi == 2);
	/* nine of the lowest and of the highest: as Wilson for 0 and 9 of 9 */
	interval_of(e, (struct arm_totals){.rewards = 9, .sum = -18, .squares = 36}, &lo, &hi);
	ck_assert(lo == -2);
	ck_assert_double_eq_tol(hi, -2 + 4 * 0.29915, 1e-4);
	interval_of(e, (struct arm_totals){.rewards = 9, .sum = 18, .squares = 36}, &lo, &hi);
	ck_assert(hi == 2);
	ck_assert_double_eq_tol(lo, -2 + 4 * 0.70085, 1e-4);
	/* 3 of 10 highest, the others lowest: Wilson's is [0.10779, 0.60322] */
	interval_of(e, (struct arm_totals){.rewards = 10, .sum = -8, .squares = 40}, &lo, &hi);
	ck_assert_double_eq_tol(lo, -2 + 4 * 0.10779, 1e-4);
	ck_assert_double_eq_tol(hi, -2 + 4 * 0.60322, 1e-4);
	for (uint64_t n = 1; n < 100000; n *= 7) { /* all alike */
		interval_of(e,
		    (struct arm_totals){
			.rewards = n, .sum = 1.9 * (double)n, .squares = 3.61 * (double)n},
		    &lo, &hi);
		ck_assert(lo < hi && lo <= 1.9 && hi >= 1.9 && hi <= 2);
	}
	experiment_free(e);
	arena_release(&mem);
}
END_TEST

static int patch(const char *body, struct settings *s, struct errinfo *err)
{
	static struct arena mem;
	static json_t *o; /* texts are borrowed from it */
	int rc;

	json_decref(o);
	o = parsed(body);
	arena_init(&mem, 4096);
	rc = settings_patch_json(o, &mem, s, err);
	arena_release(&mem);
	return rc;
}

START_TEST(a_patch_changes_what_it_names)
{
	struct settings s = {.floor = 0.5,
	    .window_us = 7,
	    .has_fallback = true,
	    .fallback = 1,
	    .late = LATE_DROP,
	    .aggregate = AGGREGATE_SUM,
	    .label = "was"};

	ck_assert_int_eq(patch("{}", &s, NULL), 0);
	ck_assert(s.floor == 0.5 && s.window_us == 7 && s.late == LATE_DROP);
	ck_assert_int_eq(
	    patch("{'floor':0.25,'state':'paused','reward':{'window':'PT1S'}}", &s, NULL), 0);
	ck_assert(s.floor == 0.25 && s.state == RUN_PAUSED && s.window_us == 1000000);
	ck_assert(s.has_fallback && s.aggregate == AGGREGATE_SUM);
	ck_assert_str_eq(s.label, "was");
}
END_TEST

START_TEST(null_in_a_patch_brings_the_default_back)
{
	struct settings s = {.floor = 0.5,
	    .window_us = 7,
	    .has_fallback = true,
	    .fallback = 1,
	    .late = LATE_DROP,
	    .aggregate = AGGREGATE_SUM,
	    .label = "was"};

	ck_assert_int_eq(
	    patch("{'floor':null,'label':null,'reward':{'late':null,'default':null}}", &s, NULL),
	    0);
	ck_assert(s.floor == 0 && !s.has_fallback && s.late == LATE_RECORD && s.window_us == 7);
	ck_assert_str_eq(s.label, "");
	ck_assert_int_eq(patch("{'reward':null}", &s, NULL), 0);
	ck_assert(s.window_us == 0 && s.aggregate == AGGREGATE_FIRST);
}
END_TEST

START_TEST(a_patch_that_is_refused_changes_nothing)
{
	static const struct {
		const char *body, *code, *pointer;
	} cases[] = {
	    {"{'floor':0.1,'seed':1}", "fixed_field", "/seed"},
	    {"{'floor':0.1,'policy':'uniform'}", "fixed_field", "/policy"},
	    {"{'floor':0.1,'arms':[]}", "fixed_field", "/arms"},
	    {"{'floor':0.1,'reward':{'lo':0}}", "fixed_field", "/reward/lo"},
	    {"{'floor':0.1,'reward':{'late':'never'}}", "out_of_range", "/reward/late"},
	    {"{'floor':0.1,'reward':1}", "wrong_type", "/reward"},
	    {"{'floor':0.1,'state':'archived'}", "out_of_range", "/state"},
	    {"{'floor':0.1,'state':7}", "wrong_type", "/state"},
	    {"{'floor':0.1,'revision':1}", "unknown_field", "/revision"},
	    {"[]", "wrong_type", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings s = {.floor = 0.5, .window_us = 7, .label = "was"}, was = s;
		struct errinfo err = {.rc = 0};

		patch(cases[i].body, &s, &err);
		assert_error(cases[i].body, &err, cases[i].code, cases[i].pointer);
		ck_assert_mem_eq(&s, &was, sizeof(s));
	}
}
END_TEST

START_TEST(an_arm_is_paused_and_resumed_only)
{
	enum arm_state state = ARM_RETIRED;
	struct errinfo err = {.rc = 0};
	json_t *o = parsed("{'state':'paused'}");

	ck_assert_int_eq(arm_patch_json(o, &state, NULL), 0);
	ck_assert_int_eq(state, ARM_PAUSED);
	json_decref(o);
	o = parsed("{'state':'retired'}");
	ck_assert_int_eq(arm_patch_json(o, &state, &err), RC_INVALID);
	assert_error("retired", &err, "out_of_range", "/state");
	json_decref(o);
}
END_TEST

START_TEST(every_policy_is_described_and_its_defaults_can_be_put)
{
	json_t *list = policies_to_json(), *one;
	size_t i;

	ck_assert_uint_gt(json_array_size(list), 0);
	json_array_foreach (list, i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		json_t *params = json_object_get(one, "params"), *p, *values = json_object(), *body;
		struct experiment_spec s = {.name = "home"};
		struct arena mem;
		size_t k;

		ck_assert_ptr_nonnull(policy_find(name));
		json_array_foreach (params, k, p) {
			json_object_set(values, json_string_value(json_object_get(p, "name")),
			    json_object_get(p, "default"));
			ck_assert_ptr_nonnull(json_string_value(json_object_get(p, "text")));
		}
		body = json_pack("{s:s, s:o}", "name", name, "params", values);
		arena_init(&mem, 1 << 20);
		ck_assert_int_eq(policy_from_json(body, "/policy", &mem, &s, NULL), 0);
		arena_release(&mem);
		json_decref(body);
	}
	json_decref(list);
}
END_TEST

static void try_spec(const json_t *o, struct arena *mem, struct errinfo *err, void *arg)
{
	struct experiment_spec s;
	struct experiment *e = NULL;
	bool has_seed;

	(void)arg;
	if (spec_from_json(o, "home", mem, &s, &has_seed, err) == 0 && policy_find(s.policy) &&
	    experiment_new(&s, policy_find(s.policy), RIG_AT, &e, err) == 0) {
		json_t *shown = experiment_to_json(e);

		ck_assert_ptr_nonnull(shown);
		json_decref(shown);
		experiment_free(e);
	}
}

START_TEST(damaged_bodies_are_refused_or_sound)
{
	try_damaged(HOME, try_spec, NULL);
}
END_TEST

static void try_patch(const json_t *o, struct arena *mem, struct errinfo *err, void *arg)
{
	struct settings s = {.label = ""};
	int rc = settings_patch_json(o, mem, &s, err);

	(void)arg;
	ck_assert_int_eq(rc, err->rc);
}

START_TEST(damaged_patches_are_refused_or_sound)
{
	try_damaged("{'floor':0.1,'state':'paused','label':null,'reward':{'window':'PT1H',"
		    "'default':1,'late':'drop','aggregate':'sum'}}",
	    try_patch, NULL);
}
END_TEST

static int read_list(const char *text, struct arena *mem, struct param_list *ret)
{
	json_t *o = parsed(text);
	int rc = list_from_json(json_object_get(o, "a"), "/a", mem, ret, NULL);

	json_decref(o);
	return rc;
}

START_TEST(a_list_is_plain_or_rows_of_equal_length)
{
	struct param_list list;
	struct arena mem;
	json_t *back;
	char *text;

	arena_init(&mem, 1 << 20);
	ck_assert_int_eq(read_list("{'a':[[1,2],[3,4.5],[5,6]]}", &mem, &list), 0);
	ck_assert(list.n == 6 && list.width == 2 && list.v[3] == 4.5);
	back = list_to_json(&list);
	text = json_dumps(back, JSON_COMPACT);
	ck_assert_str_eq(text, "[[1.0,2.0],[3.0,4.5],[5.0,6.0]]");
	free(text);
	json_decref(back);
	ck_assert_int_eq(read_list("{'a':[7,8]}", &mem, &list), 0);
	ck_assert(list.n == 2 && list.width == 0 && list.v[1] == 8);
	ck_assert_int_eq(read_list("{'a':[]}", &mem, &list), RC_INVALID);
	ck_assert_int_eq(read_list("{'a':[[]]}", &mem, &list), RC_INVALID);
	ck_assert_int_eq(read_list("{'a':[[1],[2,3]]}", &mem, &list), RC_INVALID);
	ck_assert_int_eq(read_list("{'a':[[1],2]}", &mem, &list), RC_INVALID);
	ck_assert_int_eq(read_list("{'a':[1,[2]]}", &mem, &list), RC_INVALID);
	ck_assert_int_eq(read_list("{'a':[1,'x']}", &mem, &list), RC_INVALID);
	arena_release(&mem);
}
END_TEST

RUN("json_spec", a_list_is_plain_or_rows_of_equal_length, every_member_of_a_body_is_taken,
    what_is_left_out_has_its_default, a_policy_has_a_short_form, what_is_wrong_is_named,
    an_experiment_reads_as_it_was_put, an_interval_is_never_empty_and_holds_its_mean,
    a_patch_changes_what_it_names, null_in_a_patch_brings_the_default_back,
    a_patch_that_is_refused_changes_nothing, an_arm_is_paused_and_resumed_only,
    every_policy_is_described_and_its_defaults_can_be_put, damaged_bodies_are_refused_or_sound,
    damaged_patches_are_refused_or_sound)
