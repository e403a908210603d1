/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness without state to keep: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) encrypts the
 * counter (seq low, seq high, stream, block) under a key, so the i-th word is a function of (key,
 * seq, stream, i) and a replay draws what the log says was drawn. Nothing here reads anything else.
 * Every number is the same on every machine (see num.h). Not for secrets. A struct rng is a value:
 * copy it, use it in one thread, forget it. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* What the draws are for. Streams never overlap. The numbers are stored by what they drew: append
 * only. */
enum rng_stream {
	RNG_DRAW = 0,   /* which arm */
	RNG_POLICY = 1, /* inside a policy: posterior samples, ties */
	RNG_ID = 2,     /* names handed out */
	RNG_ENV = 3,    /* a simulated environment */
	RNG_SAMPLE = 4, /* resampling and shuffles in evaluation */
	RNG_TEST = 5,
};

struct rng {
	uint64_t key, seq;
	uint64_t next; /* i of the next word; 2^33 words, then they repeat */
	uint64_t spare;
	uint32_t stream;
};

struct rng rng_at(uint64_t key, uint64_t seq, enum rng_stream s);

/* The i-th word, 64 bits; each call of the first four below uses exactly one, except that rng_below
 * draws again with probability below n / 2^64. A Philox block gives two. */
uint64_t rng_u64(struct rng *r);
double rng_uniform(struct rng *r);             /* a multiple of 2^-53 in [0, 1) */
double rng_normal(struct rng *r);              /* inverse distribution function, |x| < 8.3 */
uint64_t rng_below(struct rng *r, uint64_t n); /* unbiased in [0, n), n > 0 (Lemire 2019) */

/* Shapes in [1e-100, 1e100]. These use a number of words that depends on what is drawn (Marsaglia
 * and Tsang 2000; about 1.05 tries of two words). A gamma draw with a small shape may be 0. */
double rng_gamma(struct rng *r, double shape);      /* scale 1 */
double rng_beta(struct rng *r, double a, double b); /* in [0, 1], never NaN */

/* The block function: counter and key in, four words out. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4]);

#endif
