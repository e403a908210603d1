/* SPDX-License-Identifier: Apache-2.0 */
/* An experiment as it was at some moment, out of a state or an exported log. */
#ifndef CLI_FROZEN_STATE_H
#define CLI_FROZEN_STATE_H

#include "core/experiment.h"

/* "STATE:EXPERIMENT" or "STATE:EXPERIMENT@SEQ": after the event SEQ, else after the last. STATE is
 * a state directory, its state.db, or a log that bandit export wrote. RC_INVALID, RC_NOT_FOUND,
 * RC_IO, RC_CORRUPT, RC_VERSION, RC_MEMORY. The caller frees it. */
int frozen_state(const char *text, struct experiment **ret, struct errinfo *err);

#endif
