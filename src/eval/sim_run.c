/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/sim_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "core/experiment_plan.h"

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
	bool lost, slate;
	size_t npicks;
	struct pick *picks; /* room for the slots of the experiment */
	double *rewards;    /* one per pick */
	struct buf memo;    /* the policy's, then x */
	size_t ngroups;
	const char *names[GROUPS_MAX]; /* the environment's */
	size_t dim;
};

struct run {
	const struct sim_opts *opts;
	const struct env_ops *env_ops;
	void *env;
	struct experiment *e;
	struct arena mem;
	struct due *due; /* the last delay + 1 plays */
	uint32_t slots;
	struct pick *picks;
	double *rewards; /* slots for each due */
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

/* What the update will need of the decision, kept until then. */
static int keep(struct due *due, const struct event *ev)
{
	const struct event_decision *d = &ev->decision;

	due->seq = ev->seq;
	due->expires_us = d->expires_us;
	due->slate = d->flags & DECISION_SLATE;
	due->npicks = d->npicks;
	memcpy(due->picks, d->picks, d->npicks * sizeof(*d->picks));
	buf_reset(&due->memo);
	buf_put(&due->memo, d->memo, d->nmemo);
	buf_put(&due->memo, d->x, d->dim * sizeof(*d->x));
	due->dim = d->dim;
	due->ngroups = d->ngroups;
	for (size_t i = 0; i < d->ngroups; i++) {
		due->names[i] = d->groups[i]; /* the environment's own, which stay */
	}
	return due->memo.rc;
}

/* A play of the environment: what the arms paid, and what was to be expected. */
static double pay(struct run *r, uint64_t t, struct due *due, struct rng *rng)
{
	double mean;

	if (r->env_ops->slate) {
		uint32_t *arms = arena_array(&r->mem, due->npicks, sizeof(*arms));

		for (size_t i = 0; arms && i < due->npicks; i++) {
			arms[i] = due->picks[i].slot;
		}
		r->env_ops->slate(r->env, t, arms, due->npicks, rng, due->rewards, &mean);
	} else {
		due->rewards[0] = r->env_ops->step(r->env, t, due->picks[0].slot, rng, &mean);
	}
	return mean;
}

/* Makes play t and remembers what will come of it. */
static int play(struct run *r, uint64_t t, struct sim_one *ret, struct errinfo *err)
{
	struct rng rng = rng_at(r->seed, t, RNG_ENV);
	struct due *due = &r->due[t % ((uint64_t)r->opts->delay + 1)];
	struct env_ask ask = {.x = NULL};
	struct event ev;
	int rc = 0;

	arena_reset(&r->mem);
	if (r->env_ops->ask) {
		r->env_ops->ask(r->env, t, &rng, &ask);
	}
	if (experiment_plan_due(r->e, t * STEP_US)) {
		rc = experiment_plan_now(r->e, t * STEP_US, &r->mem, &ev, err);
		rc = rc ? rc : apply(r, &ev);
	}
	rc = rc ? rc
		: experiment_select(r->e,
		      &(struct select_in){.x = ask.x,
			  .dim = ask.dim,
			  .groups = ask.groups,
			  .ngroups = ask.ngroups,
			  .subject = ask.subject},
		      t * STEP_US, &r->mem, &ev, err);
	if (rc == 0 && ev.kind == 0) {
		rc = err_set(err, RC_INVALID, "not_supported", "/policy",
		    "the policy repeats a decision, and every play needs one of its own");
	}
	if (rc == 0) {
		rc = apply(r, &ev);
	}
	if (rc == 0) {
		rc = keep(due, &ev);
	}
	if (rc) {
		return rc;
	}
	num_sum_add(&r->expected, pay(r, t, due, &rng));
	due->lost = r->opts->loss > 0 && rng_uniform(&rng) < r->opts->loss;
	for (size_t i = 0; i < due->npicks; i++) {
		num_sum_add(&r->drawn, due->rewards[i]);
		ret->plays[due->picks[i].slot]++;
	}
	return 0;
}

/* The reward of the decision comes, or its window closes without one. */
static int settle(struct run *r, const struct due *due, uint64_t t, struct errinfo *err)
{
	struct event decision = {
	    .kind = EVENT_DECISION,
	    .seq = due->seq,
	    .decision = {.picks = due->picks,
		.npicks = due->npicks,
		.flags = due->slate ? DECISION_SLATE : 0,
		.groups = due->names,
		.ngroups = due->ngroups,
		.memo = due->memo.data,
		.nmemo = due->memo.len - due->dim * sizeof(double),
		.dim = due->dim,
		.expires_us = due->expires_us},
	};
	struct reward_in in = {.form = due->slate ? FORM_REWARDS : FORM_REWARD,
	    .reward = due->rewards[0],
	    .nrewards = due->npicks};
	struct arm_reward *rewards = arena_array(&r->mem, due->npicks, sizeof(*rewards));
	double *x = arena_array(&r->mem, due->dim, sizeof(*x));
	struct pending p;
	enum feedback_status status;
	struct event ev;
	int rc;

	if (due->npicks == 0) {
		return 0; /* an empty slate earns nothing and waits for nothing */
	}
	if (!rewards || !x) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < due->npicks; i++) {
		rewards[i].arm = arms_id(experiment_arms(r->e), due->picks[i].slot);
		rewards[i].reward = due->rewards[i];
	}
	in.rewards = rewards;
	if (due->dim) {
		memcpy(x, due->memo.data + decision.decision.nmemo, due->dim * sizeof(*x));
		decision.decision.x = x;
	}
	pending_start(&p, &decision.decision);
	if (due->lost) {
		rc = experiment_expire(r->e, &decision, &p, t * STEP_US + EXPIRY_US, &r->mem, &ev);
	} else {
		rc = experiment_reward(
		    r->e, &decision, &p, &in, t * STEP_US + REWARD_US, &r->mem, &ev, &status, err);
	}
	return rc ? rc : apply(r, &ev);
}

/* Positive when worse than the optimum, whether rewards are sought or costs avoided. */
static double regret_at(const struct run *r, uint64_t t)
{
	double more = r->env_ops->optimum(r->env, t) - num_sum_value(&r->expected);

	return r->env_ops->goal == GOAL_MINIMISE ? -more : more;
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
			ret->curve[point++] = regret_at(r, t);
		}
		if (t - told == PROGRESS_EVERY || t == o->horizon) {
			if (!progress(arg, t - told)) {
				return RC_STATE;
			}
			told = t;
		}
	}
	ret->regret = regret_at(r, o->horizon);
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
	    .slots = r->slots,
	    .seed = r->seed,
	    .goal = r->env_ops->goal,
	    .settings = {.label = ""},
	};
	struct spec_arm *arms = arena_array(&r->mem, n, sizeof(*arms));
	size_t dim = r->env_ops->dim ? r->env_ops->dim(r->env) : 0;
	char(*ids)[12] = arena_array(&r->mem, n > dim ? n : dim, sizeof(*ids));
	const char **features = arena_array(&r->mem, dim, sizeof(*features));

	if (!arms || !ids || !features) {
		return RC_MEMORY;
	}
	for (uint32_t i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%u", i);
		arms[i] = (struct spec_arm){.id = ids[i], .label = ""};
	}
	spec.arms = arms;
	for (size_t i = 0; i < dim; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%u", (unsigned)i);
		features[i] = ids[i];
	}
	spec.features = features;
	spec.nfeatures = dim;
	env_range(r->env_ops, r->env, &spec.lo, &spec.hi);
	if (r->opts->loss > 0) {
		spec.settings.window_us = (uint64_t)r->opts->delay * STEP_US + EXPIRY_US;
	}
	return experiment_new(&spec, policy->ops, 0, &r->e, err);
}

/* Room to remember the plays whose rewards are to come. */
static int make_due(struct run *r)
{
	size_t n = (size_t)r->opts->delay + 1;

	r->slots = r->env_ops->slots ? r->env_ops->slots(r->env) : 1;
	r->due = calloc(n, sizeof(*r->due));
	r->picks = calloc(n * r->slots, sizeof(*r->picks));
	r->rewards = calloc(n * r->slots, sizeof(*r->rewards));
	if (!r->due || !r->picks || !r->rewards) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < n; i++) {
		buf_init(&r->due[i].memo, MEMO_MAX + DIM_MAX * sizeof(double));
		r->due[i].picks = r->picks + i * r->slots;
		r->due[i].rewards = r->rewards + i * r->slots;
	}
	return 0;
}

static void free_due(struct run *r)
{
	for (size_t i = 0; r->due && i <= r->opts->delay; i++) {
		buf_release(&r->due[i].memo);
	}
	free(r->due);
	free(r->picks);
	free(r->rewards);
}

int sim_one(const json_t *env, const struct sim_policy *policy, const struct sim_opts *opts,
    uint32_t run, bool (*progress)(void *arg, uint64_t plays), void *progress_arg,
    struct sim_one *ret, struct errinfo *err)
{
	struct rng seeds = rng_at(opts->seed, run, RNG_ENV);
	struct run r = {.opts = opts, .seed = rng_u64(&seeds)};
	int rc;

	arena_init(&r.mem, ARENA_MAX);
	rc = env_new(env, &r.env_ops, &r.env, err);
	if (rc == 0) {
		rc = make_due(&r);
	}
	if (rc == 0) {
		rc = make_experiment(&r, policy, err);
	}
	if (rc == 0) {
		rc = play_all(&r, progress, progress_arg, ret, err);
	}
	experiment_free(r.e);
	env_free(r.env_ops, r.env);
	free_due(&r);
	arena_release(&r.mem);
	return rc;
}
