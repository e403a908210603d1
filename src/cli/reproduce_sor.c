/* SPDX-License-Identifier: Apache-2.0 */
/* Iterations of a solver whose parameter is learnt while it solves (Khodak, Chow, Balcan,
 * Talwalkar, ICLR 2024): sequences of independent systems, and the heat equation. The paper's own
 * figures were not at hand. Real solves. */
#include <stdio.h>

#include "cli/reproduce.h"

#define IID(spread) "{\"env\":\"sor\",\"problem\":\"iid\",\"spread\":\"" spread "\"}"
#define HEAT "{\"env\":\"sor\",\"problem\":\"heat\",\"cells\":25,\"steps\":5000}"
#define SHIFTS "ctx_lo=-0.15,ctx_hi=0.65"
#define ROUNDS 5000
#define SCATTER 0.01 /* relative, of the references of the heat equation, which tell none */

#define AT_MOST(total) (total) / ROUNDS, SCATTER *(total) / ROUNDS, REP_AT_MOST
#define RUNS 8

struct learner {
	const char *what, *policy;
	double iterations, se; /* of the specification, mean of a solve */
	enum rep_test test;
};

struct problem {
	const char *what, *env;
	double best_fixed; /* mean iterations of the best point of the grid, of the specification */
	bool quick;
	uint32_t runs;
	struct learner learner[3];
};

/* Mean iterations of each learner, and of the best fixed parameter on the same systems. */
static int solve(struct rep *r, const struct problem *p, struct errinfo *err)
{
	for (size_t i = 0; i < 3; i++) {
		const struct learner *l = &p->learner[i];
		const struct rep_play play = {p->env, l->policy, ROUNDS, p->runs, 0, 50};
		struct rep_reference reference = {l->iterations, l->se, REP_SPECIFICATION, l->test};
		struct rep_reference shown = {0, 0, REP_SPECIFICATION, REP_SHOWN};
		struct sim_result result;
		char what[96];
		int rc;

		snprintf(what, sizeof(what), "%s: %s", p->what, l->what);
		rep_step(r, what);
		rc = rep_simulate(r, &play, &result, err);
		if (rc) {
			return rc;
		}
		rep_row(r, what, &reference, result.reward.mean, result.reward.se);
		for (uint32_t k = 0; k < result.ncurve; k++) {
			rep_point(r, what, (double)result.at[k], result.curve[k].mean,
			    result.curve[k].se);
		}
		if (i == 0) {
			snprintf(what, sizeof(what), "%s: best fixed omega (reference %.4g)",
			    p->what, p->best_fixed);
			rep_row(
			    r, what, &shown, result.reward.mean - result.regret.mean / ROUNDS, 0);
		}
		sim_release(&result);
	}
	return 0;
}

int reproduce_sor(struct rep *r, struct errinfo *err)
{
	static const struct problem problems[] = {
	    {"heat equation, 25 cells", HEAT, 29454.0 / ROUNDS, true, 1,
		{{"tsallis_inf", "tsallis_inf", AT_MOST(30807.0)},
		    {"tsallis_bins", "tsallis_bins:bins=6,ctx_hi=10", AT_MOST(29611.0)},
		    {"cheb_cb", "cheb_cb:ctx_hi=10", AT_MOST(24844.0)}}},
	    {"independent systems, low variance", IID("low"), 59.1, false, RUNS,
		{{"tsallis_inf", "tsallis_inf", 67.1, 0.2, REP_EQUAL},
		    {"tsallis_bins", "tsallis_bins:" SHIFTS, 64.5, 0.1, REP_EQUAL},
		    /* At most: a fit solved to its end gives less, see doc/policies.md. */
		    {"cheb_cb", "cheb_cb:" SHIFTS, 48.0, 0.1, REP_AT_MOST}}},
	    {"independent systems, high variance", IID("high"), 103.0, false, RUNS,
		{{"tsallis_inf", "tsallis_inf", 121.2, 0.4, REP_EQUAL},
		    {"tsallis_bins", "tsallis_bins:" SHIFTS, 103.7, 0.3, REP_EQUAL},
		    {"cheb_cb", "cheb_cb:" SHIFTS, 67.1, 0.2, REP_EQUAL}}},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (!rep_is_quick(r) || problems[i].quick) {
			rc = solve(r, &problems[i], err);
		}
	}
	return rc;
}
