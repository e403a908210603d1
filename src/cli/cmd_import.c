/* SPDX-License-Identifier: Apache-2.0 */
/* bandit import: an exported log becomes a state. Every line is checked as if it were a client's,
 * folded, and written; what is exported again are the same bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "core/replay.h"
#include "eval/line_in.h"
#include "json/bind.h"
#include "json/event_json.h"
#include "policies/policies.h"
#include "store/registry.h"

#define MEM_MAX ((size_t)64 << 20)
#define QUEUE_BYTES ((size_t)64 << 20)

const char import_usage[] =
    "usage: bandit import FILE STATE\n"
    "\n"
    "Makes a state of a log that bandit export wrote. FILE may be -, standard input, and may be\n"
    "compressed with gzip or zstd. STATE is a directory that is made, or holds no state yet. The\n"
    "first line that does not fit ends it; the state is then not to be used.\n";

struct import {
	struct store *store;
	struct replay replay; /* of the experiment whose lines come */
	struct store_group group;
	struct arena mem;
	char (*names)[ID_MAX + 1];
	uint32_t number;
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

/* What waits to be written is bounded: a full queue is waited for. */
static int append(struct import *i)
{
	int rc = store_reserve(i->store, i->group.bytes.len);

	if (rc == RC_BUSY) {
		rc = store_drain(i->store);
		rc = rc ? rc : store_reserve(i->store, i->group.bytes.len);
	}
	if (rc == 0) {
		store_append(i->store, &i->group, i->group.bytes.len);
	}
	return rc ? err_set(i->err, rc, "not_written", "", "%s", err_name(rc)) : 0;
}

static int begin(struct import *i, const char *name)
{
	struct registry_entry entry = {
	    .op = REGISTRY_CREATE, .number = i->number + 1, .name = name};
	struct buf bytes;
	void *names;
	int rc;

	for (uint32_t k = 0; k < i->number; k++) {
		if (strcmp(i->names[k], name) == 0) {
			return wrong(i, RC_EXISTS, "", "the experiment is there already");
		}
	}
	names = realloc(i->names, (i->number + 1) * sizeof(*i->names));
	if (!names) {
		return wrong(i, RC_MEMORY, "", "out of memory");
	}
	i->names = names;
	snprintf(i->names[i->number++], sizeof(*i->names), "%s", name);
	replay_release(&i->replay);
	replay_init(&i->replay, &(struct replay_options){.find = policy_find});
	buf_init(&bytes, REGISTRY_BYTES_MAX);
	registry_encode(&entry, &bytes);
	rc = bytes.rc
		 ? bytes.rc
		 : store_group_add_raw(&i->group, STORE_REGISTRY, i->number, bytes.data, bytes.len);
	buf_release(&bytes);
	return rc ? wrong(i, rc, "", err_name(rc)) : 0;
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
	rc = store_group_add(i->store, &i->group, i->number, ev);
	i->events++;
	return rc ? wrong(i, rc, "", err_name(rc)) : append(i);
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
	store_group_reset(&i->group);
	name = json_string_value(json_object_get(o, "experiment"));
	kind = json_string_value(json_object_get(o, "kind"));
	if (name && id_is_valid(name) && kind && strcmp(kind, "create") == 0) {
		rc = begin(i, name);
	} else if (i->number == 0) {
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

/* A directory of its own: nothing that is there is written to. */
static int make_state(const char *where, struct errinfo *err)
{
	char file[4096];
	struct stat st;

	if (mkdir(where, 0700) && errno != EEXIST) {
		return err_set(err, RC_IO, "cannot_make", where, "%s", strerror(errno));
	}
	snprintf(file, sizeof(file), "%s/state.db", where);
	return stat(file, &st) == 0
		   ? err_set(err, RC_EXISTS, "exists", where, "there is a state already")
		   : 0;
}

static int import(const char *path, const char *where, struct errinfo *err)
{
	struct import i = {.path = path, .err = err};
	struct line_in *in = NULL;
	int rc = line_in_open(path, &in, err), closing;

	rc = rc ? rc : make_state(where, err);
	rc = rc ? rc
		: store_open(
		      &(struct store_options){
			  .ops = &store_sqlite, .where = where, .queue_bytes = QUEUE_BYTES},
		      &i.store, err);
	arena_init(&i.mem, MEM_MAX);
	store_group_init(&i.group);
	replay_init(&i.replay, &(struct replay_options){.find = policy_find});
	rc = rc ? rc : import_lines(&i, in);
	if (i.store) {
		closing = store_drain(i.store);
		if (rc == 0 && closing) {
			rc = err_set(err, closing, "not_written", where, "%s", err_name(closing));
		}
	}
	store_close(i.store);
	replay_release(&i.replay);
	store_group_release(&i.group);
	arena_release(&i.mem);
	line_in_close(in);
	free(i.names);
	if (rc == 0) {
		fprintf(stderr, "%llu events of %u experiments\n", (unsigned long long)i.events,
		    (unsigned)i.number);
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
