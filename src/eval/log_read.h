/* SPDX-License-Identifier: Apache-2.0 */
/* One round of a recorded log, whatever its format. */
#ifndef EVAL_LOG_READ_H
#define EVAL_LOG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct round {
	uint64_t index; /* 0, 1, ... in log order */
	uint32_t position, arm;
	double propensity, reward;
	const uint32_t *eligible;
	size_t neligible; /* 0: all arms */
	const double *x;
	size_t dim;
	double weight; /* 1/(1-pdrop), else 1 */
	bool has_reward;
};

#endif
