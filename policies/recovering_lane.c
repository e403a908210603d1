/* SPDX-License-Identifier: Apache-2.0 */
/* A lane's free residue classes. Splitting (p, o) gives (2p, o) and (2p, o + p): a buddy allocator
 * of time, so what is handed out never overlaps. */
#include <stdlib.h>

#include "policies/recovering_plan_impl.h"

static uint32_t level_of(const struct rp_lane *lane, uint32_t p)
{
	uint32_t level = 0;

	while (lane->a << level < p) {
		level++;
	}
	return level;
}

static int reserve(struct rp_lane *lane, size_t n)
{
	size_t cap = lane->cap ? lane->cap : 16;
	struct rp_node *node;

	if (lane->n + n <= lane->cap) {
		return 0;
	}
	while (cap < lane->n + n) {
		cap *= 2;
	}
	node = realloc(lane->node, cap * sizeof(*node));
	if (!node) {
		return RC_MEMORY;
	}
	lane->node = node;
	lane->cap = cap;
	return 0;
}

static void add(struct rp_lane *lane, uint32_t p, uint32_t o)
{
	lane->node[lane->n++] = (struct rp_node){p, o};
	lane->count[level_of(lane, p)]++;
}

static void drop(struct rp_lane *lane, size_t at)
{
	lane->count[level_of(lane, lane->node[at].p)]--;
	lane->node[at] = lane->node[--lane->n];
}

int rp_lane_init(struct rp_lane *lane, uint32_t a)
{
	lane->a = a;
	lane->n = 0;
	for (uint32_t l = 0; l < RP_LEVELS; l++) {
		lane->count[l] = 0;
	}
	if (reserve(lane, a)) {
		return RC_MEMORY;
	}
	for (uint32_t o = 0; o < a; o++) {
		add(lane, a, o);
	}
	return 0;
}

int rp_lane_alloc(struct rp_lane *lane, uint32_t d, uint32_t *ret_o)
{
	uint32_t level = level_of(lane, d), p;
	size_t best = lane->n;

	if (reserve(lane, RP_LEVELS)) {
		return RC_MEMORY;
	}
	while (level > 0 && lane->count[level] == 0) {
		level--;
	}
	p = lane->a << level;
	for (size_t i = 0; i < lane->n; i++) {
		if (lane->node[i].p == p &&
		    (best == lane->n || lane->node[i].o < lane->node[best].o)) {
			best = i;
		}
	}
	*ret_o = lane->node[best].o;
	drop(lane, best);
	for (; p < d; p *= 2) {
		add(lane, 2 * p, *ret_o + p);
	}
	return 0;
}

/* Where the other half of the node is free; lane->n: nowhere. */
static size_t buddy_of(const struct rp_lane *lane, struct rp_node node)
{
	uint32_t half = node.p / 2, o = node.o < half ? node.o + half : node.o - half;
	size_t i = 0;

	if (node.p == lane->a || lane->count[level_of(lane, node.p)] == 0) {
		return lane->n;
	}
	while (i < lane->n && (lane->node[i].p != node.p || lane->node[i].o != o)) {
		i++;
	}
	return i;
}

static struct rp_node parent_of(struct rp_node node)
{
	uint32_t half = node.p / 2;

	return (struct rp_node){half, node.o < half ? node.o : node.o - half};
}

int rp_lane_release(struct rp_lane *lane, struct rp_node node)
{
	size_t at;

	if (reserve(lane, 1)) {
		return RC_MEMORY;
	}
	while ((at = buddy_of(lane, node)) < lane->n) {
		drop(lane, at);
		node = parent_of(node);
	}
	add(lane, node.p, node.o);
	return 0;
}

uint32_t rp_lane_would_leave(const struct rp_lane *lane, struct rp_node node)
{
	while (buddy_of(lane, node) < lane->n) {
		node = parent_of(node);
	}
	return node.p;
}
