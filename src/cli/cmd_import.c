/* SPDX-License-Identifier: Apache-2.0 */
/* bandit import: an exported log becomes a state. Every line is checked as if it were a client's,
 * folded, and written; what is exported again are the same bytes. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/state_write.h"
#include "core/replay.h"
#include "eval/line_in.h"
#include "json/bind.h"
#include "json/event_json.h"
#include "policies/policies.h"

#define MEM_MAX ((size_t)64 << 20)

const char import_usage[] =
    "usage: bandit import FILE STATE\n"
    "\n"
    "Makes a state of a log that bandit export wrote. FILE may be -, standard input, and may be\n"
    "compressed with gzip or zstd. STATE is a directory that is made, or holds no state yet. The\n"
    "first line that does not fit ends it; the state is then not to be used.\n";

struct import {
	struct state_writer *writer;
	struct replay replay; /* of the experiment whose lines come */
	struct arena mem;
	const char *path;
	uint64_t line, events;
	struct errinfo *err;
};

static int wrong(struct import *i, int rc, const char *pointer, const char *text)
{
	char where[160];

	snprintf(where, sizeof(where), "%.100s:%llu", i->path, (unsigned long long)i->line);
	return err_set(
	    i->err, rc, "bad_line", where, "%.60s%s%.200s", pointer, *pointer ? ": " : "", text);
}

static int begin(struct import *i, const char *name)
{
	struct errinfo why = {.rc = 0};
	int rc = state_writer_begin(i->writer, name, &why);

	replay_release(&i->replay);
	replay_init(&i->replay, &(struct replay_options){.find = policy_find});
	return rc ? wrong(i, rc, "", why.text) : 0;
}

static int fold(struct import *i, const struct event *ev)
{
	struct errinfo why = {.rc = 0};
	uint64_t due = i->replay.report.events + 1;
	int rc;

	if (ev->seq != due) {
		return wrong(i, RC_INVALID, "/seq", "the lines of the experiment have a gap");
	}
	rc = replay_event(&i->replay, ev, &why);
	if (rc) {
		return wrong(i, rc, "", rc == RC_CORRUPT ? i->replay.report.text : why.text);
	}
	i->events++;
	return state_writer_event(i->writer, ev, i->err);
}

static int import_line(struct import *i, const char *text, size_t n)
{
	struct errinfo why = {.rc = 0};
	const char *name, *kind;
	struct event ev;
	json_t *o;
	int rc = json_parse(text, n, &o, &why);

	if (rc) {
		return wrong(i, rc, why.pointer, why.text);
	}
	arena_reset(&i->mem);
	name = json_string_value(json_object_get(o, "experiment"));
	kind = json_string_value(json_object_get(o, "kind"));
	if (name && id_is_valid(name) && kind && strcmp(kind, "create") == 0) {
		rc = begin(i, name);
	} else if (state_writer_experiments(i->writer) == 0) {
		rc = wrong(i, RC_INVALID, "/kind", "the first line does not create an experiment");
	}
	if (rc == 0) {
		rc = event_from_json(o, i->replay.e, &i->mem, &ev, &why);
		rc = rc ? wrong(i, rc, why.pointer, why.text) : fold(i, &ev);
	}
	json_decref(o);
	return rc;
}

static int import_lines(struct import *i, struct line_in *in)
{
	struct errinfo why = {.rc = 0};
	struct progress bar;
	int rc = 0, more;
	char *text;
	size_t n;

	progress_start(&bar, "events", 0);
	while (rc == 0 && (more = line_in_next(in, &text, &n, &why)) != 0) {
		i->line = line_in_number(in);
		if (more == RC_LIMIT) {
			rc = wrong(i, more, "", "the line is too long");
		} else if (more < 0) {
			rc = wrong(i, more, "", why.text);
		} else if (n) {
			rc = import_line(i, text, n);
			progress_add(&bar, 1);
		}
	}
	progress_clear(&bar);
	return rc;
}

static int import(const char *path, const char *where, struct errinfo *err)
{
	struct import i = {.path = path, .err = err};
	struct line_in *in = NULL;
	uint32_t experiments = 0;
	int rc = line_in_open(path, &in, err), closing;

	rc = rc ? rc : state_writer_open(where, &i.writer, err);
	arena_init(&i.mem, MEM_MAX);
	replay_init(&i.replay, &(struct replay_options){.find = policy_find});
	if (rc == 0) {
		rc = import_lines(&i, in);
		experiments = state_writer_experiments(i.writer);
	}
	closing = state_writer_close(i.writer, rc ? NULL : err);
	rc = rc ? rc : closing;
	replay_release(&i.replay);
	arena_release(&i.mem);
	line_in_close(in);
	if (rc == 0) {
		fprintf(stderr, "%llu events of %u experiments\n", (unsigned long long)i.events,
		    (unsigned)experiments);
	}
	return rc;
}

int cmd_import(int argc, char **argv)
{
	static const struct option options[] = {
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct errinfo err = {.rc = 0};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h') {
			return CLI_USAGE;
		}
		fputs(import_usage, stdout);
		return cli_flush("import");
	}
	if (argc - optind != 2) {
		return cli_usage("import", "needs one FILE and one STATE");
	}
	return import(argv[optind], argv[optind + 1], &err) ? cli_fail("import", &err) : CLI_DONE;
}
