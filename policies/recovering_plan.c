/* SPDX-License-Identifier: Apache-2.0 */
/* Planning under recovering rewards, after the method of D. Simchi-Levi, Z. Zheng, F. Zhu, "Dynamic
 * Planning and Learning under Recovering Rewards", ICML 2021: a concave relaxation, periods
 * a * 2^l of few odd classes a, and a schedule that splits time like a binary tree. Packing, the
 * moves and the constant of the guarantee are this project's own.
 *
 *	V >= gamma_K * UB,  gamma_K = max over J of J/(J+1) * K/(K+J) = 1 - O(1/sqrt K)
 *
 * Each set A of odd classes gives a relaxation restricted to the periods P(A) = {a * 2^l}; rounded
 * down and up it gives two plans, and the best of all is taken. */
#include "policies/recovering_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policies/recovering_plan_impl.h"

#define NOTHING 1e-9
#define SURE (1 + 1e-9)

int recovering_tables_check(const struct recovering_tables *t, struct errinfo *err)
{
	if (t->n < 1 || t->d_max < 1 || t->d_max > RECOVERING_D_MAX || t->k < 1 ||
	    t->k > RECOVERING_K_MAX || t->j_max < 1 || t->j_max > RECOVERING_J_MAX) {
		return err_set(err, RC_INVALID, "out_of_range", "",
		    "needs arms, 1..%d idle times, 1..%d slots", RECOVERING_D_MAX,
		    RECOVERING_K_MAX);
	}
	for (size_t i = 0; i < t->n; i++) {
		const double *r = &t->r[i * t->d_max];

		for (size_t d = 0; d < t->d_max; d++) {
			if (!isfinite(r[d]) || r[d] < (d ? r[d - 1] : 0)) {
				return err_set(err, RC_INVALID, "out_of_range", "",
				    "table %zu must be finite, >= 0 and never fall", i);
			}
		}
	}
	return 0;
}

double recovering_plan_worth(const struct recovering_tables *t, const uint32_t *period)
{
	double sum = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		sum += period[i] ? rp_rate(t, i, period[i]) : 0;
	}
	return sum;
}

double recovering_plan_cost(const struct recovering_tables *t)
{
	double odd = (t->d_max + 1) / 2, sets = (odd < t->j_max ? odd : t->j_max) + odd;

	return sets * t->n * (t->d_max + 40.0) + (double)t->n * t->d_max;
}

static int by_value(const void *left, const void *right)
{
	uint32_t x = *(const uint32_t *)left, y = *(const uint32_t *)right;

	return x < y ? -1 : x > y;
}

/* A = n odd classes from `first` on, in steps of 2. */
struct odd {
	uint32_t first, n;
};

/* P(A), ascending. */
static uint32_t periods_of(const struct odd *a, uint32_t d_max, uint32_t *ret)
{
	uint32_t n = 0, p;

	for (uint32_t i = 0; i < a->n; i++) {
		for (p = a->first + 2 * i; p < d_max; p *= 2) {
			ret[n++] = p;
		}
		ret[n++] = p;
	}
	qsort(ret, n, sizeof(*ret), by_value);
	return n;
}

/* The best period that takes at most x of the pulls. */
static int period_within(
    const struct recovering_tables *t, const struct odd *a, uint32_t arm, double x, uint32_t *ret)
{
	double need = x < NOTHING ? 0 : ceil(1 / x - 1e-9), best = 0;
	uint32_t *d, n = 0;
	uint64_t p;

	*ret = 0;
	if (x < NOTHING || need > RP_PERIOD_MAX) {
		return 0;
	}
	d = calloc((size_t)a->n * RP_LEVELS, sizeof(*d));
	if (!d) {
		return RC_MEMORY;
	}
	for (uint32_t i = 0; i < a->n; i++) {
		for (p = a->first + 2 * i; (double)p < need;) {
			p *= 2;
		}
		for (;; p *= 2) {
			if (p <= RP_PERIOD_MAX) {
				d[n++] = (uint32_t)p;
			}
			if (p >= t->d_max) {
				break;
			}
		}
	}
	qsort(d, n, sizeof(*d), by_value);
	for (uint32_t i = 0; i < n; i++) {
		double rate = rp_rate(t, arm, d[i]);

		if (*ret == 0 || rate > best + RP_EPS) {
			*ret = d[i];
			best = rate;
		}
	}
	free(d);
	return 0;
}

static int round_fill(struct rp_work *w, const struct odd *a, bool up)
{
	const struct rp_fill *f = &w->fill;
	uint32_t i = f->frac;

	w->now.up = up;
	w->now.first_class = a->first;
	w->now.classes = a->n;
	for (uint32_t j = 0; j < w->t->n; j++) {
		w->now.period[j] = f->hull[(size_t)j * f->stride + f->level[j]];
	}
	if (i == w->t->n) {
		return 0;
	}
	if (up) {
		w->now.period[i] = f->hull[(size_t)i * f->stride + f->level[i] + 1];
		return 0;
	}
	return period_within(w->t, a, i, f->x[i], &w->now.period[i]);
}

static int attempt(struct rp_work *w, const struct odd *a, bool up)
{
	int rc = round_fill(w, a, up);

	rc = rc ? rc : rp_pack(w);
	rc = rc || !w->t->improve ? rc : rp_improve(w);
	if (rc) {
		return rc;
	}
	w->now.value = recovering_plan_worth(w->t, w->now.period);
	if (w->now.value > w->best.value + RP_EPS || w->best.classes == 0) {
		struct rp_try was = w->best;

		w->best = w->now;
		w->now = was;
	}
	return 0;
}

static int attempts(struct rp_work *w, const struct odd *a, uint32_t *d)
{
	uint32_t n = periods_of(a, w->t->d_max, d);
	int rc;

	rp_fill(w->t, d, n, &w->fill);
	if (w->fill.value * SURE < w->best.value) {
		return 0; /* no plan with these periods is worth more than that */
	}
	rc = attempt(w, a, false);
	return rc || w->fill.frac == w->t->n ? rc : attempt(w, a, true);
}

static int bound_of(struct rp_work *w, struct recovering_plan *ret, uint32_t *d)
{
	for (uint32_t i = 0; i < w->t->d_max; i++) {
		d[i] = i + 1;
	}
	rp_fill(w->t, d, w->t->d_max, &w->fill);
	ret->upper = w->fill.value;
	ret->price = w->fill.price;
	ret->x = calloc(w->t->n, sizeof(*ret->x));
	if (!ret->x) {
		return RC_MEMORY;
	}
	memcpy(ret->x, w->fill.x, w->t->n * sizeof(*ret->x));
	return 0;
}

static int try_init(struct rp_try *a, size_t n)
{
	a->period = calloc(n, sizeof(*a->period));
	a->offset = calloc(n, sizeof(*a->offset));
	a->lane = calloc(n, sizeof(*a->lane));
	return a->period && a->offset && a->lane ? 0 : RC_MEMORY;
}

static void try_release(struct rp_try *a)
{
	free(a->period);
	free(a->offset);
	free(a->lane);
}

static int work_init(struct rp_work *w, const struct recovering_tables *t)
{
	uint32_t most = t->d_max + (t->d_max + 1) / 2; /* P(A): at most d_max and an end a class */
	int rc;

	*w = (struct rp_work){.t = t};
	rc = rp_fill_init(t, most, &w->fill);
	rc = rc ? rc : try_init(&w->now, t->n);
	rc = rc ? rc : try_init(&w->best, t->n);
	rc = rc ? rc : rp_pack_init(w);
	return rc || !t->improve ? rc : rp_improve_init(w);
}

static void work_release(struct rp_work *w)
{
	rp_fill_release(&w->fill);
	try_release(&w->now);
	try_release(&w->best);
	rp_pack_release(w);
	rp_improve_release(w);
}

static int search(struct rp_work *w, uint32_t *d)
{
	uint32_t most = (w->t->d_max + 1) / 2;
	struct odd a = {.first = 1};
	int rc = 0;

	most = most < w->t->j_max ? most : w->t->j_max;
	for (a.n = 1; rc == 0 && a.n <= most; a.n++) {
		rc = attempts(w, &a, d);
	}
	a.n = 1;
	for (a.first = 3; rc == 0 && a.first <= w->t->d_max; a.first += 2) {
		rc = attempts(w, &a, d);
	}
	return rc;
}

int recovering_plan_make(const struct recovering_tables *t, struct recovering_plan *ret)
{
	uint32_t *d = calloc((size_t)t->d_max * 2 + 1, sizeof(*d));
	struct recovering_plan plan = {.n = t->n};
	struct rp_work w;
	int rc = work_init(&w, t);

	rc = rc ? rc : d ? 0 : RC_MEMORY;
	rc = rc ? rc : bound_of(&w, &plan, d);
	rc = rc ? rc : search(&w, d);
	if (rc) {
		free(plan.x);
	} else {
		plan.period = w.best.period;
		plan.offset = w.best.offset;
		plan.lane = w.best.lane;
		plan.value = w.best.value;
		plan.classes = w.best.classes;
		plan.first_class = w.best.first_class;
		plan.made = w.best.made;
		plan.moves = w.best.moves;
		plan.up = w.best.up;
		w.best = (struct rp_try){.period = NULL};
		*ret = plan;
	}
	work_release(&w);
	free(d);
	return rc;
}

void recovering_plan_release(struct recovering_plan *p)
{
	free(p->period);
	free(p->offset);
	free(p->lane);
	free(p->x);
	*p = (struct recovering_plan){.n = 0};
}
