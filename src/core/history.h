/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions and rewards over time, for plots: at most HISTORY_MAX buckets of equal width. When time
 * runs past the last one, neighbours are merged and the width doubles, so memory is bounded however
 * long an experiment runs. A function of the events alone. */
#ifndef CORE_HISTORY_H
#define CORE_HISTORY_H

#include "base/buf.h"

#define HISTORY_MAX 64
#define HISTORY_FIRST_WIDTH_US UINT64_C(1000000)

struct history_bucket {
	uint64_t decisions, rewards;
	double sum;
};

struct history {
	uint64_t start_us, width_us;
	uint32_t n, cap;
	struct history_bucket *bucket; /* bucket[i] starts at start_us + i width_us */
};

void history_init(struct history *h, uint64_t start_us);
void history_release(struct history *h);
int history_reserve(struct history *h, uint64_t at_us); /* so that the next add cannot fail */
void history_decision(struct history *h, uint64_t at_us);
void history_reward(struct history *h, uint64_t at_us, double reward);
void history_save(const struct history *h, struct buf *out);
int history_load(struct history *h, struct rd *in);

#endif
