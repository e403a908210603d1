/* SPDX-License-Identifier: Apache-2.0 */
/* bandit simulate as scripts see it: exit status, JSON, the same bytes. */
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cmd_simulate.h"
#include "test.h"
#include "tests/unit/command_rig.h"

#define OUTPUT_MAX 65536
#define ENV "bernoulli:means=[0.9,0.1]"

static int run(char output[OUTPUT_MAX], const char *const *args)
{
	return run_command(cmd_simulate, "simulate", args, output, OUTPUT_MAX);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(the_document_has_the_agreed_shape)
{
	char text[OUTPUT_MAX];
	json_t *doc, *first;

	ck_assert_int_eq(
	    run(text, ARGS("--env", ENV, "--policy", "epsilon_greedy:epsilon=0.2", "--policy",
			  "uniform", "--horizon", "300", "--runs", "3", "--seed", "9", "--delay",
			  "2", "--loss", "0.1", "--curve", "3", "--json")),
	    0);
	doc = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(doc);
	ck_assert_int_eq(json_integer_value(json_object_get(doc, "horizon")), 300);
	ck_assert_int_eq(json_integer_value(json_object_get(doc, "runs")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(doc, "seed")), 9);
	ck_assert_str_eq(
	    json_string_value(json_object_get(json_object_get(doc, "env"), "env")), "bernoulli");
	ck_assert_uint_eq(json_array_size(json_object_get(doc, "results")), 2);
	first = json_array_get(json_object_get(doc, "results"), 0);
	ck_assert_str_eq(
	    json_string_value(json_object_get(json_object_get(first, "policy"), "name")),
	    "epsilon_greedy");
	ck_assert(json_is_real(json_object_get(json_object_get(first, "regret"), "mean")));
	ck_assert_uint_eq(
	    json_array_size(json_object_get(json_object_get(first, "regret"), "curve")), 3);
	ck_assert(json_is_real(json_object_get(json_object_get(first, "reward"), "se")));
	ck_assert_uint_eq(json_array_size(json_object_get(first, "arms")), 2);
	json_decref(doc);
}
END_TEST

START_TEST(the_same_seed_prints_the_same_bytes)
{
	char a[OUTPUT_MAX], b[OUTPUT_MAX];
	const char *const *args =
	    ARGS("-e", ENV, "-p", "thompson", "-T", "200", "-n", "4", "--json", "-c", "9");

	ck_assert_int_eq(run(a, args), 0);
	ck_assert_int_eq(run(b, args), 0);
	ck_assert_str_eq(a, b);
}
END_TEST

START_TEST(the_three_ways_to_write_a_policy_agree)
{
	char a[OUTPUT_MAX], b[OUTPUT_MAX], c[OUTPUT_MAX], path[] = "policy-XXXXXX", at[32];
	const char *json = "{\"name\":\"epsilon_greedy\",\"params\":{\"epsilon\":0.2}}";
	int fd = mkstemp(path);

	ck_assert_int_eq(write(fd, json, strlen(json)), (int)strlen(json));
	close(fd);
	snprintf(at, sizeof(at), "@%s", path);
	ck_assert_int_eq(run(a, ARGS("-e", ENV, "-p", json, "-T", "100", "-n", "2", "--json")), 0);
	ck_assert_int_eq(run(b, ARGS("-e", ENV, "-p", at, "-T", "100", "-n", "2", "--json")), 0);
	ck_assert_int_eq(run(c, ARGS("-e", ENV, "-p", "epsilon_greedy:epsilon=0.2", "-T", "1e2",
				    "-n", "2", "--json")),
	    0);
	unlink(path);
	ck_assert_str_eq(a, b);
	ck_assert_str_eq(a, c);
}
END_TEST

START_TEST(bad_usage_is_2)
{
	char text[OUTPUT_MAX];

	ck_assert_int_eq(run(text, ARGS("-p", "uniform")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV)), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "nobody")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "uniform:epsilon=1")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "epsilon_greedy:epsilon=2")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", "bernoulli:means=[2]", "-p", "uniform")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", "bernoulli:means", "-p", "uniform")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", "{", "-p", "uniform")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "uniform", "-T", "0")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "uniform", "-T", "-5")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "uniform", "-l", "nan")), 2);
	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "uniform", "surplus")), 2);
	ck_assert_int_eq(run(text, ARGS("--no-such-option")), 2);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(run(text, ARGS("-e", "@/nowhere", "-p", "uniform")), 1);
	ck_assert_int_eq(run(text, ARGS("--help")), 0);
	ck_assert_ptr_nonnull(strstr(text, "--horizon"));
}
END_TEST

START_TEST(people_get_a_table)
{
	char text[OUTPUT_MAX];

	ck_assert_int_eq(run(text, ARGS("-e", ENV, "-p", "uniform", "-T", "50", "-n", "1")), 0);
	ck_assert_ptr_nonnull(strstr(text, "regret"));
	ck_assert_ptr_nonnull(strstr(text, "\nuniform "));
}
END_TEST

RUN("cmd_simulate", the_document_has_the_agreed_shape, the_same_seed_prints_the_same_bytes,
    the_three_ways_to_write_a_policy_agree, bad_usage_is_2, people_get_a_table)
