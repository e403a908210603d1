/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "test.h"

START_TEST(the_first_error_stays)
{
	struct errinfo err = {.rc = 0};

	ck_assert_int_eq(err_set(&err, RC_INVALID, "one", "/a", "first %d", 1), RC_INVALID);
	ck_assert_int_eq(err_set(&err, RC_LIMIT, "two", "/b", "second"), RC_LIMIT);
	ck_assert_int_eq(err.rc, RC_INVALID);
	ck_assert_str_eq(err.code, "one");
	ck_assert_str_eq(err.pointer, "/a");
	ck_assert_str_eq(err.text, "first 1");
	ck_assert_int_eq(err_set(NULL, RC_IO, "none", "", "nowhere"), RC_IO);
}
END_TEST

START_TEST(what_is_not_utf8_is_replaced)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
	    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xac",
		"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xac"},
	    {"cut \xc3", "cut ?"},
	    {"cut \xe2\x82", "cut ??"},
	    {"cut \xf0\x9f\x8e", "cut ???"},
	    {"\xe2\x82xyz\xff\x80", "??xyz??"},
	    {"\xc0\x80\xf5\x80\x80\x80", "??????"},
	    {"\xe0\x80\x80 \xed\xa0\x80 \xf0\x80\x80\x80 \xf4\x90\x80\x80", "??? ??? ???? ????"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errinfo err = {.rc = 0};

		err_set(&err, RC_INVALID, "code", cases[i].text, "%s", cases[i].text);
		ck_assert_str_eq(err.text, cases[i].shown);
		ck_assert_str_eq(err.pointer, cases[i].shown);
	}
}
END_TEST

START_TEST(what_is_cut_does_not_end_within_a_character)
{
	char text[512];

	for (size_t lead = 0; lead < 4; lead++) {
		struct errinfo err = {.rc = 0};

		memset(text, 'a', lead);
		for (size_t i = lead; i + 4 < sizeof(text); i += 3) {
			memcpy(text + i, "\xe2\x82\xac", 4);
		}
		err_set(&err, RC_INVALID, "code", text, "%s", text);
		ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
		for (size_t i = lead; i + 3 < sizeof(err.text); i += 3) {
			ck_assert_mem_eq(err.text + i, "\xe2\x82\xac", 3);
		}
	}
}
END_TEST

RUN("err", the_first_error_stays, what_is_not_utf8_is_replaced,
    what_is_cut_does_not_end_within_a_character)
