/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes, the table of problems and schema/openapi.json say the same. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>

#include "serve/api_impl.h"
#include "serve/problem.h"
#include "test.h"

static json_t *document(void)
{
	const char *source = getenv("SRCDIR");
	char path[1024];
	json_error_t why;
	json_t *doc;

	snprintf(path, sizeof(path), "%s/schema/openapi.json", source ? source : ".");
	doc = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	ck_assert_msg(doc != NULL, "%s:%d: %s", path, why.line, why.text);
	return doc;
}

static const json_t *operation(const json_t *doc, const struct api_route_info *r)
{
	char method[16] = "";

	for (size_t i = 0; r->method[i] && i + 1 < sizeof(method); i++) {
		method[i] = (char)tolower((unsigned char)r->method[i]);
	}
	return json_object_get(json_object_get(json_object_get(doc, "paths"), r->path), method);
}

START_TEST(every_route_is_documented)
{
	const struct api_route_info *routes;
	size_t n = api_routes(&routes);
	json_t *doc = document();

	for (size_t i = 0; i < n; i++) {
		const json_t *op = operation(doc, &routes[i]);

		ck_assert_msg(
		    op != NULL, "%s %s is not documented", routes[i].method, routes[i].path);
		ck_assert_msg(
		    (json_object_get(op, "requestBody") != NULL) == (routes[i].body_max > 0),
		    "%s %s: does it take a body?", routes[i].method, routes[i].path);
	}
	json_decref(doc);
}
END_TEST

START_TEST(nothing_else_is_documented)
{
	const struct api_route_info *routes;
	size_t n = api_routes(&routes), documented = 0;
	json_t *doc = document(), *item, *op;
	const char *path, *member;

	json_object_foreach (json_object_get(doc, "paths"), path, item) {
		json_object_foreach (item, member, op) {
			documented += strcmp(member, "parameters") != 0;
		}
	}
	ck_assert_uint_eq(documented, n);
	json_decref(doc);
}
END_TEST

/* Each {name} of a path is a parameter of it, in the order of the path. */
START_TEST(path_parameters_are_documented)
{
	json_t *doc = document(), *item;
	const char *path;

	json_object_foreach (json_object_get(doc, "paths"), path, item) {
		const json_t *list = json_object_get(item, "parameters");
		size_t k = 0;

		for (const char *p = strchr(path, '{'); p; p = strchr(p + 1, '{')) {
			const json_t *ref = json_object_get(json_array_get(list, k++), "$ref");
			const char *name = ref ? strrchr(json_string_value(ref), '/') : NULL;
			size_t len = strcspn(p + 1, "}");

			ck_assert_msg(
			    name && strlen(name + 1) == len && strncmp(name + 1, p + 1, len) == 0,
			    "%s: parameter %zu", path, k);
		}
		ck_assert_uint_eq(json_array_size(list), k);
	}
	json_decref(doc);
}
END_TEST

START_TEST(every_problem_is_documented)
{
	json_t *doc = document(), *codes;
	size_t n = 0;

	codes = json_object_get(json_object_get(doc, "components"), "schemas");
	codes = json_object_get(json_object_get(codes, "ProblemMembers"), "properties");
	codes = json_object_get(json_object_get(codes, "code"), "enum");
	for (; problem_table[n].code; n++) {
		bool found = false;

		for (size_t i = 0; i < json_array_size(codes); i++) {
			const char *code = json_string_value(json_array_get(codes, i));

			found = found || strcmp(code, problem_table[n].code) == 0;
		}
		ck_assert_msg(found, "problem %s is not documented", problem_table[n].code);
	}
	ck_assert_uint_eq(json_array_size(codes), n);
	json_decref(doc);
}
END_TEST

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

START_TEST(a_trace_is_taken_only_as_the_recommendation_has_it)
{
	static const char *const sound[] = {"00-" TRACE "-" PARENT "-01",
	    "00-" TRACE "-" PARENT "-00", "cc-" TRACE "-" PARENT "-01-what-comes-later"};
	static const char *const bad[] = {"", "00", "00-" TRACE, "00-" TRACE "-" PARENT,
	    "00-" TRACE "-" PARENT "-0", "00-" TRACE "-" PARENT "-01-more",
	    "00-" TRACE "-" PARENT "-011", "cc-" TRACE "-" PARENT "-011",
	    "ff-" TRACE "-" PARENT "-01", "0-" TRACE "-" PARENT "-01",
	    "00-00000000000000000000000000000000-" PARENT "-01", "00-" TRACE "-0000000000000000-01",
	    "00-0AF7651916cd43dd8448eb211c80319c-" PARENT "-01", "00_" TRACE "_" PARENT "_01"};
	char id[TRACE_ID_MAX + 1];

	for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
		ck_assert_msg(api_trace_id(sound[i], id), "%s", sound[i]);
		ck_assert_str_eq(id, TRACE);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!api_trace_id(bad[i], id), "%s", bad[i]);
	}
}
END_TEST

RUN("api_routes", a_trace_is_taken_only_as_the_recommendation_has_it, every_route_is_documented,
    nothing_else_is_documented, path_parameters_are_documented, every_problem_is_documented)
