/* SPDX-License-Identifier: Apache-2.0 */
/* Features that have names, as numbers: the same from every format that has them. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "eval/log_read.h"

/* The features of the first round, 8 of them. */
static void features_of(const char *format, const char *text, double ret[8])
{
	struct log_options o = {.format = format, .features = 8};
	struct log_arms *arms;
	struct round r;
	struct log *l;

	ck_assert_int_eq(hash_init(), 0);
	ck_assert_int_eq(log_arms_new(&arms), 0);
	ck_assert_int_eq(log_open_bytes("log", text, strlen(text), &o, arms, &l, NULL), 0);
	ck_assert_int_eq(log_next(l, &r, NULL), 1);
	ck_assert_uint_eq(r.dim, 8);
	memcpy(ret, r.x, 8 * sizeof(*ret));
	log_close(l);
	log_arms_free(arms);
}

static bool same(const double a[8], const double b[8], double times)
{
	bool is = true;

	for (size_t i = 0; i < 8; i++) {
		is = is && a[i] * times == b[i];
	}
	return is;
}

START_TEST(features_with_names_become_numbers)
{
	static const char *const dsjson =
	    "{\"_label_cost\":0,\"_label_probability\":0.5,\"_labelIndex\":0,\"a\":[1,2],\"c\":{%s,"
	    "\"_multi\":[{\"x\":{\"y\":1}},{}]}}\n";
	static const char *const alike[][2] = {{"\"u\":{\"a\":2,\"b\":1,\"_c\":7}", "|u a:2 b"},
	    {"\"u\":[{\"b\":1},{\"a\":2}]", "|u:2 a b:0.5"},
	    {"\"u\":{\"w\":\"sun\"},\"v\":{\"t\":true,\"f\":false}", "|v t |u w=sun"},
	    {"\"u\":{\"_text\":\"the  cat\"}", "|u cat the"}, {"\"n\":3", "| n:3"}};
	char text[400];
	double one[8], other[8], none[8] = {0};

	for (size_t i = 0; i < sizeof(alike) / sizeof(*alike); i++) {
		snprintf(text, sizeof(text), dsjson, alike[i][0]);
		features_of("dsjson", text, one);
		ck_assert_msg(!same(one, none, 1), "%s", text);
		snprintf(text, sizeof(text), "1:0:0.5 %s\n", alike[i][1]);
		features_of("vw", text, other);
		ck_assert_msg(same(one, other, 1), "%s", text);
		snprintf(text, sizeof(text), "shared %s\n0:0:0.5 |u a:9\n|u b\n\n", alike[i][1]);
		features_of("vw", text, other);
		ck_assert_msg(same(one, other, 1), "%s", text);
	}
	features_of("vw", "1:0:0.5 |u a:3\n", one);
	features_of("vw", "1:0:0.5 |u a:6\n", other);
	ck_assert(same(one, other, 2));
	features_of("vw", "1:0:0.5 |other a:3\n", other);
	ck_assert(!same(one, other, 1));
}
END_TEST

RUN("features", features_with_names_become_numbers)
