/* SPDX-License-Identifier: Apache-2.0 */
/* In a leftist tree (Crane 1972) the shortest way out of every subtree is along right links, so it
 * has at most log2(n + 1) steps. Removal from the middle puts the merged children in the place of
 * the slot and corrects ranks upwards until one stays. If ranks fall, each new one is one more than
 * that of the child, if they grow, each old one was; so that way, too, has at most log2(n + 1)
 * steps. */
#include "core/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "core/slots.h"

struct node {
	double key;
	uint32_t left, right, parent; /* HEAP_NONE: none */
	uint32_t rank;                /* nodes on the right path; 0: in no heap */
};

struct heap {
	struct node *node;
	size_t len, cap; /* initialised, reserved */
};

int heap_new(struct heap **ret)
{
	struct heap *h = calloc(1, sizeof(*h));

	if (!h) {
		return RC_MEMORY;
	}
	*ret = h;
	return 0;
}

void heap_free(struct heap *h)
{
	if (h) {
		free(h->node);
		free(h);
	}
}

int heap_reserve(struct heap *h, size_t slots)
{
	if (slots <= h->cap) {
		return 0;
	}
	if (slots > SLOTS_MAX) {
		return RC_LIMIT;
	}
	size_t cap = slots_capacity(slots);
	struct node *node = realloc(h->node, cap * sizeof(*node));

	if (!node) {
		return RC_MEMORY;
	}
	h->node = node;
	h->cap = cap;
	return 0;
}

size_t heap_bytes(size_t slots)
{
	return sizeof(struct heap) + slots_capacity(slots) * sizeof(struct node);
}

void heap_clear(struct heap *h)
{
	h->len = 0;
}

static bool before(const struct node *n, uint32_t a, uint32_t b)
{
	return n[a].key > n[b].key || (n[a].key == n[b].key && a < b);
}

static uint32_t rank_of(const struct node *n, uint32_t i)
{
	return i == HEAP_NONE ? 0 : n[i].rank;
}

/* Restores the shape at i from its children; true when its rank changed. */
static bool settle(struct node *n, uint32_t i)
{
	uint32_t left = n[i].left, right = n[i].right, rank = n[i].rank;

	if (rank_of(n, left) < rank_of(n, right)) {
		n[i].left = right;
		n[i].right = left;
	}
	n[i].rank = rank_of(n, n[i].right) + 1;
	return n[i].rank != rank;
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t c = *a;

	*a = *b;
	*b = c;
}

/* One heap of two. Down the right paths, which interleave, and back up; the top's parent is the
 * caller's affair. */
static uint32_t merge(struct node *n, uint32_t a, uint32_t b)
{
	uint32_t i;

	if (a == HEAP_NONE || b == HEAP_NONE) {
		return a == HEAP_NONE ? b : a;
	}
	if (before(n, b, a)) {
		swap(&a, &b);
	}
	for (i = a; b != HEAP_NONE; i = n[i].right) {
		if (n[i].right == HEAP_NONE || before(n, b, n[i].right)) {
			swap(&n[i].right, &b);
			n[n[i].right].parent = i;
		}
	}
	for (;; i = n[i].parent) {
		settle(n, i);
		if (i == a) {
			return a;
		}
	}
}

void heap_insert(struct heap *h, uint32_t *top, size_t slot, double key)
{
	struct node *n = h->node;

	assert(slot < h->cap && key == key && !heap_has(h, slot));
	for (; h->len <= slot; h->len++) {
		n[h->len].rank = 0;
	}
	n[slot] = (struct node){key, HEAP_NONE, HEAP_NONE, HEAP_NONE, 1};
	*top = merge(n, *top, (uint32_t)slot);
	n[*top].parent = HEAP_NONE;
}

void heap_remove(struct heap *h, uint32_t *top, size_t slot)
{
	struct node *n = h->node;

	assert(heap_has(h, slot));
	uint32_t i = n[slot].parent, rest = merge(n, n[slot].left, n[slot].right);

	n[slot].rank = 0;
	if (rest != HEAP_NONE) {
		n[rest].parent = i;
	}
	if (i == HEAP_NONE) {
		assert(*top == slot);
		*top = rest;
		return;
	}
	*(n[i].left == slot ? &n[i].left : &n[i].right) = rest;
	while (i != HEAP_NONE && settle(n, i)) {
		i = n[i].parent;
	}
}

void heap_update(struct heap *h, uint32_t *top, size_t slot, double key)
{
	heap_remove(h, top, slot);
	heap_insert(h, top, slot, key);
}

bool heap_has(const struct heap *h, size_t slot)
{
	return slot < h->len && h->node[slot].rank > 0;
}

double heap_key(const struct heap *h, size_t slot)
{
	assert(heap_has(h, slot));
	return h->node[slot].key;
}
