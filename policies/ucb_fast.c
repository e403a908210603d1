/* SPDX-License-Identifier: Apache-2.0 */
/* The arg-max over many arms. Every index rises by itself as t grows, so nothing sorted by index
 * lasts. But among arms of equal count the order is that of the means: one heap for each distinct
 * count, and a select looks at their tops. Counts are few: D different ones need D^2 / 2 decisions.
 * An index that depends on the variance as well goes to the tournament of ucb_tree.c. */
#include <stdlib.h>
#include <string.h>

#include "policies/ucb_impl.h"

/* The ready arms with k plays; never empty. */
struct bucket {
	double k, mean; /* mean of the top */
	uint32_t top;
};

struct ucb_fast {
	struct heap *heap; /* of the buckets, and of the arms never issued */
	uint32_t fresh;    /* the first of those */
	uint32_t nbuckets;
	struct bucket *bucket; /* ascending in k; room for one an arm */
	struct ucb_tree tree;  /* in place of buckets when the kind has a slope */
};

void ucb_fast_free(struct ucb_fast *f)
{
	if (f) {
		heap_free(f->heap);
		free(f->bucket);
		free(f->tree.node);
		free(f);
	}
}

size_t ucb_fast_bytes(const struct ucb_kind *kind, size_t slots)
{
	size_t each = kind->slope ? UCB_NODE_BYTES : sizeof(struct bucket);

	return sizeof(struct ucb_fast) + heap_bytes(slots) + slots * each;
}

static int reserve(struct ucb_fast *f, size_t slots)
{
	struct bucket *bucket;

	if (heap_reserve(f->heap, slots)) {
		return RC_MEMORY;
	}
	if (f->tree.kind->slope) {
		return ucb_tree_reserve(&f->tree, slots);
	}
	bucket = realloc(f->bucket, slots * sizeof(*bucket));
	if (!bucket) {
		return RC_MEMORY;
	}
	f->bucket = bucket;
	return 0;
}

int ucb_fast_reserve(struct ucb *u, size_t slots)
{
	struct ucb_fast *f;

	if (u->fast) {
		return reserve(u->fast, slots);
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		return RC_MEMORY;
	}
	f->fresh = f->tree.root = UCB_NONE;
	f->tree.kind = u->kind;
	if (heap_new(&f->heap) || reserve(f, slots)) {
		ucb_fast_free(f);
		return RC_MEMORY;
	}
	u->fast = f;
	ucb_fast_build(u);
	return 0;
}

/* The first bucket with at least k plays. */
static uint32_t lower_bound(const struct ucb_fast *f, double k)
{
	uint32_t lo = 0, hi = f->nbuckets;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (f->bucket[mid].k < k) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

static void bucket_enter(struct ucb_fast *f, uint32_t slot, const struct ucb_stat *a)
{
	uint32_t i = lower_bound(f, a->k);
	struct bucket *b = &f->bucket[i];

	if (i == f->nbuckets || b->k != a->k) {
		memmove(b + 1, b, (f->nbuckets - i) * sizeof(*b));
		*b = (struct bucket){.k = a->k, .top = UCB_NONE};
		f->nbuckets++;
	}
	heap_insert(f->heap, &b->top, slot, a->mean);
	b->mean = heap_key(f->heap, b->top);
}

static void bucket_leave(struct ucb_fast *f, uint32_t slot, const struct ucb_stat *a)
{
	uint32_t i = lower_bound(f, a->k);
	struct bucket *b = &f->bucket[i];

	heap_remove(f->heap, &b->top, slot);
	if (b->top == UCB_NONE) {
		f->nbuckets--;
		memmove(b, b + 1, (f->nbuckets - i) * sizeof(*b));
	} else {
		b->mean = heap_key(f->heap, b->top);
	}
}

static uint32_t bucket_best(const struct ucb *u)
{
	const struct ucb_fast *f = u->fast;
	struct ucb_time now = ucb_now(u);
	double best_index = -HUGE_VAL, best_mean = 0;
	uint32_t best = UCB_NONE;

	for (uint32_t i = 0; i < f->nbuckets; i++) {
		const struct bucket *b = &f->bucket[i];
		struct ucb_stat a = {.k = b->k, .mean = b->mean};
		double index = u->kind->index(&now, &a, best_index);

		if (ucb_before(index, b->mean, b->top, best_index, best_mean, best)) {
			best = b->top;
			best_index = index;
			best_mean = b->mean;
		}
	}
	return best;
}

void ucb_fast_leave(struct ucb *u, uint32_t slot)
{
	struct ucb_fast *f = u->fast;
	struct ucb_time now;
	struct ucb_stat a;

	if (!f || u->arm[slot].state != ARM_ACTIVE) {
		return;
	}
	if (u->arm[slot].n == 0) {
		heap_remove(f->heap, &f->fresh, slot);
	} else if (ucb_is_ready(u, slot) && u->kind->slope) {
		now = ucb_now(u);
		ucb_tree_remove(&f->tree, &now, slot);
	} else if (ucb_is_ready(u, slot)) {
		a = ucb_stat(u, slot);
		bucket_leave(f, slot, &a);
	}
}

void ucb_fast_enter(struct ucb *u, uint32_t slot)
{
	struct ucb_fast *f = u->fast;
	struct ucb_time now;
	struct ucb_stat a;

	if (!f || u->arm[slot].state != ARM_ACTIVE) {
		return;
	}
	if (u->arm[slot].n == 0) {
		heap_insert(f->heap, &f->fresh, slot, 0);
	} else if (ucb_is_ready(u, slot)) {
		a = ucb_stat(u, slot);
		if (u->kind->slope) {
			now = ucb_now(u);
			ucb_tree_insert(&f->tree, &now, slot, &a);
		} else {
			bucket_enter(f, slot, &a);
		}
	}
}

void ucb_fast_settle(struct ucb *u)
{
	struct ucb_time now;

	if (u->fast && u->kind->slope) {
		now = ucb_now(u);
		ucb_tree_settle(&u->fast->tree, &now);
	}
}

void ucb_fast_build(struct ucb *u)
{
	struct ucb_stat a;

	for (uint32_t i = 0; u->fast && i < u->slots; i++) {
		if (u->kind->slope && u->arm[i].state == ARM_ACTIVE && u->arm[i].n > 0 &&
		    ucb_is_ready(u, i)) {
			a = ucb_stat(u, i);
			ucb_tree_attach(&u->fast->tree, i, &a);
		} else {
			ucb_fast_enter(u, i);
		}
	}
	ucb_fast_settle(u);
}

uint32_t ucb_fast_best(const struct ucb *u)
{
	const struct ucb_fast *f = u->fast;
	struct ucb_time now;

	if (f->fresh != UCB_NONE) {
		return f->fresh;
	}
	if (!u->kind->slope) {
		return bucket_best(u);
	}
	now = ucb_now(u);
	return ucb_tree_best(&f->tree, &now);
}
