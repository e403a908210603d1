/* SPDX-License-Identifier: Apache-2.0 */
/* The headline experiments of the papers, run again: rows that stand beside a published figure or
 * one of the specification, and curves. A headline is a function that adds both.
 *
 * To add one: a file reproduce_NAME.c with the function, its line in reproduce_table (reproduce.c)
 * and in Makefile.inc. */
#ifndef CLI_REPRODUCE_H
#define CLI_REPRODUCE_H

#include <jansson.h>

#include "eval/sim.h"

enum rep_source {
	REP_PAPER,         /* the paper's own figure, or a theorem of it */
	REP_SPECIFICATION, /* a reference figure of this project's specification */
	REP_BOUND,         /* a bound that this project sets itself */
};

/* How a figure is held to its reference. */
enum rep_test {
	REP_EQUAL,   /* within 4 joint standard errors */
	REP_AT_MOST, /* a bound, up to 4 standard errors */
	REP_AT_LEAST,
	REP_SHOWN, /* nothing to hold it to */
};

struct rep_reference {
	double value, se;
	enum rep_source source;
	enum rep_test test;
};

struct rep; /* one headline under way */

bool rep_is_quick(const struct rep *r);
uint64_t rep_seed(const struct rep *r);
/* One row; what is copied. */
void rep_row(
    struct rep *r, const char *what, const struct rep_reference *reference, double ours, double se);

/* Plays a policy against an environment, both as on a command line; ret is the caller's to release.
 * curve: points, 0 for none. */
struct rep_play {
	const char *env, *policy;
	uint64_t horizon;
	uint32_t runs, delay, curve;
};
int rep_simulate(
    struct rep *r, const struct rep_play *play, struct sim_result *ret, struct errinfo *err);
/* Rows that differ in a simulation alone: its regret, and its curve under the same name. quick_runs
 * 0: not in a quick run. */
struct rep_line {
	const char *what;
	struct rep_play play;
	uint32_t quick_runs;
	struct rep_reference reference;
};
int rep_lines(struct rep *r, const struct rep_line *lines, size_t n, struct errinfo *err);
/* A point of the curve `label`; curves are made by their first point. */
void rep_point(struct rep *r, const char *label, double x, double y, double error);
/* The names of the curves' axes, once. */
void rep_axes(struct rep *r, const char *x, const char *y);
/* The bar on standard error speaks of this now. */
void rep_step(struct rep *r, const char *what);

struct rep_headline {
	const char *name, *title;
	int (*run)(struct rep *r, struct errinfo *err); /* negative: could not be run */
};
extern const struct rep_headline reproduce_table[]; /* ends with a NULL name */

int reproduce_exp3_flad(struct rep *r, struct errinfo *err);
int reproduce_ucb1_flad(struct rep *r, struct errinfo *err);
int reproduce_groupwise(struct rep *r, struct errinfo *err);
int reproduce_recovering(struct rep *r, struct errinfo *err);
int reproduce_sor(struct rep *r, struct errinfo *err);
int reproduce_streaming(struct rep *r, struct errinfo *err);
int reproduce_tallying(struct rep *r, struct errinfo *err);

/* Runs one; ret gets {"name","title","rows":[..]} and files NAME.csv and NAME.svg are written into
 * dir. *ret_differs is set when a row differs. */
int reproduce_run(const struct rep_headline *h, bool quick, uint64_t seed, const char *dir,
    json_t **ret, bool *ret_differs, struct errinfo *err);

#endif
