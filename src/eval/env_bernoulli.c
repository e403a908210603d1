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

static void bernoulli_release(void *env)
{
	struct bernoulli *b = env;

	free(b->mean);
}

static int bernoulli_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, offsetof(struct given, env), 0, 0, 0, NULL},
	    {"means", BIND_JSON, offsetof(struct given, means), BIND_REQUIRED, 0, 0, NULL},
	    {.name = NULL},
	};
	struct given given;
	struct bernoulli *b = env;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	rc = env_numbers(given.means, "/means", 0, 1, &b->mean, &b->arms, err);
	if (rc) {
		return rc;
	}
	for (uint32_t i = 0; i < b->arms; i++) {
		b->best = b->mean[i] > b->best ? b->mean[i] : b->best;
	}
	return 0;
}

static uint32_t bernoulli_arms(const void *env)
{
	return ((const struct bernoulli *)env)->arms;
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
    .size = sizeof(struct bernoulli),
    .read = bernoulli_read,
    .release = bernoulli_release,
    .arms = bernoulli_arms,
    .step = bernoulli_step,
    .optimum = bernoulli_optimum,
};
