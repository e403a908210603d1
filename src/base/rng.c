/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <math.h>

#include "base/num.h"

__extension__ typedef unsigned __int128 rng_u128; /* no ISO C type is that wide */

#define ROUNDS 10

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4])
{
	uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
	uint32_t k0 = key[0], k1 = key[1];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t p0 = UINT64_C(0xD2511F53) * c0, p1 = UINT64_C(0xCD9E8D57) * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)p1;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)p0;
		k0 += UINT32_C(0x9E3779B9);
		k1 += UINT32_C(0xBB67AE85);
	}
	ret[0] = c0;
	ret[1] = c1;
	ret[2] = c2;
	ret[3] = c3;
}

struct rng rng_at(uint64_t key, uint64_t seq, enum rng_stream s)
{
	return (struct rng){.key = key, .seq = seq, .stream = (uint32_t)s};
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t i = r->next++;

	if (i & 1) {
		return r->spare;
	}
	uint32_t key[2] = {(uint32_t)r->key, (uint32_t)(r->key >> 32)}, out[4];
	uint32_t counter[4] = {
	    (uint32_t)r->seq, (uint32_t)(r->seq >> 32), r->stream, (uint32_t)(i >> 1)};

	rng_philox(counter, key, out);
	r->spare = out[2] | (uint64_t)out[3] << 32;
	return out[0] | (uint64_t)out[1] << 32;
}

double rng_uniform(struct rng *r)
{
	return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

/* Strictly inside (0, 1) and symmetric about 1/2; the odd multiples of 2^-53 are exact. */
static double uniform_open(struct rng *r)
{
	return ((double)(rng_u64(r) >> 12) + 0.5) * 0x1p-52;
}

double rng_normal(struct rng *r)
{
	return num_norm_quantile(uniform_open(r));
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	rng_u128 product = (rng_u128)rng_u64(r) * n;

	if ((uint64_t)product < n) {
		uint64_t least = -n % n; /* 2^64 mod n low parts come once too often */

		while ((uint64_t)product < least) {
			product = (rng_u128)rng_u64(r) * n;
		}
	}
	return (uint64_t)(product >> 64);
}

/* Marsaglia and Tsang for shape >= 1. */
static double gamma_large(struct rng *r, double shape)
{
	double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

	for (;;) {
		double x = rng_normal(r), v = 1 + c * x, u = rng_uniform(r);

		if (v <= 0) {
			continue;
		}
		v = v * v * v;
		if (u < 1 - 0.0331 * (x * x) * (x * x) ||
		    num_log(u) < 0.5 * x * x + d * (1 - v + num_log(v))) {
			return d * v;
		}
	}
}

/* log of a gamma draw: for small shapes the draw itself would underflow. */
static double gamma_log(struct rng *r, double shape)
{
	if (shape >= 1) {
		return num_log(gamma_large(r, shape));
	}
	double large = num_log(gamma_large(r, shape + 1));

	return large + num_log(uniform_open(r)) / shape;
}

double rng_gamma(struct rng *r, double shape)
{
	return shape >= 1 ? gamma_large(r, shape) : num_exp(gamma_log(r, shape));
}

double rng_beta(struct rng *r, double a, double b)
{
	double log_x, log_y;

	if (a >= 1 && b >= 1) {
		double x = gamma_large(r, a), y = gamma_large(r, b);

		return x / (x + y);
	}
	log_x = gamma_log(r, a);
	log_y = gamma_log(r, b);
	return 1 / (1 + num_exp(log_y - log_x));
}
