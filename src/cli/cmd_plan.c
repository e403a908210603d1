/* SPDX-License-Identifier: Apache-2.0 */
/* bandit plan: the planner of the policy recovering by itself. */
#include <stdio.h>

#include "base/arena.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/given.h"
#include "json/bind.h"
#include "json/spec_json.h"
#include "policies/recovering_plan.h"

#define MEM_MAX ((size_t)16 << 20)

const char plan_usage[] =
    "usage: bandit plan --tables FILE --slots K [OPTIONS]\n"
    "\n"
    "Plans slates of arms whose reward grows while they rest. FILE holds [[R(1),R(2),..],..]: one\n"
    "row per arm, what a pull earns after 1, 2, .. periods without one; >= 0, never falling. "
    "Prints\n"
    "JSON: arm i is due when t mod periods[i] is offsets[i] (period 0: never); value is the "
    "reward\n"
    "per period, upper what no policy can exceed, price what one more slot would add.\n"
    "\n"
    "  -t, --tables FILE  the tables\n"
    "  -k, --slots K      arms per period, at most\n"
    "  -j, --j-max J      odd classes of periods tried together (32)\n"
    "      --no-improve   leave out the moves that improve a plan\n";

struct args {
	const char *tables;
	uint64_t slots, j_max;
	bool improve, help;
};

static int read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {{"tables", required_argument, NULL, 't'},
	    {"slots", required_argument, NULL, 'k'}, {"j-max", required_argument, NULL, 'j'},
	    {"no-improve", no_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "t:k:j:h", options, NULL)) != -1) {
		if (c == 't') {
			a->tables = optarg;
		} else if (c == 'k') {
			if (cli_whole(optarg, RECOVERING_K_MAX, &a->slots) || a->slots == 0) {
				return cli_usage("plan", "--slots must be a whole number, 1..%d",
				    RECOVERING_K_MAX);
			}
		} else if (c == 'j') {
			if (cli_whole(optarg, RECOVERING_J_MAX, &a->j_max) || a->j_max == 0) {
				return cli_usage("plan", "--j-max must be a whole number, 1..%d",
				    RECOVERING_J_MAX);
			}
		} else if (c == 'n') {
			a->improve = false;
		} else if (c == 'h') {
			a->help = true;
		} else {
			return CLI_USAGE;
		}
	}
	if (!a->help && (!a->tables || !a->slots || optind != argc)) {
		return cli_usage("plan", "needs --tables and --slots");
	}
	return 0;
}

static json_t *plan_to_json(const struct recovering_plan *p)
{
	json_t *periods = json_array(), *offsets = json_array();
	int rc = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		rc |= json_array_append_new(periods, json_integer(p->period[i]));
		rc |= json_array_append_new(offsets, json_integer(p->offset[i]));
	}
	return json_pack("{so so sf sf sf}", "periods", bind_whole(periods, rc), "offsets",
	    bind_whole(offsets, rc), "value", p->value, "upper", p->upper, "price", p->price);
}

static int read_tables(
    const struct args *a, struct arena *mem, struct recovering_tables *ret, struct errinfo *err)
{
	struct param_list list = {.n = 0};
	json_t *o = NULL;
	int rc = given_file(a->tables, &o, err);

	rc = rc ? rc : list_from_json(o, "", mem, &list, err);
	json_decref(o);
	if (rc == 0 && list.width == 0) {
		rc = err_set(err, RC_INVALID, "wrong_type", a->tables,
		    "must hold an array of rows, one per arm");
	}
	if (rc) {
		return rc;
	}
	*ret = (struct recovering_tables){.r = list.v,
	    .n = (uint32_t)(list.n / list.width),
	    .d_max = (uint32_t)list.width,
	    .k = (uint32_t)a->slots,
	    .j_max = (uint32_t)a->j_max,
	    .improve = a->improve};
	return recovering_tables_check(ret, err);
}

int cmd_plan(int argc, char **argv)
{
	struct args a = {.j_max = 32, .improve = true};
	struct recovering_tables t;
	struct recovering_plan p = {.n = 0};
	struct errinfo err = {.rc = 0};
	struct arena mem;
	int rc = read_args(argc, argv, &a);

	if (rc) {
		return rc;
	}
	if (a.help) {
		fputs(plan_usage, stdout);
		return cli_flush("plan");
	}
	arena_init(&mem, MEM_MAX);
	rc = read_tables(&a, &mem, &t, &err);
	rc = rc ? rc : recovering_plan_make(&t, &p);
	if (rc) {
		err.rc = rc;
		rc = cli_fail("plan", &err);
	} else {
		rc = cli_print_json("plan", plan_to_json(&p));
	}
	recovering_plan_release(&p);
	arena_release(&mem);
	return rc;
}
