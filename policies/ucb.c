/* SPDX-License-Identifier: Apache-2.0 */
/* Birth, death and what changes a state. */
#include "policies/ucb.h"

#include <assert.h>
#include <stdlib.h>

#include "core/slots.h"
#include "policies/ucb_impl.h"

int ucb_check(const void *params, struct errinfo *err)
{
	const struct ucb_params *p = params;

	if (isnan(p->reward_lo) != isnan(p->reward_hi)) {
		return err_set(err, RC_INVALID, "missing_field",
		    isnan(p->reward_lo) ? "/reward_lo" : "/reward_hi",
		    "reward_lo and reward_hi are given together or not at all");
	}
	if (p->reward_lo >= p->reward_hi) {
		return err_set(err, RC_INVALID, "out_of_range", "/reward_hi",
		    "reward_hi must be larger than reward_lo");
	}
	return 0;
}

/* Exact for few arms, where every byte of an idle experiment counts. */
static size_t capacity(size_t slots)
{
	return slots < UCB_FAST_FROM ? slots : slots_capacity(slots);
}

size_t ucb_bound(const struct ucb_kind *kind, const void *params, size_t slots)
{
	const struct ucb_params *p = params;
	size_t each = sizeof(struct ucb_arm) + (kind->slope ? sizeof(double) : 0);
	size_t pend = p->batch > 1 ? (size_t)p->batch * sizeof(struct ucb_pend) : 0;

	return sizeof(struct ucb) + pend + capacity(slots) * each +
	       (slots < UCB_FAST_FROM ? 0 : ucb_fast_bytes(kind, capacity(slots)));
}

int ucb_create(const struct ucb_kind *kind, const struct policy_env *env, void **ret_state)
{
	const struct ucb_params *p = env->params;
	struct ucb *u = calloc(1, sizeof(*u));

	if (!u) {
		return RC_MEMORY;
	}
	u->kind = kind;
	u->params = p;
	u->lo = env->lo;
	u->width = env->hi - env->lo;
	if (!kind->ema && !isnan(p->reward_lo)) {
		u->lo = p->reward_lo;
		u->width = p->reward_hi - p->reward_lo;
	}
	if (p->batch > 1) {
		u->pend = calloc((size_t)p->batch, sizeof(*u->pend));
		if (!u->pend) {
			free(u);
			return RC_MEMORY;
		}
	}
	*ret_state = u;
	return 0;
}

void ucb_destroy(void *state)
{
	struct ucb *u = state;

	if (u) {
		ucb_fast_free(u->fast);
		free(u->pend);
		free(u->squares);
		free(u->arm);
		free(u);
	}
}

int ucb_reserve(void *state, size_t slots)
{
	struct ucb *u = state;
	struct ucb_arm *arm;
	double *squares;
	size_t cap;

	if (slots <= u->cap) {
		return 0;
	}
	if (slots > SLOTS_MAX) {
		return RC_LIMIT;
	}
	cap = capacity(slots);
	arm = realloc(u->arm, cap * sizeof(*arm));
	if (!arm) {
		return RC_MEMORY;
	}
	u->arm = arm;
	if (u->kind->slope) {
		squares = realloc(u->squares, cap * sizeof(*squares));
		if (!squares) {
			return RC_MEMORY;
		}
		u->squares = squares;
	}
	if (cap >= UCB_FAST_FROM && ucb_fast_reserve(u, cap)) {
		return RC_MEMORY;
	}
	u->cap = (uint32_t)cap;
	return 0;
}

void ucb_arm_add(void *state, uint32_t slot)
{
	struct ucb *u = state;
	uint64_t n = ucb_probes(u);

	assert(slot == u->slots && slot < u->cap);
	u->arm[slot] =
	    (struct ucb_arm){.n = n, .state = ARM_ACTIVE, .s = n ? u->params->init_mean : 0};
	if (u->squares) {
		u->squares[slot] = 0;
	}
	u->slots++;
	u->active++;
	u->issued += n;
	u->t += n;
	ucb_fast_enter(u, slot);
	ucb_fast_settle(u);
}

void ucb_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	struct ucb *u = state;

	ucb_fast_leave(u, slot);
	u->active -= u->arm[slot].state == ARM_ACTIVE;
	u->arm[slot].state = (unsigned)to;
	u->active += to == ARM_ACTIVE;
	ucb_fast_enter(u, slot);
	ucb_fast_settle(u);
}

/* One decision of this arm counts. Time is the number of those that do, but never falls: of one
 * that was lost the next one takes the place, so that those who were never shown do not explore. */
static void issue(struct ucb *u, struct ucb_arm *a)
{
	a->n++;
	u->issued++;
	u->t = u->t < u->issued ? u->issued : u->t;
}

void ucb_pulled(void *state, const struct pull *p)
{
	struct ucb *u = state;

	ucb_fast_leave(u, p->picks[0].slot);
	issue(u, &u->arm[p->picks[0].slot]);
	ucb_fast_enter(u, p->picks[0].slot);
	ucb_fast_settle(u);
}

void ucb_lost(void *state, const struct pull *p)
{
	struct ucb *u = state;
	struct ucb_arm *a = &u->arm[p->picks[0].slot];

	if (a->n <= a->o + ucb_probes(u)) {
		return; /* no decision is open: no log of ours says this */
	}
	ucb_fast_leave(u, p->picks[0].slot);
	a->n--;
	u->issued--;
	ucb_fast_enter(u, p->picks[0].slot);
	ucb_fast_settle(u);
}

static void move_mean(struct ucb *u, uint32_t slot, double reward)
{
	u->arm[slot].s = (1 - u->params->beta) * u->arm[slot].s + u->params->beta * reward;
}

/* Every mean moves by the average of what has come for it, added in order of arrival. */
static void flush(struct ucb *u)
{
	for (uint32_t i = 0; i < u->npend; i++) {
		uint32_t slot = u->pend[i].slot;
		double sum = u->pend[i].reward, n = 1;

		if (slot == UCB_NONE) {
			continue;
		}
		for (uint32_t j = i + 1; j < u->npend; j++) {
			if (u->pend[j].slot == slot) {
				sum += u->pend[j].reward;
				n++;
				u->pend[j].slot = UCB_NONE;
			}
		}
		ucb_fast_leave(u, slot);
		move_mean(u, slot, sum / n);
		ucb_fast_enter(u, slot);
	}
	u->npend = 0;
}

static void learn_average(struct ucb *u, uint32_t slot, double reward)
{
	if (u->arm[slot].o + ucb_probes(u) == 1) {
		u->arm[slot].s = reward; /* the probe */
	} else if (!u->pend) {
		move_mean(u, slot, reward);
	} else {
		u->pend[u->npend++] = (struct ucb_pend){.reward = reward, .slot = slot};
	}
}

static void learn_sum(struct ucb *u, uint32_t slot, double reward)
{
	double r = (reward - u->lo) / u->width;

	r = r > 0 ? r < 1 ? r : 1 : 0;
	u->arm[slot].s += r;
	if (u->squares) {
		u->squares[slot] += r * r;
	}
}

void ucb_update(void *state, const struct outcome *o)
{
	struct ucb *u = state;
	struct ucb_arm *a = &u->arm[o->slot];

	ucb_fast_leave(u, o->slot);
	if (o->revived || a->n <= a->o + ucb_probes(u)) {
		issue(u, a);
	}
	a->o++;
	if (u->kind->ema) {
		learn_average(u, o->slot, o->reward);
	} else {
		learn_sum(u, o->slot, o->reward);
	}
	ucb_fast_enter(u, o->slot);
	if (u->pend && u->npend == (uint64_t)u->params->batch) {
		flush(u);
	}
	ucb_fast_settle(u);
}
