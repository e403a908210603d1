/* SPDX-License-Identifier: Apache-2.0 */
/* The pseudo-inverse on logs of slates made with a known truth: without bias where the reward is a
 * sum of what the slots add, its 95 % intervals hold the truth 93 to 97 times in 100, and it varies
 * less than the product of the weights; where slots act together it is shown to be wrong, and the
 * product to be right. --long: five times the logs. Prints a line a row. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/unit/ope_rig.h"

#define ROUNDS 1000
#define LOGS 1000
#define SLOTS 3
#define ARMS 3
#define LIMIT 4 /* standard errors */

static const double logging[SLOTS][ARMS] = {{0.5, 0.3, 0.2}, {0.2, 0.2, 0.6}, {0.4, 0.35, 0.25}};
/* What an arm adds to the chance of a reward of 1. */
static const double adds[SLOTS][ARMS] = {{0, 0.1, 0.3}, {0.05, 0.2, 0.05}, {0.3, 0, 0.15}};
static const uint32_t arms[ARMS] = {0, 1, 2};

static double chance_of(const uint32_t took[SLOTS], bool together)
{
	double sum = 0;

	for (int k = 0; k < SLOTS; k++) {
		sum += adds[k][took[k]];
	}
	return together ? (took[0] == took[1] && took[1] == took[2]) : sum;
}

static void make_log(struct rig_log *l, struct round_slot *slots, bool together, uint64_t seed)
{
	struct rng r = rng_at(seed, 3, RNG_TEST);

	for (size_t i = 0; i < l->n; i++) {
		struct round_slot *s = slots + i * SLOTS;
		uint32_t took[SLOTS];

		for (int k = 0; k < SLOTS; k++) {
			double u = rng_uniform(&r), a = logging[k][0], b = logging[k][1];

			took[k] = u < a ? 0 : u < a + b ? 1 : 2;
			s[k] = (struct round_slot){took[k], logging[k][took[k]], arms, ARMS};
		}
		l->rounds[i] = (struct round){.arm = took[0],
		    .propensity = s[0].propensity,
		    .reward = rng_uniform(&r) < chance_of(took, together),
		    .eligible = arms,
		    .neligible = ARMS,
		    .weight = 1,
		    .has_reward = true,
		    .slots = s,
		    .nslots = SLOTS};
	}
}

/* Of the uniform target: the mean over all slates. */
static double truth(bool together)
{
	double sum = 0;
	int n = 0;

	for (uint32_t a = 0; a < ARMS; a++) {
		for (uint32_t b = 0; b < ARMS; b++) {
			for (uint32_t c = 0; c < ARMS; c++, n++) {
				sum += chance_of((uint32_t[]){a, b, c}, together);
			}
		}
	}
	return sum / n;
}

struct score {
	double covers, off, allowed, sd;
};

static int play(struct rig_log *l, struct round_slot *slots, const char *estimator,
    enum interval_kind interval, bool together, uint32_t logs, struct score *ret)
{
	struct ope_options o = {.model = {.strength = 10, .folds = 5},
	    .interval = interval,
	    .alpha = 0.05,
	    .resamples = 500,
	    .threads = 1};
	struct num_welford value = {.n = 0};
	struct ope_log log = rig_of(l);
	double real = truth(together);
	uint32_t covered = 0;
	struct estimator e;
	int rc = estimator_parse(estimator, &e, NULL);

	rc = rc ? rc : target_parse("uniform", &o.target, NULL);
	for (uint32_t i = 0; rc == 0 && i < logs; i++) {
		struct ope_summary s;
		struct ope_result r;

		o.seed = i;
		make_log(l, slots, together, i);
		rc = ope_run(&log, &o, &e, 1, &s, &r, NULL);
		covered += rc == 0 && r.lo <= real && real <= r.hi;
		num_welford_add(&value, r.value);
	}
	target_free(o.target);
	ret->covers = (double)covered / logs;
	ret->off = value.mean - real;
	ret->sd = sqrt(num_welford_variance(&value));
	ret->allowed = LIMIT * ret->sd / sqrt(logs);
	printf("%-14s %-10s %-8s truth %.5f  off %+.5f of %.5f  covers %.3f  sd %.5f\n", estimator,
	    interval_names[interval], together ? "together" : "sum", real, ret->off, ret->allowed,
	    ret->covers, ret->sd);
	return rc;
}

static int bad(const struct score *s)
{
	bool ok = fabs(s->off) <= s->allowed && s->covers >= 0.93 && s->covers <= 0.97;

	if (!ok) {
		puts("OUT OF BAND");
	}
	return !ok;
}

static int all(struct rig_log *l, struct round_slot *slots, uint32_t logs)
{
	struct score pi, boot, product, wrong, right;

	if (play(l, slots, "pseudo-inverse", INTERVAL_NORMAL, false, logs, &pi) ||
	    play(l, slots, "pseudo-inverse", INTERVAL_BOOTSTRAP, false, logs, &boot) ||
	    play(l, slots, "ips", INTERVAL_NORMAL, false, logs, &product) ||
	    play(l, slots, "pseudo-inverse", INTERVAL_NORMAL, true, logs, &wrong) ||
	    play(l, slots, "ips", INTERVAL_NORMAL, true, logs, &right)) {
		return 1;
	}
	if (pi.sd >= product.sd) {
		puts("the pseudo-inverse does not vary less than the product");
	}
	if (fabs(wrong.off) <= wrong.allowed || fabs(right.off) > right.allowed) {
		puts("slots that act together are not told apart");
	}
	return bad(&pi) + bad(&boot) + bad(&product) + (pi.sd >= product.sd) +
	       (fabs(wrong.off) <= wrong.allowed) + (fabs(right.off) > right.allowed);
}

int main(int argc, char **argv)
{
	uint32_t logs = argc > 1 && strcmp(argv[1], "--long") == 0 ? 5 * LOGS : LOGS;
	struct round_slot *slots = calloc((size_t)ROUNDS * SLOTS, sizeof(*slots));
	struct rig_log l = {.rounds = calloc(ROUNDS, sizeof(*l.rounds)),
	    .n = ROUNDS,
	    .narms = ARMS,
	    .npositions = SLOTS};
	int failed = l.rounds && slots ? all(&l, slots, logs) : 1;

	free(l.rounds);
	free(slots);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
