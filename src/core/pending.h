/* SPDX-License-Identifier: Apache-2.0 */
/* What has happened to one decision so far: the fold of the events that refer to it. Small and
 * plain, so that a cache holds the recent ones and the log gives back all others. */
#ifndef CORE_PENDING_H
#define CORE_PENDING_H

#include "core/event.h"

enum pending_flag {
	PENDING_DEFERRED = 1,
	PENDING_ACTIVATED = 2,
	PENDING_VOID = 4,
	PENDING_LEARNT = 8,
	PENDING_EXPIRED = 16,
	PENDING_LOST = 32,  /* the policy was told that no reward will come */
	PENDING_EMPTY = 64, /* a slate without arms: there is nothing to wait for */
};

struct pending {
	unsigned flags;
	uint32_t rewards;            /* that count towards the aggregate */
	double held;                 /* the aggregate of those, as the last event says */
	uint32_t npicks;             /* of a slate, else 0 */
	uint8_t done[SLATE_MAX / 8]; /* of a slate: a bit per pick that has been learnt from */
};

void pending_start(struct pending *p, const struct event_decision *d);
/* Folds in a feedback event whose ref is this decision. */
void pending_apply(struct pending *p, const struct event *ev);
bool pending_is_done(const struct pending *p, uint32_t index); /* of a slate */
bool pending_is_open(const struct pending *p);
/* How much of it is used: its first bytes alone, so many, can be kept and folded into. */
size_t pending_bytes(const struct pending *p);

#endif
