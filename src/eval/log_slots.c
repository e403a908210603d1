/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/log_slots.h"

#include <string.h>

void slots_clear(struct slots *s)
{
	memset(s->actions, 0, s->nactions * sizeof(*s->actions));
	s->nslots = s->nactions = 0;
}

bool slots_action(struct slots *s, uint64_t slot)
{
	if (slot >= SLOTS_MAX) {
		return false;
	}
	s->actions[slot]++;
	s->nactions = slot >= s->nactions ? (size_t)slot + 1 : s->nactions;
	return true;
}

bool slots_taken(struct slots *s, size_t place, double propensity)
{
	if (s->nslots == SLOTS_MAX) {
		return false;
	}
	s->taken[s->nslots] = place;
	s->propensity[s->nslots++] = propensity;
	return true;
}

int slots_give(struct slots *s, struct places *p, struct log *l, uint64_t line, struct round *ret,
    struct errinfo *err)
{
	size_t most = 0;
	int rc;

	for (size_t k = 0; k < s->nslots; k++) {
		if (s->taken[k] >= s->actions[k]) {
			return log_refuse(
			    l, LOG_REFERENCE, line, "slot %zu has no action %zu", k, s->taken[k]);
		}
		most = s->actions[k] > most ? s->actions[k] : most;
	}
	if (s->nslots == 0 || s->nactions > s->nslots) {
		return log_refuse(l, LOG_REFERENCE, line,
		    "there are actions of a slot, but no slot %zu", s->nslots);
	}
	rc = places_upto(p, l->arms, most);
	if (rc == RC_LIMIT) {
		return log_refuse(l, LOG_REFERENCE, line, "a slot has too many actions");
	}
	if (rc) {
		return err_set(err, rc, "out_of_memory", "", "out of memory");
	}
	for (size_t k = 0; k < s->nslots; k++) {
		s->slot[k] = (struct round_slot){
		    p->arm[s->taken[k]], s->propensity[k], p->arm, s->actions[k]};
	}
	ret->line = line;
	ret->arm = s->slot[0].arm;
	ret->propensity = s->slot[0].propensity;
	ret->eligible = p->arm;
	ret->neligible = s->actions[0];
	ret->slots = s->slot;
	ret->nslots = s->nslots;
	return 1;
}
