/* SPDX-License-Identifier: Apache-2.0 */
/* What happens by itself: windows close, snapshots are taken. No timer per decision: decisions
 * expire in the order of their seq, so one cursor per experiment walks along the log. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/engine_impl.h"

#define TICK_US (CLOCK_SECOND_US / 10)
#define CLOCK_OFF_US INT64_C(1000000) /* that the clock may be set unnoticed */
#define OLDEST_US (TICK_US / 20)
#define CHUNK_EVENTS 512 /* of the log, looked at between two locks */
#define SNAPSHOT_MAX ((size_t)2 << 30)
#define SNAPSHOT_STALE_US (60 * CLOCK_SECOND_US)
#define SNAPSHOT_STALE_EVENTS 1000

/* ---- snapshots ---- */

int engine_snapshot(struct engine *g, struct engine_item *it)
{
	struct buf out;
	uint64_t seq, cursor;
	unsigned char *body;
	size_t len;
	int rc;

	buf_init(&out, SNAPSHOT_MAX);
	pthread_mutex_lock(&it->lock);
	experiment_save(it->e, &out);
	seq = experiment_seq(it->e);
	cursor = experiment_has_windows(it->e) ? it->expiry_seq : it->oldest_seq;
	body = buf_take(&out, &len);
	rc = body ? store_snapshot_put(g->store, it->number, seq, cursor, body, len) : RC_MEMORY;
	if (rc == 0) {
		it->snapshot_seq = seq;
		it->dirty_since_us = 0;
	}
	pthread_mutex_unlock(&it->lock);
	if (rc && body) {
		free(body);
	}
	return rc;
}

static bool snapshot_is_due(struct engine *g, struct engine_item *it, uint64_t mono_us)
{
	uint64_t events;
	bool due;

	pthread_mutex_lock(&it->lock);
	events = experiment_seq(it->e) - it->snapshot_seq;
	due = events >= g->o.snapshot_events ||
	      (events >= SNAPSHOT_STALE_EVENTS && mono_us - it->dirty_since_us > SNAPSHOT_STALE_US);
	pthread_mutex_unlock(&it->lock);
	return due;
}

/* ---- expiry ---- */

/* What one read of the log found. */
struct chunk {
	uint64_t seq[CHUNK_EVENTS]; /* decisions whose window has closed */
	size_t n;
	uint64_t at_us;
	uint64_t upto;   /* how far the walk has come */
	uint64_t due_us; /* when the first one still open closes; 0: all were looked at */
};

static int look_at(void *arg, const struct event *ev)
{
	struct chunk *ch = arg;

	if (ev->kind == EVENT_DECISION && ev->decision.expires_us) {
		if (ev->decision.expires_us > ch->at_us) {
			ch->due_us = ev->decision.expires_us;
			return 1;
		}
		ch->seq[ch->n++] = ev->seq;
	}
	ch->upto = ev->seq;
	return 0;
}

/* Expires one decision if it is still open; 1 when it was. */
static int expire_one(struct engine *g, struct engine_item *it, uint64_t seq, uint64_t at_us)
{
	struct engine_work *w = &g->tick_work;
	struct cache_entry *d;
	struct event decision, ev;
	int rc;

	d = cache_find(g->cache, it->number, seq);
	if (!d) {
		rc = engine_load_decision(
		    g, g->tick_reader, it->number, seq, &g->tick_mem, &d, NULL);
		if (rc) {
			return rc;
		}
	}
	engine_begin(w, it);
	rc = event_decode(d->bytes, d->len, d->seq, &w->mem, &decision);
	if (rc == 0) {
		rc = experiment_expire(it->e, &decision, d->pending, at_us, &w->mem, &ev);
	}
	if (rc == 0) {
		rc = engine_record(w, &ev, d, NULL);
	}
	engine_commit(w);
	engine_release(g, d);
	return rc == 0 ? 1 : rc == RC_EXISTS ? 0 : rc;
}

static int expire_chunk(struct engine *g, struct engine_item *it, struct chunk *ch)
{
	int rc = 0, made = 0;

	for (size_t i = 0; i < ch->n && rc >= 0; i++) {
		rc = expire_one(g, it, ch->seq[i], ch->at_us);
		made += rc > 0;
	}
	return rc < 0 ? rc : made;
}

/* Where the walk goes on, or false when there is nothing to walk. */
static bool expiry_is_due(struct engine_item *it, uint64_t at_us, uint64_t *ret_after)
{
	bool due;

	pthread_mutex_lock(&it->lock);
	if (!experiment_has_windows(it->e) || experiment_totals(it->e)->open == 0) {
		it->expiry_seq = experiment_seq(it->e);
		it->expiry_due_us = 0;
	}
	due = !it->purged && it->expiry_seq < experiment_seq(it->e) && at_us >= it->expiry_due_us;
	*ret_after = it->expiry_seq;
	pthread_mutex_unlock(&it->lock);
	return due;
}

int engine_expire(struct engine *g, struct engine_item *it, uint64_t at_us)
{
	struct chunk ch;
	uint64_t after;
	int made = 0, rc;

	while (expiry_is_due(it, at_us, &after)) {
		ch.n = 0;
		ch.at_us = at_us;
		ch.upto = after;
		ch.due_us = 0;
		rc = store_read_events(g->tick_reader, it->number, after, UINT64_MAX >> 1,
		    CHUNK_EVENTS, &g->tick_mem, look_at, &ch, NULL);
		if (rc == 0 && ch.n) {
			rc = expire_chunk(g, it, &ch);
		}
		if (rc < 0) {
			return rc;
		}
		made += rc;
		pthread_mutex_lock(&it->lock);
		it->expiry_seq = ch.upto;
		it->expiry_due_us = ch.due_us;
		pthread_mutex_unlock(&it->lock);
		if (ch.upto == after || ch.due_us) {
			break; /* what follows is not on disk yet, or still open */
		}
	}
	return made;
}

/* ---- the oldest open decision ---- */

/* In turns, since one that has much to read would keep the others waiting. */
static void seek_oldest(struct engine *g)
{
	uint64_t until_us = clock_mono_us() + OLDEST_US;
	uint32_t begin = g->oldest_from, after = begin;
	struct engine_item *it;
	bool wrapped = false;

	while (!store_failed(g->store) && clock_mono_us() < until_us) {
		it = engine_next_ref(g, after);
		if (!it || (wrapped && it->number > begin)) {
			engine_item_unref(it);
			if (wrapped) {
				break;
			}
			wrapped = true;
			after = 0;
			continue;
		}
		after = g->oldest_from = it->number;
		engine_seek_oldest(g, it, until_us); /* what fails shows in the next read */
		engine_item_unref(it);
	}
}

/* ---- the thread ---- */

/* Every experiment once: one that fails keeps no other waiting, unless the store has failed. The
 * registry's lock is not held while one of them is worked on. */
int engine_tick(struct engine *g, uint64_t at_us)
{
	uint64_t mono_us = clock_mono_us();
	struct engine_item *it;
	uint32_t after = 0;
	int made = 0, failed = 0;

	while (!store_failed(g->store) && (it = engine_next_ref(g, after)) != NULL) {
		int rc;

		after = it->number;
		rc = engine_expire(g, it, at_us);
		made += rc > 0 ? rc : 0;
		if (rc >= 0 && snapshot_is_due(g, it, mono_us)) {
			rc = engine_snapshot(g, it);
		}
		failed = failed ? failed : rc < 0 ? rc : 0;
		engine_item_unref(it);
	}
	seek_oldest(g);
	failed = failed ? failed : store_failed(g->store) ? RC_FAILED : 0;
	return failed ? failed : made;
}

static bool wait_for_tick(struct engine *g)
{
	struct timespec until;
	uint64_t at_us = clock_mono_us() + TICK_US;
	bool stopping;

	until.tv_sec = (time_t)(at_us / CLOCK_SECOND_US);
	until.tv_nsec = (long)(at_us % CLOCK_SECOND_US) * 1000;
	pthread_mutex_lock(&g->wake_lock);
	if (!g->stopping) {
		pthread_cond_timedwait(&g->wake, &g->wake_lock, &until);
	}
	stopping = g->stopping;
	pthread_mutex_unlock(&g->wake_lock);
	return !stopping;
}

/* Says once how far the system's clock is from the time that is logged. */
static void watch_clock(struct engine *g, int64_t *told_us)
{
	int64_t off_us = (int64_t)(clock_wall_us() - clock_steady_us()), more = off_us - *told_us;

	if (more > CLOCK_OFF_US || more < -CLOCK_OFF_US) {
		g->o.report(g->o.arg, 0,
		    "the clock was set, or is behind the log; windows go by the time that passes",
		    "", 0);
		*told_us = off_us;
	}
}

static void *tick_thread(void *arg)
{
	struct engine *g = arg;
	int64_t told_us = 0;
	int last = 0;

	while (wait_for_tick(g)) {
		int rc = engine_tick(g, clock_steady_us());

		watch_clock(g, &told_us);
		if (rc < 0 && rc != last && rc != RC_BUSY && rc != RC_FULL) {
			g->o.report(g->o.arg, rc, "expiry and snapshots paused", "", 0);
		}
		last = rc;
	}
	return NULL;
}

static void stop_ticking(struct engine *g)
{
	pthread_mutex_lock(&g->wake_lock);
	g->stopping = true;
	pthread_cond_signal(&g->wake);
	pthread_cond_broadcast(&g->plan_wake);
	pthread_mutex_unlock(&g->wake_lock);
	pthread_join(g->thread, NULL);
}

int engine_start(struct engine *g)
{
	if (pthread_create(&g->thread, NULL, tick_thread, g)) {
		return RC_FAILED;
	}
	if (pthread_create(&g->plan_thread, NULL, engine_plan_thread, g)) {
		stop_ticking(g);
		return RC_FAILED;
	}
	g->running = true;
	return 0;
}

void engine_stop(struct engine *g)
{
	if (!g || !g->running) {
		return;
	}
	stop_ticking(g);
	pthread_join(g->plan_thread, NULL);
	engine_plan_drop(g);
	g->running = false;
}
