/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/replay_plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LEAST_EXPONENT (-8) /* of the bins that follow the one for 0 */

void plot_sum_add(struct plot_sum *s, double x)
{
	s->every = s->every ? s->every : 1;
	s->sum += x;
	if (++s->steps % s->every) {
		return;
	}
	s->point[s->n++] = (struct plot_point){.x = (double)s->steps, .y = s->sum};
	if (s->n == PLOT_CURVE_POINTS) {
		for (s->n = 0; s->n < PLOT_CURVE_POINTS / 2; s->n++) {
			s->point[s->n] = s->point[2 * s->n + 1];
		}
		s->every *= 2;
	}
}

void plot_data_seen(void *arg, const struct round *r, double w)
{
	struct plot_data *d = arg;
	int bin = 0, e;

	plot_sum_add(&d->reward, w * r->reward);
	plot_sum_add(&d->logged, r->reward);
	if (w > 0) {
		frexp(w, &e); /* w lies in [2^(e-1), 2^e) */
		bin = e - LEAST_EXPONENT;
		bin = bin < 1 ? 1 : bin >= PLOT_WEIGHT_BINS ? PLOT_WEIGHT_BINS - 1 : bin;
	}
	d->weights[bin]++;
}

void plot_data_learnt(void *arg, const struct round *r, bool taken)
{
	struct plot_data *d = arg;

	plot_sum_add(&d->logged, r->reward);
	if (taken) {
		plot_sum_add(&d->reward, r->reward);
	}
}

static int draw(const struct plot *p, const char *folder, const char *name, struct errinfo *err)
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
		return err_set(err, RC_INVALID, "path", folder, "the path is too long");
	}
	return plot_svg(p, path, err);
}

static int draw_estimates(
    const char *folder, const struct plot_estimate *e, size_t n, struct errinfo *err)
{
	struct plot_point *point = calloc(n + 1, sizeof(*point));
	const char **name = calloc(n + 1, sizeof(*name));
	const struct plot_series series = {.label = "", .point = point, .n = n};
	const struct plot p = {.title = "estimates with intervals",
	    .x = "",
	    .y = "reward per round",
	    .kind = PLOT_INTERVALS,
	    .series = &series,
	    .n = 1,
	    .tics = name,
	    .ntics = n};
	int rc;

	if (!point || !name) {
		rc = err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		name[i] = e[i].name;
		point[i] = (struct plot_point){
		    .x = (double)i, .y = e[i].value, .lo = e[i].lo, .hi = e[i].hi};
	}
	rc = draw(&p, folder, "estimates.svg", err);
out:
	free(point);
	free(name);
	return rc;
}

static int draw_reward(
    const char *folder, const struct plot_data *data, size_t n, struct errinfo *err)
{
	struct plot_series *series = calloc(n + 1, sizeof(*series));
	const struct plot p = {.title = "reward, added up",
	    .x = "rounds (of a learning policy: those it was served)",
	    .y = "reward",
	    .series = series,
	    .n = n + 1};
	int rc;

	if (!series) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	series[0] = (struct plot_series){"the log", data[0].logged.point, data[0].logged.n};
	for (size_t i = 0; i < n; i++) {
		series[i + 1] =
		    (struct plot_series){data[i].name, data[i].reward.point, data[i].reward.n};
	}
	rc = draw(&p, folder, "reward.svg", err);
	free(series);
	return rc;
}

/* How many bins have to be shown, of all candidates. */
static size_t bins(const struct plot_data *data, size_t n)
{
	size_t last = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < PLOT_WEIGHT_BINS; k++) {
			last = data[i].weights[k] > 0 && k + 1 > last ? k + 1 : last;
		}
	}
	return last;
}

static int draw_weights(
    const char *folder, const struct plot_data *data, size_t n, struct errinfo *err)
{
	char label[PLOT_WEIGHT_BINS][16];
	const char *tics[PLOT_WEIGHT_BINS];
	size_t used = bins(data, n), drawn = 0;
	struct plot_series *series = calloc(n + 1, sizeof(*series));
	struct plot_point(*point)[PLOT_WEIGHT_BINS] = calloc(n + 1, sizeof(*point));
	struct plot p = {.title = "weights",
	    .x = "weight: 0, and from each number up to the next",
	    .y = "rounds",
	    .kind = PLOT_BARS,
	    .series = series,
	    .tics = tics,
	    .ntics = used};
	int rc = 0;

	if (!series || !point) {
		rc = err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		goto out;
	}
	for (size_t k = 0; k < PLOT_WEIGHT_BINS; k++) {
		/* The second bin has all that is smaller, too. */
		snprintf(label[k], sizeof(label[k]), "%.4g",
		    k > 1 ? ldexp(1, (int)k - 1 + LEAST_EXPONENT) : 0);
		tics[k] = k == 1 ? ">0" : label[k];
	}
	for (size_t i = 0; i < n; i++) {
		if (bins(&data[i], 1) == 0) {
			continue; /* a learning policy has no weights */
		}
		for (size_t k = 0; k < used; k++) {
			point[drawn][k] =
			    (struct plot_point){.x = (double)k, .y = data[i].weights[k]};
		}
		series[drawn] = (struct plot_series){data[i].name, point[drawn], used};
		drawn++;
	}
	p.n = drawn;
	rc = drawn ? draw(&p, folder, "weights.svg", err) : 0;
out:
	free(series);
	free(point);
	return rc;
}

int replay_plots(const char *folder, const struct plot_estimate *e, size_t estimates,
    const struct plot_data *data, size_t n, struct errinfo *err)
{
	int rc = mkdir(folder, 0777) && errno != EEXIST
		     ? err_set(err, RC_IO, "cannot_write", folder, "%s", strerror(errno))
		     : 0;

	rc = rc ? rc : draw_estimates(folder, e, estimates, err);
	rc = rc || n == 0 ? rc : draw_reward(folder, data, n, err);
	return rc || n == 0 ? rc : draw_weights(folder, data, n, err);
}
