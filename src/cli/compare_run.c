/* SPDX-License-Identifier: Apache-2.0 */
/* Every candidate on every place, and what the holdouts say to that. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/holdout_file.h"

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

const char *compare_interval(const struct comparison *c, size_t candidate)
{
	return interval_names[c->candidate[candidate].policy ? INTERVAL_NORMAL
							     : c->given->o.interval];
}

/* ---- one candidate on a part of one log ---- */

static int evaluate_target(struct comparison *c, size_t i, const struct ope_options *how,
    struct compare_cell *ret, struct errinfo *err)
{
	struct ope_options o = *how;
	int rc = replay_make_target(c->candidate[i].name, &o.target, err);

	rc = rc ? rc : replay_target_on(c->given, &o, &c->estimator, 1, &ret->s, &ret->r, err);
	target_free(o.target);
	return rc;
}

static int learn(struct comparison *c, size_t i, const struct rejection_log *l,
    struct plot_data *data, struct compare_cell *ret, struct errinfo *err)
{
	const struct given_policy *p = c->candidate[i].policy;
	const struct learning_policy policy = {p->ops, p->params, p->nparams};
	struct replay_args *a = c->given;
	uint64_t rows = a->rounds && a->rounds < l->rows ? a->rounds : l->rows;
	struct nonstationary_log ns = {.model = NULL};
	struct learning_result r;
	struct learning *g = NULL;
	int rc = c->learning.rejection ? 0 : nonstationary_open(l, rows, &a->o.model, &ns, err);

	rc = rc ? rc : learning_new(l, &ns, &c->learning, &policy, a->o.seed, a->runs, &g, err);
	rc = rc ? rc : replay_play(l, rows, g, data ? plot_data_learnt : NULL, data, err);
	if (rc == 0) {
		learning_result(g, a->o.alpha, &r);
		*ret = (struct compare_cell){.s = r.summary, .r = r.judged};
		ret->r.value = r.value;
		ret->r.se = r.se;
		ret->r.lo = r.lo;
		ret->r.hi = r.hi;
		snprintf(
		    ret->r.estimator.text, sizeof(ret->r.estimator.text), "%s", c->learning.text);
	}
	if (rc == 0 && isnan(r.value)) {
		rc = err_set(err, RC_INVALID, "nothing_accepted", a->path,
		    "%s decided in no round as the log did: there is nothing to compare",
		    c->candidate[i].name);
	}
	learning_free(g);
	nonstationary_release(&ns);
	return rc;
}

static int evaluate_policy(struct comparison *c, size_t i, struct plot_data *data,
    struct compare_cell *ret, struct errinfo *err)
{
	const struct log_options o = replay_log_options(c->given);
	struct rejection_log l = {.rows = 0};
	int rc = rejection_scan(c->given->path, &o, &l, err);

	if (rc) {
		return rc;
	}
	c->given->quiet = true;
	rc = learn(c, i, &l, data, ret, err);
	/* What the policy was not asked about is of the log. */
	ret->s.rounds = l.rows + l.refused + l.skipped;
	ret->s.refused = l.refused;
	ret->s.no_reward = l.skipped;
	ret->s.reward_sum = l.sum;
	ret->s.logging_mean = l.sum / (double)l.rows;
	rejection_log_release(&l);
	return rc;
}

static int evaluate(struct comparison *c, size_t i, const struct ope_options *o,
    struct plot_data *data, struct compare_cell *ret, struct errinfo *err)
{
	return c->candidate[i].policy ? evaluate_policy(c, i, data, ret, err)
				      : evaluate_target(c, i, o, ret, err);
}

/* ---- a place ---- */

static int ask(struct comparison *c, struct holdout *h, size_t i, struct compare_cell *cell,
    struct errinfo *err)
{
	double z = num_norm_quantile(1 - c->given->o.alpha / 2);
	/* The interval of a policy allows for its seeds, too. */
	struct holdout_query q = {.training = cell->r.value,
	    .se = c->candidate[i].policy ? (cell->r.hi - cell->r.value) / z : cell->r.se,
	    .training_n = cell->s.used,
	    .kept = cell->r.value,
	    .kept_n = 1};
	struct compare_cell kept;
	struct ope_options o = c->given->o;
	int rc = 0;

	if (h->spent < h->budget) {
		/* Its value is all that is asked for. */
		o.interval = INTERVAL_NORMAL;
		c->given->part.side = LOG_KEPT;
		rc = evaluate(c, i, &o, NULL, &kept, err);
		c->given->part.side = LOG_TRAINING;
	}
	if (rc == 0 && h->spent < h->budget) {
		q.kept = kept.r.value;
		q.kept_n = kept.s.used;
	}
	if (rc == 0) {
		holdout_ask(h, &q, c->given->o.alpha, &cell->guard);
	}
	return rc;
}

static int ask_all(
    struct comparison *c, struct compare_place *p, struct compare_cell *cell, struct errinfo *err)
{
	struct holdout_file *f = NULL;
	struct holdout *h;
	int rc = holdout_file_open(p->path, c->given->holdout, c->budget, &f, err);

	if (rc) {
		return rc;
	}
	h = holdout_file_state(f);
	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		rc = ask(c, h, i, &cell[i], err);
	}
	/* What was asked is paid for, though another question failed. */
	if (holdout_file_save(f, rc ? NULL : err)) {
		rc = rc ? rc : RC_IO;
	}
	snprintf(p->holdout, sizeof(p->holdout), "%s", holdout_file_path(f));
	p->budget = h->budget;
	p->spent = h->spent;
	p->queries = h->queries;
	holdout_file_close(f);
	return rc;
}

static int run_place(struct comparison *c, size_t k, struct errinfo *err)
{
	struct compare_place *p = &c->place[k];
	struct compare_cell *cell = &c->cell[k * c->n];
	int rc = 0;

	c->given->path = p->path;
	c->given->part = p->part;
	c->given->quiet = p->segment > 1;
	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		struct plot_data *data = k == 0 && c->data ? &c->data[i] : NULL;
		struct ope_options o = c->given->o;

		o.seen = data ? plot_data_seen : NULL;
		o.seen_arg = data;
		rc = evaluate(c, i, &o, data, &cell[i], err);
		c->given->quiet = true;
	}
	if (rc) {
		return rc;
	}
	p->rounds = cell[0].s.rounds;
	p->used = cell[0].s.used;
	p->refused = cell[0].s.refused;
	p->logged = cell[0].s.logging_mean;
	return c->given->holdout > 0 ? ask_all(c, p, cell, err) : 0;
}

/* ---- all places ---- */

static int count_rounds(struct comparison *c, const char *path, uint64_t *ret, struct errinfo *err)
{
	struct log_options o = replay_log_options(c->given);
	struct log_arms *arms = NULL;
	struct log *in = NULL;
	struct round r;
	int rc = log_arms_new(&arms) ? no_memory(err) : 0, more = 1;

	o.refused = NULL;
	rc = rc ? rc : log_open(path, &o, arms, &in, err);
	while (rc == 0 && more == 1) {
		more = log_next(in, &r, err);
		rc = more < 0 ? more : 0;
	}
	*ret = in ? log_counts(in)->rounds : 0;
	log_close(in);
	log_arms_free(arms);
	return rc;
}

static int cut(struct comparison *c, const char *path, struct errinfo *err)
{
	uint64_t n = 0;
	int rc = c->segments > 1 ? count_rounds(c, path, &n, err) : 0;

	if (rc == 0 && c->segments > 1 && n < c->segments) {
		rc = err_set(err, RC_INVALID, "segments", path,
		    "the log has %llu rounds: too few for --segments %u", (unsigned long long)n,
		    (unsigned)c->segments);
	}
	for (uint32_t k = 0; rc == 0 && k < c->segments; k++) {
		struct compare_place *p = &c->place[c->places++];

		*p = (struct compare_place){.path = path,
		    .part = c->given->part,
		    .segment = k + 1,
		    .segments = c->segments};
		snprintf(p->name, sizeof(p->name), "%.140s", path);
		if (c->segments > 1) {
			p->part.from = n * k / c->segments;
			p->part.to = n * (k + 1) / c->segments;
			snprintf(
			    p->name, sizeof(p->name), "%.120s %u/%u", path, k + 1, c->segments);
		}
	}
	return rc;
}

static int rank(struct comparison *c, struct errinfo *err)
{
	const char *places[COMPARE_PLACES_MAX], *names[RANK_MAX];

	for (size_t k = 0; k < c->places; k++) {
		places[k] = c->place[k].name;
	}
	for (size_t i = 0; i < c->n; i++) {
		names[i] = c->candidate[i].name;
	}
	for (size_t i = 0; i < c->places * c->n; i++) {
		const struct ope_result *r = &c->cell[i].r;
		const struct holdout_answer *g = &c->cell[i].guard;
		bool guarded = c->given->holdout > 0;

		c->judged[i] = (struct ranking_cell){.value = guarded ? g->value : r->value,
		    .lo = guarded ? g->lo : r->lo,
		    .hi = guarded ? g->hi : r->hi,
		    .verdict = r->verdict,
		    .why = r->why,
		    .guarded = guarded,
		    .spent = guarded && g->source == HOLDOUT_SPENT};
	}
	return ranking_make(c->judged, c->places, c->n, places, names, &c->ranking) ? no_memory(err)
										    : 0;
}

int compare_run(struct comparison *c, struct errinfo *err)
{
	size_t places = c->given->nlogs * c->segments;
	int rc = 0;

	if (places > COMPARE_PLACES_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "", "more than %d logs and segments",
		    COMPARE_PLACES_MAX);
	}
	c->place = calloc(places, sizeof(*c->place));
	c->cell = calloc(places * c->n, sizeof(*c->cell));
	c->judged = calloc(places * c->n, sizeof(*c->judged));
	c->data = c->given->plot ? calloc(c->n, sizeof(*c->data)) : NULL;
	if (!c->place || !c->cell || !c->judged || (c->given->plot && !c->data)) {
		return no_memory(err);
	}
	for (size_t i = 0; c->data && i < c->n; i++) {
		c->data[i].name = c->candidate[i].name;
	}
	for (size_t k = 0; rc == 0 && k < c->given->nlogs; k++) {
		rc = cut(c, c->given->logs[k], err);
	}
	for (size_t k = 0; rc == 0 && k < c->places; k++) {
		rc = run_place(c, k, err);
	}
	return rc ? rc : rank(c, err);
}

void compare_release(struct comparison *c)
{
	free(c->place);
	free(c->cell);
	free(c->judged);
	free(c->data);
}
