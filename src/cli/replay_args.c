/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/replay_args.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scratch.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/state_log.h"
#include "eval/bootstrap.h"
#include "eval/learning.h"

#define MEM_MAX ((size_t)64 << 20)
#define THREADS_MAX 64
#define REFUSED_SHOWN 10
#define ESTIMATOR_NAME_MAX 64
#define OPTIONS_MAX 48

enum {
	OPT_FORMAT = 256,
	OPT_STRICT,
	OPT_JSON,
	OPT_ESTIMATOR,
	OPT_MODEL,
	OPT_RUNS,
	OPT_FEATURES,
	OPT_FOLDS,
	OPT_INTERVAL,
	OPT_BOOTSTRAP,
	OPT_DENOMINATOR,
	OPT_ALPHA,
	OPT_THREADS,
	OPT_HOLDOUT,
	OPT_PLOT
};

static const struct option options[] = {{"policy", required_argument, NULL, 'p'},
    {"target", required_argument, NULL, 't'}, {"seed", required_argument, NULL, 's'},
    {"rounds", required_argument, NULL, 'n'}, {"format", required_argument, NULL, OPT_FORMAT},
    {"strict", no_argument, NULL, OPT_STRICT}, {"json", no_argument, NULL, OPT_JSON},
    {"estimator", required_argument, NULL, OPT_ESTIMATOR},
    {"reward-model", required_argument, NULL, OPT_MODEL},
    {"features", required_argument, NULL, OPT_FEATURES},
    {"runs", required_argument, NULL, OPT_RUNS}, {"folds", required_argument, NULL, OPT_FOLDS},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"bootstrap", required_argument, NULL, OPT_BOOTSTRAP},
    {"bootstrap-denominator", required_argument, NULL, OPT_DENOMINATOR},
    {"alpha", required_argument, NULL, OPT_ALPHA},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"holdout", required_argument, NULL, OPT_HOLDOUT}, {"plot", required_argument, NULL, OPT_PLOT},
    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

/* Whole numbers: what they may be, and where they go. */
static const struct whole {
	int option;
	const char *name;
	uint64_t least, most;
} wholes[] = {{'s', "seed", 0, UINT64_C(1) << 53}, {'n', "rounds", 1, UINT64_C(1) << 53},
    {OPT_FOLDS, "folds", 1, MODEL_FOLDS_MAX}, {OPT_BOOTSTRAP, "bootstrap", 1, BOOTSTRAP_MAX},
    {OPT_THREADS, "threads", 1, THREADS_MAX}, {OPT_RUNS, "runs", 1, LEARNING_RUNS_MAX},
    {OPT_FEATURES, "features", 0, DIM_MAX}};

static void set_whole(struct replay_args *a, int option, uint64_t v)
{
	switch (option) {
	case 's':
		a->o.seed = v;
		break;
	case 'n':
		a->rounds = v;
		break;
	case OPT_FOLDS:
		a->o.model.folds = (uint32_t)v;
		break;
	case OPT_BOOTSTRAP:
		a->o.resamples = (uint32_t)v;
		a->o.interval = a->interval_given ? a->o.interval : INTERVAL_BOOTSTRAP;
		a->of_targets = "--bootstrap";
		break;
	case OPT_FEATURES:
		a->features = (size_t)v;
		break;
	case OPT_RUNS:
		a->runs = (uint32_t)v;
		a->of_policies = "--runs";
		break;
	default:
		a->o.threads = (uint32_t)v;
		a->of_targets = "--threads";
	}
}

static int read_whole(int option, const char *text, struct replay_args *a)
{
	const struct whole *w = wholes;
	uint64_t v;

	while (w->option != option) {
		w++;
	}
	if (cli_whole(text, w->most, &v) || v < w->least) {
		return cli_usage(a->command,
		    "--%s must be a whole number from %" PRIu64 " to %" PRIu64, w->name, w->least,
		    w->most);
	}
	set_whole(a, option, v);
	return -1;
}

static int read_interval(const char *text, struct replay_args *a)
{
	for (int i = 0; i < INTERVAL_KINDS; i++) {
		if (strcmp(text, interval_names[i]) == 0) {
			a->o.interval = (enum interval_kind)i;
			a->interval_given = true;
			a->of_targets = "--interval";
			return -1;
		}
	}
	return cli_usage(a->command, "there is no --interval %s", text);
}

static int read_policy(const char *text, struct replay_args *a)
{
	struct errinfo err = {.rc = 0};

	if (a->npolicies == REPLAY_POLICIES_MAX) {
		return cli_usage(a->command, "at most %d policies", REPLAY_POLICIES_MAX);
	}
	if (given_policy(text, &a->mem, &a->policy[a->npolicies], &err)) {
		return cli_usage(a->command, "--policy: %s: %s", err.pointer, err.text);
	}
	a->npolicies++;
	return -1;
}

static int read_format(const char *text, struct replay_args *a)
{
	a->format = text;
	return log_format_is(text)
		   ? -1
		   : cli_usage(a->command,
			 "--format must be auto, jsonl, dsjson, vw or obd, not %s", text);
}

static int read_model(const char *text, struct replay_args *a)
{
	struct errinfo err = {.rc = 0};

	return model_parse(text, &a->o.model, &err)
		   ? cli_usage(a->command, "--reward-model: %s", err.text)
		   : -1;
}

static int read_alpha(const char *text, struct replay_args *a)
{
	char *end;

	a->o.alpha = strtod(text, &end);
	return *end || !(a->o.alpha > 0 && a->o.alpha < 1)
		   ? cli_usage(a->command, "--alpha must lie between 0 and 1")
		   : -1;
}

static int read_holdout(const char *text, struct replay_args *a)
{
	char *end;

	a->holdout = strtod(text, &end);
	a->part = (struct log_part){.side = LOG_TRAINING, .kept = a->holdout};
	return *end || !(a->holdout > 0 && a->holdout < 1)
		   ? cli_usage(a->command, "--holdout must lie between 0 and 1")
		   : -1;
}

static int read_denominator(const char *text, struct replay_args *a)
{
	a->o.fixed_denominator = strcmp(text, "fixed") == 0;
	a->of_targets = "--bootstrap-denominator";
	return a->o.fixed_denominator || strcmp(text, "resampled") == 0
		   ? -1
		   : cli_usage("replay", "--bootstrap-denominator is resampled or fixed");
}

static int read_estimator(const char *text, struct replay_args *a)
{
	if (a->nestimators == REPLAY_ESTIMATORS_MAX) {
		return cli_usage(a->command, "at most %d estimators", REPLAY_ESTIMATORS_MAX);
	}
	a->estimators[a->nestimators++] = text;
	return -1;
}

static int read_target(const char *text, struct replay_args *a)
{
	if (a->target) {
		return cli_usage(a->command, "one --target");
	}
	a->target = text;
	return -1;
}

/* The status that ends the program, or -1: go on. */
static int read_option(int c, const char *text, struct replay_args *a)
{
	switch (c) {
	case 'p':
		return read_policy(text, a);
	case 't':
		return read_target(text, a);
	case OPT_FORMAT:
		return read_format(text, a);
	case OPT_ESTIMATOR:
		return read_estimator(text, a);
	case OPT_MODEL:
		return read_model(text, a);
	case OPT_INTERVAL:
		return read_interval(text, a);
	case OPT_ALPHA:
		return read_alpha(text, a);
	case OPT_HOLDOUT:
		return read_holdout(text, a);
	case OPT_PLOT:
		a->plot = text;
		return -1;
	case OPT_DENOMINATOR:
		return read_denominator(text, a);
	case OPT_STRICT:
		a->strict = true;
		return -1;
	case OPT_JSON:
		a->json = true;
		return -1;
	case 'h':
		fputs(a->usage, stdout);
		return cli_flush(a->command);
	case '?':
		return CLI_USAGE;
	default:
		return read_whole(c, text, a);
	}
}

/* Standard input can be read once alone: what came is kept in a file without a name. */
static int keep_input(struct replay_args *a)
{
	struct errinfo err = {.rc = 0};
	char block[1 << 16];
	size_t n;

	a->input = scratch_file();
	while (a->input && (n = fread(block, 1, sizeof(block), stdin)) > 0) {
		if (fwrite(block, 1, n, a->input) != n) {
			break;
		}
	}
	if (!a->input || ferror(stdin) || ferror(a->input) || fflush(a->input)) {
		err_set(&err, RC_IO, "cannot_read", "-", "cannot keep standard input");
		return cli_fail(a->command, &err);
	}
	snprintf(a->kept, sizeof(a->kept), "/dev/fd/%d", fileno(a->input));
	a->path = a->kept;
	return -1;
}

static int check(const struct replay_args *a, int operands)
{
	if (operands != 1) {
		return cli_usage(a->command, "needs one LOG");
	}
	if (!a->target == !a->npolicies) {
		return cli_usage(a->command, "needs either --policy or --target");
	}
	if (a->target && a->of_policies) {
		return cli_usage(a->command, "%s goes with --policy alone", a->of_policies);
	}
	if (!a->target && a->of_targets) {
		return cli_usage(a->command, "%s goes with --target alone", a->of_targets);
	}
	return -1;
}

/* Their own options with those of a command. */
static void join(const struct replay_more *more, struct option ret[OPTIONS_MAX])
{
	size_t n = sizeof(options) / sizeof(options[0]), own = more ? more->n : 0;

	assert(n + own <= OPTIONS_MAX);
	memcpy(ret + own, options, n * sizeof(*ret)); /* with the end */
	for (size_t i = 0; i < own; i++) {
		ret[i] = more->options[i];
	}
}

int replay_args_read(int argc, char **argv, const struct replay_more *more, struct replay_args *ret)
{
	struct option all[OPTIONS_MAX];
	int c, status = -1;

	*ret = (struct replay_args){.command = more ? more->command : "replay",
	    .usage = more ? more->usage : replay_usage,
	    .runs = 1,
	    .features = 32,
	    .o = {.model = {.strength = 10, .folds = 5},
		.resamples = 10000,
		.threads = 2,
		.seed = 1,
		.alpha = 0.05}};
	arena_init(&ret->mem, MEM_MAX);
	join(more, all);
	while (status < 0 && (c = getopt_long(argc, argv, "p:t:s:n:h", all, NULL)) != -1) {
		status = more && (c == 't' || c >= REPLAY_MORE_FIRST)
			     ? more->read(more->arg, c, optarg)
			     : read_option(c, optarg, ret);
	}
	ret->logs = argv + optind;
	ret->nlogs = (size_t)(argc - optind);
	if (status < 0 && !more) {
		status = check(ret, argc - optind);
		ret->path = argv[optind];
		status = status < 0 && strcmp(ret->path, "-") == 0 ? keep_input(ret) : status;
	}
	return status;
}

void replay_args_release(struct replay_args *a)
{
	if (a->input) {
		fclose(a->input);
	}
	for (size_t i = 0; i < a->npolicies; i++) {
		json_decref(a->policy[i].json);
	}
	arena_release(&a->mem);
}

/* Refused lines are named, but a log of another kind does not fill the screen. */
static void on_refused(void *arg, const struct errinfo *why)
{
	struct replay_args *a = arg;

	if (a->quiet) {
		return;
	}
	if (++a->refused <= REFUSED_SHOWN) {
		fprintf(stderr, "bandit %s: %s: %s\n", a->command, why->pointer, why->text);
	} else if (a->refused == REFUSED_SHOWN + 1) {
		fprintf(stderr, "bandit %s: more lines are refused, and counted\n", a->command);
	}
}

struct log_options replay_log_options(struct replay_args *a)
{
	return (struct log_options){.open = state_log_open,
	    .format = a->format,
	    .features = a->features,
	    .refused = on_refused,
	    .arg = a,
	    .part = a->part,
	    .slates = a->slates,
	    .unknown = a->unknown};
}

int replay_estimators(
    const struct replay_args *a, int (*add)(void *arg, const char *name), void *arg)
{
	int status = -1;

	for (size_t i = 0; i < a->nestimators; i++) {
		const char *text = a->estimators[i];

		for (size_t n; status < 0 && *text; text += n + (text[n] == ',')) {
			char one[ESTIMATOR_NAME_MAX];

			n = strcspn(text, ",");
			snprintf(one, sizeof(one), "%.*s",
			    (int)(n < sizeof(one) ? n : sizeof(one) - 1), text);
			status = add(arg, one);
		}
	}
	return status;
}
