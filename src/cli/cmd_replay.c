/* SPDX-License-Identifier: Apache-2.0 */
/* bandit replay: learning policies on a recorded log, in process. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/holdout_file.h"
#include "cli/replay_args.h"
#include "cli/replay_plot.h"
#include "eval/learning.h"
#include "json/stats_json.h"

const char replay_usage[] =
    "usage: bandit replay LOG --policy P [--policy P2 ...] [OPTIONS]\n"
    "       bandit replay LOG --target T [--estimator E,E...] [OPTIONS]\n"
    "\n"
    "LOG is a file, plain or compressed, - for standard input, or a state directory.\n"
    "With --policy: what a policy that learns would have earned on a recorded log.\n"
    "\n"
    "  -p, --policy P        JSON, @file, or name:key=value,...; up to 32 times\n"
    "      --estimator E     rejection: it learns where it decides as the log did; dr-ns, or\n"
    "                        dr-ns:0.05: nonstationary doubly robust (rejection)\n"
    "      --runs N          seeds: S, S + 1, ... (1)\n"
    "\n"
    "With --target: what a target that does not learn would have earned, and how far to trust "
    "that.\n"
    "\n"
    "  -t, --target T        uniform, always:ARM, @FILE.csv: arm,position,probability, or\n"
    "                        snapshot:STATE:EXPERIMENT or ..@SEQ: a policy as it was then\n"
    "      --estimator E     ips snips dm dr sndr mrdr, each or :clip=5; switch-dr:5 dros:5\n"
    "                        sg-ips:0.1 sg-dr:0.1; :slope or :mse chooses the number;\n"
    "                        cressie-read mle, each or :wmax=20; pseudo-inverse: of slates;\n"
    "                        balanced sn-balanced: without propensities\n"
    "                        (ips,snips,dm,dr)\n"
    "      --interval I      normal, student, bootstrap, bernstein, hoeffding,\n"
    "                        clopper-pearson, cressie-read,\n"
    "                        sequence (normal)\n"
    "      --bootstrap N     the bootstrap, of N resamples (10000)\n"
    "      --bootstrap-denominator D  resampled, or fixed as some published bounds (resampled)\n"
    "      --threads N       of the bootstrap; no digit depends on it (2)\n"
    "\n"
    "With either:\n"
    "\n"
    "      --reward-model M  mean:10 or ridge:1 (mean:10)\n"
    "      --folds N         of its cross-fitting, 1 for none (5)\n"
    "      --features N      numbers that features with names (dsjson, vw) are hashed to (32)\n"
    "      --alpha A         1 less what the intervals cover (0.05)\n"
    "  -s, --seed S          the same seed prints the same bytes (1)\n"
    "  -n, --rounds N        the first N rounds alone\n"
    "      --holdout F       leave this share of the rounds to bandit compare\n"
    "      --format F        auto, jsonl, dsjson, vw or obd (auto)\n"
    "      --strict          exit status 1 when lines were refused\n"
    "      --plot DIR        estimates.svg, reward.svg, and of a target weights.svg\n"
    "      --json            one JSON document\n";

/* What is asked, and what all policies share. */
struct question {
	struct replay_args *given;
	struct learning_kind kind[REPLAY_ESTIMATORS_MAX];
	size_t nkinds;
	struct rejection_log l;
	struct nonstationary_log ns;
	uint64_t rows;          /* to be played */
	struct plot_data *data; /* of each pair of policy and estimator; NULL: no plots */
	struct plot_estimate *estimates;
};

int replay_play(const struct rejection_log *l, uint64_t rows, struct learning *g,
    replay_seen_fn *seen, void *arg, struct errinfo *err)
{
	struct progress bar;
	struct round round;
	uint64_t row = 0, taken = 0;
	int rc = round_file_rewind(l->kept, err), more = 1;

	progress_start(&bar, "rounds", rows);
	while (rc == 0 && row < rows && (more = round_file_next(l->kept, &round, err)) == 1) {
		rc = learning_play(g, ++row, &round, err);
		progress_add(&bar, 1);
		if (rc == 0 && seen) {
			seen(arg, &round, learning_taken(g) > taken);
			taken = learning_taken(g);
		}
	}
	progress_clear(&bar);
	return rc ? rc : more < 0 ? more : 0;
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

/* A count of one run, a mean of several. */
static json_t *count(double v, const struct learning_result *r)
{
	return r->runs == 1 ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *result_json(const struct given_policy *p, const struct learning_kind *kind,
    const struct learning *g, const struct learning_result *r)
{
	const struct experiment *e = learning_first(g);
	const struct ope_summary *s = &r->summary;
	json_t *arms = json_array();

	for (uint32_t slot = 0; slot < experiment_arms(e)->n; slot++) {
		json_array_append_new(arms, arm_to_json(e, slot));
	}
	return json_pack("{sO ss so so so so so ss sI sI so so sf sf sf sf sf ss ss so}", "policy",
	    p->json, "estimator", kind->text, "value", number(r->value), "se", number(r->se),
	    "seed_sd", number(r->seed_sd), "lo", number(r->lo), "hi", number(r->hi), "interval",
	    "normal", "runs", (json_int_t)r->runs, "rounds", (json_int_t)r->rounds, "accepted",
	    count(r->accepted, r), "clicks", count(r->clicks, r), "reward_sum", r->reward_sum,
	    "ess", s->overlap.ess, "max_weight", s->overlap.max_weight, "mean_weight",
	    s->overlap.mean_weight, "unsupported", s->unsupported, "verdict",
	    ope_verdicts[r->judged.verdict], "why", r->judged.why, "arms", arms);
}

static void print_number(double v)
{
	if (isfinite(v)) {
		printf(" %9.5f", v);
	} else {
		printf(" %9s", "-");
	}
}

static void print_result(
    const struct given_policy *p, const struct learning_kind *kind, const struct learning_result *r)
{
	printf("%-16s %-11s %10.*f", p->ops->name, kind->text, r->runs > 1, r->accepted);
	print_number(r->value);
	print_number(r->se);
	print_number(r->seed_sd);
	print_number(r->lo);
	print_number(r->hi);
	printf("  %s: %s\n", ope_verdicts[r->judged.verdict], r->judged.why);
}

/* The i-th pair of policy and estimator. */
static int begin(
    const struct question *q, size_t i, uint32_t runs, struct learning **ret, struct errinfo *err)
{
	const struct given_policy *p = &q->given->policy[i / q->nkinds];
	const struct learning_policy policy = {p->ops, p->params, p->nparams};

	return learning_new(
	    &q->l, &q->ns, &q->kind[i % q->nkinds], &policy, q->given->o.seed, runs, ret, err);
}

static void note(const struct question *q, size_t i, const struct learning_result *r)
{
	if (q->data) {
		q->data[i].name = q->given->policy[i / q->nkinds].ops->name;
		q->estimates[i] = (struct plot_estimate){q->data[i].name, r->value, r->lo, r->hi};
	}
}

static int replay_one(const struct question *q, size_t i, json_t *results, struct errinfo *err)
{
	const struct given_policy *p = &q->given->policy[i / q->nkinds];
	const struct learning_kind *kind = &q->kind[i % q->nkinds];
	const struct replay_args *a = q->given;
	struct learning_result r;
	struct learning *g = NULL;
	int rc = begin(q, i, a->runs, &g, err);

	rc = rc ? rc
		: replay_play(&q->l, q->rows, g, q->data ? plot_data_learnt : NULL,
		      q->data ? &q->data[i] : NULL, err);
	if (rc == 0) {
		learning_result(g, a->o.alpha, &r);
		note(q, i, &r);
		json_array_append_new(results, result_json(p, kind, g, &r));
		if (!a->json) {
			print_result(p, kind, &r);
		}
	}
	learning_free(g);
	return rc;
}

static json_t *document(const struct rejection_log *l, json_t *results)
{
	json_t *skipped = json_pack("{sI}", "refused", (json_int_t)l->refused);
	uint64_t n = l->refused + l->skipped;

	for (int i = LOG_REFUSALS; i < LOG_REASONS; i++) {
		n += l->counts.by_reason[i];
		if (l->counts.by_reason[i]) {
			json_object_set_new(skipped, log_reason_names[i],
			    json_integer((json_int_t)l->counts.by_reason[i]));
		}
	}
	if (l->skipped) {
		json_object_set_new(skipped, "unrewarded", json_integer((json_int_t)l->skipped));
	}
	return json_pack("{s{sI sI so sI sf} s{sf} sO}", "log", "rounds", (json_int_t)(l->rows + n),
	    "used", (json_int_t)l->rows, "skipped", skipped, "clicks", (json_int_t)l->clicks,
	    "reward_sum", l->sum, "logging", "mean", l->sum / (double)l->rows, "results", results);
}

static void print_head(const struct question *q)
{
	const struct rejection_log *l = &q->l;

	printf("%" PRIu64 " rounds, %zu arms, mean %.5f%s\n", l->rows, l->nitems,
	    l->sum / (double)l->rows,
	    l->p_min < l->p_max ? "; not uniform: matches are kept with p_min/p" : "");
	printf("%" PRIu64 " rounds are played, with %" PRIu32 " seed%s\n\n", q->rows,
	    q->given->runs, q->given->runs == 1 ? "" : "s");
	printf("%-16s %-11s %10s %9s %9s %9s %9s %9s\n", "policy", "estimator", "accepted", "value",
	    "s.e.", "seed s.d.", "lo", "hi");
}

/* Reads the log once; what it keeps is read twice for the reward model where one is needed. */
static int prepare(struct question *q, struct errinfo *err)
{
	struct replay_args *a = q->given;
	const struct log_options o = replay_log_options(a);
	int rc = rejection_scan(a->path, &o, &q->l, err);
	struct learning *g = NULL;
	bool needed = false;

	if (rc) {
		return rc;
	}
	q->rows = a->rounds && a->rounds < q->l.rows ? a->rounds : q->l.rows;
	for (size_t i = 0; i < a->npolicies * q->nkinds && rc == 0; i++) {
		rc = begin(q, i, 1, &g, err); /* what cannot be played is told before anything is */
		learning_free(g);
		g = NULL;
	}
	for (size_t i = 0; i < q->nkinds; i++) {
		needed = needed || !q->kind[i].rejection;
	}
	if (rc == 0 && a->plot) {
		q->data = calloc(a->npolicies * q->nkinds, sizeof(*q->data));
		q->estimates = calloc(a->npolicies * q->nkinds, sizeof(*q->estimates));
		rc = q->data && q->estimates
			 ? 0
			 : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	return rc || !needed ? rc : nonstationary_open(&q->l, q->rows, &a->o.model, &q->ns, err);
}

static int replay(struct question *q)
{
	const struct replay_args *a = q->given;
	struct errinfo err = {.rc = 0};
	json_t *results = json_array();
	int rc = prepare(q, &err), status;

	if (rc == 0 && !a->json) {
		print_head(q);
	}
	for (size_t i = 0; rc == 0 && i < a->npolicies * q->nkinds; i++) {
		rc = replay_one(q, i, results, &err);
	}
	if (rc == 0 && a->plot) {
		rc = replay_plots(a->plot, q->estimates, a->npolicies * q->nkinds, q->data,
		    a->npolicies * q->nkinds, &err);
	}
	free(q->data);
	free(q->estimates);
	if (rc) {
		status = cli_fail("replay", &err);
	} else {
		status = a->json ? cli_print_json("replay", document(&q->l, results))
				 : cli_flush("replay");
	}
	status = status == CLI_DONE && a->strict && q->l.refused ? CLI_WRONG : status;
	json_decref(results);
	nonstationary_release(&q->ns);
	rejection_log_release(&q->l);
	return status;
}

static int add_kind(void *arg, const char *name)
{
	struct errinfo err = {.rc = 0};
	struct question *q = arg;

	if (q->nkinds == REPLAY_ESTIMATORS_MAX) {
		return cli_usage("replay", "at most %d estimators", REPLAY_ESTIMATORS_MAX);
	}
	if (learning_parse(name, &q->kind[q->nkinds], &err)) {
		return cli_usage("replay", "--estimator: %s", err.text);
	}
	q->nkinds++;
	return -1;
}

static int replay_policies(struct replay_args *a)
{
	struct question q = {.given = a};
	int status = replay_estimators(a, add_kind, &q);

	if (status < 0 && q.nkinds == 0) {
		status = add_kind(&q, "rejection");
	}
	return status < 0 ? replay(&q) : status;
}

int cmd_replay(int argc, char **argv)
{
	struct replay_args a;
	int status = replay_args_read(argc, argv, NULL, &a);

	if (status < 0 && !(a.holdout > 0)) {
		holdout_file_warn("replay", a.path);
	}
	if (status < 0) {
		status = a.target ? replay_target(&a) : replay_policies(&a);
	}
	replay_args_release(&a);
	return status;
}
