/* SPDX-License-Identifier: Apache-2.0 */
/* bandit replay: learning policies on a recorded log, in process. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/replay_args.h"
#include "cli/state_log.h"
#include "eval/rejection.h"
#include "json/stats_json.h"

#define MEM_MAX ((size_t)64 << 20)

const char replay_usage[] =
    "usage: bandit replay LOG --policy P [--policy P2 ...] [OPTIONS]\n"
    "       bandit replay LOG --target T [--estimator E,E...] [OPTIONS]\n"
    "\n"
    "LOG is a file, plain or compressed, - for standard input, or a state directory.\n"
    "What a learning policy would have earned on a recorded log, by rejection: it decides in "
    "every\n"
    "round and learns where it decides as the log did.\n"
    "\n"
    "  -p, --policy P   JSON, @file, or name:key=value,...; up to 32 times\n"
    "\n"
    "With --target: what a target that does not learn would have earned, and how far to trust "
    "that.\n"
    "\n"
    "  -t, --target T        uniform, always:ARM, or @FILE.csv: arm,position,probability\n"
    "      --estimator E     ips snips dm dr sndr mrdr, each or :clip=5; switch-dr:5 dros:5\n"
    "                        sg-ips:0.1 sg-dr:0.1 cressie-read; :slope chooses the number\n"
    "                        "
    "(ips,snips,dm,dr)\n"
    "      --reward-model M  mean:10 or ridge:1 (mean:10)\n"
    "      --folds N         of its cross-fitting, 1 for none (5)\n"
    "      --interval I      normal, bootstrap, bernstein, clopper-pearson, cressie-read,\n"
    "                        sequence (normal)\n"
    "      --bootstrap N     the bootstrap, of N resamples (10000)\n"
    "      --alpha A         1 less what the intervals cover (0.05)\n"
    "      --threads N       of the bootstrap; no digit depends on it (2)\n"
    "\n"
    "With either:\n"
    "\n"
    "  -s, --seed S     the same seed prints the same bytes (1)\n"
    "  -n, --rounds N   the first N rounds alone\n"
    "      --holdout F  leave this share of the rounds to bandit compare\n"
    "      --format F   auto, jsonl, dsjson, vw or obd (auto)\n"
    "      --strict     exit status 1 when lines were refused\n"
    "      --json       one JSON document\n";

static int play_all(const struct replay_args *a, const struct rejection_log *l,
    struct experiment *e, struct rejection_result *ret, struct errinfo *err)
{
	uint64_t last = a->rounds && a->rounds < l->rows ? a->rounds : l->rows, row = 0;
	const struct log_options o = {.open = state_log_open, .format = a->format, .part = a->part};
	struct log *in = NULL;
	struct progress bar;
	struct round round;
	struct arena mem;
	int rc = log_open(a->path, &o, l->arms, &in, err), more;

	arena_init(&mem, MEM_MAX);
	progress_start(&bar, "rounds", last);
	while (rc == 0 && row < last) {
		more = log_next(in, &round, err);
		if (more != 1) {
			rc = err_set(err, more ? more : RC_IO, "changed", a->path,
			    "the file changed while it was read");
		} else if (round.has_reward) {
			rc = rejection_play(l, e, ++row, &round, &mem, ret, err);
			progress_add(&bar, 1);
		}
	}
	progress_clear(&bar);
	log_close(in);
	arena_release(&mem);
	return rc;
}

/* Of the rewards of the rounds accepted. */
static double standard_error(const struct rejection_result *r)
{
	double n = (double)r->accepted, mean = r->sum / n, v = r->squares / n - mean * mean;

	return sqrt(v > 0 ? v / n : 0);
}

static json_t *result_json(
    const struct given_policy *p, const struct experiment *e, const struct rejection_result *r)
{
	json_t *arms = json_array();

	for (uint32_t slot = 0; slot < experiment_arms(e)->n; slot++) {
		json_array_append_new(arms, arm_to_json(e, slot));
	}
	return json_pack("{sO ss so so sI sI sI sf so}", "policy", p->json, "estimator",
	    "rejection", "value",
	    r->accepted ? json_real(r->sum / (double)r->accepted) : json_null(), "se",
	    r->accepted ? json_real(standard_error(r)) : json_null(), "rounds",
	    (json_int_t)r->rounds, "accepted", (json_int_t)r->accepted, "clicks",
	    (json_int_t)r->clicks, "reward_sum", r->sum, "arms", arms);
}

static void print_result(const struct given_policy *p, const struct rejection_result *r)
{
	printf("%-24s %10" PRIu64 " %10" PRIu64 " %10" PRIu64, p->ops->name, r->rounds, r->accepted,
	    r->clicks);
	if (r->accepted) {
		printf(" %10.5f %10.5f", r->sum / (double)r->accepted, standard_error(r));
	}
	putchar('\n');
}

static int replay_one(const struct replay_args *a, const struct rejection_log *l,
    const struct given_policy *p, json_t *results, struct errinfo *err)
{
	struct rejection_result r = {.rounds = 0};
	struct experiment *e = NULL;
	int rc = rejection_start(l, p->ops, p->params, p->nparams, a->o.seed, &e, err);

	rc = rc ? rc : play_all(a, l, e, &r, err);
	if (rc == 0) {
		json_array_append_new(results, result_json(p, e, &r));
		if (!a->json) {
			print_result(p, &r);
		}
	}
	experiment_free(e);
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

static int replay(struct replay_args *a)
{
	struct rejection_log l = {.rows = 0};
	struct errinfo err = {.rc = 0};
	json_t *results = json_array();
	const struct log_options o = replay_log_options(a);
	int rc = rejection_scan(a->path, &o, &l, &err), status = CLI_DONE;

	if (rc == 0 && !a->json) {
		printf("%" PRIu64 " rounds, %zu arms, mean %.5f%s\n\n%-24s %10s %10s %10s %10s "
		       "%10s\n",
		    l.rows, l.nitems, l.sum / (double)l.rows,
		    l.p_min < l.p_max ? "; not uniform: matches are kept with p_min/p" : "",
		    "policy", "rounds", "accepted", "clicks", "value", "s.e.");
	}
	for (size_t i = 0; rc == 0 && i < a->npolicies; i++) {
		rc = replay_one(a, &l, &a->policy[i], results, &err);
	}
	if (rc) {
		status = cli_fail("replay", &err);
	} else {
		status =
		    a->json ? cli_print_json("replay", document(&l, results)) : cli_flush("replay");
	}
	status = status == CLI_DONE && a->strict && l.refused ? CLI_WRONG : status;
	json_decref(results);
	rejection_log_release(&l);
	return status;
}

int cmd_replay(int argc, char **argv)
{
	struct replay_args a;
	int status = replay_args_read(argc, argv, NULL, &a);

	if (status < 0) {
		status = a.target ? replay_target(&a) : replay(&a);
	}
	replay_args_release(&a);
	return status;
}
