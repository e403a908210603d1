/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share. Internal to store. */
#ifndef STORE_STORE_IMPL_H
#define STORE_STORE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/record.h"
#include "store/store.h"

/* In a group and in the queue: this head, then nkeys keys, the body with its crc, padding up to a
 * multiple of 8. A head without a body: erase the experiment. */
struct entry {
	uint64_t seq;
	uint32_t experiment, nkeys;
	uint64_t len;
};

struct queue {
	unsigned char *data;
	size_t used, events;
	uint64_t ticket;   /* of the last group in it */
	uint64_t since_us; /* monotonic: when the first one came */
};

#define JOBS_MAX 1024   /* snapshots that wait */
#define ERASURES_MAX 64 /* experiments that wait to be erased, or are */

struct store {
	struct store_options o;
	struct record_log log; /* its key is constant, the number is the commit thread's */
	void *db;              /* the commit thread's, after open, as the next */
	uint64_t sizes_due_us; /* monotonic: when to look again at the sizes of files */
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows, up to the atomics */
	pthread_cond_t wake, done;
	bool sleeping, stop, corked, probe;
	unsigned waiters;
	struct queue queues[2], *fill, *busy; /* busy->data is the commit thread's */
	size_t reserved;
	uint64_t tickets;
	struct store_snapshot jobs[JOBS_MAX]; /* a ring; they own their bodies */
	size_t first_job, njobs, job_bytes;
	uint32_t erasures[ERASURES_MAX]; /* begun, the first is being worked on */
	size_t nerasures, nqueued_erasures;
	struct errinfo failure;
	_Atomic uint64_t durable, queued, probes, db_bytes, wal_bytes, free_bytes;
	_Atomic bool failed, full;
};

/* A corked store commits all the same once so much is there: the next part of the round gathers
 * while the disk writes, or both would wait for each other in turn. */
#define CORK_EVENTS 32

static inline bool store_is_corked(const struct store *s)
{
	return s->corked && s->fill->events < CORK_EVENTS && s->fill->used <= s->o.queue_bytes / 4;
}

struct store_reader {
	const struct store_ops *ops;
	void *db;
	unsigned char key[HASH_KEY_BYTES];
	unsigned held;        /* begins without their ends */
	struct arena scratch; /* for events that are not handed on */
};

/* Fills err with the backend's reason, unless it holds one; returns rc. */
int store_reader_fail(struct store_reader *r, int rc, struct errinfo *err);

/* store_commit.c: the thread. */
void *store_run(void *store);
/* Reads how full the disk is; true when store_full() changed. */
bool store_look_at_disk(struct store *s);

#endif
