/* SPDX-License-Identifier: Apache-2.0 */
/* The backlogs of policies with a stream: which ids were offered, and what stands at a position.
 * Offers are chained by their keys: each has the seq of the one before. */
#include "store/store_offer.h"

#include <stdlib.h>
#include <string.h>

#include "store/store_impl.h"

/* Between two keys that are so close lie those of some 130 ids with like last letters, so
 * that what a walk passes over is bounded by what was asked for, whatever was offered before. */
#define GAP_MAX 256

int64_t store_key_of_offer(const struct store_reader *r, const char *id)
{
	return record_offer_key(r->key, id);
}

/* One run of keys that are close, and the offer that was compared with last: what is offered again
 * mostly stands together. */
struct seen_walk {
	struct store_reader *r;
	struct errinfo *err;
	uint32_t experiment;
	struct arena *mem;
	const struct offer_key *key, *end;
	bool *seen;
	uint64_t seq; /* 0: none is decoded */
	struct event ev;
	size_t at; /* where in it the last one was found */
};

static bool stands_in(struct seen_walk *w, const char *id)
{
	const struct event_stream *s = &w->ev.stream;

	for (size_t i = 0; i < s->n; i++) {
		w->at = w->at + 1 < s->n ? w->at + 1 : 0;
		if (strcmp(s->arms[w->at].id, id) == 0) {
			return true;
		}
	}
	return false;
}

/* Other names may share a key, so the bytes decide. */
static int compare_offer(struct seen_walk *w, const struct offer_key *k, uint64_t seq)
{
	int rc = 0;

	if (w->seq != seq) {
		arena_reset(w->mem);
		w->seq = 0;
		rc = store_read_event(w->r, w->experiment, seq, w->mem, &w->ev, w->err);
		if (rc == 0 && (w->ev.kind != EVENT_STREAM || w->ev.stream.op != STREAM_OFFER)) {
			return 0; /* the key of a name of another kind */
		}
		w->seq = rc ? 0 : seq;
		w->at = SIZE_MAX - 1;
	}
	if (rc == 0 && stands_in(w, k->id)) {
		w->seen[k->i] = true;
	}
	return rc == RC_NOT_FOUND ? RC_CORRUPT : rc;
}

static int see_offer(void *arg, int64_t key, uint64_t seq)
{
	struct seen_walk *w = arg;
	int rc = 0;

	while (w->key < w->end && w->key->key < key) {
		w->key++;
	}
	for (const struct offer_key *k = w->key; rc == 0 && k < w->end && k->key == key; k++) {
		rc = compare_offer(w, k, seq);
	}
	return rc ? rc : w->key == w->end;
}

int store_find_offers(struct store_reader *r, uint32_t experiment, const struct offer_key *keys,
    size_t n, struct arena *mem, bool *seen, struct errinfo *err)
{
	struct seen_walk w = {
	    .r = r, .err = err, .experiment = experiment, .mem = mem, .seen = seen};
	int rc = store_reader_begin(r);

	if (rc) {
		return store_reader_fail(r, rc, err);
	}
	for (size_t i = 0, to; rc == 0 && i < n; i = to) {
		for (to = i + 1; to < n && keys[to].key - keys[to - 1].key <= GAP_MAX; to++) {
		}
		w.key = keys + i;
		w.end = keys + to;
		rc = r->ops->keys(r->db, experiment, keys[i].key, keys[to - 1].key, see_offer, &w);
	}
	store_reader_end(r);
	return store_reader_fail(r, rc, err);
}

static int take_seq(void *arg, int64_t key, uint64_t seq)
{
	(void)key;
	*(uint64_t *)arg = seq;
	return 1;
}

int store_read_offer(struct store_reader *r, uint32_t experiment, uint64_t from, uint64_t position,
    struct arena *mem, struct event *ret, struct errinfo *err)
{
	struct event ev;
	int rc = 0;

	for (uint64_t seq = from; rc == 0; from = seq) {
		const struct event_stream *s = &ev.stream;

		arena_reset(mem);
		rc = store_read_event(r, experiment, seq, mem, &ev, err);
		if (rc == 0 && ev.kind == EVENT_STREAM && s->op == STREAM_OFFER &&
		    position - s->position < s->n) {
			*ret = ev;
			return 0;
		}
		seq = 0;
		rc = rc == RC_NOT_FOUND ? 0 : rc; /* pruned: its key says what follows */
		rc = rc ? rc
			: r->ops->keys(
			      r->db, experiment, (int64_t)from, (int64_t)from, take_seq, &seq);
		if (rc == 0 && seq <= from) {
			return seq ? RC_CORRUPT : RC_NOT_FOUND;
		}
	}
	return store_reader_fail(r, rc, err);
}

static bool is_offer(const struct event *ev)
{
	return ev->kind == EVENT_STREAM && ev->stream.op == STREAM_OFFER;
}

int store_read_below(struct store_reader *r, uint32_t experiment, uint64_t from, uint64_t *position,
    struct arena *mem, struct event *ret, struct errinfo *err)
{
	while (from > 1) {
		struct event ev;
		int rc;

		arena_reset(mem);
		rc = store_read_event(r, experiment, from, mem, &ev, err);
		if (rc) {
			return rc;
		}
		if (!is_offer(&ev) || !ev.stream.stacked || ev.stream.below_offer >= from ||
		    *position < ev.stream.position ||
		    *position - ev.stream.position > ev.stream.n) {
			return store_reader_fail(r, RC_CORRUPT, err);
		}
		if (*position > ev.stream.position) {
			*ret = ev;
			return 0;
		}
		from = ev.stream.below_offer;
		*position = ev.stream.below;
	}
	return RC_NOT_FOUND;
}

/* The first event under a key that is an offer of the id. */
struct offer_walk {
	struct seen_walk seen;
	uint64_t seq, position;
};

static int meet_offer(void *arg, int64_t key, uint64_t seq)
{
	struct offer_walk *w = arg;
	int rc = see_offer(&w->seen, key, seq);

	if (rc >= 0 && *w->seen.seen && w->seq == 0) {
		w->seq = seq;
		w->position = w->seen.ev.stream.position + w->seen.at;
		return 1;
	}
	return rc;
}

int store_find_offer(struct store_reader *r, uint32_t experiment, const char *id, struct arena *mem,
    uint64_t *ret_seq, uint64_t *ret_position, struct errinfo *err)
{
	struct offer_key key = {.key = store_key_of_offer(r, id), .id = id};
	bool seen = false;
	struct offer_walk w = {.seen = {.r = r,
				   .err = err,
				   .experiment = experiment,
				   .mem = mem,
				   .key = &key,
				   .end = &key + 1,
				   .seen = &seen}};
	int rc = store_reader_begin(r);

	if (rc == 0) {
		rc = r->ops->keys(r->db, experiment, key.key, key.key, meet_offer, &w);
		store_reader_end(r);
	}
	rc = store_reader_fail(r, rc, err);
	if (rc == 0 && !w.seq) {
		return RC_NOT_FOUND;
	}
	*ret_seq = w.seq;
	*ret_position = w.position;
	return rc;
}
