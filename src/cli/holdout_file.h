/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of a holdout, beside its log as LOG.holdout. It belongs to the log as it was when it
 * was made: size and a hash of its first bytes. The log itself is locked while it is in use, so
 * two runs do not spend the same budget, and what was spent is on disk before an answer is told. */
#ifndef CLI_HOLDOUT_FILE_H
#define CLI_HOLDOUT_FILE_H

#include "base/err.h"
#include "eval/holdout.h"

struct holdout_file;
/* Makes what is not there, with the default budget when that is 0. RC_INVALID: a log that is no
 * file, a share that is not the one stored; RC_CORRUPT: damaged; RC_CONFLICT: of another log;
 * RC_BUSY: another run has it; RC_IO, RC_MEMORY. */
int holdout_file_open(
    const char *log, double kept, uint32_t budget, struct holdout_file **ret, struct errinfo *err);
void holdout_file_close(struct holdout_file *f); /* NULL is fine; does not save */
struct holdout *holdout_file_state(struct holdout_file *f);
const char *holdout_file_path(const struct holdout_file *f);
/* Written anew, as a whole or not at all. RC_IO, RC_MEMORY. */
int holdout_file_save(struct holdout_file *f, struct errinfo *err);
/* A log that has such a file, read as a whole: what is kept back loses its worth. Says so on
 * standard error. */
void holdout_file_warn(const char *command, const char *log);

#endif
