/* SPDX-License-Identifier: Apache-2.0 */
/* The relaxation: pulls per period are divisible, and arm i at x pulls per period earns the concave
 * envelope of the points (1/d, R_i(d)/d). Its value bounds every policy from above. */
#include <stdlib.h>

#include "policies/recovering_plan_impl.h"

#define TURN 1e-15

/* The next segment of an arm's envelope; slopes of one arm decrease. */
struct rp_head {
	double slope;
	uint32_t arm, at; /* the segment into breakpoint `at` */
};

struct point {
	double x, y;
};

static struct point point_of(const struct recovering_tables *t, uint32_t i, uint32_t d)
{
	return d ? (struct point){1.0 / d, rp_rate(t, i, d)} : (struct point){0, 0};
}

/* Periods at the breakpoints of the upper hull, from the origin to the right. */
static uint32_t envelope(
    const struct recovering_tables *t, uint32_t i, const uint32_t *d, uint32_t nd, uint32_t *hull)
{
	struct point p, p1, p2;
	uint32_t n = 1;

	hull[0] = 0;
	for (uint32_t j = nd; j-- > 0;) {
		p = point_of(t, i, d[j]);
		while (n >= 2) {
			p1 = point_of(t, i, hull[n - 2]);
			p2 = point_of(t, i, hull[n - 1]);
			if (!((p2.y - p1.y) * (p.x - p2.x) <=
				(p.y - p2.y) * (p2.x - p1.x) + TURN)) {
				break;
			}
			n--;
		}
		hull[n++] = d[j];
	}
	return n;
}

static bool before(const struct rp_head *a, const struct rp_head *b)
{
	return a->slope > b->slope || (a->slope == b->slope && a->arm < b->arm);
}

static void sift(struct rp_head *heap, uint32_t n, uint32_t at)
{
	struct rp_head x = heap[at];
	uint32_t child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && before(&heap[child + 1], &heap[child])) {
			child++;
		}
		if (!before(&heap[child], &x)) {
			break;
		}
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = x;
}

/* The segment after an arm's level; false when none has a slope above 0. */
static bool head_of(
    const struct recovering_tables *t, const struct rp_fill *f, uint32_t i, struct rp_head *ret)
{
	const uint32_t *hull = &f->hull[(size_t)i * f->stride];
	uint32_t j = f->level[i] + 1;
	struct point from, to;

	if (j >= f->len[i]) {
		return false;
	}
	from = point_of(t, i, hull[j - 1]);
	to = point_of(t, i, hull[j]);
	*ret = (struct rp_head){.slope = (to.y - from.y) / (to.x - from.x), .arm = i, .at = j};
	return ret->slope > 0;
}

static uint32_t start(
    const struct recovering_tables *t, const uint32_t *d, uint32_t nd, struct rp_fill *f)
{
	uint32_t n = 0;

	f->stride = nd + 1;
	f->price = 0;
	f->value = 0;
	f->frac = t->n;
	for (uint32_t i = 0; i < t->n; i++) {
		f->len[i] = envelope(t, i, d, nd, &f->hull[(size_t)i * f->stride]);
		f->level[i] = 0;
		f->x[i] = 0;
		n += head_of(t, f, i, &f->heap[n]);
	}
	for (uint32_t i = n / 2; i-- > 0;) {
		sift(f->heap, n, i);
	}
	return n;
}

void rp_fill(const struct recovering_tables *t, const uint32_t *d, uint32_t nd, struct rp_fill *f)
{
	uint32_t n = start(t, d, nd, f);
	double cap = t->k, dx;

	while (n > 0) {
		struct rp_head h = f->heap[0];
		const uint32_t *hull = &f->hull[(size_t)h.arm * f->stride];

		if (cap <= RP_EPS) {
			f->price = h.slope;
			return;
		}
		dx = 1.0 / hull[h.at] - (h.at > 1 ? 1.0 / hull[h.at - 1] : 0);
		if (!(dx <= cap + RP_EPS)) {
			f->x[h.arm] += cap;
			f->frac = h.arm;
			f->price = h.slope;
			f->value += h.slope * cap;
			return;
		}
		f->x[h.arm] = 1.0 / hull[h.at];
		f->level[h.arm] = h.at;
		f->value += h.slope * dx;
		cap -= dx;
		if (!head_of(t, f, h.arm, &f->heap[0])) {
			f->heap[0] = f->heap[--n];
		}
		sift(f->heap, n, 0);
	}
}

int rp_fill_init(const struct recovering_tables *t, uint32_t most, struct rp_fill *f)
{
	*f = (struct rp_fill){.frac = t->n};
	f->hull = calloc((size_t)t->n * (most + 1), sizeof(*f->hull));
	f->len = calloc(t->n, sizeof(*f->len));
	f->level = calloc(t->n, sizeof(*f->level));
	f->x = calloc(t->n, sizeof(*f->x));
	f->heap = calloc((size_t)t->n + 1, sizeof(*f->heap));
	return f->hull && f->len && f->level && f->x && f->heap ? 0 : RC_MEMORY;
}

void rp_fill_release(struct rp_fill *f)
{
	free(f->hull);
	free(f->len);
	free(f->level);
	free(f->x);
	free(f->heap);
}
