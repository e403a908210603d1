/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/bucket.h"

bool bucket_take(struct bucket *b, double rate, double most, uint64_t now_us)
{
	double regained = now_us > b->at_us ? (double)(now_us - b->at_us) * rate / 1e6 : 0;

	b->spent = b->spent > regained ? b->spent - regained : 0;
	b->at_us = now_us;
	if (b->spent + 1 > most) {
		return false;
	}
	b->spent += 1;
	return true;
}

unsigned bucket_left(const struct bucket *b, double most)
{
	return b->spent < most ? (unsigned)(most - b->spent) : 0;
}
