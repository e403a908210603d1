/* SPDX-License-Identifier: Apache-2.0 */
/* bandit tables: what the log of an experiment says of arms that recover, or that wear. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "core/replay.h"
#include "eval/exposure.h"
#include "json/bind.h"
#include "policies/policies.h"
#include "policies/recovering_plan.h"

#define MEM_MAX ((size_t)64 << 20)
#define TICK_MAX 1000000000
#define MEMORY_MOST 1000000
#define J_MAX 32
#define ALPHA 0.05

const char tables_usage[] =
    "usage: bandit tables STATE EXPERIMENT --d-max D [--slots K] [OPTIONS]\n"
    "       bandit tables STATE EXPERIMENT --memory M [OPTIONS]\n"
    "\n"
    "What arms earn by how long they rested, or after M plays in a row: what a log of the "
    "policies\n"
    "recovering and tallying can tell, and any other log that names every pull. STATE is a state\n"
    "directory or its state.db; the daemon may run meanwhile. Rewards are scaled to [0, 1], more "
    "is\n"
    "better. With --slots a plan is made from the tables.\n"
    "\n"
    "  -d, --d-max D       rests of 1 to D periods; longer ones are D\n"
    "  -k, --slots K       plan slates of at most K arms\n"
    "  -m, --memory M      plays at the beginning of a row that do not count\n"
    "  -s, --by-subject    each subject has rests and rows of its own\n"
    "      --tick SECONDS  a period; without it a decision is one\n"
    "      --out FILE      the tables alone, for bandit plan --tables and the parameter tables\n"
    "      --json          one JSON document\n";

struct args {
	uint64_t d_max, slots, memory, tick_s;
	bool rests, rows, by_subject, json, help;
	const char *out;
};

struct tables {
	const struct args *a;
	struct exposure *x;
	struct exposure_left_out left_out;
	struct replay replay; /* after the last event: arms and their names */
	bool looking;
	uint64_t decisions, pulls;
	uint32_t *slot; /* of each row: arms that are not retired */
	double *rising; /* rows of d_max */
	uint32_t n;
	struct recovering_plan plan; /* n 0: none */
	struct progress progress;
	struct errinfo *err;
};

static int whole(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	if (cli_whole(text, most, ret) || *ret < least) {
		return cli_usage("tables", "--%s must be a whole number, %llu..%llu", option,
		    (unsigned long long)least, (unsigned long long)most);
	}
	return 0;
}

static int read_option(int c, struct args *a)
{
	switch (c) {
	case 'd':
		a->rests = true;
		return whole("d-max", optarg, 1, RECOVERING_D_MAX, &a->d_max);
	case 'k':
		return whole("slots", optarg, 1, RECOVERING_K_MAX, &a->slots);
	case 'm':
		a->rows = true;
		return whole("memory", optarg, 0, MEMORY_MOST, &a->memory);
	case 't':
		return whole("tick", optarg, 1, TICK_MAX, &a->tick_s);
	case 's':
		a->by_subject = true;
		return 0;
	case 'o':
		a->out = optarg;
		return 0;
	case 'J':
		a->json = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return CLI_USAGE;
	}
}

static int read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {{"d-max", required_argument, NULL, 'd'},
	    {"slots", required_argument, NULL, 'k'}, {"memory", required_argument, NULL, 'm'},
	    {"by-subject", no_argument, NULL, 's'}, {"tick", required_argument, NULL, 't'},
	    {"out", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'J'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "d:k:m:sh", options, NULL)) != -1) {
		rc = read_option(c, a);
	}
	if (rc || a->help) {
		return rc;
	}
	if (argc - optind != 2 || a->rests == a->rows) {
		return cli_usage(
		    "tables", "needs STATE, EXPERIMENT, and one of --d-max and --memory");
	}
	if (a->rows && (a->slots || a->out || a->tick_s)) {
		return cli_usage("tables", "--slots, --out and --tick go with --d-max");
	}
	return 0;
}

/* ---- reading, twice ---- */

static int on_event(void *arg, const struct event *ev)
{
	struct tables *t = arg;
	int rc;

	progress_add(&t->progress, 1);
	if (t->looking) {
		return exposure_look(t->x, ev, t->err);
	}
	rc = exposure_count(t->x, t->replay.e, ev, t->err);
	if (rc) {
		return rc;
	}
	t->decisions += ev->kind == EVENT_DECISION;
	rc = replay_event(&t->replay, ev, t->err);
	return rc == RC_CORRUPT ? err_set(t->err, rc, "corrupt", "", "seq %llu: %s",
				      (unsigned long long)ev->seq, t->replay.report.text)
				: rc;
}

static int read_log(struct tables *t, const struct state *s, uint32_t number)
{
	struct exposure_options o = {.d_max = (uint32_t)t->a->d_max,
	    .memory = t->a->memory,
	    .by_subject = t->a->by_subject,
	    .tick_us = (double)t->a->tick_s * 1e6};
	uint64_t last = 0, after = 0;
	struct arena mem;
	int rc = store_last_seq(s->reader, number, &last);

	rc = rc ? rc : state_begin(s->reader, number, &t->replay, &after, t->err);
	if (rc == 0 && after) {
		fprintf(stderr, "the log begins at seq %llu: what was before is pruned\n",
		    (unsigned long long)after + 1);
	}
	o.from_start = after == 0;
	rc = rc ? rc : exposure_new(&o, &t->x);
	arena_init(&mem, MEM_MAX);
	progress_start(&t->progress, "events", 2 * (last - after));
	for (int pass = 0; rc == 0 && pass < 2; pass++) {
		t->looking = pass == 0;
		rc = store_read_events(
		    s->reader, number, after, last, SIZE_MAX, &mem, on_event, t, t->err);
	}
	progress_clear(&t->progress);
	arena_release(&mem);
	if (rc == 0) {
		t->left_out = exposure_end(t->x);
	}
	return err_set(rc ? t->err : NULL, rc, "read_failed", s->where, "%s", err_name(rc));
}

/* ---- tables and plan ---- */

static const struct exposure_cell *row_of(const struct tables *t, uint32_t i)
{
	return exposure_of(t->x, t->slot[i]);
}

static int make_tables(struct tables *t)
{
	const struct arms *arms = experiment_arms(t->replay.e);
	uint32_t width = t->a->rests ? (uint32_t)t->a->d_max : 1;

	if ((uint64_t)arms->n * width > EXPOSURE_CELLS_MAX) {
		return err_set(t->err, RC_LIMIT, "too_many", "", "more than %u arms times rests",
		    EXPOSURE_CELLS_MAX);
	}
	t->slot = calloc((size_t)arms->n + 1, sizeof(*t->slot));
	t->rising = calloc((size_t)arms->n * width + 1, sizeof(*t->rising));
	if (!t->slot || !t->rising) {
		return err_set(t->err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	for (uint32_t slot = 0; slot < arms->n; slot++) {
		const struct exposure_cell *cells = exposure_of(t->x, slot);

		if (arms->arm[slot].state == ARM_RETIRED) {
			continue;
		}
		t->slot[t->n] = slot;
		for (uint32_t d = 0; cells && d < width; d++) {
			t->pulls += cells[d].n;
		}
		if (cells && t->a->rests) {
			exposure_rising(cells, width, t->rising + (size_t)t->n * width);
		}
		t->n++;
	}
	return 0;
}

static int make_plan(struct tables *t)
{
	struct recovering_tables r = {.r = t->rising,
	    .n = t->n,
	    .d_max = (uint32_t)t->a->d_max,
	    .k = (uint32_t)t->a->slots,
	    .j_max = J_MAX,
	    .improve = true};
	int rc = recovering_tables_check(&r, t->err);

	rc = rc ? rc : recovering_plan_make(&r, &t->plan);
	return rc ? err_set(t->err, rc, "plan", "", "%s", err_name(rc)) : 0;
}

/* ---- what is told ---- */

static json_t *real_or_null(double sum, uint64_t n)
{
	return n ? json_real(sum / (double)n) : json_null();
}

/* Of so many plays whose number was not chosen by their rewards: Hoeffding's. */
static double half_width(uint64_t n)
{
	return n ? fmin(1, sqrt(log(2 / ALPHA) / (2 * (double)n))) : 1;
}

static json_t *rising_to_json(const struct tables *t, uint32_t i)
{
	json_t *list = json_array();
	int rc = 0;

	for (uint64_t d = 0; d < t->a->d_max; d++) {
		rc |= json_array_append_new(list, json_real(t->rising[i * t->a->d_max + d]));
	}
	return bind_whole(list, rc);
}

static json_t *rests_to_json(const struct tables *t, uint32_t i)
{
	const struct exposure_cell *cells = row_of(t, i);
	json_t *o = json_object(), *n = json_array(), *mean = json_array();
	int rc = 0;

	for (uint64_t d = 0; d < t->a->d_max; d++) {
		struct exposure_cell c = cells ? cells[d] : (struct exposure_cell){.n = 0};

		rc |= json_array_append_new(n, json_integer((json_int_t)c.n));
		rc |= json_array_append_new(mean, real_or_null(c.sum, c.n));
	}
	rc |= json_object_set_new(o, "n", n);
	rc |= json_object_set_new(o, "mean", mean);
	rc |= json_object_set_new(o, "table", rising_to_json(t, i));
	if (t->a->slots) {
		rc |= json_object_set_new(o, "period", json_integer(t->plan.period[i]));
		rc |= json_object_set_new(o, "offset", json_integer(t->plan.offset[i]));
	}
	return bind_whole(o, rc);
}

static json_t *rows_to_json(const struct tables *t, uint32_t i)
{
	const struct exposure_cell *c = row_of(t, i);
	uint64_t n = c ? c->n : 0;

	return json_pack("{sI so sf}", "n", (json_int_t)n, "mean", real_or_null(c ? c->sum : 0, n),
	    "half_width", half_width(n));
}

static json_t *tables_to_json(const struct tables *t)
{
	json_t *list = json_array(), *o;
	int rc = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		json_t *arm = t->a->rests ? rests_to_json(t, i) : rows_to_json(t, i);

		rc |= json_object_set_new(
		    arm, "arm", json_string(arms_id(experiment_arms(t->replay.e), t->slot[i])));
		rc |= json_array_append_new(list, arm);
	}
	o = json_pack("{ss sI sI s{sI sI sI} so}", "experiment", experiment_name(t->replay.e),
	    "decisions", (json_int_t)t->decisions, "pulls", (json_int_t)t->pulls, "left_out",
	    "not_shown", (json_int_t)t->left_out.not_shown, "unrewarded",
	    (json_int_t)t->left_out.unrewarded, "unknown", (json_int_t)t->left_out.unknown, "arms",
	    bind_whole(list, rc));
	if (o && t->a->slots) {
		rc = json_object_set_new(o, "value", json_real(t->plan.value));
		rc |= json_object_set_new(o, "upper", json_real(t->plan.upper));
	}
	return bind_whole(o, rc);
}

static void print_rests(const struct tables *t)
{
	uint64_t d_max = t->a->d_max;

	printf("%-20s %10s %8s %8s", "arm", "pulls", "R(1)", "R(d-max)");
	puts(t->a->slots ? "  period  R(period)  pulls of it" : "");
	for (uint32_t i = 0; i < t->n; i++) {
		const struct exposure_cell *cells = row_of(t, i);
		const double *row = t->rising + i * d_max;
		uint64_t n = 0, period, d;

		for (d = 0; cells && d < d_max; d++) {
			n += cells[d].n;
		}
		printf("%-20s %10llu %8.4f %8.4f",
		    arms_id(experiment_arms(t->replay.e), t->slot[i]), (unsigned long long)n,
		    row[0], row[d_max - 1]);
		period = t->a->slots ? t->plan.period[i] : 0;
		d = period < d_max ? period : d_max;
		if (period) {
			printf("  %6llu  %9.4f  %11llu", (unsigned long long)period, row[d - 1],
			    (unsigned long long)(cells ? cells[d - 1].n : 0));
		} else if (t->a->slots) {
			printf("   never");
		}
		putchar('\n');
	}
	if (t->a->slots) {
		printf(
		    "by these tables the plan earns %.6g a period, and none earns more than %.6g\n",
		    t->plan.value, t->plan.upper);
	}
}

static void print_rows(const struct tables *t)
{
	printf("%-20s %10s %8s %18s\n", "arm", "plays", "mean", "95 %");
	for (uint32_t i = 0; i < t->n; i++) {
		const struct exposure_cell *c = row_of(t, i);
		const char *id = arms_id(experiment_arms(t->replay.e), t->slot[i]);
		double mean, half;

		if (!c || c->n == 0) {
			printf("%-20s %10d  unknown\n", id, 0);
			continue;
		}
		mean = c->sum / (double)c->n;
		half = half_width(c->n);
		printf("%-20s %10llu %8.4f  %7.4f - %6.4f\n", id, (unsigned long long)c->n, mean,
		    fmax(0, mean - half), fmin(1, mean + half));
	}
}

static int print_text(const struct tables *t)
{
	printf("%llu decisions, %llu pulls that count; left out: %llu not shown, %llu without a "
	       "reward, %llu after a rest that is not known\n\n",
	    (unsigned long long)t->decisions, (unsigned long long)t->pulls,
	    (unsigned long long)t->left_out.not_shown, (unsigned long long)t->left_out.unrewarded,
	    (unsigned long long)t->left_out.unknown);
	if (t->a->rests) {
		print_rests(t);
	} else {
		print_rows(t);
	}
	return cli_flush("tables");
}

static int write_out(const struct tables *t)
{
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		rc |= json_array_append_new(list, rising_to_json(t, i));
	}
	rc = rc || json_dump_file(list, t->a->out, JSON_COMPACT | JSON_REAL_PRECISION(17));
	json_decref(list);
	return rc ? err_set(t->err, RC_IO, "write_failed", t->a->out, "cannot be written") : 0;
}

int cmd_tables(int argc, char **argv)
{
	struct args a = {.d_max = 0};
	struct errinfo err = {.rc = 0};
	struct tables t = {.a = &a, .err = &err};
	struct state s = {.where = NULL};
	uint32_t number = 0;
	int rc = read_args(argc, argv, &a);

	if (rc || a.help) {
		return rc ? rc : (fputs(tables_usage, stdout), cli_flush("tables"));
	}
	replay_init(&t.replay, &(struct replay_options){.find = policy_find});
	rc = state_open(argv[optind], &s, &err);
	if (rc == 0 && !(number = state_find(&s, argv[optind + 1]))) {
		rc = err_set(
		    &err, RC_NOT_FOUND, "not_found", argv[optind + 1], "no such experiment");
	}
	rc = rc ? rc : read_log(&t, &s, number);
	rc = rc ? rc : make_tables(&t);
	rc = rc || !a.slots ? rc : make_plan(&t);
	rc = rc || !a.out ? rc : write_out(&t);
	if (rc) {
		rc = cli_fail("tables", &err);
	} else {
		rc = a.json ? cli_print_json("tables", tables_to_json(&t)) : print_text(&t);
	}
	recovering_plan_release(&t.plan);
	exposure_free(t.x);
	replay_release(&t.replay);
	state_close(&s);
	free(t.slot);
	free(t.rising);
	return rc;
}
