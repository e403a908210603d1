/* SPDX-License-Identifier: Apache-2.0 */
/* The disk in memory, as memory.c and memory_disk.c see it. */
#ifndef STORE_MEMORY_IMPL_H
#define STORE_MEMORY_IMPL_H

#include <pthread.h>

#include "store/memory.h"

#define DISK_WHERE_PREFIX "memory:"
#define DISK_MAGIC UINT64_C(0x62616e6469746d65)
#define DISK_INFO_MAX 64

struct disk_item { /* an event or a snapshot */
	uint64_t seq, cursor;
	size_t len;
	unsigned char body[];
};

struct disk_key {
	int64_t key;
	uint64_t seq;
};

struct disk_log {
	uint32_t experiment;
	struct disk_item **events;
	size_t nevents, events_cap;
	struct disk_key *keys;
	size_t nkeys, keys_cap;
	struct disk_item *snapshots[2]; /* the newest first */
	size_t nstaged, nstaged_keys;   /* events and keys that a transaction will add */
};

struct store_disk {
	uint64_t magic;
	char where[sizeof(DISK_WHERE_PREFIX) + 20];
	pthread_mutex_t lock; /* recursive: who reads keys may read events */
	pthread_cond_t released;
	bool held, written; /* written: a handle that may write is open */
	uint64_t calls[STORE_CALLS], fail_at[STORE_CALLS];
	uint64_t free_bytes, bytes;
	struct disk_log **logs; /* by experiment, ascending */
	size_t nlogs, logs_cap;
	char info_name[DISK_INFO_MAX];
	unsigned char info[DISK_INFO_MAX];
	size_t info_len;
};

/* All with the lock. */
int disk_count(struct store_disk *m, enum store_call call); /* RC_IO when it is to fail */
struct disk_log *disk_log_find(const struct store_disk *m, uint32_t experiment);
int disk_log_make(struct store_disk *m, uint32_t experiment, struct disk_log **ret); /* RC_MEMORY */
void disk_log_clear(struct disk_log *l);
uint64_t disk_log_last(const struct disk_log *l); /* 0 when there is none */
/* Where a key is among the keys, or would be. */
size_t disk_key_at(const struct disk_log *l, int64_t key, uint64_t seq);
/* Room for n things of a size in an array that holds *cap; RC_MEMORY. */
int disk_grow(void *array, size_t *cap, size_t n, size_t size);

#endif
