/* SPDX-License-Identifier: Apache-2.0 */
/* What the store asks of the place where bytes are kept. A backend is dumb: it knows neither events
 * nor checksums, only keys and bodies. One handle is used by one thread. Today SQLite and memory;
 * later a replicated log with one writer per experiment takes the same place. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One event. `seq` is the expected one: the key (experiment, seq) can be written once. */
struct store_record {
	uint32_t experiment;
	uint64_t seq;
	const void *body;
	size_t len;
	const int64_t *keys; /* by which the event is found again; see store.h */
	size_t nkeys;
};

/* A state at seq. `cursor` is a hint outside the state: see store_snapshot_put(). */
struct store_snapshot {
	uint32_t experiment;
	uint64_t seq, cursor;
	const void *body;
	size_t len;
};

struct store_info {
	unsigned char key[16];        /* of the hash of names, made with the database */
	uint64_t db_bytes, wal_bytes; /* on disk */
	uint64_t free_bytes;          /* of the file system */
};

/* 0: go on, 1: stop, negative: stop and return it. What is passed is borrowed for the call. */
typedef int store_event_fn(void *arg, uint64_t seq, const void *body, size_t len);
typedef int store_key_fn(void *arg, int64_t key, uint64_t seq);
typedef int store_snapshot_fn(void *arg, const struct store_snapshot *s);

struct store_ops {
	const char *name;
	/* `where` is a state directory. A read-only handle never writes, locks or checkpoints. */
	int (*open)(const char *where, bool readonly, void **ret_db, struct errinfo *err);
	void (*close)(void *db); /* NULL is fine */

	int (*begin)(void *db);
	int (*commit)(void *db); /* returns when it is on disk */
	void (*rollback)(void *db);
	int (*put_event)(void *db, const struct store_record *r); /* RC_CONFLICT: key is taken */
	int (*put_snapshot)(void *db, const struct store_snapshot *s); /* keeps the two newest */
	int (*erase)(void *db, uint32_t experiment); /* everything of it; inside a transaction */
	int (*maintain)(void *db);                   /* between transactions: checkpoint when due */

	/* Events with seq in (after, upto], ascending, at most limit. */
	int (*events)(void *db, uint32_t experiment, uint64_t after, uint64_t upto, size_t limit,
	    store_event_fn *fn, void *arg);
	/* Keys in [lo, hi], ascending by (key, seq). */
	int (*keys)(void *db, uint32_t experiment, int64_t lo, int64_t hi, store_key_fn *fn, void *arg);
	/* By experiment, the newest first; experiment 0: of all. */
	int (*snapshots)(void *db, uint32_t experiment, store_snapshot_fn *fn, void *arg);
	int (*last_seq)(void *db, uint32_t experiment, uint64_t *ret_seq); /* 0 when none */
	int (*info)(void *db, struct store_info *ret);
};

extern const struct store_ops store_sqlite, store_memory;

#endif
