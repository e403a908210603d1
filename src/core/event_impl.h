/* SPDX-License-Identifier: Apache-2.0 */
/* What event.c and event_decode.c agree on beside the order of fields. */
#ifndef CORE_EVENT_IMPL_H
#define CORE_EVENT_IMPL_H

#include "core/event.h"

/* Which optional parts follow. In a decision they share a number with enum decision_flag. */
enum {
	HAS_ID = 32,
	HAS_X = 64,
	HAS_SUBJECT = 128,
	HAS_CONTEXT = 256,
	HAS_GROUPS = 512,
	HAS_MEMO = 1024,
	HAS_ARM = 2048,
	HAS_KEY = 1,
	HAS_RESULTS = 2,
};

#define DECISION_FLAGS                                                                             \
	(DECISION_DEFER | DECISION_RESTRICTED | DECISION_PMF | DECISION_SLATE | DECISION_FORECAST)
#define FEEDBACK_FLAGS 255u
#define FEEDBACK_ARM_FLAGS (FEEDBACK_LEARN | FEEDBACK_LOST | FEEDBACK_REVIVED | FEEDBACK_CLIPPED)

/* event_stream.c */
void event_put_stream(struct buf *out, const struct event_stream *s);

/* Does the encoded form hold `learn`? */
static inline bool feedback_has_learn(const struct event_feedback *f, enum event_kind kind)
{
	return !(f->flags & FEEDBACK_SLATE) &&
	       ((f->flags & FEEDBACK_LEARN) ||
		   (kind == EVENT_REWARD && f->status == FEEDBACK_PENDING));
}

#endif
