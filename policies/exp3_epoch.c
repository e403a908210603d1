/* SPDX-License-Identifier: Apache-2.0 */
/* When rates change, and what to. A rate is settled when its side begins to be filled, one epoch
 * ahead, from the K of that moment; a side is begun anew when K has doubled or halved since. An
 * epoch whose successor is not full yet goes on: with constant K that never happens. */
#include <math.h>

#include "core/maxtree.h"
#include "policies/exp3_fast.h"

#define FIXED_STEP 16 /* words a decision when the rate follows K */
#define FILL_MAX 1024 /* arms a decision: what bounds the time that one takes */
#define DRIFT 8       /* rate times decisions for which one set of sums stays accurate */
#define CERTIFIED 2e-12

static bool is_uniform(const struct exp3 *e, uint64_t t)
{
	return e->kind->mix(e->params, e->active, t) >= 1;
}

static bool is_edge_of_batch(const struct exp3 *e)
{
	return e->t % exp3_batch(e->params) == 0;
}

/* Section 6: acceptance needs K^-delta >= accept_floor, the interpolation
 * 2 K (delta/4)^n / sqrt(2 pi n) <= CERTIFIED. */
static double widest(const struct exp3_params *p, double k)
{
	double n = (double)p->cheb_nodes, ln_k = num_log(k);
	double accept = -num_log(p->accept_floor) / ln_k;
	double exact = 4 * num_exp(num_log(CERTIFIED * sqrt(6.283185307179586 * n) / (2 * k)) / n);

	return accept < exact ? accept : exact;
}

/* Epochs begin with batches. */
static uint64_t to_batch(const struct exp3 *e, uint64_t t)
{
	uint64_t batch = exp3_batch(e->params);

	return (t + batch - 1) / batch * batch;
}

static uint64_t next_edge(const struct exp3 *e, uint64_t edge)
{
	double next = ceil(e->params->growth * (double)edge);

	return to_batch(e, next > (double)edge ? (uint64_t)next : edge + 1);
}

void exp3_plan(const struct exp3 *e, uint64_t edge, struct exp3_side *ret, uint64_t *ret_end)
{
	const struct exp3_params *p = e->params;
	double k = e->active < 2 ? 2 : e->active, width, most;

	*ret_end = 0;
	ret->arms = e->active;
	if (e->mode == EXP3_FIXED) {
		ret->rate = ret->top = e->kind->rate(p, e->active, edge);
		return;
	}
	if (e->mode == EXP3_EPOCH) {
		*ret_end = next_edge(e, edge);
		ret->rate = ret->top = e->kind->rate(p, e->active, *ret_end);
		return;
	}
	edge = edge ? edge : 1;
	ret->top = e->kind->rate(p, e->active, edge);
	width = 1 + widest(p, k);
	most = DRIFT / ret->top + 1;
	width = floor((width * width - 1) * (double)edge) + 1;
	*ret_end = edge + (uint64_t)(width < most ? width : most);
	ret->rate = e->kind->rate(p, e->active, *ret_end - 1);
}

/* Is the rate in use to be replaced? */
static bool is_due(const struct exp3 *e)
{
	if (e->mode == EXP3_FIXED) {
		return e->fast->live.arms != e->active;
	}
	return e->end ? e->t >= e->end : !is_uniform(e, e->t + 1);
}

static bool is_full(const struct exp3_fast *f, const struct exp3 *e)
{
	return f->next.arms > 0 && f->cursor >= exp3_words(e->slots);
}

/* The decision after which the next side will be wanted. */
static uint64_t expected_edge(const struct exp3 *e)
{
	uint64_t edge = e->end;

	if (e->mode != EXP3_FIXED && (!e->end || is_uniform(e, e->t + 1))) {
		edge = (uint64_t)(e->active * num_log(e->active));
	}
	return to_batch(e, edge > e->t ? edge : e->t);
}

static void begin(struct exp3 *e)
{
	struct exp3_fast *f = e->fast;
	uint64_t edge = expected_edge(e), calls = edge - e->t + 1;
	size_t words = exp3_words(e->slots), step = (size_t)((2 * words + calls - 1) / calls);

	exp3_side_clear(&f->next);
	exp3_plan(e, edge, &f->next, &f->next_end);
	f->next.shift = f->max ? maxtree_max(f->max) : exp3_level(e);
	exp3_side_begin(e, &f->next);
	f->cursor = 0;
	f->step = e->mode == EXP3_FIXED ? FIXED_STEP : (uint32_t)step;
}

static bool must_begin(const struct exp3 *e)
{
	uint64_t k = e->active, then = e->fast->next.arms;

	if (then == 0) {
		return e->mode != EXP3_FIXED || is_due(e);
	}
	return k > 2 * then || 2 * k < then;
}

static void fill(struct exp3 *e)
{
	struct exp3_fast *f = e->fast;
	size_t words = exp3_words(e->slots), filled = 0;

	for (uint32_t i = 0; i < f->step && f->cursor < words && filled < FILL_MAX; i++) {
		filled += (size_t)__builtin_popcountll(e->word[f->cursor].active);
		exp3_side_fill(e, &f->next, f->cursor, f->cursor + 1);
		f->cursor++;
	}
}

static void drop_next(struct exp3_fast *f)
{
	exp3_side_clear(&f->next);
	f->cursor = f->step = 0;
	f->next_end = 0;
}

static void enter(struct exp3 *e)
{
	struct exp3_fast *f = e->fast;
	struct exp3_side before = f->live;

	f->live = f->next;
	f->next = before;
	if (e->mode == EXP3_EPOCH) {
		e->end = next_edge(e, e->t);
	} else if (e->mode == EXP3_MOVING) {
		e->end = f->next_end > e->t ? f->next_end : e->t + 1;
	}
	drop_next(f);
}

static void advance_fast(struct exp3 *e)
{
	if (must_begin(e)) {
		begin(e);
	}
	if (e->fast->next.arms > 0) {
		fill(e);
	}
	if (!is_edge_of_batch(e) || !is_due(e)) {
		return;
	}
	if (e->mode != EXP3_FIXED && is_uniform(e, e->t + 1)) {
		exp3_side_clear(&e->fast->live);
		drop_next(e->fast);
		e->end = 0;
	} else if (is_full(e->fast, e)) {
		enter(e);
	}
}

void exp3_advance(struct exp3 *e)
{
	struct exp3_side plan;

	if (exp3_is_fast(e)) {
		advance_fast(e);
	} else if (e->mode == EXP3_EPOCH && is_edge_of_batch(e) && is_due(e)) {
		e->end = 0;
		e->eta = 0;
		if (!is_uniform(e, e->t + 1)) {
			exp3_plan(e, e->t, &plan, &e->end);
			e->eta = plan.rate;
		}
	}
}
