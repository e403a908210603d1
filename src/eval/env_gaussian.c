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

static void gaussian_release(void *env)
{
	struct gaussian *g = env;

	free(g->mean);
}

static int gaussian_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, offsetof(struct given, env), 0, 0, 0, NULL},
	    {"means", BIND_JSON, offsetof(struct given, means), BIND_REQUIRED, 0, 0, NULL},
	    {"sd", BIND_NUMBER, offsetof(struct given, sd), 0, 0, MEAN_MOST, NULL},
	    {.name = NULL},
	};
	struct given given = {.sd = SD_DEFAULT};
	struct gaussian *g = env;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	g->sd = given.sd;
	rc = env_numbers(given.means, "/means", -MEAN_MOST, MEAN_MOST, &g->mean, &g->arms, err);
	if (rc) {
		return rc;
	}
	g->least = g->best = g->mean[0];
	for (uint32_t i = 0; i < g->arms; i++) {
		g->best = g->mean[i] > g->best ? g->mean[i] : g->best;
		g->least = g->mean[i] < g->least ? g->mean[i] : g->least;
	}
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
    .size = sizeof(struct gaussian),
    .read = gaussian_read,
    .release = gaussian_release,
    .arms = gaussian_arms,
    .range = gaussian_range,
    .step = gaussian_step,
    .optimum = gaussian_optimum,
};
