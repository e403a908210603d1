/* SPDX-License-Identifier: Apache-2.0 */
/* Plots of evaluations: estimates with their intervals, reward as it adds up, weights. */
#ifndef CLI_REPLAY_PLOT_H
#define CLI_REPLAY_PLOT_H

#include "eval/ope.h"
#include "eval/plot.h"

#define PLOT_WEIGHT_BINS 32
#define PLOT_CURVE_POINTS 512

/* A sum over any number of steps at a few hundred of them: when it is full, every other point goes.
 */
struct plot_sum {
	struct plot_point point[PLOT_CURVE_POINTS];
	size_t n;
	uint64_t steps, every;
	double sum;
};
void plot_sum_add(struct plot_sum *s, double x);

struct plot_data {
	const char *name;
	struct plot_sum reward, logged;   /* what the candidate and the log earned */
	double weights[PLOT_WEIGHT_BINS]; /* rounds by weight: 0, then powers of 2 */
};
/* For struct ope_options, with a struct plot_data. */
void plot_data_seen(void *arg, const struct round *r, double w);

/* For replay_play(), with a struct plot_data. */
void plot_data_learnt(void *arg, const struct round *r, bool taken);

struct plot_estimate {
	const char *name;
	double value, lo, hi;
};
/* Writes estimates.svg, and of n data reward.svg and weights.svg, into a directory that is made if
 * need be. Data without weights have no bars. Errors of plot_svg(). */
int replay_plots(const char *folder, const struct plot_estimate *e, size_t estimates,
    const struct plot_data *data, size_t n, struct errinfo *err);

#endif
