/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a decision after it was made, as the log has it. */
#ifndef CORE_FEEDBACK_H
#define CORE_FEEDBACK_H

#include "core/ask.h"

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
	FEEDBACK_FORECAST = 64, /* of a forecast: reward is a label, there is no pick */
	FEEDBACK_SLATE = 128,   /* arms tells what happened to each, in place of pick */
};

/* One arm of a slate. */
struct feedback_arm {
	uint32_t index; /* among the picks of the decision */
	struct pick pick;
	unsigned flags; /* LEARN, LOST, REVIVED, CLIPPED */
	enum feedback_status status;
	double reward, learn; /* as in event_feedback */
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
	const struct feedback_arm *arms; /* with FEEDBACK_SLATE, ascending index */
	size_t narms;
	const struct result *results; /* full information: as sent, of all arms it could be */
	size_t nresults;
	const uint32_t *groups; /* indices in order of their first appearance in the log */
	size_t ngroups;
	const void *memo; /* copied from the decision */
	size_t nmemo;
	const char *arm;      /* likewise; of a policy with a stream only */
	bool tested;          /* late, and of a pull of a test; logs of before do not say it */
	double prediction;    /* with FEEDBACK_FORECAST, copied likewise */
	const char *key;      /* NULL when none */
	uint64_t fingerprint; /* of the request; 0 without key */
};

#endif
