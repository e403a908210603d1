/* SPDX-License-Identifier: Apache-2.0 */
/* bandit replay --target: what a target that does not learn would have earned on a log. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/frozen_state.h"
#include "cli/replay_args.h"
#include "cli/replay_plot.h"
#include "eval/ope_file.h"

struct args {
	struct replay_args *given;
	struct estimator est[REPLAY_ESTIMATORS_MAX];
	size_t nest;
	struct ope_options o;
};

/* A bound of one round is infinite: null. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *replay_target_json(const char *policy, const char *interval, const struct ope_summary *s,
    const struct ope_result *r)
{
	const struct ope_overlap *own = ope_overlap_by(s, &r->estimator);
	json_t *j = json_pack("{ss ss so so so so ss sf sf sf sf ss ss}", "policy", policy,
	    "estimator", r->estimator.text, "value", number(r->value), "se", number(r->se), "lo",
	    number(r->lo), "hi", number(r->hi), "interval", interval, "ess", own->ess, "max_weight",
	    own->max_weight, "mean_weight", own->mean_weight, "unsupported", s->unsupported,
	    "verdict", ope_verdicts[r->verdict], "why", r->why);

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
		json_array_append_new(results,
		    replay_target_json(a->given->target, interval_names[a->o.interval], s, &r[i]));
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
	    "%%\n",
	    s->overlap.ess, s->overlap.max_weight, s->overlap.mean_weight, 100 * s->unsupported);
	if (s->slots) {
		printf("slates of up to %zu slots, weighed by slot: effective sample size %.1f, "
		       "largest weight %.4g, mean weight %.4f\n",
		    s->slots, s->slate.ess, s->slate.max_weight, s->slate.mean_weight);
	}
	putchar('\n');
	printf("%-16s %12s %12s %12s %12s  %s\n", "estimator", "value", "s.e.", "lo", "hi",
	    interval_names[a->o.interval]);
	for (size_t i = 0; i < a->nest; i++) {
		printf("%-16s %12.6f %12.6f %12.6f %12.6f  %s: %s\n", r[i].estimator.text,
		    r[i].value, r[i].se, r[i].lo, r[i].hi, ope_verdicts[r[i].verdict], r[i].why);
	}
}

/* A log, or its first rounds, that shows how far it is read; how often it will be is not known. */
struct shown {
	struct ope_log log;
	struct progress bar;
	uint64_t most, used; /* rounds with a reward; most 0: all */
};

static int shown_next(void *arg, struct round *ret, struct errinfo *err)
{
	struct shown *s = arg;
	int rc;

	if (s->most && s->used == s->most) {
		return 0;
	}
	progress_add(&s->bar, 1);
	rc = s->log.next(s->log.arg, ret, err);
	s->used += rc == 1 && ret->has_reward;
	return rc;
}

static int shown_rewind(void *arg, struct errinfo *err)
{
	struct shown *s = arg;

	s->used = 0;
	return s->log.rewind(s->log.arg, err);
}

static void shown_names(void *arg, struct target_names *ret)
{
	struct shown *s = arg;

	s->log.names(s->log.arg, ret);
}

/* Why nothing is left, where the log is sound. */
static void tell_not_scored(const struct log_counts *c, const char *path, struct errinfo *err)
{
	if (c->by_reason[LOG_NOT_SCORED]) {
		*err = (struct errinfo){.rc = 0};
		err_set(err, RC_INVALID, "empty_log", path,
		    "there is not one round to use, but %" PRIu64
		    " of kinds that cannot be weighed: continuous actions, and several arms drawn "
		    "one "
		    "after another without replacement or chosen for certain",
		    c->by_reason[LOG_NOT_SCORED]);
	}
}

int replay_target_on(struct replay_args *a, const struct ope_options *o,
    const struct estimator *est, size_t n, struct ope_summary *ret, struct ope_result *ret_results,
    struct errinfo *err)
{
	struct shown shown = {.most = a->rounds};
	const struct ope_log log = {&shown, shown_rewind, shown_next, shown_names, NULL, NULL};
	const struct log_options how = replay_log_options(a);
	struct ope_file *in = NULL;
	int rc = ope_file_open(a->path, &how, &in, err);

	if (rc) {
		return rc;
	}
	ope_file_log(in, &shown.log);
	progress_start(&shown.bar, "rounds", 0);
	rc = ope_run(&log, o, est, n, ret, ret_results, err);
	progress_clear(&shown.bar);
	if (rc == 0) {
		ret->refused = log_refused(ope_file_counts(in));
	} else if (strcmp(err->code, "empty_log") == 0) {
		tell_not_scored(ope_file_counts(in), a->path, err);
	}
	ope_file_close(in);
	return rc;
}

static int plot(const struct args *a, const struct ope_result *r, const struct plot_data *data,
    struct errinfo *err)
{
	struct plot_estimate e[REPLAY_ESTIMATORS_MAX];

	for (size_t i = 0; i < a->nest; i++) {
		e[i] = (struct plot_estimate){r[i].estimator.text, r[i].value, r[i].lo, r[i].hi};
	}
	return replay_plots(a->given->plot, e, a->nest, data, 1, err);
}

static int evaluate(
    struct args *a, struct ope_summary *s, struct ope_result *r, struct errinfo *err)
{
	struct plot_data *data = NULL;
	int rc;

	if (a->given->plot) {
		data = calloc(1, sizeof(*data));
		if (!data) {
			return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		}
		data->name = a->given->target;
		a->o.seen = plot_data_seen;
		a->o.seen_arg = data;
	}
	rc = replay_target_on(a->given, &a->o, a->est, a->nest, s, r, err);
	rc = rc || !data ? rc : plot(a, r, data, err);
	free(data);
	return rc;
}

static int replay(struct args *a)
{
	struct ope_result r[REPLAY_ESTIMATORS_MAX];
	struct errinfo err = {.rc = 0};
	struct ope_summary s;
	int rc = evaluate(a, &s, r, &err), status;

	if (rc) {
		return cli_fail("replay", &err);
	}
	if (a->given->json) {
		status = cli_print_json("replay", document(a, &s, r));
	} else {
		print_text(a, &s, r);
		status = cli_flush("replay");
	}
	return status == CLI_DONE && a->given->strict && s.refused ? CLI_WRONG : status;
}

static int add_estimator(void *arg, const char *name)
{
	struct errinfo err = {.rc = 0};
	struct args *a = arg;

	if (a->nest == REPLAY_ESTIMATORS_MAX) {
		return cli_usage("replay", "at most %d estimators", REPLAY_ESTIMATORS_MAX);
	}
	if (estimator_parse(name, &a->est[a->nest], &err)) {
		return cli_usage("replay", "--estimator: %s", err.text);
	}
	/* Weights that are estimated are for logs without propensities. */
	a->given->unknown = a->given->unknown || a->est[a->nest].kind->flags & EST_BALANCED;
	a->nest++;
	return -1;
}

int replay_make_target(const char *text, struct target **ret, struct errinfo *err)
{
	struct experiment *e = NULL;
	int rc;

	if (strncmp(text, "snapshot:", 9) != 0) {
		return target_parse(text, ret, err);
	}
	rc = frozen_state(text + 9, &e, err);
	rc = rc ? rc : target_freeze(e, ret, err);
	if (rc) {
		experiment_free(e);
	}
	return rc;
}

int replay_target(struct replay_args *given)
{
	static const char *const usual[] = {"ips", "snips", "dm", "dr"};
	struct args a = {.given = given, .o = given->o};
	struct errinfo err = {.rc = 0};
	int status = replay_estimators(given, add_estimator, &a);

	given->slates = true;
	for (size_t i = 0; status < 0 && !given->nestimators && i < 4; i++) {
		status = add_estimator(&a, usual[i]);
	}
	if (status < 0 && replay_make_target(given->target, &a.o.target, &err)) {
		status = err.pointer[0] ? cli_fail("replay", &err)
					: cli_usage("replay", "--target: %s", err.text);
	}
	status = status < 0 ? replay(&a) : status;
	target_free(a.o.target);
	return status;
}
