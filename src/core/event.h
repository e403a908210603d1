/* SPDX-License-Identifier: Apache-2.0 */
/* The record of one change to one experiment. Events are the state: an experiment is the fold of
 * its events, and everything an update needs stands in its event, so a fold never looks back.
 * A decoded event borrows from the arena it was decoded into. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/feedback.h"
#include "core/policy.h"
#include "core/spec.h"

#define EVENT_VERSION 1
#define EVENT_BYTES_MAX (8u << 20) /* of one encoded event: a creation with all its arms */

enum event_kind {
	EVENT_CREATE = 1,
	EVENT_DECISION,
	EVENT_REWARD,
	EVENT_EXPIRY,   /* the window closed */
	EVENT_ACTIVATE, /* a deferred decision was shown */
	EVENT_VOID,     /* a decision was not shown */
	EVENT_ARM,
	EVENT_CHANGE, /* settings */
	EVENT_PLAN,   /* computed beside the decisions */
	EVENT_STREAM, /* of a policy with a stream: its backlog */
	EVENT_GROUP,  /* a group is removed */
	EVENT_KINDS
};
extern const char *const event_kind_names[EVENT_KINDS]; /* "create", ...; [0] is NULL */

enum decision_flag {
	DECISION_DEFER = 1,      /* counts only once activated */
	DECISION_RESTRICTED = 2, /* slots are the eligible arms; else all active ones were */
	DECISION_PMF = 4,        /* the whole distribution was asked for; slots and pmf hold it */
	DECISION_SLATE = 8,      /* any number of arms, each rewarded apart */
	DECISION_FORECAST = 16,  /* a prediction, no arms */
};

/* Of the arm drawn most often before this decision, where its probability is known: whether draws
 * follow the propensities can be watched by it. Not part of the log. */
struct watched {
	double p; /* its propensity in this decision; 0: not watched, or certain either way */
	bool drawn;
};

struct event_decision {
	const char *id;       /* the caller's; NULL: made from seq */
	uint64_t fingerprint; /* of the request, to tell a retry from another body; 0 without id */
	uint64_t expires_us;  /* 0: never */
	unsigned flags;
	const struct pick *picks; /* one per answered arm; none in a forecast or an empty slate */
	size_t npicks;
	double prediction;     /* with DECISION_FORECAST */
	const uint32_t *slots; /* ascending; with DECISION_RESTRICTED or DECISION_PMF */
	size_t nslots;
	const double *pmf; /* nslots entries with DECISION_PMF, else NULL */
	const double *x;   /* dim entries or NULL */
	size_t dim;
	const char *subject, *context; /* NULL when absent; context is compact JSON */
	const char *const *groups;     /* each once */
	size_t ngroups;
	const void *memo; /* the policy's, for its update */
	size_t nmemo;
	struct watched watched;
	const char *arm; /* of a policy with a stream: the arm's id, for its slot is used again */
};

enum arm_op { ARM_OP_ADD, ARM_OP_SET };
struct arm_change {
	enum arm_op op;
	uint32_t slot;
	const char *id, *label; /* ADD */
	bool between;           /* ADD: these two, of which it begins with the mean */
	uint32_t left, right;
	enum arm_state state; /* SET */
};
struct event_arm {
	const struct arm_change *changes;
	size_t n;
};

enum plan_op {
	PLAN_BEGIN, /* computed from the state right before this event, in another thread */
	PLAN_DONE,  /* what came of the last begin */
	PLAN_NOW,   /* both at once */
	PLAN_OPS
};
extern const char *const plan_op_names[PLAN_OPS + 1];
struct event_plan {
	enum plan_op op;
	const void *bytes; /* what policy_ops.plan_make() gave; not with PLAN_BEGIN */
	size_t n;
};

enum stream_op {
	STREAM_OFFER,   /* arms join the backlog; each has the position after the one before */
	STREAM_READ,    /* one leaves it for a slot; those before it have waited too long */
	STREAM_SKIP,    /* those before a position have waited too long; of a stack: see position */
	STREAM_CLOSE,   /* no more arms come */
	STREAM_RECHECK, /* the best so far is measured anew */
	STREAM_WITHDRAW, /* one that waits is not read when its turn comes */
	STREAM_OPS
};
extern const char *const stream_op_names[STREAM_OPS + 1];
struct event_stream {
	enum stream_op op;
	/* OFFER */
	uint64_t before; /* seq of the offer before it; 1 when there was none */
	bool remember;   /* the ids are found again */
	/* The newest is read first. Under this offer waits the position before `below`, which is of
	 * the offer at below_offer; 1 when nothing waits there. */
	bool stacked;
	uint64_t below, below_offer;
	const struct spec_arm *arms;
	size_t n;
	/* OFFER: of its first arm; READ, WITHDRAW: of the arm; SKIP: of the new head. Of a stack
	 * SKIP passes over this position alone, or, with offer 1, over all that wait. */
	uint64_t position;
	/* READ, SKIP, WITHDRAW: seq of the offer of the arm, or of what is before the new head */
	uint64_t offer;
	uint32_t slot; /* READ */
	bool rated;    /* READ: should it be crowned, the ratio is kept; not in logs of before */
	const char *id, *label;
};

struct event {
	enum event_kind kind;
	uint64_t seq;   /* 1, 2, 3 ... within the experiment; 1 is its creation */
	uint64_t at_us; /* wall clock, never less than the event before */
	union {
		struct experiment_spec create;
		struct event_decision decision;
		struct event_feedback feedback; /* REWARD, EXPIRY, ACTIVATE, VOID */
		struct event_arm arm;
		struct settings change; /* all settings after the change */
		struct event_plan plan;
		struct event_stream stream;
		const char *group; /* GROUP: its id */
	};
};

bool event_is_feedback(const struct event *ev);
/* Appends the encoded event. seq is not in it: it is the key the store keeps it under. */
void event_encode(const struct event *ev, struct buf *out);
/* RC_CORRUPT, RC_VERSION or RC_MEMORY. Whatever it accepts, encode gives back byte for byte. */
int event_decode(const void *p, size_t n, uint64_t seq, struct arena *mem, struct event *ret);

#endif
