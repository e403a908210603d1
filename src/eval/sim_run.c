/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/sim_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "core/experiment.h"

/* Time in a simulation. Within its step a play is made, then rewards that are due come, then
 * decisions whose reward got lost expire. */
#define STEP_US 10
#define REWARD_US 1
#define EXPIRY_US 2

#define ARENA_MAX (64u << 20)
#define PROGRESS_EVERY 4096

/* What must be remembered of a decision until its reward comes. */
struct due {
	uint64_t seq, expires_us;
	struct pick pick;
	double reward;
	bool lost;
};

struct run {
	const struct sim_opts *opts;
	const struct env_ops *env_ops;
	void *env;
	struct experiment *e;
	struct arena mem;
	struct due *due; /* the last delay + 1 plays */
	uint64_t seed;
	struct num_sum expected, drawn;
};

uint64_t sim_curve_at(const struct sim_opts *o, uint32_t i)
{
	uint64_t whole = o->horizon / o->curve, rest = o->horizon % o->curve, k = i + 1;

	return whole * k + (rest * k + o->curve - 1) / o->curve;
}

static int apply(struct run *r, const struct event *ev)
{
	int rc = experiment_reserve(r->e, ev);

	return rc ? rc : experiment_apply(r->e, ev);
}

/* Makes play t and remembers what will come of it. */
static int play(struct run *r, uint64_t t, struct sim_one *ret, struct errinfo *err)
{
	struct rng rng = rng_at(r->seed, t, RNG_ENV);
	struct due *due = &r->due[t % ((uint64_t)r->opts->delay + 1)];
	struct event ev;
	double mean;
	int rc;

	arena_reset(&r->mem);
	rc = experiment_select(
	    r->e, &(struct select_in){.id = NULL}, t * STEP_US, &r->mem, &ev, err);
	if (rc == 0) {
		rc = apply(r, &ev);
	}
	if (rc) {
		return rc;
	}
	*due = (struct due){
	    .seq = ev.seq,
	    .expires_us = ev.decision.expires_us,
	    .pick = ev.decision.picks[0],
	};
	due->reward = r->env_ops->step(r->env, t, due->pick.slot, &rng, &mean);
	due->lost = r->opts->loss > 0 && rng_uniform(&rng) < r->opts->loss;
	num_sum_add(&r->expected, mean);
	num_sum_add(&r->drawn, due->reward);
	ret->plays[due->pick.slot]++;
	return 0;
}

/* The reward of the decision comes, or its window closes without one. */
static int settle(struct run *r, const struct due *due, uint64_t t, struct errinfo *err)
{
	struct event decision = {
	    .kind = EVENT_DECISION,
	    .seq = due->seq,
	    .decision = {.picks = &due->pick, .npicks = 1, .expires_us = due->expires_us},
	};
	struct pending p;
	enum feedback_status status;
	struct event ev;
	int rc;

	pending_start(&p, &decision.decision);
	if (due->lost) {
		rc = experiment_expire(r->e, &decision, &p, t * STEP_US + EXPIRY_US, &ev);
	} else {
		rc = experiment_reward(r->e, &decision, &p,
		    &(struct reward_in){.reward = due->reward}, t * STEP_US + REWARD_US, &ev,
		    &status, err);
	}
	return rc ? rc : apply(r, &ev);
}

static int play_all(struct run *r, bool (*progress)(void *arg, uint64_t plays), void *arg,
    struct sim_one *ret, struct errinfo *err)
{
	const struct sim_opts *o = r->opts;
	uint64_t told = 0;
	uint32_t point = 0;
	int rc = 0;

	for (uint64_t t = 1; t <= o->horizon; t++) {
		rc = play(r, t, ret, err);
		if (rc == 0 && t > o->delay) {
			rc = settle(r, &r->due[(t - o->delay) % ((uint64_t)o->delay + 1)], t, err);
		}
		if (rc) {
			return rc;
		}
		if (point < o->curve && t == sim_curve_at(o, point)) {
			ret->curve[point++] =
			    r->env_ops->optimum(r->env, t) - num_sum_value(&r->expected);
		}
		if (t - told == PROGRESS_EVERY || t == o->horizon) {
			if (!progress(arg, t - told)) {
				return RC_STATE;
			}
			told = t;
		}
	}
	ret->regret = r->env_ops->optimum(r->env, o->horizon) - num_sum_value(&r->expected);
	ret->reward = num_sum_value(&r->drawn) / (double)o->horizon;
	for (size_t i = 0; r->env_ops->ngroups && i < r->env_ops->ngroups(r->env); i++) {
		const char *name;

		ret->group[i] = r->env_ops->group_regret(r->env, i, &name);
	}
	return 0;
}

/* An experiment over the environment's arms, named 0, 1, 2 ... */
static int make_experiment(struct run *r, const struct sim_policy *policy, struct errinfo *err)
{
	uint32_t n = r->env_ops->arms(r->env);
	struct experiment_spec spec = {
	    .name = "simulation",
	    .policy = policy->ops->name,
	    .params = policy->params,
	    .nparams = policy->nparams,
	    .narms = n,
	    .slots = 1,
	    .seed = r->seed,
	    .settings = {.label = ""},
	};
	struct spec_arm *arms = arena_array(&r->mem, n, sizeof(*arms));
	char(*ids)[12] = arena_array(&r->mem, n, sizeof(*ids));

	if (!arms || !ids) {
		return RC_MEMORY;
	}
	for (uint32_t i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%u", i);
		arms[i] = (struct spec_arm){.id = ids[i], .label = ""};
	}
	spec.arms = arms;
	r->env_ops->range(r->env, &spec.lo, &spec.hi);
	if (r->opts->loss > 0) {
		spec.settings.window_us = (uint64_t)r->opts->delay * STEP_US + EXPIRY_US;
	}
	return experiment_new(&spec, policy->ops, 0, &r->e, err);
}

int sim_one(const json_t *env, const struct sim_policy *policy, const struct sim_opts *opts,
    uint32_t run, bool (*progress)(void *arg, uint64_t plays), void *progress_arg,
    struct sim_one *ret, struct errinfo *err)
{
	struct rng seeds = rng_at(opts->seed, run, RNG_ENV);
	struct run r = {.opts = opts, .seed = rng_u64(&seeds)};
	int rc;

	arena_init(&r.mem, ARENA_MAX);
	r.due = calloc((size_t)opts->delay + 1, sizeof(*r.due));
	rc = r.due ? env_find(env, &r.env_ops, err) : RC_MEMORY;
	if (rc == 0) {
		rc = r.env_ops->create(env, &r.env, err);
	}
	if (rc == 0) {
		rc = make_experiment(&r, policy, err);
	}
	if (rc == 0) {
		rc = play_all(&r, progress, progress_arg, ret, err);
	}
	experiment_free(r.e);
	if (r.env) {
		r.env_ops->destroy(r.env);
	}
	free(r.due);
	arena_release(&r.mem);
	return rc;
}
