/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/state_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/care.h"
#include "store/registry.h"

#define QUEUE_BYTES ((size_t)64 << 20)

#define BASE_MAX ((size_t)2 << 30)

struct state_writer {
	struct store *store;
	struct store_group group;
	char (*names)[ID_MAX + 1];
	uint32_t number;
	struct base {
		struct base *next;
		uint32_t number;
		uint64_t seq;
		struct buf body;
	} * bases; /* written at the end */
	char *where;
};

/* A directory of its own. */
static int make_place(const char *where, struct errinfo *err)
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

static void writer_free(struct state_writer *w)
{
	store_close(w->store);
	store_group_release(&w->group);
	while (w->bases) {
		struct base *b = w->bases;

		w->bases = b->next;
		buf_release(&b->body);
		free(b);
	}
	free(w->names);
	free(w->where);
	free(w);
}

int state_writer_open(const char *where, struct state_writer **ret, struct errinfo *err)
{
	struct state_writer *w = calloc(1, sizeof(*w));
	int rc;

	if (!w) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	store_group_init(&w->group);
	w->where = strdup(where);
	rc = w->where ? make_place(where, err)
		      : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	rc = rc ? rc
		: store_open(
		      &(struct store_options){
			  .ops = &store_sqlite, .where = where, .queue_bytes = QUEUE_BYTES},
		      &w->store, err);
	if (rc) {
		writer_free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

int state_writer_begin(struct state_writer *w, const char *name, struct errinfo *err)
{
	struct registry_entry entry = {
	    .op = REGISTRY_CREATE, .number = w->number + 1, .name = name};
	struct buf bytes;
	void *names;
	int rc;

	for (uint32_t k = 0; k < w->number; k++) {
		if (strcmp(w->names[k], name) == 0) {
			return err_set(
			    err, RC_EXISTS, "exists", "", "the experiment is there already");
		}
	}
	names = realloc(w->names, (w->number + 1) * sizeof(*w->names));
	if (!names) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	w->names = names;
	snprintf(w->names[w->number++], sizeof(*w->names), "%s", name);
	buf_init(&bytes, REGISTRY_BYTES_MAX);
	registry_encode(&entry, &bytes);
	rc = bytes.rc
		 ? bytes.rc
		 : store_group_add_raw(&w->group, STORE_REGISTRY, w->number, bytes.data, bytes.len);
	buf_release(&bytes);
	return rc ? err_set(err, rc, "not_written", "", "%s", err_name(rc)) : 0;
}

int state_writer_base(
    struct state_writer *w, uint64_t seq, const struct experiment *e, struct errinfo *err)
{
	struct base *b = calloc(1, sizeof(*b));

	if (!b) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	b->number = w->number;
	b->seq = seq;
	buf_init(&b->body, BASE_MAX);
	experiment_save(e, &b->body);
	b->next = w->bases;
	w->bases = b;
	return b->body.rc ? err_set(err, b->body.rc, "not_written", "", "%s", err_name(b->body.rc))
			  : 0;
}

/* The store knows no logs that begin later, so these are told once it is closed. */
static int plant(struct state_writer *w, struct errinfo *err)
{
	struct store_pruner *p = NULL;
	struct errinfo why = {.rc = 0};
	int rc = w->bases ? store_pruner_open(&store_sqlite, w->where, &p, &why) : 0;

	for (const struct base *b = w->bases; rc == 0 && b; b = b->next) {
		rc = store_prune_base(p,
		    &(struct store_snapshot){.experiment = b->number,
			.seq = b->seq,
			.cursor = b->seq,
			.body = b->body.data,
			.len = b->body.len},
		    true, &why);
	}
	store_pruner_close(p);
	return rc ? err_set(err, rc, "not_written", w->where, "%s", why.text) : 0;
}

int state_writer_event(struct state_writer *w, const struct event *ev, struct errinfo *err)
{
	int rc = store_group_add(w->store, &w->group, w->number, ev);

	rc = rc ? rc : store_reserve(w->store, w->group.bytes.len);
	if (rc == RC_BUSY) {
		rc = store_drain(w->store);
		rc = rc ? rc : store_reserve(w->store, w->group.bytes.len);
	}
	if (rc == 0) {
		store_append(w->store, &w->group, w->group.bytes.len);
	}
	store_group_reset(&w->group);
	return rc ? err_set(err, rc, "not_written", w->where, "%s", err_name(rc)) : 0;
}

uint32_t state_writer_experiments(const struct state_writer *w)
{
	return w->number;
}

int state_writer_close(struct state_writer *w, struct errinfo *err)
{
	int rc;

	if (!w) {
		return 0;
	}
	rc = store_drain(w->store);
	store_close(w->store);
	w->store = NULL;
	rc = rc ? rc : plant(w, err);
	if (rc) {
		err_set(err, rc, "not_written", w->where, "%s", err_name(rc));
	}
	writer_free(w);
	return rc;
}
