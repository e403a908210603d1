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

#define STORE_SEQ_MAX INT64_MAX

/* One event. `seq` is the expected one: the key (experiment, seq) can be written once. */
struct store_record {
	uint32_t experiment;
	uint64_t seq; /* 1 to STORE_SEQ_MAX */
	const void *body;
	size_t len;          /* at least 1 */
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
	uint64_t db_bytes, wal_bytes; /* on disk */
	uint64_t free_bytes;          /* of the file system */
};

/* 0: go on; 1: stop, the call returns 0; negative: stop and return it. What is passed is borrowed
 * for the call. A function may read keys while it gets events and events while it gets keys, but
 * not the same kind within itself. */
typedef int store_event_fn(void *arg, uint64_t seq, const void *body, size_t len);
typedef int store_key_fn(void *arg, int64_t key, uint64_t seq);
typedef int store_snapshot_fn(void *arg, const struct store_snapshot *s);
typedef void store_copied_fn(void *arg, uint64_t pages, uint64_t of);
typedef int store_tail_fn(void *arg, uint32_t experiment, uint64_t last_seq);

struct store_ops {
	const char *name;
	/* `where` is a state directory, borrowed for the call. A handle that may write is the only
	 * one: RC_BUSY. A read-only handle never writes, locks or checkpoints. RC_NOT_FOUND
	 * (read-only: nothing there yet), RC_VERSION, RC_CORRUPT, RC_IO; err says why. */
	int (*open)(const char *where, bool readonly, void **ret_db, struct errinfo *err);
	void (*close)(void *db); /* NULL is fine */
	/* Why the last call failed, in words. */
	void (*explain)(void *db, int rc, struct errinfo *err);

	/* On a read-only handle: what is read until commit or rollback is of one moment. */
	int (*begin)(void *db);
	int (*commit)(void *db); /* returns when it is on disk */
	void (*rollback)(void *db);
	int (*put_event)(void *db, const struct store_record *r); /* RC_CONFLICT: key is taken */
	int (*put_snapshot)(void *db, const struct store_snapshot *s); /* keeps the two newest */
	/* The state at which a log begins whose first events go; older snapshots go at once. NULL,
	 * as the next and bases(): cannot. */
	int (*put_base)(void *db, const struct store_snapshot *s);
	int (*drop_event)(void *db, const struct store_record *r); /* its body is not looked at */
	int (*put_info)(void *db, const char *name, const void *p, size_t n);
	/* At most about `limit` rows of what is kept of it, its last event last; 1: there is more.
	 */
	int (*erase)(void *db, uint32_t experiment, size_t limit);
	int (*maintain)(void *db); /* between transactions: checkpoint when due */

	/* Events with seq in (after, upto], ascending, at most limit. */
	int (*events)(void *db, uint32_t experiment, uint64_t after, uint64_t upto, size_t limit,
	    store_event_fn *fn, void *arg);
	/* Keys in [lo, hi], ascending by (key, seq). */
	int (*keys)(
	    void *db, uint32_t experiment, int64_t lo, int64_t hi, store_key_fn *fn, void *arg);
	/* By experiment, the newest first; experiment 0: of all. */
	int (*snapshots)(void *db, uint32_t experiment, store_snapshot_fn *fn, void *arg);
	int (*bases)(void *db, uint32_t experiment, store_snapshot_fn *fn, void *arg);
	int (*last_seq)(void *db, uint32_t experiment, uint64_t *ret_seq); /* 0 when none */
	/* Every experiment that has events, descending, with its last seq. */
	int (*tails)(void *db, store_tail_fn *fn, void *arg);
	/* RC_NOT_FOUND; RC_CORRUPT when it is not n bytes long. */
	int (*get_info)(void *db, const char *name, void *ret, size_t n);
	/* Without `sizes` only what is free: a file system that is asked about a file may have to
	 * write that file's times with the next sync, so this is not for every commit. */
	int (*info)(void *db, bool sizes, struct store_info *ret);
	/* Of what the open transaction sees, into the directory `where`, which has none yet; on
	 * disk when it returns. `fn` hears how far it is and may be NULL. NULL: cannot. */
	int (*copy)(
	    void *db, const char *where, store_copied_fn *fn, void *arg, struct errinfo *err);
};

extern const struct store_ops store_sqlite, store_memory;

#endif
