/* SPDX-License-Identifier: Apache-2.0 */
/* The arms that are held with their numbers, and two bits for each other arm. */
#include <math.h>

#include "policies/streaming.h"

#define RATIOS 8 /* beside what is tested again: the ratios at crowning follow */

static void put_slot(struct buf *out, uint32_t slot)
{
	buf_put_var(out, slot == STREAM_NONE ? 0 : (uint64_t)slot + 1);
}

static uint32_t get_slot(const struct streaming *s, struct rd *in)
{
	uint64_t v = rd_var(in);

	if (v > s->slots || (v > 0 && !(s->arm[v - 1] & ARM_READ))) {
		rd_fail(in);
		return STREAM_NONE;
	}
	return v == 0 ? STREAM_NONE : (uint32_t)(v - 1);
}

static double get_mean(struct rd *in)
{
	double v = rd_f64(in);

	if (!(v >= 0 && v <= 1)) {
		rd_fail(in);
	}
	return v;
}

static uint64_t get_count(struct rd *in)
{
	uint64_t v = rd_var(in);

	if (v > INT64_MAX / 2) {
		rd_fail(in);
	}
	return v;
}

static void save_test(const struct stream_test *t, struct buf *out)
{
	put_slot(out, t->arm);
	if (t->arm == STREAM_NONE) {
		return;
	}
	buf_put_var(out, t->level);
	buf_put_var(out, t->stage);
	buf_put_u8(out, t->crowning);
	buf_put_f64(out, t->eps);
	buf_put_var(out, t->n0);
	buf_put_var(out, t->cnt);
	buf_put_var(out, t->issued);
	buf_put_var(out, t->lost);
	buf_put_f64(out, t->sum);
	buf_put_var(out, t->nplan);
	for (uint32_t i = 0; i < t->nplan; i++) {
		buf_put_var(out, t->plan[i]);
	}
}

static bool has_ratios(const struct streaming *s)
{
	return s->king_ratio > 0 || s->deputy_ratio > 0 || s->test.rated;
}

void stream_serialise(const void *state, struct buf *out)
{
	const struct streaming *s = state;

	buf_put_var(out, s->slots);
	buf_put(out, s->arm, s->slots);
	buf_put_var(out, s->decisions);
	buf_put_var(out, s->read);
	buf_put_var(out, s->serial);
	buf_put_var(out, s->crowned);
	buf_put_var(out, s->dropped);
	buf_put_var(out, s->expired);
	put_slot(out, s->king);
	buf_put_f64(out, s->bench);
	put_slot(out, s->deputy);
	buf_put_f64(out, s->deputy_bench);
	buf_put_f64(out, s->phi);
	buf_put_u8(out, (uint8_t)(s->closing | s->again << 1 | (has_ratios(s) ? RATIOS : 0)));
	if (s->again == STREAM_DEPUTY_AGAIN) {
		buf_put_f64(out, s->king_mean);
	}
	if (has_ratios(s)) {
		buf_put_f64(out, s->king_ratio);
		buf_put_f64(out, s->deputy_ratio);
		buf_put_u8(out, s->test.rated);
	}
	for (uint32_t l = 0; l < s->nlevels; l++) {
		put_slot(out, s->level[l].arm);
		buf_put_var(out, s->level[l].n);
		buf_put_var(out, s->level[l].count);
		buf_put_f64(out, s->level[l].bench);
	}
	save_test(&s->test, out);
}

static bool load_bool(struct rd *in)
{
	unsigned v = rd_u8(in);

	if (v > 1) {
		rd_fail(in);
	}
	return v == 1;
}

static double get_ratio(struct rd *in)
{
	double v = rd_f64(in);

	if (!(v == 0 || (v >= 1 && isfinite(v)))) {
		rd_fail(in);
	}
	return v;
}

static void load_ratios(struct streaming *s, struct rd *in)
{
	s->king_ratio = get_ratio(in);
	s->deputy_ratio = get_ratio(in);
	s->test.rated = load_bool(in);
	if (!has_ratios(s) || (s->king_ratio > 0 && s->king == STREAM_NONE) ||
	    (s->deputy_ratio > 0 && s->deputy == STREAM_NONE)) {
		rd_fail(in);
	}
}

static void load_again(struct streaming *s, struct rd *in)
{
	unsigned v = rd_u8(in);
	bool ratios = v & RATIOS;

	v &= ~(unsigned)RATIOS;
	if (v >> 1 > STREAM_DEPUTY_AGAIN) {
		rd_fail(in);
		return;
	}
	s->closing = v & 1;
	s->again = (enum stream_again)(v >> 1);
	if (s->again == STREAM_DEPUTY_AGAIN) {
		s->king_mean = get_mean(in);
	}
	if (ratios) {
		load_ratios(s, in);
	}
}

/* Who is tested again is the one whose turn it is. */
static void check_again(const struct streaming *s, struct rd *in)
{
	uint32_t arm = s->again == STREAM_DEPUTY_AGAIN ? s->deputy : s->king;

	if (s->test.rated && s->test.arm == STREAM_NONE) {
		rd_fail(in);
	}
	if (s->again == STREAM_SETTLED) {
		return;
	}
	if (s->king == STREAM_NONE || s->test.arm == STREAM_NONE ||
	    (s->again >= STREAM_KING_AGAIN && (s->test.arm != arm || s->test.nplan != 1))) {
		rd_fail(in);
	}
}

static void load_plan(struct stream_test *t, struct rd *in)
{
	uint64_t n = rd_var(in);

	if (n < 1 || n > STREAM_PLAN_MAX) {
		rd_fail(in);
		return;
	}
	t->nplan = (uint32_t)n;
	for (uint32_t i = 0; i < t->nplan; i++) {
		t->plan[i] = get_count(in);
		if (t->plan[i] < 1 || (i > 0 && t->plan[i] <= t->plan[i - 1])) {
			rd_fail(in);
		}
	}
}

static void load_test(struct streaming *s, struct rd *in)
{
	struct stream_test *t = &s->test;
	uint64_t level, stage;

	t->arm = get_slot(s, in);
	if (in->rc || t->arm == STREAM_NONE) {
		return;
	}
	level = rd_var(in);
	stage = rd_var(in);
	t->crowning = load_bool(in);
	t->eps = get_mean(in);
	t->n0 = get_count(in);
	t->cnt = get_count(in);
	t->issued = get_count(in);
	t->lost = get_count(in);
	t->sum = rd_f64(in);
	load_plan(t, in);
	if (in->rc || level >= (s->nlevels ? s->nlevels : 1) || stage > STREAM_PLAN_MAX ||
	    !(t->eps > 0) || !(t->sum >= 0 && t->sum <= (double)t->cnt)) {
		rd_fail(in);
		return;
	}
	t->level = (uint32_t)level;
	t->stage = (uint32_t)stage;
	if ((s->params->mode != STREAM_BUDGET && stage >= t->nplan) ||
	    t->cnt >= t->plan[stage < t->nplan ? stage : t->nplan - 1]) {
		rd_fail(in);
	}
}

static void load_levels(struct streaming *s, struct rd *in)
{
	for (uint32_t l = 0; l < s->nlevels; l++) {
		struct stream_level *k = &s->level[l];

		k->arm = get_slot(s, in);
		k->n = get_count(in);
		k->count = get_count(in);
		k->bench = get_mean(in);
		if (k->arm != STREAM_NONE && (k->n < 1 || k->count >= stream_level_cap(s, l))) {
			rd_fail(in);
		}
	}
}

static void load_kings(struct streaming *s, struct rd *in)
{
	s->decisions = get_count(in);
	s->read = get_count(in);
	s->serial = get_count(in);
	s->crowned = get_count(in);
	s->dropped = get_count(in);
	s->expired = get_count(in);
	s->king = get_slot(s, in);
	s->bench = get_mean(in);
	s->deputy = get_slot(s, in);
	s->deputy_bench = get_mean(in);
	s->phi = rd_f64(in);
	load_again(s, in);
	if (!isfinite(s->phi) || s->phi < 0) {
		rd_fail(in);
	}
}

static int load_arms(struct streaming *s, struct rd *in)
{
	size_t n = rd_count(in, 1);
	const uint8_t *p;
	int rc = in->rc || n >= UINT32_MAX ? RC_CORRUPT : stream_reserve(s, n);

	if (rc) {
		return rc == RC_LIMIT ? RC_CORRUPT : rc;
	}
	p = rd_bytes(in, n);
	for (size_t i = 0; p && i < n; i++) {
		s->arm[i] = p[i];
		if (p[i] & ~(ARM_READ | 3u) || (p[i] & 3u) > ARM_RETIRED) {
			rd_fail(in);
		}
	}
	s->slots = (uint32_t)n;
	return in->rc;
}

int stream_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	void *state = NULL;
	int rc = stream_create(env, &state);

	if (rc) {
		return rc;
	}
	rc = load_arms(state, in);
	if (rc == 0) {
		load_kings(state, in);
		load_levels(state, in);
		load_test(state, in);
		check_again(state, in);
		rc = in->rc;
	}
	if (rc) {
		stream_destroy(state);
		return rc;
	}
	*ret_state = state;
	return 0;
}
