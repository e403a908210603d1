/* SPDX-License-Identifier: Apache-2.0 */
/* The rounds of a log once they are read, in a file that has no name and goes with the process: to
 * parse a log a second time takes ten times as long. It is in $TMPDIR, or in /var/tmp. One thread.
 */
#ifndef EVAL_ROUND_FILE_H
#define EVAL_ROUND_FILE_H

#include "eval/log_read.h"

struct round_file;

/* RC_IO, RC_MEMORY. */
int round_file_new(struct round_file **ret, struct errinfo *err);
void round_file_free(struct round_file *f); /* NULL is fine */
/* One with a reward; all but the line. RC_IO: no room, say. */
int round_file_add(struct round_file *f, const struct round *round, struct errinfo *err);
/* From the first again; nothing can be added any more. RC_IO. */
int round_file_rewind(struct round_file *f, struct errinfo *err);
/* 1: a round; 0: the end. RC_IO, RC_MEMORY. What is borrowed holds until the next call. */
int round_file_next(struct round_file *f, struct round *ret, struct errinfo *err);

#endif
