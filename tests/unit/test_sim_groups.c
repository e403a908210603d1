/* SPDX-License-Identifier: Apache-2.0 */
/* Simulations that tell a regret per group: of plays, and of the rows of a table. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/rng.h"
#include "eval/sim.h"
#include "policies/policies.h"
#include "test.h"

#define ROWS 2000

static const struct spec_param regress[] = {{.name = "kind", .text = "regress"}};
static const struct sim_policy uniform = {.ops = &uniform_ops};
static const struct sim_policy groupwise = {.ops = &groupwise_ops};
static const struct sim_policy forecast = {.ops = &groupwise_ops, .params = regress, .nparams = 1};

static struct sim_result run(const char *env, const struct sim_policy *policy, uint64_t horizon)
{
	const struct sim_opts opts = {.horizon = horizon, .runs = 4, .threads = 2, .seed = 1};
	struct errinfo err = {.rc = 0};
	json_t *j = json_loads(env, 0, NULL);
	struct sim_result r;

	ck_assert_ptr_nonnull(j);
	ck_assert_msg(sim_run(j, policy, &opts, &r, &err) == 0, "%s: %s", err.pointer, err.text);
	json_decref(j);
	return r;
}

static void refused(const char *env, const struct sim_policy *policy, const char *pointer)
{
	const struct sim_opts opts = {.horizon = 10, .runs = 1, .threads = 1};
	struct errinfo err = {.rc = 0};
	json_t *j = json_loads(env, 0, NULL);
	struct sim_result r;

	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(sim_run(j, policy, &opts, &r, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, pointer);
	json_decref(j);
}

#define TWO                                                                                        \
	"{\"env\":\"groups\",\"arms\":2,\"groups\":[{\"name\":\"a\",\"share\":0.25,\"set\":\"s\"}" \
	",{\"name\":\"b\",\"share\":0.75,\"set\":\"s\"},"                                          \
	"{\"name\":\"all\",\"share\":1,\"set\":\"t\"}],\"loss\":[[0.2,0.8],[0.8,0.4]]}"

START_TEST(uniform_play_has_the_regret_of_each_group)
{
	struct sim_result r = run(TWO, &uniform, 20000);

	ck_assert_uint_eq(r.ngroups, 3);
	ck_assert_str_eq(r.group[0].name, "a");
	ck_assert_double_eq_tol(r.group[0].regret.mean, 20000 * 0.25 * 0.3, 40);
	ck_assert_double_eq_tol(r.group[1].regret.mean, 20000 * 0.75 * 0.2, 60);
	/* The best arm for all is the second one: it loses 0.5, uniform play 0.575. */
	ck_assert_double_eq_tol(r.group[2].regret.mean, 20000 * 0.075, 60);
	ck_assert_double_eq_tol(r.group[2].regret.mean, r.regret.mean, 1e-6);
	sim_release(&r);
}
END_TEST

START_TEST(groupwise_plays_well_in_every_group)
{
	struct sim_result r = run(TWO, &groupwise, 20000);

	ck_assert_double_lt(r.group[0].regret.mean, 400);
	ck_assert_double_lt(r.group[1].regret.mean, 400);
	ck_assert_double_lt(r.group[2].regret.mean, -1500);
	sim_release(&r);
}
END_TEST

START_TEST(groups_name_what_is_wrong)
{
	refused("{\"env\":\"groups\",\"arms\":2,\"groups\":[],\"loss\":[]}", &uniform, "/groups");
	refused("{\"env\":\"groups\",\"arms\":2,\"groups\":[{\"name\":\"a\",\"share\":0.5,"
		"\"set\":\"s\"}],\"loss\":[[0,0]]}",
	    &uniform, "/groups");
	refused("{\"env\":\"groups\",\"arms\":2,\"groups\":[{\"name\":\"a\",\"share\":1,"
		"\"set\":\"s\"}],\"loss\":[]}",
	    &uniform, "/loss");
	refused("{\"env\":\"groups\",\"arms\":2,\"groups\":[{\"name\":\"a\",\"share\":1,"
		"\"set\":\"s\"}],\"loss\":[[0]]}",
	    &uniform, "/loss/0");
	refused("{\"env\":\"groups\",\"arms\":2,\"groups\":[{\"name\":\"a\",\"share\":2,"
		"\"set\":\"s\"}],\"loss\":[[0,0]]}",
	    &uniform, "/groups/0/share");
}
END_TEST

/* Two lines, one for each kind of row, and a little noise. */
static void write_table(char *path)
{
	struct rng rng = rng_at(3, 0, RNG_TEST);
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	ck_assert(fd >= 0 && f);
	fprintf(f, "age,\"the \"\"kind\"\"\",charge\r\n");
	for (int i = 0; i < ROWS; i++) {
		double age = 20 + 40 * rng_uniform(&rng), noise = rng_uniform(&rng);
		bool a = rng_below(&rng, 2);

		fprintf(f, "%.6f,%s,%.6f\r\n", age, a ? "\"a, or so\"" : "b",
		    100 + (a ? age : 80 - age) + noise);
	}
	ck_assert_int_eq(fclose(f), 0);
}

static void table_env(char *ret, size_t size, const char *path, const char *groups)
{
	snprintf(ret, size,
	    "{\"env\":\"table\",\"csv\":\"%s\",\"label\":\"charge\",\"shuffles\":3,\"groups\":%s}",
	    path, groups);
}

START_TEST(groups_of_rows_are_told_beside_what_knows_of_none)
{
	char path[] = "/tmp/bandit-table-XXXXXX", env[512];
	struct sim_result r;

	write_table(path);
	table_env(env, sizeof(env), path,
	    "{\"a\":\"the \\\"kind\\\"=a, or so\",\"b\":\"the \\\"kind\\\" != a, or so\","
	    "\"young\":\"age<=40\",\"mid\":\"age > 30 & age<50\"}");
	r = run(env, &forecast, 1);
	ck_assert_uint_eq(r.ngroups, 5);
	ck_assert_str_eq(r.group[4].name, "_all");
	for (size_t i = 0; i < 2; i++) {
		ck_assert(r.group[i].has_base);
		ck_assert_double_gt(r.group[i].base.mean, 10);
		ck_assert_double_lt(r.group[i].regret.mean, 4);
	}
	ck_assert_double_lt(r.group[4].regret.mean, -20);
	ck_assert_double_lt(fabs(r.group[4].base.mean), 6);
	ck_assert_double_eq(r.group[4].regret.mean, r.regret.mean);
	sim_release(&r);
	unlink(path);
}
END_TEST

START_TEST(tables_name_what_is_wrong)
{
	char path[] = "/tmp/bandit-table-XXXXXX", env[512];

	write_table(path);
	table_env(env, sizeof(env), path, "{\"a\":\"age\"}");
	refused(env, &forecast, "/groups/a");
	table_env(env, sizeof(env), path, "{\"a\":\"age<young\"}");
	refused(env, &forecast, "/groups/a");
	table_env(env, sizeof(env), path, "{\"a\":\"size<3\"}");
	refused(env, &forecast, "/groups/a");
	table_env(env, sizeof(env), path, "{\"a\":\"age<3 & \"}");
	refused(env, &forecast, "/groups/a");
	table_env(env, sizeof(env), path, "[]");
	refused(env, &forecast, "/groups");
	table_env(env, sizeof(env), path, "{}");
	refused(env, &uniform, "");
	unlink(path);
	refused("{\"env\":\"table\",\"csv\":\"x\",\"groups\":{}}", &forecast, "/label");
}
END_TEST

RUN("sim_groups", uniform_play_has_the_regret_of_each_group, groupwise_plays_well_in_every_group,
    groups_name_what_is_wrong, groups_of_rows_are_told_beside_what_knows_of_none,
    tables_name_what_is_wrong)
