/* SPDX-License-Identifier: Apache-2.0 */
/* `recovering` against arms that recover: the figures of an independent implementation, within the
 * noise, and the command that plans alone. */
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "eval/sim.h"
#include "policies/policies.h"
#include "test.h"
#include "tests/unit/command_rig.h"

#define TEXT_MAX 8192
#define HORIZON 32000

/* c (1 - exp(-d / tau)): the best plan has periods 4 4 4 3 4 3 3 and leaves the last arm out. */
static json_t *smooth(const char *noise, double tables[48])
{
	static const double c[] = {.9, .8, .75, .7, .6, .5, .4, .3};
	static const double tau[] = {4, 2.5, 3, 1.5, 2, 1, .8, .5};
	json_t *rows = json_array();

	for (int i = 0; i < 8; i++) {
		json_t *row = json_array();

		for (int d = 1; d <= 6; d++) {
			tables[6 * i + d - 1] = c[i] * (1 - exp(-d / tau[i]));
			json_array_append_new(row, json_real(tables[6 * i + d - 1]));
		}
		json_array_append_new(rows, row);
	}
	return json_pack(
	    "{ss si so ss}", "env", "recovering", "slots", 2, "tables", rows, "noise", noise);
}

/* Arms that recover all at once, and two that do not. */
static json_t *steps(double tables[36])
{
	static const double before[] = {.5, .5, .4, .35, .45, .42},
			    after[] = {1, .95, .9, .85, .45, .42};
	static const int from[] = {6, 4, 3, 6, 1, 1};
	json_t *rows = json_array();

	for (int i = 0; i < 6; i++) {
		json_t *row = json_array();

		for (int d = 1; d <= 6; d++) {
			tables[6 * i + d - 1] = d < from[i] ? before[i] : after[i];
			json_array_append_new(row, json_real(tables[6 * i + d - 1]));
		}
		json_array_append_new(rows, row);
	}
	return json_pack(
	    "{ss si so ss}", "env", "recovering", "slots", 2, "tables", rows, "noise", "none");
}

/* Regret at a quarter of the time and at its end. */
static void play(const json_t *env, const struct policy_ops *ops, const struct spec_param *params,
    size_t nparams, double *ret_quarter, double *ret_end)
{
	const struct sim_policy policy = {.ops = ops, .params = params, .nparams = nparams};
	const struct sim_opts opts = {
	    .horizon = HORIZON, .runs = 6, .seed = 1, .curve = 4, .threads = 2};
	struct errinfo err = {.rc = 0};
	struct sim_result r;

	ck_assert_msg(sim_run(env, &policy, &opts, &r, &err) == 0, "%s", err.text);
	*ret_quarter = r.curve[0].mean;
	*ret_end = r.regret.mean;
	sim_release(&r);
}

START_TEST(known_tables_lose_nothing)
{
	double tables[48], quarter, end;
	json_t *env = smooth("none", tables);
	struct spec_param known = {.name = "tables", .list = {.v = tables, .n = 48, .width = 6}};

	play(env, &recovering_ops, &known, 1, &quarter, &end);
	ck_assert_double_lt(fabs(end), 1);
	json_decref(env);
	env = steps(tables);
	known.list.n = 36;
	play(env, &recovering_ops, &known, 1, &quarter, &end);
	ck_assert_double_lt(fabs(end), 1);
	json_decref(env);
}
END_TEST

START_TEST(learning_loses_little_and_ever_less)
{
	const struct spec_param d_max = {.name = "d_max", .number = 6};
	double tables[48], quarter, end;
	json_t *env = smooth("bernoulli", tables);

	play(env, &recovering_ops, &d_max, 1, &quarter, &end);
	ck_assert_double_lt(fabs(quarter - 399), 60);
	ck_assert_double_lt(fabs(end - 996), 150);
	ck_assert_double_lt(end, .06 * HORIZON);
	ck_assert_double_lt(end, 3.3 * quarter);
	play(env, &uniform_ops, NULL, 0, &quarter, &end);
	ck_assert_double_gt(end, .1 * HORIZON);
	json_decref(env);
}
END_TEST

static void refused(const char *text, const char *pointer)
{
	const struct sim_policy policy = {.ops = &uniform_ops};
	const struct sim_opts opts = {.horizon = 10, .runs = 1, .threads = 1};
	json_t *env = json_loads(text, 0, NULL);
	struct errinfo err = {.rc = 0};
	struct sim_result r;

	ck_assert_int_eq(sim_run(env, &policy, &opts, &r, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, pointer);
	json_decref(env);
}

START_TEST(environments_name_what_is_wrong)
{
	refused("{\"env\":\"recovering\"}", "/tables");
	refused("{\"env\":\"recovering\",\"tables\":[0.5]}", "/tables");
	refused("{\"env\":\"recovering\",\"tables\":[[0.5,0.4]]}", "/tables");
	refused("{\"env\":\"recovering\",\"tables\":[[0.5,1.4]]}", "/tables");
	refused("{\"env\":\"recovering\",\"tables\":[[0.5],[0.4,0.5]]}", "/tables/1");
	refused("{\"env\":\"recovering\",\"tables\":[[0.5]],\"slots\":65}", "/slots");
	refused("{\"env\":\"recovering\",\"tables\":[[0.5]],\"noise\":\"much\"}", "/noise");
}
END_TEST

/* ---- bandit plan ---- */

static int run(char text[TEXT_MAX], const char *const *args)
{
	return run_command(cmd_plan, "plan", args, text, TEXT_MAX);
}

static int plan(char text[TEXT_MAX], const char *tables, const char *slots, const char *more)
{
	char path[] = "/tmp/test_recovering_XXXXXX";
	int fd = mkstemp(path), rc;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, tables, strlen(tables)), (int)strlen(tables));
	close(fd);
	rc = run(text, (const char *const[]){"--tables", path, "--slots", slots, more, NULL});
	unlink(path);
	return rc;
}

#define G1                                                                                         \
	"[[0.10,0.45,0.60,0.66],[0.32,0.41,0.45,0.48],"                                            \
	"[0.05,0.15,0.57,0.59],[0.20,0.37,0.41,0.44]]"

START_TEST(a_plan_is_printed)
{
	char text[TEXT_MAX];
	json_t *o;
	double value, upper, price;
	int p[4];

	ck_assert_int_eq(plan(text, G1, "2", NULL), 0);
	o = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(o);
	ck_assert_int_eq(json_unpack(o, "{s[iiii]s:F,s:F,s:F}", "periods", &p[0], &p[1], &p[2],
			     &p[3], "value", &value, "upper", &upper, "price", &price),
	    0);
	ck_assert(p[0] == 3 && p[1] == 1 && p[2] == 3 && p[3] == 3);
	ck_assert_double_eq_tol(value, 0.846666666667, 1e-12);
	ck_assert_double_eq_tol(upper, 0.856666666667, 1e-12);
	ck_assert_double_eq_tol(price, 0.23, 1e-12);
	ck_assert_uint_eq(json_array_size(json_object_get(o, "offsets")), 4);
	json_decref(o);
	ck_assert_int_eq(plan(text, G1, "2", "--no-improve"), 0);
	o = json_loads(text, 0, NULL);
	ck_assert_double_eq_tol(json_number_value(json_object_get(o, "value")), 0.78, 1e-12);
	json_decref(o);
}
END_TEST

START_TEST(what_cannot_be_planned_is_refused)
{
	char text[TEXT_MAX];

	ck_assert_int_eq(plan(text, "[[0.5,0.4]]", "1", NULL), 1);
	ck_assert_int_eq(plan(text, "[0.5,0.4]", "1", NULL), 1);
	ck_assert_int_eq(plan(text, "{}", "1", NULL), 1);
	ck_assert_int_eq(plan(text, "[[0.5", "1", NULL), 1);
	ck_assert_int_eq(plan(text, G1, "0", NULL), 2);
	ck_assert_int_eq(plan(text, G1, "many", NULL), 2);
	ck_assert_int_eq(run(text, (const char *const[]){"--slots", "1", NULL}), 2);
	ck_assert_int_eq(
	    run(text, (const char *const[]){"-t", "/no/such/file", "-k", "1", NULL}), 1);
	ck_assert_int_eq(run(text, (const char *const[]){"--help", NULL}), 0);
	ck_assert_ptr_nonnull(strstr(text, "usage: bandit plan"));
}
END_TEST

RUN("recovering_sim", known_tables_lose_nothing, learning_loses_little_and_ever_less,
    environments_name_what_is_wrong, a_plan_is_printed, what_cannot_be_planned_is_refused)
