/* SPDX-License-Identifier: Apache-2.0 */
/* Regret on every group with bandit feedback: five arms over shapes and colours that overlap, where
 * the best arm depends on both (the instance and figures of the specification). */
#include <stdio.h>

#include "cli/instances.h"
#include "cli/reproduce.h"

#define GROUPS 5
#define HORIZON 20000
#define RUNS 10

struct form {
	const char *what, *policy;
	double bound[GROUPS]; /* of the specification: regret on each group */
};

static int play(struct rep *r, const struct form *f, struct errinfo *err)
{
	const struct rep_play p = {.env = INSTANCE_SHAPES,
	    .policy = f->policy,
	    .horizon = HORIZON,
	    .runs = rep_is_quick(r) ? RUNS / 2 : RUNS,
	    .curve = 50};
	struct sim_result result;
	char what[96];
	int rc;

	rep_step(r, f->what);
	rc = rep_simulate(r, &p, &result, err);
	if (rc) {
		return rc;
	}
	for (size_t i = 0; i < result.ngroups && i < GROUPS; i++) {
		const struct sim_group *g = &result.group[i];
		struct rep_reference bound = {
		    f->bound[i], 0, REP_SPECIFICATION, f->bound[i] > 0 ? REP_AT_MOST : REP_SHOWN};

		snprintf(what, sizeof(what), "%s, %s", f->what, g->name);
		rep_row(r, what, &bound, g->regret.mean, g->regret.se);
	}
	for (uint32_t i = 0; i < result.ncurve; i++) {
		rep_point(
		    r, f->what, (double)result.at[i], result.curve[i].mean, result.curve[i].se);
	}
	sim_release(&result);
	return 0;
}

int reproduce_groupwise(struct rep *r, struct errinfo *err)
{
	static const struct form forms[] = {
	    {"specialists (form A)", "groupwise:horizon=20000", {620, 536, 494, 660, 577}},
	    {"a learner per group (form B)", "groupwise:form=B,horizon=20000", {0}},
	    {"one learner without groups (exp3)", "exp3", {0}},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(forms) / sizeof(forms[0]); i++) {
		rc = play(r, &forms[i], err);
	}
	return rc;
}
