/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/exposure.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct pulled {
	uint32_t slot;
	uint64_t at; /* the period */
};

/* Whoever is exposed: all together, or one subject. */
struct person {
	uint64_t periods; /* before this decision */
	bool known;       /* what was before the log is nothing */
	struct pulled *last;
	uint32_t nlast, cap; /* arms that have not rested for d_max yet */
	uint32_t slot;       /* rows: the arm of the present one, and its length */
	uint64_t row;
	UT_hash_handle hh;
	char name[];
};

/* A decision whose rewards may come: the cell of each pull. */
struct waiting {
	uint64_t seq;
	uint32_t n;
	UT_hash_handle hh;
	struct exposure_cell *cell[]; /* NULL: does not count, or has counted */
};

struct exposure {
	struct exposure_options o;
	unsigned char *hidden; /* a bit for each seq: not shown */
	size_t hidden_bytes;
	struct person *all, *people;
	struct waiting *waiting;
	struct exposure_cell **arm; /* width cells each, or NULL */
	uint32_t arms, width;
	struct exposure_left_out out;
};

int exposure_new(const struct exposure_options *o, struct exposure **ret)
{
	struct exposure *x = calloc(1, sizeof(*x));

	if (!x) {
		return RC_MEMORY;
	}
	x->o = *o;
	x->width = o->d_max ? o->d_max : 1;
	*ret = x;
	return 0;
}

static void person_free(struct person *p)
{
	if (p) {
		free(p->last);
		free(p);
	}
}

void exposure_free(struct exposure *x)
{
	struct person *p, *next_person;
	struct waiting *w, *next_waiting;

	if (!x) {
		return;
	}
	HASH_ITER (hh, x->people, p, next_person) {
		HASH_DEL(x->people, p);
		person_free(p);
	}
	HASH_ITER (hh, x->waiting, w, next_waiting) {
		HASH_DEL(x->waiting, w);
		free(w);
	}
	for (uint32_t i = 0; i < x->arms; i++) {
		free(x->arm[i]);
	}
	person_free(x->all);
	free(x->arm);
	free(x->hidden);
	free(x);
}

/* ---- first: what was not shown ---- */

static int hide(struct exposure *x, uint64_t seq, bool hidden)
{
	size_t at = (size_t)(seq / 8), bytes = x->hidden_bytes;
	unsigned char *more, bit = (unsigned char)(1u << (seq % 8));

	if (at >= bytes) {
		if (!hidden) {
			return 0;
		}
		bytes = at < 2048 ? 4096 : 2 * at;
		more = realloc(x->hidden, bytes);
		if (!more) {
			return RC_MEMORY;
		}
		memset(more + x->hidden_bytes, 0, bytes - x->hidden_bytes);
		x->hidden = more;
		x->hidden_bytes = bytes;
	}
	x->hidden[at] = (unsigned char)(hidden ? x->hidden[at] | bit : x->hidden[at] & ~bit);
	return 0;
}

static bool is_hidden(const struct exposure *x, uint64_t seq)
{
	return seq / 8 < x->hidden_bytes && x->hidden[seq / 8] >> (seq % 8) & 1;
}

int exposure_look(struct exposure *x, const struct event *ev, struct errinfo *err)
{
	int rc = 0;

	if (ev->kind == EVENT_DECISION && ev->decision.flags & DECISION_DEFER) {
		rc = hide(x, ev->seq, true);
	} else if (ev->kind == EVENT_ACTIVATE) {
		rc = hide(x, ev->feedback.ref, false);
	} else if (ev->kind == EVENT_VOID) {
		rc = hide(x, ev->feedback.ref, true);
	}
	return rc ? err_set(err, rc, "out_of_memory", "", "out of memory") : 0;
}

/* ---- then: rests and rows ---- */

static struct person *person_new(const struct exposure *x, const char *name)
{
	struct person *p = calloc(1, sizeof(*p) + strlen(name) + 1);

	if (p) {
		memcpy(p->name, name, strlen(name) + 1);
		p->slot = SLOT_NONE;
		p->known = x->o.from_start;
	}
	return p;
}

static int find_person(
    struct exposure *x, const char *subject, struct person **ret, struct errinfo *err)
{
	struct person *p = x->all;

	if (x->o.by_subject && !subject) {
		return err_set(err, RC_INVALID, "no_subject", "",
		    "a decision names no subject, so rests of subjects are not known");
	}
	if (x->o.by_subject) {
		HASH_FIND_STR(x->people, subject, p);
	}
	if (p) {
		*ret = p;
		return 0;
	}
	if (HASH_COUNT(x->people) == EXPOSURE_SUBJECTS_MAX) {
		return err_set(
		    err, RC_LIMIT, "too_many", "", "more than %d subjects", EXPOSURE_SUBJECTS_MAX);
	}
	p = person_new(x, x->o.by_subject ? subject : "");
	if (p && x->o.by_subject) {
		HASH_ADD_STR(x->people, name, p);
		if (!p->hh.tbl) {
			person_free(p);
			p = NULL;
		}
	} else {
		x->all = p;
	}
	*ret = p;
	return p ? 0 : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* The cells of an arm, made when it is pulled first. RC_LIMIT, RC_MEMORY. */
static int cells_of(
    struct exposure *x, uint32_t slot, struct exposure_cell **ret, struct errinfo *err)
{
	struct exposure_cell **arm;

	if (((uint64_t)slot + 1) * x->width > EXPOSURE_CELLS_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "", "more than %u arms times rests",
		    EXPOSURE_CELLS_MAX);
	}
	if (slot >= x->arms) {
		arm = realloc(x->arm, ((size_t)slot + 1) * sizeof(*arm));
		if (!arm) {
			return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		}
		memset(arm + x->arms, 0, (slot + 1 - x->arms) * sizeof(*arm));
		x->arm = arm;
		x->arms = slot + 1;
	}
	if (!x->arm[slot]) {
		x->arm[slot] = calloc(x->width, sizeof(**x->arm));
	}
	*ret = x->arm[slot];
	return *ret ? 0 : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* Where a pull after this rest counts: 0 unknown, else d; the pull is noted. RC_MEMORY. */
static int rest_of(struct exposure *x, struct person *p, uint32_t slot, uint64_t now)
{
	uint32_t rest = p->known ? x->o.d_max : 0, kept = 0;
	struct pulled *last;

	for (uint32_t i = 0; i < p->nlast; i++) {
		uint64_t idle = now - p->last[i].at;

		if (p->last[i].slot == slot) {
			rest = (uint32_t)(idle < x->o.d_max ? idle : x->o.d_max);
		} else if (!p->known || idle < x->o.d_max) {
			p->last[kept++] = p->last[i]; /* the others are as if never pulled */
		}
	}
	p->nlast = kept;
	if (p->nlast == p->cap) {
		last = realloc(p->last, (2 * (size_t)p->cap + 4) * sizeof(*last));
		if (!last) {
			return RC_MEMORY;
		}
		p->last = last;
		p->cap = 2 * p->cap + 4;
	}
	p->last[p->nlast++] = (struct pulled){slot, now};
	return (int)rest;
}

/* The same of a row: 1 when the play counts. */
static int row_of(const struct exposure *x, struct person *p, uint32_t slot)
{
	p->row = p->slot == slot ? p->row + 1 : 1;
	p->slot = slot;
	return p->row > x->o.memory;
}

static int count_pull(struct exposure *x, struct person *p, uint32_t slot, uint64_t now,
    struct exposure_cell **ret, struct errinfo *err)
{
	struct exposure_cell *cells;
	int rc = cells_of(x, slot, &cells, err), at;

	if (rc) {
		return rc;
	}
	at = x->o.d_max ? rest_of(x, p, slot, now) : row_of(x, p, slot);
	if (at < 0) {
		return err_set(err, at, "out_of_memory", "", "out of memory");
	}
	*ret = at ? &cells[at - 1] : NULL;
	x->out.unknown += x->o.d_max && at == 0;
	return 0;
}

static void give_up(struct exposure *x, struct waiting *w)
{
	for (uint32_t i = 0; i < w->n; i++) {
		x->out.unrewarded += w->cell[i] != NULL;
	}
	HASH_DEL(x->waiting, w);
	free(w);
}

static int count_decision(struct exposure *x, const struct event *ev, struct errinfo *err)
{
	const struct event_decision *d = &ev->decision;
	struct waiting *w;
	struct person *p;
	uint64_t now;
	int rc = find_person(x, d->subject, &p, err);

	if (rc) {
		return rc;
	}
	now = x->o.tick_us > 0 ? (uint64_t)((double)ev->at_us / x->o.tick_us) : p->periods++;
	if (is_hidden(x, ev->seq)) {
		x->out.not_shown += d->npicks;
		return 0;
	}
	if (HASH_COUNT(x->waiting) == EXPOSURE_OPEN_MAX) {
		give_up(x, x->waiting); /* in order of their coming */
	}
	w = calloc(1, sizeof(*w) + d->npicks * sizeof(w->cell[0]));
	if (!w) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	w->seq = ev->seq;
	w->n = (uint32_t)d->npicks;
	for (uint32_t i = 0; rc == 0 && i < w->n; i++) {
		rc = count_pull(x, p, d->picks[i].slot, now, &w->cell[i], err);
	}
	if (rc == 0) {
		HASH_ADD(hh, x->waiting, seq, sizeof(w->seq), w);
		rc = w->hh.tbl ? 0 : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	if (rc) {
		free(w);
	}
	return rc;
}

static void take(const struct experiment *e, struct exposure_cell **cell, double learnt)
{
	double lo = experiment_lo(e), scaled = (learnt - lo) / (experiment_hi(e) - lo);

	if (*cell) {
		(*cell)->n++;
		(*cell)->sum += experiment_goal(e) == GOAL_MINIMISE ? 1 - scaled : scaled;
		*cell = NULL;
	}
}

static void count_reward(struct exposure *x, const struct experiment *e, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;
	struct waiting *w;

	HASH_FIND(hh, x->waiting, &f->ref, sizeof(f->ref), w);
	if (!w) {
		return;
	}
	if (f->flags & FEEDBACK_LEARN && w->n == 1) {
		take(e, &w->cell[0], f->learn);
	}
	for (size_t i = 0; i < f->narms; i++) {
		if (f->arms[i].flags & FEEDBACK_LEARN && f->arms[i].index < w->n) {
			take(e, &w->cell[f->arms[i].index], f->arms[i].learn);
		}
	}
	if (f->flags & FEEDBACK_CLOSE) {
		give_up(x, w);
	}
}

int exposure_count(
    struct exposure *x, const struct experiment *e, const struct event *ev, struct errinfo *err)
{
	if (ev->kind == EVENT_DECISION &&
	    (ev->decision.flags & DECISION_FORECAST || ev->decision.arm)) {
		return err_set(err, RC_INVALID, "not_supported", "", "%s",
		    ev->decision.arm ? "arms of a stream come once, and their slots are used again"
				     : "forecasts have no arms");
	}
	if (ev->kind == EVENT_DECISION && !x->o.d_max && ev->decision.npicks > 1) {
		return err_set(err, RC_INVALID, "not_supported", "",
		    "slates have no rows of plays of one arm");
	}
	if (ev->kind == EVENT_DECISION) {
		return count_decision(x, ev, err);
	}
	if (event_is_feedback(ev)) {
		count_reward(x, e, ev);
	}
	return 0;
}

struct exposure_left_out exposure_end(struct exposure *x)
{
	while (x->waiting) {
		give_up(x, x->waiting);
	}
	return x->out;
}

const struct exposure_cell *exposure_of(const struct exposure *x, uint32_t slot)
{
	return slot < x->arms ? x->arm[slot] : NULL;
}

/* Blocks of equal height stand in ret as they grow: the height of each at its last place, and how
 * far it reaches back is found again by the heights. */
void exposure_rising(const struct exposure_cell *cells, uint32_t d_max, double *ret)
{
	double height = 0;

	for (uint32_t d = 0; d < d_max; d++) {
		uint64_t n = cells[d].n;
		double sum = cells[d].sum;
		uint32_t from = d;

		ret[d] = n ? sum / (double)n : d ? ret[d - 1] : 0;
		while (n && from > 0 && ret[from - 1] > sum / (double)n) { /* takes in a block */
			height = ret[from - 1];
			while (from > 0 && ret[from - 1] == height) {
				from--;
				n += cells[from].n;
				sum += cells[from].sum;
			}
		}
		for (uint32_t i = from; n && i <= d; i++) {
			ret[i] = sum / (double)n;
		}
	}
}
