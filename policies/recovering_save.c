/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "policies/recovering_impl.h"

#define COUNT_MAX (UINT64_C(1) << 53)
#define PERIOD_MAX (1u << 30)

static void put_time(const struct rec_time *t, struct buf *out)
{
	buf_put_var(out, t->t);
	buf_put_var(out, t->base);
	buf_put_var(out, t->seq);
}

/* Periods since something happened, never by 0. */
static void put_last(uint64_t last, struct buf *out)
{
	buf_put_var(out, last == REC_NEVER ? 0 : last + 1);
}

static void put_arm(const struct recovering *r, uint32_t i, struct buf *out)
{
	const struct rec_arm *arm = &r->arm[i];
	const struct rec_cell *c = &r->cell[(size_t)i * r->d_max];

	buf_put_u8(out, (uint8_t)arm->state);
	buf_put_var(out, arm->period);
	buf_put_var(out, arm->offset);
	put_last(arm->last, out);
	for (uint32_t d = 0; d < r->d_max; d++) {
		buf_put_var(out, c[d].n);
		if (c[d].n) {
			buf_put_var(out, c[d].snap);
			buf_put_f64(out, c[d].sum);
		}
	}
}

static void put_subject(const struct rec_subject *s, struct buf *out)
{
	buf_put_u64(out, s->key);
	put_time(&s->time, out);
	buf_put_var(out, s->plan);
	buf_put_var(out, s->n);
	for (size_t i = 0; i < s->n; i++) {
		buf_put_var(out, s->recent[i].slot);
		buf_put_var(out, s->recent[i].last);
	}
}

void recovering_serialise(const void *state, struct buf *out)
{
	const struct recovering *r = state;

	buf_put_var(out, r->slots);
	put_time(&r->time, out);
	buf_put_var(out, r->served);
	buf_put_u8(out, (uint8_t)((r->planned ? 1 : 0) | (r->dirty ? 2 : 0) | (r->grown ? 4 : 0) |
				  (r->shrunk ? 8 : 0) | (r->wide ? 16 : 0)));
	buf_put_var(out, r->plan);
	buf_put_var(out, r->phases);
	buf_put_var(out, r->plan_at);
	buf_put_var(out, r->plan_subjects);
	buf_put_f64(out, r->value);
	buf_put_f64(out, r->upper);
	for (uint32_t i = 0; i < r->slots; i++) {
		put_arm(r, i, out);
	}
	buf_put_var(out, r->ntaints);
	for (size_t i = 0; i < r->ntaints; i++) {
		buf_put_u64(out, r->taint[i].subject);
		buf_put_var(out, r->taint[i].slot);
		buf_put_var(out, r->taint[i].base);
		put_last(r->taint[i].prev, out);
	}
	buf_put_var(out, r->nsubjects);
	for (size_t i = 0; i < r->nsubjects; i++) {
		put_subject(r->subject[i], out);
	}
}

static void get_time(struct rd *in, struct rec_time *ret)
{
	ret->t = rd_var(in);
	ret->base = rd_var(in);
	ret->seq = rd_var(in);
}

static uint64_t get_last(struct rd *in)
{
	uint64_t v = rd_var(in);

	return v ? v - 1 : REC_NEVER;
}

static uint32_t get_u32(struct rd *in, uint64_t end)
{
	uint64_t v = rd_var(in);

	if (v >= end) {
		rd_fail(in);
		return 0;
	}
	return (uint32_t)v;
}

static void get_arm(struct rd *in, struct recovering *r, uint32_t i)
{
	struct rec_arm *arm = &r->arm[i];
	struct rec_cell *c = &r->cell[(size_t)i * r->d_max];
	unsigned state = rd_u8(in);

	arm->state = (enum arm_state)state;
	arm->period = get_u32(in, (uint64_t)PERIOD_MAX + 1);
	arm->offset = get_u32(in, arm->period ? arm->period : 1);
	arm->last = get_last(in);
	if (state > ARM_RETIRED || (arm->period && state != ARM_ACTIVE)) {
		rd_fail(in);
	}
	r->nactive += state == ARM_ACTIVE;
	for (uint32_t d = 0; d < r->d_max; d++) {
		c[d] = (struct rec_cell){.n = rd_var(in)};
		if (c[d].n) {
			c[d].snap = rd_var(in);
			c[d].sum = rd_f64(in);
		}
		if (c[d].n > COUNT_MAX || c[d].snap > c[d].n || signbit(c[d].sum) ||
		    !(c[d].sum <= (double)c[d].n)) {
			rd_fail(in);
		}
	}
}

static void get_taints(struct rd *in, struct recovering *r)
{
	size_t n = rd_count(in, 11);

	if (n > REC_TAINTS_MAX) {
		rd_fail(in);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		r->taint[i].subject = rd_u64(in);
		r->taint[i].slot = get_u32(in, r->slots);
		r->taint[i].base = rd_var(in);
		r->taint[i].prev = get_last(in);
	}
	r->ntaints = n;
}

static int get_subject(struct rd *in, struct recovering *r, uint64_t *least)
{
	uint64_t key = rd_u64(in), plan;
	struct rec_time time;
	struct rec_subject *s;
	size_t n;

	get_time(in, &time);
	plan = rd_var(in);
	n = rd_count(in, 2);
	if (in->rc || key < *least || (r->nsubjects && key == r->subject[r->nsubjects - 1]->key)) {
		return RC_CORRUPT;
	}
	*least = key;
	if (rec_subject_reserve(r, key)) {
		return RC_MEMORY;
	}
	s = rec_subject_add(r, key);
	s->time = time;
	s->plan = plan;
	s->cap = 0;
	free(s->recent);
	s->recent = n ? calloc(n, sizeof(*s->recent)) : NULL;
	if (n && !s->recent) {
		return RC_MEMORY;
	}
	s->cap = n;
	for (size_t i = 0; i < n; i++) {
		s->recent[i].slot = get_u32(in, r->slots);
		s->recent[i].last = rd_var(in);
		if (i && s->recent[i].slot <= s->recent[i - 1].slot) {
			rd_fail(in);
		}
	}
	s->n = n;
	r->npulls += n;
	return in->rc;
}

static int get_subjects(struct rd *in, struct recovering *r)
{
	size_t n = rd_count(in, 13);
	uint64_t least = 0;
	int rc = 0;

	if (n > REC_SUBJECTS_MAX || (n && r->params->scope != REC_SUBJECT)) {
		rd_fail(in);
	}
	for (size_t i = 0; rc == 0 && in->rc == 0 && i < n; i++) {
		rc = get_subject(in, r, &least);
	}
	return rc ? rc : in->rc;
}

int recovering_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	size_t slots = rd_count(in, 4);
	unsigned bits;
	struct recovering *r;
	void *state;
	int rc = in->rc ? in->rc : recovering_create(env, &state);

	if (rc) {
		return rc;
	}
	r = state;
	get_time(in, &r->time);
	r->served = rd_var(in);
	bits = rd_u8(in);
	r->planned = bits & 1;
	r->dirty = bits & 2;
	r->grown = bits & 4;
	r->shrunk = bits & 8;
	r->wide = bits & 16;
	r->plan = rd_var(in);
	r->phases = rd_var(in);
	r->plan_at = rd_var(in);
	r->plan_subjects = rd_var(in);
	r->value = rd_f64(in);
	r->upper = rd_f64(in);
	if (in->rc || bits > 31 || slots > rd_left(in) / (r->d_max + 4)) {
		rc = RC_CORRUPT;
	}
	rc = rc ? rc : recovering_reserve(r, slots);
	for (; rc == 0 && in->rc == 0 && r->slots < slots; r->slots++) {
		get_arm(in, r, r->slots);
	}
	if (rc == 0 && in->rc == 0) {
		get_taints(in, r);
		rc = get_subjects(in, r);
	}
	rc = rc ? rc : in->rc;
	if (rc) {
		recovering_destroy(r);
		return rc;
	}
	*ret_state = r;
	return 0;
}
