/* SPDX-License-Identifier: Apache-2.0 */
/* bandit export: the log of a state as JSON Lines, the same bytes that the daemon's /events has. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "core/replay.h"
#include "json/event_json.h"
#include "policies/policies.h"

#define MEM_MAX ((size_t)64 << 20)

const char export_usage[] =
    "usage: bandit export STATE [--experiment E]\n"
    "\n"
    "Writes the log of a state as JSON Lines to standard output, experiment by experiment, in\n"
    "log order. STATE is a state directory or its state.db; the daemon may run meanwhile. Of a "
    "log\n"
    "that was pruned standard error says at which seq it begins.\n"
    "\n"
    "  -e, --experiment E   this experiment alone\n";

struct export
{
	struct replay replay; /* folded along: it knows the names that events give as numbers */
	struct progress progress;
	struct errinfo *err;
};

static int write_event(void *arg, const struct event *ev)
{
	struct export *x = arg;
	int rc = replay_event(&x->replay, ev, x->err);
	json_t *o;

	if (rc == RC_CORRUPT) {
		return err_set(x->err, rc, "corrupt", "", "seq %llu: %s",
		    (unsigned long long)ev->seq, x->replay.report.text);
	}
	if (rc) {
		return rc;
	}
	o = event_to_json(x->replay.e, ev);
	rc = o ? json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17)) : RC_MEMORY;
	json_decref(o);
	if (rc == 0) {
		rc = putchar('\n') == EOF ? RC_IO : 0;
	}
	progress_add(&x->progress, 1);
	return ferror(stdout) ? RC_IO : rc ? RC_MEMORY : 0;
}

static int export_one(const struct state *s, uint32_t number, struct errinfo *err)
{
	struct export x = {.err = err};
	uint64_t last = 0, after = 0;
	struct arena mem;
	int rc;

	replay_init(&x.replay, &(struct replay_options){.find = policy_find});
	arena_init(&mem, MEM_MAX);
	rc = store_last_seq(s->reader, number, &last);
	rc = rc ? rc : state_begin(s->reader, number, &x.replay, &after, err);
	if (rc == 0 && after) {
		fprintf(stderr, "%s: the log begins at seq %llu: what was before is pruned\n",
		    s->list.names[number], (unsigned long long)after + 1);
	}
	progress_start(&x.progress, "events", last - after);
	rc = rc ? rc
		: store_read_events(
		      s->reader, number, after, last, SIZE_MAX, &mem, write_event, &x, err);
	progress_clear(&x.progress);
	arena_release(&mem);
	replay_release(&x.replay);
	return err_set(rc ? err : NULL, rc, "export", s->list.names[number], "%s", err_name(rc));
}

int cmd_export(int argc, char **argv)
{
	static const struct option options[] = {{"experiment", required_argument, NULL, 'e'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *only = NULL;
	struct errinfo err = {.rc = 0};
	struct state s = {.where = NULL};
	int c, rc;

	while ((c = getopt_long(argc, argv, "e:h", options, NULL)) != -1) {
		if (c == 'e') {
			only = optarg;
		} else if (c == 'h') {
			fputs(export_usage, stdout);
			return cli_flush("export");
		} else {
			return CLI_USAGE;
		}
	}
	if (argc - optind != 1) {
		return cli_usage("export", "needs one STATE");
	}
	rc = state_open(argv[optind], &s, &err);
	if (rc == 0 && only && !state_find(&s, only)) {
		rc = err_set(&err, RC_NOT_FOUND, "not_found", only, "no such experiment");
	}
	for (uint32_t i = 1; rc == 0 && i < s.list.numbers; i++) {
		if (s.list.names[i] && (!only || strcmp(only, s.list.names[i]) == 0)) {
			rc = export_one(&s, i, &err);
		}
	}
	state_close(&s);
	if (cli_flush("export")) {
		return CLI_WRONG;
	}
	return rc ? cli_fail("export", &err) : CLI_DONE;
}
