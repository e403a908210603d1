/* SPDX-License-Identifier: Apache-2.0 */
/* What event.c and event_decode.c agree on beside the order of fields. */
#ifndef CORE_EVENT_IMPL_H
#define CORE_EVENT_IMPL_H

#include "core/event.h"

/* Which optional parts follow. In a decision they share a byte with enum decision_flag. */
enum { HAS_ID = 8, HAS_SUBJECT = 16, HAS_CONTEXT = 32, HAS_X = 64, HAS_GROUPS = 128, HAS_KEY = 1 };

#define DECISION_FLAGS (DECISION_DEFER | DECISION_RESTRICTED | DECISION_PMF)
#define FEEDBACK_FLAGS 63u

/* Does the encoded form hold `learn`? */
static inline bool feedback_has_learn(const struct event_feedback *f, enum event_kind kind)
{
	return (f->flags & FEEDBACK_LEARN) ||
	       (kind == EVENT_REWARD && f->status == FEEDBACK_PENDING);
}

#endif
