/* SPDX-License-Identifier: Apache-2.0 */
/* Kind `experts`: the losses of all arms that could be drawn are told. Exponential weights per
 * group, with the rate sqrt(8 ln K / t) of its t-th round, or the perturbed leader
 * (groupwise_leader.c), mixed by AdaNormalHedge.
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

/* Adds the learner's distribution, times its group's share. */
static void add_hedge(const struct groupwise *g, const struct groupwise_group *group,
    const struct ask *ask, double share, double *ret_pmf)
{
	double least = HUGE_VAL, rate = rate_of(g, group), total = 0, d;

	for (size_t i = 0; i < ask->n; i++) {
		d = groupwise_cell(group, ask->slots[i]);
		least = d < least ? d : least;
	}
	for (size_t i = 0; i < ask->n; i++) {
		d = groupwise_cell(group, ask->slots[i]);
		total += num_exp(rate * (least - d));
	}
	for (size_t i = 0; i < ask->n; i++) {
		d = groupwise_cell(group, ask->slots[i]);
		ret_pmf[i] += share * (num_exp(rate * (least - d)) / total);
	}
}

void groupwise_experts_pmf(
    const struct groupwise *g, const struct ask *ask, const struct rng *rng, double *ret_pmf)
{
	struct groupwise_arms arms = {.slots = ask->slots, .n = ask->n};
	double p[GROUPWISE_AWAKE_MAX + 1], sum = 0;
	struct groupwise_awake a;

	groupwise_wake(g, ask->groups, ask->ngroups, &a);
	groupwise_mixture(g, &a, p);
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = 0;
	}
	if (g->p->learner == GROUPWISE_FTPL) {
		groupwise_leader_pmf(g, &a, &arms, *rng, p, ret_pmf);
	}
	for (size_t j = 0; g->p->learner != GROUPWISE_FTPL && j < a.n; j++) {
		add_hedge(g, a.group[j], ask, p[j], ret_pmf);
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
	groupwise_keep_known(g, &a, NULL);
	groupwise_mixture(g, &a, p);
	if (g->p->learner == GROUPWISE_FTPL) {
		groupwise_leader_losses(g, &a, o, own);
	}
	for (size_t j = 0; j < a.n; j++) {
		if (g->p->learner != GROUPWISE_FTPL) {
			own[j] = loss_of(g, a.group[j], o);
		}
		mixture += p[j] * own[j];
	}
	for (size_t j = 0; j < a.n; j++) {
		struct groupwise_group *group = &g->group[a.at[j]];

		for (size_t i = 0; i < o->nresults; i++) {
			group->cell[o->results[i].slot] +=
			    groupwise_loss(g, o->results[i].reward) - own[j];
		}
		groupwise_charge(group, mixture, own[j]);
		group->n++;
	}
}
