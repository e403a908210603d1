/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/nonstationary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* p/pi by size, 64 cells a factor of two, from 2^-60 to 2^4; c is the lower end of a cell, so it is
 * never above the quantile, and at most 1.1 % below. */
#define CELLS_A_DOUBLING 64
#define LEAST_DOUBLING (-60)

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

static int too_few(struct errinfo *err)
{
	return err_set(err, RC_INVALID, "too_few", "", "the log has fewer rounds than that");
}

/* The round with its position numbered. */
static int placed(
    struct nonstationary_log *n, const struct round *r, struct round *ret, struct errinfo *err)
{
	*ret = *r;
	return positions_put(&n->positions, r->position, &ret->position, err);
}

/* Positions are numbered in a pass of their own: the model is as large as there are. */
static int walk(uint64_t rows, bool learn, struct nonstationary_log *n, struct errinfo *err)
{
	struct round r, known;
	uint64_t row = 0;
	int rc = round_file_rewind(n->l->kept, err), more = 1;

	while (rc == 0 && row < rows && (more = round_file_next(n->l->kept, &r, err)) == 1) {
		row++;
		rc = placed(n, &r, &known, err);
		if (rc == 0 && learn) {
			n->tried[known.position * n->narms + known.arm]++;
			model_add(n->model, &known, known.weight);
		}
	}
	return rc ? rc : more < 0 ? more : row < rows ? too_few(err) : 0;
}

static int map_slots(struct nonstationary_log *n, struct errinfo *err)
{
	n->arm_of = calloc(n->l->nitems, sizeof(*n->arm_of));
	if (!n->arm_of) {
		return no_memory(err);
	}
	for (uint32_t slot = 0; slot < n->l->nitems; slot++) {
		n->arm_of[slot] = log_arms_find(n->l->arms, n->l->items[slot]);
	}
	return 0;
}

int nonstationary_open(const struct rejection_log *l, uint64_t rows, const struct model_spec *model,
    struct nonstationary_log *ret, struct errinfo *err)
{
	struct nonstationary_log n = {.l = l, .narms = log_arms_count(l->arms)};
	int rc = 0;

	if (l->nitems > PMF_MAX) {
		rc = err_set(err, RC_LIMIT, "too_many", "",
		    "dr-ns takes logs of up to %d arms, and this one has %zu", PMF_MAX, l->nitems);
	}
	rc = rc ? rc : map_slots(&n, err);
	rc = rc ? rc : walk(rows, false, &n, err);
	rc = rc ? rc : model_new(model, n.narms, n.positions.n, l->dim, &n.model, err);
	if (rc == 0) {
		n.tried = calloc(n.positions.n * n.narms, sizeof(*n.tried));
		rc = n.tried ? walk(rows, true, &n, err) : no_memory(err);
	}
	rc = rc ? rc : model_fit(n.model, err);
	if (rc) {
		nonstationary_release(&n);
		return rc;
	}
	*ret = n;
	return 0;
}

void nonstationary_release(struct nonstationary_log *n)
{
	model_free(n->model);
	free(n->arm_of);
	free(n->tried);
}

/* What the policy would do in a round, and what that is expected to pay. */
struct outlook {
	double p, q, q_target, unsupported; /* p, q: of the logged arm */
};

static void look(const struct nonstationary_log *n, const struct round *r,
    const struct nonstationary_run *run, struct outlook *ret)
{
	*ret = (struct outlook){.q = model_value(n->model, r, r->arm)};
	for (size_t i = 0; i < run->npmf; i++) {
		uint32_t arm = n->arm_of[run->slots[i]];

		if (!(run->pmf[i] > 0)) {
			continue;
		}
		ret->p = arm == r->arm ? run->pmf[i] : ret->p;
		ret->q_target += run->pmf[i] * model_value(n->model, r, arm);
		ret->unsupported += n->tried[r->position * n->narms + arm] ? 0 : run->pmf[i];
	}
}

/* The policy is asked anew where its answer may differ from the last. */
static int ask(const struct nonstationary_log *n, const struct experiment *e, struct select_in *in,
    const struct round *r, struct arena *mem, struct nonstationary_run *run, struct errinfo *err)
{
	struct event d;
	int rc;

	if (run->npmf && !in->dim && !n->l->restricted) {
		return 0;
	}
	in->want_pmf = true;
	rc = experiment_select(e, in, r->at_us, mem, &d, err);
	if (rc) {
		return rc;
	}
	if (!run->pmf) {
		run->pmf = calloc(n->l->nitems, sizeof(*run->pmf));
		run->slots = calloc(n->l->nitems, sizeof(*run->slots));
		if (!run->pmf || !run->slots) {
			return no_memory(err);
		}
	}
	run->npmf = d.decision.nslots;
	memcpy(run->pmf, d.decision.pmf, run->npmf * sizeof(*run->pmf));
	memcpy(run->slots, d.decision.slots, run->npmf * sizeof(*run->slots));
	return 0;
}

void nonstationary_run_release(struct nonstationary_run *run)
{
	free(run->pmf);
	free(run->slots);
}

static void add_ratio(struct nonstationary_run *run, double ratio)
{
	double cell = floor((log2(ratio) - LEAST_DOUBLING) * CELLS_A_DOUBLING);

	run->ratios[cell < 0 ? 0 : cell > RATIO_CELLS ? RATIO_CELLS : (size_t)cell]++;
}

static double quantile_of(const struct nonstationary_run *run)
{
	double want = run->quantile * (double)run->rounds, below = 0;
	size_t cell = 0;

	while (cell < RATIO_CELLS && (below += (double)run->ratios[cell]) <= want) {
		cell++;
	}
	return exp2((double)cell / CELLS_A_DOUBLING + LEAST_DOUBLING);
}

static void add_round(
    const struct round *r, double p, const struct outlook *o, struct nonstationary_run *run)
{
	double w = o->p / r->propensity, c = run->c * r->weight;
	const struct est_term t = {c, c * o->q_target, c * w * (r->reward - o->q), c};

	est_sum_add(&run->sum, &t);
	interval_add(&run->weights, r->weight, w, r->reward);
	run->unsupported += r->weight * o->unsupported;
	run->rounds++;
	if (run->quantile >= 0) {
		add_ratio(run, o->p > 0 ? p / o->p : HUGE_VAL);
	}
}

/* The round joins the history: the policy is served it, takes the logged arm and has its reward. */
static int accept(struct experiment *e, struct select_in *in, const struct round *r,
    const char *arm, struct arena *mem, struct errinfo *err)
{
	enum feedback_status status;
	struct pending pending;
	struct event d, ev;
	int rc;

	in->forced = arm;
	in->want_pmf = false;
	rc = experiment_select(e, in, r->at_us, mem, &d, err);
	rc = rc ? rc : experiment_apply(e, &d);
	if (rc) {
		return rc;
	}
	pending_start(&pending, &d.decision);
	rc = experiment_reward(e, &d, &pending, &(struct reward_in){.reward = r->reward}, r->at_us,
	    mem, &ev, &status, err);
	return rc ? rc : experiment_apply(e, &ev);
}

int nonstationary_play(const struct nonstationary_log *n, struct experiment *e, uint64_t row,
    const struct round *round, struct arena *mem, struct nonstationary_run *run,
    struct errinfo *err)
{
	struct select_in in = {.id = NULL};
	struct rng rng = rng_at(run->seed, row, RNG_SAMPLE);
	double p = round->propensity / round->weight;
	struct round r = *round;
	struct outlook o;
	int rc;

	arena_reset(mem);
	run->c = run->rounds == 0 ? (run->quantile < 0 ? n->l->p_min : 1) : run->c;
	if (r.arm >= n->narms || !positions_find(&n->positions, r.position, &r.position)) {
		return err_set(err, RC_INVALID, "unknown_round", "",
		    "an arm or a position that the log does not have");
	}
	rc = rejection_ask(n->l, e, &r, mem, &in);
	rc = rc ? rc : ask(n, e, &in, &r, mem, run, err);
	if (rc) {
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	look(n, &r, run, &o);
	add_round(&r, p, &o, run);
	if (!(rng_uniform(&rng) * p < run->c * o.p)) {
		return 0;
	}
	run->accepted++;
	run->npmf = 0;
	rc = accept(e, &in, &r, log_arms_id(n->l->arms, r.arm), mem, err);
	if (run->quantile >= 0) {
		double c = quantile_of(run);

		run->c = c < 1 ? c : 1;
	}
	return rc ? err_set(err, rc, "failed", "", "%s", err_name(rc)) : 0;
}
