/* SPDX-License-Identifier: Apache-2.0 */
/* Start: the registry's log says which experiments there are; each is its newest good snapshot with
 * the tail of its log folded on. Anything that does not check refuses the start: nothing is
 * guessed. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/engine_impl.h"
#include "store/care.h"
#include "store/registry.h"

#define TAIL_MEMORY ((size_t)64 << 20)
#define PROGRESS_EVENTS 4096 /* some milliseconds of folding */

struct recovery {
	struct engine *g;
	struct engine_recovery *out;
	struct errinfo *err;
	struct registry list;
	struct engine_item *it; /* whose tail is being folded */
	struct experiment *e;
	uint32_t number;
};

static void progress(const struct recovery *r)
{
	const struct engine_options *o = &r->g->o;

	if (o->progress) {
		o->progress(o->arg, r->out->experiments, r->list.numbers - 1, r->out->events);
	}
}

static int corrupt(struct recovery *r, uint32_t number, uint64_t seq, int rc, const char *why)
{
	char where[64];

	snprintf(where, sizeof(where), "experiment %u seq %llu", number, (unsigned long long)seq);
	return err_set(
	    r->err, rc, rc == RC_VERSION ? "state_too_new" : "state_damaged", where, "%s", why);
}

static int fold_registry(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct recovery *r = arg;
	int rc = registry_fold(&r->list, seq, body, len);

	if (rc && rc != RC_MEMORY) {
		return corrupt(r, STORE_REGISTRY, seq, rc, "the list of experiments is damaged");
	}
	r->g->registry_seq = r->list.seq;
	return rc;
}

static int take_snapshot(void *arg, const struct store_snapshot *s)
{
	struct recovery *r = arg;
	struct engine *g = r->g;
	struct engine_item *it;
	struct experiment *e;
	struct rd in;
	int rc;

	if (s->experiment >= r->list.numbers || !r->list.names[s->experiment] ||
	    (s->experiment < g->numbers && g->by_number[s->experiment])) {
		return 0; /* purged, or an older one of an experiment that has a good one */
	}
	rd_init(&in, s->body, s->len);
	rc = experiment_load(&in, g->o.find, &e);
	if (rc == RC_MEMORY) {
		return rc;
	}
	if (rc || experiment_seq(e) != s->seq ||
	    strcmp(experiment_name(e), r->list.names[s->experiment]) != 0) {
		if (rc == 0) {
			experiment_free(e);
		}
		r->out->bad_snapshots++;
		g->o.report(g->o.arg, rc ? rc : RC_CORRUPT, "snapshot ignored",
		    r->list.names[s->experiment], s->seq);
		return 0;
	}
	if (engine_item_new(s->experiment, e, &it)) {
		experiment_free(e);
		return RC_MEMORY;
	}
	it->snapshot_seq = s->seq;
	it->expiry_seq = it->oldest_seq = s->cursor;
	r->out->snapshots++;
	progress(r);
	rc = engine_register(g, it);
	if (rc) {
		engine_item_unref(it);
	}
	return rc;
}

static void bad_snapshot(void *arg, uint32_t experiment, uint64_t seq)
{
	struct recovery *r = arg;
	bool known = experiment < r->list.numbers && r->list.names[experiment];

	r->out->bad_snapshots++;
	r->g->o.report(r->g->o.arg, RC_CORRUPT, "snapshot ignored",
	    known ? r->list.names[experiment] : "", seq);
}

static void begin_after(struct engine *g, uint32_t number, uint64_t seq)
{
	struct engine_item *it = number < g->numbers ? g->by_number[number] : NULL;

	if (it) {
		it->expiry_seq = it->expiry_seq < seq ? seq : it->expiry_seq;
		it->oldest_seq = it->oldest_seq < seq ? seq : it->oldest_seq;
	}
}

/* Where a pruned log begins; also the state, when there is no good snapshot. */
static int take_base(void *arg, const struct store_snapshot *s)
{
	struct recovery *r = arg;
	bool known = s->experiment < r->list.numbers && r->list.names[s->experiment];
	int rc = take_snapshot(arg, s);

	begin_after(r->g, s->experiment, s->seq);
	if (rc == 0 && known &&
	    (s->experiment >= r->g->numbers || !r->g->by_number[s->experiment])) {
		rc = corrupt(r, s->experiment, s->seq, RC_CORRUPT,
		    "the log was pruned up to here, and the state that was kept cannot be read: "
		    "start the version that pruned it, or restore a backup");
	}
	return rc;
}

/* A snapshot that is good does without; there is none if the item is missing. */
static void bad_base(void *arg, uint32_t experiment, uint64_t seq)
{
	struct recovery *r = arg;

	bad_snapshot(arg, experiment, seq);
	begin_after(r->g, experiment, seq);
}

static int create_from(struct recovery *r, const struct event *ev)
{
	const struct policy_ops *ops;
	struct errinfo why = {.rc = 0};
	int rc;

	if (ev->kind != EVENT_CREATE || ev->seq != 1) {
		return RC_CORRUPT;
	}
	ops = r->g->o.find(ev->create.policy);
	if (!ops) {
		return RC_VERSION;
	}
	rc = experiment_new(&ev->create, ops, ev->at_us, &r->e, &why);
	if (rc == 0 && strcmp(experiment_name(r->e), r->list.names[r->number]) != 0) {
		rc = RC_CORRUPT;
	}
	return rc == RC_MEMORY || rc == 0 ? rc : RC_CORRUPT;
}

static int fold_event(void *arg, const struct event *ev)
{
	struct recovery *r = arg;
	int rc = r->e ? experiment_apply(r->e, ev) : create_from(r, ev);

	if (rc) {
		return corrupt(
		    r, r->number, ev->seq, rc, "an event does not fit the state before it");
	}
	if (++r->out->events % PROGRESS_EVENTS == 0) {
		progress(r);
	}
	return 0;
}

/* The tail of one experiment, or all of it when there is no snapshot. */
static int recover_one(struct recovery *r, uint32_t number, struct arena *mem)
{
	struct engine *g = r->g;
	struct engine_item *it = number < g->numbers ? g->by_number[number] : NULL;
	uint64_t after = it ? experiment_seq(it->e) : 0;
	int rc;

	r->number = number;
	r->e = it ? it->e : NULL;
	rc = store_read_events(
	    g->reader, number, after, UINT64_MAX >> 1, SIZE_MAX, mem, fold_event, r, r->err);
	if (rc == 0 && !it) {
		rc = r->e ? engine_item_new(number, r->e, &it)
			  : corrupt(r, number, 1, RC_CORRUPT, "the experiment's log is missing");
		if (rc == 0) {
			r->e = NULL;
			rc = engine_register(g, it);
			if (rc) {
				engine_item_unref(it);
				it = NULL;
			}
		}
	}
	if (rc) {
		if (!it) {
			experiment_free(r->e);
		}
		return rc;
	}
	if (experiment_seq(it->e) != it->snapshot_seq) {
		it->dirty_since_us = clock_mono_us();
	}
	clock_steady_from(experiment_at_us(it->e)); /* or its windows would not close for so long */
	r->out->experiments++;
	progress(r);
	return 0;
}

/* Everything, as of one moment. */
static int recover_all(struct recovery *r, struct arena *mem)
{
	struct engine *g = r->g;
	int rc = store_check_tails(g->reader, r->err);

	if (rc == 0) {
		rc = store_read_raw(g->reader, STORE_REGISTRY, 0, fold_registry, r, r->err);
	}
	if (rc == 0) {
		rc = store_read_snapshots(g->reader, 0, take_snapshot, bad_snapshot, r);
	}
	if (rc == 0) {
		rc = store_read_bases(g->reader, 0, take_base, bad_base, r);
	}
	for (uint32_t i = 1; rc == 0 && i < r->list.numbers; i++) {
		if (r->list.names[i]) {
			rc = recover_one(r, i, mem);
			/* The store knows numbers only. */
			if (rc && r->err && !r->err->pointer[0]) {
				snprintf(r->err->pointer, sizeof(r->err->pointer), "%s",
				    r->list.names[i]);
			}
		}
	}
	return rc;
}

/* A stop may have come between a purge and the last row of its erasure. */
static int finish_erasures(struct recovery *r)
{
	uint64_t last, ticket;
	int rc = 0;

	for (uint32_t i = 1; rc == 0 && i < r->list.numbers; i++) {
		if (!r->list.names[i]) {
			rc = store_last_seq(r->g->reader, i, &last);
			if (rc == 0 && last) {
				rc = store_erase(r->g->store, i, &ticket);
				rc = rc == RC_BUSY ? 0 : rc; /* the next start goes on */
			}
		}
	}
	return rc;
}

int engine_recover(struct engine *g, struct engine_recovery *ret, struct errinfo *err)
{
	uint64_t start_us = clock_mono_us();
	struct recovery r = {.g = g, .out = ret, .err = err};
	struct arena mem;
	int rc;

	arena_init(&mem, TAIL_MEMORY);
	g->numbers = 1; /* 0 is the registry */
	rc = registry_init(&r.list);
	if (rc == 0) {
		rc = store_reader_begin(g->reader);
	}
	if (rc == 0) {
		rc = recover_all(&r, &mem);
		store_reader_end(g->reader);
	}
	rc = rc ? rc : finish_erasures(&r);
	if (r.list.numbers > g->numbers) {
		g->numbers = r.list.numbers;
	}
	registry_release(&r.list);
	arena_release(&mem);
	malloc_trim(0); /* snapshots and names came in large pieces that are not needed again */
	ret->elapsed_us = clock_mono_us() - start_us;
	return rc ? err_set(err, rc, "recovery_failed", "", "recovery failed: %s", err_name(rc))
		  : 0;
}
