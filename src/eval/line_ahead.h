/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that are read, and looked at, ahead of who uses them: a thread of its own unpacks the file,
 * cuts it into lines and calls a function for each; the user's thread helps where it would wait.
 * What comes out is in order and the same as without the thread, which is how it goes where none
 * can be had. A few batches are held. */
#ifndef EVAL_LINE_AHEAD_H
#define EVAL_LINE_AHEAD_H

#include "eval/line_in.h"

struct line_ahead;

/* What is made of a line ahead of its use. Every line has a slot of so many bytes, zeroed at first
 * and used again, which may point into the text. Two threads may look at once, 0 and 1. */
#define LINE_LOOKERS 2
struct line_ahead_ops {
	size_t slot_bytes; /* 0: nothing is made */
	void (*look)(void *arg, int who, void *slot, const char *text, size_t n);
	void (*release)(void *slot); /* NULL is fine */
	void *arg;
};

/* Takes in over, also on failure. RC_MEMORY. */
int line_ahead_open(struct line_in *in, const struct line_ahead_ops *ops, struct line_ahead **ret,
    struct errinfo *err);
void line_ahead_close(struct line_ahead *a); /* NULL is fine */

struct line_given {
	char *text; /* as line_in_next() gives it */
	size_t n;
	void *slot;
	uint64_t number, total; /* line_in_number(), line_in_total() after it */
};
/* As line_in_next(). */
int line_ahead_next(struct line_ahead *a, struct line_given *ret, struct errinfo *err);

#endif
