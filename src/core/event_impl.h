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
	WAS_TESTED = 4,
};

#define DECISION_FLAGS                                                                             \
	(DECISION_DEFER | DECISION_RESTRICTED | DECISION_PMF | DECISION_SLATE | DECISION_FORECAST)
#define FEEDBACK_FLAGS 255u
#define FEEDBACK_ARM_FLAGS (FEEDBACK_LEARN | FEEDBACK_LOST | FEEDBACK_REVIVED | FEEDBACK_CLIPPED)

/* How the operations on arms are written. An arm between others was not known at first. */
enum { WRITTEN_ADD, WRITTEN_SET, WRITTEN_BETWEEN, WRITTEN_OPS };
#define GROUP_REMOVED 0 /* what becomes of a group: nothing else yet */

/* event_stream.c */
void event_put_stream(struct buf *out, const struct event_stream *s);

/* Does the encoded form hold `learn`? */
static inline bool feedback_has_learn(const struct event_feedback *f, enum event_kind kind)
{
	return !(f->flags & FEEDBACK_SLATE) &&
	       ((f->flags & FEEDBACK_LEARN) ||
		   (kind == EVENT_REWARD && f->status == FEEDBACK_PENDING));
}

/* The reader with the arena its pointers come from; an allocation that fails is kept apart from
 * bytes that do not check. */
struct source {
	struct rd *in;
	struct arena *mem;
	bool starved;
};

void *source_take(struct source *s, size_t count, size_t each);
const char *source_text(struct source *s, size_t max);
const char *source_id(struct source *s);
double source_finite(struct source *s);
/* An enum or bool of so many values. */
unsigned source_choice(struct source *s, unsigned values);
const char *const *source_ids(struct source *s, size_t n);
uint32_t source_slot(struct source *s);
const struct spec_arm *source_arms(struct source *s, size_t *ret_n);

void event_get_create(struct source *s, struct experiment_spec *ret);
void event_get_stream(struct source *s, struct event_stream *ret);
void event_get_change(struct source *s, struct settings *ret);

#endif
