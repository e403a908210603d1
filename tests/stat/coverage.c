/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals cover what they promise: over many logs made with a known truth, 95 % intervals of
 * large-sample kind cover it 93 to 97 times in 100, those that hold for every sample at least 95
 * times; and a log that the target hardly overlaps is called unusable, where intervals fail.
 * --long: five times the logs. Prints a line a row. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/unit/ope_rig.h"

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

static void make_log(struct rig_log *l, const double logging[ARMS], uint64_t seed)
{
	struct rng r = rng_at(seed, 1, RNG_TEST);

	for (size_t i = 0; i < l->n; i++) {
		double u = rng_uniform(&r);
		uint32_t arm = u < logging[0] ? 0 : u < logging[0] + logging[1] ? 1 : 2;

		l->rounds[i] = (struct round){.arm = arm,
		    .propensity = logging[arm],
		    .reward = rng_uniform(&r) < pays[arm],
		    .weight = 1,
		    .has_reward = true};
	}
}

struct score {
	uint32_t logs, covered, unusable;
	struct num_welford value;
};

static int play(struct rig_log *l, const double logging[ARMS], const struct row *row,
    const char *target, double truth, uint32_t logs, struct score *ret)
{
	struct ope_options o = {.model = {.strength = 10, .folds = 5},
	    .interval = row->interval,
	    .alpha = 0.05,
	    .resamples = 500,
	    .threads = 1};
	struct ope_log log = rig_of(l);
	struct score s = {.logs = 0};
	struct estimator e;
	int rc = estimator_parse(row->estimator, &e, NULL);

	rc = rc ? rc : target_parse(target, &o.target, NULL);
	for (uint32_t i = 0; rc == 0 && i < logs; i++) {
		struct ope_summary sum;
		struct ope_result r;

		o.seed = i;
		make_log(l, logging, i);
		rc = ope_run(&log, &o, &e, 1, &sum, &r, NULL);
		s.logs++;
		s.covered += rc == 0 && r.lo <= truth && truth <= r.hi;
		s.unusable += rc == 0 && r.verdict == OPE_UNUSABLE;
		num_welford_add(&s.value, r.value);
	}
	target_free(o.target);
	*ret = s;
	return rc;
}

static int coverage(struct rig_log *l, uint32_t logs)
{
	static const double logging[ARMS] = {0.5, 0.3, 0.2};
	double variance[sizeof(rows) / sizeof(*rows)];
	int failed = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct score s;
		int rc = play(l, logging, &rows[i], "uniform", 0.5, logs, &s);
		double c = (double)s.covered / s.logs, v = num_welford_variance(&s.value);
		/* Without bias: the mean over logs within 4 standard errors. */
		double off = s.value.mean - 0.5;
		bool ok = rc == 0 && c >= rows[i].least && c <= rows[i].most &&
			  off * off < 16 * v / s.logs;

		variance[i] = v;
		printf("%-10s %-16s covers %.3f  mean %.5f  sd %.5f  %s\n", rows[i].estimator,
		    interval_names[rows[i].interval], c, s.value.mean, sqrt(v),
		    ok ? "ok" : "OUT OF BAND");
		failed += !ok;
	}
	if (!(variance[1] < variance[0] && variance[2] < variance[0])) {
		puts("snips and dr do not vary less than ips");
		failed++;
	}
	return failed;
}

/* The target takes what the log took once in 5,000 rounds. */
static int bad_overlap(struct rig_log *l, uint32_t logs)
{
	static const double logging[ARMS] = {0.6, 0.3998, 0.0002};
	static const struct row row = {"ips", INTERVAL_NORMAL, 0, 1};
	struct score s;
	int rc = play(l, logging, &row, "always:c", pays[2], logs, &s);

	printf("bad overlap: covers %.3f, unusable %u of %u\n", (double)s.covered / s.logs,
	    s.unusable, s.logs);
	return rc || s.unusable != s.logs || s.covered * 10 > s.logs * 9;
}

int main(int argc, char **argv)
{
	uint32_t logs = argc > 1 && strcmp(argv[1], "--long") == 0 ? 5 * LOGS : LOGS;
	struct rig_log l = {.rounds = calloc(ROUNDS, sizeof(*l.rounds)),
	    .n = ROUNDS,
	    .narms = ARMS,
	    .npositions = 1};
	int failed = l.rounds ? coverage(&l, logs) + bad_overlap(&l, 200) : 1;

	free(l.rounds);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
