/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: arms of one odd class, by period ascending, fill lanes exactly, since each arm's share
 * of a lane divides what is left of it. Of too many lanes the k that earn most are kept. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "policies/recovering_plan_impl.h"

struct rp_item {
	uint32_t a, period, arm; /* a: the odd part of period */
	double rate;
};

struct rp_made {
	uint32_t number, from, to; /* items */
	double sum;
};

static int by_place(const void *left, const void *right)
{
	const struct rp_item *x = left, *y = right;

	if (x->a != y->a) {
		return x->a < y->a ? -1 : 1;
	}
	if (x->period != y->period) {
		return x->period < y->period ? -1 : 1;
	}
	if (x->rate != y->rate) {
		return x->rate > y->rate ? -1 : 1;
	}
	return x->arm < y->arm ? -1 : x->arm > y->arm;
}

static int by_sum(const void *left, const void *right)
{
	const struct rp_made *x = left, *y = right;

	if (x->sum != y->sum) {
		return x->sum > y->sum ? -1 : 1;
	}
	return x->number < y->number ? -1 : x->number > y->number;
}

static int by_number(const void *left, const void *right)
{
	const struct rp_made *x = left, *y = right;

	return x->number < y->number ? -1 : x->number > y->number;
}

static uint32_t odd_part(uint32_t d)
{
	while (d % 2 == 0) {
		d /= 2;
	}
	return d;
}

static uint32_t collect(struct rp_work *w)
{
	uint32_t n = 0, d;

	for (uint32_t i = 0; i < w->t->n; i++) {
		d = w->now.period[i];
		w->cur[i] = d ? rp_rate(w->t, i, d) : 0;
		if (d) {
			w->item[n++] = (struct rp_item){
			    .a = odd_part(d), .period = d, .arm = i, .rate = w->cur[i]};
		}
	}
	qsort(w->item, n, sizeof(*w->item), by_place);
	return n;
}

/* Cuts the sorted items into lanes. */
static uint32_t cut(struct rp_work *w, uint32_t n)
{
	uint32_t made = 0, end = 0;
	uint64_t room = 0, whole = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (i == end) { /* a class begins */
			while (end < n && w->item[end].a == w->item[i].a) {
				end++;
			}
			whole = w->item[end - 1].period;
			room = 0;
		}
		if (room == 0) {
			w->made[made] = (struct rp_made){.number = made, .from = i};
			made++;
			room = whole;
		}
		assert(room >= whole / w->item[i].period);
		room -= whole / w->item[i].period;
		w->made[made - 1].to = i + 1;
		w->made[made - 1].sum += w->item[i].rate;
	}
	return made;
}

static uint32_t keep_best(struct rp_work *w, uint32_t made)
{
	uint32_t k = w->t->k;

	if (made <= k) {
		return made;
	}
	qsort(w->made, made, sizeof(*w->made), by_sum);
	for (uint32_t m = k; m < made; m++) {
		for (uint32_t i = w->made[m].from; i < w->made[m].to; i++) {
			w->now.period[w->item[i].arm] = 0;
			w->cur[w->item[i].arm] = 0;
		}
	}
	qsort(w->made, k, sizeof(*w->made), by_number);
	return k;
}

int rp_pack(struct rp_work *w)
{
	uint32_t kept, n = collect(w);
	const struct rp_item *item;
	int rc = 0;

	w->now.made = cut(w, n);
	w->now.moves = 0;
	memset(w->now.offset, 0, w->t->n * sizeof(*w->now.offset));
	memset(w->now.lane, 0, w->t->n * sizeof(*w->now.lane));
	kept = keep_best(w, w->now.made);
	for (uint32_t m = 0; rc == 0 && m < w->t->k; m++) {
		rc = rp_lane_init(
		    &w->lane[m], m < kept ? w->item[w->made[m].from].a : w->now.first_class);
		for (uint32_t i = m < kept ? w->made[m].from : 0;
		     rc == 0 && m < kept && i < w->made[m].to; i++) {
			item = &w->item[i];
			w->now.lane[item->arm] = m;
			rc = rp_lane_alloc(&w->lane[m], item->period, &w->now.offset[item->arm]);
		}
	}
	return rc;
}

int rp_pack_init(struct rp_work *w)
{
	size_t n = w->t->n;

	w->cur = calloc(n, sizeof(*w->cur));
	w->item = calloc(n, sizeof(*w->item));
	w->made = calloc(n, sizeof(*w->made)); /* a lane has an arm */
	w->lane = calloc(w->t->k, sizeof(*w->lane));
	return w->cur && w->item && w->made && w->lane ? 0 : RC_MEMORY;
}

void rp_pack_release(struct rp_work *w)
{
	for (uint32_t m = 0; w->lane && m < w->t->k; m++) {
		free(w->lane[m].node);
	}
	free(w->cur);
	free(w->item);
	free(w->made);
	free(w->lane);
}
