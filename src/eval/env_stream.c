/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"stream","arms":500,"shape":"clear"}: so many arms with means drawn anew for each run, in
 * the order in which they come. clear: normal around 0.5 with deviation 0.1, within [0, 0.8], but
 * for one of 0.82; mix: uniform in [0, 1]; hard: all 0.5 but for one that is better by eps,
 * (K / T)^(1/3) of 500 arms in 500,000 decisions. Arm a answers 1 with its mean, else 0. A policy
 * that takes them one by one reads them in this order; others have them all at once. */
#include <stdlib.h>

#include "eval/env.h"
#include "json/bind.h"

#define CLEAR_MOST 0.8
#define CLEAR_BEST 0.82
#define HARD_MEAN 0.5
#define HARD_BEST 0.6

enum shape { CLEAR, MIX, HARD };

struct given {
	const json_t *env;
	uint64_t arms;
	int shape;
};

struct stream {
	double *mean, best;
	uint32_t arms;
	enum shape shape;
};

static void stream_release(void *env)
{
	struct stream *e = env;

	free(e->mean);
}

static int stream_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const char *const shapes[] = {"clear", "mix", "hard", NULL};
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, offsetof(struct given, env), 0, 0, 0, NULL},
	    {"shape", BIND_CHOICE, offsetof(struct given, shape), 0, 0, 0, shapes},
	    {"arms", BIND_U64, offsetof(struct given, arms), BIND_REQUIRED, 1, ENV_ARMS_MAX, NULL},
	    {.name = NULL},
	};
	struct given given = {.shape = 0};
	struct stream *e = env;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	e->shape = (enum shape)given.shape;
	e->arms = (uint32_t)given.arms;
	e->mean = calloc(e->arms, sizeof(*e->mean));
	return e->mean ? 0 : RC_MEMORY;
}

static uint32_t stream_arms(const void *env)
{
	return ((const struct stream *)env)->arms;
}

static double draw_mean(const struct stream *e, struct rng *rng)
{
	double v;

	if (e->shape != CLEAR) {
		return e->shape == MIX ? rng_uniform(rng) : HARD_MEAN;
	}
	do {
		v = 0.5 + 0.1 * rng_normal(rng);
	} while (v < 0 || v > CLEAR_MOST);
	return v;
}

/* The run's own generator draws the arms, so that every policy meets the same ones. */
static void stream_ask(void *env, uint64_t t, struct rng *rng, struct env_ask *ret)
{
	struct stream *e = env;

	(void)ret;
	if (t != 1) {
		return;
	}
	e->best = 0;
	for (uint32_t i = 0; i < e->arms; i++) {
		e->mean[i] = draw_mean(e, rng);
	}
	if (e->shape != MIX) {
		e->mean[rng_below(rng, e->arms)] = e->shape == CLEAR ? CLEAR_BEST : HARD_BEST;
	}
	for (uint32_t i = 0; i < e->arms; i++) {
		e->best = e->mean[i] > e->best ? e->mean[i] : e->best;
	}
}

static double stream_step(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean)
{
	const struct stream *e = env;

	(void)t;
	*ret_mean = e->mean[arm];
	return rng_uniform(rng) < e->mean[arm];
}

static double stream_optimum(const void *env, uint64_t t)
{
	return (double)t * ((const struct stream *)env)->best;
}

const struct env_ops env_stream_ops = {
    .name = "stream",
    .summary = "many arms in the order in which they come, drawn anew for each run",
    .size = sizeof(struct stream),
    .read = stream_read,
    .release = stream_release,
    .arms = stream_arms,
    .ask = stream_ask,
    .step = stream_step,
    .optimum = stream_optimum,
};
