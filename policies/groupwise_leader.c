/* SPDX-License-Identifier: Apache-2.0 */
/* Follow the perturbed leader, per group: Kalai, Vempala, "Efficient Algorithms for Online Decision
 * Problems", JCSS 71, 2005. An arm is a set of components (the edges of a path, the items of a
 * bundle), s_k in R^m, and what it costs is the sum of theirs, c.s_k. With u uniform on [0, 1/e]^m,
 * fresh in every round, the group's leader is
 *
 *	argmin over k of L_k + u.s_k,    e = sqrt(D / (A n)) in the group's n-th round
 *
 * L_k the arm's losses so far, D the widest distance of two arms in the first norm, A the most that
 * all components together can cost when no arm costs more than 1. Without components each arm is
 * one of its own: D = 2, A = K. Regret to each group's learner <= 3 sqrt(D A n), and K is not in
 * it.
 *
 * The leader has no closed distribution: `samples` draws of u stand for it, and their shares are
 * what is drawn from. They come from the counter-based generator at the decision's seq, so the
 * losses that come later are charged by the same ones. O(samples * arms * (m + groups awake)). */
#include <math.h>

#include "policies/groupwise_impl.h"

#define SAMPLES 100

int groupwise_components_check(const struct groupwise_params *p, struct errinfo *err)
{
	const struct param_list *c = &p->components;

	if (c->n > 0 && (c->width == 0 || c->width > GROUPWISE_COMPONENTS_MAX)) {
		return err_set(err, RC_INVALID, "wrong_type", "/components",
		    "components are rows of at most %d numbers, one row per arm",
		    GROUPWISE_COMPONENTS_MAX);
	}
	return 0;
}

double groupwise_leader_scale(const struct param_list *c)
{
	double apart = 0, longest = 0, cost = 0, sum, most, least;

	for (size_t i = 0; i < c->width; i++) {
		most = 0;
		least = HUGE_VAL;
		for (size_t at = i; at < c->n; at += c->width) {
			most = c->v[at] > most ? c->v[at] : most;
			least = c->v[at] < least ? c->v[at] : least;
		}
		apart += most - least;
		cost += most > 0 ? 1 / most : 0;
	}
	for (size_t at = 0; c->width > 0 && at < c->n; at += c->width) {
		sum = 0;
		for (size_t i = 0; i < c->width; i++) {
			sum += c->v[at + i];
		}
		longest = sum > longest ? sum : longest;
	}
	apart = apart < 2 * longest ? apart : 2 * longest;
	return cost > 0 ? apart / cost : 0;
}

static double rate_of(const struct groupwise *g, const struct groupwise_group *group)
{
	double scale = g->leader_scale;

	if (g->p->eta > 0) {
		return g->p->eta;
	}
	scale = scale > 0 ? scale : 2.0 / (g->alive > 2 ? g->alive : 2);
	return sqrt(scale / ((double)group->n + 1));
}

/* u.s of an arm; one that has no row is a component of its own. */
static double perturbation(
    const struct groupwise *g, const double *u, uint32_t slot, struct rng *rng)
{
	const struct param_list *c = &g->p->components;
	double sum = 0;

	if (c->n == 0 || slot >= c->n / c->width) {
		return rng_uniform(rng);
	}
	for (size_t i = 0; i < c->width; i++) {
		sum += u[i] * c->v[slot * c->width + i];
	}
	return sum;
}

/* One draw of u: the leader of each of the awake, as its place among the slots. */
static void lead(const struct groupwise *g, const struct groupwise_awake *a, const double *rate,
    const struct groupwise_arms *arms, struct rng *rng, size_t *ret_leader)
{
	double u[GROUPWISE_COMPONENTS_MAX], least[GROUPWISE_AWAKE_MAX + 1], z, l;

	for (size_t i = 0; i < g->p->components.width; i++) {
		u[i] = rng_uniform(rng);
	}
	for (size_t i = 0; i < arms->n; i++) {
		uint32_t slot = groupwise_arm(arms, i);

		z = perturbation(g, u, slot, rng);
		for (size_t j = 0; j < a->n; j++) {
			l = groupwise_cell(a->group[j], slot) + z / rate[j];
			if (i == 0 || l < least[j]) {
				least[j] = l;
				ret_leader[j] = i;
			}
		}
	}
}

static double draws_of(const struct groupwise *g)
{
	return g->p->samples >= 1 ? g->p->samples : SAMPLES;
}

static void rates_of(const struct groupwise *g, const struct groupwise_awake *a, double *ret)
{
	for (size_t j = 0; j < a->n; j++) {
		ret[j] = rate_of(g, a->group[j]);
	}
}

void groupwise_leader_pmf(const struct groupwise *g, const struct groupwise_awake *a,
    const struct groupwise_arms *arms, struct rng rng, const double *p, double *ret_pmf)
{
	double rate[GROUPWISE_AWAKE_MAX + 1], draws = draws_of(g);
	size_t leader[GROUPWISE_AWAKE_MAX + 1];

	rates_of(g, a, rate);
	for (double s = 0; s < draws; s++) {
		lead(g, a, rate, arms, &rng, leader);
		for (size_t j = 0; j < a->n; j++) {
			ret_pmf[leader[j]] += p[j] / draws;
		}
	}
}

void groupwise_leader_losses(const struct groupwise *g, const struct groupwise_awake *a,
    const struct outcome *o, double *ret_own)
{
	struct groupwise_arms arms = {.results = o->results, .n = o->nresults};
	struct rng rng = rng_at(g->seed, o->ref, RNG_POLICY);
	double rate[GROUPWISE_AWAKE_MAX + 1], draws = draws_of(g);
	size_t leader[GROUPWISE_AWAKE_MAX + 1];

	rates_of(g, a, rate);
	for (size_t j = 0; j < a->n; j++) {
		ret_own[j] = 0;
	}
	for (double s = 0; s < draws; s++) {
		lead(g, a, rate, &arms, &rng, leader);
		for (size_t j = 0; j < a->n; j++) {
			ret_own[j] += groupwise_loss(g, o->results[leader[j]].reward) / draws;
		}
	}
}
