/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/frozen_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "core/replay.h"
#include "eval/line_in.h"
#include "json/bind.h"
#include "json/event_json.h"
#include "policies/policies.h"

#define MEM_MAX ((size_t)64 << 20)
#define SEQ_MAX (UINT64_C(1) << 53)

struct fold {
	struct replay replay;
	struct arena mem;
	char *path;       /* ours */
	const char *name; /* in path's memory */
	uint64_t upto;
	struct errinfo *err;
};

/* Ids may hold colons, and paths, too: what stands before the colon is there. */
static int split(const char *text, struct fold *f)
{
	char *at, *colon;
	struct stat st;

	f->path = strdup(text);
	if (!f->path) {
		return err_set(f->err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	f->upto = SEQ_MAX;
	at = strrchr(f->path, '@');
	if (at && id_is_valid(at + 1) && cli_whole(at + 1, SEQ_MAX, &f->upto) == 0) {
		*at = '\0';
	}
	for (colon = strchr(f->path, ':'); colon; colon = strchr(colon + 1, ':')) {
		*colon = '\0';
		if (id_is_valid(colon + 1) && stat(f->path, &st) == 0) {
			f->name = colon + 1;
			return f->upto ? 0
				       : err_set(f->err, RC_INVALID, "target", text,
					     "events are numbered from 1");
		}
		*colon = ':';
	}
	return err_set(f->err, RC_NOT_FOUND, "target", text,
	    "not STATE:EXPERIMENT or STATE:EXPERIMENT@SEQ with a STATE that is there");
}

static int add_event(void *arg, const struct event *ev)
{
	struct fold *f = arg;
	int rc = replay_event(&f->replay, ev, f->err);

	return rc ? err_set(f->err, rc, "corrupt", f->path, "%s", f->replay.report.text) : 0;
}

static int fold_state(struct fold *f)
{
	struct state s;
	int rc = state_open(f->path, &s, f->err);
	uint64_t last = 0, after = 0;
	uint32_t number;

	if (rc) {
		return rc;
	}
	number = state_find(&s, f->name);
	rc = number ? store_last_seq(s.reader, number, &last) : 0;
	last = f->upto < last ? f->upto : last;
	rc = rc || !number ? rc : state_begin(s.reader, number, &f->replay, &after, f->err);
	if (rc == 0 && last < after) {
		rc = err_set(f->err, RC_NOT_FOUND, "pruned", f->path,
		    "the log of %s was pruned up to event %llu", f->name,
		    (unsigned long long)after);
	}
	rc = rc || !number ? rc
			   : store_read_events(s.reader, number, after, last, SIZE_MAX, &f->mem,
				 add_event, f, f->err);
	state_close(&s);
	return rc;
}

/* Lines of other experiments are passed over. */
static int fold_line(struct fold *f, const char *text, size_t n, uint64_t line)
{
	struct errinfo why = {.rc = 0};
	struct event ev;
	const char *name;
	json_t *o;
	int rc = json_parse(text, n, &o, &why);

	if (rc == 0) {
		name = json_string_value(json_object_get(o, "experiment"));
		if (name && strcmp(name, f->name) == 0) {
			arena_reset(&f->mem);
			rc = event_from_json(o, f->replay.e, &f->mem, &ev, &why);
			rc = rc ? rc : ev.seq > f->upto ? 0 : add_event(f, &ev);
		}
		json_decref(o);
	}
	return rc ? err_set(f->err, rc, "bad_line", f->path, "line %llu: %s%s%s",
			(unsigned long long)line, why.pointer, why.pointer[0] ? ": " : "", why.text)
		  : 0;
}

static int fold_file(struct fold *f)
{
	struct line_in *in = NULL;
	int rc = line_in_open(f->path, &in, f->err), more = 1;
	char *text;
	size_t n;

	while (rc == 0 && more == 1) {
		more = line_in_next(in, &text, &n, f->err);
		rc = more < 0 ? more : more && n ? fold_line(f, text, n, line_in_number(in)) : 0;
	}
	line_in_close(in);
	return rc;
}

static int check(const struct fold *f)
{
	if (!f->replay.e) {
		return err_set(
		    f->err, RC_NOT_FOUND, "not_found", f->path, "no experiment %s", f->name);
	}
	return f->upto != SEQ_MAX && experiment_seq(f->replay.e) != f->upto
		   ? err_set(f->err, RC_NOT_FOUND, "not_found", f->path,
			 "the log of %s ends at event %llu", f->name,
			 (unsigned long long)experiment_seq(f->replay.e))
		   : 0;
}

int frozen_state(const char *text, struct experiment **ret, struct errinfo *err)
{
	struct fold f = {.err = err};
	int rc = split(text, &f);

	arena_init(&f.mem, MEM_MAX);
	replay_init(&f.replay, &(struct replay_options){.find = policy_find});
	rc = rc ? rc : state_is(f.path) ? fold_state(&f) : fold_file(&f);
	rc = rc ? rc : check(&f);
	if (rc == 0) {
		*ret = f.replay.e;
		f.replay.e = NULL; /* ours to give */
	}
	replay_release(&f.replay);
	arena_release(&f.mem);
	free(f.path);
	return rc ? err_set(err, rc, "failed", text, "%s", err_name(rc)) : 0;
}
