/* SPDX-License-Identifier: Apache-2.0 */
/* The record of one change to one experiment. Events are the state: an experiment is the fold of
 * its events, and everything an update needs stands in its event, so a fold never looks back.
 * A decoded event borrows from the arena it was decoded into. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
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
	EVENT_PLAN,   /* computed off the request path; no policy makes one yet */
	EVENT_KINDS
};
extern const char *const event_kind_names[EVENT_KINDS]; /* "create", ...; [0] is NULL */

enum decision_flag {
	DECISION_DEFER = 1,      /* counts only once activated */
	DECISION_RESTRICTED = 2, /* slots are the eligible arms; else all active ones were */
	DECISION_PMF = 4,        /* the whole distribution was asked for; slots and pmf hold it */
};

struct event_decision {
	const char *id;       /* the caller's; NULL: made from seq */
	uint64_t fingerprint; /* of the request, to tell a retry from another body; 0 without id */
	uint64_t expires_us;  /* 0: never */
	unsigned flags;
	const struct pick *picks; /* one per answered arm, at least one */
	size_t npicks;
	const uint32_t *slots; /* ascending; with DECISION_RESTRICTED or DECISION_PMF */
	size_t nslots;
	const double *pmf; /* nslots entries with DECISION_PMF, else NULL */
	const double *x;   /* dim entries or NULL */
	size_t dim;
	const char *subject, *context; /* NULL when absent; context is compact JSON */
	const char *const *groups;
	size_t ngroups;
};

enum feedback_status {
	FEEDBACK_LEARNT,
	FEEDBACK_RECORDED,  /* logged, not learnt: late, or of a retired arm */
	FEEDBACK_PENDING,   /* held until the window closes or the decision is activated */
	FEEDBACK_LATE,      /* dropped by rule; no event */
	FEEDBACK_DUPLICATE, /* nothing new; no event */
	FEEDBACK_STATUSES
};
extern const char *const feedback_status_names[FEEDBACK_STATUSES + 1];

enum feedback_flag {
	FEEDBACK_LEARN = 1,   /* update() gets `learn` */
	FEEDBACK_LOST = 2,    /* lost() is called: closed without a reward */
	FEEDBACK_REVIVED = 4, /* learnt after lost() */
	FEEDBACK_CLOSE = 8,   /* the decision is open no longer */
	FEEDBACK_IS_LATE = 16,
	FEEDBACK_CLIPPED = 32,
};

/* Reward, expiry, activate and void: what happened to one decision. */
struct event_feedback {
	uint64_t ref;     /* seq of the decision */
	const char *id;   /* its caller's id, or NULL */
	struct pick pick; /* copied from the decision, as are x and dim */
	const double *x;
	size_t dim;
	unsigned flags;
	enum feedback_status status; /* rewards only */
	double reward;               /* as sent; rewards only */
	/* In the caller's direction, clipped: with FEEDBACK_LEARN what is learnt, with
	 * FEEDBACK_PENDING the aggregate held from here on. Else 0. */
	double learn;
	const char *key;      /* NULL when none */
	uint64_t fingerprint; /* of the request; 0 without key */
};

enum arm_op { ARM_OP_ADD, ARM_OP_SET };
struct arm_change {
	enum arm_op op;
	uint32_t slot;
	const char *id, *label; /* ADD */
	enum arm_state state;   /* SET */
};
struct event_arm {
	const struct arm_change *changes;
	size_t n;
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
	};
};

bool event_is_feedback(const struct event *ev);
/* Appends the encoded event. seq is not in it: it is the key the store keeps it under. */
void event_encode(const struct event *ev, struct buf *out);
/* RC_CORRUPT, RC_VERSION or RC_MEMORY. Whatever it accepts, encode gives back byte for byte. */
int event_decode(const void *p, size_t n, uint64_t seq, struct arena *mem, struct event *ret);

#endif
