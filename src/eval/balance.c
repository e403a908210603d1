/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/balance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "eval/model.h"

/* Of squared coefficients: enough to bound them where the two never meet, too little to matter
 * where they do. */
#define PENALTY 1.0
#define PENALTY_CONSTANT 1e-3
#define SETTLED 1e-10 /* of the log-likelihood, left to gain */

/* A cell is what the folds but one say of an arm at a position. */
struct balance {
	size_t narms, strata, d, gram, ncells;
	uint32_t folds;
	double *at, *step, *from;     /* by cell: tried now; Newton's step; where it was taken */
	double *slope, *curve, *loss; /* sums of this pass; curve: lower triangle by rows */
	double *least;                /* the loss at from */
	bool *settled;
};

int balance_new(size_t narms, size_t npositions, size_t dim, uint32_t folds, struct balance **ret,
    struct errinfo *err)
{
	size_t d = dim + 1, gram = d * (d + 1) / 2, cells = narms * npositions * folds;
	struct balance *b;

	if (d > 10000 || (double)cells * (double)(gram + 4 * d) * 8 > (double)MODEL_BYTES_MAX) {
		return err_set(err, RC_LIMIT, "model", "",
		    "the classifier of %zu arms and %zu features is too large", narms, dim);
	}
	b = calloc(1, sizeof(*b));
	if (b) {
		*b = (struct balance){.narms = narms,
		    .strata = narms * npositions,
		    .d = d,
		    .gram = gram,
		    .ncells = cells,
		    .folds = folds};
		b->at = calloc(cells * d + 1, sizeof(double));
		b->step = calloc(cells * d + 1, sizeof(double));
		b->from = calloc(cells * d + 1, sizeof(double));
		b->slope = calloc(cells * d + 1, sizeof(double));
		b->curve = calloc(cells * gram + 1, sizeof(double));
		b->loss = calloc(cells + 1, sizeof(double));
		b->least = calloc(cells + 1, sizeof(double));
		b->settled = calloc(cells + 1, sizeof(bool));
	}
	if (!b || !b->at || !b->step || !b->from || !b->slope || !b->curve || !b->loss ||
	    !b->least || !b->settled) {
		balance_free(b);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	for (size_t c = 0; c < cells; c++) {
		b->least[c] = HUGE_VAL;
	}
	*ret = b;
	return 0;
}

void balance_free(struct balance *b)
{
	if (b) {
		free(b->at);
		free(b->step);
		free(b->from);
		free(b->slope);
		free(b->curve);
		free(b->loss);
		free(b->least);
		free(b->settled);
		free(b);
	}
}

static double feature(const struct round *r, size_t i)
{
	return i == 0 ? 1 : i <= r->dim ? r->x[i - 1] : 0;
}

static double log_odds(const struct balance *b, size_t cell, const struct round *r)
{
	double s = 0;

	for (size_t i = 0; i < b->d; i++) {
		s += b->at[cell * b->d + i] * feature(r, i);
	}
	return s;
}

static void add_to_cell(
    struct balance *b, size_t cell, const struct round *r, double mass, bool of_target)
{
	double s = log_odds(b, cell, r), e = num_exp(-fabs(s));
	double p = s > 0 ? 1 / (1 + e) : e / (1 + e);
	double *slope = b->slope + cell * b->d, *curve = b->curve + cell * b->gram;

	/* -log p, or -log(1 - p), of what it is */
	b->loss[cell] += mass * (num_log(1 + e) + (s > 0 ? s : 0) - (of_target ? s : 0));
	for (size_t i = 0; i < b->d; i++) {
		double z = feature(r, i), zp = mass * p * (1 - p) * z;

		slope[i] += mass * ((of_target ? 1 : 0) - p) * z;
		for (size_t k = 0; k <= i; k++) {
			*curve++ += zp * feature(r, k);
		}
	}
}

void balance_add(
    struct balance *b, const struct round *r, uint32_t arm, double mass, bool of_target)
{
	size_t stratum = r->position * b->narms + arm;

	for (uint32_t f = 0; mass > 0 && f < b->folds; f++) {
		size_t cell = f * b->strata + stratum;

		if ((b->folds == 1 || r->index % b->folds != f) && !b->settled[cell]) {
			add_to_cell(b, cell, r, mass, of_target);
		}
	}
}

/* From where this pass was made: the penalty joins, and Newton's step is found. What it promises.
 */
static double find_step(struct balance *b, size_t cell)
{
	double *at = b->at + cell * b->d, *step = b->step + cell * b->d;
	double *slope = b->slope + cell * b->d, *curve = b->curve + cell * b->gram, gain = 0;

	for (size_t i = 0; i < b->d; i++) {
		double penalty = i ? PENALTY : PENALTY_CONSTANT;

		slope[i] -= penalty * at[i];
		curve[i * (i + 1) / 2 + i] += penalty;
		step[i] = slope[i];
	}
	model_solve(curve, step, b->d);
	for (size_t i = 0; i < b->d; i++) {
		gain += slope[i] * step[i] / 2;
	}
	return gain;
}

static void step_cell(struct balance *b, size_t cell)
{
	double *at = b->at + cell * b->d, *step = b->step + cell * b->d;
	double *from = b->from + cell * b->d, loss = b->loss[cell];

	for (size_t i = 0; i < b->d; i++) {
		loss += (i ? PENALTY : PENALTY_CONSTANT) * at[i] * at[i] / 2;
	}
	if (loss <= b->least[cell]) {
		b->least[cell] = loss;
		memcpy(from, at, b->d * sizeof(*at));
		b->settled[cell] = find_step(b, cell) < SETTLED * (1 + loss);
	} else {
		for (size_t i = 0; i < b->d; i++) { /* it went too far */
			step[i] /= 2;
		}
	}
	for (size_t i = 0; !b->settled[cell] && i < b->d; i++) {
		at[i] = from[i] + step[i];
	}
}

bool balance_step(struct balance *b)
{
	bool done = true;

	for (size_t c = 0; c < b->ncells; c++) {
		if (!b->settled[c]) {
			step_cell(b, c);
			done = done && b->settled[c];
		}
	}
	memset(b->slope, 0, b->ncells * b->d * sizeof(double));
	memset(b->curve, 0, b->ncells * b->gram * sizeof(double));
	memset(b->loss, 0, b->ncells * sizeof(double));
	return done;
}

double balance_weight(const struct balance *b, const struct round *r)
{
	size_t stratum = r->position * b->narms + r->arm;

	return num_exp(log_odds(b, (r->index % b->folds) * b->strata + stratum, r));
}
