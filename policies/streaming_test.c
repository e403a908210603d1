/* SPDX-License-Identifier: Apache-2.0 */
/* The tests: an arm is read, pulled as often as its plan says, and crowned or dropped. The king's
 * benchmark is what it showed when it was crowned and never falls: were it refined, each lucky
 * challenger that is slightly worse would win, and the loss would add up. */
#include <math.h>

#include "base/num.h"
#include "policies/streaming.h"

static void start(struct streaming *s, uint32_t arm, uint32_t level)
{
	s->test = (struct stream_test){.arm = arm, .level = level};
	s->serial++;
	stream_plan(s, &s->test);
	if (s->params->mode == STREAM_BUDGET && !s->test.crowning) {
		s->phi += s->params->growth * (double)s->test.n0; /* 1 + growth, less the pulls */
	}
}

static void clear(struct stream_level *l)
{
	*l = (struct stream_level){.arm = STREAM_NONE};
}

/* No more arms come: the king of the lowest level enters the next one that has a king. */
static void play_off(struct streaming *s)
{
	uint32_t from = STREAM_NONE;

	for (uint32_t l = 0; s->closing && l < s->nlevels; l++) {
		if (s->level[l].arm == STREAM_NONE) {
			continue;
		}
		if (from != STREAM_NONE) {
			uint32_t arm = s->level[from].arm;

			clear(&s->level[from]);
			start(s, arm, l);
			return;
		}
		from = l;
	}
}

/* As long as a test is now, and in full: no checkpoint is there to drop the king at. */
static void test_again(struct streaming *s, uint32_t arm, enum stream_again stage)
{
	struct stream_test *t = &s->test;

	s->again = stage;
	*t = (struct stream_test){.arm = arm};
	s->serial++;
	stream_plan(s, t);
	if (s->params->mode == STREAM_BUDGET) {
		t->crowning = true;
		t->plan[0] = (uint64_t)ceil(s->params->crown * (double)t->n0);
	}
	t->plan[0] = t->plan[t->nplan - 1];
	t->nplan = 1;
}

void stream_next(struct streaming *s)
{
	if (s->test.arm != STREAM_NONE) {
		return;
	}
	if (s->again == STREAM_ASKED && s->king != STREAM_NONE) {
		test_again(s, s->king, STREAM_KING_AGAIN);
		return;
	}
	s->again = STREAM_SETTLED;
	while (s->cursor < s->slots && s->arm[s->cursor] != ARM_ACTIVE) {
		s->cursor++;
	}
	if (s->cursor < s->slots) {
		stream_read(s, s->cursor++);
	} else if (s->waiting == 0) {
		play_off(s);
	}
}

void stream_read(struct streaming *s, uint32_t slot)
{
	s->arm[slot] |= ARM_READ;
	s->read++;
	start(s, slot, 0);
}

static void end(struct streaming *s)
{
	s->test = (struct stream_test){.arm = STREAM_NONE};
	s->serial++;
	stream_next(s);
}

static void crown(struct streaming *s, double mean)
{
	const struct stream_test *t = &s->test;

	if (s->params->mode == STREAM_BUDGET) {
		s->phi = s->params->crown * (double)t->n0;
		mean = s->king != STREAM_NONE && s->bench > mean ? s->bench : mean;
	}
	s->deputy = s->king;
	s->deputy_bench = s->bench;
	s->deputy_ratio = s->king_ratio;
	s->king = t->arm;
	s->bench = mean;
	s->king_ratio = t->rated ? stream_ratio(s) : 0;
	s->crowned++;
	end(s);
}

void stream_abort(struct streaming *s)
{
	if (s->again >= STREAM_KING_AGAIN) { /* all stays as it was */
		s->again = STREAM_SETTLED;
	} else {
		s->dropped++;
	}
	end(s);
}

bool stream_recheck(struct streaming *s)
{
	if (s->king == STREAM_NONE) {
		return false;
	}
	if (s->again == STREAM_SETTLED) {
		s->again = STREAM_ASKED;
		stream_next(s);
	}
	return true;
}

/* The better one is king with what it showed now: here alone a benchmark may fall. */
static void settle(struct streaming *s, double king, double deputy)
{
	uint32_t arm = s->king;
	bool falls = deputy > king;

	if (falls) {
		s->king = s->deputy;
		s->deputy = arm;
		s->crowned++;
	}
	s->bench = falls ? deputy : king;
	s->deputy_bench = falls ? king : deputy;
	if (s->king_ratio > 0 || s->deputy_ratio > 0) {
		s->king_ratio = stream_ratio(s);
		s->deputy_ratio = s->deputy == STREAM_NONE ? 0 : s->king_ratio;
	}
	if (s->params->mode == STREAM_BUDGET) {
		s->phi = s->params->crown * (double)s->test.n0;
	}
	s->again = STREAM_SETTLED;
	end(s);
}

static void check_again(struct streaming *s, double mean)
{
	if (s->again == STREAM_DEPUTY_AGAIN) {
		settle(s, s->king_mean, mean);
	} else if (s->deputy == STREAM_NONE) {
		settle(s, mean, 0);
	} else {
		s->king_mean = mean;
		test_again(s, s->deputy, STREAM_DEPUTY_AGAIN);
	}
}

static void enter_level(struct streaming *s, double mean)
{
	uint32_t l = s->test.level, arm;
	struct stream_level *k = &s->level[l];

	if (k->arm == STREAM_NONE || mean > k->bench) {
		k->arm = s->test.arm;
		k->bench = mean;
		k->n = s->test.plan[0];
		s->crowned++;
	} else {
		s->dropped++;
	}
	if (++k->count < stream_level_cap(s, l)) {
		end(s);
		return;
	}
	arm = k->arm;
	clear(k);
	start(s, arm, l + 1);
}

/* A king that has beaten many has saved budget: it falls only to longer evidence. */
static void check_budget(struct streaming *s, double mean)
{
	struct stream_test *t = &s->test;
	double next;

	if (t->crowning) {
		crown(s, mean);
		return;
	}
	if (mean <= s->bench - s->params->margin * t->eps) {
		stream_abort(s);
		return;
	}
	t->cnt = 0;
	t->sum = 0;
	t->stage++;
	next = 2 * (double)t->plan[0];
	if (s->phi < next) {
		t->crowning = true;
		t->plan[0] = (uint64_t)ceil(s->params->crown * (double)t->n0);
		return;
	}
	t->plan[0] *= 2;
	s->phi -= next;
}

void stream_checkpoint(struct streaming *s)
{
	struct stream_test *t = &s->test;
	double mean = t->sum / (double)t->cnt;
	bool last = t->stage + 1 >= t->nplan;

	if (s->again >= STREAM_KING_AGAIN) {
		check_again(s, mean);
	} else if (s->params->mode == STREAM_LEVELS) {
		enter_level(s, mean);
	} else if (s->params->mode == STREAM_BUDGET) {
		check_budget(s, mean);
	} else if (last && (s->king == STREAM_NONE || mean > s->bench)) {
		crown(s, mean);
	} else if (last || (s->king != STREAM_NONE && mean < s->bench - stream_radius(s, t))) {
		stream_abort(s);
	} else {
		t->stage++;
	}
}

void stream_remove(struct streaming *s, uint32_t slot)
{
	bool again = s->again >= STREAM_KING_AGAIN && (s->king == slot || s->deputy == slot);

	for (uint32_t l = 0; l < s->nlevels; l++) {
		if (s->level[l].arm == slot) {
			clear(&s->level[l]);
		}
	}
	if (s->king == slot) {
		s->king = s->deputy;
		s->bench = s->deputy_bench;
		s->king_ratio = s->deputy_ratio;
		s->deputy = STREAM_NONE;
		s->deputy_bench = 0;
		s->deputy_ratio = 0;
		s->phi = 0;
	} else if (s->deputy == slot) {
		s->deputy = STREAM_NONE;
		s->deputy_bench = 0;
		s->deputy_ratio = 0;
	}
	if (s->test.arm == slot || again) {
		stream_abort(s);
	}
}

void stream_close(struct streaming *s)
{
	s->closing = s->params->mode == STREAM_LEVELS;
	stream_next(s);
}

uint32_t stream_champion(const struct streaming *s)
{
	uint32_t best = STREAM_NONE;
	double most = 0;

	if (s->params->mode != STREAM_LEVELS) {
		return s->king;
	}
	for (uint32_t l = 0; l < s->nlevels; l++) {
		const struct stream_level *k = &s->level[l];
		double sure;

		if (k->arm == STREAM_NONE) {
			continue;
		}
		sure = k->bench - sqrt(num_log(4.0 * s->nlevels) / (2 * (double)k->n));
		if (best == STREAM_NONE || sure > most) {
			best = k->arm;
			most = sure;
		}
	}
	return best;
}
