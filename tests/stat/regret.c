/* SPDX-License-Identifier: Apache-2.0 */
/* Regret is what the literature, and an independent implementation of each policy, say it is: the
 * mean over runs within 4 joint standard errors. Without an argument the quick part, with --long
 * all rows and all runs. Prints a line a row; fails when one is out of its band. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/sim.h"
#include "json/spec_json.h"
#include "policies/policies.h"

#define HORIZON 10000
#define SEED 20260101
#define THREADS 2
#define QUICK_RUNS 8
#define BAND 4 /* joint standard errors */

/* K = 10, the best arm pays with probability 0.6, the others with 0.4. */
static const char instance[] = "{\"env\":\"bernoulli\",\"means\":"
			       "[0.6,0.4,0.4,0.4,0.4,0.4,0.4,0.4,0.4,0.4]}";

struct row {
	const char *policy;
	uint32_t delay;
	double regret, se; /* as measured elsewhere */
	uint32_t runs;
	bool quick;
};

/* clang-format off */
static const struct row rows[] = {
	{"uniform",                                        0, 1800,  1, 40, true},
	{"epsilon_greedy",                                 0,  252, 14, 40, true},
	{"epsilon_greedy:decay=decaying",                  0,  181,  2, 40, true},
	{"thompson:samples=1",                             0,  111,  2, 40, true},
	{"thompson",                                       0,  111,  2, 20, false},
	{"thompson:likelihood=gaussian,samples=1",         0,  111,  3, 40, true},

	{"ucb1",                                           0,  532,  8, 30, true},
	{"ucb_tuned",                                      0,   95, 12, 30, true},
	{"ucb_v",                                          0,  585,  6, 30, false},
	{"kl_ucb",                                         0,  160,  4, 30, false},
	{"moss",                                           0,  116,  4, 30, true},
	{"ucb1_flad",                                      0, 1299, 34, 30, true},
	{"ucb1:reward_lo=-1,reward_hi=1",                  0, 1188, 10, 30, false},
	{"ucb1",                                         100,  524,  8, 30, false},
	{"ucb1:count_pending=false",                     100,  614,  8, 30, false},
	{"ucb1",                                        1000,  566,  8, 30, true},
	{"ucb1:count_pending=false",                    1000, 1696,  8, 30, false},

	{"exp3_flad:schedule=paper",                       0,  236,  5, 40, true},
	{"exp3_flad",                                      0,  241,  6, 40, true},
	{"exp3_flad:growth=2",                             0,  256,  6, 40, false},
	{"exp3_flad:reward_lo=-1,reward_hi=1",             0,  402, 14, 40, false},
	{"exp3_flad",                                    100,  255, 11, 40, false},
	{"exp3_flad",                                   1000,  428, 13, 40, true},
	{"exp3_flad:schedule=paper",                     100,  255, 11, 40, false},
	{"exp3_flad:schedule=paper",                    1000,  428, 13, 40, false},
	/* Batches: measured elsewhere without a standard error, so ours alone counts. */
	{"exp3_flad:schedule=paper,batch=16",              0,  248,  0, 40, false},
	{"exp3_flad:schedule=paper,batch=64",              0,  257,  0, 40, false},
	{"exp3_flad:schedule=paper,batch=16,batch_estimator=flad", 0, 578, 0, 40, false},
	{"exp3_flad:schedule=paper,batch=64,batch_estimator=flad", 0, 1339, 0, 40, false},
	{"exp3",                                           0,  718, 15, 40, false},
	{"exp3_ix",                                        0,  589, 11, 40, true},
};
/* clang-format on */

#define SKIPPED 77 /* as automake says */

/* 0: within the band; 1: outside, or could not be run; SKIPPED: no such policy here. */
static int check(const struct row *row, const json_t *env, bool full, struct arena *mem)
{
	struct experiment_spec spec = {.policy = NULL};
	struct errinfo err = {.rc = 0};
	struct sim_policy policy;
	struct sim_opts opts = {.horizon = HORIZON,
	    .seed = SEED,
	    .runs = full ? row->runs : QUICK_RUNS,
	    .delay = row->delay,
	    .threads = THREADS};
	struct sim_result r;
	double se, z;

	if (policy_from_text(row->policy, mem, &spec, &err)) {
		printf("%s: %s\n", row->policy, err.text);
		return 1;
	}
	policy = (struct sim_policy){
	    .ops = policy_find(spec.policy), .params = spec.params, .nparams = spec.nparams};
	if (!policy.ops) {
		printf("%-42s not in the table\n", row->policy);
		return SKIPPED;
	}
	if (sim_run(env, &policy, &opts, &r, &err)) {
		printf("%s: %s: %s\n", row->policy, err.pointer, err.text);
		return 1;
	}
	se = sqrt(row->se * row->se + r.regret.se * r.regret.se);
	z = (r.regret.mean - row->regret) / se;
	printf("%-42s delay %4u: %7.1f (%4.1f), expected %6.0f (%3.0f), %+5.1f s.e.%s\n",
	    row->policy, row->delay, r.regret.mean, r.regret.se, row->regret, row->se, z,
	    fabs(z) <= BAND ? "" : " OUTSIDE");
	fflush(stdout);
	sim_release(&r);
	return fabs(z) <= BAND ? 0 : 1;
}

int main(int argc, char **argv)
{
	bool full = argc > 1 && strcmp(argv[1], "--long") == 0;
	json_t *env = json_loads(instance, 0, NULL);
	struct arena mem;
	int failed = !env, skipped = 0;

	arena_init(&mem, 1u << 20);
	for (size_t i = 0; env && i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = full || rows[i].quick ? check(&rows[i], env, full, &mem) : 0;

		failed |= rc == 1;
		skipped |= rc == SKIPPED;
		arena_reset(&mem);
	}
	json_decref(env);
	arena_release(&mem);
	return failed ? 1 : skipped ? SKIPPED : 0;
}
