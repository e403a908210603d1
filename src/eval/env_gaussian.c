/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"gaussian","means":[0.6,0.4],"sd":0.1}: arm a answers means[a] plus normal noise. A normal
 * has no range and an experiment needs one: four standard deviations around the means, and [0, 1]
 * in any case, so that usual instances compare. What lies beyond is clipped. */
#include <stdlib.h>

#include "eval/env.h"
#include "json/bind.h"

#define MEAN_MOST 1e9
#define SD_DEFAULT 0.1
#define RANGE_SD 4

struct given {
	const json_t *env, *means;
	double sd;
};

struct gaussian {
	double *mean, least, best, sd;
	uint32_t arms;
};

static void gaussian_destroy(void *env)
{
	struct gaussian *g = env;

	if (g) {
		free(g->mean);
		free(g);
	}
}

static int gaussian_create(const json_t *spec, void **ret_env, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {.name = "env", .type = BIND_JSON, .offset = offsetof(struct given, env)},
	    {.name = "means",
		.type = BIND_JSON,
		.offset = offsetof(struct given, means),
		.flags = BIND_REQUIRED},
	    {.name = "sd",
		.type = BIND_NUMBER,
		.offset = offsetof(struct given, sd),
		.max = MEAN_MOST},
	    {.name = NULL},
	};
	struct given given = {.sd = SD_DEFAULT};
	struct gaussian *g;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	g = calloc(1, sizeof(*g));
	if (!g) {
		return RC_MEMORY;
	}
	g->sd = given.sd;
	rc = env_numbers(given.means, "/means", -MEAN_MOST, MEAN_MOST, &g->mean, &g->arms, err);
	if (rc) {
		gaussian_destroy(g);
		return rc;
	}
	g->least = g->best = g->mean[0];
	for (uint32_t i = 0; i < g->arms; i++) {
		g->best = g->mean[i] > g->best ? g->mean[i] : g->best;
		g->least = g->mean[i] < g->least ? g->mean[i] : g->least;
	}
	*ret_env = g;
	return 0;
}

static uint32_t gaussian_arms(const void *env)
{
	return ((const struct gaussian *)env)->arms;
}

static void gaussian_range(const void *env, double *ret_lo, double *ret_hi)
{
	const struct gaussian *g = env;
	double lo = g->least - RANGE_SD * g->sd, hi = g->best + RANGE_SD * g->sd;

	*ret_lo = lo < 0 ? lo : 0;
	*ret_hi = hi > 1 ? hi : 1;
}

static double gaussian_step(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean)
{
	const struct gaussian *g = env;

	(void)t;
	*ret_mean = g->mean[arm];
	return g->mean[arm] + g->sd * rng_normal(rng);
}

static double gaussian_optimum(const void *env, uint64_t t)
{
	return (double)t * ((const struct gaussian *)env)->best;
}

const struct env_ops env_gaussian_ops = {
    .name = "gaussian",
    .summary = "each arm answers its own mean plus normal noise",
    .create = gaussian_create,
    .destroy = gaussian_destroy,
    .arms = gaussian_arms,
    .range = gaussian_range,
    .step = gaussian_step,
    .optimum = gaussian_optimum,
};
