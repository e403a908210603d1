/* SPDX-License-Identifier: Apache-2.0 */
/* Curves, intervals and bars as SVG, drawn by gnuplot. */
#ifndef EVAL_PLOT_H
#define EVAL_PLOT_H

#include <stddef.h>

#include "base/err.h"

struct plot_point {
	double x, y, error; /* a band of y +- error is shaded; 0: none */
	double lo, hi;      /* of PLOT_INTERVALS */
};

/* Intervals and bars stand at whole x, which have names: tics. */
enum plot_kind { PLOT_CURVES, PLOT_INTERVALS, PLOT_BARS };

struct plot_series {
	const char *label;
	const struct plot_point *point;
	size_t n;
};

struct plot {
	const char *title, *x, *y; /* the axes' names */
	const struct plot_series *series;
	size_t n;
	enum plot_kind kind;
	const char *const *tics;
	size_t ntics;
};

/* Writes a file anew. RC_NOT_FOUND: gnuplot is not installed; RC_IO, RC_FAILED: what it said is on
 * standard error. */
int plot_svg(const struct plot *p, const char *path, struct errinfo *err);

#endif
