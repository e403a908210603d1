/* SPDX-License-Identifier: Apache-2.0 */
/* Tallying: successive elimination in unbroken blocks, for arms that repeated exposure changes.
 * Malik, Igoe, Li, Singh, "Weighted Tallying Bandits: Overcoming Intractability via Repeated
 * Exposure Optimality", ICML 2023: the model, M and the modified successive elimination. Lengths of
 * epochs and blocks, widths, the anytime form and pooled mode are this project's.
 *
 *	An epoch gives each active arm one block, until it has `target` used plays; targets double.
 *	The first M plays of a block are not used: their rewards are not those of full exposure.
 *	width(n) = sqrt( ln(2 ever (epoch+1) (epoch+2) / delta) / (2n) )
 *	An arm stays while its mean + width >= the largest mean - width.
 *
 * The answer is certain given the state. choose() tries on a copy what is due between two plays,
 * pulled() does it: both call the same functions. A decision that may not name the block's arm gets
 * another one, is not used and ends the run, since it was no exposure to that arm.
 *
 * Rewards in [lo, hi], mapped to [0, 1]. Select O(1), O(n) at the ends of blocks and epochs; pooled
 * select O(n); update O(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "policies/tallying.h"

#define MEMO_USED 1
#define MEMO_RAISED 127 /* the rest of the flags: the last bits of how often memory_bound was */

struct memo {
	unsigned char flags;
	struct subject_key key; /* unless global */
};

static size_t record_size(const struct tallying_params *p)
{
	return p->mode == TALLY_ISOLATED ? sizeof(struct tally_seq) : sizeof(struct tally_member);
}

static size_t tally_bound(const void *params, size_t slots, size_t dim)
{
	const struct tallying_params *p = params;
	size_t each = p->mode == TALLY_ISOLATED  ? sizeof(struct tally_arm)
		      : p->unit == TALLY_SUBJECT ? sizeof(struct tally_pair)
						 : 0;
	size_t most = (size_t)p->subjects_max;
	size_t arms = sizeof(uint8_t) + sizeof(uint32_t) + 2 * sizeof(struct tally_arm);

	(void)dim;
	return sizeof(struct tallying) + sizeof(struct tally_seq) + slots * arms +
	       (tally_has_subjects(p)
		       ? subjects_bytes(record_size(p), most) + (most + 1) * slots * each
		       : 0);
}

void tally_destroy(void *state)
{
	struct tallying *t = state;
	void *r;

	if (!t) {
		return;
	}
	for (r = t->subjects ? subjects_oldest(t->subjects) : NULL; r;
	     r = subjects_next(t->subjects, r)) {
		if (t->params->mode == TALLY_ISOLATED) {
			free(((struct tally_seq *)r)->arm);
		} else {
			free(((struct tally_member *)r)->pair);
		}
	}
	subjects_free(t->subjects);
	free(t->spare);
	free(t->spare_pair);
	if (t->scratch) {
		free(t->scratch->arm);
	}
	free(t->scratch);
	free(t->shared.arm);
	free(t->state);
	free(t->load);
	free(t);
}

int tally_create(const struct policy_env *env, void **ret_state)
{
	struct tallying *t = calloc(1, sizeof(*t));
	const struct tallying_params *p = env->params;
	int rc;

	if (!t) {
		return RC_MEMORY;
	}
	t->params = p;
	t->lo = isnan(p->reward_lo) ? env->lo : p->reward_lo;
	t->width = (isnan(p->reward_hi) ? env->hi : p->reward_hi) - t->lo;
	t->memory = (uint64_t)p->memory_bound;
	t->n0 = tally_first_target(p);
	t->ttl_us = (uint64_t)p->subject_ttl * 1000000;
	t->scratch = calloc(1, sizeof(*t->scratch));
	rc = t->scratch ? 0 : RC_MEMORY;
	if (rc == 0 && tally_has_subjects(p)) {
		rc = subjects_new(record_size(p), (size_t)p->subjects_max, &t->subjects);
	}
	if (rc) {
		tally_destroy(t);
		return rc;
	}
	tally_seq_init(t, &t->shared);
	*ret_state = t;
	return 0;
}

static uint32_t tally_slots(const void *state)
{
	return ((const struct tallying *)state)->slots;
}

static int reserve_seq(struct tally_seq *q, size_t slots)
{
	struct tally_arm *arm = realloc(q->arm, slots * sizeof(*arm));

	if (!arm) {
		return RC_MEMORY;
	}
	q->arm = arm;
	q->cap = (uint32_t)slots;
	return 0;
}

int tally_reserve(void *state, size_t slots)
{
	struct tallying *t = state;
	uint8_t *states;
	uint32_t *load;

	if (slots <= t->cap) {
		return 0;
	}
	if (t->subjects && t->params->mode == TALLY_ISOLATED &&
	    subjects_count(t->subjects) > TALLY_BYTES_MAX / (slots * sizeof(struct tally_arm))) {
		return RC_LIMIT; /* each of them will know of the new arms */
	}
	states = realloc(t->state, slots * sizeof(*states));
	if (!states) {
		return RC_MEMORY;
	}
	t->state = states;
	load = realloc(t->load, slots * sizeof(*load));
	if (!load) {
		return RC_MEMORY;
	}
	t->load = load;
	if (reserve_seq(&t->shared, slots) || reserve_seq(t->scratch, slots)) {
		return RC_MEMORY;
	}
	t->cap = (uint32_t)slots;
	return 0;
}

static void tally_arm_add(void *state, uint32_t slot)
{
	struct tallying *t = state;

	t->state[slot] = ARM_ACTIVE;
	t->load[slot] = 0;
	t->slots = slot + 1;
	t->changes++; /* sequences hear of it before their next play */
}

static void tally_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	struct tallying *t = state;

	t->changes += (t->state[slot] == ARM_ACTIVE) != (to == ARM_ACTIVE);
	t->state[slot] = (uint8_t)to;
}

static int tally_reserve_change(void *state, const void *params, uint32_t k)
{
	(void)state;
	(void)params;
	(void)k;
	return 0;
}

/* A longer memory than was believed: rewards that counted may have been of too short a run. After a
 * shorter one all of them are good. Runs go on. */
static void tally_change(void *state, const void *params_before, uint32_t k)
{
	struct tallying *t = state;
	const struct tallying_params *before = params_before;
	void *r = t->subjects ? subjects_oldest(t->subjects) : NULL;

	(void)k;
	t->memory = (uint64_t)t->params->memory_bound;
	t->n0 = tally_first_target(t->params);
	if (!(t->params->memory_bound > before->memory_bound)) {
		return;
	}
	t->raised++;
	tally_seq_distrust(t, &t->shared);
	for (; r; r = subjects_next(t->subjects, r)) {
		if (t->params->mode == TALLY_ISOLATED) {
			tally_seq_distrust(t, r);
		} else {
			((struct tally_member *)r)->npairs = 0;
		}
	}
}

/* What the sequence will be when it plays next. */
static const struct tally_seq *settled(const struct tallying *t, const struct tally_seq *q)
{
	struct tally_seq *s = t->scratch;
	struct tally_arm *room = s->arm;
	uint32_t cap = s->cap;

	if (q && !tally_seq_due(t, q)) {
		return q;
	}
	if (q) {
		memcpy(room, q->arm, q->known * sizeof(*room));
		*s = *q;
		s->arm = room;
		s->cap = cap;
	} else {
		tally_seq_init(t, s);
	}
	tally_seq_settle(t, s);
	return s;
}

static bool is_asked(const struct ask *ask, uint32_t slot)
{
	size_t lo = 0, hi = ask->n;

	while (!ask->all && hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		*(ask->slots[mid] <= slot ? &lo : &hi) = mid;
	}
	return ask->all || ask->slots[lo] == slot;
}

/* A subject's record, if it is to go on; RC_INVALID or RC_LIMIT when it may not ask. */
static int look_up(const struct tallying *t, const struct ask *ask, struct memo *memo,
    const void **ret, struct errinfo *err)
{
	const void *record, *oldest;

	if (!ask->subject) {
		return err_set(err, RC_INVALID, "missing_field", "/subject",
		    "tallying in this mode needs the subject that will see the arm");
	}
	memo->key = subject_key(ask->subject);
	record = subjects_find(t->subjects, &memo->key);
	oldest = subjects_oldest(t->subjects);
	if (!record && subjects_count(t->subjects) >= tally_subjects_most(t) &&
	    !tally_gone(t, oldest, ask->at_us)) {
		return err_set(err, RC_LIMIT, "too_many", "/subject",
		    "this experiment remembers the most subjects it may, %zu; subject_ttl lets it "
		    "forget those not seen for long",
		    tally_subjects_most(t));
	}
	*ret = record && !tally_gone(t, record, ask->at_us) ? record : NULL;
	return 0;
}

static int tally_choose(const void *state, const struct ask *ask, struct rng *rng,
    struct choice *ret, struct errinfo *err)
{
	const struct tallying *t = state;
	const struct tally_seq *q = &t->shared;
	const struct tally_member *m = NULL;
	const void *record = NULL;
	struct memo memo = {.flags = 0};
	uint32_t wanted, slot;
	int rc = t->subjects ? look_up(t, ask, &memo, &record, err) : 0;
	bool used;

	(void)rng;
	if (rc) {
		return rc;
	}
	if (t->params->mode == TALLY_POOLED) {
		m = record;
		q = settled(t, q);
		wanted = tally_place(t, q, m);
		used = (m && m->run.arm == wanted ? m->run.n : 0) + 1 > t->memory;
	} else {
		q = settled(t, t->params->mode == TALLY_ISOLATED ? record : q);
		wanted = q->head;
		used = tally_seq_counts(t, q);
	}
	slot = is_asked(ask, wanted) ? wanted : tally_substitute(q, ask);
	ret->picks[0] = (struct pick){.slot = slot, .propensity = 1};
	ret->npicks = 1;
	memo.flags = used && slot == wanted ? MEMO_USED : 0;
	memo.flags |= (unsigned char)((t->raised & MEMO_RAISED) << 1);
	buf_put_u8(ret->memo, memo.flags);
	if (t->subjects) {
		buf_put(ret->memo, memo.key.byte, sizeof(memo.key.byte));
	}
	return ret->memo->rc;
}

/* False for what choose() cannot have written. */
static bool read_memo(const struct tallying *t, const void *bytes, size_t n, struct memo *ret)
{
	const unsigned char *p = bytes;

	if (n != 1 + (t->subjects ? SUBJECT_KEY_BYTES : 0)) {
		return false;
	}
	ret->flags = p[0];
	memcpy(ret->key.byte, p + 1, n - 1);
	return true;
}

static void tally_pulled(void *state, const struct pull *p)
{
	struct tallying *t = state;
	struct tally_seq *q = &t->shared;
	struct memo memo;
	struct tally_member *m;
	uint32_t placed, slot = p->picks[0].slot;

	if (!read_memo(t, p->memo, p->nmemo, &memo)) {
		return;
	}
	if (t->params->mode == TALLY_POOLED) {
		if (tally_seq_due(t, q)) {
			tally_seq_settle(t, q);
		}
		m = subjects_find(t->subjects, &memo.key);
		placed = tally_place(t, q, m && !tally_gone(t, m, p->at_us) ? m : NULL);
		m = tally_meet(t, &memo.key, p->at_us);
		tally_member_play(t, m, placed, slot, p->seq);
		return;
	}
	if (t->params->mode == TALLY_ISOLATED) {
		q = tally_meet(t, &memo.key, p->at_us);
	}
	if (tally_seq_due(t, q)) {
		tally_seq_settle(t, q);
	}
	tally_seq_play(t, q, slot, p->seq);
}

/* Not shown: the run that it was part of was broken. Without a reward it was shown all the same. */
static void tally_lost(void *state, const struct pull *p)
{
	struct tallying *t = state;
	struct tally_run *run = &t->shared.run;
	void *record = NULL;
	struct memo memo;

	if (!p->voided || !read_memo(t, p->memo, p->nmemo, &memo)) {
		return;
	}
	if (t->subjects) {
		record = subjects_find(t->subjects, &memo.key);
		if (!record) {
			return;
		}
		run = t->params->mode == TALLY_ISOLATED ? &((struct tally_seq *)record)->run
							: &((struct tally_member *)record)->run;
	}
	if (run->arm == p->picks[0].slot && p->seq >= run->from) {
		run->n = 0;
	}
}

static void tally_update(void *state, const struct outcome *o)
{
	struct tallying *t = state;
	double x = (o->reward - t->lo) / t->width;
	struct memo memo;
	void *record;

	if (!read_memo(t, o->memo, o->nmemo, &memo) || !(memo.flags & MEMO_USED) ||
	    memo.flags >> 1 != (t->raised & MEMO_RAISED)) {
		return;
	}
	x = x > 0 ? x < 1 ? x : 1 : 0;
	if (t->params->mode != TALLY_ISOLATED && t->params->unit == TALLY_PLAY) {
		tally_seq_learn(&t->shared, o->slot, x);
		return;
	}
	record = subjects_find(t->subjects, &memo.key);
	if (!record) {
		return; /* forgotten */
	}
	if (t->params->mode == TALLY_ISOLATED) {
		tally_seq_learn(record, o->slot, x);
	} else {
		tally_member_learn(t, record, o->slot, x);
	}
}

static void tally_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct tallying *t = state;
	const struct tally_seq *q = &t->shared;
	const struct tally_arm *a = &q->arm[slot];
	size_t n = 0;

	ret->n = 0;
	if (t->params->mode == TALLY_ISOLATED || slot >= q->known) {
		return;
	}
	ret->item[n].name = "survives";
	ret->item[n++].value = a->active;
	ret->item[n].name = "used";
	ret->item[n++].value = (double)a->iss;
	ret->item[n].name = "observed";
	ret->item[n++].value = (double)a->cnt;
	if (a->cnt > 0) {
		ret->item[n].name = "mean";
		ret->item[n++].value = t->lo + t->width * (a->sum / (double)a->cnt);
		ret->item[n].name = "bonus";
		ret->item[n++].value =
		    t->width * tally_width((double)a->cnt, tally_seq_level(t, q));
	}
	if (t->subjects) {
		ret->item[n].name = "subjects";
		ret->item[n++].value = t->load[slot];
	}
	ret->n = n;
}

const struct policy_ops tallying_ops = {
    .name = "tallying",
    .summary = "eliminates arms in unbroken blocks, where repeated exposure changes them",
    .version = 1,
    .flags = POLICY_DETERMINISTIC | POLICY_MEMORY,
    .params = tally_params,
    .params_size = sizeof(struct tallying_params),
    .check = tally_check,
    .warn = tally_warn,
    .traits = tally_traits,
    .bound = tally_bound,
    .create = tally_create,
    .destroy = tally_destroy,
    .slots = tally_slots,
    .reserve = tally_reserve,
    .reserve_change = tally_reserve_change,
    .change = tally_change,
    .reserve_subject = tally_reserve_subject,
    .arm_add = tally_arm_add,
    .arm_set = tally_arm_set,
    .choose = tally_choose,
    .pulled = tally_pulled,
    .lost = tally_lost,
    .update = tally_update,
    .serialise = tally_serialise,
    .deserialise = tally_deserialise,
    .describe = tally_describe,
};
