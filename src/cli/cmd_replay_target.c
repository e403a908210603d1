/* SPDX-License-Identifier: Apache-2.0 */
/* bandit replay --target: what a target that does not learn would have earned on a log. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/state_log.h"
#include "eval/bootstrap.h"
#include "eval/ope_file.h"

#define ESTIMATORS_MAX 32
#define THREADS_MAX 64
#define REFUSED_SHOWN 10

struct args {
	const char *path, *target, *format;
	struct estimator est[ESTIMATORS_MAX];
	size_t nest;
	struct ope_options o;
	uint64_t refused;
	bool json, strict, interval_given;
};

/* Refused lines are named, but a log of another kind does not fill the screen. */
static void on_refused(void *arg, const struct errinfo *why)
{
	struct args *a = arg;

	if (++a->refused <= REFUSED_SHOWN) {
		fprintf(stderr, "bandit replay: %s: %s\n", why->pointer, why->text);
	} else if (a->refused == REFUSED_SHOWN + 1) {
		fputs("bandit replay: more lines are refused, and counted\n", stderr);
	}
}

/* A bound of one round is infinite: null. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *result_json(
    const struct args *a, const struct ope_result *r, const struct ope_summary *s)
{
	json_t *j = json_pack("{ss ss so so so so ss sf sf sf sf ss ss}", "policy", a->target,
	    "estimator", r->estimator.text, "value", number(r->value), "se", number(r->se), "lo",
	    number(r->lo), "hi", number(r->hi), "interval", interval_names[a->o.interval], "ess",
	    s->ess, "max_weight", s->max_weight, "mean_weight", s->mean_weight, "unsupported",
	    s->unsupported, "verdict", ope_verdicts[r->verdict], "why", r->why);

	if (j && r->estimator.slope && r->estimator.param <= 1e300) {
		json_object_set_new(j, "threshold", json_real(r->estimator.param));
	}
	return j;
}

static json_t *document(
    const struct args *a, const struct ope_summary *s, const struct ope_result *r)
{
	json_t *results = json_array();

	for (size_t i = 0; i < a->nest; i++) {
		json_array_append_new(results, result_json(a, &r[i], s));
	}
	return json_pack("{s{sI sI s{sI sI} sf} s{sf} so}", "log", "rounds", (json_int_t)s->rounds,
	    "used", (json_int_t)s->used, "skipped", "refused", (json_int_t)s->refused, "no_reward",
	    (json_int_t)s->no_reward, "reward_sum", s->reward_sum, "logging", "mean",
	    s->logging_mean, "results", results);
}

static void print_text(
    const struct args *a, const struct ope_summary *s, const struct ope_result *r)
{
	printf("%" PRIu64 " rounds, %" PRIu64 " used, mean %.6f\n", s->rounds, s->used,
	    s->logging_mean);
	printf(
	    "effective sample size %.1f, largest weight %.4g, mean weight %.4f, unsupported %.2f "
	    "%%\n\n",
	    s->ess, s->max_weight, s->mean_weight, 100 * s->unsupported);
	printf("%-16s %12s %12s %12s %12s  %s\n", "estimator", "value", "s.e.", "lo", "hi",
	    interval_names[a->o.interval]);
	for (size_t i = 0; i < a->nest; i++) {
		printf("%-16s %12.6f %12.6f %12.6f %12.6f  %s: %s\n", r[i].estimator.text,
		    r[i].value, r[i].se, r[i].lo, r[i].hi, ope_verdicts[r[i].verdict], r[i].why);
	}
}

/* A log that shows how far it is read; how often it will be is not known. */
struct shown {
	struct ope_log log;
	struct progress bar;
};

static int shown_next(void *arg, struct round *ret, struct errinfo *err)
{
	struct shown *s = arg;

	progress_add(&s->bar, 1);
	return s->log.next(s->log.arg, ret, err);
}

static int shown_rewind(void *arg, struct errinfo *err)
{
	struct shown *s = arg;

	return s->log.rewind(s->log.arg, err);
}

static void shown_names(void *arg, struct target_names *ret)
{
	struct shown *s = arg;

	s->log.names(s->log.arg, ret);
}

static int run(struct args *a, struct ope_file *in, struct ope_summary *s, struct ope_result *r,
    struct errinfo *err)
{
	struct shown shown;
	const struct ope_log log = {&shown, shown_rewind, shown_next, shown_names, NULL, NULL};
	int rc;

	ope_file_log(in, &shown.log);
	progress_start(&shown.bar, "rounds", 0);
	rc = ope_run(&log, &a->o, a->est, a->nest, s, r, err);
	progress_clear(&shown.bar);
	return rc;
}

static int replay(struct args *a)
{
	struct ope_result r[ESTIMATORS_MAX];
	struct errinfo err = {.rc = 0};
	struct ope_summary s;
	struct ope_file *in = NULL;
	const struct log_options o = {
	    .open = state_log_open, .format = a->format, .refused = on_refused, .arg = a};
	int rc = ope_file_open(a->path, &o, &in, &err), status;

	rc = rc ? rc : run(a, in, &s, r, &err);
	if (rc == 0) {
		s.refused = log_refused(ope_file_counts(in));
	}
	ope_file_close(in);
	if (rc) {
		return cli_fail("replay", &err);
	}
	if (a->json) {
		status = cli_print_json("replay", document(a, &s, r));
	} else {
		print_text(a, &s, r);
		status = cli_flush("replay");
	}
	return status == CLI_DONE && a->strict && s.refused ? CLI_WRONG : status;
}

enum {
	OPT_FORMAT = 256,
	OPT_STRICT,
	OPT_JSON,
	OPT_ESTIMATOR,
	OPT_MODEL,
	OPT_FOLDS,
	OPT_INTERVAL,
	OPT_BOOTSTRAP,
	OPT_ALPHA,
	OPT_THREADS
};
static const struct option options[] = {{"target", required_argument, NULL, 't'},
    {"seed", required_argument, NULL, 's'}, {"format", required_argument, NULL, OPT_FORMAT},
    {"strict", no_argument, NULL, OPT_STRICT}, {"json", no_argument, NULL, OPT_JSON},
    {"estimator", required_argument, NULL, OPT_ESTIMATOR},
    {"reward-model", required_argument, NULL, OPT_MODEL},
    {"folds", required_argument, NULL, OPT_FOLDS},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"bootstrap", required_argument, NULL, OPT_BOOTSTRAP},
    {"alpha", required_argument, NULL, OPT_ALPHA},
    {"threads", required_argument, NULL, OPT_THREADS}, {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

/* "ips,dr:clip=5", added to what there is. */
static int read_estimators(const char *text, struct args *a)
{
	struct errinfo err = {.rc = 0};

	for (size_t n; *text; text += n + (text[n] == ',')) {
		char one[64];

		n = strcspn(text, ",");
		snprintf(one, sizeof(one), "%.*s", (int)(n < 63 ? n : 63), text);
		if (a->nest == ESTIMATORS_MAX) {
			return cli_usage("replay", "at most %d estimators", ESTIMATORS_MAX);
		}
		if (estimator_parse(one, &a->est[a->nest], &err)) {
			return cli_usage("replay", "--estimator: %s", err.text);
		}
		a->nest++;
	}
	return -1;
}

static int read_interval(const char *text, struct args *a)
{
	for (int i = 0; i < INTERVAL_KINDS; i++) {
		if (strcmp(text, interval_names[i]) == 0) {
			a->o.interval = (enum interval_kind)i;
			a->interval_given = true;
			return -1;
		}
	}
	return cli_usage("replay", "there is no --interval %s", text);
}

static int read_number(int c, const char *text, struct args *a)
{
	uint64_t most = c == 's'             ? UINT64_C(1) << 53
			: c == OPT_BOOTSTRAP ? BOOTSTRAP_MAX
			: c == OPT_FOLDS     ? MODEL_FOLDS_MAX
					     : THREADS_MAX;
	uint64_t v;

	if (cli_whole(text, most, &v) || (v == 0 && c != 's')) {
		return cli_usage("replay", "--%s must be a whole number, at most %" PRIu64,
		    c == 's'             ? "seed"
		    : c == OPT_BOOTSTRAP ? "bootstrap"
		    : c == OPT_FOLDS     ? "folds"
					 : "threads",
		    most);
	}
	if (c == 's') {
		a->o.seed = v;
	} else if (c == OPT_BOOTSTRAP) {
		a->o.resamples = (uint32_t)v;
		a->o.interval = a->interval_given ? a->o.interval : INTERVAL_BOOTSTRAP;
	} else if (c == OPT_FOLDS) {
		a->o.model.folds = (uint32_t)v;
	} else {
		a->o.threads = (uint32_t)v;
	}
	return -1;
}

static int read_target(const char *text, struct args *a)
{
	struct errinfo err = {.rc = 0};

	if (a->target) {
		return cli_usage("replay", "one --target");
	}
	a->target = text;
	if (target_parse(text, &a->o.target, &err)) {
		return err.pointer[0] ? cli_fail("replay", &err)
				      : cli_usage("replay", "--target: %s", err.text);
	}
	return -1;
}

/* The status that ends the program, or -1: go on. */
static int read_option(int c, struct args *a)
{
	struct errinfo err = {.rc = 0};
	char *end;

	switch (c) {
	case 't':
		return read_target(optarg, a);
	case OPT_ESTIMATOR:
		return read_estimators(optarg, a);
	case OPT_MODEL:
		return model_parse(optarg, &a->o.model, &err)
			   ? cli_usage("replay", "--reward-model: %s", err.text)
			   : -1;
	case OPT_INTERVAL:
		return read_interval(optarg, a);
	case OPT_ALPHA:
		a->o.alpha = strtod(optarg, &end);
		return *end || !(a->o.alpha > 0 && a->o.alpha < 1)
			   ? cli_usage("replay", "--alpha must lie between 0 and 1")
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
	case '?':
		return CLI_USAGE;
	default:
		return read_number(c, optarg, a);
	}
}

int cmd_replay_target(int argc, char **argv)
{
	struct args a = {.o = {.model = {.strength = 10, .folds = 5},
			     .resamples = 10000,
			     .threads = 2,
			     .seed = 1,
			     .alpha = 0.05}};
	int c, status = -1;

	while (status < 0 && (c = getopt_long(argc, argv, "t:s:h", options, NULL)) != -1) {
		status = read_option(c, &a);
	}
	if (status < 0 && argc - optind != 1) {
		status = cli_usage("replay", "needs one LOG");
	}
	if (status < 0 && a.nest == 0) {
		status = read_estimators("ips,snips,dm,dr", &a);
	}
	if (status < 0) {
		a.path = argv[optind];
		status = replay(&a);
	}
	target_free(a.o.target);
	return status;
}
