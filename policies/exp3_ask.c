/* SPDX-License-Identifier: Apache-2.0 */
/* What a state answers. */
#include <math.h>

#include "base/rng.h"
#include "core/pmf.h"
#include "policies/exp3_fast.h"

static double mix_of(const struct exp3 *e, size_t n)
{
	return e->kind->mix(e->params, n, exp3_now(e));
}

/* A moving rate follows the K its side was made for, and stays where the side can answer. */
static double moving_rate(const struct exp3 *e)
{
	const struct exp3_side *s = &e->fast->live;
	double rate;

	if (s->arms == 0) {
		return e->kind->rate(e->params, e->active, 0);
	}
	rate = e->kind->rate(e->params, s->arms, exp3_now(e) - 1);
	if (s->stale || rate < s->rate) {
		return s->rate;
	}
	return rate > s->top ? s->top : rate;
}

double exp3_rate(const struct exp3 *e)
{
	uint64_t now = exp3_now(e);
	bool fast = exp3_is_fast(e);

	switch (e->mode) {
	case EXP3_FIXED:
		return fast ? e->fast->live.rate : e->kind->rate(e->params, e->active, now);
	case EXP3_EPOCH:
		if (e->end) {
			return fast ? e->fast->live.rate : e->eta;
		}
		return e->kind->rate(e->params, e->active, 0);
	case EXP3_MOVING:
		return fast ? moving_rate(e) : e->kind->rate(e->params, e->active, now - 1);
	case EXP3_DIRECT:
		break;
	}
	return e->kind->rate(e->params, e->active, now);
}

/* Is there a side that holds all active arms? */
static bool has_tree(const struct exp3 *e)
{
	return exp3_is_fast(e) && e->fast->live.arms > 0;
}

/* Does it draw uniformly until the first weights are there? */
static bool has_no_weights(const struct exp3 *e)
{
	return exp3_is_fast(e) ? !has_tree(e) : e->mode == EXP3_EPOCH && e->end == 0;
}

/* Over the active arms: the largest R, and sum exp(rate (R - largest)). */
static double scan(const struct exp3 *e, double rate, double *ret_most)
{
	double most = -HUGE_VAL, sum = 0;

	for (uint32_t i = 0; i < e->slots; i++) {
		if (exp3_is_active(e, i) && e->r[i] > most) {
			most = e->r[i];
		}
	}
	for (uint32_t i = 0; i < e->slots; i++) {
		if (exp3_is_active(e, i)) {
			sum += num_exp(rate * (e->r[i] - most));
		}
	}
	*ret_most = most;
	return sum;
}

/* The mean of what may come back; 0 when nobody is there to compare with. */
static double level_of_paused(const struct exp3 *e)
{
	double sum = 0, n = 0;

	for (uint32_t i = 0; i < e->slots; i++) {
		if (!exp3_is_retired(e, i)) {
			sum += e->r[i];
			n++;
		}
	}
	return n > 0 ? sum / n : 0;
}

double exp3_level(const struct exp3 *e)
{
	double rate, most, sum, k = e->active;

	if (e->active == 0) {
		return level_of_paused(e);
	}
	if (e->shared) {
		return e->r[e->slots - 1];
	}
	if (e->rewards == 0 || has_no_weights(e)) {
		return num_sum_value(&e->total) / k; /* equal to first order in the rate */
	}
	rate = exp3_rate(e);
	if (has_tree(e)) {
		return exp3_fast_level(e, rate);
	}
	sum = scan(e, rate, &most);
	return most + num_log(sum / k) / rate;
}

int exp3_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	const struct exp3 *e = state;
	double mix = mix_of(e, ask->n);

	(void)rng;
	if (mix >= 1) {
		pmf_uniform(ask->n, ret_pmf);
		return 0;
	}
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = e->r[ask->slots[i]];
	}
	pmf_softmax(ask->n, ret_pmf, exp3_rate(e), ret_pmf);
	pmf_floor(ask->n, mix, ret_pmf);
	return 0;
}

/* Until the first side is full there is no Gibbs part to draw from. */
static double mix_of_all(const struct exp3 *e)
{
	return exp3_is_fast(e) && !has_tree(e) ? 1 : mix_of(e, e->active);
}

static double prob_of(const struct exp3 *e, uint32_t slot)
{
	double mix = mix_of_all(e), each = 1 / (double)e->active, rate, most, p;

	if (mix >= 1) {
		return each;
	}
	rate = exp3_rate(e);
	if (has_tree(e)) {
		p = exp3_fast_share(e, rate, slot);
	} else {
		double sum = scan(e, rate, &most);

		p = num_exp(rate * (e->r[slot] - most)) / sum;
	}
	p = (1 - mix) * p + mix / (double)e->active;
	return p < 1 ? p : 1;
}

double exp3_prob(const void *state, const struct ask *ask, uint32_t slot)
{
	(void)ask;
	return prob_of(state, slot);
}

static uint32_t draw_by_scan(const struct exp3 *e, double rate, double u)
{
	double most, left = u * scan(e, rate, &most);
	uint32_t last = 0;

	for (uint32_t i = 0; i < e->slots; i++) {
		double weight = exp3_is_active(e, i) ? num_exp(rate * (e->r[i] - most)) : 0;

		if (weight > 0) {
			last = i;
			if (left < weight) {
				break;
			}
			left -= weight;
		}
	}
	return last;
}

int exp3_draw(const void *state, const struct ask *ask, struct rng *rng, uint32_t *ret_slot,
    double *ret_propensity)
{
	const struct exp3 *e = state;
	double mix = mix_of_all(e), rate;

	if (mix >= 1 || rng_uniform(rng) < mix) {
		*ret_slot = ask->slots[rng_below(rng, ask->n)];
	} else {
		rate = exp3_rate(e);
		*ret_slot = has_tree(e) ? exp3_fast_draw(e, rate, rng)
					: draw_by_scan(e, rate, rng_uniform(rng));
	}
	*ret_propensity = prob_of(e, *ret_slot);
	return 0;
}

void exp3_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct exp3 *e = state;

	ret->n = 0;
	ret->item[ret->n].name = "weighted_sum";
	ret->item[ret->n++].value = e->r[slot];
	if (!exp3_is_active(e, slot)) {
		ret->item[ret->n].name = "probability";
		ret->item[ret->n++].value = 0;
	} else if (exp3_is_fast(e) || e->active <= EXP3_NAIVE_MAX) {
		ret->item[ret->n].name = "probability";
		ret->item[ret->n++].value = prob_of(e, slot);
	}
	if (!isnan(e->params->reward_lo)) {
		ret->item[ret->n].name = "clipped_in_all";
		ret->item[ret->n++].value = (double)e->clipped;
	}
}
