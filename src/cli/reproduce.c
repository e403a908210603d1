/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reproduce.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/given.h"
#include "eval/plot.h"

#define CURVES_MAX 12
#define TOLERANCE 4 /* joint standard errors */
#define BAR_EVERY_US 100000
#define NAME_MAX_BYTES 96

const struct rep_headline reproduce_table[] = {
    {"exp3_flad", "EXP3-FLAD against explore-only and exploit-only mixing", reproduce_exp3_flad},
    {"ucb1_flad", "UCB1-FLAD and its relatives", reproduce_ucb1_flad},
    {"recovering", "Planned slates of arms that recover", reproduce_recovering},
    {"tallying", "Arms that repeated exposure changes", reproduce_tallying},
    {"streaming", "One pass over a stream of arms", reproduce_streaming},
    {"groupwise", "Regret on every group", reproduce_groupwise},
    {"sor", "Tuning a solver", reproduce_sor},
    {NULL, NULL, NULL},
};

struct curve {
	char label[NAME_MAX_BYTES];
	struct plot_point *point;
	size_t n, cap;
};

struct rep {
	const struct rep_headline *h;
	bool quick, differs, show;
	uint64_t seed, next_us;
	char step[NAME_MAX_BYTES];
	const char *x, *y;
	json_t *rows;
	struct curve curve[CURVES_MAX];
	size_t ncurves;
	int rc; /* want of memory */
};

bool rep_is_quick(const struct rep *r)
{
	return r->quick;
}

uint64_t rep_seed(const struct rep *r)
{
	return r->seed;
}

void rep_axes(struct rep *r, const char *x, const char *y)
{
	r->x = x;
	r->y = y;
}

void rep_step(struct rep *r, const char *what)
{
	snprintf(r->step, sizeof(r->step), "%s", what);
	if (r->show) {
		fprintf(stderr, "\r\033[K%s: %s", r->h->name, what);
	}
}

/* ---- rows ---- */

static const char *verdict(const struct rep_reference *f, double ours, double se)
{
	double joint = TOLERANCE * sqrt(f->se * f->se + se * se);

	switch (f->test) {
	case REP_EQUAL:
		return fabs(ours - f->value) <= joint ? "agrees" : "differs";
	case REP_AT_MOST:
		return ours - f->value <= joint ? "agrees" : "differs";
	case REP_AT_LEAST:
		return f->value - ours <= joint ? "agrees" : "differs";
	case REP_SHOWN:
		break;
	}
	return "reference";
}

void rep_row(struct rep *r, const char *what, const struct rep_reference *f, double ours, double se)
{
	static const char *const tests[] = {"equal", "at most", "at least", "shown"};
	static const char *const sources[] = {
	    "paper", "reference figure of this project's specification", "bound of this project"};
	const char *word = verdict(f, ours, se);
	json_t *reference = f->test == REP_SHOWN
				? json_null()
				: json_pack("{sf sf ss ss}", "value", f->value, "se", f->se, "is",
				      tests[f->test], "source", sources[f->source]);
	json_t *row = json_pack("{ss so sf sf ss}", "what", what, "reference", reference, "ours",
	    ours, "se", se, "verdict", word);

	r->differs = r->differs || strcmp(word, "differs") == 0;
	if (json_array_append_new(r->rows, row)) {
		r->rc = RC_MEMORY;
	}
}

/* ---- curves ---- */

static struct curve *curve_of(struct rep *r, const char *label)
{
	for (size_t i = 0; i < r->ncurves; i++) {
		if (strcmp(r->curve[i].label, label) == 0) {
			return &r->curve[i];
		}
	}
	if (r->ncurves == CURVES_MAX) {
		return NULL;
	}
	snprintf(r->curve[r->ncurves].label, NAME_MAX_BYTES, "%s", label);
	return &r->curve[r->ncurves++];
}

void rep_point(struct rep *r, const char *label, double x, double y, double error)
{
	struct curve *c = curve_of(r, label);

	if (!c) {
		return;
	}
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct plot_point *grown = realloc(c->point, cap * sizeof(*grown));

		if (!grown) {
			r->rc = RC_MEMORY;
			return;
		}
		c->point = grown;
		c->cap = cap;
	}
	c->point[c->n++] = (struct plot_point){.x = x, .y = y, .error = error};
}

static FILE *open_in(const char *dir, const char *name, const char *suffix, struct errinfo *err)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
	f = fopen(path, "w");
	if (!f) {
		err_set(err, RC_IO, "failed", path, "%s", strerror(errno));
	}
	return f;
}

static int write_csv(const struct rep *r, const char *dir, struct errinfo *err)
{
	FILE *f = open_in(dir, r->h->name, ".csv", err);

	if (!f) {
		return RC_IO;
	}
	fputs("curve,x,y,se\n", f);
	for (size_t i = 0; i < r->ncurves; i++) {
		for (size_t k = 0; k < r->curve[i].n; k++) {
			const struct plot_point *p = &r->curve[i].point[k];

			fprintf(f, "\"%s\",%.12g,%.12g,%.12g\n", r->curve[i].label, p->x, p->y,
			    p->error);
		}
	}
	return fclose(f) ? err_set(err, RC_IO, "failed", dir, "%s", strerror(errno)) : 0;
}

static int draw(const struct rep *r, const char *dir, struct errinfo *err)
{
	struct plot_series series[CURVES_MAX];
	struct plot p = {
	    .title = r->h->title, .x = r->x, .y = r->y, .series = series, .n = r->ncurves};
	char path[4096];
	int rc;

	for (size_t i = 0; i < r->ncurves; i++) {
		series[i] = (struct plot_series){
		    .label = r->curve[i].label, .point = r->curve[i].point, .n = r->curve[i].n};
	}
	snprintf(path, sizeof(path), "%s/%s.svg", dir, r->h->name);
	rc = r->ncurves ? plot_svg(&p, path, err) : 0;
	if (rc == RC_NOT_FOUND) {
		fputs("bandit reproduce: no plots, gnuplot is not installed\n", stderr);
		*err = (struct errinfo){.rc = 0};
		rc = 0;
	}
	return rc;
}

/* ---- simulations ---- */

static void show_progress(void *arg, uint64_t plays, uint64_t of)
{
	struct rep *r = arg;
	uint64_t now = clock_mono_us();

	if (now >= r->next_us) {
		r->next_us = now + BAR_EVERY_US;
		fprintf(stderr, "\r\033[K%s: %s %3.0f %%", r->h->name, r->step,
		    100 * (double)plays / (double)of);
	}
}

int rep_simulate(
    struct rep *r, const struct rep_play *play, struct sim_result *ret, struct errinfo *err)
{
	struct sim_opts opts = {.horizon = play->horizon,
	    .seed = r->seed,
	    .runs = play->runs,
	    .delay = play->delay,
	    .curve = play->curve,
	    .threads = 2,
	    .progress = r->show ? show_progress : NULL,
	    .progress_arg = r};
	struct given_policy given = {.json = NULL};
	struct sim_policy policy;
	json_t *env = NULL;
	struct arena mem;
	int rc;

	arena_init(&mem, (size_t)1 << 20);
	rc = given_env(play->env, &env, err);
	rc = rc ? rc : given_policy(play->policy, &mem, &given, err);
	if (rc == 0) {
		policy = (struct sim_policy){
		    .ops = given.ops, .params = given.params, .nparams = given.nparams};
		rc = sim_run(env, &policy, &opts, ret, err);
	}
	json_decref(given.json);
	json_decref(env);
	arena_release(&mem);
	return rc;
}

static int play_line(struct rep *r, const struct rep_line *line, struct sim_estimate *ret_regret,
    struct errinfo *err)
{
	struct rep_play play = line->play;
	struct sim_result result;
	int rc;

	play.runs = r->quick ? line->quick_runs : play.runs;
	rep_step(r, line->what);
	rc = rep_simulate(r, &play, &result, err);
	if (rc) {
		return rc;
	}
	for (uint32_t i = 0; i < result.ncurve; i++) {
		rep_point(
		    r, line->what, (double)result.at[i], result.curve[i].mean, result.curve[i].se);
	}
	*ret_regret = result.regret;
	sim_release(&result);
	return 0;
}

int rep_lines(struct rep *r, const struct rep_line *lines, size_t n, struct errinfo *err)
{
	struct sim_estimate regret = {0, 0};

	for (size_t i = 0; i < n; i++) {
		int rc = 0;

		if (r->quick && !lines[i].quick_runs) {
			continue;
		}
		if (lines[i].play.env) {
			rc = play_line(r, &lines[i], &regret, err);
		}
		if (rc) {
			return rc;
		}
		rep_row(r, lines[i].what, &lines[i].reference, regret.mean, regret.se);
	}
	return 0;
}

int reproduce_run(const struct rep_headline *h, bool quick, uint64_t seed, const char *dir,
    json_t **ret, bool *ret_differs, struct errinfo *err)
{
	struct rep r = {.h = h,
	    .quick = quick,
	    .seed = seed,
	    .show = isatty(STDERR_FILENO),
	    .x = "decisions",
	    .y = "regret",
	    .rows = json_array()};
	int rc = r.rows ? h->run(&r, err) : RC_MEMORY;

	if (r.show) {
		fputs("\r\033[K", stderr);
	}
	rc = rc ? rc : r.rc;
	rc = rc ? rc : write_csv(&r, dir, err);
	rc = rc ? rc : draw(&r, dir, err);
	for (size_t i = 0; i < r.ncurves; i++) {
		free(r.curve[i].point);
	}
	if (rc) {
		json_decref(r.rows);
		return err->rc ? err->rc : err_set(err, rc, "failed", h->name, "%s", err_name(rc));
	}
	*ret_differs = *ret_differs || r.differs;
	*ret = json_pack("{ss ss so}", "name", h->name, "title", h->title, "rows", r.rows);
	return *ret ? 0 : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}
