/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of policies: short ones are made where the decision is made, long ones in a thread of their
 * own, which takes the experiment's lock only to bring the result. One job at a time is enough: a
 * plan that is due and waits costs quality, not correctness. */
#include <stdlib.h>

#include "base/clock.h"
#include "core/experiment_plan.h"
#include "serve/engine_impl.h"

#define INPUT_MAX ((size_t)256 << 20)
#define RETRY_US (10 * CLOCK_SECOND_US)

struct engine_job {
	struct engine_item *it; /* a reference */
	const struct policy_ops *ops;
	uint64_t begin_seq;
	struct buf input;
	struct engine_job *next;
};

static void free_job(struct engine_job *job)
{
	buf_release(&job->input);
	engine_item_unref(job->it);
	free(job);
}

/* The event that begins it, and the job; the experiment is locked. */
static int begin(struct engine_work *w, uint64_t at_us, struct errinfo *err)
{
	struct engine *g = w->g;
	struct engine_job *job = calloc(1, sizeof(*job)), **end = &g->jobs;
	struct event ev;
	int rc;

	if (!job) {
		return engine_refusal(RC_MEMORY, err);
	}
	buf_init(&job->input, INPUT_MAX);
	experiment_plan_input(w->e, &job->input);
	experiment_plan_begin(w->e, at_us, &ev);
	rc = job->input.rc ? engine_refusal(job->input.rc, err) : engine_record(w, &ev, NULL, err);
	if (rc) {
		buf_release(&job->input);
		free(job);
		return rc;
	}
	atomic_fetch_add(&w->it->refs, 1);
	w->it->plan_seq = ev.seq;
	job->it = w->it;
	job->ops = experiment_policy(w->e);
	job->begin_seq = ev.seq;
	pthread_mutex_lock(&g->wake_lock);
	while (*end) {
		end = &(*end)->next;
	}
	*end = job;
	pthread_cond_broadcast(&g->plan_wake);
	pthread_mutex_unlock(&g->wake_lock);
	return 0;
}

int engine_plan(struct engine_work *w, uint64_t at_us, struct errinfo *err)
{
	/* Begun, but nobody is at it: the daemon was stopped meanwhile, or memory was short. */
	bool orphan = experiment_is_planning(w->e) && !w->it->plan_seq &&
		      clock_mono_us() >= w->it->plan_after_us;
	struct event ev;
	int rc;

	if (!orphan && !experiment_plan_due(w->e, at_us)) {
		return 0;
	}
	if (w->g->running && experiment_plan_cost(w->e) > PLAN_AT_ONCE) {
		return begin(w, at_us, err);
	}
	rc = experiment_plan_now(w->e, at_us, &w->mem, &ev, err);
	return rc ? rc : engine_record(w, &ev, NULL, err);
}

static void finish(struct engine *g, struct engine_job *job, int made, const struct buf *out)
{
	struct engine_work *w = &g->plan_work;
	struct event ev;

	engine_begin(w, job->it);
	if (job->it->plan_seq == job->begin_seq) {
		job->it->plan_seq = 0;
		if (made == 0 && !job->it->purged) {
			experiment_plan_done(w->e, clock_steady_us(), out->data, out->len, &ev);
			made = engine_record(w, &ev, NULL, NULL);
		}
		if (made) { /* an orphan now: not at once, else every decision would begin one */
			job->it->plan_after_us = clock_mono_us() + RETRY_US;
		}
	}
	engine_commit(w);
}

static struct engine_job *next_job(struct engine *g)
{
	struct engine_job *job;

	pthread_mutex_lock(&g->wake_lock);
	while (!g->jobs && !g->stopping) {
		pthread_cond_wait(&g->plan_wake, &g->wake_lock);
	}
	job = g->stopping ? NULL : g->jobs;
	if (job) {
		g->jobs = job->next;
	}
	pthread_mutex_unlock(&g->wake_lock);
	return job;
}

void *engine_plan_thread(void *arg)
{
	struct engine *g = arg;
	struct engine_job *job;

	while ((job = next_job(g)) != NULL) {
		struct buf out;
		struct rd in;
		int rc;

		buf_init(&out, EVENT_BYTES_MAX);
		rd_init(&in, job->input.data, job->input.len);
		rc = job->ops->plan_make(&in, &out);
		finish(g, job, rc ? rc : out.rc, &out);
		buf_release(&out);
		free_job(job);
	}
	return NULL;
}

void engine_plan_drop(struct engine *g)
{
	while (g->jobs) {
		struct engine_job *job = g->jobs;

		g->jobs = job->next;
		free_job(job);
	}
}
