/* SPDX-License-Identifier: Apache-2.0 */
/* What had become of a decision at some moment of the past, for a replay that walks along a log:
 * recent decisions are kept, the others are read from the log again. Bounded memory, one thread. */
#ifndef CLI_PAST_H
#define CLI_PAST_H

#include "store/store.h"

struct past;

/* Reads with a reader of its own: what gets a range of events cannot look up with the same one. */
int past_new(const char *where, uint32_t experiment, struct past **ret, struct errinfo *err);
void past_free(struct past *p); /* NULL is fine */
/* After each event, in order: remembers decisions, folds feedback. */
void past_add(struct past *p, const struct event *ev);
/* A replay_past_fn; arg is the struct past. */
int past_find(void *arg, uint64_t ref, uint64_t before, struct arena *mem, struct event *ret,
    struct pending *ret_pending, struct errinfo *err);
/* A replay_event_fn. The last one is kept, for an offer is looked at arm by arm. */
int past_event(void *arg, uint64_t seq, struct event *ret, struct errinfo *err);

#endif
