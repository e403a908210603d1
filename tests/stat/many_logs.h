/* SPDX-License-Identifier: Apache-2.0 */
/* One estimator on many logs that are made with a known truth: how often its 95 % interval holds
 * it, and how far off the mean of its values is. */
#ifndef TESTS_STAT_MANY_LOGS_H
#define TESTS_STAT_MANY_LOGS_H

#include <math.h>

#include "tests/unit/ope_rig.h"

#define MANY_ALPHA 0.05
#define MANY_LIMIT 4 /* standard errors that a mean may be off */

struct many {
	struct rig_log log;
	void (*make)(struct many *m, uint64_t seed); /* fills log.rounds */
	const void *how;                             /* for make() */
	const char *target;
	double truth;
	uint32_t logs;
};

struct score {
	double covers, off, allowed, sd;
	uint32_t unusable;
};

static inline int many_logs(
    struct many *m, const char *estimator, enum interval_kind interval, struct score *ret)
{
	struct ope_options o = {.model = {.strength = 10, .folds = 5},
	    .interval = interval,
	    .alpha = MANY_ALPHA,
	    .resamples = 500,
	    .threads = 1};
	struct num_welford value = {.n = 0};
	struct ope_log log = rig_of(&m->log);
	uint32_t covered = 0, unusable = 0;
	struct estimator e;
	int rc = estimator_parse(estimator, &e, NULL);

	rc = rc ? rc : target_parse(m->target, &o.target, NULL);
	for (uint32_t i = 0; rc == 0 && i < m->logs; i++) {
		struct ope_summary s;
		struct ope_result r;

		o.seed = i;
		m->make(m, i);
		rc = ope_run(&log, &o, &e, 1, &s, &r, NULL);
		covered += rc == 0 && r.lo <= m->truth && m->truth <= r.hi;
		unusable += rc == 0 && r.verdict == OPE_UNUSABLE;
		num_welford_add(&value, r.value);
	}
	target_free(o.target);
	*ret = (struct score){.covers = (double)covered / m->logs,
	    .off = value.mean - m->truth,
	    .sd = sqrt(num_welford_variance(&value)),
	    .unusable = unusable};
	ret->allowed = MANY_LIMIT * ret->sd / sqrt(m->logs);
	return rc;
}

#endif
