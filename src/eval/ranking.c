/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/ranking.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The mean over places, and its interval from theirs: distances to the bounds add as the roots of
 * sums of squares (Zou, Donner 2008), so one place keeps its own interval, and normal intervals
 * give that of the mean. The slack of a holdout is no chance that evens out: there they add. */
static void pool(struct ranking *r, const struct ranking_cell *cell, size_t i)
{
	double sum = 0, lo2 = 0, hi2 = 0, lo1 = 0, hi1 = 0, p = (double)r->places;
	bool guarded = false;

	for (size_t k = 0; k < r->places; k++) {
		const struct ranking_cell *c = &cell[k * r->n + i];

		sum += c->value;
		lo1 += c->value - c->lo;
		hi1 += c->hi - c->value;
		lo2 += (c->value - c->lo) * (c->value - c->lo);
		hi2 += (c->hi - c->value) * (c->hi - c->value);
		guarded = guarded || c->guarded;
	}
	r->mean[i] = sum / p;
	r->lo[i] = r->mean[i] - (guarded ? lo1 : sqrt(lo2)) / p;
	r->hi[i] = r->mean[i] + (guarded ? hi1 : sqrt(hi2)) / p;
}

static void find_parts(struct ranking *r, const struct ranking_cell *cell, enum ope_verdict v,
    const char *const *place_names, const char *const *names)
{
	for (size_t i = 0; i < r->places * r->n; i++) {
		if (cell[i].verdict == v) {
			OPE_FIND(r, v, "%.100s on %.100s: %.180s", names[i % r->n],
			    place_names[i / r->n], cell[i].why);
		}
	}
}

static void find_separation(struct ranking *r, const char *const *names)
{
	for (size_t i = 0; i + 1 < r->n; i++) {
		uint32_t a = r->by_mean[i], b = r->by_mean[i + 1];

		for (size_t k = i + 1; k < r->n; k++) {
			b = r->hi[r->by_mean[k]] > r->hi[b] ? r->by_mean[k] : b;
		}
		r->separates[i] = r->lo[a] > r->hi[b];
		if (!r->separates[i]) {
			OPE_FIND(r, OPE_WEAK,
			    "%.100s and %.100s do not separate, [%.6g, %.6g] and [%.6g, %.6g]; %s",
			    names[a], names[b], r->lo[a], r->hi[a], r->lo[b], r->hi[b],
			    i ? "those before them do" : "the first place is open");
		}
	}
}

static void judge(struct ranking *r, const struct ranking_cell *cell,
    const char *const *place_names, const char *const *names)
{
	bool spent = false;

	for (size_t i = 0; i < r->places * r->n; i++) {
		spent = spent || cell[i].spent;
	}
	snprintf(r->why, sizeof(r->why), "%s",
	    r->n > 1 ? "every interval is above those that follow it" : "there is one candidate");
	find_parts(r, cell, OPE_UNUSABLE, place_names, names);
	if (spent) {
		OPE_FIND(r, OPE_WEAK,
		    "a holdout's budget is spent: what was fitted to the training part is not "
		    "noticed any more");
	}
	find_separation(r, names);
	find_parts(r, cell, OPE_WEAK, place_names, names);
}

/* Candidates are taken in the order of their means, so that of what is equal that order is kept. */
static void aggregate(struct ranking *r, const struct ranking_cell *cell, double *value)
{
	uint32_t order[RANK_MAX];
	double points[RANK_MAX];

	for (size_t i = 0; i < r->n; i++) {
		points[i] = r->points[r->by_mean[i]];
		for (size_t p = 0; p < r->places; p++) {
			value[p * r->n + i] = cell[p * r->n + r->by_mean[i]].value;
		}
	}
	rank_by(points, r->n, order);
	for (size_t i = 0; i < r->n; i++) {
		r->by_borda[i] = r->by_mean[order[i]];
	}
	if (!r->has_kemeny) {
		return;
	}
	r->distance = rank_kemeny(value, r->places, r->n, order);
	for (size_t i = 0; i < r->n; i++) {
		r->by_kemeny[i] = r->by_mean[order[i]];
	}
}

int ranking_make(const struct ranking_cell *cell, size_t places, size_t n,
    const char *const *place_names, const char *const *names, struct ranking *ret)
{
	double *value = calloc(places * n + 1, sizeof(*value));

	if (!value) {
		return RC_MEMORY;
	}
	*ret = (struct ranking){.n = n, .places = places, .has_kemeny = n <= RANK_KEMENY_MAX};
	for (size_t i = 0; i < places * n; i++) {
		value[i] = cell[i].value;
	}
	for (size_t i = 0; i < n; i++) {
		pool(ret, cell, i);
	}
	rank_by(ret->mean, n, ret->by_mean);
	rank_borda(value, places, n, ret->points);
	aggregate(ret, cell, value);
	free(value);
	judge(ret, cell, place_names, names);
	return 0;
}

static size_t place_of(const uint32_t *order, uint32_t who)
{
	size_t i = 0;

	while (order[i] != who) {
		i++;
	}
	return i;
}

bool ranking_conflict(const struct ranking *r, const struct ranking_cell *cell, size_t i, size_t k,
    struct ranking_conflict *ret)
{
	uint32_t a = r->by_mean[i], b = r->by_mean[k];

	*ret = (struct ranking_conflict){.borda = r->points[b] > r->points[a],
	    .kemeny = r->has_kemeny && place_of(r->by_kemeny, b) < place_of(r->by_kemeny, a)};
	for (size_t p = 0; p < r->places; p++) {
		double d = cell[p * r->n + b].value - cell[p * r->n + a].value;

		ret->ahead += d > 0 ? 1 : d < 0 ? 0 : 0.5;
	}
	return r->mean[a] > r->mean[b] && (ret->borda || ret->kemeny);
}
