/* SPDX-License-Identifier: Apache-2.0 */
/* Kind `arms`: bandit feedback, with losses l = 1 - (r - lo) / (hi - lo).
 *
 * Form A: one ln-weight L per (group, arm), a specialist that is awake when its group and its arm
 * are. P_k is the share of arm k among the awake. With x = eta l / (P_a + ix) for the arm a that
 * was drawn, its specialists lose x, and all that are awake gain the s that keeps their total
 * weight: Freund, Schapire, Singer, Warmuth, "Using and Combining Predictors that Specialize", STOC
 * 1997, over the groups and models of Blum, Lykouris, "Advancing Subgroup Fairness via Sleeping
 * Experts", ITCS 2020, with the estimator of Exp3. Form B: exponential weights of arms per group,
 * mixed by exponential weights of groups: P = (1 - gamma) sum_g p_g pi_g + gamma / K.
 *
 * Only differences of L matter, so a newcomer begins at 0 as the first ones did. A decision and a
 * reward take O(groups awake * arms). */
#include <math.h>

#include "base/num.h"
#include "policies/groupwise_impl.h"

#define STEP_MAX 1e12 /* of a propensity so small that it is never drawn: L stays finite */
#define MEMO_ARMS_MAX 60000

struct rates {
	double eta, meta, gamma;
};

static struct rates rates_of(const struct groupwise *g)
{
	const struct groupwise_params *p = g->p;
	double k = g->alive ? g->alive : 1, groups = g->ngroups, t = p->horizon;
	struct rates ret;

	if (p->doubling) {
		for (t = 2; t <= (double)g->plays; t *= 2) {
		}
	}
	ret.gamma = p->gamma > 0 ? p->gamma : num_pow(k * num_log(groups * k) / t, 1.0 / 3);
	ret.gamma = ret.gamma < 0.5 ? ret.gamma : 0.5;
	if (p->form == GROUPWISE_A) {
		ret.eta = sqrt(2 * num_log(groups * k) / (k * t));
	} else {
		ret.eta = sqrt(2 * ret.gamma * num_log(k) / (k * t));
	}
	ret.eta = p->eta > 0 ? p->eta : ret.eta;
	ret.meta = sqrt(2 * num_log(groups) / (k * t));
	return ret;
}

/* ln(e^a + e^b) */
static double ln_add(double a, double b)
{
	double most = a > b ? a : b, least = a > b ? b : a;

	return least > -HUGE_VAL ? most + num_log1p(num_exp(least - most)) : most;
}

/* What all gain when those of ln-weight `drawn` lose x, so that their sum with `rest` stays. */
static double gain(double drawn, double rest, double x)
{
	double share = 1 / (1 + num_exp(rest - drawn)), change = share * num_expm1(-x);

	if (change > -0.5) {
		return -num_log1p(change);
	}
	return ln_add(drawn, rest) - ln_add(drawn - x, rest);
}

static void pmf_a(const struct groupwise_awake *a, const struct ask *ask, double *ret_pmf)
{
	double most = -HUGE_VAL, sum = 0, l;

	for (size_t j = 0; j < a->n; j++) {
		for (size_t i = 0; i < ask->n; i++) {
			l = groupwise_cell(a->group[j], ask->slots[i]);
			most = l > most ? l : most;
		}
	}
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = 0;
		for (size_t j = 0; j < a->n; j++) {
			ret_pmf[i] += num_exp(groupwise_cell(a->group[j], ask->slots[i]) - most);
		}
		sum += ret_pmf[i];
	}
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] /= sum;
	}
}

/* ln of the sum of e^L over the group's arms, without one of them. */
static double ln_total(
    const struct groupwise_group *group, const uint32_t *slots, size_t n, uint32_t without)
{
	double most = -HUGE_VAL, sum = 0, l;

	for (size_t i = 0; i < n; i++) {
		l = slots[i] == without ? -HUGE_VAL : groupwise_cell(group, slots[i]);
		most = l > most ? l : most;
	}
	for (size_t i = 0; most > -HUGE_VAL && i < n; i++) {
		if (slots[i] != without) {
			sum += num_exp(groupwise_cell(group, slots[i]) - most);
		}
	}
	return most > -HUGE_VAL ? most + num_log(sum) : most;
}

/* Shares of the groups, form B. */
static void meta_shares(const struct groupwise_awake *a, double *ret_p)
{
	double lnw[GROUPWISE_AWAKE_MAX + 1], lnq[GROUPWISE_AWAKE_MAX + 1] = {0};

	for (size_t j = 0; j < a->n; j++) {
		lnw[j] = a->group[j]->m;
	}
	groupwise_shares(a->n, lnw, lnq, ret_p);
}

static void pmf_b(const struct groupwise *g, const struct groupwise_awake *a, const struct ask *ask,
    double *ret_pmf)
{
	double p[GROUPWISE_AWAKE_MAX + 1], gamma = rates_of(g).gamma, sum = 0;

	meta_shares(a, p);
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = gamma / (double)ask->n;
	}
	for (size_t j = 0; j < a->n; j++) {
		double total = ln_total(a->group[j], ask->slots, ask->n, SLOT_NONE);

		for (size_t i = 0; i < ask->n; i++) {
			ret_pmf[i] += (1 - gamma) * p[j] *
				      num_exp(groupwise_cell(a->group[j], ask->slots[i]) - total);
		}
	}
	for (size_t i = 0; i < ask->n; i++) {
		sum += ret_pmf[i];
	}
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] /= sum;
	}
}

void groupwise_arms_pmf(const struct groupwise *g, const struct ask *ask, double *ret_pmf)
{
	struct groupwise_awake a;

	groupwise_wake(g, ask->groups, ask->ngroups, &a);
	if (g->p->form == GROUPWISE_A) {
		pmf_a(&a, ask, ret_pmf);
	} else {
		pmf_b(g, &a, ask, ret_pmf);
	}
}

/* Which arms could be drawn: runs of neighbours, each as its distance and its length. */
static void put_arms(const struct ask *ask, struct buf *memo)
{
	uint32_t at = 0;
	size_t i = 0, n;

	while (i < ask->n && memo->len < MEMO_ARMS_MAX) {
		n = 1;
		while (i + n < ask->n && ask->slots[i + n] == ask->slots[i] + n) {
			n++;
		}
		buf_put_var(memo, ask->slots[i] - at);
		buf_put_var(memo, n);
		at = ask->slots[i] + (uint32_t)n;
		i += n;
	}
	if (i < ask->n) {
		buf_reset(memo); /* too many holes: those of the time of the reward stand in */
	}
}

void groupwise_arms_note(
    const struct groupwise *g, const struct ask *ask, size_t i, struct buf *memo)
{
	struct groupwise_awake a;

	if (g->p->form == GROUPWISE_B) {
		groupwise_wake(g, ask->groups, ask->ngroups, &a);
		for (size_t j = 0; j < a.n; j++) {
			double total = ln_total(a.group[j], ask->slots, ask->n, SLOT_NONE);

			buf_put_f64(
			    memo, num_exp(groupwise_cell(a.group[j], ask->slots[i]) - total));
		}
	}
	put_arms(ask, memo);
}

/* The arms of the decision that still exist, into g->among. */
static size_t get_arms(struct groupwise *g, struct rd *in)
{
	uint64_t at = 0, gap, run;
	size_t n = 0;
	bool noted = rd_left(in) > 0;

	for (uint32_t i = 0; !noted && i < g->slots; i++) {
		if (g->arm[i] == ARM_ACTIVE) {
			g->among[n++] = i;
		}
	}
	while (rd_left(in) > 0) {
		gap = rd_var(in);
		run = rd_var(in);
		at = gap < g->slots ? at + gap : g->slots;
		for (; run > 0 && at < g->slots; run--, at++) {
			if (g->arm[at] != ARM_RETIRED) {
				g->among[n++] = (uint32_t)at;
			}
		}
	}
	return n;
}

/* The drawn arm loses x, all gain s. */
static void move(const struct groupwise *g, struct groupwise_group *group, size_t n, uint32_t drawn,
    double x, double s)
{
	for (size_t i = 0; i < n; i++) {
		if (g->among[i] != drawn) {
			group->cell[g->among[i]] += s;
		}
	}
	group->cell[drawn] += s - x;
}

static void update_a(
    struct groupwise *g, struct groupwise_awake *a, const struct outcome *o, double loss)
{
	struct rd in;
	double x = rates_of(g).eta * (loss / (o->propensity + g->p->ix)), s;
	double drawn = -HUGE_VAL, rest = -HUGE_VAL;
	size_t n;

	groupwise_keep_known(g, a, NULL);
	rd_init(&in, o->memo, o->nmemo);
	n = get_arms(g, &in);
	x = x < STEP_MAX ? x : STEP_MAX;
	for (size_t j = 0; j < a->n; j++) {
		drawn = ln_add(drawn, groupwise_cell(a->group[j], o->slot));
		rest = ln_add(rest, ln_total(a->group[j], g->among, n, o->slot));
	}
	s = gain(drawn, rest, x);
	for (size_t j = 0; j < a->n; j++) {
		move(g, &g->group[a->at[j]], n, o->slot, x, s);
	}
}

/* Each group pays for the probability that its learner gave the drawn arm. */
static void charge_groups(struct groupwise *g, const struct groupwise_awake *a, const double *pi,
    double rate, double estimate)
{
	double before = -HUGE_VAL, after = -HUGE_VAL, x[GROUPWISE_AWAKE_MAX + 1];

	for (size_t j = 0; j < a->n; j++) {
		x[j] = rate * pi[j] * estimate;
		x[j] = x[j] < STEP_MAX ? x[j] : STEP_MAX;
		before = ln_add(before, a->group[j]->m);
		after = ln_add(after, a->group[j]->m - x[j]);
	}
	for (size_t j = 0; j < a->n; j++) {
		g->group[a->at[j]].m += before - after - x[j];
	}
}

static void update_b(
    struct groupwise *g, struct groupwise_awake *a, const struct outcome *o, double loss)
{
	double pi[GROUPWISE_AWAKE_MAX + 1], estimate = loss / (o->propensity + g->p->ix), x, s;
	struct rates rate = rates_of(g);
	struct rd in;
	size_t n;

	rd_init(&in, o->memo, o->nmemo);
	for (size_t j = 0; j < a->n; j++) {
		pi[j] = o->nmemo ? rd_f64(&in) : 0;
	}
	groupwise_keep_known(g, a, pi);
	n = get_arms(g, &in);
	for (size_t j = 0; !o->nmemo && j < a->n; j++) {
		double total = ln_total(a->group[j], g->among, n, SLOT_NONE);

		pi[j] = num_exp(groupwise_cell(a->group[j], o->slot) - total);
	}
	charge_groups(g, a, pi, rate.meta, estimate);
	x = rate.eta * estimate;
	x = x < STEP_MAX ? x : STEP_MAX;
	for (size_t j = 0; j < a->n; j++) {
		s = gain(groupwise_cell(a->group[j], o->slot),
		    ln_total(a->group[j], g->among, n, o->slot), x);
		move(g, &g->group[a->at[j]], n, o->slot, x, s);
	}
}

void groupwise_arms_update(struct groupwise *g, const struct outcome *o)
{
	double loss = groupwise_loss(g, o->reward);
	struct groupwise_awake a;

	groupwise_wake(g, o->groups, o->ngroups, &a);
	if (g->p->form == GROUPWISE_A) {
		update_a(g, &a, o, loss);
	} else {
		update_b(g, &a, o, loss);
	}
	for (size_t j = 0; j < a.n; j++) {
		g->group[a.at[j]].n++;
	}
}

void groupwise_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct groupwise *g = state;

	ret->n = g->p->kind == GROUPWISE_REGRESS ? 0 : 1;
	ret->item[0].name = g->p->kind == GROUPWISE_ARMS ? "log_weight" : "excess_loss";
	ret->item[0].value = ret->n ? g->group[0].cell[slot] : 0;
}
