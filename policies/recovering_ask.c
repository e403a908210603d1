/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions: who is due. The memo holds the idle times, since that is all an update needs: late
 * and disordered rewards are exact. */
#include <stdlib.h>

#include "policies/recovering_impl.h"

#define MICROSECONDS 1e6

/* ---- memo ---- */

void rec_memo_read(const void *memo, size_t n, struct rec_memo *ret)
{
	struct rd *in = &ret->picks;

	rd_init(in, memo, n);
	ret->period = rd_var(in);
	ret->tick = rd_var(in);
	ret->plan = rd_var(in);
	ret->subject = rd_u64(in);
}

bool rec_memo_next(struct rec_memo *m, struct rec_memo_pick *ret)
{
	uint64_t prev;

	if (m->picks.rc || rd_left(&m->picks) == 0) {
		return false;
	}
	ret->slot = (uint32_t)rd_var(&m->picks);
	ret->idle = (uint32_t)rd_var(&m->picks);
	prev = rd_var(&m->picks);
	ret->prev = prev ? prev - 1 : REC_NEVER;
	return m->picks.rc == 0;
}

static bool memo_find(struct rec_memo *m, uint32_t slot, struct rec_memo_pick *ret)
{
	while (rec_memo_next(m, ret)) {
		if (ret->slot == slot) {
			return true;
		}
	}
	return false;
}

/* ---- choosing ---- */

/* One question with all that it depends on. */
struct asking {
	const struct recovering *r;
	const struct ask *ask;
	const struct rec_subject *subject;
	uint64_t key, tick, period;
};

static uint32_t idle_of(const struct asking *q, uint32_t slot, uint64_t *ret_last)
{
	uint64_t last = rec_last(q->r, q->subject, slot), gone;

	*ret_last = last;
	if (last == REC_NEVER || last >= q->period) {
		return last == REC_NEVER ? q->r->d_max : 1;
	}
	gone = q->period - last;
	return gone < q->r->d_max ? (uint32_t)gone : q->r->d_max;
}

static void add_pick(uint32_t slot, struct choice *ret)
{
	ret->picks[ret->npicks++] = (struct pick){.slot = slot, .propensity = 1};
}

static bool is_due(const struct rec_arm *arm, uint64_t period)
{
	return arm->period && period % arm->period == arm->offset;
}

/* Unplanned arms into free slots: largest index first, then the lower arm. */
static int fill(const struct asking *q, struct choice *ret, struct errinfo *err)
{
	const struct recovering *r = q->r;
	double *u = calloc(r->d_max + (size_t)q->ask->k, sizeof(*u)), *best;
	size_t from = ret->npicks, n = 0, at;
	uint64_t last;

	if (!u) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	best = u + r->d_max;
	for (size_t i = 0; i < q->ask->n && from < q->ask->k; i++) {
		uint32_t slot = q->ask->slots[i];
		double index;

		if (r->arm[slot].period) {
			continue;
		}
		recovering_index(r, slot, r->params->alpha, u);
		index = u[idle_of(q, slot, &last) - 1];
		for (at = n; at > 0 && index > best[at - 1]; at--) {
			if (at < q->ask->k - from) {
				best[at] = best[at - 1];
				ret->picks[from + at] = ret->picks[from + at - 1];
			}
		}
		if (at < q->ask->k - from) {
			best[at] = index;
			ret->picks[from + at] = (struct pick){.slot = slot, .propensity = 1};
			n += n < q->ask->k - from;
		}
	}
	ret->npicks = from + n;
	free(u);
	return 0;
}

static int by_slot(const void *left, const void *right)
{
	const struct pick *x = left, *y = right;

	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static void remember(const struct asking *q, const struct choice *ret)
{
	uint64_t last;

	buf_put_var(ret->memo, q->period);
	buf_put_var(ret->memo, q->tick);
	buf_put_var(ret->memo, q->r->plan);
	buf_put_u64(ret->memo, q->key);
	for (size_t i = 0; i < ret->npicks; i++) {
		buf_put_var(ret->memo, ret->picks[i].slot);
		buf_put_var(ret->memo, idle_of(q, ret->picks[i].slot, &last));
		buf_put_var(ret->memo, last == REC_NEVER ? 0 : last + 1);
	}
}

/* The period of this question; true when an older decision is its answer. A tick has one decision;
 * a clock that went back is still in the last tick. */
static bool place_in_time(struct asking *q, uint64_t *ret_seq)
{
	const struct recovering *r = q->r;
	const struct rec_time *now = q->subject ? &q->subject->time : &r->time;
	bool begun = r->params->scope == REC_GLOBAL ? r->served > 0 : q->subject != NULL;

	if (r->params->clock == REC_SELECT) {
		q->period = begun ? now->t : 0;
		return false;
	}
	q->tick = (uint64_t)((double)q->ask->at_us / (r->params->tick_seconds * MICROSECONDS));
	if (!begun) {
		return false;
	}
	q->period = q->tick > now->base ? q->tick - now->base : 0;
	if (q->period < now->t) {
		q->period = now->t - 1;
		q->tick = now->base + q->period;
		*ret_seq = now->seq;
		return now->seq != 0;
	}
	return false;
}

int recovering_choose(const void *state, const struct ask *ask, struct rng *rng, struct choice *ret,
    struct errinfo *err)
{
	const struct recovering *r = state;
	struct asking q = {.r = r, .ask = ask};
	int rc = 0;

	(void)rng;
	ret->npicks = 0;
	if (r->params->scope == REC_SUBJECT) {
		if (!ask->subject) {
			return err_set(err, RC_INVALID, "missing_field", "/subject",
			    "scope subject needs a subject");
		}
		q.key = rec_subject_key(ask->subject);
		q.subject = rec_subject_find(r, q.key);
	}
	if (place_in_time(&q, &ret->repeat)) {
		return 0;
	}
	if (r->params->scope == REC_SUBJECT && !rec_subject_fits(r, q.key, q.tick)) {
		return err_set(err, RC_LIMIT, "too_many", "/subject",
		    "at most %d subjects, and %u pulls that have not recovered", REC_SUBJECTS_MAX,
		    REC_PULLS_MAX);
	}
	for (size_t i = 0; i < ask->n && ret->npicks < ask->k; i++) {
		if (is_due(&r->arm[ask->slots[i]], q.period)) {
			add_pick(ask->slots[i], ret);
		}
	}
	if (r->params->fill == REC_UNPLANNED && ret->npicks < ask->k) {
		rc = fill(&q, ret, err);
		qsort(ret->picks, ret->npicks, sizeof(*ret->picks), by_slot);
	}
	if (rc == 0) {
		remember(&q, ret);
	}
	return rc;
}

/* ---- what came of it ---- */

static struct rec_subject *subject_of(
    struct recovering *r, const struct rec_memo *m, struct rec_time **ret_time)
{
	struct rec_subject *s;

	*ret_time = &r->time;
	if (r->params->scope == REC_GLOBAL) {
		return NULL;
	}
	rec_subject_drop_recovered(r, m->subject, m->tick);
	s = rec_subject_find(r, m->subject);
	if (!s && !r->spare) {
		return NULL; /* a memo that names somebody else than its decision does */
	}
	if (!s) {
		s = rec_subject_add(r, m->subject);
		s->time.base = m->tick - m->period;
	}
	if (s->plan != r->plan) {
		s->plan = r->plan;
		r->plan_subjects++;
	}
	*ret_time = &s->time;
	return s;
}

void recovering_pulled(void *state, const struct pull *p)
{
	struct recovering *r = state;
	struct rec_memo m;
	struct rec_memo_pick x;
	struct rec_time *now;
	struct rec_subject *s;

	rec_memo_read(p->memo, p->nmemo, &m);
	if (m.picks.rc) {
		return;
	}
	s = subject_of(r, &m, &now);
	if (!s && r->params->scope == REC_SUBJECT) {
		return;
	}
	if (!s && r->served == 0) {
		now->base = m.tick - m.period;
	}
	while (rec_memo_next(&m, &x)) {
		if (x.slot < r->slots) {
			rec_set_last(r, s, x.slot, m.period);
		}
	}
	now->t = m.period + 1;
	now->seq = p->seq;
	r->served++;
	if (s) {
		rec_forget_old(r, s);
	}
}

/* Takes the taint on pulls after this one away; false when there is none. */
static bool take_taint(
    struct recovering *r, uint64_t subject, uint32_t slot, uint64_t base, uint64_t *ret_prev)
{
	for (size_t i = 0; i < r->ntaints; i++) {
		const struct rec_taint *x = &r->taint[i];

		if (x->slot == slot && x->subject == subject && x->base == base) {
			*ret_prev = x->prev;
			r->ntaints--;
			for (; i < r->ntaints; i++) {
				r->taint[i] = r->taint[i + 1];
			}
			return true;
		}
	}
	return false;
}

static void add_taint(struct recovering *r, const struct rec_memo *m, const struct rec_memo_pick *x)
{
	uint64_t prev;

	if (r->ntaints == REC_TAINTS_MAX) {
		take_taint(r, r->taint[0].subject, r->taint[0].slot, r->taint[0].base, &prev);
	}
	r->taint[r->ntaints++] = (struct rec_taint){
	    .subject = m->subject, .slot = x->slot, .base = m->period, .prev = x->prev};
}

static void not_shown(struct recovering *r, struct rec_subject *s, const struct rec_memo *m,
    const struct rec_memo_pick *x)
{
	uint64_t last = rec_last(r, s, x->slot), prev = x->prev;

	if (last == m->period) {
		while (prev != REC_NEVER && take_taint(r, m->subject, x->slot, prev, &prev)) {
		}
		rec_set_last(r, s, x->slot, prev);
	} else if (last != REC_NEVER && last > m->period) {
		add_taint(r, m, x);
	}
}

void recovering_lost(void *state, const struct pull *p)
{
	struct recovering *r = state;
	struct rec_memo m;
	struct rec_memo_pick x;
	struct rec_subject *s = NULL;
	uint64_t prev;

	rec_memo_read(p->memo, p->nmemo, &m);
	if (m.picks.rc) {
		return;
	}
	if (r->params->scope == REC_SUBJECT) {
		s = rec_subject_find(r, m.subject);
	}
	if (p->voided && (s || r->params->scope == REC_GLOBAL)) {
		struct rec_time *now = s ? &s->time : &r->time;

		now->seq = now->seq == p->seq ? 0 : now->seq;
	}
	for (size_t i = 0; i < p->npicks; i++) {
		struct rec_memo from = m;

		if (!memo_find(&from, p->picks[i].slot, &x) || x.slot >= r->slots) {
			continue;
		}
		if (!p->voided && x.prev != REC_NEVER) { /* shown, so it stays a pull */
			take_taint(r, m.subject, x.slot, x.prev, &prev);
		} else if (p->voided && (s || r->params->scope == REC_GLOBAL)) {
			not_shown(r, s, &m, &x);
		}
	}
}

/* The idle time of a pull, under the d_max of today: it may have been another when it was made. 0:
 * not known. */
static uint32_t idle_now(
    const struct recovering *r, const struct rec_memo *m, const struct rec_memo_pick *x)
{
	uint64_t gone =
	    x->prev == REC_NEVER || x->prev >= m->period ? x->idle : m->period - x->prev;

	if (x->prev == REC_NEVER && x->idle < r->d_max) {
		/* Never pulled, or, of a subject, longer ago than the d_max of then. */
		return r->params->scope == REC_GLOBAL ? r->d_max : 0;
	}
	return gone < r->d_max ? (uint32_t)gone : r->d_max;
}

void recovering_update(void *state, const struct outcome *o)
{
	struct recovering *r = state;
	struct rec_memo m;
	struct rec_memo_pick x;
	struct rec_cell *c;
	double y = (o->reward - r->lo) / r->width;
	uint32_t idle;
	uint64_t prev;

	rec_memo_read(o->memo, o->nmemo, &m);
	if (m.picks.rc || !memo_find(&m, o->slot, &x) || x.idle < 1) {
		return;
	}
	if (x.prev != REC_NEVER && take_taint(r, m.subject, o->slot, x.prev, &prev)) {
		return; /* it had been idle for longer than was thought */
	}
	idle = idle_now(r, &m, &x);
	if (idle == 0) {
		return;
	}
	c = &r->cell[(size_t)o->slot * r->d_max + idle - 1];
	c->n++;
	c->sum += y > 0 ? y < 1 ? y : 1 : 0;
	r->grown = r->grown || (c->n > c->snap && c->n >= 2 * c->snap);
}
