/* SPDX-License-Identifier: Apache-2.0 */
/* The backlog of a policy with a stream. The arms that wait are in the log: the state counts them,
 * and knows the offer at which to look for the next one. The oldest is read first; or the newest,
 * and then each offer says what waited under it, so that a stack takes no more memory. */
#ifndef CORE_EXPERIMENT_STREAM_H
#define CORE_EXPERIMENT_STREAM_H

#include "core/experiment.h"

struct stream_status {
	bool stacked;
	uint64_t offered, waiting; /* positions given out, and of these those that may be read */
	uint64_t head;             /* left behind; unless stacked the position that is read next */
	uint64_t top;              /* stacked: the position after the one that is read next */
	uint64_t head_seq,
	    tail_seq; /* the offers of the position before head or top, of the newest */
	uint64_t skipped, explored; /* arms that were not read; decisions that were test pulls */
	uint64_t late;              /* of these, rewards that came when they had been given up */
};

bool experiment_has_stream(const struct experiment *e);
/* experiment_has_stream() for the rest. */
struct stream_rules experiment_stream_rules(const struct experiment *e);
void experiment_stream_status(const struct experiment *e, struct stream_status *ret);
void experiment_stream_view(const struct experiment *e, struct stream_view *ret);
/* May the arm in this slot still be drawn, or be needed? */
bool experiment_holds(const struct experiment *e, uint32_t slot);
/* Was the arm at this position withdrawn, and has its turn not come yet? */
bool experiment_is_withdrawn(const struct experiment *e, uint64_t position);
/* Is the next arm of the backlog to be read now? */
bool experiment_wants_arm(const struct experiment *e);
/* "test", "king" or "fill"; NULL when nothing was noted. */
const char *experiment_role(const struct experiment *e, const struct event_decision *d);

/* Arms whose ids are valid and were not seen, to the end of the backlog. RC_STATE. */
int experiment_offer(const struct experiment *e, const struct spec_arm *arms, size_t n,
    uint64_t at_us, struct event *ret_ev, struct errinfo *err);
/* The arm at this position, which is of that offer, leaves the backlog; kind SKIP when its id is
 * that of an arm that is held. */
void experiment_read(const struct experiment *e, uint64_t position, uint64_t offer,
    const struct spec_arm *arm, uint64_t at_us, struct event *ret_ev);
/* Has an arm that was offered then waited too long? */
bool experiment_is_stale(const struct experiment *e, uint64_t offered_us, uint64_t at_us);
/* The next arm, at this position, is not read any more. */
void experiment_pass(const struct experiment *e, uint64_t position, uint64_t offer, uint64_t at_us,
    struct event *ret_ev);
/* This one, and with it all that have waited longer. */
void experiment_skip(const struct experiment *e, uint64_t position, uint64_t offer, uint64_t at_us,
    struct event *ret_ev);
/* The arm at this position, which waits, is passed over when its turn comes. RC_STATE, RC_LIMIT. */
int experiment_withdraw(const struct experiment *e, uint64_t position, uint64_t offer,
    const char *id, uint64_t at_us, struct event *ret_ev, struct errinfo *err);
int experiment_close(
    const struct experiment *e, uint64_t at_us, struct event *ret_ev, struct errinfo *err);
/* RC_INVALID, RC_STATE: there is no king to measure. Kind 0: it is under way. */
int experiment_recheck(
    const struct experiment *e, uint64_t at_us, struct event *ret_ev, struct errinfo *err);

#endif
