/* SPDX-License-Identifier: Apache-2.0 */
/* Recovering rewards (Simchi-Levi, Zheng, Zhu, ICML 2021): the plan against the relaxation's bound
 * as slots grow in number, and learning whose regret grows like the root of the horizon. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cli/reproduce.h"
#include "policies/recovering_plan.h"

#define D_MOST 16

/* ---- the planner ---- */

/* A row of one of three kinds: smooth, a step, sorted squares; never falling. */
static void draw_row(struct rng *rng, uint32_t d_max, double *row)
{
	double c = 0.1 + 0.9 * rng_uniform(rng);
	double tau = 0.3 + ((double)d_max / 1.5 - 0.3) * rng_uniform(rng);
	uint64_t kind = rng_below(rng, 3), step = 1 + rng_below(rng, d_max);

	for (uint32_t d = 1; d <= d_max; d++) {
		double u = rng_uniform(rng);
		uint32_t k = d - 1;

		row[k] = kind == 0   ? c * (1 - exp(-(double)d / tau))
			 : kind == 1 ? c * (d >= step)
				     : c * u * u;
		for (; kind == 2 && k && row[k] < row[k - 1]; k--) {
			double t = row[k];

			row[k] = row[k - 1];
			row[k - 1] = t;
		}
	}
}

/* value / upper of the plan of one random instance, as the specification draws them. */
static int quality(struct rng *rng, uint32_t k, double *ret, struct errinfo *err)
{
	static const uint32_t depths[] = {4, 6, 8, 12, 16};
	uint32_t most = 5 * k + 4 < 150 ? 5 * k + 4 : 150;
	uint32_t n = k + 1 + (uint32_t)rng_below(rng, most - k), d_max = depths[rng_below(rng, 5)];
	double *tables = calloc((size_t)n * d_max, sizeof(*tables));
	struct recovering_tables t = {tables, n, d_max, k, 32, true};
	struct recovering_plan plan = {.n = 0};
	int rc = tables ? 0 : RC_MEMORY;

	for (uint32_t i = 0; tables && i < n; i++) {
		draw_row(rng, d_max, tables + (size_t)i * d_max);
	}
	rc = rc ? rc : recovering_plan_make(&t, &plan);
	*ret = rc ? 0 : plan.upper > 0 ? plan.value / plan.upper : 1;
	recovering_plan_release(&plan);
	free(tables);
	return rc ? err_set(err, rc, "failed", "", "%s", err_name(rc)) : 0;
}

static int plans(struct rep *r, struct errinfo *err)
{
	static const struct {
		uint32_t k;
		double mean;
	} cases[] = {{1, 0.95}, {2, 0.965}, {5, 0.98}, {10, 0.99}, {50, 0.998}};
	uint32_t instances = rep_is_quick(r) ? 100 : 1000;
	struct rng rng = rng_at(rep_seed(r), 1, RNG_ENV);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rep_reference least = {cases[i].mean, 0, REP_SPECIFICATION, REP_AT_LEAST};
		double sum = 0, squares = 0, mean, v = 0;
		char what[96];

		snprintf(what, sizeof(what), "plan / bound, %u slots, %u random instances",
		    cases[i].k, instances);
		rep_step(r, what);
		for (uint32_t n = 0; n < instances; n++) {
			int rc = quality(&rng, cases[i].k, &v, err);

			if (rc) {
				return rc;
			}
			sum += v;
			squares += v * v;
		}
		mean = sum / instances;
		rep_row(r, what, &least, mean,
		    sqrt(fmax(0, squares / instances - mean * mean) / instances));
	}
	return 0;
}

/* ---- learning ---- */

/* c (1 - exp(-d/tau)), d = 1..6. */
static void smooth_env(char *ret, size_t size)
{
	static const double c[] = {.9, .8, .75, .7, .6, .5, .4, .3};
	static const double tau[] = {4, 2.5, 3, 1.5, 2, 1, .8, .5};
	size_t len =
	    (size_t)snprintf(ret, size, "{\"env\":\"recovering\",\"slots\":2,\"tables\":[");

	for (size_t i = 0; i < 8; i++) {
		for (int d = 1; d <= 6; d++) {
			len += (size_t)snprintf(ret + len, size - len, "%s%.17g",
			    d == 1 ? i ? ",[" : "[" : ",", c[i] * (1 - exp(-d / tau[i])));
		}
		len += (size_t)snprintf(ret + len, size - len, "]");
	}
	snprintf(ret + len, size - len, "],\"noise\":\"bernoulli\"}");
}

int reproduce_recovering(struct rep *r, struct errinfo *err)
{
	static const struct rep_reference growth = {3.3, 0, REP_SPECIFICATION, REP_AT_MOST};
	static const struct rep_reference linear = {3.5, 0, REP_BOUND, REP_AT_LEAST};
	struct rep_reference quarter = {399, 12, REP_SPECIFICATION, REP_EQUAL};
	struct rep_reference whole = {996, 29, REP_SPECIFICATION, REP_EQUAL};
	struct rep_reference shown = {0, 0, REP_SPECIFICATION, REP_SHOWN};
	uint32_t runs = rep_is_quick(r) ? 5 : 10;
	struct rep_play play = {NULL, "recovering:d_max=6", 32000, runs, 0, 64};
	struct sim_result result;
	char env[4096];
	int rc = plans(r, err);

	smooth_env(env, sizeof(env));
	play.env = env;
	for (int i = 0; rc == 0 && i < 2; i++) {
		const char *name = i ? "thompson, blind to rest" : "recovering";
		const struct sim_estimate *q;
		char what[96];

		play.policy = i ? "thompson" : play.policy;
		play.runs = i ? 2 : runs;
		rep_step(r, name);
		rc = rep_simulate(r, &play, &result, err);
		if (rc) {
			return rc;
		}
		q = &result.curve[15]; /* of 64: a quarter of the horizon */
		snprintf(what, sizeof(what), "%s: regret after 8,000 periods", name);
		rep_row(r, what, i ? &shown : &quarter, q->mean, q->se);
		snprintf(what, sizeof(what), "%s: regret after 32,000 periods", name);
		rep_row(r, what, i ? &shown : &whole, result.regret.mean, result.regret.se);
		snprintf(what, sizeof(what), "%s: the latter over the former", name);
		rep_row(r, what, i ? &linear : &growth, result.regret.mean / q->mean, 0);
		for (uint32_t k = 0; k < result.ncurve; k++) {
			rep_point(r, name, (double)result.at[k], result.curve[k].mean,
			    result.curve[k].se);
		}
		sim_release(&result);
	}
	return rc;
}
