/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/sim.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "eval/regress.h"
#include "eval/sim_run.h"

/* All runs of one sim_run(). What a run leaves stands in its own place, so that the sums over runs
 * are taken in the order of the runs. */
struct job {
	const json_t *env;
	const struct sim_policy *policy;
	const struct sim_opts *opts;
	struct sim_one *one;
	atomic_uint next;
	atomic_bool failed;
	_Atomic uint64_t plays;
};

struct worker {
	struct job *job;
	bool is_caller;
	int rc;
	uint32_t run; /* that failed */
	struct errinfo err;
};

/* Counts plays of all threads; the caller's tells how far they are. False: another one failed. */
static bool progress(void *arg, uint64_t plays)
{
	struct worker *w = arg;
	const struct sim_opts *o = w->job->opts;
	uint64_t done = atomic_fetch_add(&w->job->plays, plays) + plays;

	if (w->is_caller && o->progress) {
		o->progress(o->progress_arg, done, o->horizon * o->runs);
	}
	return !atomic_load(&w->job->failed);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job *j = w->job;
	uint32_t run;

	while ((run = atomic_fetch_add(&j->next, 1)) < j->opts->runs && !atomic_load(&j->failed)) {
		w->rc =
		    sim_one(j->env, j->policy, j->opts, run, progress, w, &j->one[run], &w->err);
		if (w->rc) {
			w->run = run;
			atomic_store(&j->failed, true);
			break;
		}
	}
	return NULL;
}

static int run_all(struct job *j, struct errinfo *err)
{
	struct worker w[SIM_THREADS_MAX];
	pthread_t thread[SIM_THREADS_MAX];
	uint32_t n = j->opts->threads < j->opts->runs ? j->opts->threads : j->opts->runs, started;
	int rc = 0;

	for (uint32_t i = 0; i < n; i++) {
		w[i] = (struct worker){.job = j, .is_caller = i == 0};
	}
	for (started = 1; started < n; started++) {
		if (pthread_create(&thread[started], NULL, work, &w[started])) {
			break; /* fewer threads do as well */
		}
	}
	work(&w[0]);
	for (uint32_t i = 0; i < started; i++) {
		if (i > 0) {
			pthread_join(thread[i], NULL);
		}
		if (w[i].rc && rc == 0) {
			rc = w[i].rc;
			err_set(err, rc, w[i].err.code, w[i].err.pointer, "%s",
			    w[i].err.code ? w[i].err.text : err_name(rc));
		}
	}
	return rc;
}

static struct sim_estimate estimate(const struct num_welford *w)
{
	return (struct sim_estimate){
	    .mean = w->mean,
	    .se = w->n > 1 ? sqrt(num_welford_variance(w) / (double)w->n) : 0,
	};
}

/* Means and standard errors over the runs. */
static void summarise(const struct job *j, struct sim_result *ret)
{
	const struct sim_opts *o = j->opts;
	struct num_welford regret = {.n = 0}, reward = {.n = 0}, point;

	for (uint32_t run = 0; run < o->runs; run++) {
		num_welford_add(&regret, j->one[run].regret);
		num_welford_add(&reward, j->one[run].reward);
		for (uint32_t a = 0; a < ret->narms; a++) {
			ret->share[a] +=
			    (double)j->one[run].plays[a] / ((double)o->horizon * o->runs);
		}
	}
	ret->regret = estimate(&regret);
	ret->reward = estimate(&reward);
	for (uint32_t i = 0; i < ret->ncurve; i++) {
		point = (struct num_welford){.n = 0};
		for (uint32_t run = 0; run < o->runs; run++) {
			num_welford_add(&point, j->one[run].curve[i]);
		}
		ret->at[i] = sim_curve_at(o, i);
		ret->curve[i] = estimate(&point);
	}
	for (size_t i = 0; i < ret->ngroups; i++) {
		point = (struct num_welford){.n = 0};
		for (uint32_t run = 0; run < o->runs; run++) {
			num_welford_add(&point, j->one[run].group[i]);
		}
		ret->group[i].regret = estimate(&point);
	}
}

static int check(const struct sim_opts *o, struct errinfo *err)
{
	if (o->horizon < 1 || o->horizon > SIM_HORIZON_MAX || o->runs < 1 ||
	    o->runs > SIM_RUNS_MAX || o->delay > SIM_DELAY_MAX || !(o->loss >= 0 && o->loss <= 1) ||
	    o->curve > SIM_CURVE_MAX || o->curve > o->horizon || o->threads < 1 ||
	    o->threads > SIM_THREADS_MAX) {
		return err_set(err, RC_INVALID, "out_of_range", "",
		    "a simulation takes a horizon of 1 to 10^12 plays, 1 to %d runs, a delay up to "
		    "%d plays, a loss in [0, 1] and a curve of at most %d points or the horizon",
		    SIM_RUNS_MAX, SIM_DELAY_MAX, SIM_CURVE_MAX);
	}
	return 0;
}

static int name_groups(const struct env_ops *ops, const void *env, struct sim_result *r)
{
	size_t n = ops->ngroups ? ops->ngroups(env) : 0;

	r->group = calloc(n + 1, sizeof(*r->group));
	for (; r->group && r->ngroups < n; r->ngroups++) {
		const char *name;

		ops->group_regret(env, r->ngroups, &name);
		r->group[r->ngroups].name = strdup(name);
		if (!r->group[r->ngroups].name) {
			return RC_MEMORY;
		}
	}
	return r->group ? 0 : RC_MEMORY;
}

/* How many arms and which groups there will be. */
static int look_at(const json_t *env, struct sim_result *r, struct errinfo *err)
{
	const struct env_ops *ops;
	void *e;
	int rc = env_new(env, &ops, &e, err);

	if (rc == 0) {
		r->narms = ops->arms(e);
		rc = name_groups(ops, e, r);
		env_free(ops, e);
	}
	return rc;
}

static int make_room(struct job *j, struct sim_result *r)
{
	const struct sim_opts *o = j->opts;

	r->at = calloc(o->curve + 1, sizeof(*r->at));
	r->curve = calloc(o->curve + 1, sizeof(*r->curve));
	r->share = calloc(r->narms, sizeof(*r->share));
	j->one = calloc(o->runs, sizeof(*j->one));
	if (!r->at || !r->curve || !r->share || !j->one) {
		return RC_MEMORY;
	}
	for (uint32_t i = 0; i < o->runs; i++) {
		j->one[i].curve = calloc(o->curve + 1, sizeof(*j->one[i].curve));
		j->one[i].plays = calloc(r->narms, sizeof(*j->one[i].plays));
		j->one[i].group = calloc(r->ngroups + 1, sizeof(*j->one[i].group));
		if (!j->one[i].curve || !j->one[i].plays || !j->one[i].group) {
			return RC_MEMORY;
		}
	}
	return 0;
}

int sim_run(const json_t *env, const struct sim_policy *policy, const struct sim_opts *opts,
    struct sim_result *ret, struct errinfo *err)
{
	struct job j = {.env = env, .policy = policy, .opts = opts};
	struct sim_result r = {.ncurve = opts->curve};
	int rc = check(opts, err);

	if (rc == 0 && regress_is(env)) {
		return regress_run(env, policy, opts, ret, err);
	}
	if (rc == 0) {
		rc = look_at(env, &r, err);
	}
	if (rc == 0) {
		rc = make_room(&j, &r);
	}
	if (rc == 0) {
		rc = run_all(&j, err);
	}
	if (rc == 0) {
		summarise(&j, &r);
		*ret = r;
	} else {
		err_set(err, rc, "failed", "", "%s", err_name(rc));
		sim_release(&r);
	}
	for (uint32_t i = 0; j.one && i < opts->runs; i++) {
		free(j.one[i].curve);
		free(j.one[i].plays);
		free(j.one[i].group);
	}
	free(j.one);
	return rc;
}

void sim_release(struct sim_result *r)
{
	free(r->at);
	free(r->curve);
	free(r->share);
	for (size_t i = 0; i < r->ngroups; i++) {
		free(r->group[i].name);
	}
	free(r->group);
}
