/* SPDX-License-Identifier: Apache-2.0 */
/* Weights exp(x) of any size over up to 10^6 and more slots; draws a slot in proportion, exactly,
 * in O(log n). A leaf is kept as its log weight x; an inner node is the sum of its two children and
 * nothing else, as a mantissa and a 64-bit exponent, so nothing overflows or underflows and there
 * are no running totals: the tree is a function of its leaves, to the bit, whatever the order of
 * updates, growth and rebuilding, and so are its draws. Slots never set, and empty ones, weigh
 * nothing and leave no trace in any sum or draw. The same bits on every machine.
 *
 * Memory: 12 bytes per slot reserved (8 for the leaf, one node of 16 bytes for 8 leaves, and as
 * much again above). The lowest three levels are computed when they are needed. */
#ifndef CORE_SUMTREE_H
#define CORE_SUMTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

struct sumtree;

int sumtree_new(struct sumtree **ret); /* RC_MEMORY */
void sumtree_free(struct sumtree *t);  /* NULL is fine */
/* Room for `slots`, never less than before: below that no call can fail. Touches no leaf. RC_MEMORY
 * or RC_LIMIT (SLOTS_MAX), and the tree is as it was. */
int sumtree_reserve(struct sumtree *t, size_t slots);
size_t sumtree_bytes(size_t slots);    /* reserved by the above, at most */
void sumtree_clear(struct sumtree *t); /* every slot empty, in constant time */

/* The log weight of a reserved slot: -inf empties it, NaN and +inf are not allowed. |x| <= 2^40
 * keeps full accuracy (num_exp_split). O(log n); the first use of a slot far above all earlier ones
 * also costs the distance. */
void sumtree_set(struct sumtree *t, size_t slot, double log_weight);
/* In bulk: any number of these, then one build, in O(n). Until then only these two are allowed. */
void sumtree_set_leaf(struct sumtree *t, size_t slot, double log_weight);
void sumtree_build(struct sumtree *t);

double sumtree_log_weight(const struct sumtree *t, size_t slot); /* as set; -inf when never set */
bool sumtree_is_empty(const struct sumtree *t);
/* The sum of all weights: mantissa in [1, 2) * 2^*ret_exponent, or 0. */
double sumtree_root(const struct sumtree *t, int64_t *ret_exponent);
double sumtree_log_total(const struct sumtree *t);          /* its logarithm, -inf when empty */
double sumtree_share(const struct sumtree *t, size_t slot); /* weight over sum; tree not empty */

/* A slot with probability sumtree_share(), up to 2^-53 for each level; never an empty one. Uses one
 * uniform for each level at which both sides weigh something. The tree is not empty. */
size_t sumtree_draw(const struct sumtree *t, struct rng *rng);

#endif
