/* SPDX-License-Identifier: Apache-2.0 */
/* The disk itself: made, told to fail, and searched. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory_impl.h"

struct store_disk *store_disk_new(void)
{
	struct store_disk *m = calloc(1, sizeof(*m));
	pthread_mutexattr_t attr;

	if (!m) {
		return NULL;
	}
	m->magic = DISK_MAGIC;
	m->free_bytes = UINT64_C(1) << 40;
	snprintf(m->where, sizeof(m->where), DISK_WHERE_PREFIX "%" PRIxPTR, (uintptr_t)m);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&m->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_cond_init(&m->released, NULL);
	return m;
}

void disk_log_clear(struct disk_log *l)
{
	for (size_t i = 0; i < l->nevents; i++) {
		free(l->events[i]);
	}
	free(l->events);
	free(l->keys);
	free(l->snapshots[0]);
	free(l->snapshots[1]);
	*l = (struct disk_log){
	    .experiment = l->experiment, .nstaged = l->nstaged, .nstaged_keys = l->nstaged_keys};
}

void store_disk_free(struct store_disk *m)
{
	if (!m) {
		return;
	}
	for (size_t i = 0; i < m->nlogs; i++) {
		disk_log_clear(m->logs[i]);
		free(m->logs[i]);
	}
	free(m->logs);
	pthread_cond_destroy(&m->released);
	pthread_mutex_destroy(&m->lock);
	m->magic = 0;
	free(m);
}

const char *store_disk_where(const struct store_disk *m)
{
	return m->where;
}

void store_disk_fail(struct store_disk *m, enum store_call call, uint64_t n)
{
	pthread_mutex_lock(&m->lock);
	m->fail_at[call] = n ? m->calls[call] + n : 0;
	pthread_mutex_unlock(&m->lock);
}

uint64_t store_disk_calls(struct store_disk *m, enum store_call call)
{
	uint64_t n;

	pthread_mutex_lock(&m->lock);
	n = m->calls[call];
	pthread_mutex_unlock(&m->lock);
	return n;
}

void store_disk_set_free(struct store_disk *m, uint64_t bytes)
{
	pthread_mutex_lock(&m->lock);
	m->free_bytes = bytes;
	pthread_mutex_unlock(&m->lock);
}

void store_disk_hold(struct store_disk *m, bool hold)
{
	pthread_mutex_lock(&m->lock);
	m->held = hold;
	pthread_cond_broadcast(&m->released);
	pthread_mutex_unlock(&m->lock);
}

int disk_count(struct store_disk *m, enum store_call call)
{
	return ++m->calls[call] == m->fail_at[call] ? RC_IO : 0;
}

/* Where the experiment is among the logs, or would be. */
static size_t disk_log_at(const struct store_disk *m, uint32_t experiment)
{
	size_t lo = 0, hi = m->nlogs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->logs[mid]->experiment < experiment) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

struct disk_log *disk_log_find(const struct store_disk *m, uint32_t experiment)
{
	size_t at = disk_log_at(m, experiment);

	return at < m->nlogs && m->logs[at]->experiment == experiment ? m->logs[at] : NULL;
}

int disk_grow(void *array, size_t *cap, size_t n, size_t size)
{
	void **p = array, *more;
	size_t to = *cap ? *cap : 8;

	while (to < n) {
		to *= 2;
	}
	if (to == *cap) {
		return 0;
	}
	more = realloc(*p, to * size);
	if (!more) {
		return RC_MEMORY;
	}
	*p = more;
	*cap = to;
	return 0;
}

int disk_log_make(struct store_disk *m, uint32_t experiment, struct disk_log **ret)
{
	struct disk_log *l = disk_log_find(m, experiment);
	size_t at = disk_log_at(m, experiment);

	if (!l) {
		if (disk_grow(&m->logs, &m->logs_cap, m->nlogs + 1, sizeof(*m->logs))) {
			return RC_MEMORY;
		}
		l = calloc(1, sizeof(*l));
		if (!l) {
			return RC_MEMORY;
		}
		l->experiment = experiment;
		memmove(m->logs + at + 1, m->logs + at, (m->nlogs - at) * sizeof(*m->logs));
		m->logs[at] = l;
		m->nlogs++;
	}
	*ret = l;
	return 0;
}

uint64_t disk_log_last(const struct disk_log *l)
{
	return l && l->nevents ? l->events[l->nevents - 1]->seq : 0;
}

size_t disk_key_at(const struct disk_log *l, int64_t key, uint64_t seq)
{
	size_t lo = 0, hi = l->nkeys;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct disk_key *k = &l->keys[mid];

		if (k->key < key || (k->key == key && k->seq < seq)) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}
