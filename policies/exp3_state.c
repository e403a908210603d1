/* SPDX-License-Identifier: Apache-2.0 */
/* Birth, death and what changes a state. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/slots.h"
#include "policies/exp3_fast.h"

#define EXACT_MAX 64 /* slots up to which no more memory is taken than they need */

int exp3_check(const void *params, struct errinfo *err)
{
	const struct exp3_params *p = params;

	if (isnan(p->reward_lo) != isnan(p->reward_hi)) {
		return err_set(err, RC_INVALID, "missing_field",
		    isnan(p->reward_lo) ? "/reward_lo" : "/reward_hi",
		    "reward_lo and reward_hi are given together or not at all");
	}
	if (p->reward_lo >= p->reward_hi || isinf(p->reward_hi - p->reward_lo)) {
		return err_set(err, RC_INVALID, "out_of_range", "/reward_hi",
		    "reward_hi must be larger than reward_lo");
	}
	return 0;
}

static bool smooths(const struct exp3_kind *kind, const struct exp3_params *p)
{
	return kind->has_smoothing && p->reward_beta < 1;
}

static size_t capacity(size_t slots)
{
	return slots <= EXACT_MAX ? slots : slots_capacity(slots);
}

static bool wants_fast(enum exp3_mode mode, const struct exp3_params *p, size_t slots)
{
	return mode != EXP3_DIRECT && slots > (uint64_t)p->naive_below;
}

size_t exp3_bound(const struct exp3_kind *kind, const void *params, size_t slots)
{
	const struct exp3_params *p = params;
	size_t cap = capacity(slots), each = sizeof(double);
	enum exp3_mode mode = kind->mode(p);

	each += smooths(kind, p) ? sizeof(double) : 0;
	each += exp3_batch(p) > 1 ? sizeof(struct exp3_wait) : 0;
	return sizeof(struct exp3) + cap * each + exp3_words(cap) * sizeof(struct exp3_word) +
	       (wants_fast(mode, p, slots) ? exp3_fast_bytes(mode, p, cap) : 0);
}

int exp3_create(const struct exp3_kind *kind, const struct policy_env *env, void **ret_state)
{
	const struct exp3_params *p = env->params;
	struct exp3 *e = calloc(1, sizeof(*e));
	bool own = !isnan(p->reward_lo);

	if (!e) {
		return RC_MEMORY;
	}
	e->kind = kind;
	e->params = p;
	e->mode = kind->mode(p);
	e->lo = own ? p->reward_lo : env->lo;
	e->width = own ? p->reward_hi - p->reward_lo : env->hi - env->lo;
	*ret_state = e;
	return 0;
}

void exp3_destroy(void *state)
{
	struct exp3 *e = state;

	if (e) {
		exp3_fast_free(e->fast);
		free(e->wait);
		free(e->smooth);
		free(e->word);
		free(e->r);
		free(e);
	}
}

static int grow(void *array, size_t count, size_t each)
{
	void **p = array, *grown = realloc(*p, count * each);

	if (!grown) {
		return RC_MEMORY;
	}
	*p = grown;
	return 0;
}

int exp3_reserve(void *state, size_t slots)
{
	struct exp3 *e = state;
	size_t cap = capacity(slots);

	if (slots <= e->cap) {
		return 0;
	}
	if (slots > SLOTS_MAX) {
		return RC_LIMIT;
	}
	if (grow(&e->r, cap, sizeof(*e->r)) || grow(&e->word, exp3_words(cap), sizeof(*e->word)) ||
	    (smooths(e->kind, e->params) && grow(&e->smooth, cap, sizeof(*e->smooth))) ||
	    (exp3_batch(e->params) > 1 && grow(&e->wait, cap, sizeof(*e->wait))) ||
	    (wants_fast(e->mode, e->params, slots) && exp3_fast_reserve(e, cap))) {
		return RC_MEMORY;
	}
	e->cap = (uint32_t)cap;
	return 0;
}

/* As long as all R are equal a rate means nothing, and may follow K at once. */
static void follow_arms(struct exp3 *e)
{
	uint64_t unused;

	if (e->mode == EXP3_FIXED && exp3_is_fast(e) && e->rewards == 0 && e->active) {
		exp3_plan(e, e->t, &e->fast->live, &unused);
	}
}

void exp3_arm_add(void *state, uint32_t slot)
{
	struct exp3 *e = state;
	double level = exp3_level(e);
	bool was_fast = exp3_is_fast(e);

	assert(slot == e->slots && slot < e->cap);
	if (slot % 64 == 0) {
		e->word[slot / 64] = (struct exp3_word){0, 0};
	}
	e->word[slot / 64].active |= UINT64_C(1) << slot % 64;
	e->r[slot] = level;
	num_sum_add(&e->total, level);
	if (e->smooth) {
		e->smooth[slot] = 0;
	}
	if (e->wait) {
		e->wait[slot].n = 0;
	}
	e->slots++;
	e->active++;
	e->shared = true;
	if (was_fast) {
		exp3_fast_move(e, slot, -HUGE_VAL, level);
	} else if (exp3_is_fast(e)) {
		exp3_fast_start(e);
	}
	follow_arms(e);
}

void exp3_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	struct exp3 *e = state;
	struct exp3_word *word = &e->word[slot / 64];
	uint64_t bit = UINT64_C(1) << slot % 64;
	bool was_active = exp3_is_active(e, slot), is_active = to == ARM_ACTIVE;

	word->retired |= to == ARM_RETIRED ? bit : 0;
	if (was_active == is_active) {
		return;
	}
	word->active ^= bit;
	e->shared = false;
	if (is_active) {
		e->active++;
		num_sum_add(&e->total, e->r[slot]);
	} else {
		e->active--;
		num_sum_sub(&e->total, e->r[slot]);
	}
	if (exp3_is_fast(e)) {
		exp3_fast_move(e, slot, was_active ? e->r[slot] : -HUGE_VAL,
		    is_active ? e->r[slot] : -HUGE_VAL);
	}
	follow_arms(e);
}

static void learn(struct exp3 *e, uint32_t slot, double more)
{
	double from = e->r[slot], to = from + more;

	to = to > EXP3_LIMIT ? EXP3_LIMIT : to < -EXP3_LIMIT ? -EXP3_LIMIT : to;
	e->r[slot] = to;
	if (exp3_is_active(e, slot)) {
		num_sum_sub(&e->total, from);
		num_sum_add(&e->total, to);
		if (exp3_is_fast(e)) {
			exp3_fast_move(e, slot, from, to);
		}
	}
}

/* What the batch says of an arm counts as far as it does not yet. */
static void settle(struct exp3 *e, uint32_t slot)
{
	struct exp3_wait *w = &e->wait[slot];
	double due = w->sum;

	if (e->params->batch_estimator == EXP3_MEAN) {
		due /= w->n;
	}
	if (!exp3_is_retired(e, slot)) {
		learn(e, slot, due - w->credited);
	}
	w->credited = due;
}

/* Rewards that come between two batches belong to the one before, and count at once. */
static void put_to_wait(struct exp3 *e, uint32_t slot, double more)
{
	struct exp3_wait *w = &e->wait[slot];

	if (w->n == 0) {
		e->wait[e->nwait++].slot = slot;
		w->sum = w->credited = 0;
	}
	w->sum += more;
	w->n++;
	if (e->t % exp3_batch(e->params) == 0) {
		settle(e, slot);
	}
}

static void end_batch(struct exp3 *e)
{
	for (uint32_t i = 0; i < e->nwait; i++) {
		settle(e, e->wait[i].slot);
	}
}

static void start_batch(struct exp3 *e)
{
	for (uint32_t i = 0; i < e->nwait; i++) {
		e->wait[e->wait[i].slot].n = 0;
	}
	e->nwait = 0;
}

void exp3_pulled(void *state, const struct pull *p)
{
	struct exp3 *e = state;
	uint64_t batch = exp3_batch(e->params);

	(void)p;
	e->shared = false;
	if (e->t % batch == 0) {
		start_batch(e);
	}
	e->t++;
	if (e->t % batch == 0) {
		end_batch(e);
	}
	exp3_advance(e);
}

/* To [0, 1]. */
static double map_reward(struct exp3 *e, double reward)
{
	double x = (reward - e->lo) / e->width;

	if (x >= 0 && x <= 1) {
		return x;
	}
	e->clipped++;
	return x > 1;
}

void exp3_update(void *state, const struct outcome *o)
{
	struct exp3 *e = state;
	double more = e->kind->credit(e, o, map_reward(e, o->reward));

	more = more > EXP3_LIMIT ? EXP3_LIMIT : more < -EXP3_LIMIT ? -EXP3_LIMIT : more;
	e->shared = false;
	e->rewards++;
	if (e->wait) {
		put_to_wait(e, o->slot, more);
	} else {
		learn(e, o->slot, more);
	}
}
