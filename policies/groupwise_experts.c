/* SPDX-License-Identifier: Apache-2.0 */
/* Kind `experts`: the losses of all arms that could be drawn are told. Exponential weights per
 * group, with the rate sqrt(8 ln K / t) of its t-th round, mixed by AdaNormalHedge.
 *
 * A cell is the sum of (loss of the arm - loss of the group's learner) over the rounds in which the
 * arm could be drawn: one that could not is charged what the learner lost, as if it had followed
 * it. A decision and its losses take O(groups awake * arms). */
#include <math.h>

#include "base/num.h"
#include "policies/groupwise_impl.h"

static double rate_of(const struct groupwise *g, const struct groupwise_group *group)
{
	return sqrt(8 * num_log(g->alive > 2 ? g->alive : 2) / ((double)group->n + 1));
}

void groupwise_experts_pmf(const struct groupwise *g, const struct ask *ask, double *ret_pmf)
{
	double p[GROUPWISE_AWAKE_MAX + 1], least, rate, total, sum = 0, d;
	struct groupwise_awake a;

	groupwise_wake(g, ask->groups, ask->ngroups, &a);
	groupwise_mixture(g, &a, p);
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = 0;
	}
	for (size_t j = 0; j < a.n; j++) {
		least = HUGE_VAL;
		rate = rate_of(g, a.group[j]);
		total = 0;
		for (size_t i = 0; i < ask->n; i++) {
			d = groupwise_cell(a.group[j], ask->slots[i]);
			least = d < least ? d : least;
		}
		for (size_t i = 0; i < ask->n; i++) {
			d = groupwise_cell(a.group[j], ask->slots[i]);
			total += num_exp(rate * (least - d));
		}
		for (size_t i = 0; i < ask->n; i++) {
			d = groupwise_cell(a.group[j], ask->slots[i]);
			ret_pmf[i] += p[j] * (num_exp(rate * (least - d)) / total);
		}
	}
	for (size_t i = 0; i < ask->n; i++) {
		sum += ret_pmf[i];
	}
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] /= sum;
	}
}

/* What the group's learner expects to lose on these arms. */
static double loss_of(
    const struct groupwise *g, const struct groupwise_group *group, const struct outcome *o)
{
	double least = HUGE_VAL, rate = rate_of(g, group), total = 0, sum = 0, w, d;

	for (size_t i = 0; i < o->nresults; i++) {
		d = groupwise_cell(group, o->results[i].slot);
		least = d < least ? d : least;
	}
	for (size_t i = 0; i < o->nresults; i++) {
		w = num_exp(rate * (least - groupwise_cell(group, o->results[i].slot)));
		total += w;
		sum += w * groupwise_loss(g, o->results[i].reward);
	}
	return sum / total;
}

void groupwise_experts_update(struct groupwise *g, const struct outcome *o)
{
	double p[GROUPWISE_AWAKE_MAX + 1], own[GROUPWISE_AWAKE_MAX + 1], mixture = 0;
	struct groupwise_awake a;

	if (o->nresults == 0) {
		return;
	}
	groupwise_wake(g, o->groups, o->ngroups, &a);
	groupwise_mixture(g, &a, p);
	for (size_t j = 0; j < a.n; j++) {
		own[j] = loss_of(g, a.group[j], o);
		mixture += p[j] * own[j];
	}
	for (size_t j = 0; j < a.n; j++) {
		struct groupwise_group *group = a.at[j] < g->ngroups ? &g->group[a.at[j]] : NULL;

		for (size_t i = 0; group && i < o->nresults; i++) {
			group->cell[o->results[i].slot] +=
			    groupwise_loss(g, o->results[i].reward) - own[j];
		}
		if (group) {
			groupwise_charge(group, mixture, own[j]);
			group->n++;
		}
	}
}
