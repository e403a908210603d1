/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals cover what they promise: over many logs made with a known truth, 95 % intervals of
 * large-sample kind cover it 93 to 97 times in 100, those that hold for every sample at least 95
 * times; and a log that the target hardly overlaps is called unusable, where intervals fail.
 * --long: five times the logs. Prints a line a row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/stat/many_logs.h"

#define ROUNDS 1000
#define LOGS 1000
#define ARMS 3

static const double pays[ARMS] = {0.3, 0.5, 0.7};

struct row {
	const char *estimator;
	enum interval_kind interval;
	double least, most;
};

static const struct row rows[] = {{"ips", INTERVAL_NORMAL, 0.93, 0.97},
    {"snips", INTERVAL_NORMAL, 0.93, 0.97}, {"dr", INTERVAL_NORMAL, 0.93, 0.97},
    {"sndr", INTERVAL_NORMAL, 0.93, 0.97}, {"mrdr", INTERVAL_NORMAL, 0.93, 0.97},
    {"snips", INTERVAL_BOOTSTRAP, 0.93, 0.97}, {"dr", INTERVAL_BOOTSTRAP, 0.93, 0.97},
    {"mle:wmax=2", INTERVAL_NORMAL, 0.93, 0.97}, {"snips", INTERVAL_STUDENT, 0.93, 0.97},
    {"ips", INTERVAL_BERNSTEIN, 0.95, 1}, {"ips", INTERVAL_HOEFFDING, 0.95, 1},
    {"ips", INTERVAL_CLOPPER_PEARSON, 0.95, 1}, {"snips", INTERVAL_CRESSIE_READ, 0.93, 1},
    {"ips", INTERVAL_SEQUENCE, 0.95, 1}};

static void make_log(struct many *m, uint64_t seed)
{
	const double *logging = m->how;
	struct rng r = rng_at(seed, 1, RNG_TEST);

	for (size_t i = 0; i < m->log.n; i++) {
		double u = rng_uniform(&r);
		uint32_t arm = u < logging[0] ? 0 : u < logging[0] + logging[1] ? 1 : 2;

		m->log.rounds[i] = (struct round){.arm = arm,
		    .propensity = logging[arm],
		    .reward = rng_uniform(&r) < pays[arm],
		    .weight = 1,
		    .has_reward = true};
	}
}

static int coverage(struct many *m)
{
	double sd[sizeof(rows) / sizeof(*rows)];
	int failed = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct score s;
		int rc = many_logs(m, rows[i].estimator, rows[i].interval, &s);
		bool ok = rc == 0 && s.covers >= rows[i].least && s.covers <= rows[i].most &&
			  fabs(s.off) < s.allowed;

		sd[i] = s.sd;
		printf("%-10s %-16s covers %.3f  mean %.5f  sd %.5f  %s\n", rows[i].estimator,
		    interval_names[rows[i].interval], s.covers, m->truth + s.off, s.sd,
		    ok ? "ok" : "OUT OF BAND");
		failed += !ok;
	}
	if (!(sd[1] < sd[0] && sd[2] < sd[0])) {
		puts("snips and dr do not vary less than ips");
		failed++;
	}
	return failed;
}

/* The target takes what the log took once in 5,000 rounds. */
static int bad_overlap(struct many *m)
{
	struct score s;
	int rc = many_logs(m, "ips", INTERVAL_NORMAL, &s);

	printf("bad overlap: covers %.3f, unusable %u of %u\n", s.covers, s.unusable, m->logs);
	return rc || s.unusable != m->logs || s.covers > 0.9;
}

int main(int argc, char **argv)
{
	static const double logging[ARMS] = {0.5, 0.3, 0.2}, rarely[ARMS] = {0.6, 0.3998, 0.0002};
	struct many m = {.log = {.rounds = calloc(ROUNDS, sizeof(*m.log.rounds)),
			     .n = ROUNDS,
			     .narms = ARMS,
			     .npositions = 1},
	    .make = make_log,
	    .how = logging,
	    .target = "uniform",
	    .truth = 0.5,
	    .logs = argc > 1 && strcmp(argv[1], "--long") == 0 ? 5 * LOGS : LOGS};
	int failed = m.log.rounds ? coverage(&m) : 1;

	if (m.log.rounds) {
		m.how = rarely;
		m.target = "always:c";
		m.truth = pays[2];
		m.logs = 200;
		failed += bad_overlap(&m);
	}
	free(m.log.rounds);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
