/* SPDX-License-Identifier: Apache-2.0 */
/* The structures for many slots. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "core/maxtree.h"
#include "core/sumtree.h"
#include "policies/exp3_fast.h"

/* Bounds of top (max R - shift): above, an exponential overflows; so far below its peak, what was
 * subtracted has left its rounding errors (2^-104 of the peak) in the sums. */
#define RANGE_HIGH 300
#define RANGE_FALL 30

static int side_reserve(struct exp3_side *s, bool moving, int nodes, size_t slots)
{
	if (!s->tree && sumtree_new(&s->tree)) {
		return RC_MEMORY;
	}
	if (moving && !s->sum) {
		s->sum = calloc((size_t)nodes, sizeof(*s->sum));
		if (!s->sum) {
			return RC_MEMORY;
		}
	}
	return sumtree_reserve(s->tree, slots);
}

int exp3_fast_reserve(struct exp3 *e, size_t slots)
{
	bool moving = e->mode == EXP3_MOVING;
	int nodes = (int)e->params->cheb_nodes, rc;

	if (!e->fast) {
		e->fast = calloc(1, sizeof(*e->fast));
		if (!e->fast) {
			return RC_MEMORY;
		}
		if (moving) {
			exp3_cheb_angles(e->fast, nodes);
		}
	}
	if (moving && !e->fast->max && maxtree_new(&e->fast->max)) {
		return RC_MEMORY;
	}
	rc = moving ? maxtree_reserve(e->fast->max, slots) : 0;
	rc = rc ? rc : side_reserve(&e->fast->live, moving, nodes, slots);
	return rc ? rc : side_reserve(&e->fast->next, moving, nodes, slots);
}

void exp3_fast_free(struct exp3_fast *f)
{
	if (f) {
		sumtree_free(f->live.tree);
		sumtree_free(f->next.tree);
		free(f->live.sum);
		free(f->next.sum);
		maxtree_free(f->max);
		free(f);
	}
}

size_t exp3_fast_bytes(enum exp3_mode mode, const struct exp3_params *p, size_t slots)
{
	size_t moving = maxtree_bytes(slots) + 2 * (size_t)p->cheb_nodes * sizeof(struct num_sum);

	return sizeof(struct exp3_fast) + 2 * sumtree_bytes(slots) +
	       (mode == EXP3_MOVING ? moving : 0);
}

void exp3_side_clear(struct exp3_side *s)
{
	struct sumtree *tree = s->tree;
	struct num_sum *sum = s->sum;

	sumtree_clear(tree);
	*s = (struct exp3_side){.tree = tree, .sum = sum};
}

void exp3_side_zero(const struct exp3 *e, struct exp3_side *s)
{
	for (int j = 0; s->sum && j < (int)e->params->cheb_nodes; j++) {
		s->sum[j] = (struct num_sum){0};
	}
}

bool exp3_side_in_range(const struct exp3 *e, const struct exp3_side *s, double *ret_peak)
{
	double at = s->top * (maxtree_max(e->fast->max) - s->shift);
	double peak = at > s->peak ? at : s->peak;

	*ret_peak = peak;
	return at <= RANGE_HIGH && at >= peak - RANGE_FALL;
}

/* The largest R may have moved. */
static void check_range(const struct exp3 *e, struct exp3_side *s)
{
	if (s->arms && s->sum && !s->stale && !exp3_side_in_range(e, s, &s->peak)) {
		s->stale = true;
		s->peak = 0;
		exp3_side_zero(e, s);
	}
}

void exp3_side_begin(struct exp3 *e, struct exp3_side *s)
{
	exp3_side_zero(e, s);
	if (s->sum) {
		s->peak = -HUGE_VAL;
		check_range(e, s);
	}
}

void exp3_side_fill(struct exp3 *e, struct exp3_side *s, size_t from_word, size_t to_word)
{
	for (size_t w = from_word; w < to_word; w++) {
		for (uint64_t left = e->word[w].active; left; left &= left - 1) {
			size_t slot = w * 64 + (size_t)__builtin_ctzll(left);

			sumtree_set(s->tree, slot, s->rate * (e->r[slot] - s->shift));
			if (s->sum && !s->stale) {
				exp3_cheb_add(e, s, e->r[slot], false);
			}
		}
	}
}

static void side_move(struct exp3 *e, struct exp3_side *s, uint32_t slot, double from, double to)
{
	if (s->sum && !s->stale) {
		if (!isinf(to)) {
			exp3_cheb_add(e, s, to, false);
		}
		if (!isinf(from)) {
			exp3_cheb_add(e, s, from, true);
		}
	}
	sumtree_set(s->tree, slot, isinf(to) ? to : s->rate * (to - s->shift));
}

void exp3_fast_move(struct exp3 *e, uint32_t slot, double from, double to)
{
	struct exp3_fast *f = e->fast;

	if (f->max) {
		maxtree_set(f->max, slot, to);
		check_range(e, &f->live);
		check_range(e, &f->next);
	}
	if (f->live.arms) {
		side_move(e, &f->live, slot, from, to);
	}
	if (f->next.arms && slot / 64 < f->cursor) {
		side_move(e, &f->next, slot, from, to);
	}
}

/* Few slots' state goes on as that of many: what is in force is built at once. */
void exp3_fast_start(struct exp3 *e)
{
	struct exp3_fast *f = e->fast;
	uint64_t now = exp3_now(e);

	for (uint32_t i = 0; f->max && i < e->slots; i++) {
		maxtree_set(f->max, i, exp3_is_active(e, i) ? e->r[i] : -HUGE_VAL);
	}
	exp3_side_clear(&f->live);
	exp3_side_clear(&f->next);
	if (e->mode == EXP3_EPOCH && e->end) {
		f->live.rate = f->live.top = e->eta;
		f->live.arms = e->active;
	} else if (e->mode == EXP3_FIXED ||
		   (e->mode == EXP3_MOVING && e->kind->mix(e->params, e->active, now) < 1)) {
		exp3_plan(e, now - 1, &f->live, &e->end);
	}
	e->eta = 0;
	if (f->live.arms) {
		f->live.shift = f->max ? maxtree_max(f->max) : num_sum_value(&e->total) / e->active;
		exp3_side_begin(e, &f->live);
		exp3_side_fill(e, &f->live, 0, exp3_words(e->slots));
	}
}

double exp3_fast_share(const struct exp3 *e, double rate, uint32_t slot)
{
	const struct exp3_side *s = &e->fast->live;
	double max;

	if (rate == s->rate) {
		return sumtree_share(s->tree, slot);
	}
	max = maxtree_max(e->fast->max);
	return num_exp(rate * (e->r[slot] - max)) / exp3_cheb_sum(e, s, rate, max);
}

double exp3_fast_level(const struct exp3 *e, double rate)
{
	const struct exp3_side *s = &e->fast->live;
	double max;

	if (rate == s->rate) {
		return s->shift + (sumtree_log_total(s->tree) - num_log(e->active)) / rate;
	}
	max = maxtree_max(e->fast->max);
	return max + num_log(exp3_cheb_sum(e, s, rate, max) / e->active) / rate;
}

uint32_t exp3_fast_draw(const struct exp3 *e, double rate, struct rng *rng)
{
	const struct exp3_side *s = &e->fast->live;
	uint32_t slot;
	double more = rate - s->rate, max;

	if (more == 0) {
		return (uint32_t)sumtree_draw(s->tree, rng);
	}
	max = maxtree_max(e->fast->max);
	do {
		slot = (uint32_t)sumtree_draw(s->tree, rng);
	} while (rng_uniform(rng) >= num_exp(more * (e->r[slot] - max)));
	return slot;
}
