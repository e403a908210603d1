/* SPDX-License-Identifier: Apache-2.0 */
/* Folds a log anew and checks it: every decision is asked for again (draws and propensities), every
 * piece of feedback is judged again, what a stream reads is looked for where it was offered, and
 * what comes out must be the logged event byte for byte.
 * Events are pushed in the order of their seq, so memory does not grow with the log. Pure, one
 * thread. */
#ifndef CORE_REPLAY_H
#define CORE_REPLAY_H

#include "core/experiment.h"

/* The decision whose seq is `ref`, and what had become of it before event `before`; both live in
 * mem. RC_NOT_FOUND: no such decision. */
typedef int replay_past_fn(void *arg, uint64_t ref, uint64_t before, struct arena *mem,
    struct event *ret, struct pending *ret_pending, struct errinfo *err);

/* The event at a seq before the present one; it lives until the next call. */
typedef int replay_event_fn(void *arg, uint64_t seq, struct event *ret, struct errinfo *err);

struct replay_options {
	const struct policy_ops *(*find)(const char *name);
	bool derive;          /* else events are only folded */
	replay_past_fn *past; /* NULL: feedback is only folded */
	replay_event_fn *at;  /* NULL: what a stream does is only folded */
	void *past_arg;       /* of both */
};

struct replay_report {
	uint64_t events, decisions, rewards; /* folded so far */
	uint64_t derived;                    /* events that came out alike */
	uint64_t seq;                        /* of the first divergence; 0: none */
	char text[320];                      /* what differs there */
};

/* report may be read; everything else is its own. */
struct replay {
	struct replay_options o;
	struct experiment *e; /* NULL before the first event */
	uint64_t base;        /* the seq of replay_from() */
	struct replay_report report;
	struct arena mem;
	struct buf logged, again, plan;
};

void replay_init(struct replay *r, const struct replay_options *o);
/* The log begins after this state, which is taken over. Feedback on what is not in it any more is
 * folded, not derived. */
void replay_from(struct replay *r, struct experiment *e);
void replay_release(struct replay *r);
/* RC_CORRUPT: the event diverges, as the report says, and is not folded: stop. Also RC_VERSION (a
 * policy that is not known), RC_MEMORY and what past() returns, with err set. */
int replay_event(struct replay *r, const struct event *ev, struct errinfo *err);

#endif
