/* SPDX-License-Identifier: Apache-2.0 */
/* Arms that have no name but their place in the event: "1", "2", ... One thread. */
#ifndef EVAL_LOG_PLACES_H
#define EVAL_LOG_PLACES_H

#include "eval/log_read.h"

struct places {
	uint32_t *arm; /* by place, from 0 */
	size_t n, cap;
};

int places_upto(struct places *p, struct log_arms *arms, size_t n); /* RC_MEMORY, RC_LIMIT */
void places_release(struct places *p);

#endif
