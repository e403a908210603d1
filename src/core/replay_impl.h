/* SPDX-License-Identifier: Apache-2.0 */
/* What replay.c and replay_stream.c share. */
#ifndef CORE_REPLAY_IMPL_H
#define CORE_REPLAY_IMPL_H

#include "core/replay.h"

/* RC_CORRUPT, and the report says what. */
__attribute__((format(printf, 3, 4))) int replay_diverge(
    struct replay *r, const struct event *ev, const char *fmt, ...);
/* A question of ours was refused, or there was no event to come. */
int replay_refused(struct replay *r, const struct event *ev, int rc, const struct errinfo *why,
    struct errinfo *err);
/* Byte for byte. */
int replay_compare(
    struct replay *r, const struct event *ev, const struct event *again, struct errinfo *err);

/* replay_stream.c */
int replay_stream(struct replay *r, const struct event *ev, struct errinfo *err);
int replay_differ_stream(struct replay *r, const struct event *a, const struct event *b);

#endif
