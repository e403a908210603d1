/* SPDX-License-Identifier: Apache-2.0 */
/* A tournament that knows how long its results last. Every node holds one arm, the winner of the
 * arms below it and itself, and the largest ln t up to which that is certain; when t passes it the
 * node is played again, and only then.
 *
 * How long: an index is concave in ln t, so the loser's stays below its tangent, the winner's above
 * a chord; they cannot meet before those lines do. No end when the loser can never win: no larger
 * mean, no larger variance, no fewer plays.
 *
 * Arms whose rewards are the same but came in another order differ in the last bits, and their
 * order may turn at every t. Such a match is left open: its node is loose, which means that an arm
 * below it may be ahead of the winner, by no more than SLACK a match. The question then looks below
 * loose nodes for what the slack leaves possible, which is little, and always answers as a scan
 * does.
 *
 * Arms are in order of plays, variance, mean and slot, in a treap: arms with equal numbers stand
 * together and never play a match that can turn. In order of slots, two large groups of equal arms
 * whose indices cross would have to be played again in half of all nodes at one moment. */
#include <stdlib.h>

#include "policies/ucb_impl.h"

#define NEVER HUGE_VAL
/* Relative to 1 + index. The margin is far above the rounding of an index, so that it cannot hide a
 * turn. */
#define MARGIN 1e-11
#define SLACK 1e-9

struct ucb_node {
	struct ucb_stat stat;
	double until; /* ln t */
	uint32_t left, right, parent, best;
	uint32_t loose; /* matches left open below, one above another */
};

_Static_assert(sizeof(struct ucb_node) == UCB_NODE_BYTES, "as the bound says");

int ucb_tree_reserve(struct ucb_tree *t, size_t slots)
{
	struct ucb_node *node = realloc(t->node, slots * sizeof(*node));

	if (!node) {
		return RC_MEMORY;
	}
	t->node = node;
	return 0;
}

/* Fixed and unrelated to what arms learn: the shape decides the cost, never the answer. */
static uint64_t scatter(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t priority(uint32_t slot)
{
	return scatter((slot + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15));
}

/* The best of a subtree, or of a node's own. */
struct side {
	uint32_t arm, loose;
	double index, until;
};

static double index_of(const struct ucb_tree *t, const struct ucb_time *now, uint32_t arm)
{
	return t->kind->index(now, &t->node[arm].stat, -HUGE_VAL);
}

/* The loser can never win from now on. */
static bool is_hopeless(
    const struct ucb_tree *t, const struct ucb_time *now, uint32_t winner, uint32_t loser)
{
	const struct ucb_stat *w = &t->node[winner].stat, *l = &t->node[loser].stat;

	return l->k >= w->k && (l->mean < w->mean || (l->mean == w->mean && loser > winner)) &&
	       (l->var <= w->var || t->kind->is_full(now, w));
}

/* Up to which ln t the loser certainly gains less than gap on the winner; at most `most` ahead, a
 * little less by chance, lest all matches of one moment end together. */
static double lead(const struct ucb_tree *t, const struct ucb_time *now, const struct side *winner,
    uint32_t loser, double gap, double most)
{
	struct ucb_time later = *now;
	double ahead, rise;

	most *= 0.5 + 0x1p-65 * (double)scatter((uint64_t)winner->arm << 32 | loser);
	later.log_t += most;
	rise = (index_of(t, &later, winner->arm) - winner->index) / most;
	ahead = gap / (t->kind->slope(now, &t->node[loser].stat) - rise);
	return now->log_t + (ahead > 0 && ahead < most ? ahead : most);
}

/* Plays a match of two sides, the first of which becomes the winner. */
static void match(
    const struct ucb_tree *t, const struct ucb_time *now, struct side *a, struct side b)
{
	struct side c = *a, *w = a, *l = &b;
	double scale, gap, end;

	if (ucb_before(b.index, t->node[b.arm].stat.mean, b.arm, c.index, t->node[c.arm].stat.mean,
		c.arm)) {
		*a = b;
		b = c;
	}
	scale = 1 + fabs(w->index);
	gap = w->index - l->index - (MARGIN + l->loose * SLACK) * scale;
	w->until = w->until < l->until ? w->until : l->until;
	if (is_hopeless(t, now, w->arm, l->arm) && (l->loose == 0 || !(gap > 0))) {
		w->loose = w->loose > l->loose ? w->loose : l->loose;
		return;
	}
	if (gap > 0) {
		end = lead(t, now, w, l->arm, gap, 1);
	} else {
		w->loose = (w->loose > l->loose ? w->loose : l->loose) + 1;
		end = lead(t, now, w, l->arm, w->index - l->index + SLACK * scale, 0x1p-10);
	}
	w->until = end < w->until ? end : w->until;
}

static struct side side_of(const struct ucb_tree *t, const struct ucb_time *now, uint32_t child)
{
	const struct ucb_node *n = &t->node[child];

	return (struct side){
	    .arm = n->best,
	    .loose = n->loose,
	    .index = index_of(t, now, n->best),
	    .until = n->until,
	};
}

/* Sets the result at i from those of its children; true when it is another one. */
static bool play(struct ucb_tree *t, const struct ucb_time *now, uint32_t i)
{
	struct ucb_node *n = &t->node[i];
	struct side best = {.arm = i, .index = index_of(t, now, i), .until = NEVER};
	bool same;

	if (n->left != UCB_NONE) {
		match(t, now, &best, side_of(t, now, n->left));
	}
	if (n->right != UCB_NONE) {
		match(t, now, &best, side_of(t, now, n->right));
	}
	same = best.arm == n->best && best.until == n->until && best.loose == n->loose;
	n->best = best.arm;
	n->until = best.until;
	n->loose = best.loose;
	return !same;
}

/* As deep as the treap: about 3 log2(arms). */
static void play_stale(struct ucb_tree *t, const struct ucb_time *now, uint32_t i)
{
	if (i != UCB_NONE && t->node[i].until < now->log_t) {
		play_stale(t, now, t->node[i].left);
		play_stale(t, now, t->node[i].right);
		play(t, now, i);
	}
}

void ucb_tree_settle(struct ucb_tree *t, const struct ucb_time *now)
{
	play_stale(t, now, t->root);
}

/* Takes the better of *best and the best below i. */
static void search(
    const struct ucb_tree *t, const struct ucb_time *now, uint32_t i, struct side *best)
{
	const struct ucb_node *n;
	struct side here;

	if (i == UCB_NONE) {
		return;
	}
	n = &t->node[i];
	here = side_of(t, now, i);
	/* Twice the slack, since the scale of a match below may have been a little larger. */
	if (best->arm != UCB_NONE &&
	    here.index + 2 * here.loose * SLACK * (1 + fabs(here.index)) < best->index) {
		return;
	}
	if (best->arm == UCB_NONE || ucb_before(here.index, t->node[here.arm].stat.mean, here.arm,
					 best->index, t->node[best->arm].stat.mean, best->arm)) {
		*best = here;
	}
	if (n->loose == 0) {
		return;
	}
	here = (struct side){.arm = i, .index = index_of(t, now, i)};
	if (ucb_before(here.index, n->stat.mean, i, best->index, t->node[best->arm].stat.mean,
		best->arm)) {
		*best = here;
	}
	search(t, now, n->left, best);
	search(t, now, n->right, best);
}

uint32_t ucb_tree_best(const struct ucb_tree *t, const struct ucb_time *now)
{
	struct side best = {.arm = UCB_NONE};

	if (t->root != UCB_NONE && t->node[t->root].loose == 0) {
		return t->node[t->root].best;
	}
	search(t, now, t->root, &best);
	return best.arm;
}

/* From i upwards, until a result stays. */
static void climb(struct ucb_tree *t, const struct ucb_time *now, uint32_t i)
{
	while (i != UCB_NONE && play(t, now, i)) {
		i = t->node[i].parent;
	}
}

static bool key_less(const struct ucb_tree *t, uint32_t a, uint32_t b)
{
	const struct ucb_stat *x = &t->node[a].stat, *y = &t->node[b].stat;

	if (x->k != y->k) {
		return x->k < y->k;
	}
	if (x->var != y->var) {
		return x->var < y->var;
	}
	return x->mean != y->mean ? x->mean < y->mean : a < b;
}

/* The link that points at i. */
static uint32_t *link_of(struct ucb_tree *t, uint32_t i)
{
	struct ucb_node *p;

	if (t->node[i].parent == UCB_NONE) {
		return &t->root;
	}
	p = &t->node[t->node[i].parent];
	return p->left == i ? &p->left : &p->right;
}

/* c takes the place of its parent p; both must be played again. */
static void rotate_up(struct ucb_tree *t, uint32_t c)
{
	struct ucb_node *n = t->node;
	uint32_t p = n[c].parent, *down = link_of(t, p);
	uint32_t *inner = n[p].left == c ? &n[c].right : &n[c].left;

	*(n[p].left == c ? &n[p].left : &n[p].right) = *inner;
	if (*inner != UCB_NONE) {
		n[*inner].parent = p;
	}
	*inner = p;
	*down = c;
	n[c].parent = n[p].parent;
	n[p].parent = c;
	n[c].until = n[p].until = -HUGE_VAL;
}

void ucb_tree_attach(struct ucb_tree *t, uint32_t slot, const struct ucb_stat *stat)
{
	uint32_t *down = &t->root, parent = UCB_NONE;

	t->node[slot] = (struct ucb_node){
	    .stat = *stat, .until = -HUGE_VAL, .left = UCB_NONE, .right = UCB_NONE, .best = slot};
	while (*down != UCB_NONE) {
		parent = *down;
		down = key_less(t, slot, parent) ? &t->node[parent].left : &t->node[parent].right;
	}
	*down = slot;
	t->node[slot].parent = parent;
	while (parent != UCB_NONE && priority(parent) < priority(slot)) {
		rotate_up(t, slot);
		parent = t->node[slot].parent;
	}
}

void ucb_tree_insert(
    struct ucb_tree *t, const struct ucb_time *now, uint32_t slot, const struct ucb_stat *stat)
{
	ucb_tree_attach(t, slot, stat);
	play_stale(t, now, slot);
	climb(t, now, t->node[slot].parent);
}

void ucb_tree_remove(struct ucb_tree *t, const struct ucb_time *now, uint32_t slot)
{
	struct ucb_node *n = &t->node[slot];
	uint32_t above = n->parent, *down = link_of(t, slot), rest;

	while (n->left != UCB_NONE && n->right != UCB_NONE) {
		rotate_up(t, priority(n->left) > priority(n->right) ? n->left : n->right);
	}
	rest = n->left != UCB_NONE ? n->left : n->right;
	*link_of(t, slot) = rest;
	if (rest != UCB_NONE) {
		t->node[rest].parent = n->parent;
	}
	play_stale(t, now, *down);
	climb(t, now, above);
}
