/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sumtree.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/num.h"
#include "core/slots.h"

#define BLOCK 8 /* leaves below one stored node */
#define LEVELS 32

/* mantissa * 2^exponent; mantissa in [1, 2), or 0 for nothing. */
struct node {
	double mantissa;
	int64_t exponent;
};

/* level[0] has a node for every BLOCK leaves, each further level one for two of the level below,
 * the last in use one node, the root. Levels are arrays of their own: growth appends to each and
 * moves nothing. Only what `len` leaves need is initialised. */
struct sumtree {
	size_t len, cap; /* slots in use, reserved */
	unsigned top;    /* level of the root for len slots */
	double *leaf;
	struct node *level[LEVELS];
};

static size_t nodes_at(size_t len, unsigned level)
{
	size_t blocks = (len + BLOCK - 1) / BLOCK;

	return blocks ? ((blocks - 1) >> level) + 1 : 0;
}

static struct node add(struct node a, struct node b)
{
	struct node low = a.exponent < b.exponent ? a : b;
	struct node sum = a.exponent < b.exponent ? b : a;

	if (a.mantissa == 0 || b.mantissa == 0) {
		return a.mantissa == 0 ? b : a;
	}
	uint64_t apart = (uint64_t)sum.exponent - (uint64_t)low.exponent;

	if (apart < 64) {
		sum.mantissa += low.mantissa / (double)(UINT64_C(1) << apart);
	}
	if (sum.mantissa >= 2) {
		sum.mantissa /= 2;
		sum.exponent++;
	}
	return sum;
}

static struct node leaf_node(const struct sumtree *t, size_t slot)
{
	struct node n = {0, 0};

	if (slot < t->len) {
		n.exponent = num_exp_split(t->leaf[slot], &n.mantissa);
	}
	return n;
}

/* The nodes of one block as a heap: [1] the block's sum, [BLOCK] its first leaf. */
static void expand(const struct sumtree *t, size_t block, struct node ret[2 * BLOCK])
{
	for (size_t i = 0; i < BLOCK; i++) {
		ret[BLOCK + i] = leaf_node(t, block * BLOCK + i);
	}
	for (size_t i = BLOCK - 1; i > 0; i--) {
		ret[i] = add(ret[2 * i], ret[2 * i + 1]);
	}
}

static struct node child(const struct sumtree *t, unsigned level, size_t i)
{
	return i < nodes_at(t->len, level) ? t->level[level][i] : (struct node){0, 0};
}

static void refresh_node(struct sumtree *t, unsigned level, size_t i)
{
	if (level == 0) {
		struct node nodes[2 * BLOCK];

		expand(t, i, nodes);
		t->level[0][i] = nodes[1];
		return;
	}
	t->level[level][i] = add(child(t, level - 1, 2 * i), child(t, level - 1, 2 * i + 1));
}

static void refresh_path(struct sumtree *t, size_t slot)
{
	size_t i = slot / BLOCK;

	for (unsigned level = 0; level <= t->top; level++, i >>= 1) {
		refresh_node(t, level, i);
	}
}

int sumtree_new(struct sumtree **ret)
{
	struct sumtree *t = calloc(1, sizeof(*t));

	if (!t) {
		return RC_MEMORY;
	}
	*ret = t;
	return 0;
}

void sumtree_free(struct sumtree *t)
{
	if (t) {
		free(t->leaf);
		for (unsigned level = 0; level < LEVELS; level++) {
			free(t->level[level]);
		}
		free(t);
	}
}

int sumtree_reserve(struct sumtree *t, size_t slots)
{
	if (slots <= t->cap) {
		return 0;
	}
	if (slots > SLOTS_MAX) {
		return RC_LIMIT;
	}
	size_t cap = slots_capacity(slots), count = 2;
	double *leaf = realloc(t->leaf, cap * sizeof(*leaf));

	if (!leaf) {
		return RC_MEMORY;
	}
	t->leaf = leaf;
	for (unsigned level = 0; count > 1; level++) {
		count = nodes_at(cap, level);
		struct node *nodes = realloc(t->level[level], count * sizeof(*nodes));

		if (!nodes) {
			return RC_MEMORY;
		}
		t->level[level] = nodes;
	}
	t->cap = cap;
	return 0;
}

size_t sumtree_bytes(size_t slots)
{
	size_t cap = slots_capacity(slots);

	return sizeof(struct sumtree) + cap * sizeof(double) +
	       2 * (cap / BLOCK) * sizeof(struct node);
}

void sumtree_clear(struct sumtree *t)
{
	t->len = 0;
	t->top = 0;
}

/* Extends what is in use by empty slots; the sums follow in refresh_path or sumtree_build. */
static void extend(struct sumtree *t, size_t len)
{
	for (size_t i = t->len; i < len; i++) {
		t->leaf[i] = -HUGE_VAL;
	}
	t->len = len;
	while (nodes_at(len, t->top) > 1) {
		t->top++;
	}
}

void sumtree_set(struct sumtree *t, size_t slot, double log_weight)
{
	size_t before = t->len;
	unsigned top = t->top;

	assert(slot < t->cap && log_weight < HUGE_VAL);
	if (slot >= before) {
		extend(t, slot + 1);
		/* New nodes weigh nothing, except those above the old root and above this slot. */
		for (unsigned level = 0; level <= t->top; level++) {
			size_t end = nodes_at(t->len, level);

			for (size_t i = nodes_at(before, level); i < end; i++) {
				t->level[level][i] = (struct node){0, 0};
			}
		}
	}
	t->leaf[slot] = log_weight;
	if (before > 0 && t->top > top) {
		refresh_path(t, 0);
	}
	refresh_path(t, slot);
}

void sumtree_set_leaf(struct sumtree *t, size_t slot, double log_weight)
{
	assert(slot < t->cap && log_weight < HUGE_VAL);
	if (slot >= t->len) {
		extend(t, slot + 1);
	}
	t->leaf[slot] = log_weight;
}

void sumtree_build(struct sumtree *t)
{
	for (unsigned level = 0; level <= t->top; level++) {
		for (size_t i = 0; i < nodes_at(t->len, level); i++) {
			refresh_node(t, level, i);
		}
	}
}

static struct node root(const struct sumtree *t)
{
	return child(t, t->top, 0);
}

double sumtree_log_weight(const struct sumtree *t, size_t slot)
{
	return slot < t->len ? t->leaf[slot] : -HUGE_VAL;
}

bool sumtree_is_empty(const struct sumtree *t)
{
	return root(t).mantissa == 0;
}

double sumtree_root(const struct sumtree *t, int64_t *ret_exponent)
{
	struct node n = root(t);

	*ret_exponent = n.exponent;
	return n.mantissa;
}

double sumtree_log_total(const struct sumtree *t)
{
	struct node n = root(t);

	return num_log(n.mantissa) + (double)n.exponent * 0x1.62e42fefa39efp-1; /* ln 2 */
}

double sumtree_share(const struct sumtree *t, size_t slot)
{
	struct node n = leaf_node(t, slot), sum = root(t);

	assert(sum.mantissa > 0);
	return num_ldexp(n.mantissa / sum.mantissa, n.exponent - sum.exponent);
}

/* Between the children of sum. */
static bool goes_right(struct node sum, struct node left, struct node right, struct rng *rng)
{
	if (left.mantissa == 0 || right.mantissa == 0) {
		return left.mantissa == 0;
	}
	return rng_uniform(rng) * sum.mantissa >=
	       num_ldexp(left.mantissa, left.exponent - sum.exponent);
}

size_t sumtree_draw(const struct sumtree *t, struct rng *rng)
{
	struct node nodes[2 * BLOCK], sum = root(t);
	size_t i = 0, k = 1;

	assert(sum.mantissa > 0);
	for (unsigned level = t->top; level > 0; level--) {
		struct node left = child(t, level - 1, 2 * i);
		struct node right = child(t, level - 1, 2 * i + 1);
		bool is_right = goes_right(sum, left, right, rng);

		sum = is_right ? right : left;
		i = 2 * i + is_right;
	}
	expand(t, i, nodes);
	while (k < BLOCK) {
		k = 2 * k + goes_right(nodes[k], nodes[2 * k], nodes[2 * k + 1], rng);
	}
	return i * BLOCK + (k - BLOCK);
}
