/* SPDX-License-Identifier: Apache-2.0 */
/* bandit replay: learning policies on a recorded log, in process. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/given.h"
#include "cli/state_log.h"
#include "eval/rejection.h"
#include "json/stats_json.h"

#define MEM_MAX ((size_t)64 << 20)
#define POLICIES_MAX 32
#define REFUSED_SHOWN 10

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
    "  -s, --seed S     the same seed prints the same bytes (1)\n"
    "  -n, --rounds N   the first N rounds alone\n"
    "      --format F   auto, jsonl, dsjson, vw or obd (auto)\n"
    "      --strict     exit status 1 when lines were refused\n"
    "      --json       one JSON document\n"
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
    "      --threads N       of the bootstrap; no digit depends on it (2)\n";

struct args {
	const char *path, *format;
	struct given_policy policy[POLICIES_MAX];
	size_t npolicies;
	uint64_t seed, rounds;
	bool json, strict;
};

struct refused {
	uint64_t n;
};

/* Refused lines are named, but a log of another kind does not fill the screen. */
static void on_refused(void *arg, const struct errinfo *err)
{
	struct refused *r = arg;

	if (++r->n <= REFUSED_SHOWN) {
		fprintf(stderr, "bandit replay: %s: %s\n", err->pointer, err->text);
	} else if (r->n == REFUSED_SHOWN + 1) {
		fputs("bandit replay: more lines are refused, and counted\n", stderr);
	}
}

static int play_all(const struct args *a, const struct rejection_log *l, struct experiment *e,
    struct rejection_result *ret, struct errinfo *err)
{
	uint64_t last = a->rounds && a->rounds < l->rows ? a->rounds : l->rows, row = 0;
	const struct log_options o = {.open = state_log_open, .format = a->format};
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

static int replay_one(const struct args *a, const struct rejection_log *l,
    const struct given_policy *p, json_t *results, struct errinfo *err)
{
	struct rejection_result r = {.rounds = 0};
	struct experiment *e = NULL;
	int rc = rejection_start(l, p->ops, p->params, p->nparams, a->seed, &e, err);

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

/* Standard input can be read once alone: what came is kept in a file without a name. */
static int keep_input(char ret_path[64], FILE **ret, struct errinfo *err)
{
	char block[1 << 16];
	FILE *f = tmpfile();
	size_t n;

	while (f && (n = fread(block, 1, sizeof(block), stdin)) > 0) {
		if (fwrite(block, 1, n, f) != n) {
			break;
		}
	}
	if (!f || ferror(stdin) || ferror(f) || fflush(f)) {
		if (f) {
			fclose(f);
		}
		return err_set(err, RC_IO, "cannot_read", "-", "cannot keep standard input");
	}
	snprintf(ret_path, 64, "/dev/fd/%d", fileno(f));
	*ret = f;
	return 0;
}

static int replay(const struct args *a)
{
	struct rejection_log l = {.rows = 0};
	struct refused refused = {.n = 0};
	struct errinfo err = {.rc = 0};
	json_t *results = json_array();
	const struct log_options o = {
	    .open = state_log_open, .format = a->format, .refused = on_refused, .arg = &refused};
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

enum { OPT_FORMAT = 256, OPT_STRICT, OPT_JSON };
static const struct option options[] = {{"policy", required_argument, NULL, 'p'},
    {"seed", required_argument, NULL, 's'}, {"rounds", required_argument, NULL, 'n'},
    {"format", required_argument, NULL, OPT_FORMAT}, {"strict", no_argument, NULL, OPT_STRICT},
    {"json", no_argument, NULL, OPT_JSON}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

/* The status that ends the program, or -1: go on. */
static int read_option(int c, struct arena *mem, struct args *a)
{
	struct errinfo err = {.rc = 0};

	switch (c) {
	case 'p':
		if (a->npolicies == POLICIES_MAX) {
			return cli_usage("replay", "at most %d policies", POLICIES_MAX);
		}
		if (given_policy(optarg, mem, &a->policy[a->npolicies], &err)) {
			return cli_usage("replay", "--policy: %s: %s", err.pointer, err.text);
		}
		a->npolicies++;
		return -1;
	case 's':
		return cli_whole(optarg, UINT64_C(1) << 53, &a->seed)
			   ? cli_usage("replay", "--seed must be a whole number up to 2^53")
			   : -1;
	case 'n':
		return cli_whole(optarg, UINT64_C(1) << 53, &a->rounds)
			   ? cli_usage("replay", "--rounds must be a whole number")
			   : -1;
	case OPT_FORMAT:
		a->format = optarg;
		return log_format_is(optarg)
			   ? -1
			   : cli_usage("replay",
				 "--format must be auto, jsonl, dsjson, vw or obd, not %s", optarg);
	case OPT_STRICT:
		a->strict = true;
		return -1;
	case OPT_JSON:
		a->json = true;
		return -1;
	case 'h':
		fputs(replay_usage, stdout);
		return cli_flush("replay");
	default:
		return CLI_USAGE;
	}
}

static bool has_target(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--target", 8) == 0 || strncmp(argv[i], "-t", 2) == 0) {
			return true;
		}
	}
	return false;
}

int cmd_replay(int argc, char **argv)
{
	struct args a = {.seed = 1};
	struct errinfo err = {.rc = 0};
	FILE *input = NULL;
	char kept[64];
	struct arena mem;
	int c, status = -1;

	if (has_target(argc, argv)) {
		return cmd_replay_target(argc, argv);
	}
	arena_init(&mem, MEM_MAX);
	while (status < 0 && (c = getopt_long(argc, argv, "p:s:n:h", options, NULL)) != -1) {
		status = read_option(c, &mem, &a);
	}
	if (status < 0 && (argc - optind != 1 || a.npolicies == 0)) {
		status = cli_usage("replay", "needs one LOG and at least one --policy");
	}
	if (status < 0) {
		a.path = argv[optind];
		if (strcmp(a.path, "-") == 0) {
			status = keep_input(kept, &input, &err) ? cli_fail("replay", &err) : -1;
			a.path = kept;
		}
		status = status < 0 ? replay(&a) : status;
	}
	if (input) {
		fclose(input);
	}
	for (size_t i = 0; i < a.npolicies; i++) {
		json_decref(a.policy[i].json);
	}
	arena_release(&mem);
	return status;
}
