/* SPDX-License-Identifier: Apache-2.0 */
/* Events for tests of the log: number seq of any experiment is always the same. Odd ones are
 * decisions, even ones rewards of the decision before; half of each has a name. */
#ifndef TESTS_UNIT_MAKE_EVENT_H
#define TESTS_UNIT_MAKE_EVENT_H

#include <stdio.h>

#include "core/event.h"

struct made_event {
	struct event ev;
	struct pick pick;
	double x[2];
	char name[32]; /* the decision's id or the reward's key; "" for none */
};

static inline void make_event(struct made_event *m, uint32_t experiment, uint64_t seq)
{
	bool decision = seq % 2, named = (seq / 2) % 2;

	*m = (struct made_event){.pick = {(uint32_t)(seq % 7), 0.25}, .x = {(double)seq, 0.5}};
	m->ev.seq = seq;
	m->ev.at_us = UINT64_C(1700000000000000) + seq * 1000;
	if (named) {
		snprintf(m->name, sizeof(m->name), "%c%u-%llu", decision ? 'd' : 'r', experiment,
		    (unsigned long long)seq);
	}
	if (decision) {
		m->ev.kind = EVENT_DECISION;
		m->ev.decision = (struct event_decision){.id = named ? m->name : NULL,
		    .fingerprint = named ? seq : 0,
		    .picks = &m->pick,
		    .npicks = 1,
		    .x = m->x,
		    .dim = 2};
	} else {
		m->ev.kind = EVENT_REWARD;
		m->ev.feedback = (struct event_feedback){.ref = seq - 1,
		    .pick = m->pick,
		    .x = m->x,
		    .dim = 2,
		    .flags = FEEDBACK_LEARN | FEEDBACK_CLOSE,
		    .status = FEEDBACK_LEARNT,
		    .reward = 0.5,
		    .learn = 0.5,
		    .key = named ? m->name : NULL,
		    .fingerprint = named ? seq : 0};
	}
}

#endif
