/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A stratum is an arm at a position, or an arm alone with ridge. Each has by fold the sums of
 * weighted products of z = (1, x), lower triangle by rows, and of z times reward; the mean model is
 * z = (1). After the fit, coef holds the coefficients of what was learnt without that fold. */
struct model {
	struct model_spec spec;
	size_t narms, strata, d; /* d: length of z */
	size_t gram;             /* d (d + 1) / 2 */
	double *zz, *zr, *coef;
	double sum[MODEL_FOLDS_MAX], n[MODEL_FOLDS_MAX]; /* rewards, unweighted */
	double mean[MODEL_FOLDS_MAX];                    /* of the other folds */
};

int model_parse(const char *text, struct model_spec *ret, struct errinfo *err)
{
	size_t n = strcspn(text, ":");
	bool ridge = n == 5 && memcmp(text, "ridge", n) == 0;
	bool mean = n == 4 && memcmp(text, "mean", n) == 0;
	double strength = ridge ? 1 : 10;
	char nothing = '\0', *end = &nothing;

	if (text[n]) {
		strength = strtod(text + n + 1, &end);
	}
	if ((!ridge && !mean) || *end || (text[n] && !text[n + 1]) ||
	    !(strength >= 0 && strength <= 1e12)) {
		return err_set(err, RC_INVALID, "model", "",
		    "a reward model is mean:STRENGTH or ridge:STRENGTH, not %.60s", text);
	}
	ret->ridge = ridge;
	ret->strength = strength;
	return 0;
}

int model_new(const struct model_spec *spec, size_t narms, size_t npositions, size_t dim,
    struct model **ret, struct errinfo *err)
{
	size_t d = spec->ridge ? dim + 1 : 1, strata = spec->ridge ? narms : narms * npositions;
	size_t gram = d * (d + 1) / 2, cells = strata * spec->folds;
	struct model *m;

	if (d > 10000 || (double)cells * (double)(gram + 2 * d) * 8 > (double)MODEL_BYTES_MAX) {
		return err_set(err, RC_LIMIT, "model", "",
		    "the reward model of %zu arms and %zu features is too large", narms, dim);
	}
	m = calloc(1, sizeof(*m));
	if (m) {
		*m = (struct model){
		    .spec = *spec, .narms = narms, .strata = strata, .d = d, .gram = gram};
		m->zz = calloc(cells * gram + 1, sizeof(double));
		m->zr = calloc(cells * d + 1, sizeof(double));
		m->coef = calloc(cells * d + 1, sizeof(double));
	}
	if (!m || !m->zz || !m->zr || !m->coef) {
		model_free(m);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	*ret = m;
	return 0;
}

void model_free(struct model *m)
{
	if (m) {
		free(m->zz);
		free(m->zr);
		free(m->coef);
		free(m);
	}
}

static size_t cell_of(const struct model *m, const struct round *r, uint32_t arm)
{
	size_t stratum = m->spec.ridge ? arm : r->position * m->narms + arm;

	return (r->index % m->spec.folds) * m->strata + stratum;
}

static double feature(const struct round *r, size_t i)
{
	return i == 0 ? 1 : i <= r->dim ? r->x[i - 1] : 0;
}

void model_add(struct model *m, const struct round *r, double weight)
{
	size_t c = cell_of(m, r, r->arm), f = r->index % m->spec.folds;
	double *zz = m->zz + c * m->gram, *zr = m->zr + c * m->d;

	m->sum[f] += r->reward * r->weight;
	m->n[f] += r->weight;
	for (size_t i = 0; i < m->d; i++) {
		double z = weight * feature(r, i);

		zr[i] += z * r->reward;
		for (size_t k = 0; k <= i; k++) {
			*zz++ += z * feature(r, k);
		}
	}
}

void model_solve(double *a, double *b, size_t d)
{
	for (size_t i = 0; i < d; i++) {
		double *ai = a + i * (i + 1) / 2;

		for (size_t k = 0; k <= i; k++) {
			const double *ak = a + k * (k + 1) / 2;

			for (size_t j = 0; j < k; j++) {
				ai[k] -= ai[j] * ak[j];
			}
			/* Without a penalty a direction may be empty: it gets coefficient 0. */
			ai[k] = k < i           ? ak[k] > 0 ? ai[k] / ak[k] : 0
				: ai[i] > 1e-12 ? sqrt(ai[i])
						: 0;
		}
		for (size_t k = 0; k < i; k++) {
			b[i] -= ai[k] * b[k];
		}
		b[i] = ai[i] > 0 ? b[i] / ai[i] : 0;
	}
	for (size_t i = d; i-- > 0;) {
		const double *ai = a + i * (i + 1) / 2;

		b[i] = ai[i] > 0 ? b[i] / ai[i] : 0;
		for (size_t k = 0; k < i; k++) {
			b[k] -= ai[k] * b[i];
		}
	}
}

/* What the folds but f say of this stratum, as a difference from their mean. */
static void fit_cell(struct model *m, size_t f, size_t stratum, double *zz)
{
	double *b = m->coef + (f * m->strata + stratum) * m->d;

	memset(zz, 0, m->gram * sizeof(*zz));
	for (size_t g = 0; g < m->spec.folds; g++) {
		size_t c = g * m->strata + stratum;

		for (size_t i = 0; (g != f || m->spec.folds == 1) && i < m->gram; i++) {
			zz[i] += m->zz[c * m->gram + i];
		}
		for (size_t i = 0; (g != f || m->spec.folds == 1) && i < m->d; i++) {
			b[i] += m->zr[c * m->d + i];
		}
	}
	for (size_t i = 0; i < m->d; i++) {
		b[i] -= m->mean[f] * zz[i * (i + 1) / 2];
	}
	for (size_t i = 0; i < m->d; i++) {
		zz[i * (i + 1) / 2 + i] += m->spec.strength;
	}
	if (m->d == 1) {
		b[0] = zz[0] > 0 ? b[0] / zz[0] : 0;
	} else {
		model_solve(zz, b, m->d);
	}
}

int model_fit(struct model *m, struct errinfo *err)
{
	double *zz = calloc(m->gram, sizeof(*zz)), sum = 0, n = 0;

	if (!zz) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	for (size_t f = 0; f < m->spec.folds; f++) {
		sum += m->sum[f];
		n += m->n[f];
	}
	for (size_t f = 0; f < m->spec.folds; f++) {
		double s = m->spec.folds == 1 ? sum : sum - m->sum[f];
		double k = m->spec.folds == 1 ? n : n - m->n[f];

		m->mean[f] = k > 0 ? s / k : 0;
		for (size_t i = 0; i < m->strata; i++) {
			fit_cell(m, f, i, zz);
		}
	}
	free(zz);
	return 0;
}

double model_value(const struct model *m, const struct round *r, uint32_t arm)
{
	const double *b = m->coef + cell_of(m, r, arm) * m->d;
	double v = m->mean[r->index % m->spec.folds];

	for (size_t i = 0; i < m->d; i++) {
		v += b[i] * feature(r, i);
	}
	return v;
}
