/* SPDX-License-Identifier: Apache-2.0 */
/* A state as a log to be evaluated; the daemon may run meanwhile. */
#ifndef CLI_STATE_LOG_H
#define CLI_STATE_LOG_H

#include "eval/log_read.h"

/* As log_open(); path may also be a state directory or its state.db. */
int state_log_open(const char *path, const struct log_options *o, struct log_arms *arms,
    struct log **ret, struct errinfo *err);

#endif
