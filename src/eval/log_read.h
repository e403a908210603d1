/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a log of any known format as rounds, one at a time; it is never held in memory. A line that
 * cannot be a round is refused: it is told with file and line, counted, and reading goes on. One
 * thread. doc/logs.md has the formats. */
#ifndef EVAL_LOG_READ_H
#define EVAL_LOG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One of several places that are decided at once, for one reward: a slate. */
struct round_slot {
	uint32_t arm;
	double propensity;
	const uint32_t *eligible; /* never empty */
	size_t neligible;
};

/* What is borrowed holds until the next call. */
struct round {
	uint64_t index; /* of the rounds of this log, from 0 */
	uint64_t line;  /* of the file, from 1; with a join: of the decision */
	uint64_t at_us; /* 0: not known */
	uint32_t position;
	uint32_t arm;             /* into the table of names */
	double propensity;        /* (0, 1]; 0: not known, where that was asked for */
	double reward;            /* the larger the better: costs are negated */
	const uint32_t *eligible; /* neligible 0: all arms */
	size_t neligible;
	const double *x;
	size_t dim;
	double weight; /* 1/(1 - pdrop), else 1 */
	bool has_reward;
	const struct round_slot *slots; /* drawn independently; slot k is position k */
	size_t nslots;                  /* 0: no slate; else arm and eligible are of the first */
};
/* A slot of a slate as a round of its own. */
struct round round_slot(const struct round *r, size_t k);

/* The names of the arms met so far, in the order they were met. Shared by the logs of one run. */
struct log_arms;
#define LOG_ARM_NONE UINT32_MAX
int log_arms_new(struct log_arms **ret); /* RC_MEMORY */
void log_arms_free(struct log_arms *t);  /* NULL is fine */
uint32_t log_arms_count(const struct log_arms *t);
const char *log_arms_id(const struct log_arms *t, uint32_t arm);
/* The number of a name, a new one if need be. RC_INVALID: no valid id. RC_LIMIT, RC_MEMORY. */
int log_arms_put(struct log_arms *t, const char *name, size_t len, uint32_t *ret);
uint32_t log_arms_find(const struct log_arms *t, const char *name); /* or LOG_ARM_NONE */

/* Why lines gave no round. The first five are refusals, the rest is sound but nothing to use. */
enum log_reason {
	LOG_SYNTAX,     /* broken JSON, CSV or text, too long a line */
	LOG_VALUE,      /* a number that is none, or out of its range */
	LOG_PROPENSITY, /* NaN, <= 0, > 1 */
	LOG_LABELS,     /* a second label in one event */
	LOG_REFERENCE,  /* an arm, slot or decision that is not there */
	LOG_REFUSALS,
	LOG_UNLABELLED = LOG_REFUSALS, /* predict only, and events that must not be learnt */
	LOG_DANGLING,                  /* rewards without a decision */
	LOG_NOT_SCORED, /* several slots at once, continuous actions: parsed, not evaluated */
	LOG_REASONS
};
extern const char *const log_reason_names[LOG_REASONS];

struct log_counts {
	uint64_t lines, bytes, rounds;
	uint64_t by_reason[LOG_REASONS];
};
uint64_t log_refused(const struct log_counts *c); /* the sum of the refusals */

/* A part of a log; zeroed: all of it. What is kept back is a function of a round's index alone, so
 * every reader keeps the same rounds back, and a log that grows those it had. */
enum log_side { LOG_WHOLE, LOG_TRAINING, LOG_KEPT };
struct log_part {
	enum log_side side;
	double kept;       /* this share of the rounds is kept back */
	uint64_t from, to; /* by index; to 0: to the end */
};
bool log_part_has(const struct log_part *p, uint64_t index);

struct log;
struct log_options {
	struct log_part part; /* rounds elsewhere are read, and passed over */
	/* Asked first by log_open() where it is set: for logs that are no files. */
	int (*open)(const char *path, const struct log_options *o, struct log_arms *arms,
	    struct log **ret, struct errinfo *err);
	const char *format; /* NULL and "auto": by the first bytes */
	/* Hears of each refused line, "file:line" in err->pointer. NULL is fine. */
	void (*refused)(void *arg, const struct errinfo *err);
	void *arg;
	/* Features with names (dsjson, vw) come as so many numbers; 0: they are passed over. */
	size_t features;
	bool unknown;    /* rounds without a propensity are given, too; else they are refused */
	bool slates;     /* rounds of slates are given, too; else they are not scored */
	size_t open_max; /* decisions of a JSON Lines log that wait for a reward; 0: 2^18 */
};

/* path may be "-", standard input; .gz and .zst are read as what is in them. RC_IO, RC_INVALID
 * (format, header), RC_MEMORY. */
int log_open(const char *path, const struct log_options *o, struct log_arms *arms, struct log **ret,
    struct errinfo *err);
/* The same over bytes that outlive it. */
int log_open_bytes(const char *name, const void *data, size_t len, const struct log_options *o,
    struct log_arms *arms, struct log **ret, struct errinfo *err);
/* Events of our own that come one by one, as lines of a JSON Lines log would: next() gives 1, 0 at
 * the end, or an error that stops. What it lends holds until it is called again. */
struct jsonl_line;
struct log_source {
	int (*next)(void *arg, struct jsonl_line *ret, struct errinfo *err);
	void (*close)(void *arg);
	void *arg;
};
/* Takes the source over, also on failure. */
int log_open_source(const char *name, const struct log_source *s, const struct log_options *o,
    struct log_arms *arms, struct log **ret, struct errinfo *err);
void log_close(struct log *l); /* NULL is fine */
/* 1: a round; 0: the end. RC_IO, RC_MEMORY, RC_LIMIT: stop. */
int log_next(struct log *l, struct round *ret, struct errinfo *err);
const struct log_counts *log_counts(const struct log *l);
const char *log_format(const struct log *l);
bool log_format_is(const char *name); /* one of the table, or "auto" */

#endif
