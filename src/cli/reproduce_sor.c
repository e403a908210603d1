/* SPDX-License-Identifier: Apache-2.0 */
/* Iterations of a solver whose parameter is learnt while it solves (Khodak, Chow, Balcan,
 * Talwalkar, ICLR 2024): sequences of independent systems, and the heat equation. The paper's own
 * figures were not at hand. Real solves. */
#include <stdio.h>

#include <math.h>

#include "cli/reproduce.h"
#include "eval/sor_solve.h"

#define IID(spread) "{\"env\":\"sor\",\"problem\":\"iid\",\"spread\":\"" spread "\"}"
#define HEAT "{\"env\":\"sor\",\"problem\":\"heat\",\"cells\":25,\"steps\":5000}"
#define SHIFTS "ctx_lo=-0.15,ctx_hi=0.65"
#define ROUNDS 5000
#define SCATTER 0.01 /* relative, of the references of the heat equation, which tell none */

#define ROUNDED 0.1 /* of a reference that tells no error */

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
	double optimum; /* with the best omega of each system, of the specification; 0: none */
	bool varied;
};

/* The same systems, each with the omega that is best for it: what context could give. */
static void solve_best(struct rep *r, const struct problem *p)
{
	struct rep_reference reference = {p->optimum, ROUNDED, REP_SPECIFICATION, REP_EQUAL};
	double sum = 0, squares = 0, n = p->runs;
	struct sor_system s;
	char what[96];

	snprintf(what, sizeof(what), "%s: the best omega of each system", p->what);
	rep_step(r, what);
	for (uint32_t run = 0; run < p->runs; run++) {
		struct rng seeds = rng_at(rep_seed(r), run, RNG_ENV);
		uint64_t seed = rng_u64(&seeds);
		double mean = 0;

		for (uint64_t t = 1; t <= ROUNDS; t++) {
			double x[SOR_POINTS * SOR_POINTS] = {0};
			struct rng rng = rng_at(seed, t, RNG_ENV);

			sor_draw(&s, p->varied, &rng);
			mean += sor_solve(&s.a, s.b, x, sor_best_omega(&s.a), 1e-8, 10000);
		}
		mean /= ROUNDS;
		sum += mean;
		squares += mean * mean;
	}
	rep_row(r, what, &reference, sum / n, sqrt(fmax(0, squares - sum * sum / n) / (n - 1) / n));
}

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
	if (p->optimum > 0) {
		solve_best(r, p);
	}
	return 0;
}

int reproduce_sor(struct rep *r, struct errinfo *err)
{
	static const struct problem problems[] = {
	    {"heat equation, 25 cells", HEAT, 29454.0 / ROUNDS, true, 1,
		{{"tsallis_inf", "tsallis_inf", AT_MOST(30807.0)},
		    {"tsallis_bins", "tsallis_bins:bins=6,ctx_hi=10", AT_MOST(29611.0)},
		    {"cheb_cb", "cheb_cb:ctx_hi=10", AT_MOST(24844.0)}},
		0, false},
	    {"independent systems, low variance", IID("low"), 59.1, false, RUNS,
		{{"tsallis_inf", "tsallis_inf", 67.1, 0.2, REP_EQUAL},
		    {"tsallis_bins", "tsallis_bins:" SHIFTS, 64.5, 0.1, REP_EQUAL},
		    /* At most: a fit solved to its end gives less, see doc/policies.md. */
		    {"cheb_cb", "cheb_cb:" SHIFTS, 48.0, 0.1, REP_AT_MOST}},
		41.8, false},
	    {"independent systems, high variance", IID("high"), 103.0, false, RUNS,
		{{"tsallis_inf", "tsallis_inf", 121.2, 0.4, REP_EQUAL},
		    {"tsallis_bins", "tsallis_bins:" SHIFTS, 103.7, 0.3, REP_EQUAL},
		    {"cheb_cb", "cheb_cb:" SHIFTS, 67.1, 0.2, REP_EQUAL}},
		56.4, true},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (!rep_is_quick(r) || problems[i].quick) {
			rc = solve(r, &problems[i], err);
		}
	}
	return rc;
}
