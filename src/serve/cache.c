/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define KEPT_MAX 64 /* entries looked past for one that may go */

#define KEY_BYTES (sizeof(uint64_t) + sizeof(uint32_t)) /* an entry's seq and experiment */

struct name_key {
	uint32_t experiment;
	uint8_t kind;
	char name[ID_MAX];
};

struct cache_links {
	struct cache_entry entry; /* first: the two are one allocation */
	UT_hash_handle by_seq;
	UT_hash_handle by_name;
	struct cache_links *prev, *next; /* oldest first */
	unsigned pins;
	uint32_t name_len; /* of the name key, 0 when there is none */
	size_t size;
	_Alignas(
	    struct pending) unsigned char tail[]; /* pending, the event's bytes, the name key */
};

_Static_assert(offsetof(struct cache_entry, experiment) == sizeof(uint64_t), "the key has no gap");

struct cache {
	pthread_mutex_t lock;
	struct cache_links *by_seq, *by_name, *oldest;
	size_t bytes, max_bytes;
	uint64_t evictions;
	unsigned char key[HASH_KEY_BYTES];
};

int cache_new(size_t max_bytes, struct cache **ret)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c) {
		return RC_MEMORY;
	}
	pthread_mutex_init(&c->lock, NULL);
	c->max_bytes = max_bytes;
	hash_random(c->key, sizeof(c->key));
	*ret = c;
	return 0;
}

/* Nobody chooses these numbers, so no secret is needed: the decisions of an experiment that come
 * one after the other lie in neighbouring buckets, which a processor's cache likes. */
static unsigned seq_hash(const struct cache_entry *e)
{
	return (unsigned)e->seq + e->experiment * 0x9e3779b1u;
}

static const void *name_of(const struct cache_links *l)
{
	return (const unsigned char *)l->entry.bytes + l->entry.len;
}

/* Out of all tables; the memory stays. */
static void detach(struct cache *c, struct cache_links *l)
{
	HASH_DELETE(by_seq, c->by_seq, l);
	if (l->name_len) {
		HASH_DELETE(by_name, c->by_name, l);
	}
	DL_DELETE(c->oldest, l);
	c->bytes -= l->size;
}

static void put_out(struct cache *c, struct cache_links *l)
{
	detach(c, l);
	c->evictions++;
	free(l);
}

void cache_free(struct cache *c)
{
	if (!c) {
		return;
	}
	while (c->oldest) {
		put_out(c, c->oldest);
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* The oldest that may go do, until the new bytes fit. Few are in the way: those just rewarded. */
static void make_room(struct cache *c, size_t bytes, uint64_t durable)
{
	struct cache_links *l = c->oldest;

	for (int kept = 0; l && c->bytes + bytes > c->max_bytes && kept < KEPT_MAX;) {
		struct cache_links *next = l->next;

		if (l->pins || l->entry.ticket > durable) {
			kept++;
		} else {
			put_out(c, l);
		}
		l = next;
	}
}

static struct cache_entry *pin(struct cache_links *l)
{
	if (!l) {
		return NULL;
	}
	l->pins++;
	return &l->entry;
}

struct cache_entry *cache_find(struct cache *c, uint32_t experiment, uint64_t seq)
{
	struct cache_entry key = {.seq = seq, .experiment = experiment};
	struct cache_links *l;
	struct cache_entry *e;

	pthread_mutex_lock(&c->lock);
	HASH_FIND_BYHASHVALUE(by_seq, c->by_seq, &key, KEY_BYTES, seq_hash(&key), l);
	e = pin(l);
	pthread_mutex_unlock(&c->lock);
	return e;
}

/* The bytes that stand for a name in the table; returns how many. */
static uint32_t name_key(
    struct name_key *k, uint32_t experiment, enum cache_kind kind, const char *name)
{
	size_t n = strnlen(name, ID_MAX);

	memset(k, 0, sizeof(*k));
	k->experiment = experiment;
	k->kind = (uint8_t)kind;
	memcpy(k->name, name, n);
	return (uint32_t)(offsetof(struct name_key, name) + n);
}

struct cache_entry *cache_find_name(
    struct cache *c, uint32_t experiment, enum cache_kind kind, const char *name)
{
	struct name_key key;
	uint32_t n = name_key(&key, experiment, kind, name);
	unsigned hash = (unsigned)hash_keyed(c->key, &key, n);
	struct cache_links *l;
	struct cache_entry *e;

	pthread_mutex_lock(&c->lock);
	HASH_FIND_BYHASHVALUE(by_name, c->by_name, &key, n, hash, l);
	e = pin(l);
	pthread_mutex_unlock(&c->lock);
	return e;
}

static struct cache_links *links_new(
    const struct cache_entry *what, const struct name_key *name, uint32_t name_len)
{
	size_t pending = what->pending ? pending_bytes(what->pending) : 0;
	size_t size = sizeof(struct cache_links) + pending + what->len + name_len;
	struct cache_links *l = malloc(size);

	if (!l) {
		return NULL;
	}
	memset(l, 0, sizeof(*l));
	l->size = size;
	l->name_len = name_len;
	l->entry = *what;
	if (pending) {
		l->entry.pending = memcpy(l->tail, what->pending, pending);
	}
	l->entry.bytes = memcpy(l->tail + pending, what->bytes, what->len);
	memcpy(l->tail + pending + what->len, name, name_len);
	l->entry.links = l;
	return l;
}

/* False when a table could not grow; then it is in neither. */
static bool attach(struct cache *c, struct cache_links *l, bool from_log)
{
	unsigned hash = seq_hash(&l->entry);

	HASH_ADD_BYHASHVALUE(by_seq, c->by_seq, entry.seq, KEY_BYTES, hash, l);
	if (!l->by_seq.tbl) {
		return false;
	}
	if (l->name_len) {
		hash = (unsigned)hash_keyed(c->key, name_of(l), l->name_len);
		HASH_ADD_KEYPTR_BYHASHVALUE(by_name, c->by_name, name_of(l), l->name_len, hash, l);
		if (!l->by_name.tbl) {
			HASH_DELETE(by_seq, c->by_seq, l);
			return false;
		}
	}
	/* What came back from the log for one answer goes first, so that a walk through old
	 * decisions does not put out the new ones. */
	if (from_log) {
		DL_PREPEND(c->oldest, l);
	} else {
		DL_APPEND(c->oldest, l);
	}
	c->bytes += l->size;
	return true;
}

int cache_add(struct cache *c, const struct cache_entry *what, const char *name, uint64_t durable,
    uint64_t seen, struct cache_entry **ret)
{
	struct name_key key;
	uint32_t n = name ? name_key(&key, what->experiment, what->kind, name) : 0;
	struct cache_links *l = links_new(what, &key, n), *there = NULL;
	int rc = 0;

	if (!l) {
		return RC_MEMORY;
	}
	pthread_mutex_lock(&c->lock);
	if (seen != CACHE_NEW) {
		HASH_FIND_BYHASHVALUE(
		    by_seq, c->by_seq, &l->entry, KEY_BYTES, seq_hash(&l->entry), there);
	}
	if (there) {
		*ret = pin(there);
	} else if (seen != CACHE_NEW && seen != c->evictions) {
		rc = RC_BUSY;
	} else {
		make_room(c, l->size, durable);
		rc = attach(c, l, seen != CACHE_NEW) ? 0 : RC_MEMORY;
		*ret = rc ? *ret : pin(l);
	}
	pthread_mutex_unlock(&c->lock);
	if (rc || there) {
		free(l);
	}
	return rc;
}

void cache_pin(struct cache *c, struct cache_entry *e)
{
	pthread_mutex_lock(&c->lock);
	e->links->pins++;
	pthread_mutex_unlock(&c->lock);
}

void cache_touch(struct cache *c, struct cache_entry *e, uint64_t ticket)
{
	pthread_mutex_lock(&c->lock);
	e->ticket = ticket;
	pthread_mutex_unlock(&c->lock);
}

void cache_unpin(struct cache *c, struct cache_entry *e)
{
	if (!e) {
		return;
	}
	pthread_mutex_lock(&c->lock);
	e->links->pins--;
	pthread_mutex_unlock(&c->lock);
}

void cache_drop(struct cache *c, struct cache_entry *e)
{
	pthread_mutex_lock(&c->lock);
	if (--e->links->pins == 0) {
		put_out(c, e->links);
	}
	pthread_mutex_unlock(&c->lock);
}

uint64_t cache_evictions(const struct cache *c)
{
	struct cache *mutable = (struct cache *)c;
	uint64_t n;

	pthread_mutex_lock(&mutable->lock);
	n = c->evictions;
	pthread_mutex_unlock(&mutable->lock);
	return n;
}

size_t cache_bytes(const struct cache *c)
{
	struct cache *mutable = (struct cache *)c;
	size_t n;

	pthread_mutex_lock(&mutable->lock);
	n = c->bytes;
	pthread_mutex_unlock(&mutable->lock);
	return n;
}

void cache_forget(struct cache *c, uint32_t experiment)
{
	struct cache_links *l, *next;

	pthread_mutex_lock(&c->lock);
	DL_FOREACH_SAFE (c->oldest, l, next) {
		if (l->entry.experiment == experiment && !l->pins) {
			put_out(c, l);
		}
	}
	pthread_mutex_unlock(&c->lock);
}
