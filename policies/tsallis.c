/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/tsallis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEWTON_MAX 50
#define NEWTON_ENOUGH 1e-14
#define LHAT_MAX 1e300 /* beyond it an arm is out of the game anyhow */

const char *const tsallis_estimators[] = {"iw", "rv", "centred", NULL};
const char *const tsallis_scales[] = {"mean", NULL};

/* h(u) = (sum (d_i + u)^-2)^(-1/2) - 2/eta is concave and increasing, so Newton's method lands left
 * of the root after one step and never passes it again. Nothing is kept from call to call: a
 * replay, which calls for fewer distributions, must give the same bits. */
double tsallis_normaliser(size_t n, const double *d, double eta)
{
	double least = 2 / eta, u = least;

	for (int step = 0; step < NEWTON_MAX; step++) {
		double s2 = 0, s3 = 0, next;

		for (size_t i = 0; i < n; i++) {
			double v = 1 / (d[i] + u), w = v * v;

			s2 += w;
			s3 += w * v;
		}
		next = u + (least * (s2 * sqrt(s2)) - s2) / s3;
		next = next > least ? next : least;
		if (fabs(next - u) <= NEWTON_ENOUGH * u) {
			return next;
		}
		u = next;
	}
	return u;
}

static double rate(const struct tsallis *s, const struct tsallis_bin *b)
{
	return (s->params->estimator == TSALLIS_RV ? 4 : 2) / sqrt((double)(b->t + 1));
}

static double scale_of(const struct tsallis *s, const struct tsallis_bin *b)
{
	if (!isnan(s->params->loss_scale)) {
		return s->params->loss_scale;
	}
	return b->mean > 1 ? b->mean : 1;
}

/* Of equal bins the one whose centre is nearest; outside the range the first or the last. */
static uint32_t bin_of(const struct tsallis *s, const double *x)
{
	double lo = s->params->ctx_lo, width = s->params->ctx_hi - lo, at;

	if (s->nbins == 1 || !x) {
		return 0;
	}
	at = (x[0] - lo) / width * s->nbins;
	return at >= 1 ? at < s->nbins ? (uint32_t)at : s->nbins - 1 : 0;
}

static double least_of(const struct tsallis *s, const struct ask *ask, uint32_t bin)
{
	double least = HUGE_VAL, l;

	for (size_t i = 0; i < ask->n; i++) {
		l = s->lhat[(size_t)ask->slots[i] * s->nbins + bin];
		least = l < least ? l : least;
	}
	return least;
}

int tsallis_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	const struct tsallis *s = state;
	uint32_t bin = bin_of(s, ask->x);
	const struct tsallis_bin *b = &s->bin[bin];
	double eta = rate(s, b), scale = scale_of(s, b), least = least_of(s, ask, bin), u, sum = 0;

	(void)rng;
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = (s->lhat[(size_t)ask->slots[i] * s->nbins + bin] - least) / scale;
	}
	u = tsallis_normaliser(ask->n, ret_pmf, eta);
	for (size_t i = 0; i < ask->n; i++) {
		double root = 2 / (eta * (ret_pmf[i] + u));

		ret_pmf[i] = root * root;
		sum += ret_pmf[i];
	}
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] /= sum;
	}
	return 0;
}

/* rv alone: the set of slots with p >= eta^2, whose losses are counted from half the scale. */
void tsallis_note(
    const void *state, const struct ask *ask, const double *pmf, size_t i, struct buf *memo)
{
	const struct tsallis *s = state;
	double eta = rate(s, &s->bin[bin_of(s, ask->x)]);
	uint32_t at = 0;
	uint8_t bits = 0;

	(void)i;
	if (s->params->estimator != TSALLIS_RV) {
		return;
	}
	for (size_t k = 0; k < ask->n; k++) {
		for (; at < ask->slots[k] / 8; at++) {
			buf_put_u8(memo, bits);
			bits = 0;
		}
		bits |= (uint8_t)((pmf[k] >= eta * eta) << ask->slots[k] % 8);
	}
	buf_put_u8(memo, bits);
}

static bool in_memo(const struct outcome *o, uint32_t slot)
{
	const uint8_t *bits = o->memo;

	return slot / 8 < o->nmemo && bits[slot / 8] >> slot % 8 & 1;
}

static void add_loss(double *l, double x)
{
	double sum = *l + x;

	*l = sum < LHAT_MAX ? sum > -LHAT_MAX ? sum : -LHAT_MAX : LHAT_MAX;
}

void tsallis_pulled(void *state, const struct pull *p)
{
	struct tsallis *s = state;

	s->bin[bin_of(s, p->x)].t++;
}

void tsallis_update(void *state, const struct outcome *o)
{
	struct tsallis *s = state;
	uint32_t bin = bin_of(s, o->x);
	struct tsallis_bin *b = &s->bin[bin];
	double loss = s->hi - o->reward, half = scale_of(s, b) / 2, from = 0;

	loss = loss > 0 ? loss : 0;
	if (s->params->estimator == TSALLIS_CENTRED) {
		from = half;
	} else if (s->params->estimator == TSALLIS_RV) {
		for (uint32_t i = 0; i < s->slots; i++) {
			if (in_memo(o, i)) {
				add_loss(&s->lhat[(size_t)i * s->nbins + bin], half);
			}
		}
		from = in_memo(o, o->slot) ? half : 0;
	}
	add_loss(&s->lhat[(size_t)o->slot * s->nbins + bin], (loss - from) / o->propensity);
	b->n++;
	b->mean += (loss - b->mean) / (double)b->n;
}

/* ---- arms ---- */

/* The estimate with which one more arm gets exactly its share 1/(K + 1), the others keeping their
 * odds as the potential has it: they are normalised to what remains. */
static double joining(const struct tsallis *s, uint32_t bin)
{
	const struct tsallis_bin *b = &s->bin[bin];
	double scale = scale_of(s, b), least = HUGE_VAL, most = -HUGE_VAL, l, u, eta = rate(s, b);
	size_t k = 0;

	for (uint32_t i = 0; i < s->slots; i++) {
		l = s->lhat[(size_t)i * s->nbins + bin];
		if (s->active[i]) {
			least = l < least ? l : least;
			most = l > most ? l : most;
			s->work[k++] = l;
		}
	}
	if (k == 0 || least == most) {
		return k ? least : 0;
	}
	for (size_t i = 0; i < k; i++) {
		s->work[i] = (s->work[i] - least) / scale;
	}
	u = tsallis_normaliser(k, s->work, eta * sqrt((double)k / (double)(k + 1)));
	return least + scale * (2 / eta * sqrt((double)(k + 1)) - u);
}

void tsallis_arm_add(void *state, uint32_t slot)
{
	struct tsallis *s = state;

	for (uint32_t b = 0; b < s->nbins; b++) {
		double *l = &s->lhat[(size_t)slot * s->nbins + b];

		*l = 0;
		add_loss(l, joining(s, b));
	}
	s->active[slot] = 1;
	s->slots = slot + 1;
}

/* Where a cost is smooth in what the arms stand for, one in the middle costs about the mean. */
void tsallis_arm_between(void *state, uint32_t slot, uint32_t left, uint32_t right)
{
	struct tsallis *s = state;

	for (uint32_t b = 0; b < s->nbins; b++) {
		s->lhat[(size_t)slot * s->nbins + b] =
		    (s->lhat[(size_t)left * s->nbins + b] + s->lhat[(size_t)right * s->nbins + b]) /
		    2;
	}
}

void tsallis_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	((struct tsallis *)state)->active[slot] = to == ARM_ACTIVE;
}

uint32_t tsallis_slots(const void *state)
{
	return ((const struct tsallis *)state)->slots;
}

/* ---- memory ---- */

static uint32_t bins_of(const struct tsallis_params *p)
{
	return p->bins > 0 ? (uint32_t)p->bins : 1;
}

size_t tsallis_bound(const void *params, size_t slots, size_t dim)
{
	size_t bins = bins_of(params);

	(void)dim;
	return sizeof(struct tsallis) + bins * sizeof(struct tsallis_bin) +
	       slots * ((bins + 1) * sizeof(double) + 1);
}

int tsallis_create(const struct policy_env *env, void **ret_state)
{
	struct tsallis *s = calloc(1, sizeof(*s));

	if (!s) {
		return RC_MEMORY;
	}
	s->params = env->params;
	s->hi = env->hi;
	s->nbins = bins_of(s->params);
	s->bin = calloc(s->nbins, sizeof(*s->bin));
	if (!s->bin) {
		free(s);
		return RC_MEMORY;
	}
	*ret_state = s;
	return 0;
}

void tsallis_destroy(void *state)
{
	struct tsallis *s = state;

	if (s) {
		free(s->bin);
		free(s->lhat);
		free(s->work);
		free(s->active);
		free(s);
	}
}

int tsallis_reserve(void *state, size_t slots)
{
	struct tsallis *s = state;
	double *lhat, *work;
	unsigned char *active;

	if (slots <= s->cap) {
		return 0;
	}
	lhat = realloc(s->lhat, slots * s->nbins * sizeof(*lhat));
	if (!lhat) {
		return RC_MEMORY;
	}
	s->lhat = lhat;
	work = realloc(s->work, slots * sizeof(*work));
	if (!work) {
		return RC_MEMORY;
	}
	s->work = work;
	active = realloc(s->active, slots * sizeof(*active));
	if (!active) {
		return RC_MEMORY;
	}
	s->active = active;
	s->cap = (uint32_t)slots;
	return 0;
}

/* ---- saved form ---- */

void tsallis_serialise(const void *state, struct buf *out)
{
	const struct tsallis *s = state;

	buf_put_var(out, s->slots);
	for (uint32_t b = 0; b < s->nbins; b++) {
		buf_put_var(out, s->bin[b].t);
		buf_put_var(out, s->bin[b].n);
		buf_put_f64(out, s->bin[b].mean);
	}
	for (uint32_t i = 0; i < s->slots; i++) {
		buf_put_u8(out, s->active[i]);
		for (uint32_t b = 0; b < s->nbins; b++) {
			buf_put_f64(out, s->lhat[(size_t)i * s->nbins + b]);
		}
	}
}

static int read_state(struct tsallis *s, struct rd *in, size_t slots)
{
	for (uint32_t b = 0; b < s->nbins; b++) {
		s->bin[b].t = rd_var(in);
		s->bin[b].n = rd_var(in);
		s->bin[b].mean = rd_f64(in);
		if (!(s->bin[b].mean >= 0 && isfinite(s->bin[b].mean))) {
			return RC_CORRUPT;
		}
	}
	for (; s->slots < slots; s->slots++) {
		s->active[s->slots] = rd_u8(in);
		if (s->active[s->slots] > 1) {
			return RC_CORRUPT;
		}
		for (uint32_t b = 0; b < s->nbins; b++) {
			double l = rd_f64(in);

			if (!(l >= -LHAT_MAX && l <= LHAT_MAX)) {
				return RC_CORRUPT;
			}
			s->lhat[(size_t)s->slots * s->nbins + b] = l;
		}
	}
	return in->rc;
}

int tsallis_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	size_t bins = bins_of(env->params), slots = rd_count(in, 1 + bins * sizeof(double));
	void *state;
	int rc = in->rc ? in->rc : tsallis_create(env, &state);

	if (rc) {
		return rc;
	}
	rc = tsallis_reserve(state, slots);
	rc = rc ? rc : read_state(state, in, slots);
	if (rc) {
		tsallis_destroy(state);
		return rc;
	}
	*ret_state = state;
	return 0;
}

void tsallis_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct tsallis *s = state;

	ret->n = 1;
	ret->item[0].name = "estimated_loss";
	ret->item[0].value = 0;
	for (uint32_t b = 0; b < s->nbins; b++) {
		ret->item[0].value += s->lhat[(size_t)slot * s->nbins + b];
	}
}

/* ---- the context ---- */

int ctx_dim(const void *params, size_t nfeatures, size_t *ret, struct errinfo *err)
{
	(void)params;
	if (nfeatures == 0) {
		return err_set(err, RC_INVALID, "missing_field", "/context",
		    "this policy reads the first feature of the context");
	}
	*ret = nfeatures;
	return 0;
}

int ctx_check(double lo, double hi, struct errinfo *err)
{
	if (!(lo < hi && isfinite(hi - lo))) {
		return err_set(err, RC_INVALID, "out_of_range", "/ctx_hi",
		    "ctx_hi must be larger than ctx_lo");
	}
	return 0;
}
