/* SPDX-License-Identifier: Apache-2.0 */
/* EXP3-FLAD and UCB1-FLAD (Albalak, Raffel, Wang, NeurIPS 2023) on the instance of the
 * specification, beside mixing that only explores and mixing that only exploits, and the cost of a
 * decision as arms grow in number. The paper's own figures are accuracies of language models, which
 * need its data; so the references are those of the specification. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/reproduce.h"
#include "core/experiment.h"
#include "policies/policies.h"

#define ENV "{\"env\":\"bernoulli\",\"means\":[0.6,0.4,0.4,0.4,0.4,0.4,0.4,0.4,0.4,0.4]}"
#define PLAY(policy, runs)                                                                         \
	{                                                                                          \
		ENV, policy, 10000, runs, 0, 100                                                   \
	}
#define MEM_MAX ((size_t)1 << 30)
#define TIMED 20000 /* decisions that are timed */

/* ---- the cost of a decision ---- */

static double thread_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int make(const char *policy, uint32_t arms, struct arena *mem, struct experiment **ret,
    struct errinfo *err)
{
	struct spec_arm *arm = arena_array(mem, arms, sizeof(*arm));
	char(*id)[12] = arena_array(mem, arms, sizeof(*id));
	struct experiment_spec spec = {.name = "cost",
	    .policy = policy,
	    .arms = arm,
	    .narms = arms,
	    .slots = 1,
	    .seed = 1,
	    .hi = 1,
	    .settings = {.label = ""}};

	if (!arm || !id) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	for (uint32_t i = 0; i < arms; i++) {
		snprintf(id[i], sizeof(id[i]), "%u", i);
		arm[i] = (struct spec_arm){.id = id[i], .label = ""};
	}
	return experiment_new(&spec, policy_find(policy), 0, ret, err);
}

/* One decision and its reward: 1 of every 7 arms pays. */
static int round_of(struct experiment *e, uint64_t at_us, struct arena *mem, struct errinfo *err)
{
	struct event d, f;
	struct pending p;
	enum feedback_status status;
	int rc = experiment_select(e, &(struct select_in){.id = NULL}, at_us, mem, &d, err);

	rc = rc ? rc : experiment_reserve(e, &d);
	rc = rc ? rc : experiment_apply(e, &d);
	if (rc) {
		return rc;
	}
	pending_start(&p, &d.decision);
	rc = experiment_reward(e, &d, &p,
	    &(struct reward_in){.reward = d.decision.picks[0].slot % 7 == 0}, at_us, mem, &f,
	    &status, err);
	rc = rc ? rc : experiment_reserve(e, &f);
	rc = rc ? rc : experiment_apply(e, &f);
	arena_reset(mem);
	return rc;
}

/* Microseconds of a decision with its reward, past the rounds in which all arms are alike. */
static int cost_of(const char *policy, uint32_t arms, double *ret_us, struct errinfo *err)
{
	uint64_t warm = (uint64_t)(1.1 * arms * log(arms)) + 1000;
	struct experiment *e = NULL;
	struct arena keep, mem;
	double start = 0;
	int rc;

	arena_init(&keep, MEM_MAX);
	arena_init(&mem, (size_t)1 << 20);
	rc = make(policy, arms, &keep, &e, err);
	for (uint64_t t = 1; rc == 0 && t <= warm + TIMED; t++) {
		if (t == warm + 1) {
			start = thread_seconds();
		}
		rc = round_of(e, t, &mem, err);
	}
	*ret_us = (thread_seconds() - start) * 1e6 / TIMED;
	experiment_free(e);
	arena_release(&keep);
	arena_release(&mem);
	return rc;
}

/* As arms grow 10,000-fold a scan would cost 10,000 times as much; a tree some more levels, and
 * misses of the processor's caches. */
static int costs(struct rep *r, const char *policy, struct errinfo *err)
{
	static const struct rep_reference bound = {30, 0, REP_BOUND, REP_AT_MOST};
	static const struct rep_reference shown = {0, 0, REP_SPECIFICATION, REP_SHOWN};
	uint32_t most = rep_is_quick(r) ? 100000 : 1000000;
	double first = 0, us = 0;
	char what[96];
	int rc = 0;

	for (uint32_t arms = 100; rc == 0 && arms <= most; arms *= 10) {
		snprintf(what, sizeof(what), "microseconds a decision and reward, %u arms", arms);
		rep_step(r, what);
		rc = cost_of(policy, arms, &us, err);
		first = arms == 100 ? us : first;
		if (rc == 0) {
			rep_row(r, what, &shown, us, 0);
		}
	}
	if (rc == 0) {
		snprintf(what, sizeof(what), "cost of %u arms against 100 arms, times", most);
		rep_row(r, what, &bound, us / first, 0);
	}
	return rc;
}

/* Uniform play on this instance: 0.2 lost in 9 of 10 decisions. */
#define UNIFORM                                                                                    \
	{                                                                                          \
		1800, 0, REP_SPECIFICATION, REP_EQUAL                                              \
	}

int reproduce_exp3_flad(struct rep *r, struct errinfo *err)
{
	static const struct rep_line lines[] = {
	    {"exp3_flad", PLAY("exp3_flad", 40), 20, {241, 6, REP_SPECIFICATION, REP_EQUAL}},
	    {"exp3_flad, the paper's schedule", PLAY("exp3_flad:schedule=paper", 40), 20,
		{236, 5, REP_SPECIFICATION, REP_EQUAL}},
	    {"explore only (uniform)", PLAY("uniform", 40), 20, UNIFORM},
	    {"exploit only (greedy)", PLAY("epsilon_greedy:epsilon=0", 40), 20,
		{241, 6, REP_SPECIFICATION, REP_AT_LEAST}},
	};
	int rc = rep_lines(r, lines, sizeof(lines) / sizeof(lines[0]), err);

	return rc ? rc : costs(r, "exp3_flad", err);
}

int reproduce_ucb1_flad(struct rep *r, struct errinfo *err)
{
	static const struct rep_line lines[] = {
	    {"ucb1_flad", PLAY("ucb1_flad", 30), 15, {1299, 34, REP_SPECIFICATION, REP_EQUAL}},
	    {"ucb1", PLAY("ucb1", 30), 15, {532, 8, REP_SPECIFICATION, REP_EQUAL}},
	    {"explore only (uniform)", PLAY("uniform", 30), 15, UNIFORM},
	    {"exploit only (greedy)", PLAY("epsilon_greedy:epsilon=0", 30), 15,
		{0, 0, REP_SPECIFICATION, REP_SHOWN}},
	};
	int rc = rep_lines(r, lines, sizeof(lines) / sizeof(lines[0]), err);

	return rc ? rc : costs(r, "ucb1_flad", err);
}
