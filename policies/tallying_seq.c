/* SPDX-License-Identifier: Apache-2.0 */
/* One sequence of plays: epochs, blocks, tests. */
#include <math.h>

#include "base/num.h"
#include "policies/tallying.h"

double tally_level(double ever, double epoch, double delta)
{
	return num_log(2 * ever * (epoch + 1) * (epoch + 2) / delta);
}

double tally_width(double n, double level)
{
	return sqrt(level / (2 * n));
}

static bool is_anytime(const struct tallying *t)
{
	return t->params->mode != TALLY_POOLED && isnan(t->params->delta) &&
	       t->params->horizon == 0;
}

static double stage_end(const struct tallying *t, const struct tally_seq *q)
{
	return num_ldexp((double)t->params->t0, q->stage);
}

static double delta_of(const struct tallying *t, const struct tally_seq *q)
{
	if (!isnan(t->params->delta)) {
		return t->params->delta;
	}
	if (t->params->horizon > 0) {
		return 1 / (double)t->params->horizon;
	}
	return t->params->mode == TALLY_POOLED ? 1e-4 : 1 / stage_end(t, q);
}

double tally_seq_level(const struct tallying *t, const struct tally_seq *q)
{
	return tally_level(q->known, q->epoch > 0 ? (double)q->epoch : 0, delta_of(t, q));
}

void tally_seq_init(const struct tallying *t, struct tally_seq *q)
{
	*q = (struct tally_seq){
	    .arm = q->arm,
	    .cap = q->cap,
	    .head = TALLY_NONE,
	    .epoch = t->params->mode == TALLY_POOLED ? 0 : -1,
	    .target = t->n0,
	    .run = {.arm = TALLY_NONE},
	};
}

void tally_seq_refresh(struct tally_seq *q)
{
	uint32_t active = TALLY_NONE, queued = TALLY_NONE;
	bool keeps = q->head != TALLY_NONE && q->arm[q->head].left > 0;

	q->nactive = 0;
	for (uint32_t i = q->known; i-- > 0;) {
		active = q->arm[i].active ? i : active;
		queued = q->arm[i].left > 0 ? i : queued;
		q->nactive += q->arm[i].active;
	}
	if (q->nactive > 1) {
		q->head = keeps ? q->head : queued;
		return;
	}
	for (uint32_t i = 0; i < q->known; i++) {
		q->arm[i].left = 0; /* one arm has no blocks */
	}
	q->head = active;
}

void tally_seq_distrust(const struct tallying *t, struct tally_seq *q)
{
	for (uint32_t i = 0; i < q->known; i++) {
		q->arm[i] =
		    (struct tally_arm){.present = q->arm[i].present, .active = q->arm[i].present};
	}
	q->target = t->n0;
	tally_seq_refresh(q);
}

/* What is left of the pool is active: no other arm of it is better for sure. */
static void test(const struct tallying *t, struct tally_seq *q, bool all)
{
	double level = tally_seq_level(t, q), best = -INFINITY, low;

	for (uint32_t i = 0; i < q->known; i++) {
		const struct tally_arm *a = &q->arm[i];
		double n = (double)a->cnt;

		if ((all ? a->present : a->active) && a->cnt > 0) {
			low = a->sum / n - tally_width(n, level);
			best = low > best ? low : best;
		}
	}
	for (uint32_t i = 0; i < q->known; i++) {
		struct tally_arm *a = &q->arm[i];
		double n = (double)a->cnt;

		a->active = (all ? a->present : a->active) &&
			    (a->cnt == 0 || a->sum / n + tally_width(n, level) >= best);
		a->left = a->active ? a->left : 0;
	}
	tally_seq_refresh(q);
}

/* Hears of arms that came or went. */
static void hear(const struct tallying *t, struct tally_seq *q)
{
	bool lost = false;

	for (uint32_t i = 0; i < t->slots; i++) {
		struct tally_arm *a = &q->arm[i];
		bool present = t->state[i] == ARM_ACTIVE;

		if (i >= q->known) {
			*a = (struct tally_arm){.iss = 0};
		}
		if (present == a->present) {
			continue;
		}
		a->present = a->active = present;
		a->left = 0;
		lost = lost || !present;
		if (!present && q->run.arm == i) {
			q->run = (struct tally_run){.arm = TALLY_NONE};
		}
	}
	q->known = t->slots;
	q->changes = t->changes;
	tally_seq_refresh(q);
	if (lost) {
		test(t, q, true); /* it may have been the one that eliminated others */
	}
}

static uint64_t least_issued(const struct tally_seq *q)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < q->known; i++) {
		if (q->arm[i].active && q->arm[i].iss < least) {
			least = q->arm[i].iss;
		}
	}
	return least;
}

static void begin_epoch(const struct tallying *t, struct tally_seq *q)
{
	uint64_t least = least_issued(q), run = q->run.arm;

	q->epoch++;
	q->target = 2 * least > t->n0 ? 2 * least : t->n0;
	for (uint32_t i = 0; i < q->known; i++) {
		struct tally_arm *a = &q->arm[i];

		a->left = a->active && a->iss < q->target ? q->target - a->iss : 0;
	}
	/* The running arm goes on: no new discards. */
	q->head = run != TALLY_NONE && q->arm[run].left > 0 ? (uint32_t)run : TALLY_NONE;
	tally_seq_refresh(q);
}

static bool stage_is_over(const struct tallying *t, const struct tally_seq *q)
{
	return is_anytime(t) && q->stage < TALLY_STAGE_MAX && (double)q->t >= stage_end(t, q);
}

static bool target_is_met(const struct tally_seq *q)
{
	return q->nactive > 1 && least_issued(q) >= q->target;
}

bool tally_seq_due(const struct tallying *t, const struct tally_seq *q)
{
	if (q->changes != t->changes) {
		return true;
	}
	if (t->params->mode == TALLY_POOLED) {
		return target_is_met(q);
	}
	return (q->nactive > 1 && q->head == TALLY_NONE) || stage_is_over(t, q);
}

static void settle_pool(const struct tallying *t, struct tally_seq *q)
{
	if (target_is_met(q)) {
		test(t, q, false);
		q->epoch++;
		q->target = 2 * least_issued(q);
	}
}

void tally_seq_settle(const struct tallying *t, struct tally_seq *q)
{
	if (q->changes != t->changes) {
		hear(t, q);
	}
	if (t->params->mode == TALLY_POOLED) {
		settle_pool(t, q);
		return;
	}
	if (stage_is_over(t, q)) {
		q->stage++;
		for (uint32_t i = 0; i < q->known; i++) {
			q->arm[i].left = 0;
		}
		test(t, q, true);
		if (q->nactive > 1) {
			begin_epoch(t, q);
		}
	} else if (q->nactive > 1 && q->head == TALLY_NONE) {
		if (q->epoch >= 0) {
			test(t, q, false);
		}
		if (q->nactive > 1) {
			begin_epoch(t, q);
		}
	}
}

bool tally_seq_counts(const struct tallying *t, const struct tally_seq *q)
{
	return (q->head == q->run.arm ? q->run.n : 0) + 1 > t->memory;
}

bool tally_seq_play(const struct tallying *t, struct tally_seq *q, uint32_t slot, uint64_t seq)
{
	struct tally_arm *a = &q->arm[slot];
	bool used = tally_seq_counts(t, q);

	q->t++;
	if (slot != q->head) {
		q->run.n = 0; /* a substitute breaks the block: full exposure starts anew */
		return false;
	}
	if (q->run.arm != slot || q->run.n == 0) {
		q->run = (struct tally_run){.arm = slot, .from = seq};
	}
	q->run.n++;
	if (!used) {
		return false;
	}
	a->iss++;
	if (a->left > 0 && --a->left == 0) {
		tally_seq_refresh(q);
	}
	return true;
}

void tally_seq_learn(struct tally_seq *q, uint32_t slot, double x)
{
	/* Rewards of a subject's life before it was forgotten may outnumber what it has issued. */
	if (slot < q->known && q->arm[slot].cnt < q->arm[slot].iss) {
		q->arm[slot].cnt++;
		q->arm[slot].sum += x;
	}
}

static double mean_of(const struct tally_arm *a)
{
	return a->cnt ? a->sum / (double)a->cnt : 0;
}

uint32_t tally_substitute(const struct tally_seq *q, const struct ask *ask)
{
	uint32_t best = ask->slots[0];

	for (size_t i = 1; i < ask->n; i++) {
		const struct tally_arm *a = &q->arm[ask->slots[i]], *b = &q->arm[best];

		if (a->active != b->active ? a->active : mean_of(a) > mean_of(b)) {
			best = ask->slots[i];
		}
	}
	return best;
}
