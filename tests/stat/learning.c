/* SPDX-License-Identifier: Apache-2.0 */
/* Policies that learn, evaluated on logs of another: over many logs made with a known truth, the
 * nonstationary doubly robust evaluator and rejection are without bias, and their 95 % intervals
 * hold the truth; where they cannot, that is shown. The truth is what the policy earns when it is
 * served: in each of the rounds its distribution times the arms' means, one round in 1/c joining
 * its history. The form of the interval was chosen on logs of the seeds below FRESH, so none of
 * them is used here, and no band was fitted to what comes out. --long: five times the logs. Prints
 * a line a row. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "eval/learning.h"
#include "policies/policies.h"

#define ROUNDS 600
#define LOGS 400
#define RUNS 4
#define ARMS 3
#define TEXT_MAX ((size_t)64 * ROUNDS)
#define LIMIT 4 /* standard errors */
#define FRESH 5000000
#define COVERS 0.95
/* Half of an interval over 1.96 standard deviations of the value: by the formula at most this,
 * where nothing but the seeds differs: Student's 3.182 sqrt(1 + 1/N) s for a mean that varies by
 * s/sqrt(N). */
#define WIDTH_MOST (3.182 / 1.96 * sqrt(RUNS + 1))

static const double pays[ARMS] = {0.3, 0.5, 0.7};
static const double logging[ARMS] = {0.5, 0.3, 0.2};

static const struct row {
	const char *policy, *estimator;
	bool covers; /* but for chance in so many logs */
	bool biased; /* and shown to be */
	bool slow;   /* --long alone */
} rows[] = {{"epsilon_greedy", "rejection", true, false, false},
    {"epsilon_greedy", "dr-ns", true, false, false}, {"ucb1", "rejection", true, false, false},
    {"ucb1", "dr-ns", true, false, false}, {"exp3_ix", "dr-ns", true, false, false},
    /* Its rates go by the decisions it made, and those that are passed over count, too. */
    {"exp3_ix", "rejection", false, true, false},
    /* A quantile lets more rounds in, those with small p too often. */
    {"exp3_ix", "dr-ns:0.05", false, true, false}, {"thompson", "rejection", true, false, true},
    {"thompson", "dr-ns", true, false, true}};

static char text[TEXT_MAX];

static void make_log(uint64_t seed)
{
	struct rng r = rng_at(seed, 1, RNG_TEST);
	size_t at = (size_t)snprintf(text, TEXT_MAX, "item_id,position,click,propensity_score\n");

	for (int i = 0; i < ROUNDS; i++) {
		double u = rng_uniform(&r);
		int arm = u < logging[0] ? 0 : u < logging[0] + logging[1] ? 1 : 2;

		at += (size_t)snprintf(text + at, TEXT_MAX - at, "%d,%d,%d,%g\n", arm, 1 + i % 2,
		    rng_uniform(&r) < pays[arm], logging[arm]);
	}
}

static int open_text(const char *path, const struct log_options *o, struct log_arms *arms,
    struct log **ret, struct errinfo *err)
{
	struct log_options plain = *o;

	plain.open = NULL;
	return log_open_bytes(path, text, strlen(text), &plain, arms, ret, err);
}

static const struct log_options from_text = {.open = open_text, .format = "obd"};

static int play_log(const struct learning_kind *kind, const char *policy, uint64_t seed,
    struct learning_result *ret)
{
	const struct learning_policy p = {.ops = policy_find(policy)};
	const struct model_spec model = {.strength = 10, .folds = 5};
	struct nonstationary_log ns = {.l = NULL};
	struct rejection_log l = {.rows = 0};
	struct learning *g = NULL;
	struct round round;
	uint64_t row = 0;
	int rc = rejection_scan("made", &from_text, &l, NULL);

	rc = rc ? rc : nonstationary_open(&l, l.rows, &model, &ns, NULL);
	rc = rc ? rc : learning_new(&l, &ns, kind, &p, seed, RUNS, &g, NULL);
	rc = rc ? rc : round_file_rewind(l.kept, NULL);
	while (rc == 0 && round_file_next(l.kept, &round, NULL) == 1) {
		rc = learning_play(g, ++row, &round, NULL);
	}
	if (rc == 0) {
		learning_result(g, 0.05, ret);
	}
	learning_free(g);
	nonstationary_release(&ns);
	rejection_log_release(&l);
	return rc;
}

/* One round that is served: what it is expected to earn; with `joins` it is learnt from. */
static int serve(struct experiment *e, bool joins, struct rng *rng, struct arena *mem, double *ret)
{
	struct experiment_spec spec;
	enum feedback_status status;
	struct pending pending;
	struct event d, ev;
	uint32_t slot;
	int rc;

	arena_reset(mem);
	rc = experiment_select(e, &(struct select_in){.want_pmf = true}, 0, mem, &d, NULL);
	for (size_t i = 0; rc == 0 && i < ARMS; i++) {
		*ret += d.decision.pmf[i] * pays[i];
	}
	if (rc || !joins) {
		return rc;
	}
	experiment_spec_of(e, &spec);
	slot = d.decision.picks[0].slot;
	rc = experiment_apply(e, &d);
	pending_start(&pending, &d.decision);
	rc = rc ? rc
		: experiment_reward(e, &d, &pending,
		      &(struct reward_in){.reward = rng_uniform(rng) < pays[slot]}, 0, mem, &ev,
		      &status, NULL);
	return rc ? rc : experiment_apply(e, &ev);
}

/* What the policy earns a round when it is served, with its standard error. accepted: the mean over
 * the rounds that join, as rejection has it, instead of over all. */
static int truth(const char *policy, uint32_t times, bool accepted, struct num_welford *ret)
{
	static const struct spec_arm arms[ARMS] = {{"0", ""}, {"1", ""}, {"2", ""}};
	const struct experiment_spec spec = {.name = "served",
	    .policy = policy,
	    .arms = arms,
	    .narms = ARMS,
	    .slots = 1,
	    .hi = 1,
	    .settings = {.label = ""}};
	struct arena mem;
	int rc = 0;

	arena_init(&mem, (size_t)1 << 20);
	for (uint32_t i = 0; rc == 0 && i < times; i++) {
		struct rng rng = rng_at(FRESH + i, 2, RNG_TEST);
		struct experiment_spec own = spec;
		double sum = 0, last = 0, n = 0;
		struct experiment *e = NULL;

		own.seed = 2 * FRESH + i;
		rc = experiment_new(&own, policy_find(policy), 0, &e, NULL);
		for (int k = 0; rc == 0 && k < ROUNDS; k++) {
			bool joins = rng_uniform(&rng) < logging[2];

			last = 0;
			rc = serve(e, joins, &rng, &mem, &last);
			sum += !accepted || joins ? last : 0;
			n += !accepted || joins;
		}
		num_welford_add(ret, sum / n);
		experiment_free(e);
	}
	arena_release(&mem);
	return rc;
}

static int play(const struct row *row, uint32_t logs)
{
	struct num_welford value = {.n = 0}, half = {.n = 0}, real = {.n = 0};
	double off, allowed, share, least, width;
	struct learning_kind kind;
	uint32_t covered = 0;
	int rc = learning_parse(row->estimator, &kind, NULL);
	bool ok;

	rc = rc ? rc : truth(row->policy, 4 * logs, kind.rejection, &real);
	for (uint32_t i = 0; rc == 0 && i < logs; i++) {
		struct learning_result r;

		make_log(FRESH + i);
		rc = play_log(&kind, row->policy, FRESH + (uint64_t)i * RUNS, &r);
		if (rc == 0) {
			num_welford_add(&value, r.value);
			num_welford_add(&half, (r.hi - r.lo) / 2);
			covered += r.lo <= real.mean && real.mean <= r.hi;
		}
	}
	off = value.mean - real.mean;
	allowed = LIMIT * sqrt(num_welford_variance(&value) / (double)value.n +
			       num_welford_variance(&real) / (double)real.n);
	share = (double)covered / logs;
	least = COVERS - LIMIT * sqrt(COVERS * (1 - COVERS) / logs);
	width = half.mean / (1.96 * sqrt(num_welford_variance(&value)));
	ok = rc == 0 && (!row->covers || share >= least) && width < WIDTH_MOST &&
	     (fabs(off) > allowed) == row->biased;
	printf("%-15s %-10s truth %.4f  mean %.4f  off %+.4f of %.4f  covers %.3f, at least %.3f  "
	       "width %.2f  %s\n",
	    row->policy, row->estimator, real.mean, value.mean, off, allowed, share,
	    row->covers ? least : 0, width, ok ? "ok" : "OUT OF BAND");
	return !ok;
}

int main(int argc, char **argv)
{
	bool is_long = argc > 1 && strcmp(argv[1], "--long") == 0;
	int failed = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		failed += is_long || !rows[i].slow ? play(&rows[i], is_long ? 5 * LOGS : LOGS) : 0;
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
