/* SPDX-License-Identifier: Apache-2.0 */
/* Does the engine still decide? What the watchdog asks it. */
#ifndef SERVE_ENGINE_PROBE_H
#define SERVE_ENGINE_PROBE_H

#include "serve/engine.h"

/* Takes the lock of the registry and of each experiment in turn, then makes a decision in an
 * experiment of the engine's own, which nobody sees, and queues it for a commit that writes none of
 * it. *ret_probes: how many such commits are on disk by now. Returns when all that is done, however
 * long a lock is held. That the queue or the disk is full is no failure: a commit is asked for
 * without it. From any one thread. RC_FAILED (the store), RC_MEMORY. */
int engine_probe(struct engine *g, uint64_t at_us, uint64_t *ret_probes);

#endif
