/* SPDX-License-Identifier: Apache-2.0 */
/* A policy against an environment, through the same experiment_select(), experiment_reward() and
 * experiment_apply() as in the daemon, without a store.
 *
 * Run i of a seed is the same whatever the policy, the number of runs or of threads: the
 * environment draws play t from rng_at(seed of the run, t, RNG_ENV). So policies meet the same
 * luck, and the same seed gives the same bytes. */
#ifndef EVAL_SIM_H
#define EVAL_SIM_H

#include "core/policy.h"
#include "core/spec.h"
#include "eval/env.h"

#define SIM_HORIZON_MAX UINT64_C(1000000000000)
#define SIM_RUNS_MAX 100000
#define SIM_DELAY_MAX 10000000
#define SIM_CURVE_MAX 10000
#define SIM_THREADS_MAX 64

struct sim_opts {
	uint64_t horizon, seed;
	uint32_t runs;
	uint32_t delay; /* the reward of play t comes after play t + delay */
	double loss; /* this share of the rewards, in [0, 1], never comes: the decision expires */
	uint32_t curve;   /* points of the curve, at most horizon; 0: none */
	uint32_t threads; /* at least 1 */
	/* Optional; called in the calling thread now and then. */
	void (*progress)(void *arg, uint64_t plays, uint64_t of);
	void *progress_arg;
};

struct sim_policy {
	const struct policy_ops *ops;
	const struct spec_param *params;
	size_t nparams;
};

struct sim_estimate {
	double mean, se; /* over runs; se is 0 for one run */
};

struct sim_group {
	char *name;
	struct sim_estimate regret;
	struct sim_estimate base; /* of one that does not know of groups; regress.h */
	bool has_base;
};

struct sim_result {
	struct sim_estimate regret; /* pseudo-regret: expected rewards, not drawn ones */
	struct sim_estimate reward; /* per play, as drawn */
	uint32_t ncurve, narms;
	uint64_t *at;               /* plays, ncurve of them */
	struct sim_estimate *curve; /* the regret there */
	double *share;              /* of the plays, per arm */
	struct sim_group *group;    /* of an environment with groups */
	size_t ngroups;
};

/* RC_INVALID (options, environment, parameters), RC_MEMORY. ret is the caller's to release. */
int sim_run(const json_t *env, const struct sim_policy *policy, const struct sim_opts *opts,
    struct sim_result *ret, struct errinfo *err);
void sim_release(struct sim_result *r);

#endif
