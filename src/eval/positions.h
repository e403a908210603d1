/* SPDX-License-Identifier: Apache-2.0 */
/* The positions of a log, numbered in the order they are met. Zero it to start. One thread. */
#ifndef EVAL_POSITIONS_H
#define EVAL_POSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define POSITIONS_MAX 1024

struct positions {
	uint64_t at[POSITIONS_MAX];
	size_t n;
};

/* The number of a position, a new one if need be. RC_LIMIT. */
int positions_put(struct positions *p, uint64_t position, uint32_t *ret, struct errinfo *err);
/* The same, false for a new one. */
bool positions_find(const struct positions *p, uint64_t position, uint32_t *ret);

#endif
