/* SPDX-License-Identifier: Apache-2.0 */
#include "json_rig.h"

struct thing {
	const char *id, *text;
	double number;
	uint64_t count;
	bool yes;
	int choice;
	struct bind_ids ids;
	const json_t *any;
};

static const char *const choices[] = {"red", "green", NULL};
static const struct bind_field fields[] = {
    {"id", BIND_ID, offsetof(struct thing, id), BIND_REQUIRED, 0, 0, NULL},
    {"text", BIND_TEXT, offsetof(struct thing, text), BIND_NULL, 0, 8, NULL},
    {"number", BIND_NUMBER, offsetof(struct thing, number), 0, -1, 1, NULL},
    {"count", BIND_U64, offsetof(struct thing, count), 0, 1, 1e300, NULL},
    {"yes", BIND_BOOL, offsetof(struct thing, yes), 0, 0, 0, NULL},
    {"choice", BIND_CHOICE, offsetof(struct thing, choice), 0, 0, 0, choices},
    {"ids", BIND_IDS, offsetof(struct thing, ids), 0, 0, 3, NULL},
    {"any", BIND_JSON, offsetof(struct thing, any), 0, 0, 0, NULL},
    {"fixed", BIND_FIXED, 0, 0, 0, 0, NULL},
    {.name = NULL},
};

static int parse(const char *text, struct errinfo *err)
{
	json_t *o = NULL;
	int rc = json_parse(text, strlen(text), &o, err);

	json_decref(o);
	return rc;
}

START_TEST(what_is_not_json_is_refused_with_its_place)
{
	static const char *const bad[] = {"", " ", "{", "[1,]", "{\"a\":1,}", "{'a':1}", "nul", "1",
	    "\"a\"", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":1e999}", "{\"a\":01}", "[1] x",
	    "{\"a\":99999999999999999999}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}",
	    "{\"a\":\"\xed\xa0\x80\"}", "\xef\xbb\xbf{}", "{\"a\":\"\n\"}"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct errinfo err = {.rc = 0};

		ck_assert_msg(parse(bad[i], &err) == RC_INVALID, "accepted: %s", bad[i]);
		ck_assert_str_eq(err.code, "invalid_json");
		ck_assert_msg(strstr(err.text, "line 1, column"), "%s", err.text);
	}
}
END_TEST

START_TEST(a_member_twice_is_refused)
{
	struct errinfo err = {.rc = 0};

	ck_assert_int_eq(parse("{\"a\":1,\"b\":{\"c\":1,\"c\":1}}", &err), RC_INVALID);
	ck_assert_str_eq(err.code, "duplicate_field");
}
END_TEST

START_TEST(nesting_is_bounded_before_anything_recurses)
{
	char text[200000];
	struct errinfo err = {.rc = 0};

	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(parse(text, &err), RC_INVALID);
	ck_assert_msg(strstr(err.text, "32 levels"), "%s", err.text);
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	text[2 * JSON_DEPTH_MAX] = '\0';
	ck_assert_int_eq(parse(text, NULL), 0);
}
END_TEST

START_TEST(brackets_within_strings_are_text)
{
	char text[256] = "{\"a\\\"\\\\\":\"";
	size_t n = strlen(text);

	memset(text + n, '[', 100);
	memcpy(text + n + 100, "\"}", 3);
	ck_assert_int_eq(parse(text, NULL), 0);
}
END_TEST

static int bind(const char *text, const char *pointer, struct thing *t, struct errinfo *err)
{
	static struct arena mem;
	json_t *o = parsed(text);
	int rc;

	arena_init(&mem, 4096);
	memset(t, 0, sizeof(*t));
	rc = bind_object(o, fields, pointer, &mem, t, err);
	arena_release(&mem);
	json_decref(o);
	return rc;
}

START_TEST(what_fits_is_bound)
{
	struct thing t;
	json_t *o = parsed("{'id':'a.b_c:d-9','text':'x','number':-1,'count':9007199254740992,"
			   "'yes':true,'choice':'green','ids':['a','b'],'any':null}");
	struct arena mem;

	arena_init(&mem, 4096);
	memset(&t, 0, sizeof(t));
	ck_assert_int_eq(bind_object(o, fields, "", &mem, &t, NULL), 0);
	ck_assert_str_eq(t.id, "a.b_c:d-9");
	ck_assert_str_eq(t.text, "x");
	ck_assert(t.number == -1 && t.count == 9007199254740992 && t.yes && t.choice == 1);
	ck_assert_uint_eq(t.ids.n, 2);
	ck_assert_str_eq(t.ids.id[1], "b");
	ck_assert(t.ids.given && json_is_null(t.any));
	arena_release(&mem);
	json_decref(o);
}
END_TEST

START_TEST(null_is_as_if_absent_only_where_the_table_says_so)
{
	struct errinfo err = {.rc = 0};
	struct thing t;

	ck_assert_int_eq(bind("{'id':'a','text':null}", "", &t, &err), 0);
	ck_assert_int_eq(bind("{'id':null}", "", &t, &err), RC_INVALID);
	assert_error("id null", &err, "wrong_type", "/id");
}
END_TEST

START_TEST(what_does_not_fit_is_named)
{
	static const struct {
		const char *body, *code, *pointer;
	} cases[] = {
	    {"[]", "wrong_type", "/at"},
	    {"{}", "missing_field", "/at/id"},
	    {"{'id':1}", "wrong_type", "/at/id"},
	    {"{'id':''}", "invalid_id", "/at/id"},
	    {"{'id':'a b'}", "invalid_id", "/at/id"},
	    {"{'id':'\xc3\xa9'}", "invalid_id", "/at/id"},
	    {"{'id':'a','other':1}", "unknown_field", "/at/other"},
	    {"{'id':'a','a/b~c':1}", "unknown_field", "/at/a~1b~0c"},
	    {"{'id':'a','':1}", "unknown_field", "/at/"},
	    {"{'id':'a','text':'123456789'}", "out_of_range", "/at/text"},
	    {"{'id':'a','number':'1'}", "wrong_type", "/at/number"},
	    {"{'id':'a','number':1.0000001}", "out_of_range", "/at/number"},
	    {"{'id':'a','count':1.5}", "wrong_type", "/at/count"},
	    {"{'id':'a','count':0}", "out_of_range", "/at/count"},
	    {"{'id':'a','count':-1}", "out_of_range", "/at/count"},
	    {"{'id':'a','count':9007199254740993}", "out_of_range", "/at/count"},
	    {"{'id':'a','count':9223372036854775807}", "out_of_range", "/at/count"},
	    {"{'id':'a','yes':1}", "wrong_type", "/at/yes"},
	    {"{'id':'a','choice':'blue'}", "out_of_range", "/at/choice"},
	    {"{'id':'a','ids':'a'}", "wrong_type", "/at/ids"},
	    {"{'id':'a','ids':['a','b','c','d']}", "too_many", "/at/ids"},
	    {"{'id':'a','ids':['a',2]}", "wrong_type", "/at/ids/1"},
	    {"{'id':'a','ids':['a','b c']}", "invalid_id", "/at/ids/1"},
	    {"{'id':'a','fixed':1}", "fixed_field", "/at/fixed"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errinfo err = {.rc = 0};
		struct thing t;

		bind(cases[i].body, "/at", &t, &err);
		assert_error(cases[i].body, &err, cases[i].code, cases[i].pointer);
	}
}
END_TEST

START_TEST(an_error_is_utf8_however_long_the_name)
{
	char body[4096];

	for (size_t lead = 0; lead < 4; lead++) {
		struct errinfo err = {.rc = 0};
		struct thing t;
		size_t n = (size_t)snprintf(body, sizeof(body), "{'%.*s", (int)lead, "aaaa");
		json_t *text, *pointer;

		for (int i = 0; i < 300; i++) {
			n += (size_t)snprintf(body + n, sizeof(body) - n, "\xe2\x82\xac");
		}
		snprintf(body + n, sizeof(body) - n, "':1}");
		ck_assert_int_eq(bind(body, "", &t, &err), RC_INVALID);
		text = json_string(err.text);
		pointer = json_string(err.pointer);
		ck_assert(text && pointer);
		json_decref(text);
		json_decref(pointer);
	}
}
END_TEST

static uint64_t fingerprint(const char *text)
{
	json_t *o = parsed(text);
	uint64_t h = bind_fingerprint(o);

	json_decref(o);
	return h;
}

START_TEST(a_fingerprint_sees_values_and_not_their_order)
{
	static const char *const unlike[] = {"{}", "[]", "[[]]", "[0]", "[1]", "['1']", "[true]",
	    "[false]", "[null]", "[1,2]", "[2,1]", "[[1],2]", "{'a':1}", "{'a':2}", "{'b':1}",
	    "{'a':1,'b':2}", "{'a':2,'b':1}", "{'a':{'b':1}}", "{'a':'b'}", "['a','b']", "['ab']",
	    "[0.1]", "[-1]", "[{}]", "['']"};
	size_t n = sizeof(unlike) / sizeof(unlike[0]);

	ck_assert_uint_eq(fingerprint("{'a':1,'b':{'c':2,'d':[3]}}"),
	    fingerprint("{ 'b':{'d':[3.0],'c':2}, 'a':1e0}"));
	ck_assert_uint_eq(fingerprint("[0]"), fingerprint("[-0.0]"));
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_ne(fingerprint(unlike[i]), 0);
		for (size_t k = 0; k < i; k++) {
			ck_assert_msg(fingerprint(unlike[i]) != fingerprint(unlike[k]), "%s and %s",
			    unlike[i], unlike[k]);
		}
	}
}
END_TEST

START_TEST(a_fingerprint_is_the_same_on_every_machine)
{
	ck_assert_uint_eq(fingerprint("{'id':'req-7731','context':{'hour':21},'defer':false}"),
	    UINT64_C(2925715575115421291));
}
END_TEST

START_TEST(compact_text_reads_back_and_is_bounded)
{
	json_t *o = parsed("{ 'b' : [ 0.1 , 1 , 'x\\n' ], 'a' : -0.0 }");
	const char *text = NULL;
	struct arena mem;

	arena_init(&mem, 4096);
	ck_assert_int_eq(bind_compact(o, 100, &mem, &text), 0);
	ck_assert_str_eq(text, quoted("{'b':[0.10000000000000001,1,'x\\n'],'a':-0.0}"));
	ck_assert_int_eq(bind_compact(o, 10, &mem, &text), RC_LIMIT);
	arena_release(&mem);
	json_decref(o);
}
END_TEST

RUN("json_bind", what_is_not_json_is_refused_with_its_place, a_member_twice_is_refused,
    nesting_is_bounded_before_anything_recurses, brackets_within_strings_are_text,
    what_fits_is_bound, null_is_as_if_absent_only_where_the_table_says_so,
    what_does_not_fit_is_named, an_error_is_utf8_however_long_the_name,
    a_fingerprint_sees_values_and_not_their_order, a_fingerprint_is_the_same_on_every_machine,
    compact_text_reads_back_and_is_bounded)
