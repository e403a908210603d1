/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/sor_solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define PI 3.14159265358979323846
#define STEP 1e-3
#define TOL 1e-8
#define LONGEST_B 10.0

static double dot(size_t n, const double *a, const double *b)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += a[i] * b[i];
	}
	return sum;
}

/* The neighbours of point (row, col), added up; those before and those after it in order. */
static double before(const double *x, size_t m, size_t row, size_t col)
{
	const double *at = x + row * m + col;

	return (row ? at[-(ptrdiff_t)m] : 0) + (col ? at[-1] : 0);
}

static double after(const double *x, size_t m, size_t row, size_t col)
{
	const double *at = x + row * m + col;

	return (row + 1 < m ? at[m] : 0) + (col + 1 < m ? at[1] : 0);
}

static void multiply(const struct grid_matrix *a, const double *x, double *ret)
{
	size_t m = a->points;

	for (size_t row = 0; row < m; row++) {
		for (size_t col = 0; col < m; col++) {
			ret[row * m + col] =
			    a->diagonal * x[row * m + col] -
			    a->side * (before(x, m, row, col) + after(x, m, row, col));
		}
	}
}

static double residual(const struct grid_matrix *a, const double *b, const double *x)
{
	size_t m = a->points;
	double sum = 0;

	for (size_t row = 0; row < m; row++) {
		for (size_t col = 0; col < m; col++) {
			double r = b[row * m + col] - a->diagonal * x[row * m + col] +
				   a->side * (before(x, m, row, col) + after(x, m, row, col));

			sum += r * r;
		}
	}
	return sqrt(sum);
}

uint32_t sor_solve(
    const struct grid_matrix *a, const double *b, double *x, double omega, double tol, uint32_t cap)
{
	size_t m = a->points;
	double enough = tol * sqrt(dot(m * m, b, b));

	for (uint32_t k = 1; k < cap; k++) {
		for (size_t row = 0; row < m; row++) {
			for (size_t col = 0; col < m; col++) {
				double near = before(x, m, row, col) + after(x, m, row, col);
				double *at = &x[row * m + col];

				*at += omega *
				       ((b[row * m + col] + a->side * near) / a->diagonal - *at);
			}
		}
		if (residual(a, b, x) < enough) {
			return k;
		}
	}
	return cap;
}

double sor_best_omega(const struct grid_matrix *a)
{
	double beta = 4 * a->side * cos(PI / (a->points + 1)) / a->diagonal;
	double root = beta / (1 + sqrt(1 - beta * beta));

	return 1 + root * root;
}

void sor_draw(struct sor_system *s, bool varied, struct rng *rng)
{
	double norm;

	s->x = -0.15 + 0.6 * rng_beta(rng, varied ? 0.5 : 2, varied ? 1.5 : 6);
	s->a = (struct grid_matrix){.points = SOR_POINTS, .diagonal = 4 + s->x, .side = 1};
	do {
		norm = 0;
		for (size_t i = 0; i < SOR_POINTS * SOR_POINTS; i++) {
			s->b[i] = rng_normal(rng);
			norm += s->b[i] * s->b[i];
		}
	} while (norm > LONGEST_B * LONGEST_B);
}

/* An omega a lane. */
struct lanes {
	size_t open, stride; /* lanes before `open` are still at work */
	double *x;           /* [point * stride + lane]; a rim of zeros stands around the points */
	double omega[SOR_EACH_MAX], square[SOR_EACH_MAX]; /* of the residual */
	uint32_t which[SOR_EACH_MAX];                     /* of the caller's omegas it is */
};

static void sweep_lanes(const struct grid_matrix *a, const double *b, struct lanes *l)
{
	size_t m = a->points, n = l->stride, w = (m + 2) * n;
	double side = a->side, diagonal = a->diagonal;

	for (size_t row = 0; row < m; row++) {
		for (size_t col = 0; col < m; col++) {
			double *restrict at = l->x + (row + 1) * w + (col + 1) * n;
			const double *up = at - w, *left = at - n, *down = at + w, *right = at + n;
			double here = b[row * m + col];

			for (size_t j = 0; j < l->open; j++) {
				double near = (up[j] + left[j]) + (down[j] + right[j]);

				at[j] += l->omega[j] * ((here + side * near) / diagonal - at[j]);
			}
		}
	}
}

static void residual_lanes(const struct grid_matrix *a, const double *b, struct lanes *l)
{
	size_t m = a->points, n = l->stride, w = (m + 2) * n;
	double side = a->side, diagonal = a->diagonal;

	memset(l->square, 0, sizeof(l->square));
	for (size_t row = 0; row < m; row++) {
		for (size_t col = 0; col < m; col++) {
			const double *at = l->x + (row + 1) * w + (col + 1) * n;
			const double *up = at - w, *left = at - n, *down = at + w, *right = at + n;
			double here = b[row * m + col], *restrict square = l->square;

			for (size_t j = 0; j < l->open; j++) {
				double near = (up[j] + left[j]) + (down[j] + right[j]);
				double r = here - diagonal * at[j] + side * near;

				square[j] += r * r;
			}
		}
	}
}

/* The last lane takes the place of one that is done. */
static void close_lane(struct lanes *l, size_t points, size_t lane)
{
	size_t last = --l->open;

	for (size_t i = 0; i < points; i++) {
		l->x[i * l->stride + lane] = l->x[i * l->stride + last];
	}
	l->omega[lane] = l->omega[last];
	l->square[lane] = l->square[last];
	l->which[lane] = l->which[last];
}

void sor_solve_each(const struct grid_matrix *a, const double *b, size_t n, const double *omega,
    double tol, uint32_t cap, double *work, uint32_t *ret)
{
	size_t m = a->points, rimmed = (m + 2) * (m + 2);
	double enough = tol * sqrt(dot(m * m, b, b));
	struct lanes l = {.open = n, .stride = n, .x = work};

	memset(l.x, 0, n * rimmed * sizeof(*l.x));
	for (size_t i = 0; i < n; i++) {
		l.omega[i] = omega[i];
		l.which[i] = (uint32_t)i;
		ret[i] = cap;
	}
	for (uint32_t k = 1; k < cap && l.open; k++) {
		sweep_lanes(a, b, &l);
		residual_lanes(a, b, &l);
		for (size_t i = l.open; i-- > 0;) {
			if (sqrt(l.square[i]) < enough) {
				ret[l.which[i]] = k;
				close_lane(&l, rimmed, i);
			}
		}
	}
}

/* z = M^-1 r for M = (D + omega L') D^-1 (D + omega L), up to a factor, which changes nothing. */
static void precondition(const struct grid_matrix *a, double omega, const double *r, double *z)
{
	size_t m = a->points;
	double pull = omega * a->side;

	if (omega == 0) {
		memcpy(z, r, m * m * sizeof(*z));
		return;
	}
	for (size_t row = 0; row < m; row++) {
		for (size_t col = 0; col < m; col++) {
			z[row * m + col] =
			    (r[row * m + col] + pull * before(z, m, row, col)) / a->diagonal;
		}
	}
	for (size_t row = m; row-- > 0;) {
		for (size_t col = m; col-- > 0;) {
			z[row * m + col] += pull * after(z, m, row, col) / a->diagonal;
		}
	}
}

uint32_t cg_solve(const struct grid_matrix *a, const double *b, double *x, double omega, double tol,
    uint32_t cap, double *work)
{
	size_t n = (size_t)a->points * a->points;
	double *r = work, *z = r + n, *p = z + n, *q = p + n;
	double enough = tol * sqrt(dot(n, b, b)), rz, next, alpha;
	uint32_t k = 0;

	multiply(a, x, q);
	for (size_t i = 0; i < n; i++) {
		r[i] = b[i] - q[i];
	}
	precondition(a, omega, r, z);
	memcpy(p, z, n * sizeof(*p));
	rz = dot(n, r, z);
	for (; k < cap && sqrt(dot(n, r, r)) > enough; k++) {
		multiply(a, p, q);
		alpha = rz / dot(n, p, q);
		for (size_t i = 0; i < n; i++) {
			x[i] += alpha * p[i];
			r[i] -= alpha * q[i];
		}
		precondition(a, omega, r, z);
		next = dot(n, r, z);
		for (size_t i = 0; i < n; i++) {
			p[i] = z[i] + next / rz * p[i];
		}
		rz = next;
	}
	return k;
}

/* ---- heat ---- */

static double bump(double dx, double dy, double radius)
{
	double q = (dx * dx + dy * dy) / (radius * radius);

	return q < 1 ? exp(1 - 1 / (1 - q)) : 0;
}

double heat_coefficient(double t)
{
	double wave = sin(2 * PI * t);

	return fmax(0.1 * wave, -10 * wave);
}

double heat_context(const struct heat *h)
{
	return heat_coefficient(h->step * STEP);
}

int heat_init(struct heat *h, uint32_t cells)
{
	size_t m = cells - 1, n = m * m;

	*h = (struct heat){.cells = cells, .a.points = (uint32_t)m};
	h->u = calloc(6 * n, sizeof(*h->u));
	if (!h->u) {
		return RC_MEMORY;
	}
	h->b = h->u + n;
	h->work = h->b + n;
	for (size_t row = 0; row < m; row++) {
		for (size_t col = 0; col < m; col++) {
			h->u[row * m + col] = bump(
			    (double)(col + 1) / cells - 0.5, (double)(row + 1) / cells - 0.5, 0.25);
		}
	}
	return 0;
}

void heat_release(struct heat *h)
{
	free(h->u);
}

uint32_t heat_step(struct heat *h, double omega, uint32_t cap)
{
	double t = (h->step + 0.5) * STEP, c = h->cells;
	double side = heat_coefficient(t) * STEP * c * c / 2;
	double x = 0.5 + cos(16 * PI * t) / 4, y = 0.5 + sin(16 * PI * t) / 4;
	size_t m = h->a.points;

	h->a.diagonal = 1 - 4 * side;
	h->a.side = -side;
	multiply(&h->a, h->u, h->b);
	for (size_t row = 0; row < m; row++) {
		for (size_t col = 0; col < m; col++) {
			h->b[row * m + col] +=
			    STEP * 32 *
			    bump((double)(col + 1) / c - x, (double)(row + 1) / c - y, 0.125);
		}
	}
	h->a.diagonal = 1 + 4 * side;
	h->a.side = side;
	h->step++;
	return cg_solve(&h->a, h->b, h->u, omega, TOL, cap, h->work);
}
