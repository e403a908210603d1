/* SPDX-License-Identifier: Apache-2.0 */
/* Weights from a classifier, on logs made with a known truth whose policy looks at the context:
 * without bias, though nobody tells them the propensities, and no wilder than IPS that knows them;
 * their intervals hold the truth. The quotient has a bias of order 1/n, which must not matter.
 * Where the classifier does not see what the policy saw, it is shown to be wrong. --long: five
 * times the logs. Prints a line a row. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/unit/ope_rig.h"

#define ROUNDS 1000
#define LOGS 1000
#define ARMS 3
#define LIMIT 4 /* standard errors */
#define COVERS 0.95

/* By context, 0 or 1. */
static const double logging[2][ARMS] = {{0.6, 0.2, 0.2}, {0.15, 0.25, 0.6}};
static const double pays[2][ARMS] = {{0.2, 0.5, 0.4}, {0.7, 0.3, 0.5}};
static const double contexts[2] = {0, 1};

enum told { ALL, NO_PROPENSITY, NO_CONTEXT };

static void make_log(struct rig_log *l, enum told told, uint64_t seed)
{
	struct rng r = rng_at(seed, 4, RNG_TEST);

	for (size_t i = 0; i < l->n; i++) {
		int x = rng_uniform(&r) < 0.4;
		double u = rng_uniform(&r);
		uint32_t arm = u < logging[x][0] ? 0 : u < logging[x][0] + logging[x][1] ? 1 : 2;

		l->rounds[i] = (struct round){.arm = arm,
		    .propensity = told == ALL ? logging[x][arm] : 0,
		    .reward = rng_uniform(&r) < pays[x][arm],
		    .x = &contexts[x],
		    .dim = told == NO_CONTEXT ? 0 : 1,
		    .weight = 1,
		    .has_reward = true};
	}
}

/* Of the uniform target. */
static double truth(void)
{
	double sum = 0;

	for (int a = 0; a < ARMS; a++) {
		sum += (0.6 * pays[0][a] + 0.4 * pays[1][a]) / ARMS;
	}
	return sum;
}

struct score {
	double covers, off, allowed, sd;
};

static int play(struct rig_log *l, const char *estimator, enum interval_kind interval,
    enum told told, uint32_t logs, struct score *ret)
{
	static const char *const names[] = {"all", "no propensity", "no context"};
	struct ope_options o = {.model = {.strength = 10, .folds = 5},
	    .interval = interval,
	    .alpha = 1 - COVERS,
	    .resamples = 300,
	    .threads = 1};
	struct num_welford value = {.n = 0};
	struct ope_log log = rig_of(l);
	uint32_t covered = 0;
	struct estimator e;
	int rc = estimator_parse(estimator, &e, NULL);

	rc = rc ? rc : target_parse("uniform", &o.target, NULL);
	for (uint32_t i = 0; rc == 0 && i < logs; i++) {
		struct ope_summary s;
		struct ope_result r;

		o.seed = i;
		make_log(l, told, i);
		rc = ope_run(&log, &o, &e, 1, &s, &r, NULL);
		covered += rc == 0 && r.lo <= truth() && truth() <= r.hi;
		num_welford_add(&value, r.value);
	}
	target_free(o.target);
	ret->covers = (double)covered / logs;
	ret->off = value.mean - truth();
	ret->sd = sqrt(num_welford_variance(&value));
	ret->allowed = LIMIT * ret->sd / sqrt(logs);
	printf("%-12s %-10s %-14s truth %.4f  off %+.5f of %.5f  covers %.3f  sd %.5f\n", estimator,
	    interval_names[interval], names[told], truth(), ret->off, ret->allowed, ret->covers,
	    ret->sd);
	return rc;
}

static int all(struct rig_log *l, uint32_t logs)
{
	double least = COVERS - LIMIT * sqrt(COVERS * (1 - COVERS) / logs);
	struct score known, plain, quotient, boot, blind;
	int failed = 0;

	if (play(l, "ips", INTERVAL_NORMAL, ALL, logs, &known) ||
	    play(l, "balanced", INTERVAL_NORMAL, NO_PROPENSITY, logs, &plain) ||
	    play(l, "sn-balanced", INTERVAL_NORMAL, NO_PROPENSITY, logs, &quotient) ||
	    play(l, "sn-balanced", INTERVAL_BOOTSTRAP, NO_PROPENSITY, logs, &boot) ||
	    play(l, "sn-balanced", INTERVAL_NORMAL, NO_CONTEXT, logs, &blind)) {
		return 1;
	}
	failed += fabs(plain.off) > plain.allowed;
	failed += fabs(quotient.off) > quotient.allowed + quotient.sd / 10;
	failed += plain.covers < least || quotient.covers < least || boot.covers < least;
	failed += plain.sd > known.sd || quotient.sd > known.sd;
	failed += fabs(blind.off) <= blind.allowed;
	if (failed) {
		puts("OUT OF BAND");
	}
	return failed;
}

int main(int argc, char **argv)
{
	uint32_t logs = argc > 1 && strcmp(argv[1], "--long") == 0 ? 5 * LOGS : LOGS;
	struct rig_log l = {.rounds = calloc(ROUNDS, sizeof(*l.rounds)),
	    .n = ROUNDS,
	    .narms = ARMS,
	    .npositions = 1};
	int failed = l.rounds ? all(&l, logs) : 1;

	free(l.rounds);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
