/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/ope_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRID_MAX 16
#define SLOPE_DELTA 0.05

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* A file may grow between the passes. */
static bool is_known(const struct run *u, const struct round *r)
{
	bool ok = r->arm < u->names.narms && r->position < u->names.npositions;

	for (size_t i = 0; i < r->neligible; i++) {
		ok = ok && r->eligible[i] < u->names.narms;
	}
	for (size_t k = 0; k < r->nslots; k++) {
		struct round one = round_slot(r, k);

		ok = ok && is_known(u, &one);
	}
	return ok;
}

static int changed(struct errinfo *err)
{
	return err_set(err, RC_IO, "changed", "", "the log changed while it was read");
}

int ope_next_round(struct run *u, bool first, struct round *ret, struct errinfo *err)
{
	for (;;) {
		struct errinfo why = {.rc = 0};
		int rc = u->log->next(u->log->arg, ret, &why);

		if (rc == RC_INVALID) {
			u->s.refused += first;
			u->s.rounds += first;
			if (first && u->log->refused) {
				u->log->refused(u->log->refused_arg, &why);
			}
			continue;
		}
		if (rc < 0) {
			return err_set(err, rc, why.code, why.pointer, "%s", why.text);
		}
		if (rc == 1 && !first && !is_known(u, ret)) {
			return changed(err);
		}
		u->s.rounds += rc && first;
		if (rc == 1 && ret->has_reward && !first) {
			rc = target_see(u->o->target, ret, err);
			return rc ? rc : 1;
		}
		if (rc == 0 || ret->has_reward) {
			return rc;
		}
		u->s.no_reward += first;
	}
}

static int scan(struct run *u, struct errinfo *err)
{
	double weight = 0;
	struct round r;
	int rc = u->log->rewind(u->log->arg, err);

	rc = rc ? rc : 1;
	while (rc == 1 && (rc = ope_next_round(u, true, &r, err)) == 1) {
		u->s.reward_lo = r.reward < u->s.reward_lo ? r.reward : u->s.reward_lo;
		u->s.reward_hi = r.reward > u->s.reward_hi ? r.reward : u->s.reward_hi;
		u->s.reward_sum += r.reward;
		u->s.logging_mean += r.reward * r.weight;
		weight += r.weight;
		u->dim = r.dim > u->dim ? r.dim : u->dim;
		u->s.unknown += r.propensity == 0;
		u->s.slots = r.nslots > u->s.slots ? r.nslots : u->s.slots;
		u->listed = u->listed || r.neligible || target_varies(u->o->target);
		u->s.used++;
	}
	if (rc == 0 && u->s.used == 0) {
		rc = err_set(err, RC_INVALID, "empty_log", "", "there is not one round to use");
	}
	u->s.logging_mean /= weight > 0 ? weight : 1;
	if (u->s.reward_lo < 0 || u->s.reward_hi > 1) {
		return rc;
	}
	u->s.reward_lo = 0;
	u->s.reward_hi = 1;
	return rc;
}

/* Models know single arms. */
static int check_slates(const struct run *u, const struct estimator *est, struct errinfo *err)
{
	for (size_t i = 0; u->s.slots && i < u->n; i++) {
		if (est[i].kind->flags & (EST_MODEL | EST_BALANCED)) {
			return err_set(err, RC_INVALID, "slates", "",
			    "%s needs a model, which knows no slates, and this log has some: try "
			    "pseudo-inverse, ips or snips",
			    est[i].text);
		}
	}
	return 0;
}

static double weight_of(const struct run *u, const struct round *r)
{
	return target_prob(u->o->target, r, r->arm) / r->propensity;
}

/* Farajtabar, Chow, Ghavamzadeh 2018: what makes the variance of DR least. */
static double mrdr_weight(const struct run *u, const struct round *r)
{
	double p = r->propensity;

	return target_prob(u->o->target, r, r->arm) * (1 - p) / (p * p);
}

/* Into in->w the product of the slots' weights, into in->w_slots 1 - m + their sum. */
static void weigh(const struct run *u, const struct round *r, struct est_round *in)
{
	if (r->nslots == 0) {
		in->w = in->w_slots = r->propensity > 0 ? weight_of(u, r) : in->w_balanced;
		return;
	}
	in->w = 1;
	in->w_slots = 1 - (double)r->nslots;
	for (size_t k = 0; k < r->nslots; k++) {
		struct round one = round_slot(r, k);
		double w = weight_of(u, &one);

		in->w *= w;
		in->w_slots += w;
	}
}

static void count_tries(struct run *u, const struct round *r)
{
	for (size_t k = 0; k < r->nslots; k++) {
		u->tried[k * u->names.narms + r->slots[k].arm]++;
	}
	u->tried[r->position * u->names.narms + r->arm] += r->nslots == 0;
}

static int prepare(struct run *u, const struct estimator *est, struct errinfo *err)
{
	size_t cells, k;
	int rc;

	u->log->names(u->log->arg, &u->names);
	k = u->names.npositions;
	cells = u->names.narms * k;
	u->tried = calloc(cells + 1, sizeof(*u->tried));
	u->everywhere = calloc(k + 1, sizeof(*u->everywhere));
	if (!u->tried || !u->everywhere) {
		return no_memory(err);
	}
	rc = target_bind(u->o->target, &u->names, err);
	for (size_t i = 0; rc == 0 && i < u->n; i++) {
		unsigned flags = est[i].kind->flags;
		struct model **m = flags & EST_MRDR ? &u->mrdr : &u->model;

		if (flags & EST_MODEL && !*m) {
			rc = model_new(
			    &u->o->model, u->names.narms, u->names.npositions, u->dim, m, err);
		}
	}
	return rc;
}

/* Learns the models, and what was tried where; spares a pass where neither is needed before the
 * last one. */
static int fit(struct run *u, struct errinfo *err)
{
	struct round r;
	int rc = u->model || u->mrdr || u->listed ? u->log->rewind(u->log->arg, err) : 0;

	u->fitted = u->model || u->mrdr || u->listed;
	rc = rc ? rc : u->fitted;
	while (rc == 1 && (rc = ope_next_round(u, false, &r, err)) == 1) {
		count_tries(u, &r);
		if (u->model) {
			model_add(u->model, &r, r.weight);
		}
		if (u->mrdr) {
			model_add(u->mrdr, &r, r.weight * mrdr_weight(u, &r));
		}
	}
	rc = rc == 0 && u->model ? model_fit(u->model, err) : rc;
	return rc == 0 && u->mrdr ? model_fit(u->mrdr, err) : rc;
}

/* Of a slate, the share of the target's slates with some arm that was never tried there. */
static double unsupported(const struct run *u, const struct round *r)
{
	double sum = target_missing(u->o->target, r->position), all = 1;

	for (size_t k = 0; k < r->nslots; k++) {
		struct round one = round_slot(r, k);

		all *= 1 - unsupported(u, &one);
	}
	if (r->nslots) {
		return 1 - all;
	}

	for (size_t i = 0; i < (r->neligible ? r->neligible : u->names.narms); i++) {
		uint32_t arm = r->neligible ? r->eligible[i] : (uint32_t)i;

		if (u->tried[r->position * u->names.narms + arm] == 0) {
			sum += target_prob(u->o->target, r, arm);
		}
	}
	return sum;
}

static void expect(
    struct run *u, const struct model *m, const struct round *r, struct est_round *ret)
{
	ret->q = model_value(m, r, r->arm);
	ret->q_target = 0;
	for (size_t i = 0; i < (r->neligible ? r->neligible : u->names.narms); i++) {
		uint32_t arm = r->neligible ? r->eligible[i] : (uint32_t)i;
		double p = target_prob(u->o->target, r, arm);

		ret->q_target += p > 0 ? p * model_value(m, r, arm) : 0;
	}
}

/* What the estimators see of a round, in [0] with the plain model, in [1] with that of MRDR. */
static void see(struct run *u, const struct round *r, struct est_round ret[2])
{
	ret[0] = (struct est_round){.weight = r->weight, .r = r->reward};
	if (u->balance) {
		ret[0].w_balanced = balance_weight(u->balance, r);
	}
	weigh(u, r, &ret[0]);
	if (u->model) {
		expect(u, u->model, r, &ret[0]);
	}
	if (u->mrdr) {
		ret[1] = ret[0];
		expect(u, u->mrdr, r, &ret[1]);
	}
}

/* Sums of one estimator with each threshold, and of its weights. */
struct candidates {
	const double *grid;
	size_t n;
	struct est_sum sum[GRID_MAX];
	double ww, w_max;
};

static int try_all(
    struct run *u, const struct estimator *e, struct candidates *c, struct errinfo *err)
{
	struct round r;
	int rc = u->log->rewind(u->log->arg, err);

	c->grid = est_slope_grid(e->kind, &c->n);
	rc = rc ? rc : 1;
	while (rc == 1 && (rc = ope_next_round(u, false, &r, err)) == 1) {
		struct est_round in[2];

		see(u, &r, in);
		c->ww += r.weight * in[0].w * in[0].w;
		c->w_max = in[0].w > c->w_max ? in[0].w : c->w_max;
		for (size_t i = 0; i < c->n; i++) {
			struct est_term t;

			e->kind->term(&in[e->kind->flags & EST_MRDR ? 1 : 0], c->grid[i], &t);
			est_sum_add(&c->sum[i], &t);
		}
	}
	return rc;
}

/* The first threshold takes nothing away. */
static size_t least_bound(const struct run *u, const struct candidates *c)
{
	double n = c->sum[0].weight.hi, range = u->s.reward_hi - u->s.reward_lo, least = HUGE_VAL;
	size_t best = 0;

	for (size_t i = 0; i < c->n; i++) {
		double lost = (c->sum[0].num.hi - c->sum[i].num.hi) / n;
		double bound = est_mse_bound(est_sum_se(&c->sum[i]), lost, n,
		    c->ww / n * range * range, c->w_max * range, SLOPE_DELTA);

		best = bound < least ? i : best;
		least = bound < least ? bound : least;
	}
	return best;
}

static int choose_one(struct run *u, struct estimator *e, struct errinfo *err)
{
	struct candidates c = {.n = 0};
	double value[GRID_MAX], se[GRID_MAX];
	int rc = try_all(u, e, &c, err);

	if (rc) {
		return rc;
	}
	for (size_t i = 0; i < c.n; i++) {
		value[i] = est_sum_value(&c.sum[i]);
		se[i] = est_sum_se(&c.sum[i]);
	}
	e->param = c.grid[e->mse ? least_bound(u, &c) : est_slope(value, se, c.n, SLOPE_DELTA)];
	return 0;
}

static void weigh_in(struct interval_sum *s, double *wr_abs, const struct round *r, double w)
{
	interval_add(s, r->weight, w, r->reward);
	*wr_abs += fabs(r->weight * w * r->reward);
}

static void add_round(struct run *u, const struct round *r, size_t at)
{
	struct est_round in[2];

	see(u, r, in);
	weigh_in(&u->s.sums, &u->wr_abs, r, in[0].w);
	if (u->o->seen) {
		u->o->seen(u->o->seen_arg, r, in[0].w);
	}
	if (u->balance) {
		weigh_in(&u->balanced, &u->balanced_wr_abs, r, in[0].w_balanced);
	}
	if (u->s.slots) {
		weigh_in(&u->slate, &u->slate_wr_abs, r, in[0].w_slots);
	}
	if (r->neligible || target_varies(u->o->target)) {
		u->s.unsupported += r->weight * unsupported(u, r);
	} else {
		u->everywhere[r->position] += r->weight;
	}
	if (!u->fitted) {
		count_tries(u, r);
	}
	for (size_t i = 0; i < u->n; i++) {
		const struct estimator *e = &u->results[i].estimator;
		struct est_term t;

		e->kind->term(&in[e->kind->flags & EST_MRDR ? 1 : 0], e->param, &t);
		est_sum_add(&u->sums[i], &t);
		if (u->terms[i]) {
			u->terms[i][at] = t;
		}
	}
}

static void summarise(struct run *u)
{
	u->s.overlap = ope_overlap_of(&u->s.sums, u->wr_abs);
	if (u->s.slots) {
		u->s.slate = ope_overlap_of(&u->slate, u->slate_wr_abs);
	}
	if (u->balance) {
		u->s.balanced = ope_overlap_of(&u->balanced, u->balanced_wr_abs);
	}
	for (size_t k = 0; k < u->names.npositions; k++) {
		const struct round any = {.position = (uint32_t)k};

		u->s.unsupported +=
		    u->everywhere[k] > 0 ? u->everywhere[k] * unsupported(u, &any) : 0;
	}
	u->s.unsupported /= u->s.sums.n;
}

static int accumulate(struct run *u, struct errinfo *err)
{
	struct round r;
	size_t at = 0;
	int rc = u->log->rewind(u->log->arg, err);

	u->s.sums = (struct interval_sum){.lo = u->s.reward_lo, .hi = u->s.reward_hi};
	rc = rc ? rc : 1;
	while (rc == 1 && (rc = ope_next_round(u, false, &r, err)) == 1) {
		if (at == u->s.used) {
			return err_set(
			    err, RC_IO, "changed", "", "the log changed while it was read");
		}
		add_round(u, &r, at++);
	}
	if (rc == 0 && at < u->s.used) {
		rc = changed(err);
	}
	if (rc == 0) {
		summarise(u);
	}
	return rc;
}

static int make_sums(struct run *u, struct errinfo *err)
{
	u->sums = calloc(u->n + 1, sizeof(*u->sums));
	if (!u->sums) {
		return no_memory(err);
	}
	u->terms = calloc(u->n + 1, sizeof(*u->terms));
	for (size_t i = 0; u->terms && i < u->n; i++) {
		if (u->o->interval != INTERVAL_BOOTSTRAP &&
		    !(u->results[i].estimator.kind->flags & EST_TERMS)) {
			continue;
		}
		u->terms[i] = calloc(u->s.used, sizeof(**u->terms));
		if (!u->terms[i]) {
			return no_memory(err);
		}
	}
	return u->terms ? 0 : no_memory(err);
}

static void release(struct run *u)
{
	for (size_t i = 0; u->terms && i < u->n; i++) {
		free(u->terms[i]);
	}
	free(u->terms);
	free(u->sums);
	free(u->tried);
	free(u->everywhere);
	model_free(u->model);
	model_free(u->mrdr);
	balance_free(u->balance);
}

int ope_run(const struct ope_log *log, const struct ope_options *o, const struct estimator *est,
    size_t n, struct ope_summary *ret, struct ope_result *ret_results, struct errinfo *err)
{
	struct run u = {.log = log, .o = o, .results = ret_results, .n = n};
	int rc = ope_check_intervals(o, est, n, err);

	rc = rc ? rc : scan(&u, err);
	rc = rc ? rc : check_slates(&u, est, err);
	rc = rc ? rc : ope_check_unknown(&u, est, err);
	rc = rc ? rc : prepare(&u, est, err);
	rc = rc ? rc : fit(&u, err);
	rc = rc ? rc : ope_balance(&u, est, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		ret_results[i] = (struct ope_result){.estimator = est[i]};
		rc = est[i].slope ? choose_one(&u, &ret_results[i].estimator, err) : 0;
	}
	rc = rc ? rc : make_sums(&u, err);
	rc = rc ? rc : accumulate(&u, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = ope_bound(&u, i, err);
		ope_judge(&u.s, &ret_results[i]);
	}
	if (rc == 0) {
		*ret = u.s;
	}
	release(&u);
	return rc;
}
