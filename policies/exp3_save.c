/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that trees and maxima are made from again, and the sums that are not. */
#include <math.h>

#include "core/maxtree.h"
#include "core/sumtree.h"
#include "policies/exp3_fast.h"

#define SLOT_BYTES_MIN 9 /* state, R */
#define WAIT_BYTES_MIN 18
#define SUM_CLOSE 1e-9  /* how far a kept sum may be from a fresh one */
#define SUM_LEFT 1e-12  /* and what may be left where everything was taken away */
#define SUM_LIMIT 1e131 /* of exponentials in range, and of what EXP3_LIMIT allows */

static void put_sum(struct buf *out, const struct num_sum *s)
{
	buf_put_f64(out, s->hi);
	buf_put_f64(out, s->lo);
}

static void save_side(const struct exp3 *e, const struct exp3_side *s, struct buf *out)
{
	buf_put_var(out, s->arms);
	if (s->arms == 0) {
		return;
	}
	buf_put_f64(out, s->rate);
	buf_put_f64(out, s->shift);
	if (!s->sum) {
		return;
	}
	buf_put_f64(out, s->top);
	buf_put_u8(out, s->stale);
	if (!s->stale) {
		buf_put_f64(out, s->peak);
		for (int j = 0; j < (int)e->params->cheb_nodes; j++) {
			put_sum(out, &s->sum[j]);
		}
	}
}

static void save_wait(const struct exp3 *e, struct buf *out)
{
	buf_put_var(out, e->nwait);
	for (uint32_t i = 0; i < e->nwait; i++) {
		const struct exp3_wait *w = &e->wait[e->wait[i].slot];

		buf_put_var(out, e->wait[i].slot);
		buf_put_var(out, w->n);
		buf_put_f64(out, w->sum);
		buf_put_f64(out, w->credited);
	}
}

uint32_t exp3_slots(const void *state)
{
	return ((const struct exp3 *)state)->slots;
}

void exp3_serialise(const void *state, struct buf *out)
{
	const struct exp3 *e = state;

	buf_put_var(out, e->t);
	buf_put_var(out, e->rewards);
	buf_put_var(out, e->clipped);
	put_sum(out, &e->total);
	buf_put_u8(out, e->shared);
	buf_put_var(out, e->slots);
	for (uint32_t i = 0; i < e->slots; i++) {
		buf_put_u8(out, exp3_is_active(e, i)    ? ARM_ACTIVE
				: exp3_is_retired(e, i) ? ARM_RETIRED
							: ARM_PAUSED);
		buf_put_f64(out, e->r[i]);
		if (e->smooth) {
			buf_put_f64(out, e->smooth[i]);
		}
	}
	if (e->mode == EXP3_EPOCH || (e->mode == EXP3_MOVING && exp3_is_fast(e))) {
		buf_put_var(out, e->end);
	}
	if (exp3_is_fast(e)) {
		save_side(e, &e->fast->live, out);
		buf_put_var(out, e->fast->cursor);
		buf_put_var(out, e->fast->step);
		buf_put_var(out, e->fast->next_end);
		save_side(e, &e->fast->next, out);
	} else if (e->end) {
		buf_put_f64(out, e->eta);
	}
	if (e->wait) {
		save_wait(e, out);
	}
}

/* NaN, infinite and too large numbers are corrupt. */
static double get_number(struct rd *in, double lo, double hi)
{
	double v = rd_f64(in);

	if (!(v >= lo && v <= hi)) {
		rd_fail(in);
		return lo;
	}
	return v;
}

static uint64_t get_count(struct rd *in, uint64_t max)
{
	uint64_t v = rd_var(in);

	if (v > max) {
		rd_fail(in);
		return 0;
	}
	return v;
}

static bool get_flag(struct rd *in)
{
	uint8_t v = rd_u8(in);

	if (v > 1) {
		rd_fail(in);
	}
	return v == 1;
}

static struct num_sum get_sum(struct rd *in)
{
	struct num_sum s;

	s.hi = get_number(in, -SUM_LIMIT, SUM_LIMIT);
	s.lo = get_number(in, -fabs(s.hi), fabs(s.hi));
	return s;
}

static void load_slot(struct exp3 *e, struct rd *in)
{
	uint32_t slot = e->slots;
	unsigned state = rd_u8(in);
	uint64_t bit = UINT64_C(1) << slot % 64;

	if (slot % 64 == 0) {
		e->word[slot / 64] = (struct exp3_word){0, 0};
	}
	e->word[slot / 64].active |= state == ARM_ACTIVE ? bit : 0;
	e->word[slot / 64].retired |= state == ARM_RETIRED ? bit : 0;
	e->active += state == ARM_ACTIVE;
	e->r[slot] = get_number(in, -EXP3_LIMIT, EXP3_LIMIT);
	if (e->smooth) {
		e->smooth[slot] = get_number(in, -1, 1);
	}
	if (e->wait) {
		e->wait[slot].n = 0;
	}
	if (state > ARM_RETIRED) {
		rd_fail(in);
	}
	e->slots++;
}

/* What the leaves and sums of a side are made of, before them. */
static void load_side_numbers(struct exp3 *e, struct exp3_side *s, struct rd *in)
{
	double peak, least;

	exp3_side_clear(s);
	s->arms = (uint32_t)get_count(in, e->slots);
	if (in->rc || s->arms == 0) {
		return;
	}
	s->rate = s->top = get_number(in, 0x1p-1022, 1);
	s->shift = get_number(in, -EXP3_LIMIT, EXP3_LIMIT);
	if (!s->sum) {
		return;
	}
	s->top = get_number(in, s->rate, 1);
	s->stale = get_flag(in);
	if (!s->stale) {
		s->peak = peak = get_number(in, -SUM_LIMIT, SUM_LIMIT);
		if (!exp3_side_in_range(e, s, &least) || least != peak) {
			rd_fail(in);
		}
	}
}

/* Builds what a side holds; its kept sums must be those of its arms. */
static void load_side(struct exp3 *e, struct exp3_side *s, struct rd *in, size_t words)
{
	bool has_sums;

	load_side_numbers(e, s, in);
	if (in->rc || s->arms == 0) {
		return;
	}
	has_sums = s->sum && !s->stale;
	exp3_side_zero(e, s);
	for (size_t i = 0; i < words * 64 && i < e->slots; i++) {
		if (exp3_is_active(e, (uint32_t)i)) {
			sumtree_set_leaf(s->tree, i, s->rate * (e->r[i] - s->shift));
			if (has_sums) {
				exp3_cheb_add(e, s, e->r[i], false);
			}
		}
	}
	sumtree_build(s->tree);
	for (int j = 0; has_sums && j < (int)e->params->cheb_nodes; j++) {
		struct num_sum kept = get_sum(in);

		if (!(fabs(kept.hi - s->sum[j].hi) <= SUM_CLOSE * s->sum[j].hi + SUM_LEFT)) {
			rd_fail(in);
		}
		s->sum[j] = kept;
	}
}

static void load_fast(struct exp3 *e, struct rd *in)
{
	struct exp3_fast *f = e->fast;
	size_t words = exp3_words(e->slots);
	bool no_next;

	for (uint32_t i = 0; f->max && i < e->slots; i++) {
		maxtree_set(f->max, i, exp3_is_active(e, i) ? e->r[i] : -HUGE_VAL);
	}
	load_side(e, &f->live, in, words);
	f->cursor = (uint32_t)get_count(in, words);
	f->step = (uint32_t)get_count(in, UINT32_MAX);
	f->next_end = get_count(in, 8 * EXP3_TIME_MAX);
	load_side(e, &f->next, in, f->cursor);
	no_next = f->cursor == 0 && f->step == 0 && f->next_end == 0;
	if ((f->live.arms > 0) != (e->end > 0 || e->mode == EXP3_FIXED) ||
	    (f->next.arms ? f->step == 0 : !no_next)) {
		rd_fail(in);
	}
}

static void load_wait(struct exp3 *e, struct rd *in)
{
	size_t n = rd_count(in, WAIT_BYTES_MIN);

	if (n > e->slots) {
		rd_fail(in);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t slot = (uint32_t)get_count(in, e->slots - 1);
		uint32_t count = (uint32_t)get_count(in, UINT32_MAX);
		double sum = get_number(in, -SUM_LIMIT, SUM_LIMIT);
		double credited = get_number(in, -SUM_LIMIT, SUM_LIMIT);

		if (in->rc || count == 0 || e->wait[slot].n) {
			rd_fail(in);
			return;
		}
		e->wait[e->nwait++].slot = slot;
		e->wait[slot].n = count;
		e->wait[slot].sum = sum;
		e->wait[slot].credited = credited;
	}
}

static void load_rest(struct exp3 *e, struct rd *in)
{
	bool is_fast = exp3_is_fast(e);

	if (e->shared && (e->slots == 0 || !exp3_is_active(e, e->slots - 1))) {
		rd_fail(in);
	}
	if (e->mode == EXP3_EPOCH || (e->mode == EXP3_MOVING && is_fast)) {
		e->end = get_count(in, 8 * EXP3_TIME_MAX);
	}
	if (in->rc) {
		return;
	}
	if (is_fast) {
		load_fast(e, in);
	} else if (e->end) {
		e->eta = get_number(in, 0x1p-1022, 1);
	}
	if (in->rc == 0 && e->wait) {
		load_wait(e, in);
	}
}

int exp3_deserialise(
    const struct exp3_kind *kind, const struct policy_env *env, struct rd *in, void **ret_state)
{
	void *state = NULL;
	struct exp3 *e;
	size_t slots;
	int rc = exp3_create(kind, env, &state);

	if (rc) {
		return rc;
	}
	e = state;
	e->t = get_count(in, EXP3_TIME_MAX);
	e->rewards = rd_var(in);
	e->clipped = get_count(in, e->rewards);
	e->total = get_sum(in);
	e->shared = get_flag(in);
	slots = rd_count(in, SLOT_BYTES_MIN);
	rc = in->rc ? RC_CORRUPT : exp3_reserve(e, slots);
	for (size_t i = 0; rc == 0 && i < slots; i++) {
		load_slot(e, in);
		rc = in->rc;
	}
	if (rc == 0) {
		load_rest(e, in);
		rc = in->rc;
	}
	if (rc) {
		exp3_destroy(e);
		return rc == RC_LIMIT ? RC_CORRUPT : rc;
	}
	*ret_state = e;
	return 0;
}
