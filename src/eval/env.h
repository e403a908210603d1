/* SPDX-License-Identifier: Apache-2.0 */
/* Environments: what answers an arm with a reward and knows what the best answer would have been.
 *
 * To add one: write env_NAME.c with one `const struct env_ops`, its line in env.c and in
 * Makefile.inc. An environment is given as JSON, {"env":"bernoulli","means":[0.6,0.4]}; one is made
 * for each run and used by one thread. */
#ifndef EVAL_ENV_H
#define EVAL_ENV_H

#include <jansson.h>

#include "base/err.h"
#include "base/rng.h"
#include "core/spec.h"

#define ENV_ARMS_MAX 65536

/* What a play brings with it; borrowed from the environment until the next play. */
struct env_ask {
	const double *x;
	size_t dim;
	const char *const *groups;
	size_t ngroups;
	const char *subject;
};

struct env_ops {
	const char *name, *summary;
	enum goal goal; /* of minimise: rewards and means are costs */
	size_t size;    /* of an environment, which begins as zeroes */
	/* Reads spec, also from several threads at once. RC_INVALID with the pointer, RC_MEMORY. */
	int (*read)(void *env, const json_t *spec, struct errinfo *err);
	void (*release)(void *env); /* what it holds; also of one that could not be read */
	uint32_t (*arms)(const void *env);
	/* Of rewards; optional: without it [0, 1]. */
	void (*range)(const void *env, double *ret_lo, double *ret_hi);
	/* Play t (1, 2, ...) of this arm: the reward, and in *ret_mean what was to be expected of
	 * it. Takes equally many draws from rng whatever the arm, so that policies meet the same
	 * luck. */
	size_t (*dim)(const void *env); /* optional: entries of x, 0 without it */
	/* Optional: comes before the play t. */
	void (*ask)(void *env, uint64_t t, struct rng *rng, struct env_ask *ret);
	double (*step)(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean);
	/* Instead of step, for slates: arms ascending, maybe none; ret_rewards has one each. */
	uint32_t (*slots)(const void *env);
	void (*slate)(void *env, uint64_t t, const uint32_t *arms, size_t n, struct rng *rng,
	    double *ret_rewards, double *ret_mean);
	/* What the best policy of its class expects of plays 1..t in all: regret is counted against
	 * it. */
	double (*optimum)(const void *env, uint64_t t);
	/* Optional, both or neither: groups of plays that a regret is told of each. The plays so
	 * far, against the arm that is best for the group; the name lives as long as env. */
	size_t (*ngroups)(const void *env);
	double (*group_regret)(const void *env, size_t i, const char **ret_name);
};

extern const struct env_ops env_bernoulli_ops, env_gaussian_ops, env_drift_ops, env_groups_ops,
    env_recovering_ops, env_sor_ops, env_stream_ops, env_tallying_ops;

/* All environments, ending with NULL. */
extern const struct env_ops *const env_table[];

/* One of those that spec["env"] names. RC_INVALID, RC_MEMORY. */
int env_new(
    const json_t *spec, const struct env_ops **ret_ops, void **ret_env, struct errinfo *err);
void env_free(const struct env_ops *ops, void *env); /* NULL is fine */
void env_range(const struct env_ops *ops, const void *env, double *ret_lo, double *ret_hi);

/* For the files env_*.c: an array of 1..ENV_ARMS_MAX numbers in [lo, hi]. *ret is the caller's to
 * free. */
int env_numbers(const json_t *array, const char *pointer, double lo, double hi, double **ret,
    uint32_t *ret_n, struct errinfo *err);

#endif
