/* SPDX-License-Identifier: Apache-2.0 */
/* The recent past: encoded decisions and keyed rewards with what became of them, found by seq or by
 * the caller's id. Bounded in bytes; what is not yet on disk, or in use, is never put out, so what
 * the cache does not hold is in the log. Its own lock; entries' contents are guarded by the lock of
 * their experiment. */
#ifndef SERVE_CACHE_H
#define SERVE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/pending.h"

enum cache_kind { CACHE_DECISION, CACHE_REWARD };

#define CACHE_TICKET_OPEN UINT64_MAX /* appended to a group that has no ticket yet */

struct cache_entry {
	uint64_t seq; /* with the next: the key */
	uint32_t experiment;
	enum cache_kind kind;
	uint64_t ticket;         /* of the newest event about it: durable when that is */
	struct pending *pending; /* of a decision, pending_bytes() of it; else NULL */
	const void *bytes;       /* the encoded event */
	size_t len;
	struct cache_links *links; /* the cache's own */
};

struct cache;

int cache_new(size_t max_bytes, struct cache **ret);
void cache_free(struct cache *c);

/* Pinned until cache_unpin. NULL when it is not held. */
struct cache_entry *cache_find(struct cache *c, uint32_t experiment, uint64_t seq);
struct cache_entry *cache_find_name(
    struct cache *c, uint32_t experiment, enum cache_kind kind, const char *name);
/* Adds a copy of what is described and pins it; name (a decision's id, a reward's key) may be NULL;
 * entries with tickets up to `durable` may be put out for it. When that seq is held already, pins
 * what is there. `seen` is cache_evictions() from before the log was read, or CACHE_NEW for an
 * event that was never in the log: RC_BUSY when something was put out since, so that it may be
 * newer than what was read. RC_MEMORY. */
int cache_add(struct cache *c, const struct cache_entry *what, const char *name, uint64_t durable,
    uint64_t seen, struct cache_entry **ret);
#define CACHE_NEW UINT64_MAX
void cache_pin(struct cache *c, struct cache_entry *e);                    /* once more */
void cache_touch(struct cache *c, struct cache_entry *e, uint64_t ticket); /* another event of it */
void cache_unpin(struct cache *c, struct cache_entry *e);
void cache_drop(struct cache *c, struct cache_entry *e); /* unpins, puts out what nobody else has */
/* How many entries were ever put out: unchanged means that what was absent is in the log. */
uint64_t cache_evictions(const struct cache *c);
size_t cache_bytes(const struct cache *c);
void cache_forget(struct cache *c, uint32_t experiment); /* erased: puts out all its entries */

#endif
