/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket: so many in a second, as many at once. Time is an argument, so a test has its own
 * clock. One thread. */
#ifndef SERVE_BUCKET_H
#define SERVE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket { /* zeroed: full */
	double spent;
	uint64_t at_us;
};

/* Takes one if there is one. rate: a second; most: at once. */
bool bucket_take(struct bucket *b, double rate, double most, uint64_t now_us);
/* How many could be taken now. */
unsigned bucket_left(const struct bucket *b, double most);

#endif
