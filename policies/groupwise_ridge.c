/* SPDX-License-Identifier: Apache-2.0 */
/* Online least squares per group, and kind `regress` on it.
 *
 *	P = (lambda I + sum x x')^-1, b = sum y x, v = P x
 *	update: P -= v v' / (1 + x.v), b += y x, theta += v (y - x.theta) / (1 + x.v) [= P b]
 *	ridge: x.theta        forward: v.b / (1 + x.v) (Azoury, Warmuth 2001; Vovk 2001)
 *
 * P is symmetric and only its upper triangle is kept, row by row: rounding cannot make it anything
 * else. Up to REBUILT_DIM dimensions its inverse is kept too, and P computed anew from it now and
 * then. Predict O(d) for ridge, O(d^2) for forward; update O(d^2). */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/rng.h"
#include "policies/groupwise_impl.h"

#define REBUILT_DIM 64
#define REBUILD_EVERY 4096
#define TRIANGLE(d) ((d) * ((d) + 1) / 2)

/* The parts of a cell. */
struct ridge {
	double *p, *b, *theta, *inverse; /* inverse: NULL in many dimensions */
};

static struct ridge parts(const double *cell, size_t dim)
{
	double *p = (double *)(uintptr_t)cell;

	return (struct ridge){
	    .p = p,
	    .b = p + TRIANGLE(dim),
	    .theta = p + TRIANGLE(dim) + dim,
	    .inverse = dim <= REBUILT_DIM ? p + TRIANGLE(dim) + 2 * dim : NULL,
	};
}

size_t groupwise_ridge_cells(size_t dim)
{
	return TRIANGLE(dim) * (dim <= REBUILT_DIM ? 2 : 1) + 2 * dim;
}

void groupwise_ridge_init(double *cell, size_t dim, double lambda)
{
	struct ridge r = parts(cell, dim);
	size_t at = 0;

	memset(cell, 0, groupwise_ridge_cells(dim) * sizeof(*cell));
	for (size_t i = 0; i < dim; at += dim - i, i++) {
		r.p[at] = 1 / lambda;
		if (r.inverse) {
			r.inverse[at] = lambda;
		}
	}
}

/* Four sums side by side: one alone would wait for each addition. */
static double dot(size_t n, const double *a, const double *b)
{
	double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
	size_t i = 0;

	for (; i + 4 <= n; i += 4) {
		s0 += a[i] * b[i];
		s1 += a[i + 1] * b[i + 1];
		s2 += a[i + 2] * b[i + 2];
		s3 += a[i + 3] * b[i + 3];
	}
	for (; i < n; i++) {
		s0 += a[i] * b[i];
	}
	return (s0 + s1) + (s2 + s3);
}

static void add_times(size_t n, double *restrict a, double k, const double *restrict b)
{
	for (size_t i = 0; i < n; i++) {
		a[i] += k * b[i];
	}
}

/* v = P x from the triangle: row i serves as row and as column. */
static void times(const double *p, size_t dim, const double *x, double *ret_v)
{
	memset(ret_v, 0, dim * sizeof(*ret_v));
	for (size_t i = 0; i < dim; p += dim - i, i++) {
		ret_v[i] += dot(dim - i, p, x + i);
		if (x[i] != 0) {
			add_times(dim - i - 1, ret_v + i + 1, x[i], p + 1);
		}
	}
}

double groupwise_ridge_predict(
    const double *cell, size_t dim, enum groupwise_learner learner, const double *x)
{
	struct ridge r = parts(cell, dim);
	double v[GROUPWISE_DIM_MAX];

	if (learner == GROUPWISE_RIDGE) {
		return dot(dim, r.theta, x);
	}
	times(r.p, dim, x, v);
	return dot(dim, v, r.b) / (1 + dot(dim, x, v));
}

/* The factor L of a symmetric positive matrix, L L' = A, over its lower triangle by columns, which
 * is the upper one by rows. False: it is not positive. */
static bool factor(double *a, size_t dim)
{
	double *col = a, *next;

	for (size_t k = 0; k < dim; k++) {
		double root = sqrt(col[0]);

		if (!(root > 0 && isfinite(root))) {
			return false;
		}
		for (size_t i = 0; i < dim - k; i++) {
			col[i] /= root;
		}
		next = col + dim - k;
		for (size_t j = 1; j < dim - k; j++) {
			add_times(dim - k - j, next, -col[j], col + j);
			next += dim - k - j;
		}
		col += dim - k;
	}
	return true;
}

/* x = A^-1 e_at, for A = L L'. */
static void solve_unit(const double *l, size_t dim, size_t at, double *x)
{
	const double *col = l;

	memset(x, 0, dim * sizeof(*x));
	x[at] = 1;
	for (size_t k = 0; k < dim; col += dim - k, k++) {
		x[k] /= col[0];
		add_times(dim - k - 1, x + k + 1, -x[k], col + 1);
	}
	for (size_t k = dim; k-- > 0;) {
		col -= dim - k;
		x[k] = (x[k] - dot(dim - k - 1, col + 1, x + k + 1)) / col[0];
	}
}

static void rebuild(const struct ridge *r, size_t dim)
{
	double l[TRIANGLE(REBUILT_DIM)], x[REBUILT_DIM], *row = r->p;

	memcpy(l, r->inverse, TRIANGLE(dim) * sizeof(*l));
	if (!factor(l, dim)) {
		return; /* P is as good as what it would be made from */
	}
	for (size_t i = 0; i < dim; row += dim - i, i++) {
		solve_unit(l, dim, i, x);
		memcpy(row, x + i, (dim - i) * sizeof(*x));
	}
	times(r->p, dim, r->b, r->theta);
}

bool groupwise_ridge_update(double *cell, size_t dim, uint64_t n, const double *x, double y)
{
	struct ridge r = parts(cell, dim);
	double v[GROUPWISE_DIM_MAX], s, miss, *row = r.p;

	times(r.p, dim, x, v);
	s = 1 + dot(dim, x, v);
	miss = y - dot(dim, r.theta, x);
	if (!(s >= 1 && isfinite(s) && isfinite(miss))) {
		return false;
	}
	for (size_t i = 0; i < dim; row += dim - i, i++) {
		if (v[i] != 0) {
			add_times(dim - i, row, -v[i] / s, v + i);
		}
	}
	add_times(dim, r.theta, miss / s, v);
	add_times(dim, r.b, y, x);
	row = r.inverse;
	for (size_t i = 0; r.inverse && i < dim; row += dim - i, i++) {
		add_times(dim - i, row, x[i], x + i);
	}
	if (r.inverse && n % REBUILD_EVERY == 0) {
		rebuild(&r, dim);
	}
	return true;
}

static double clip(const struct groupwise *g, double y)
{
	double hi = g->lo + g->width;

	return y > g->lo ? y < hi ? y : hi : g->lo;
}

/* The memo holds, for each of the awake, its share and its prediction. */
int groupwise_regress_choose(const struct groupwise *g, const struct ask *ask, struct rng *rng,
    struct choice *ret, struct errinfo *err)
{
	double p[GROUPWISE_AWAKE_MAX + 1], y[GROUPWISE_AWAKE_MAX + 1], sum = 0, u;
	struct groupwise_awake a;
	size_t pick = 0;

	if (!ask->x) {
		return err_set(err, RC_INVALID, "missing_field", "/x", "x is required");
	}
	groupwise_wake(g, ask->groups, ask->ngroups, &a);
	groupwise_mixture(g, &a, p);
	for (size_t i = 0; i < a.n; i++) {
		const double *cell = a.group[i]->cell;
		double raw = cell ? groupwise_ridge_predict(
					cell, g->dim, (enum groupwise_learner)g->p->learner, ask->x)
				  : 0;

		y[i] = clip(g, raw);
		sum += p[i] * y[i];
		buf_put_f64(ret->memo, p[i]);
		buf_put_f64(ret->memo, y[i]);
	}
	if (g->p->output == GROUPWISE_SAMPLE) {
		u = rng_uniform(rng);
		while (pick + 1 < a.n && u >= p[pick]) {
			u -= p[pick++];
		}
		sum = y[pick];
	}
	ret->npicks = 0;
	ret->prediction = clip(g, sum);
	return ret->memo->rc;
}

static double square_loss(const struct groupwise *g, double prediction, double y)
{
	double d = (prediction - y) / g->width;

	d = d * d;
	return d < 1 ? d : 1;
}

/* By what was predicted when it was asked, so that R stays the true regret however late the label
 * is. */
static void charge_all(
    struct groupwise *g, const struct groupwise_awake *a, const struct outcome *o)
{
	double own[GROUPWISE_AWAKE_MAX + 1], mixture = 0, p;
	struct rd in;

	rd_init(&in, o->memo, o->nmemo);
	for (size_t i = 0; i < a->n; i++) {
		p = rd_f64(&in);
		own[i] = square_loss(g, rd_f64(&in), o->reward);
		mixture += p * own[i];
	}
	if (in.rc) {
		return; /* not a decision of ours */
	}
	if (g->p->mix == GROUPWISE_ACTUAL) {
		mixture = square_loss(g, o->prediction, o->reward);
	}
	for (size_t i = 0; i < a->n; i++) {
		if (a->at[i] < g->ngroups) {
			groupwise_charge(&g->group[a->at[i]], mixture, own[i]);
		}
	}
}

void groupwise_regress_update(struct groupwise *g, const struct outcome *o)
{
	struct groupwise_awake a;

	groupwise_wake(g, o->groups, o->ngroups, &a);
	charge_all(g, &a, o);
	groupwise_keep_known(g, &a, NULL);
	for (size_t i = 0; i < a.n; i++) {
		struct groupwise_group *group = &g->group[a.at[i]];

		if (groupwise_ridge_update(group->cell, g->dim, group->n + 1, o->x, o->reward)) {
			group->n++;
		} else {
			g->rejected++;
		}
	}
}
