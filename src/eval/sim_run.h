/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a simulation, for sim.c. */
#ifndef EVAL_SIM_RUN_H
#define EVAL_SIM_RUN_H

#include "eval/sim.h"

struct sim_one {
	double regret, reward;
	double *curve;   /* regret at the points of the curve; the caller's, with room for them */
	uint64_t *plays; /* per arm; the caller's, zeroed */
	double *group;   /* regret of each group; the caller's, with room for them */
};

/* Plays up to point i of the curve. */
uint64_t sim_curve_at(const struct sim_opts *o, uint32_t i);

/* `progress` hears of plays now and then and answers whether to go on; when not, RC_STATE. */
int sim_one(const json_t *env, const struct sim_policy *policy, const struct sim_opts *opts,
    uint32_t run, bool (*progress)(void *arg, uint64_t plays), void *progress_arg,
    struct sim_one *ret, struct errinfo *err);

#endif
