/* SPDX-License-Identifier: Apache-2.0 */
#include "core/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void history_init(struct history *h, uint64_t start_us)
{
	*h = (struct history){.start_us = start_us, .width_us = HISTORY_FIRST_WIDTH_US};
}

void history_release(struct history *h)
{
	free(h->bucket);
}

static uint64_t index_of(const struct history *h, uint64_t at_us)
{
	return at_us > h->start_us ? (at_us - h->start_us) / h->width_us : 0;
}

static int reserve(struct history *h, uint32_t need)
{
	uint32_t cap = h->cap ? h->cap : 4;
	struct history_bucket *bucket;

	if (need <= h->cap) {
		return 0;
	}
	while (cap < need) {
		cap *= 2;
	}
	bucket = realloc(h->bucket, cap * sizeof(*bucket));
	if (!bucket) {
		return RC_MEMORY;
	}
	h->bucket = bucket;
	h->cap = cap;
	return 0;
}

int history_reserve(struct history *h, uint64_t at_us)
{
	uint64_t i = index_of(h, at_us);

	return reserve(h, i < HISTORY_MAX ? (uint32_t)i + 1 : HISTORY_MAX);
}

static void merge_neighbours(struct history *h)
{
	uint32_t half = (h->n + 1) / 2;

	for (uint32_t i = 0; i < half; i++) {
		struct history_bucket sum = h->bucket[2 * i];

		if (2 * i + 1 < h->n) {
			const struct history_bucket *b = &h->bucket[2 * i + 1];

			sum.decisions += b->decisions;
			sum.rewards += b->rewards;
			sum.sum += b->sum;
		}
		h->bucket[i] = sum;
	}
	h->n = half;
	h->width_us *= 2;
}

static struct history_bucket *bucket_at(struct history *h, uint64_t at_us)
{
	uint64_t i;

	while ((i = index_of(h, at_us)) >= HISTORY_MAX) {
		merge_neighbours(h);
	}
	if (i >= h->n) {
		memset(h->bucket + h->n, 0, (i + 1 - h->n) * sizeof(*h->bucket));
		h->n = (uint32_t)i + 1;
	}
	return &h->bucket[i];
}

void history_decision(struct history *h, uint64_t at_us)
{
	bucket_at(h, at_us)->decisions++;
}

void history_reward(struct history *h, uint64_t at_us, double reward)
{
	struct history_bucket *b = bucket_at(h, at_us);

	b->rewards++;
	b->sum += reward;
}

void history_save(const struct history *h, struct buf *out)
{
	buf_put_u64(out, h->start_us);
	buf_put_u64(out, h->width_us);
	buf_put_var(out, h->n);
	for (uint32_t i = 0; i < h->n; i++) {
		buf_put_var(out, h->bucket[i].decisions);
		buf_put_var(out, h->bucket[i].rewards);
		buf_put_f64(out, h->bucket[i].sum);
	}
}

/* A width is the first one doubled some times. */
static int width_is_sound(uint64_t width_us)
{
	uint64_t w = HISTORY_FIRST_WIDTH_US;

	while (w < width_us && w <= UINT64_MAX / 2) {
		w *= 2;
	}
	return w == width_us;
}

int history_load(struct history *h, struct rd *in)
{
	uint64_t start_us = rd_u64(in), width_us = rd_u64(in);
	size_t n = rd_count(in, 10);

	if (in->rc || n > HISTORY_MAX || !width_is_sound(width_us)) {
		return RC_CORRUPT;
	}
	history_init(h, start_us);
	h->width_us = width_us;
	if (n && reserve(h, (uint32_t)n)) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < n; i++) {
		struct history_bucket *b = &h->bucket[i];

		b->decisions = rd_var(in);
		b->rewards = rd_var(in);
		b->sum = rd_f64(in);
		if (in->rc || !isfinite(b->sum)) {
			return RC_CORRUPT;
		}
	}
	h->n = (uint32_t)n;
	return 0;
}
