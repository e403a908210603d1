/* SPDX-License-Identifier: Apache-2.0 */
/* The structures for many slots, for the files exp3*.c. */
#ifndef POLICIES_EXP3_FAST_H
#define POLICIES_EXP3_FAST_H

#include "policies/exp3_impl.h"

#define EXP3_NODES_MAX 24

/* Weights exp(rate (R_a - shift)) of active arms; with sums the normaliser at any rate up to top.
 */
struct exp3_side {
	struct sumtree *tree;
	struct num_sum *sum; /* at each Chebyshev node of [rate, top]; NULL unless moving */
	double rate, top, shift;
	double peak;   /* largest top (max R - shift) so far: what the sums have lost bits to */
	uint32_t arms; /* K that the rates are for; 0: the side is not in use */
	bool stale;    /* the sums are worth nothing: only `rate` may be asked for */
};

struct exp3_fast {
	struct exp3_side live, next;
	struct maxtree *max;   /* of R over active arms; NULL unless moving */
	uint64_t next_end;     /* last decision that next is made for */
	uint32_t cursor, step; /* words in next; words a decision */
	double cosine[EXP3_NODES_MAX], sine[EXP3_NODES_MAX]; /* of the Chebyshev angles */
};

/* exp3_epoch.c: the rates that serve the decisions edge + 1 ... *ret_end. */
void exp3_plan(const struct exp3 *e, uint64_t edge, struct exp3_side *ret, uint64_t *ret_end);

/* exp3_fast.c: many slots. Nothing can fail but reserve. */
int exp3_fast_reserve(struct exp3 *e, size_t slots);
void exp3_fast_free(struct exp3_fast *f); /* NULL is fine */
size_t exp3_fast_bytes(enum exp3_mode mode, const struct exp3_params *p, size_t slots);
/* R of a slot changes; -inf: it comes or goes. */
void exp3_fast_move(struct exp3 *e, uint32_t slot, double from, double to);
void exp3_fast_start(struct exp3 *e); /* the first slot too many has come */
/* An empty side with its numbers set gets ready to be filled; so many words at once. */
void exp3_side_begin(struct exp3 *e, struct exp3_side *s);
void exp3_side_fill(struct exp3 *e, struct exp3_side *s, size_t from_word, size_t to_word);
void exp3_side_clear(struct exp3_side *s);
void exp3_side_zero(const struct exp3 *e, struct exp3_side *s); /* the sums */
bool exp3_side_in_range(const struct exp3 *e, const struct exp3_side *s, double *ret_peak);
double exp3_fast_share(const struct exp3 *e, double rate, uint32_t slot); /* Gibbs part alone */
double exp3_fast_level(const struct exp3 *e, double rate);
uint32_t exp3_fast_draw(const struct exp3 *e, double rate, struct rng *rng);

/* exp3_cheb.c */
void exp3_cheb_angles(struct exp3_fast *f, int n);
double exp3_cheb_node(const struct exp3_fast *f, const struct exp3_side *s, int j);
void exp3_cheb_add(struct exp3 *e, struct exp3_side *s, double r, bool subtract);
/* sum_b exp(rate (R_b - max)), for rate in [s->rate, s->top]; s is not stale. */
double exp3_cheb_sum(const struct exp3 *e, const struct exp3_side *s, double rate, double max);

#endif
