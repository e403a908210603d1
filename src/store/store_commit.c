/* SPDX-License-Identifier: Apache-2.0 */
/* The commit thread, the only one that writes. Each turn takes everything that is queued, writes it
 * in one transaction, and only then looks after snapshots, erasures and checkpoints, so that those
 * who wait for an answer do not wait for these. While it writes the next batch gathers: the longer
 * a sync takes, the more share it. */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "store/store_impl.h"

#define TICK_US CLOCK_SECOND_US          /* the longest sleep */
#define SNAPSHOT_BYTES ((size_t)4 << 20) /* of snapshots a turn, about */
#define SNAPSHOT_JOBS 256
#define ERASE_ROWS 2048 /* a turn */

static void notify(struct store *s)
{
	if (s->o.notify) {
		s->o.notify(s->o.arg);
	}
}

/* After the first failure nothing is written again: whether a failed sync has lost earlier writes
 * cannot be known, and a second one may not tell. */
static void fail(struct store *s, int rc, const struct errinfo *why)
{
	pthread_mutex_lock(&s->lock);
	s->failure = *why;
	err_set(&s->failure, rc, "storage", "", "%s", err_name(rc));
	atomic_store(&s->failed, true);
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->lock);
	notify(s);
}

bool store_look_at_disk(struct store *s)
{
	uint64_t now_us = clock_mono_us();
	bool was = store_full(s), sizes = now_us >= s->sizes_due_us;
	struct store_info i;

	if (s->o.ops->info(s->db, sizes, &i)) {
		return false; /* what cannot be measured fails when it is written */
	}
	if (sizes) {
		s->sizes_due_us = now_us + TICK_US;
		atomic_store(&s->db_bytes, i.db_bytes);
		atomic_store(&s->wal_bytes, i.wal_bytes);
	}
	atomic_store(&s->free_bytes, i.free_bytes);
	atomic_store(&s->full, i.free_bytes / (was ? 2 : 1) < s->o.disk_floor);
	return store_full(s) != was;
}

/* Ends a transaction, well or not; the reason is asked for before a rollback replaces it. */
static int finish(struct store *s, int rc, struct errinfo *why)
{
	const struct store_ops *ops = s->o.ops;

	if (!rc) {
		rc = ops->commit(s->db);
	}
	if (rc) {
		ops->explain(s->db, rc, why);
		ops->rollback(s->db);
	}
	return rc;
}

static size_t entry_bytes(const struct entry *e)
{
	return sizeof(*e) + e->nkeys * sizeof(int64_t) + (e->len + 7) / 8 * 8;
}

static int put_entry(struct store *s, const struct entry *e)
{
	const int64_t *keys = (const int64_t *)(e + 1);
	struct store_record r = {.experiment = e->experiment,
	    .seq = e->seq,
	    .body = keys + e->nkeys,
	    .len = e->len,
	    .keys = keys,
	    .nkeys = e->nkeys};

	return e->len && e->experiment != STORE_PROBE ? s->o.ops->put_event(s->db, &r) : 0;
}

static int put_batch(struct store *s, struct errinfo *why)
{
	struct record_log log = s->log;
	const struct queue *q = s->busy;
	int rc = s->o.ops->begin(s->db);

	for (size_t at = 0; !rc && at < q->used;) {
		const struct entry *e = (const struct entry *)(q->data + at);

		rc = put_entry(s, e);
		at += entry_bytes(e);
	}
	log.events += q->events;
	if (!rc) {
		rc = record_log_put(s->o.ops, s->db, &log);
	}
	rc = finish(s, rc, why);
	if (!rc) {
		s->log.events = log.events; /* the key is read by others, without the lock */
	}
	return rc;
}

/* Called with the lock. */
static void begin_erasures(struct store *s)
{
	for (size_t at = 0; s->nqueued_erasures && at < s->busy->used;) {
		const struct entry *e = (const struct entry *)(s->busy->data + at);

		if (!e->len) {
			s->erasures[s->nerasures++] = e->experiment;
			s->nqueued_erasures--;
		}
		at += entry_bytes(e);
	}
}

static int write_batch(struct store *s, bool probe, struct errinfo *why)
{
	struct queue *q = s->busy;
	uint64_t start_us = clock_mono_us(), since_us = q->since_us;
	size_t n = q->events;
	int rc = n || (probe && !store_full(s)) ? put_batch(s, why) : 0;

	if (rc == 0 && probe) {
		atomic_fetch_add(&s->probes, 1);
	}
	if (rc || !q->used) {
		return rc;
	}
	pthread_mutex_lock(&s->lock);
	begin_erasures(s);
	atomic_store(&s->durable, q->ticket);
	atomic_fetch_sub(&s->queued, n);
	q->used = q->events = 0;
	if (s->waiters) {
		pthread_cond_broadcast(&s->done);
	}
	pthread_mutex_unlock(&s->lock);
	notify(s);
	if (n && s->o.committed) {
		s->o.committed(s->o.arg, &(struct store_commit){.events = n,
					     .waited_us = start_us - since_us,
					     .elapsed_us = clock_mono_us() - start_us});
	}
	return 0;
}

/* Called without the lock: a job stays where it is until it is done, and others are added behind.
 * Only the first `ready` are of a state whose events are on disk. */
static int write_snapshots(struct store *s, size_t ready, struct errinfo *why)
{
	size_t n = 0, bytes = 0;
	int rc;

	if (!ready) {
		return 0;
	}
	rc = s->o.ops->begin(s->db);
	while (!rc && n < ready && n < SNAPSHOT_JOBS && bytes < SNAPSHOT_BYTES) {
		const struct store_snapshot *job = &s->jobs[(s->first_job + n++) % JOBS_MAX];

		rc = s->o.ops->put_snapshot(s->db, job);
		bytes += job->len;
	}
	rc = finish(s, rc, why);
	if (rc) {
		return rc;
	}
	for (size_t i = 0; i < n; i++) {
		free((void *)s->jobs[(s->first_job + i) % JOBS_MAX].body);
	}
	pthread_mutex_lock(&s->lock);
	s->first_job = (s->first_job + n) % JOBS_MAX;
	s->njobs -= n;
	s->job_bytes -= bytes;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int erase_slice(struct store *s, struct errinfo *why)
{
	const struct store_ops *ops = s->o.ops;
	struct record_log log = s->log;
	uint64_t last = 0;
	int rc, more = 0;

	if (!s->nerasures) {
		return 0;
	}
	rc = ops->begin(s->db);
	if (!rc) {
		rc = ops->last_seq(s->db, s->erasures[0], &last);
	}
	if (!rc) {
		more = ops->erase(s->db, s->erasures[0], ERASE_ROWS);
		rc = more < 0 ? more : 0;
	}
	if (!rc && !more) {
		log.events -= last;
		rc = record_log_put(ops, s->db, &log);
	}
	rc = finish(s, rc, why);
	if (rc || more) {
		return rc;
	}
	s->log.events = log.events;
	pthread_mutex_lock(&s->lock);
	s->nerasures--;
	for (size_t i = 0; i < s->nerasures; i++) {
		s->erasures[i] = s->erasures[i + 1];
	}
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static void turn(struct store *s, bool probe, size_t ready)
{
	struct errinfo why = {.rc = 0};
	bool was_full = store_full(s);
	int rc = write_batch(s, probe, &why);

	if (!rc) {
		rc = write_snapshots(s, ready, &why);
	}
	if (!rc) {
		rc = erase_slice(s, &why);
	}
	if (!rc) {
		rc = s->o.ops->maintain(s->db);
		if (rc) {
			s->o.ops->explain(s->db, rc, &why);
		}
	}
	if (rc) {
		fail(s, rc, &why);
		return;
	}
	store_look_at_disk(s);
	if (store_full(s) != was_full) {
		notify(s);
	}
	pthread_mutex_lock(&s->lock);
	if (s->waiters) {
		pthread_cond_broadcast(&s->done); /* drained? */
	}
	pthread_mutex_unlock(&s->lock);
}

static bool has_work(const struct store *s)
{
	return !store_failed(s) &&
	       (s->fill->used || s->njobs || s->probe || (s->nerasures && !s->stop));
}

/* When the next turn begins; called with the lock. Someone who waits, a probe or an erasure does
 * not wait for an interval. */
static uint64_t next_turn_us(const struct store *s, uint64_t last_us)
{
	if (s->stop || (has_work(s) && (s->waiters || s->nerasures || s->probe ||
					   s->fill->used > s->o.queue_bytes / 4))) {
		return 0;
	}
	if (store_is_corked(s) && !s->waiters) {
		return last_us + TICK_US;
	}
	return last_us + (has_work(s) ? s->o.interval_ms * UINT64_C(1000) : TICK_US);
}

static void sleep_until(struct store *s, uint64_t mono_us)
{
	struct timespec t = {.tv_sec = (time_t)(mono_us / CLOCK_SECOND_US),
	    .tv_nsec = (long)(mono_us % CLOCK_SECOND_US) * 1000};

	s->sleeping = true;
	pthread_cond_timedwait(&s->wake, &s->lock, &t);
	s->sleeping = false;
}

/* Waits until there is something to do, or a second is over, and swaps the buffers. False: stop. */
static bool wait_for_turn(struct store *s, uint64_t *last_us, bool *ret_probe, size_t *ret_ready)
{
	uint64_t due_us, now_us;
	struct queue *q;
	bool go_on;

	pthread_mutex_lock(&s->lock);
	while ((due_us = next_turn_us(s, *last_us)) > (now_us = clock_mono_us())) {
		sleep_until(s, due_us < now_us + TICK_US ? due_us : now_us + TICK_US);
	}
	go_on = !s->stop || has_work(s);
	*ret_ready = s->njobs;
	*ret_probe = s->probe;
	s->probe = false;
	if (!store_failed(s)) {
		q = s->fill;
		s->fill = s->busy;
		s->busy = q;
	}
	pthread_mutex_unlock(&s->lock);
	*last_us = clock_mono_us();
	return go_on;
}

void *store_run(void *store)
{
	struct store *s = store;
	uint64_t last_us = clock_mono_us();
	size_t ready;
	bool probe;

	while (wait_for_turn(s, &last_us, &probe, &ready)) {
		if (!store_failed(s)) {
			turn(s, probe, ready);
		}
	}
	return NULL;
}
