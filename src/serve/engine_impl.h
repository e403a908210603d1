/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the engine, for the files engine*.c. */
#ifndef SERVE_ENGINE_IMPL_H
#define SERVE_ENGINE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "serve/engine.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct engine_item {
	UT_hash_handle by_name; /* the key is the experiment's own name */
	pthread_mutex_t lock;   /* guards everything below */
	struct experiment *e;
	uint32_t number;
	atomic_uint refs; /* the registry's, and whoever looks at it without the registry lock */
	bool purged;
	uint32_t
	    oldest_closed; /* how many were closed, mod 2^32, when oldest_at_us was looked up */
	uint64_t created_ticket;
	uint64_t snapshot_seq;   /* of the newest snapshot that was queued or read */
	uint64_t dirty_since_us; /* monotonic: when it first moved beyond that; 0: it did not */
	uint64_t expiry_seq;     /* windows of all decisions up to here are closed or have no end */
	uint64_t expiry_due_us;  /* wall clock before which there is nothing to expire */
	uint64_t oldest_seq;     /* no decision up to here waits for a reward */
	uint64_t oldest_at_us; /* wall clock: when the first one that does was made; 0: not known */
	uint64_t plan_seq;     /* of the event that began the plan in the making; 0: none */
	uint64_t plan_after_us;   /* monotonic: one that failed is not begun again before */
	struct look_ahead *ahead; /* of a policy with a stream; NULL until it is needed */
};

struct engine {
	struct engine_options o;
	struct store *store;
	struct store_reader *reader;      /* the loop's */
	struct store_reader *tick_reader; /* the engine thread's */
	struct cache *cache;
	pthread_rwlock_t registry; /* guards by_name, by_number and their sizes */
	struct engine_item *by_name;
	struct engine_item **by_number; /* NULL: purged or never completed */
	uint32_t numbers, numbers_cap;  /* the next number to give out; 0 is the registry */
	uint64_t registry_seq;
	unsigned char key[HASH_KEY_BYTES];
	struct engine_work tick_work, probe_work;
	struct engine_item *probe; /* in no table: engine_probe.c */
	uint32_t oldest_from;      /* the experiment whose turn is next to be looked through */
	struct arena tick_mem, seek_mem, oldest_mem;
	pthread_t thread;
	pthread_mutex_t wake_lock;
	pthread_cond_t wake;
	struct engine_work plan_work;
	struct engine_job *jobs; /* plans to make, guarded by wake_lock */
	pthread_t plan_thread;
	pthread_cond_t plan_wake;
	bool running, stopping;
};

unsigned engine_name_hash(const struct engine *g, const char *name);
/* Describes a refusal of the store, or want of memory, for clients; returns rc. */
int engine_refusal(int rc, struct errinfo *err);
/* Puts a complete item under its name and number. RC_MEMORY. */
int engine_register(struct engine *g, struct engine_item *it);
int engine_item_new(uint32_t number, struct experiment *e, struct engine_item **ret);
void engine_item_unref(struct engine_item *it);
/* Makes the plan that is due before a decision, or has it made. The experiment is locked. */
int engine_plan(struct engine_work *w, uint64_t at_us, struct errinfo *err);
void *engine_plan_thread(void *arg);
void engine_plan_drop(struct engine *g); /* what waits; the thread has ended */
int engine_probe_open(struct engine *g); /* RC_MEMORY */
/* engine_stream.c */
void engine_stream_free(struct look_ahead *l);
void engine_stream_ticket(struct engine_item *it, uint64_t ticket);
int engine_recover(struct engine *g, struct engine_recovery *ret, struct errinfo *err);
/* Reserves, caches, applies and adds to the group; on failure nothing has changed. `about` is the
 * decision that a feedback event refers to, else NULL. */
int engine_record(
    struct engine_work *w, const struct event *ev, struct cache_entry *about, struct errinfo *err);
/* The log's answer on a decision, put into the cache. RC_NOT_FOUND. */
int engine_load_decision(struct engine *g, struct store_reader *r, uint32_t number, uint64_t seq,
    struct arena *mem, struct cache_entry **ret, struct errinfo *err);
int engine_snapshot(struct engine *g, struct engine_item *it);
/* engine_next() with a reference that its user gives back. */
struct engine_item *engine_next_ref(struct engine *g, uint32_t after);
int engine_expire(struct engine *g, struct engine_item *it, uint64_t at_us);
/* engine_oldest.c: goes on with the search, until about this monotonic time. */
int engine_seek_oldest(struct engine *g, struct engine_item *it, uint64_t until_us);

#endif
