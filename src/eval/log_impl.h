/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader of one format is, and what it is given. For the readers in eval alone. */
#ifndef EVAL_LOG_IMPL_H
#define EVAL_LOG_IMPL_H

#include "eval/line_ahead.h"
#include "eval/log_read.h"

#define LOG_AGAIN 2 /* no round from this line; whatever was wrong is counted */

struct log_reader {
	const char *name;
	bool (*probe)(const char *bytes, size_t n); /* the first bytes of a log; may be none */
	/* Errors of log_open(). */
	int (*open)(struct log *l, void **ret, struct errinfo *err);
	/* 1, 0, LOG_AGAIN, or an error that stops. */
	int (*next)(struct log *l, void *state, struct round *ret, struct errinfo *err);
	void (*close)(void *state); /* NULL is fine */
	/* What it makes of lines in another thread, with the state; zeroed: nothing. */
	struct line_ahead_ops ahead;
};

extern const struct log_reader read_obd, read_jsonl, read_dsjson, read_vw;

struct log {
	const struct log_reader *reader;
	void *state;
	struct line_in *in; /* until the first line is asked for */
	struct line_ahead *ahead;
	struct line_given line;   /* the one that was given last */
	struct log_source source; /* or zeroed: it is a file */
	struct log_arms *arms;
	char *path;
	struct log_options o;
	struct log_counts counts;
};

/* 1: a line; 0: the end; LOG_AGAIN: too long, refused. */
int log_line(struct log *l, char **ret, size_t *ret_len, struct errinfo *err);
/* Tells and counts. Always LOG_AGAIN. */
int log_refuse(struct log *l, enum log_reason reason, uint64_t line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Counts what is sound but no round. Always LOG_AGAIN. */
int log_skip(struct log *l, enum log_reason reason);
/* The arm of a name in the log; LOG_AGAIN: refused. */
int log_arm(
    struct log *l, const char *name, size_t len, uint64_t line, uint32_t *ret, struct errinfo *err);
/* 1, or LOG_AGAIN: refused. */
int log_check_propensity(struct log *l, uint64_t line, double p);
/* A finite number that fills the text; as strtod, in the C locale. */
bool log_number(const char *text, size_t len, double *ret);

#endif
