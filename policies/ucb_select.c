/* SPDX-License-Identifier: Apache-2.0 */
/* The answer: by a scan, or from the structures, which must agree. */
#include "base/num.h"
#include "core/pmf.h"
#include "policies/ucb_impl.h"

struct ucb_time ucb_now(const struct ucb *u)
{
	return (struct ucb_time){
	    .params = u->params,
	    .t = (double)u->t,
	    .log_t = u->t > 1 ? num_log((double)u->t) : 0,
	    .arms = u->active,
	};
}

struct ucb_stat ucb_stat(const struct ucb *u, uint32_t slot)
{
	const struct ucb_arm *a = &u->arm[slot];
	double o = (double)a->o, mean = u->kind->ema ? a->s : a->s / o, var = 0;

	if (u->squares) {
		var = u->squares[slot] / o - mean * mean;
		var = var > 0 ? var : 0;
	}
	return (struct ucb_stat){
	    .k = u->params->count_pending ? (double)a->n : o + (double)ucb_probes(u),
	    .mean = mean,
	    .var = var,
	};
}

/* The place in the ask of the arm to play; ask->n when all wait. */
static size_t scan(const struct ucb *u, const struct ask *ask)
{
	struct ucb_time now = ucb_now(u);
	double best_index = -HUGE_VAL, best_mean = 0;
	size_t best = ask->n;

	for (size_t i = 0; i < ask->n; i++) {
		uint32_t slot = ask->slots[i];
		struct ucb_stat a;
		double index;

		if (u->arm[slot].n == 0) {
			return i;
		}
		if (!ucb_is_ready(u, slot)) {
			continue;
		}
		a = ucb_stat(u, slot);
		index = u->kind->index(&now, &a, best_index);
		if (best == ask->n ||
		    ucb_before(index, a.mean, slot, best_index, best_mean, ask->slots[best])) {
			best = i;
			best_index = index;
			best_mean = a.mean;
		}
	}
	return best;
}

int ucb_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	size_t best = scan(state, ask);

	(void)rng;
	if (best == ask->n) {
		pmf_uniform(ask->n, ret_pmf);
	} else {
		pmf_greedy(ask->n, best, ret_pmf);
	}
	return 0;
}

static uint32_t best_of(const struct ucb *u, const struct ask *ask)
{
	size_t best;

	if (u->fast && ask->all) {
		return ucb_fast_best(u);
	}
	best = scan(u, ask);
	return best == ask->n ? UCB_NONE : ask->slots[best];
}

int ucb_draw(const void *state, const struct ask *ask, struct rng *rng, uint32_t *ret_slot,
    double *ret_propensity)
{
	uint32_t best = best_of(state, ask);

	*ret_slot = best == UCB_NONE ? ask->slots[rng_below(rng, ask->n)] : best;
	*ret_propensity = best == UCB_NONE ? 1 / (double)ask->n : 1;
	return 0;
}

double ucb_prob(const void *state, const struct ask *ask, uint32_t slot)
{
	uint32_t best = best_of(state, ask);

	return best == UCB_NONE ? 1 / (double)ask->n : best == slot;
}

static void show(struct arm_view *v, const char *name, double value)
{
	v->item[v->n].name = name;
	v->item[v->n].value = value;
	v->n++;
}

void ucb_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct ucb *u = state;
	struct ucb_time now = ucb_now(u);
	struct ucb_stat a;
	double index;

	ret->n = 0;
	show(ret, "issued", (double)u->arm[slot].n);
	show(ret, "observed", (double)u->arm[slot].o);
	if (u->arm[slot].n == 0 || !ucb_is_ready(u, slot)) {
		return; /* it has no mean, and comes first or waits */
	}
	a = ucb_stat(u, slot);
	index = u->kind->index(&now, &a, -HUGE_VAL);
	show(ret, "mean", a.mean);
	if (u->squares) {
		show(ret, "variance", a.var);
	}
	show(ret, "bonus", index - a.mean);
	show(ret, "index", index);
}
