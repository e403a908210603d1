/* SPDX-License-Identifier: Apache-2.0 */
/* A new state, written experiment by experiment. Programs only; one thread. */
#ifndef CLI_STATE_WRITE_H
#define CLI_STATE_WRITE_H

#include "core/experiment.h"
#include "store/store.h"

struct state_writer;

/* where: a directory that is made, or holds no state yet: nothing that is there is written to.
 * RC_EXISTS, RC_IO, RC_MEMORY. */
int state_writer_open(const char *where, struct state_writer **ret, struct errinfo *err);
/* The events that follow are of this experiment. RC_EXISTS, RC_MEMORY. */
int state_writer_begin(struct state_writer *w, const char *name, struct errinfo *err);
/* Before the first event: the log begins after this state. RC_MEMORY. */
int state_writer_base(
    struct state_writer *w, uint64_t seq, const struct experiment *e, struct errinfo *err);
/* One event, checked by the caller; their seqs are 1, 2, 3 ..., or follow the base. What waits is
 * bounded: a full queue is waited for. */
int state_writer_event(struct state_writer *w, const struct event *ev, struct errinfo *err);
uint32_t state_writer_experiments(const struct state_writer *w);
/* Waits until all is on disk. Frees w in any case; NULL is fine. */
int state_writer_close(struct state_writer *w, struct errinfo *err);

#endif
