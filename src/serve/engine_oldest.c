/* SPDX-License-Identifier: Apache-2.0 */
/* The oldest decision that waits for its reward, of each experiment. A cursor walks along the log
 * past decisions that do not wait and stops at the first that does; it goes on once something was
 * closed. So each event is looked at about once, by the engine's thread, and whoever asks reads a
 * number. */
#include "base/clock.h"
#include "serve/engine_impl.h"

#define CHUNK_EVENTS 512

struct seek {
	struct engine *g;
	struct engine_item *it;
	uint64_t upto;  /* no decision up to here waits */
	uint64_t at_us; /* of the first one that does; 0: not found */
};

/* What is not in the cache is in the log. Either may be a moment old: a reward that came since is
 * counted among the closed ones, and the cursor looks again. */
static int is_open(struct seek *s, uint64_t seq, bool *ret)
{
	struct engine *g = s->g;
	struct cache_entry *d = cache_find(g->cache, s->it->number, seq);
	struct pending pending;
	struct event ev;
	int rc;

	if (d) {
		pthread_mutex_lock(&s->it->lock);
		*ret = d->kind == CACHE_DECISION && pending_is_open(d->pending);
		pthread_mutex_unlock(&s->it->lock);
		cache_unpin(g->cache, d);
		return 0;
	}
	arena_reset(&g->oldest_mem);
	rc = store_read_pending(
	    g->tick_reader, s->it->number, seq, &g->oldest_mem, &ev, &pending, NULL);
	*ret = rc == 0 && pending_is_open(&pending);
	return rc;
}

static int look_at(void *arg, const struct event *ev)
{
	struct seek *s = arg;
	bool open = false;
	int rc = ev->kind == EVENT_DECISION ? is_open(s, ev->seq, &open) : 0;

	if (rc) {
		return rc;
	}
	if (open) {
		s->at_us = ev->at_us;
		return 1;
	}
	s->upto = ev->seq;
	return 0;
}

/* True when there is something to look for. */
static bool begin(struct seek *s, uint64_t *ret_closed)
{
	struct engine_item *it = s->it;
	const struct totals *t;
	bool look;

	pthread_mutex_lock(&it->lock);
	t = experiment_totals(it->e);
	*ret_closed = t->decisions - t->open;
	if (t->open == 0) {
		it->oldest_seq = experiment_seq(it->e);
		it->oldest_at_us = 0;
	}
	look = !it->purged && t->open &&
	       !(it->oldest_at_us && it->oldest_closed == (uint32_t)*ret_closed);
	s->upto = it->oldest_seq;
	pthread_mutex_unlock(&it->lock);
	return look;
}

int engine_seek_oldest(struct engine *g, struct engine_item *it, uint64_t until_us)
{
	struct seek s = {.g = g, .it = it};
	uint64_t closed, from;
	int rc;

	if (!begin(&s, &closed)) {
		return 0;
	}
	do {
		from = s.upto;
		rc = store_read_events(g->tick_reader, it->number, from, UINT64_MAX >> 1,
		    CHUNK_EVENTS, &g->tick_mem, look_at, &s, NULL);
	} while (rc == 0 && !s.at_us && s.upto != from && clock_mono_us() < until_us);
	pthread_mutex_lock(&it->lock);
	it->oldest_seq = s.upto;
	it->oldest_at_us = s.at_us;
	it->oldest_closed = (uint32_t)closed;
	pthread_mutex_unlock(&it->lock);
	return rc < 0 ? rc : 0;
}

uint64_t engine_oldest_open_us(struct engine_item *it)
{
	uint64_t at_us;

	pthread_mutex_lock(&it->lock);
	at_us = experiment_totals(it->e)->open ? it->oldest_at_us : 0;
	pthread_mutex_unlock(&it->lock);
	return at_us;
}
