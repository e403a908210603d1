/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, and the side of the queue on which events come in. Nothing here waits for a
 * disk, except open, close, wait and drain. */
#include "store/store.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_impl.h"

static int found_any(void *arg, uint32_t experiment, uint64_t last_seq)
{
	(void)experiment;
	(void)last_seq;
	*(bool *)arg = true;
	return 1;
}

static int create_log(struct store *s)
{
	const struct store_ops *ops = s->o.ops;
	int rc = ops->begin(s->db);

	hash_random(s->log.key, sizeof(s->log.key));
	if (!rc) {
		rc = record_log_put(ops, s->db, &s->log);
	}
	if (!rc) {
		rc = ops->commit(s->db);
	}
	if (rc) {
		ops->rollback(s->db);
	}
	return rc;
}

static int load_log(struct store *s, struct errinfo *err)
{
	bool any = false;
	int rc = record_log_get(s->o.ops, s->db, &s->log);

	if (rc == RC_NOT_FOUND) {
		rc = s->o.ops->tails(s->db, found_any, &any);
		if (!rc) {
			rc = any ? RC_CORRUPT : create_log(s);
		}
	}
	if (rc == RC_CORRUPT) {
		err_set(err, rc, "storage", s->o.where, "the row \"log\" is damaged or missing");
	} else if (rc) {
		s->o.ops->explain(s->db, rc, err);
	}
	return rc;
}

/* Signals are for the program's own threads. */
static int start_thread(struct store *s)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->thread, NULL, store_run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? RC_MEMORY : 0;
}

static void init_locks(struct store *s)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_cond_init(&s->done, &attr);
	pthread_condattr_destroy(&attr);
}

static void discard(struct store *s)
{
	for (size_t i = 0; i < s->njobs; i++) {
		free((void *)s->jobs[(s->first_job + i) % JOBS_MAX].body);
	}
	s->o.ops->close(s->db);
	free(s->queues[0].data);
	free(s->queues[1].data);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->done);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int store_open(const struct store_options *o, struct store **ret, struct errinfo *err)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		return err_set(err, RC_MEMORY, "storage", o->where, "out of memory");
	}
	s->o = *o;
	init_locks(s);
	s->fill = &s->queues[0];
	s->busy = &s->queues[1];
	s->fill->data = malloc(o->queue_bytes);
	s->busy->data = malloc(o->queue_bytes);
	if (!s->fill->data || !s->busy->data) {
		rc = err_set(err, RC_MEMORY, "storage", o->where, "no memory for the queue");
		goto fail;
	}
	rc = o->ops->open(o->where, false, &s->db, err);
	if (!rc) {
		rc = load_log(s, err);
	}
	if (rc) {
		goto fail;
	}
	store_look_at_disk(s);
	rc = start_thread(s);
	if (rc) {
		err_set(err, rc, "storage", o->where, "cannot start a thread");
		goto fail;
	}
	*ret = s;
	return 0;
fail:
	discard(s);
	return rc;
}

/* Called with the lock. */
static void wake(struct store *s)
{
	bool held = store_is_corked(s) && !s->stop && !s->waiters;

	if (s->sleeping && !held) {
		s->sleeping = false;
		pthread_cond_signal(&s->wake);
	}
}

void store_close(struct store *s)
{
	if (!s) {
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	wake(s);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	discard(s);
}

/* Room for what is queued and reserved is counted over both buffers, so that queue_bytes is what it
 * says; each buffer is large enough for all of it, so a reservation holds over a swap. */
static size_t room(const struct store *s)
{
	return s->o.queue_bytes - s->fill->used - s->busy->used - s->reserved;
}

int store_reserve(struct store *s, size_t bytes)
{
	int rc = 0;

	if (bytes > s->o.queue_bytes) {
		return RC_LIMIT;
	}
	if (store_failed(s)) {
		return RC_FAILED;
	}
	if (store_full(s)) {
		return RC_FULL;
	}
	pthread_mutex_lock(&s->lock);
	if (bytes > room(s)) {
		rc = RC_BUSY;
	} else {
		s->reserved += bytes;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void store_unreserve(struct store *s, size_t bytes)
{
	pthread_mutex_lock(&s->lock);
	assert(bytes <= s->reserved);
	s->reserved -= bytes;
	pthread_mutex_unlock(&s->lock);
}

/* Called with the lock, and with room for the bytes. At an interval the thread sleeps on, unless it
 * sleeps without an end or the queue fills up. */
static uint64_t enqueue(struct store *s, const void *bytes, size_t n, size_t events)
{
	struct queue *q = s->fill;
	bool first = q->used == 0;

	if (first) {
		q->since_us = clock_mono_us();
	}
	if (n) {
		memcpy(q->data + q->used, bytes, n);
	}
	q->used += n;
	q->events += events;
	q->ticket = ++s->tickets;
	atomic_fetch_add(&s->queued, events);
	if (s->o.interval_ms == 0 || first || q->used > s->o.queue_bytes / 4) {
		wake(s);
	}
	return q->ticket;
}

uint64_t store_append(struct store *s, const struct store_group *g, size_t reserved)
{
	uint64_t ticket;

	assert(!g->bytes.rc && g->events > 0 && g->bytes.len <= reserved);
	pthread_mutex_lock(&s->lock);
	assert(reserved <= s->reserved);
	s->reserved -= reserved;
	ticket = enqueue(s, g->bytes.data, g->bytes.len, g->events);
	pthread_mutex_unlock(&s->lock);
	return ticket;
}

void store_cork(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->corked = true;
	pthread_mutex_unlock(&s->lock);
}

void store_uncork(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->corked = false;
	if (s->fill->used || s->njobs) {
		wake(s);
	}
	pthread_mutex_unlock(&s->lock);
}

int store_snapshot_put(
    struct store *s, uint32_t experiment, uint64_t seq, uint64_t cursor, void *body, size_t len)
{
	struct store_snapshot job = {.experiment = experiment, .seq = seq, .cursor = cursor};
	int rc = 0;

	if (store_failed(s) || store_full(s)) {
		return store_failed(s) ? RC_FAILED : RC_FULL;
	}
	pthread_mutex_lock(&s->lock);
	/* One that is larger than the bound is taken when it is alone. */
	if (s->njobs == JOBS_MAX || (s->njobs && s->job_bytes + len > s->o.queue_bytes)) {
		rc = RC_BUSY;
		goto out;
	}
	job.body = realloc(body, len + RECORD_CRC_BYTES);
	if (!job.body) {
		rc = RC_MEMORY;
		goto out;
	}
	record_put_crc((unsigned char *)job.body + len, record_crc_snapshot(&job, len));
	job.len = len + RECORD_CRC_BYTES;
	s->jobs[(s->first_job + s->njobs++) % JOBS_MAX] = job;
	s->job_bytes += job.len;
	wake(s);
out:
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Not refused when the disk is full: it is what may help. */
int store_erase(struct store *s, uint32_t experiment, uint64_t *ret_ticket)
{
	struct entry head = {.experiment = experiment};
	int rc = 0;

	if (store_failed(s)) {
		return RC_FAILED;
	}
	pthread_mutex_lock(&s->lock);
	if (sizeof(head) > room(s) || s->nerasures + s->nqueued_erasures >= ERASURES_MAX) {
		rc = RC_BUSY;
	} else {
		s->nqueued_erasures++;
		*ret_ticket = enqueue(s, &head, sizeof(head), 0);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

uint64_t store_durable(const struct store *s)
{
	return atomic_load(&s->durable);
}

bool store_failed(const struct store *s)
{
	return atomic_load(&s->failed);
}

bool store_full(const struct store *s)
{
	return atomic_load(&s->full);
}

uint64_t store_queued_events(const struct store *s)
{
	return atomic_load(&s->queued);
}

void store_info(const struct store *s, struct store_info *ret)
{
	ret->db_bytes = atomic_load(&s->db_bytes);
	ret->wal_bytes = atomic_load(&s->wal_bytes);
	ret->free_bytes = atomic_load(&s->free_bytes);
}

uint64_t store_probe(struct store *s, const struct store_group *g, size_t reserved)
{
	pthread_mutex_lock(&s->lock);
	if (g) {
		assert(!g->bytes.rc && g->bytes.len <= reserved && reserved <= s->reserved);
		s->reserved -= reserved;
		enqueue(s, g->bytes.data, g->bytes.len, 0);
	}
	s->probe = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return atomic_load(&s->probes);
}

int store_failure(struct store *s, struct errinfo *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->failure;
	pthread_mutex_unlock(&s->lock);
	return ret->rc;
}

static bool is_drained(const struct store *s)
{
	return s->fill->used == 0 && s->busy->used == 0 && s->njobs == 0 && s->nerasures == 0;
}

static int wait_for(struct store *s, bool drained, uint64_t ticket)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	s->waiters++;
	while (!store_failed(s) && (drained ? !is_drained(s) : store_durable(s) < ticket)) {
		wake(s);
		pthread_cond_wait(&s->done, &s->lock);
	}
	s->waiters--;
	rc = (drained ? is_drained(s) : store_durable(s) >= ticket) ? 0 : RC_FAILED;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int store_wait(struct store *s, uint64_t ticket)
{
	return wait_for(s, false, ticket);
}

int store_drain(struct store *s)
{
	return wait_for(s, true, 0);
}
