/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/rejection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_BYTES_MAX ((size_t)16 << 20)

static bool is_number(const char *s)
{
	return s[strspn(s, "0123456789")] == '\0' && (s[0] != '0' || s[1] == '\0');
}

static int by_item(const void *a, const void *b)
{
	const char *x = a, *y = b;
	bool nx = is_number(x), ny = is_number(y);
	size_t lx = strlen(x), ly = strlen(y);

	if (nx != ny) {
		return nx ? -1 : 1;
	}
	return nx && lx != ly ? (lx > ly) - (lx < ly) : strcmp(x, y);
}

/* Also those that were never taken: a policy may draw them, too. */
static int list_items(struct rejection_log *l, struct errinfo *err)
{
	size_t n = log_arms_count(l->arms);

	if (n > SCAN_MAX) {
		return err_set(
		    err, RC_LIMIT, "too_many", "", "the log has more than %d items", SCAN_MAX);
	}
	l->items = malloc(n * sizeof(*l->items));
	if (!l->items) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	for (; l->nitems < n; l->nitems++) {
		snprintf(l->items[l->nitems], sizeof(*l->items), "%s",
		    log_arms_id(l->arms, (uint32_t)l->nitems));
	}
	qsort(l->items, n, sizeof(*l->items), by_item);
	return 0;
}

static void add_row(struct rejection_log *l, const struct round *row)
{
	double p = row->propensity / row->weight, r = row->reward;

	l->rows++;
	l->clicks += r != 0;
	l->binary = l->binary && (r == 0 || r == 1);
	l->sum += r;
	l->lo = r < l->lo ? r : l->lo;
	l->hi = r > l->hi ? r : l->hi;
	l->p_min = l->rows == 1 || p < l->p_min ? p : l->p_min;
	l->p_max = p > l->p_max ? p : l->p_max;
	l->dim = row->dim > l->dim ? row->dim : l->dim;
}

static int scan(struct log *in, struct rejection_log *l, struct errinfo *err)
{
	size_t least = 0;
	struct round round;
	int rc = 0, more = 1;

	while (rc == 0 && more == 1) {
		more = log_next(in, &round, err);
		if (more == 1 && round.has_reward) {
			add_row(l, &round);
			rc = round_file_add(l->kept, &round, err);
			least = round.neligible && (!least || round.neligible < least)
				    ? round.neligible
				    : least;
		}
		l->skipped += more == 1 && !round.has_reward;
	}
	rc = rc ? rc : more;
	rc = rc || l->rows == 0 ? rc : list_items(l, err);
	l->restricted = least && least < l->nitems;
	l->counts = *log_counts(in);
	l->refused = log_refused(&l->counts);
	return rc;
}

int rejection_scan(
    const char *path, const struct log_options *o, struct rejection_log *ret, struct errinfo *err)
{
	struct rejection_log l = {.hi = 1, .binary = true};
	struct log *in = NULL;
	int rc = log_arms_new(&l.arms);

	if (rc) {
		return err_set(err, rc, "out_of_memory", "", "out of memory");
	}
	rc = round_file_new(&l.kept, err);
	rc = rc ? rc : log_open(path, o, l.arms, &in, err);
	rc = rc ? rc : scan(in, &l, err);
	log_close(in);
	if (rc == 0 && l.rows == 0) {
		rc = err_set(err, RC_INVALID, "empty_log", path, "there is not one row to use");
	}
	if (rc) {
		rejection_log_release(&l);
		return rc;
	}
	*ret = l;
	return 0;
}

void rejection_log_release(struct rejection_log *l)
{
	round_file_free(l->kept);
	free(l->items);
	log_arms_free(l->arms);
}

bool rejection_keeps(const struct rejection_log *l, uint64_t seed, uint64_t row,
    const struct round *round, const char *arm)
{
	struct rng rng = rng_at(seed, row, RNG_SAMPLE);

	/* rng_uniform() < 1, so a uniform log is kept whole. */
	return strcmp(arm, log_arms_id(l->arms, round->arm)) == 0 &&
	       rng_uniform(&rng) * (round->propensity / round->weight) < l->p_min;
}

int rejection_answers(
    const struct rejection_log *l, const struct policy_ops *ops, struct errinfo *err)
{
	const char *why = NULL;

	if (ops->flags & POLICY_MEMORY) {
		why = "what it is made for, arms that remember the pulls before, cannot be played "
		      "back: every round that is passed over would change what the next one pays";
	} else if (strcmp(ops->name, "streaming") == 0 && l->restricted) {
		why =
		    "its arms come by offers, and the rounds of this log have fewer arms than the "
		    "log: when each was offered is not known";
	}
	return why ? err_set(err, RC_INVALID, "not_supported", ops->name, "%s", why) : 0;
}

/* The same, of what depends on the parameters. */
static int answers_here(
    const struct experiment *e, const struct policy_ops *ops, struct errinfo *err)
{
	unsigned traits = experiment_traits(e);
	const char *why =
	    traits & POLICY_FORECAST ? "it forecasts, and the log has rewards of arms but no labels"
	    : traits & POLICY_SLATE  ? "it answers with slates, and the log has one arm a round"
	    : traits & POLICY_FULL
		? "it learns from the rewards of all arms, and the log has one a round"
	    : traits & POLICY_SUBJECT ? "it follows subjects, and the log names none"
				      : NULL;

	return why ? err_set(err, RC_INVALID, "not_supported", ops->name, "%s", why) : 0;
}

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* The features are called x0, x1, ... */
static int name_features(struct arena *mem, size_t n, const char *const **ret)
{
	const char **names = arena_array(mem, n, sizeof(*names));

	for (size_t i = 0; i < n; i++) {
		char *name = names ? arena_alloc(mem, 24) : NULL;

		if (!name) {
			return RC_MEMORY;
		}
		snprintf(name, 24, "x%zu", i);
		names[i] = name;
	}
	*ret = names;
	return names ? 0 : RC_MEMORY;
}

static int start(const struct rejection_log *l, const struct policy_ops *ops,
    const struct spec_param *params, size_t nparams, uint64_t seed, struct arena *mem,
    struct experiment **ret, struct errinfo *err)
{
	struct spec_arm *arms = arena_array(mem, l->nitems, sizeof(*arms));
	const struct experiment_spec spec = {.name = "replay",
	    .policy = ops->name,
	    .params = params,
	    .nparams = nparams,
	    .arms = arms,
	    .narms = l->nitems,
	    .slots = 1,
	    .seed = seed,
	    .lo = l->lo,
	    .hi = l->hi,
	    .nfeatures = l->dim < DIM_MAX ? l->dim : DIM_MAX,
	    .settings = {.label = ""}};
	struct experiment_spec whole = spec;
	int rc = arms ? name_features(mem, spec.nfeatures, &whole.features) : RC_MEMORY;

	for (size_t i = 0; rc == 0 && i < l->nitems; i++) {
		arms[i] = (struct spec_arm){.id = l->items[i], .label = ""};
	}
	return rc ? no_memory(err) : experiment_new(&whole, ops, 0, ret, err);
}

int rejection_start(const struct rejection_log *l, const struct policy_ops *ops,
    const struct spec_param *params, size_t nparams, uint64_t seed, struct experiment **ret,
    struct errinfo *err)
{
	struct experiment *e = NULL;
	struct arena mem;
	int rc = rejection_answers(l, ops, err);

	arena_init(&mem, START_BYTES_MAX);
	rc = rc ? rc : start(l, ops, params, nparams, seed, &mem, &e, err);
	rc = rc ? rc : answers_here(e, ops, err);
	arena_release(&mem);
	if (rc) {
		experiment_free(e);
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	*ret = e;
	return 0;
}

int rejection_ask(const struct rejection_log *l, const struct experiment *e,
    const struct round *round, struct arena *mem, struct select_in *ret)
{
	size_t dim = experiment_dim(e);

	if (dim) {
		double *x = arena_array(mem, dim, sizeof(*x));

		for (size_t i = 0; x && i < dim; i++) {
			x[i] = i < round->dim ? round->x[i] : 0;
		}
		ret->x = x;
		ret->dim = dim;
	}
	if (round->neligible && round->neligible < l->nitems) {
		const char **ids = arena_array(mem, round->neligible, sizeof(*ids));

		for (size_t i = 0; ids && i < round->neligible; i++) {
			ids[i] = log_arms_id(l->arms, round->eligible[i]);
		}
		ret->eligible = ids;
		ret->neligible = round->neligible;
		ret->has_eligible = true;
	}
	return (dim && !ret->x) || (ret->has_eligible && !ret->eligible) ? RC_MEMORY : 0;
}

int rejection_play(const struct rejection_log *l, struct experiment *e, uint64_t row,
    const struct round *round, struct arena *mem, struct rejection_result *r, struct errinfo *err)
{
	struct select_in in = {.id = NULL};
	struct event d, ev;
	struct pending p;
	enum feedback_status status;
	bool keeps;
	int rc;

	arena_reset(mem);
	rc = rejection_ask(l, e, round, mem, &in);
	rc = rc ? rc : experiment_select(e, &in, round->at_us, mem, &d, err);
	rc = rc ? rc : experiment_apply(e, &d);
	if (rc) {
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	keeps = rejection_keeps(l, experiment_seed(e), row, round,
	    arms_id(experiment_arms(e), d.decision.picks[0].slot));
	pending_start(&p, &d.decision);
	if (keeps) {
		rc = experiment_reward(e, &d, &p, &(struct reward_in){.reward = round->reward},
		    round->at_us, mem, &ev, &status, err);
	} else {
		rc = experiment_void(e, &d, &p, round->at_us, mem, &ev, err);
	}
	rc = rc ? rc : experiment_apply(e, &ev);
	if (rc) {
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	r->rounds++;
	r->accepted += keeps;
	r->clicks += keeps && round->reward != 0;
	r->sum += keeps ? round->reward : 0;
	r->squares += keeps ? round->reward * round->reward : 0;
	return 0;
}
