/* SPDX-License-Identifier: Apache-2.0 */
/* Weights from a classifier, on logs made with a known truth whose policy looks at the context:
 * without bias, though nobody tells them the propensities, and no wilder than IPS that knows them;
 * their intervals hold the truth. The quotient has a bias of order 1/n, which must not matter.
 * Where the classifier does not see what the policy saw, it is shown to be wrong. --long: five
 * times the logs. Prints a line a row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/stat/many_logs.h"

#define ROUNDS 1000
#define LOGS 1000
#define ARMS 3

/* By context, 0 or 1. */
static const double logging[2][ARMS] = {{0.6, 0.2, 0.2}, {0.15, 0.25, 0.6}};
static const double pays[2][ARMS] = {{0.2, 0.5, 0.4}, {0.7, 0.3, 0.5}};
static const double contexts[2] = {0, 1};

enum told { ALL, NO_PROPENSITY, NO_CONTEXT };

static void make_log(struct many *m, uint64_t seed)
{
	enum told told = *(const enum told *)m->how;
	struct rng r = rng_at(seed, 4, RNG_TEST);

	for (size_t i = 0; i < m->log.n; i++) {
		int x = rng_uniform(&r) < 0.4;
		double u = rng_uniform(&r);
		uint32_t arm = u < logging[x][0] ? 0 : u < logging[x][0] + logging[x][1] ? 1 : 2;

		m->log.rounds[i] = (struct round){.arm = arm,
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

static int play(struct many *m, const char *estimator, enum interval_kind interval, enum told told,
    struct score *ret)
{
	static const char *const names[] = {"all", "no propensity", "no context"};
	int rc;

	m->how = &told;
	rc = many_logs(m, estimator, interval, ret);
	printf("%-12s %-10s %-14s truth %.4f  off %+.5f of %.5f  covers %.3f  sd %.5f\n", estimator,
	    interval_names[interval], names[told], m->truth, ret->off, ret->allowed, ret->covers,
	    ret->sd);
	return rc;
}

static int all(struct many *m)
{
	double least = 1 - MANY_ALPHA - MANY_LIMIT * sqrt(MANY_ALPHA * (1 - MANY_ALPHA) / m->logs);
	struct score known, plain, quotient, boot, blind;
	int failed = 0;

	if (play(m, "ips", INTERVAL_NORMAL, ALL, &known) ||
	    play(m, "balanced", INTERVAL_NORMAL, NO_PROPENSITY, &plain) ||
	    play(m, "sn-balanced", INTERVAL_NORMAL, NO_PROPENSITY, &quotient) ||
	    play(m, "sn-balanced", INTERVAL_BOOTSTRAP, NO_PROPENSITY, &boot) ||
	    play(m, "sn-balanced", INTERVAL_NORMAL, NO_CONTEXT, &blind)) {
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
	struct many m = {.log = {.rounds = calloc(ROUNDS, sizeof(*m.log.rounds)),
			     .n = ROUNDS,
			     .narms = ARMS,
			     .npositions = 1},
	    .make = make_log,
	    .target = "uniform",
	    .truth = truth(),
	    .logs = argc > 1 && strcmp(argv[1], "--long") == 0 ? 5 * LOGS : LOGS};
	int failed = m.log.rounds ? all(&m) : 1;

	free(m.log.rounds);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
