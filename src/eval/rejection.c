/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/rejection.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_FIRST 64

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

/* Puts the item where it belongs, once. */
static int add_item(struct rejection_log *l, size_t *cap, const char *item, struct errinfo *err)
{
	size_t lo = 0, hi = l->nitems, more = *cap ? 2 * *cap : ITEMS_FIRST;
	void *items;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = by_item(l->items[mid], item);

		if (c == 0) {
			return 0;
		}
		lo = c < 0 ? mid + 1 : lo;
		hi = c < 0 ? hi : mid;
	}
	if (l->nitems == SCAN_MAX) {
		return err_set(
		    err, RC_LIMIT, "too_many", "", "the log has more than %d items", SCAN_MAX);
	}
	if (l->nitems == *cap) {
		items = realloc(l->items, more * sizeof(*l->items));
		if (!items) {
			return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		}
		l->items = items;
		*cap = more;
	}
	memmove(l->items + lo + 1, l->items + lo, (l->nitems - lo) * sizeof(*l->items));
	snprintf(l->items[lo], sizeof(*l->items), "%s", item);
	l->nitems++;
	return 0;
}

static int add_row(
    struct rejection_log *l, size_t *cap, const struct obd_row *row, struct errinfo *err)
{
	double p = row->propensity;

	l->rows++;
	l->clicks += row->click != 0;
	l->p_min = l->rows == 1 || p < l->p_min ? p : l->p_min;
	l->p_max = p > l->p_max ? p : l->p_max;
	return add_item(l, cap, row->item, err);
}

int rejection_scan(const char *path, void (*bad)(void *arg, const struct errinfo *err), void *arg,
    struct rejection_log *ret, struct errinfo *err)
{
	struct rejection_log l = {.rows = 0};
	struct read_obd *in = NULL;
	struct obd_row row;
	size_t cap = 0;
	int rc = read_obd_open(path, &in, err), more = rc ? 0 : 1;

	while (rc == 0 && more) {
		struct errinfo why = {.rc = 0};

		more = read_obd_next(in, &row, &why);
		if (more == 1) {
			rc = add_row(&l, &cap, &row, err);
		} else if (more == RC_INVALID) {
			l.refused++;
			if (bad) {
				bad(arg, &why);
			}
		} else if (more < 0) {
			rc = err_set(err, more, why.code, why.pointer, "%s", why.text);
		}
	}
	read_obd_close(in);
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
	free(l->items);
}

bool rejection_keeps(const struct rejection_log *l, uint64_t seed, uint64_t row,
    const struct obd_row *round, const char *arm)
{
	struct rng rng = rng_at(seed, row, RNG_SAMPLE);

	/* rng_uniform() < 1, so a uniform log is kept whole. */
	return strcmp(arm, round->item) == 0 && rng_uniform(&rng) * round->propensity < l->p_min;
}

void rejection_id(uint64_t row, char ret[REJECTION_ID_MAX])
{
	snprintf(ret, REJECTION_ID_MAX, "demo-%" PRIu64, row);
}

void rejection_context(uint64_t position, char ret[REJECTION_CONTEXT_MAX])
{
	snprintf(ret, REJECTION_CONTEXT_MAX, "{\"position\":%" PRIu64 "}", position);
}

int rejection_start(const struct rejection_log *l, const struct policy_ops *ops,
    const struct spec_param *params, size_t nparams, uint64_t seed, struct experiment **ret,
    struct errinfo *err)
{
	struct spec_arm *arms = calloc(l->nitems, sizeof(*arms));
	const struct experiment_spec spec = {.name = "replay",
	    .policy = ops->name,
	    .params = params,
	    .nparams = nparams,
	    .arms = arms,
	    .narms = l->nitems,
	    .slots = 1,
	    .seed = seed,
	    .hi = 1,
	    .settings = {.label = ""}};
	int rc;

	if (!arms) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	for (size_t i = 0; i < l->nitems; i++) {
		arms[i] = (struct spec_arm){.id = l->items[i], .label = ""};
	}
	rc = experiment_new(&spec, ops, 0, ret, err);
	free(arms);
	return rc ? err_set(err, rc, "failed", "", "%s", err_name(rc)) : 0;
}

int rejection_play(const struct rejection_log *l, struct experiment *e, uint64_t row,
    const struct obd_row *round, struct arena *mem, struct rejection_result *r, struct errinfo *err)
{
	char id[REJECTION_ID_MAX], context[REJECTION_CONTEXT_MAX];
	struct experiment_spec spec;
	struct event d, ev;
	struct pending p;
	enum feedback_status status;
	bool keeps;
	int rc;

	arena_reset(mem);
	rejection_id(row, id);
	rejection_context(round->position, context);
	rc = experiment_select(
	    e, &(struct select_in){.id = id, .context = context}, round->at_us, mem, &d, err);
	rc = rc ? rc : experiment_apply(e, &d);
	if (rc) {
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	experiment_spec_of(e, &spec);
	keeps = rejection_keeps(
	    l, spec.seed, row, round, arms_id(experiment_arms(e), d.decision.picks[0].slot));
	pending_start(&p, &d.decision);
	if (keeps) {
		rc = experiment_reward(e, &d, &p,
		    &(struct reward_in){.reward = round->click, .key = id}, round->at_us, mem, &ev,
		    &status, err);
	} else {
		rc = experiment_void(e, &d, &p, round->at_us, mem, &ev, err);
	}
	rc = rc ? rc : experiment_apply(e, &ev);
	if (rc) {
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	r->rounds++;
	r->accepted += keeps;
	r->clicks += keeps && round->click != 0;
	return 0;
}
