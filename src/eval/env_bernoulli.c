/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"bernoulli","means":[0.6,0.4]}: arm a answers 1 with probability means[a], else 0. */
#include <stdlib.h>

#include "eval/env.h"
#include "json/bind.h"

struct given {
	const json_t *env, *means;
};

struct bernoulli {
	double *mean, best;
	uint32_t arms;
};

static void bernoulli_destroy(void *env)
{
	struct bernoulli *b = env;

	if (b) {
		free(b->mean);
		free(b);
	}
}

static int bernoulli_create(const json_t *spec, void **ret_env, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {.name = "env", .type = BIND_JSON, .offset = offsetof(struct given, env)},
	    {.name = "means",
		.type = BIND_JSON,
		.offset = offsetof(struct given, means),
		.flags = BIND_REQUIRED},
	    {.name = NULL},
	};
	struct given given;
	struct bernoulli *b;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	b = calloc(1, sizeof(*b));
	if (!b) {
		return RC_MEMORY;
	}
	rc = env_numbers(given.means, "/means", 0, 1, &b->mean, &b->arms, err);
	if (rc) {
		bernoulli_destroy(b);
		return rc;
	}
	for (uint32_t i = 0; i < b->arms; i++) {
		b->best = b->mean[i] > b->best ? b->mean[i] : b->best;
	}
	*ret_env = b;
	return 0;
}

static uint32_t bernoulli_arms(const void *env)
{
	return ((const struct bernoulli *)env)->arms;
}

static void bernoulli_range(const void *env, double *ret_lo, double *ret_hi)
{
	(void)env;
	*ret_lo = 0;
	*ret_hi = 1;
}

static double bernoulli_step(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean)
{
	const struct bernoulli *b = env;

	(void)t;
	*ret_mean = b->mean[arm];
	return rng_uniform(rng) < b->mean[arm];
}

static double bernoulli_optimum(const void *env, uint64_t t)
{
	return (double)t * ((const struct bernoulli *)env)->best;
}

const struct env_ops env_bernoulli_ops = {
    .name = "bernoulli",
    .summary = "each arm answers 1 with its own probability, else 0",
    .create = bernoulli_create,
    .destroy = bernoulli_destroy,
    .arms = bernoulli_arms,
    .range = bernoulli_range,
    .step = bernoulli_step,
    .optimum = bernoulli_optimum,
};
