/* SPDX-License-Identifier: Apache-2.0 */
/* Subjects: a sequence of plays each (isolated), or a place on one of the shared arms (pooled). */
#include <assert.h>
#include <stdlib.h>

#include "policies/tallying.h"

#define SWEEP_MOST 1000 /* subjects forgotten in one decision, so that it stays short */

bool tally_gone(const struct tallying *t, const void *record, uint64_t at_us)
{
	return t->ttl_us > 0 && at_us - subjects_seen_us(t->subjects, record) > t->ttl_us;
}

static uint32_t least_loaded(const struct tallying *t, const struct tally_seq *q)
{
	uint32_t low = TALLY_NONE;

	for (uint32_t i = 0; i < q->known; i++) {
		if (q->arm[i].active && (low == TALLY_NONE || t->load[i] < t->load[low])) {
			low = i;
		}
	}
	return low;
}

uint32_t tally_place(
    const struct tallying *t, const struct tally_seq *q, const struct tally_member *member)
{
	uint32_t low = least_loaded(t, q), own;

	if (!member || !q->arm[member->run.arm].active) {
		return low;
	}
	own = member->run.arm;
	return t->load[own] >= t->load[low] + 2 && q->arm[low].iss < q->target ? low : own;
}

static int grow_arms(struct tally_arm **arm, uint32_t *cap, uint32_t slots)
{
	struct tally_arm *grown;

	if (*cap >= slots) {
		return 0;
	}
	grown = realloc(*arm, slots * sizeof(*grown));
	if (!grown) {
		return RC_MEMORY;
	}
	*arm = grown;
	*cap = slots;
	return 0;
}

static int grow_pairs(const struct tallying *t, struct tally_member *m)
{
	struct tally_pair *grown;

	if (m->npairs < m->cap || m->cap >= t->slots) {
		return 0;
	}
	grown = realloc(m->pair, (m->cap + 1) * sizeof(*grown));
	if (!grown) {
		return RC_MEMORY;
	}
	m->pair = grown;
	m->cap++;
	return 0;
}

static int reserve_spare(struct tallying *t)
{
	if (t->params->mode == TALLY_ISOLATED) {
		return grow_arms(&t->spare, &t->spare_cap, t->slots);
	}
	if (t->params->unit == TALLY_SUBJECT && !t->spare_pair) {
		t->spare_pair = malloc(sizeof(*t->spare_pair));
		return t->spare_pair ? 0 : RC_MEMORY;
	}
	return 0;
}

size_t tally_subjects_most(const struct tallying *t)
{
	size_t most = (size_t)t->params->subjects_max, fit;

	if (t->params->mode != TALLY_ISOLATED || t->slots == 0) {
		return most;
	}
	fit = TALLY_BYTES_MAX / (t->slots * sizeof(struct tally_arm));
	return fit < most ? fit : most;
}

int tally_reserve_subject(void *state, const char *subject)
{
	struct tallying *t = state;
	struct subject_key key;
	void *record;
	int rc;

	if (!t->subjects || !subject) {
		return 0;
	}
	key = subject_key(subject);
	record = subjects_find(t->subjects, &key);
	rc = reserve_spare(t);
	/* At the limit a new one takes the place of one that is gone. */
	if (!record && subjects_count(t->subjects) < tally_subjects_most(t)) {
		rc = rc ? rc : subjects_reserve(t->subjects, subjects_count(t->subjects) + 1);
	}
	if (record && t->params->mode == TALLY_ISOLATED) {
		struct tally_seq *q = record;

		rc = rc ? rc : grow_arms(&q->arm, &q->cap, t->slots);
	} else if (record && t->params->unit == TALLY_SUBJECT) {
		rc = rc ? rc : grow_pairs(t, record);
	}
	return rc;
}

void tally_forget(struct tallying *t, void *record)
{
	if (t->params->mode == TALLY_ISOLATED) {
		free(((struct tally_seq *)record)->arm);
	} else {
		struct tally_member *m = record;

		t->load[m->run.arm]--;
		free(m->pair);
	}
	subjects_drop(t->subjects, record);
}

/* Those that are gone, and the oldest in any case when the subject would not fit. */
static void sweep(struct tallying *t, const struct subject_key *key, uint64_t at_us)
{
	void *oldest;

	for (int i = 0; i < SWEEP_MOST && (oldest = subjects_oldest(t->subjects)) &&
			tally_gone(t, oldest, at_us);
	     i++) {
		tally_forget(t, oldest);
	}
	if (!subjects_find(t->subjects, key) &&
	    subjects_count(t->subjects) >= tally_subjects_most(t)) {
		tally_forget(t, subjects_oldest(t->subjects));
	}
}

void *tally_meet(struct tallying *t, const struct subject_key *key, uint64_t at_us)
{
	void *record = subjects_find(t->subjects, key);
	bool known;

	if (record && tally_gone(t, record, at_us)) {
		tally_forget(t, record);
	}
	sweep(t, key, at_us);
	known = subjects_find(t->subjects, key) != NULL;
	record = subjects_touch(t->subjects, key, at_us);
	if (known) {
		return record;
	}
	if (t->params->mode == TALLY_ISOLATED) {
		struct tally_seq *q = record;

		q->arm = t->spare;
		q->cap = t->spare_cap;
		tally_seq_init(t, q);
		t->spare = NULL;
		t->spare_cap = 0;
	} else {
		struct tally_member *m = record;

		m->run.arm = TALLY_NONE;
		m->pair = t->spare_pair;
		m->cap = m->pair != NULL;
		t->spare_pair = NULL;
	}
	return record;
}

static struct tally_pair *find_pair(const struct tally_member *m, uint32_t slot)
{
	for (uint32_t i = 0; i < m->npairs; i++) {
		if (m->pair[i].slot == slot) {
			return &m->pair[i];
		}
	}
	return NULL;
}

bool tally_member_play(
    struct tallying *t, struct tally_member *m, uint32_t placed, uint32_t slot, uint64_t seq)
{
	if (m->run.arm != placed) {
		if (m->run.arm != TALLY_NONE) {
			t->load[m->run.arm]--;
		}
		t->load[placed]++;
		m->run = (struct tally_run){.arm = placed};
	}
	t->shared.t++;
	if (slot != placed) {
		m->run.n = 0;
		return false;
	}
	if (m->run.n++ == 0) {
		m->run.from = seq;
	}
	if (m->run.n <= t->memory) {
		return false;
	}
	t->shared.arm[slot].iss++;
	if (t->params->unit == TALLY_SUBJECT && !find_pair(m, slot)) {
		assert(m->npairs < m->cap);
		m->pair[m->npairs++] = (struct tally_pair){.slot = slot};
	}
	return true;
}

void tally_member_learn(struct tallying *t, struct tally_member *m, uint32_t slot, double x)
{
	struct tally_pair *pair = find_pair(m, slot);
	struct tally_arm *a = &t->shared.arm[slot];
	double old;

	if (!pair) {
		return;
	}
	old = pair->n ? pair->sum / (double)pair->n : 0;
	a->cnt += pair->n == 0;
	pair->n++;
	pair->sum += x;
	a->sum += pair->sum / (double)pair->n - old;
	/* Rounding must not carry a sum of means out of its range. */
	a->sum = a->sum > 0 ? a->sum : 0;
	a->sum = a->sum < (double)a->cnt ? a->sum : (double)a->cnt;
}
