/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "policies/tallying.h"

#define ARM_BYTES_MIN 4   /* flags, iss, cnt, left */
#define PAIR_BYTES_MIN 10 /* slot, n, sum */

static void put_run(const struct tally_run *run, struct buf *out)
{
	buf_put_var(out, (uint32_t)(run->arm + 1));
	buf_put_var(out, run->n);
	buf_put_var(out, run->from);
}

static void put_seq(const struct tally_seq *q, struct buf *out)
{
	buf_put_var(out, (uint64_t)(q->epoch + 1));
	buf_put_var(out, q->stage);
	buf_put_var(out, q->t);
	buf_put_var(out, q->target);
	buf_put_var(out, q->changes);
	put_run(&q->run, out);
	buf_put_var(out, (uint32_t)(q->head + 1));
	buf_put_var(out, q->known);
	for (uint32_t i = 0; i < q->known; i++) {
		const struct tally_arm *a = &q->arm[i];

		buf_put_u8(out, (uint8_t)(a->present + 2 * a->active));
		buf_put_var(out, a->iss);
		buf_put_var(out, a->cnt);
		buf_put_var(out, a->left);
		if (a->cnt > 0) {
			buf_put_f64(out, a->sum);
		}
	}
}

static void put_member(const struct tally_member *m, struct buf *out)
{
	put_run(&m->run, out);
	buf_put_var(out, m->npairs);
	for (uint32_t i = 0; i < m->npairs; i++) {
		buf_put_var(out, m->pair[i].slot);
		buf_put_var(out, m->pair[i].n);
		buf_put_f64(out, m->pair[i].sum);
	}
}

static void put_all(const struct tallying *t, struct buf *out)
{
	buf_put_var(out, t->slots);
	buf_put(out, t->state, t->slots);
	buf_put_var(out, t->changes);
	if (t->params->mode != TALLY_ISOLATED) {
		put_seq(&t->shared, out);
	}
	if (!t->subjects) {
		return;
	}
	buf_put_var(out, subjects_count(t->subjects));
	for (void *r = subjects_oldest(t->subjects); r; r = subjects_next(t->subjects, r)) {
		subjects_put(t->subjects, r, out);
		if (t->params->mode == TALLY_ISOLATED) {
			put_seq(r, out);
		} else {
			put_member(r, out);
		}
	}
}

void tally_serialise(const void *state, struct buf *out)
{
	const struct tallying *t = state;

	put_all(t, out);
	if (t->raised) {
		buf_put_var(out, t->raised);
	}
}

static bool is_sum(double sum, uint64_t n)
{
	return !signbit(sum) && sum <= (double)n;
}

static uint64_t get_count(struct rd *in, uint64_t most)
{
	uint64_t n = rd_var(in);

	if (n > most) {
		rd_fail(in);
		return 0;
	}
	return n;
}

static void get_run(struct rd *in, uint32_t slots, struct tally_run *ret)
{
	ret->arm = (uint32_t)get_count(in, slots) - 1;
	ret->n = get_count(in, TALLY_COUNT_MAX);
	ret->from = rd_var(in);
}

static void get_arm(
    const struct tallying *t, const struct tally_seq *q, uint32_t slot, bool newest, struct rd *in)
{
	struct tally_arm *a = &q->arm[slot];
	unsigned flags = rd_u8(in);

	*a = (struct tally_arm){.present = flags & 1, .active = flags & 2};
	a->iss = get_count(in, TALLY_COUNT_MAX);
	a->cnt = get_count(in, a->iss);
	a->left = get_count(in, a->active ? TALLY_COUNT_MAX : 0);
	a->sum = a->cnt > 0 ? rd_f64(in) : 0;
	if (flags == 2 || flags > 3 || !is_sum(a->sum, a->cnt) ||
	    (newest && a->present != (t->state[slot] == ARM_ACTIVE))) {
		rd_fail(in);
	}
}

/* The block's arm is one of those whose block is not over, if there is any. */
static void check_head(struct tally_seq *q, uint32_t head, struct rd *in)
{
	bool blocks = false;

	for (uint32_t i = 0; i < q->known; i++) {
		blocks = blocks || q->arm[i].left > 0;
	}
	q->head = head;
	tally_seq_refresh(q);
	if (q->head != head || (blocks && q->nactive < 2)) {
		rd_fail(in);
	}
}

/* q has room for all slots. */
static void get_seq(const struct tallying *t, struct tally_seq *q, struct rd *in)
{
	uint32_t head;
	bool newest;

	tally_seq_init(t, q);
	q->epoch = (int64_t)get_count(in, TALLY_COUNT_MAX) - 1;
	q->stage = (uint32_t)get_count(in, TALLY_STAGE_MAX);
	q->t = get_count(in, TALLY_COUNT_MAX);
	q->target = get_count(in, 2 * TALLY_COUNT_MAX);
	q->changes = get_count(in, t->changes);
	newest = q->changes == t->changes;
	get_run(in, t->slots, &q->run);
	head = (uint32_t)get_count(in, t->slots) - 1;
	q->known = (uint32_t)get_count(in, t->slots);
	for (uint32_t i = 0; i < q->known && !in->rc; i++) {
		get_arm(t, q, i, newest, in);
	}
	if (in->rc || (newest && q->known != t->slots) ||
	    (head != TALLY_NONE && head >= q->known) ||
	    (q->run.arm != TALLY_NONE && q->run.arm >= q->known)) {
		q->known = 0;
		rd_fail(in);
		return;
	}
	check_head(q, head, in);
}

static int get_member(struct tallying *t, struct tally_member *m, struct rd *in)
{
	size_t n;

	get_run(in, t->slots, &m->run);
	n = rd_count(in, PAIR_BYTES_MIN);
	if (in->rc || m->run.arm == TALLY_NONE || n > t->slots ||
	    (n > 0 && t->params->unit != TALLY_SUBJECT)) {
		m->run.arm = TALLY_NONE;
		return RC_CORRUPT;
	}
	t->load[m->run.arm]++;
	m->pair = n ? malloc(n * sizeof(*m->pair)) : NULL;
	if (n && !m->pair) {
		return RC_MEMORY;
	}
	for (m->cap = (uint32_t)n; m->npairs < n; m->npairs++) {
		struct tally_pair *p = &m->pair[m->npairs];

		p->slot = (uint32_t)get_count(in, t->slots - 1);
		p->n = get_count(in, TALLY_COUNT_MAX);
		p->sum = rd_f64(in);
		if (in->rc || !is_sum(p->sum, p->n)) {
			return RC_CORRUPT;
		}
	}
	return 0;
}

static int get_subject(struct tallying *t, struct rd *in)
{
	void *record = subjects_get(t->subjects, in);
	struct tally_seq *q = record;

	if (!record) {
		return RC_CORRUPT;
	}
	if (t->params->mode != TALLY_ISOLATED) {
		return get_member(t, record, in);
	}
	q->arm = malloc((t->slots ? t->slots : 1) * sizeof(*q->arm));
	if (!q->arm) {
		return RC_MEMORY;
	}
	q->cap = t->slots;
	get_seq(t, q, in);
	return in->rc;
}

static int get_subjects(struct tallying *t, struct rd *in)
{
	size_t n = rd_count(in, SUBJECT_SAVED_MIN);
	int rc = in->rc;

	if (rc || n > (size_t)t->params->subjects_max || (n > 0 && t->slots == 0)) {
		return RC_CORRUPT;
	}
	rc = subjects_reserve(t->subjects, n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = get_subject(t, in);
	}
	return rc;
}

static int get_all(struct tallying *t, struct rd *in)
{
	size_t slots = rd_count(in, 1);
	int rc = in->rc ? in->rc : tally_reserve(t, slots);

	for (; rc == 0 && t->slots < slots; t->slots++) {
		t->state[t->slots] = rd_u8(in);
		t->load[t->slots] = 0;
		rc = t->state[t->slots] > ARM_RETIRED ? RC_CORRUPT : in->rc;
	}
	t->changes = rd_var(in);
	if (rc == 0 && t->params->mode != TALLY_ISOLATED) {
		get_seq(t, &t->shared, in);
	}
	rc = rc ? rc : in->rc;
	return rc == 0 && t->subjects ? get_subjects(t, in) : rc;
}

int tally_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	void *state = NULL;
	int rc = tally_create(env, &state);

	if (rc) {
		return rc;
	}
	rc = get_all(state, in);
	if (rc == 0 && rd_left(in)) { /* none is written as none */
		((struct tallying *)state)->raised = rd_var(in);
		rc = in->rc || ((struct tallying *)state)->raised == 0 ? RC_CORRUPT : 0;
	}
	if (rc) {
		tally_destroy(state);
		return rc == RC_LIMIT ? RC_CORRUPT : rc;
	}
	*ret_state = state;
	return 0;
}
