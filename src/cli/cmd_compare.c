/* SPDX-License-Identifier: Apache-2.0 */
/* bandit compare: policies and targets side by side, on several logs or segments of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/holdout_file.h"

#define SHORT_MAX 256 /* of a policy in its short form */

const char compare_usage[] =
    "usage: bandit compare LOG... [-t TARGET...] [-p POLICY...] [OPTIONS]\n"
    "\n"
    "What targets and policies would have earned on recorded logs, side by side; their ranking by "
    "mean,\n"
    "by Borda and by Kemeny; and whether it is to be believed. LOG as for bandit replay.\n"
    "\n"
    "  -t, --target T        may be given again: uniform, always:ARM, @FILE.csv,\n"
    "                        snapshot:STATE:EXPERIMENT[@SEQ]\n"
    "  -p, --policy P        may be given again: JSON, @file, or name:key=value,...\n"
    "      --estimator E     one of targets (snips), and one of policies (rejection)\n"
    "      --segments N      cut each log into N, in time (1)\n"
    "      --holdout F       keep this share of the rounds back, and ask it by a reusable holdout\n"
    "      --budget N        what may be asked of it that was fitted to the rest (10)\n"
    "      --plot DIR        estimates.svg, and of the first log reward.svg and weights.svg\n"
    "      --out FILE        the JSON document, beside the text\n"
    "      --json            the JSON document instead of the text\n"
    "\n"
    "and --runs --reward-model --folds --interval --bootstrap --bootstrap-denominator --alpha\n"
    "--threads --seed --rounds --format --features --strict as for bandit replay.\n";

enum { OPT_SEGMENTS = REPLAY_MORE_FIRST, OPT_BUDGET, OPT_OUT };
static const struct option options[] = {{"segments", required_argument, NULL, OPT_SEGMENTS},
    {"budget", required_argument, NULL, OPT_BUDGET}, {"out", required_argument, NULL, OPT_OUT}};

struct args {
	struct replay_args given;
	struct comparison c;
	const char *out;
};

static int read_count(const char *name, const char *text, uint64_t most, uint32_t *ret)
{
	uint64_t v;

	if (cli_whole(text, most, &v) || v == 0) {
		return cli_usage(
		    "compare", "--%s must be a whole number from 1 to %" PRIu64, name, most);
	}
	*ret = (uint32_t)v;
	return -1;
}

static int add(struct comparison *c, const char *name, const struct given_policy *policy)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->candidate[i].name, name) == 0) {
			return cli_usage("compare", "%s is given twice", name);
		}
	}
	if (c->n == RANK_MAX) {
		return cli_usage("compare", "at most %d targets and policies", RANK_MAX);
	}
	c->candidate[c->n++] = (struct compare_candidate){name, policy};
	return -1;
}

static int add_target(struct comparison *c, const char *text)
{
	struct errinfo err = {.rc = 0};
	struct target *t = NULL;

	if (replay_make_target(text, &t, &err)) {
		return err.pointer[0] ? cli_fail("compare", &err)
				      : cli_usage("compare", "--target: %s", err.text);
	}
	target_free(t);
	return add(c, text, NULL);
}

static int read_option(void *arg, int option, const char *text)
{
	struct args *a = arg;

	switch (option) {
	case 't':
		return add_target(&a->c, text);
	case OPT_SEGMENTS:
		return read_count("segments", text, COMPARE_SEGMENTS_MAX, &a->c.segments);
	case OPT_BUDGET:
		return read_count("budget", text, HOLDOUT_BUDGET_MAX, &a->c.budget);
	default:
		a->out = text;
		return -1;
	}
}

static int add_policies(struct args *a)
{
	int status = -1;

	for (size_t i = 0; status < 0 && i < a->given.npolicies; i++) {
		char *name = arena_alloc(&a->given.mem, SHORT_MAX);

		if (name) {
			given_policy_text(&a->given.policy[i], name, SHORT_MAX);
		}

		status = name ? add(&a->c, name, &a->given.policy[i])
			      : cli_fail("compare", &(struct errinfo){.rc = RC_MEMORY});
	}
	return status;
}

/* One of targets, and one of policies. */
static int set_estimator(void *arg, const char *name)
{
	struct comparison *c = arg;
	struct errinfo err = {.rc = 0};
	struct learning_kind learning;
	bool learns = learning_parse(name, &learning, NULL) == 0;

	if (learns ? c->learning.text[0] != '\0' : c->estimator.kind != NULL) {
		return cli_usage("compare", "one --estimator of %s: a ranking is of like with like",
		    learns ? "policies" : "targets");
	}
	if (learns) {
		c->learning = learning;
		return -1;
	}
	return estimator_parse(name, &c->estimator, &err)
		   ? cli_usage("compare", "--estimator: %s", err.text)
		   : -1;
}

static int check(struct args *a)
{
	int status = replay_estimators(&a->given, set_estimator, &a->c);

	if (status < 0 && !a->c.estimator.kind) {
		status = set_estimator(&a->c, "snips");
	}
	if (status < 0 && !a->c.learning.text[0]) {
		status = set_estimator(&a->c, "rejection");
	}
	if (status >= 0) {
		return status;
	}
	/* Policies that learn cannot use such rounds, and all are compared on the same. */
	a->given.slates = a->given.npolicies == 0;
	a->given.unknown = a->given.slates && a->c.estimator.kind->flags & EST_BALANCED;
	if (a->given.nlogs == 0) {
		return cli_usage("compare", "needs a LOG");
	}
	if (a->c.n < 2) {
		return cli_usage("compare", "needs at least two of --target and --policy");
	}
	if (a->c.segments > 1 && a->given.holdout > 0) {
		return cli_usage("compare", "--holdout is of whole logs: it does not go with "
					    "--segments");
	}
	if (a->c.budget && !(a->given.holdout > 0)) {
		return cli_usage("compare", "--budget goes with --holdout alone");
	}
	for (size_t i = 0; i < a->given.nlogs; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(a->given.logs[i], a->given.logs[k]) == 0) {
				return cli_usage("compare", "%s is given twice", a->given.logs[i]);
			}
		}
		if (strcmp(a->given.logs[i], "-") == 0) {
			return cli_usage("compare", "a log is read several times: give a file");
		}
	}
	return -1;
}

static int plot(const struct comparison *c, struct errinfo *err)
{
	const struct ranking *r = &c->ranking;
	struct plot_estimate e[RANK_MAX];

	for (size_t i = 0; i < c->n; i++) {
		uint32_t a = r->by_mean[i];

		e[i] = (struct plot_estimate){c->candidate[a].name, r->mean[a], r->lo[a], r->hi[a]};
	}
	return replay_plots(c->given->plot, e, c->n, c->data, c->n, err);
}

static int write_out(const struct comparison *c, const char *path, struct errinfo *err)
{
	json_t *doc = compare_json(c);
	FILE *f = doc ? fopen(path, "w") : NULL;
	bool ok = f && json_dumpf(doc, f, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 &&
		  putc('\n', f) != EOF;

	ok = (!f || fclose(f) == 0) && ok;
	json_decref(doc);
	return ok ? 0 : err_set(err, RC_IO, "cannot_write", path, "cannot be written");
}

static int compare(struct args *a)
{
	struct comparison *c = &a->c;
	struct errinfo err = {.rc = 0};
	int rc, status = CLI_DONE;
	bool refused = false;

	for (size_t k = 0; !(a->given.holdout > 0) && k < a->given.nlogs; k++) {
		holdout_file_warn("compare", a->given.logs[k]);
	}
	rc = compare_run(c, &err);
	rc = rc || !a->out ? rc : write_out(c, a->out, &err);
	rc = rc || !a->given.plot ? rc : plot(c, &err);
	if (rc) {
		status = cli_fail("compare", &err);
	} else if (a->given.json) {
		status = cli_print_json("compare", compare_json(c));
	} else {
		compare_print(c);
		status = cli_flush("compare");
	}
	for (size_t k = 0; k < c->places; k++) {
		refused = refused || c->place[k].refused;
	}
	return status == CLI_DONE && a->given.strict && refused ? CLI_WRONG : status;
}

int cmd_compare(int argc, char **argv)
{
	struct args a = {.c = {.segments = 1}};
	const struct replay_more more = {"compare", compare_usage, options,
	    sizeof(options) / sizeof(options[0]), read_option, &a};
	int status = replay_args_read(argc, argv, &more, &a.given);

	a.c.given = &a.given;
	status = status < 0 ? add_policies(&a) : status;
	status = status < 0 ? check(&a) : status;
	status = status < 0 ? compare(&a) : status;
	compare_release(&a.c);
	replay_args_release(&a.given);
	return status;
}
