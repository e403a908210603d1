/* SPDX-License-Identifier: Apache-2.0 */
/* A slate while it is read: how many actions each slot has, and what was taken. An action is called
 * by its place among those of its slot. One thread. */
#ifndef EVAL_LOG_SLOTS_H
#define EVAL_LOG_SLOTS_H

#include "eval/log_impl.h"
#include "eval/log_places.h"

#define SLOTS_MAX 1024

struct slots {
	size_t actions[SLOTS_MAX];
	size_t taken[SLOTS_MAX]; /* the place, from 0 */
	double propensity[SLOTS_MAX];
	struct round_slot slot[SLOTS_MAX];
	size_t nslots, nactions; /* nactions: slots that have some, up to the last */
};

void slots_clear(struct slots *s);
/* One more action of this slot; false: there cannot be such a slot. */
bool slots_action(struct slots *s, uint64_t slot);
/* What the next slot took; false: too many. */
bool slots_taken(struct slots *s, size_t place, double propensity);
/* 1: the slate as the round's; LOG_AGAIN: refused; or an error. */
int slots_give(struct slots *s, struct places *p, struct log *l, uint64_t line, struct round *ret,
    struct errinfo *err);

#endif
