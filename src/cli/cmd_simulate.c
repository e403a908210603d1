/* SPDX-License-Identifier: Apache-2.0 */
/* bandit simulate: policies against an environment, side by side. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cmd_simulate.h"
#include "cli/given.h"
#include "eval/plot.h"
#include "eval/sim.h"

#define POLICIES_MAX 32
#define DIGITS 12       /* of a number in JSON: more than any simulation knows */
#define PLOT_POINTS 200 /* of a curve, unless --curve says otherwise */
#define BAR 30
#define BAR_EVERY_US 100000

const char simulate_usage[] =
    "usage: bandit simulate --env E --policy P [--policy P2 ...] [OPTIONS]\n"
    "\n"
    "Plays policies against an environment and prints their regret, side by side.\n"
    "\n"
    "  -e, --env E        JSON, @file, or name:key=value,...: bernoulli:means=[0.6,0.4]\n"
    "  -p, --policy P     JSON, @file, or name:key=value,...; up to 32 times\n"
    "  -T, --horizon T    decisions per run (10000)\n"
    "  -n, --runs N       independent runs (20)\n"
    "  -s, --seed S       the same seed prints the same bytes (1)\n"
    "  -d, --delay D      every reward comes D decisions late (0)\n"
    "  -l, --loss F       this share of the rewards never comes (0)\n"
    "  -c, --curve N      regret at N points on the way\n"
    "      --plot FILE    the curves as SVG\n"
    "      --json         one JSON document instead of a table\n";

struct args {
	json_t *env;
	struct given_policy policy[POLICIES_MAX];
	size_t npolicies;
	struct sim_opts opts;
	const char *plot;
	bool json, help;
};

struct bar {
	const char *policy;
	size_t i, n;
	uint64_t start_us, next_us;
};

static int usage_error(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "bandit simulate: %s must be %s, not \"%s\"\n", option, wanted, value);
	return RC_INVALID;
}

static int whole(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	double v = strtod(text, &end); /* 1e6 is a horizon, too */
	char wanted[64];

	if (!*text || *end || !(v >= 0 && v <= (double)max) || v != (double)(uint64_t)v) {
		snprintf(wanted, sizeof(wanted), "a whole number up to %" PRIu64, max);
		return usage_error(option, text, wanted);
	}
	*ret = (uint64_t)v;
	return 0;
}

static int whole32(const char *option, const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int rc = whole(option, text, max, &v);

	if (rc == 0) {
		*ret = (uint32_t)v;
	}
	return rc;
}

static int print_error(const char *option, const struct errinfo *err)
{
	fprintf(stderr, "bandit simulate: %s%s%s%s%s\n", option, *option ? ": " : "", err->pointer,
	    *err->pointer ? ": " : "", err->text);
	return err->rc;
}

static int read_env(const char *text, struct args *a)
{
	struct errinfo err = {.rc = 0};

	json_decref(a->env);
	a->env = NULL;
	return given_env(text, &a->env, &err) ? print_error("--env", &err) : 0;
}

static int read_policy(const char *text, struct arena *mem, struct args *a)
{
	struct errinfo err = {.rc = 0};

	if (a->npolicies == POLICIES_MAX) {
		fprintf(stderr, "bandit simulate: at most %d policies\n", POLICIES_MAX);
		return RC_LIMIT;
	}
	if (given_policy(text, mem, &a->policy[a->npolicies], &err)) {
		return print_error("--policy", &err);
	}
	a->npolicies++;
	return 0;
}

static int read_loss(const char *text, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (!*text || *end || !(v >= 0 && v <= 1)) {
		return usage_error("--loss", text, "a share in [0, 1]");
	}
	*ret = v;
	return 0;
}

enum { OPT_PLOT = 256, OPT_JSON };

static const struct option options[] = {
    {"env", required_argument, NULL, 'e'},
    {"policy", required_argument, NULL, 'p'},
    {"horizon", required_argument, NULL, 'T'},
    {"runs", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, 's'},
    {"delay", required_argument, NULL, 'd'},
    {"loss", required_argument, NULL, 'l'},
    {"curve", required_argument, NULL, 'c'},
    {"plot", required_argument, NULL, OPT_PLOT},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int read_option(int c, struct arena *mem, struct args *a)
{
	struct sim_opts *o = &a->opts;

	switch (c) {
	case 'e':
		return read_env(optarg, a);
	case 'p':
		return read_policy(optarg, mem, a);
	case 'T':
		return whole("--horizon", optarg, SIM_HORIZON_MAX, &o->horizon);
	case 'n':
		return whole32("--runs", optarg, SIM_RUNS_MAX, &o->runs);
	case 's':
		return whole("--seed", optarg, UINT64_C(1) << 53, &o->seed);
	case 'd':
		return whole32("--delay", optarg, SIM_DELAY_MAX, &o->delay);
	case 'l':
		return read_loss(optarg, &o->loss);
	case 'c':
		return whole32("--curve", optarg, SIM_CURVE_MAX, &o->curve);
	case OPT_PLOT:
		a->plot = optarg;
		return 0;
	case OPT_JSON:
		a->json = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return RC_INVALID; /* getopt has said why */
	}
}

static int read_args(int argc, char **argv, struct arena *mem, struct args *a)
{
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "e:p:T:n:s:d:l:c:h", options, NULL)) != -1) {
		rc = read_option(c, mem, a);
	}
	if (rc == 0 && !a->help && (optind != argc || !a->env || a->npolicies == 0)) {
		fputs(optind != argc ? "bandit simulate: options only; quote what contains spaces\n"
				     : "bandit simulate: needs --env and at least one --policy\n",
		    stderr);
		rc = RC_INVALID;
	}
	if (a->plot && a->opts.curve == 0) {
		a->opts.curve =
		    a->opts.horizon < PLOT_POINTS ? (uint32_t)a->opts.horizon : PLOT_POINTS;
	}
	return rc;
}

static void show_progress(void *arg, uint64_t plays, uint64_t of)
{
	struct bar *b = arg;
	uint64_t now = clock_mono_us();
	double share = (double)plays / (double)of, seconds = (double)(now - b->start_us) / 1e6;
	int full = (int)(share * BAR);

	if (now < b->next_us) {
		return;
	}
	b->next_us = now + BAR_EVERY_US;
	fprintf(stderr, "\r\033[K%zu/%zu %s [%.*s%*s] %3.0f %%  %.3g/s  %.0f s left", b->i + 1,
	    b->n, b->policy, full, "##############################", BAR - full, "", 100 * share,
	    (double)plays / seconds, seconds * (1 - share) / share);
}

static int simulate(const struct args *a, size_t i, struct sim_result *ret)
{
	const struct given_policy *p = &a->policy[i];
	const struct sim_policy policy = {
	    .ops = p->ops, .params = p->params, .nparams = p->nparams};
	struct sim_opts opts = a->opts;
	struct bar bar = {.policy = p->ops->name, .i = i, .n = a->npolicies};
	struct errinfo err = {.rc = 0};
	bool show = isatty(STDERR_FILENO);
	int rc;

	if (show) {
		bar.start_us = clock_mono_us();
		bar.next_us = bar.start_us + BAR_EVERY_US;
		opts.progress = show_progress;
		opts.progress_arg = &bar;
	}
	rc = sim_run(a->env, &policy, &opts, ret, &err);
	if (show) {
		fputs("\r\033[K", stderr);
	}
	return rc ? print_error("", &err) : 0;
}

static json_t *estimate_json(const struct sim_estimate *e)
{
	return json_pack("{sf sf}", "mean", e->mean, "se", e->se);
}

static json_t *groups_json(const struct sim_result *r)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < r->ngroups; i++) {
		json_t *group = json_pack("{ss so}", "group", r->group[i].name, "regret",
		    estimate_json(&r->group[i].regret));

		if (r->group[i].has_base) {
			json_object_set_new(group, "base", estimate_json(&r->group[i].base));
		}
		json_array_append_new(groups, group);
	}
	return groups;
}

static json_t *result_json(const struct given_policy *p, const struct sim_result *r)
{
	json_t *ret, *regret = estimate_json(&r->regret), *curve = json_array(),
		     *arms = json_array();
	char id[12];

	for (uint32_t i = 0; i < r->ncurve; i++) {
		json_array_append_new(curve,
		    json_pack("[Iff]", (json_int_t)r->at[i], r->curve[i].mean, r->curve[i].se));
	}
	if (r->ncurve) {
		json_object_set(regret, "curve", curve);
	}
	json_decref(curve);
	for (uint32_t i = 0; i < r->narms; i++) {
		snprintf(id, sizeof(id), "%" PRIu32, i);
		json_array_append_new(arms, json_pack("{ss sf}", "arm", id, "share", r->share[i]));
	}
	ret = json_pack("{sO so so so}", "policy", p->json, "regret", regret, "reward",
	    estimate_json(&r->reward), "arms", arms);
	if (r->ngroups) {
		json_object_set_new(ret, "groups", groups_json(r));
	}
	return ret;
}

static int print_json(const struct args *a, const struct sim_result *r)
{
	json_t *results = json_array(), *doc;
	int rc;

	for (size_t i = 0; i < a->npolicies; i++) {
		json_array_append_new(results, result_json(&a->policy[i], &r[i]));
	}
	doc = json_pack("{sI sI sI sO so}", "horizon", (json_int_t)a->opts.horizon, "runs",
	    (json_int_t)a->opts.runs, "seed", (json_int_t)a->opts.seed, "env", a->env, "results",
	    results);
	rc = doc ? json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : -1;
	json_decref(doc);
	putchar('\n');
	return rc ? RC_MEMORY : 0;
}

/* The policy as it may be typed: name:key=value,... */
static uint32_t favourite(const struct sim_result *r)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < r->narms; i++) {
		best = r->share[i] > r->share[best] ? i : best;
	}
	return best;
}

static void print_groups(const struct sim_result *r)
{
	for (size_t i = 0; i < r->ngroups; i++) {
		const struct sim_group *g = &r->group[i];

		printf("%40s %12.2f %10.2f", g->name, g->regret.mean, g->regret.se);
		if (g->has_base) {
			printf("  without groups %.2f", g->base.mean);
		}
		putchar('\n');
	}
}

static void print_table(const struct args *a, const struct sim_result *r)
{
	char name[128];

	printf("%-40s %12s %10s %10s  %s\n", "policy", "regret", "s.e.", "reward", "favourite arm");
	for (size_t i = 0; i < a->npolicies; i++) {
		uint32_t arm = favourite(&r[i]);

		given_policy_text(&a->policy[i], name, sizeof(name));
		printf("%-40s %12.2f %10.2f %10.5f", name, r[i].regret.mean, r[i].regret.se,
		    r[i].reward.mean);
		if (r[i].narms) {
			printf("  %" PRIu32 " (%.1f %%)", arm, 100 * r[i].share[arm]);
		}
		putchar('\n');
		for (uint32_t k = 0; k < r[i].ncurve && !a->plot; k++) {
			printf("%40" PRIu64 " %12.2f %10.2f\n", r[i].at[k], r[i].curve[k].mean,
			    r[i].curve[k].se);
		}
		print_groups(&r[i]);
	}
}

static int plot(const struct args *a, const struct sim_result *r, struct arena *mem)
{
	struct plot_series *series = arena_array(mem, a->npolicies, sizeof(*series));
	struct errinfo err = {.rc = 0};
	struct plot p = {.title = json_string_value(json_object_get(a->env, "env")),
	    .x = "decisions",
	    .y = "regret (band: one standard error)",
	    .series = series,
	    .n = a->npolicies};

	for (size_t i = 0; series && i < a->npolicies; i++) {
		struct plot_point *point = arena_array(mem, r[i].ncurve, sizeof(*point));
		char *label = arena_alloc(mem, 128);

		if (!point || !label) {
			return RC_MEMORY;
		}
		given_policy_text(&a->policy[i], label, 128);
		for (uint32_t k = 0; k < r[i].ncurve; k++) {
			point[k] = (struct plot_point){.x = (double)r[i].at[k],
			    .y = r[i].curve[k].mean,
			    .error = r[i].curve[k].se};
		}
		series[i] = (struct plot_series){.label = label, .point = point, .n = r[i].ncurve};
	}
	if (!series) {
		return RC_MEMORY;
	}
	return plot_svg(&p, a->plot, &err) ? print_error("--plot", &err) : 0;
}

static int report(const struct args *a, const struct sim_result *r, struct arena *mem)
{
	int rc = 0;

	if (a->json) {
		rc = print_json(a, r);
	} else {
		print_table(a, r);
	}
	if (rc == 0 && a->plot) {
		rc = plot(a, r, mem);
	}
	if (fflush(stdout)) {
		perror("bandit simulate: standard output");
		rc = RC_IO;
	}
	return rc;
}

static uint32_t processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > SIM_THREADS_MAX ? SIM_THREADS_MAX : (uint32_t)n;
}

int cmd_simulate(int argc, char **argv)
{
	struct args a = {.opts = {.horizon = 10000, .runs = 20, .seed = 1}};
	struct sim_result result[POLICIES_MAX] = {{.ncurve = 0}};
	uint64_t start = clock_mono_us();
	struct arena mem;
	int rc;

	a.opts.threads = processors();
	arena_init(&mem, (size_t)256 << 20);
	rc = read_args(argc, argv, &mem, &a);
	if (rc == 0 && a.help) {
		fputs(simulate_usage, stdout);
		goto out;
	}
	for (size_t i = 0; rc == 0 && i < a.npolicies; i++) {
		rc = simulate(&a, i, &result[i]);
	}
	if (rc == 0) {
		rc = report(&a, result, &mem);
		fprintf(stderr, "%.2f s\n", (double)(clock_mono_us() - start) / 1e6);
	}
out:
	for (size_t i = 0; i < a.npolicies; i++) {
		sim_release(&result[i]);
		json_decref(a.policy[i].json);
	}
	json_decref(a.env);
	arena_release(&mem);
	return rc == 0 ? 0 : rc == RC_INVALID || rc == RC_LIMIT ? 2 : 1;
}
