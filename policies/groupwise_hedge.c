/* SPDX-License-Identifier: Apache-2.0 */
/* AdaNormalHedge for groups that sleep. Luo, Schapire, "Achieving All with No Parameters:
 * AdaNormalHedge", COLT 2015, in the form of Acharya, Arunachaleswaran, Kannan, Roth, Ziani,
 * "Oracle Efficient Algorithms for Groupwise Regret", ICLR 2024.
 *
 *	Phi(R, C) = exp(max(R, 0)^2 / (3 C))
 *	w(R, C)   = (Phi(R + 1, C + 1) - Phi(R - 1, C + 1)) / 2
 *	p_g       = q_g w(R_g, C_g) / sum over the awake
 *
 * All in logarithms, so nothing overflows. R and C are sums: labels may come in any order. */
#include <math.h>

#include "base/num.h"
#include "policies/groupwise_impl.h"

#define LN_2 0.693147180559945309

double groupwise_ln_weight(double r, double c)
{
	double d = 3 * (c + 1), a = (r + 1) * (r + 1) / d;
	double diff = r >= 1 ? 4 * r / d : a;

	if (!(r > -1)) {
		return -HUGE_VAL;
	}
	return a + num_log(-num_expm1(-diff)) - LN_2;
}

void groupwise_shares(size_t n, const double *lnw, const double *lnq, double *ret_p)
{
	double most = -HUGE_VAL, sum = 0;

	for (size_t i = 0; i < n; i++) {
		most = lnw[i] + lnq[i] > most ? lnw[i] + lnq[i] : most;
	}
	for (size_t i = 0; i < n; i++) {
		ret_p[i] = most > -HUGE_VAL ? num_exp(lnw[i] + lnq[i] - most) : num_exp(lnq[i]);
		sum += ret_p[i];
	}
	for (size_t i = 0; i < n; i++) {
		ret_p[i] /= sum;
	}
}

/* As given; or equal; or 1/(i (i + 1)), whose sum is 1 however many groups will come. */
static double ln_prior(const struct groupwise *g, uint32_t at)
{
	const struct param_list *given = &g->p->priors;
	double i = (double)at + 1;

	if (given->n > 0) {
		return at > 0 && at <= given->n ? num_log(given->v[at - 1]) : 0;
	}

	return g->p->prior == GROUPWISE_OPEN ? -num_log(i * (i + 1)) : 0;
}

void groupwise_wake(
    const struct groupwise *g, const uint32_t *groups, size_t ngroups, struct groupwise_awake *ret)
{
	static const struct groupwise_group fresh;
	size_t n = ngroups < GROUPWISE_AWAKE_MAX ? ngroups : GROUPWISE_AWAKE_MAX;

	ret->n = n + 1;
	for (size_t i = 0; i <= n; i++) {
		ret->at[i] = i == 0 ? 0 : groups[i - 1] + 1;
		ret->group[i] = ret->at[i] < g->ngroups ? &g->group[ret->at[i]] : &fresh;
	}
}

void groupwise_keep_known(const struct groupwise *g, struct groupwise_awake *a, double *values)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (a->at[i] >= g->ngroups) {
			continue;
		}
		a->at[n] = a->at[i];
		a->group[n] = a->group[i];
		if (values) {
			values[n] = values[i];
		}
		n++;
	}
	a->n = n;
}

void groupwise_mixture(const struct groupwise *g, const struct groupwise_awake *a, double *ret_p)
{
	double lnw[GROUPWISE_AWAKE_MAX + 1], lnq[GROUPWISE_AWAKE_MAX + 1];

	for (size_t i = 0; i < a->n; i++) {
		lnw[i] = groupwise_ln_weight(a->group[i]->r, a->group[i]->c);
		lnq[i] = ln_prior(g, a->at[i]);
	}
	groupwise_shares(a->n, lnw, lnq, ret_p);
}

void groupwise_charge(struct groupwise_group *group, double mixture, double own)
{
	group->r += mixture - own;
	group->c += fabs(mixture - own);
}
