/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded log of any format as one that can be evaluated: read as often as it takes. */
#ifndef EVAL_OPE_FILE_H
#define EVAL_OPE_FILE_H

#include "eval/ope.h"

struct ope_file;

/* Errors of log_open(); RC_INVALID for "-": standard input is read once. Options are kept; their
 * refused() hears of the first pass alone. */
int ope_file_open(
    const char *path, const struct log_options *o, struct ope_file **ret, struct errinfo *err);
void ope_file_close(struct ope_file *f); /* NULL is fine */
/* Fills ret, which tells of no refusals itself. */
void ope_file_log(struct ope_file *f, struct ope_log *ret);
const struct log_counts *ope_file_counts(const struct ope_file *f); /* of the present pass */

#endif
