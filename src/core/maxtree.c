/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maxtree.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "core/slots.h"

#define FAN_BITS 3
#define FAN ((size_t)1 << FAN_BITS)
#define LEVELS 12 /* 8^11 > SLOTS_MAX */

/* level[0] holds the slots, each further level the maxima of eight below, the last in use one. Only
 * what `len` slots need is initialised. */
struct maxtree {
	size_t len, cap;
	double *level[LEVELS];
};

static size_t nodes_at(size_t len, unsigned level)
{
	return len ? ((len - 1) >> (FAN_BITS * level)) + 1 : 0;
}

static unsigned root_level(const struct maxtree *t)
{
	unsigned level = 0;

	while (nodes_at(t->len, level) > 1) {
		level++;
	}
	return level;
}

int maxtree_new(struct maxtree **ret)
{
	struct maxtree *t = calloc(1, sizeof(*t));

	if (!t) {
		return RC_MEMORY;
	}
	*ret = t;
	return 0;
}

void maxtree_free(struct maxtree *t)
{
	if (t) {
		for (unsigned level = 0; level < LEVELS; level++) {
			free(t->level[level]);
		}
		free(t);
	}
}

int maxtree_reserve(struct maxtree *t, size_t slots)
{
	if (slots <= t->cap) {
		return 0;
	}
	if (slots > SLOTS_MAX) {
		return RC_LIMIT;
	}
	size_t cap = slots_capacity(slots), count = 2;

	for (unsigned level = 0; count > 1; level++) {
		count = nodes_at(cap, level);
		double *nodes = realloc(t->level[level], count * sizeof(*nodes));

		if (!nodes) {
			return RC_MEMORY;
		}
		t->level[level] = nodes;
	}
	t->cap = cap;
	return 0;
}

size_t maxtree_bytes(size_t slots)
{
	size_t cap = slots_capacity(slots), nodes = cap;

	for (unsigned level = 1; nodes_at(cap, level - 1) > 1; level++) {
		nodes += nodes_at(cap, level);
	}
	return sizeof(struct maxtree) + nodes * sizeof(double);
}

void maxtree_clear(struct maxtree *t)
{
	t->len = 0;
}

/* The first child of node i of `level` that has the largest value. */
static size_t best_child(const struct maxtree *t, unsigned level, size_t i)
{
	const double *below = t->level[level - 1];
	size_t end = nodes_at(t->len, level - 1), best = i * FAN;

	end = end < (i + 1) * FAN ? end : (i + 1) * FAN;
	for (size_t c = best + 1; c < end; c++) {
		best = below[c] > below[best] ? c : best;
	}
	return best;
}

static void refresh_path(struct maxtree *t, size_t slot)
{
	unsigned top = root_level(t);

	for (unsigned level = 1; level <= top; level++) {
		slot >>= FAN_BITS;
		t->level[level][slot] = t->level[level - 1][best_child(t, level, slot)];
	}
}

void maxtree_set(struct maxtree *t, size_t slot, double value)
{
	size_t before = t->len;
	unsigned top = root_level(t);

	assert(slot < t->cap && value == value);
	if (slot >= before) {
		t->len = slot + 1;
		/* New nodes are absent, except those above the old root and above this slot. */
		for (unsigned level = 0; level <= root_level(t); level++) {
			size_t end = nodes_at(t->len, level);

			for (size_t i = nodes_at(before, level); i < end; i++) {
				t->level[level][i] = -HUGE_VAL;
			}
		}
	}
	t->level[0][slot] = value;
	if (before > 0 && root_level(t) > top) {
		refresh_path(t, 0);
	}
	refresh_path(t, slot);
}

double maxtree_value(const struct maxtree *t, size_t slot)
{
	return slot < t->len ? t->level[0][slot] : -HUGE_VAL;
}

double maxtree_max(const struct maxtree *t)
{
	return t->len ? t->level[root_level(t)][0] : -HUGE_VAL;
}

size_t maxtree_top(const struct maxtree *t)
{
	size_t i = 0;

	assert(maxtree_max(t) > -HUGE_VAL);
	for (unsigned level = root_level(t); level > 0; level--) {
		i = best_child(t, level, i);
	}
	return i;
}
