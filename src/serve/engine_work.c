/* SPDX-License-Identifier: Apache-2.0 */
/* One piece of work on one experiment: look up, lock, ask, record, commit. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/engine_impl.h"
#include "serve/engine_stream.h"

#define WORK_MEMORY ((size_t)64 << 20)
#define TOUCHED_FIRST 16
#define LOAD_TRIES 8

void engine_work_init(struct engine_work *w, struct engine *g)
{
	*w = (struct engine_work){.g = g};
	store_group_init(&w->group);
	arena_init(&w->mem, WORK_MEMORY);
}

void engine_work_release(struct engine_work *w)
{
	store_group_release(&w->group);
	arena_release(&w->mem);
	free(w->touched);
}

/* ---- first half: the past ---- */

/* Puts an event that was read from the log into the cache. */
static int cache_read(struct engine *g, uint32_t number, const struct event *ev, struct pending *p,
    uint64_t seen, struct cache_entry **ret)
{
	bool decision = ev->kind == EVENT_DECISION;
	struct cache_entry what = {.experiment = number,
	    .kind = decision ? CACHE_DECISION : CACHE_REWARD,
	    .seq = ev->seq,
	    .pending = p};
	struct buf bytes;
	int rc;

	buf_init(&bytes, EVENT_BYTES_MAX);
	event_encode(ev, &bytes);
	what.bytes = bytes.data;
	what.len = bytes.len;
	rc = bytes.rc ? bytes.rc
		      : cache_add(g->cache, &what, decision ? ev->decision.id : ev->feedback.key,
			    store_durable(g->store), seen, ret);
	buf_release(&bytes);
	return rc;
}

int engine_load_decision(struct engine *g, struct store_reader *r, uint32_t number, uint64_t seq,
    struct arena *mem, struct cache_entry **ret, struct errinfo *err)
{
	struct event ev;
	struct pending pending;
	uint64_t seen;
	int rc = RC_BUSY;

	for (int tries = 0; rc == RC_BUSY && tries < LOAD_TRIES; tries++) {
		arena_reset(mem);
		seen = cache_evictions(g->cache);
		rc = store_read_pending(r, number, seq, mem, &ev, &pending, err);
		if (rc == 0) {
			rc = ev.kind == EVENT_DECISION
				 ? cache_read(g, number, &ev, &pending, seen, ret)
				 : RC_NOT_FOUND;
		}
	}
	return rc == 0 || rc == RC_NOT_FOUND ? rc : engine_refusal(rc, err);
}

/* The seq an id stands for: in the id itself, or found in the log. RC_NOT_FOUND. */
static int seq_of_id(struct engine *g, struct engine_item *it, const char *id, struct arena *mem,
    uint64_t *ret_seq, struct errinfo *err)
{
	if (!decision_id_is_made(id)) {
		return store_find_decision(g->reader, it->number, id, mem, ret_seq, err);
	}
	*ret_seq = experiment_decision_seq(it->e, id);
	return *ret_seq ? 0 : RC_NOT_FOUND;
}

int engine_seek_decision(struct engine *g, struct engine_item *it, const char *id,
    struct cache_entry **ret, struct errinfo *err)
{
	struct cache_entry *c = NULL;
	uint64_t seq = 0;
	int rc;

	*ret = NULL;
	if (!decision_id_is_made(id)) {
		c = cache_find_name(g->cache, it->number, CACHE_DECISION, id);
	}
	if (!c) {
		arena_reset(&g->seek_mem);
		rc = seq_of_id(g, it, id, &g->seek_mem, &seq, err);
		if (rc) {
			return rc == RC_NOT_FOUND ? 0 : rc;
		}
		c = cache_find(g->cache, it->number, seq);
		if (c && c->kind != CACHE_DECISION) { /* a made id with a reward's number */
			cache_unpin(g->cache, c);
			return 0;
		}
	}
	if (!c) {
		rc = engine_load_decision(g, g->reader, it->number, seq, &g->seek_mem, &c, err);
		if (rc) {
			return rc == RC_NOT_FOUND ? 0 : rc;
		}
	}
	*ret = c;
	return 0;
}

int engine_seek_reward(struct engine *g, struct engine_item *it, const char *key,
    struct cache_entry **ret, struct errinfo *err)
{
	struct event ev;
	uint64_t seq;
	int rc;

	*ret = cache_find_name(g->cache, it->number, CACHE_REWARD, key);
	if (*ret) {
		return 0;
	}
	arena_reset(&g->seek_mem);
	rc = store_find_reward(g->reader, it->number, key, &g->seek_mem, &seq, err);
	if (rc == 0) {
		rc = store_read_event(g->reader, it->number, seq, &g->seek_mem, &ev, err);
	}
	if (rc == 0) { /* a reward never changes, so it cannot be out of date */
		rc = cache_read(g, it->number, &ev, NULL, CACHE_NEW, ret);
	}
	return rc == 0 || rc == RC_NOT_FOUND ? 0 : engine_refusal(rc, err);
}

void engine_release(struct engine *g, struct cache_entry *e)
{
	cache_unpin(g->cache, e);
}

/* ---- second half: the event ---- */

void engine_begin(struct engine_work *w, struct engine_item *it)
{
	w->it = it;
	pthread_mutex_lock(&it->lock);
	w->e = it->e;
}

uint64_t engine_commit(struct engine_work *w)
{
	struct engine *g = w->g;
	uint64_t ticket = w->ticket;

	if (w->group.events) {
		ticket = store_append(g->store, &w->group, w->reserved);
		if (!w->it->dirty_since_us) {
			w->it->dirty_since_us = clock_mono_us();
		}
	}
	if (w->flying) {
		engine_stream_ticket(w->it, ticket);
	}
	for (size_t i = 0; i < w->ntouched; i++) {
		cache_touch(g->cache, w->touched[i], ticket);
		cache_unpin(g->cache, w->touched[i]);
	}
	pthread_mutex_unlock(&w->it->lock);
	store_group_reset(&w->group);
	arena_reset(&w->mem);
	w->ntouched = 0;
	w->reserved = 0;
	w->ticket = 0;
	w->flying = false;
	w->e = NULL;
	w->it = NULL;
	return ticket <= store_durable(g->store) ? 0 : ticket;
}

static int touched_reserve(struct engine_work *w)
{
	size_t cap = w->touched_cap ? 2 * w->touched_cap : TOUCHED_FIRST;
	struct cache_entry **p;

	if (w->ntouched + 2 <= w->touched_cap) {
		return 0;
	}
	p = realloc(w->touched, cap * sizeof(struct cache_entry *));
	if (!p) {
		return RC_MEMORY;
	}
	w->touched = p;
	w->touched_cap = cap;
	return 0;
}

/* Will this event be asked for again by name or as a decision? */
static bool is_remembered(const struct event *ev)
{
	return ev->kind == EVENT_DECISION || (ev->kind == EVENT_REWARD && ev->feedback.key);
}

/* Keeps a copy of the event just added to the group, whose record begins at `at`. */
static int remember(
    struct engine_work *w, const struct event *ev, size_t at, struct cache_entry **ret)
{
	bool decision = ev->kind == EVENT_DECISION;
	struct cache_entry what = {.experiment = w->it->number,
	    .kind = decision ? CACHE_DECISION : CACHE_REWARD,
	    .seq = ev->seq,
	    .ticket = CACHE_TICKET_OPEN};
	struct pending pending;

	what.bytes = store_group_event(&w->group, at, &what.len);
	if (decision) {
		pending_start(&pending, &ev->decision);
		what.pending = &pending;
	}
	return cache_add(w->g->cache, &what, decision ? ev->decision.id : ev->feedback.key,
	    store_durable(w->g->store), CACHE_NEW, ret);
}

/* Everything that can fail, before anything changes. */
static int prepare(struct engine_work *w, const struct event *ev, struct cache_entry **ret)
{
	size_t at = w->group.bytes.len;
	int rc = experiment_reserve(w->e, ev);

	if (rc == 0) {
		rc = touched_reserve(w);
	}
	if (rc == 0) {
		rc = store_group_add(w->g->store, &w->group, w->it->number, ev);
	}
	if (rc == 0) {
		rc = store_reserve(w->g->store, w->group.bytes.len - at);
	}
	if (rc == 0 && is_remembered(ev)) {
		rc = remember(w, ev, at, ret);
		if (rc) {
			store_unreserve(w->g->store, w->group.bytes.len - at);
		}
	}
	if (rc == 0) {
		w->reserved += w->group.bytes.len - at;
	}
	return rc;
}

int engine_record(
    struct engine_work *w, const struct event *ev, struct cache_entry *about, struct errinfo *err)
{
	size_t bytes = w->group.bytes.len, events = w->group.events;
	struct cache_entry *mine = NULL;
	int rc = prepare(w, ev, &mine);

	if (rc) {
		w->group.bytes.len = bytes;
		w->group.bytes.rc = 0;
		w->group.events = events;
		return engine_refusal(rc, err);
	}
	if (mine) {
		w->touched[w->ntouched++] = mine;
	}
	if (about) {
		pending_apply(about->pending, ev);
		cache_pin(w->g->cache, about);
		w->touched[w->ntouched++] = about;
	}
	rc = experiment_apply(w->e, ev);
	if (rc) {
		return err_set(err, RC_FAILED, "internal", "", "an event does not fit its state");
	}
	if (ev->kind != EVENT_DECISION && ev->kind != EVENT_STREAM) {
		engine_read_arms(w, ev->at_us); /* a test may have ended */
	}
	return 0;
}

/* The event an entry stands for; its pointers live until the commit. */
static int decode(
    struct engine_work *w, const struct cache_entry *c, struct event *ret, struct errinfo *err)
{
	int rc = event_decode(c->bytes, c->len, c->seq, &w->mem, ret);

	if (rc) {
		return rc == RC_MEMORY
			   ? engine_refusal(rc, err)
			   : err_set(err, RC_FAILED, "internal", "", "a cached event is damaged");
	}
	return 0;
}

/* An answer that repeats an older event waits for that one. */
static void wait_for(struct engine_work *w, const struct cache_entry *c)
{
	if (c->ticket != CACHE_TICKET_OPEN && c->ticket > w->ticket) {
		w->ticket = c->ticket;
	}
}

/* An older decision answers this question too. */
static int repeat(struct engine_work *w, uint64_t seq, struct event *ret, struct errinfo *err)
{
	struct cache_entry *c = cache_find(w->g->cache, w->it->number, seq);
	int rc = c ? 0
		   : engine_load_decision(
			 w->g, w->g->reader, w->it->number, seq, &w->g->seek_mem, &c, err);

	if (rc == 0) {
		rc = decode(w, c, ret, err);
		wait_for(w, c);
		engine_release(w->g, c);
	}
	return rc;
}

int engine_decide(struct engine_work *w, const struct select_in *in, struct cache_entry *known,
    uint64_t at_us, struct event *ret_ev, bool *ret_replayed, struct errinfo *err)
{
	struct cache_entry *mine = NULL;
	struct event ev;
	int rc;

	if (in->id && !known) { /* perhaps the same batch brought it just now */
		known = mine = cache_find_name(w->g->cache, w->it->number, CACHE_DECISION, in->id);
	}
	if (known) {
		rc = decode(w, known, &ev, err);
		if (rc == 0 && ev.decision.fingerprint != in->fingerprint) {
			rc = err_set(err, RC_CONFLICT, "decision_conflict", "/id",
			    "decision %s was made with another body", in->id);
		}
		wait_for(w, known);
		engine_release(w->g, mine);
		*ret_replayed = true;
	} else {
		engine_read_arms(w, at_us);
		rc = engine_plan(w, at_us, err);
		rc = rc ? rc : experiment_select(w->e, in, at_us, &w->mem, &ev, err);
		*ret_replayed = rc == 0 && !ev.kind;
		if (*ret_replayed) {
			rc = repeat(w, ev.seq, &ev, err);
		} else if (rc == 0) {
			rc = engine_record(w, &ev, NULL, err);
		}
	}
	if (rc == 0) {
		*ret_ev = ev;
	}
	return rc;
}

/* The stored answer to a key that was used before. */
static int replay_reward(struct engine_work *w, const struct reward_in *in,
    const struct cache_entry *known, struct event *ret_ev, enum feedback_status *ret_status,
    struct errinfo *err)
{
	int rc = decode(w, known, ret_ev, err);

	if (rc == 0 && ret_ev->feedback.fingerprint != in->fingerprint) {
		return err_set(err, RC_CONFLICT, "key_conflict", "/key",
		    "key %s was used with another body", in->key);
	}
	wait_for(w, known);
	*ret_status = ret_ev->feedback.status;
	return rc;
}

int engine_reward(struct engine_work *w, const struct reward_in *in, struct cache_entry *d,
    struct cache_entry *known, uint64_t at_us, struct event *ret_ev,
    enum feedback_status *ret_status, bool *ret_replayed, struct errinfo *err)
{
	struct cache_entry *mine = NULL;
	struct event decision;
	int rc;

	if (in->key && !known) {
		known = mine = cache_find_name(w->g->cache, w->it->number, CACHE_REWARD, in->key);
	}
	*ret_replayed = known != NULL;
	if (known) {
		rc = replay_reward(w, in, known, ret_ev, ret_status, err);
		engine_release(w->g, mine);
		return rc;
	}
	if (!d) {
		return err_set(
		    err, RC_NOT_FOUND, "unknown_decision", "/decision", "no such decision");
	}
	rc = decode(w, d, &decision, err);
	if (rc == 0) {
		rc = experiment_reward(
		    w->e, &decision, d->pending, in, at_us, &w->mem, ret_ev, ret_status, err);
	}
	if (rc == 0 && ret_ev->kind) {
		rc = engine_record(w, ret_ev, d, err);
	} else if (rc == 0) {
		wait_for(w, d);
	}
	return rc;
}

typedef int change_fn(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct arena *mem, struct event *ret_ev, struct errinfo *err);

static int change_decision(struct engine_work *w, struct cache_entry *d, change_fn *change,
    uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	struct event ev;
	int rc = decode(w, d, ret_ev, err);

	if (rc == 0) {
		rc = change(w->e, ret_ev, d->pending, at_us, &w->mem, &ev, err);
	}
	if (rc == RC_EXISTS) {
		wait_for(w, d);
	}
	return rc ? rc : engine_record(w, &ev, d, err);
}

int engine_activate(struct engine_work *w, struct cache_entry *d, uint64_t at_us,
    struct event *ret_ev, struct errinfo *err)
{
	return change_decision(w, d, experiment_activate, at_us, ret_ev, err);
}

int engine_void(struct engine_work *w, struct cache_entry *d, uint64_t at_us, struct event *ret_ev,
    struct errinfo *err)
{
	return change_decision(w, d, experiment_void, at_us, ret_ev, err);
}

int engine_add_arms(struct engine_work *w, const struct spec_arm *arms,
    const struct between *between, size_t n, uint64_t at_us, struct errinfo *err)
{
	struct event ev;
	int rc = experiment_add_arms(w->e, arms, between, n, at_us, &w->mem, &ev, err);

	return rc ? rc : engine_record(w, &ev, NULL, err);
}

int engine_set_arm(
    struct engine_work *w, uint32_t slot, enum arm_state to, uint64_t at_us, struct errinfo *err)
{
	struct event ev;
	int rc = experiment_set_arm(w->e, slot, to, at_us, &w->mem, &ev, err);

	return rc ? rc : engine_record(w, &ev, NULL, err);
}

int engine_remove_group(struct engine_work *w, const char *id, uint64_t at_us, struct errinfo *err)
{
	struct event ev;
	int rc = experiment_remove_group(w->e, id, at_us, &ev, err);

	return rc ? rc : engine_record(w, &ev, NULL, err);
}

int engine_change(
    struct engine_work *w, const struct settings *s, uint64_t at_us, struct errinfo *err)
{
	struct event ev;
	int rc = experiment_change(w->e, s, at_us, &ev, err);

	rc = rc ? rc : engine_record(w, &ev, NULL, err);
	if (rc == 0 && experiment_totals(w->e)->open == 0) {
		/* Nothing of the old window's is awaited: the walk need not wait for its end. */
		w->it->expiry_seq = experiment_seq(w->e);
		w->it->expiry_due_us = 0;
	}
	return rc;
}
