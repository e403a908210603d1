/* SPDX-License-Identifier: Apache-2.0 */
/* The pseudo-inverse on logs of slates made with a known truth: without bias where the reward is a
 * sum of what the slots add, its 95 % intervals hold the truth 93 to 97 times in 100, and it varies
 * less than the product of the weights; where slots act together it is shown to be wrong, and the
 * product to be right. --long: five times the logs. Prints a line a row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/stat/many_logs.h"

#define ROUNDS 1000
#define LOGS 1000
#define SLOTS 3
#define ARMS 3

static const double logging[SLOTS][ARMS] = {{0.5, 0.3, 0.2}, {0.2, 0.2, 0.6}, {0.4, 0.35, 0.25}};
/* What an arm adds to the chance of a reward of 1. */
static const double adds[SLOTS][ARMS] = {{0, 0.1, 0.3}, {0.05, 0.2, 0.05}, {0.3, 0, 0.15}};
static const uint32_t arms[ARMS] = {0, 1, 2};

struct how {
	struct round_slot *slots;
	bool together;
};

static double chance_of(const uint32_t took[SLOTS], bool together)
{
	double sum = 0;

	for (int k = 0; k < SLOTS; k++) {
		sum += adds[k][took[k]];
	}
	return together ? (took[0] == took[1] && took[1] == took[2]) : sum;
}

static void make_log(struct many *m, uint64_t seed)
{
	const struct how *how = m->how;
	struct rng r = rng_at(seed, 3, RNG_TEST);

	for (size_t i = 0; i < m->log.n; i++) {
		struct round_slot *s = how->slots + i * SLOTS;
		uint32_t took[SLOTS];

		for (int k = 0; k < SLOTS; k++) {
			double u = rng_uniform(&r), a = logging[k][0], b = logging[k][1];

			took[k] = u < a ? 0 : u < a + b ? 1 : 2;
			s[k] = (struct round_slot){took[k], logging[k][took[k]], arms, ARMS};
		}
		m->log.rounds[i] = (struct round){.arm = took[0],
		    .propensity = s[0].propensity,
		    .reward = rng_uniform(&r) < chance_of(took, how->together),
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

static int play(struct many *m, struct round_slot *slots, const char *estimator,
    enum interval_kind interval, bool together, struct score *ret)
{
	const struct how how = {slots, together};
	int rc;

	m->how = &how;
	m->truth = truth(together);
	rc = many_logs(m, estimator, interval, ret);
	printf("%-14s %-10s %-8s truth %.5f  off %+.5f of %.5f  covers %.3f  sd %.5f\n", estimator,
	    interval_names[interval], together ? "together" : "sum", m->truth, ret->off,
	    ret->allowed, ret->covers, ret->sd);
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

static int all(struct many *m, struct round_slot *slots)
{
	struct score pi, boot, product, wrong, right;

	if (play(m, slots, "pseudo-inverse", INTERVAL_NORMAL, false, &pi) ||
	    play(m, slots, "pseudo-inverse", INTERVAL_BOOTSTRAP, false, &boot) ||
	    play(m, slots, "ips", INTERVAL_NORMAL, false, &product) ||
	    play(m, slots, "pseudo-inverse", INTERVAL_NORMAL, true, &wrong) ||
	    play(m, slots, "ips", INTERVAL_NORMAL, true, &right)) {
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
	struct round_slot *slots = calloc((size_t)ROUNDS * SLOTS, sizeof(*slots));
	struct many m = {.log = {.rounds = calloc(ROUNDS, sizeof(*m.log.rounds)),
			     .n = ROUNDS,
			     .narms = ARMS,
			     .npositions = SLOTS},
	    .make = make_log,
	    .target = "uniform",
	    .logs = argc > 1 && strcmp(argv[1], "--long") == 0 ? 5 * LOGS : LOGS};
	int failed = m.log.rounds && slots ? all(&m, slots) : 1;

	free(m.log.rounds);
	free(slots);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
