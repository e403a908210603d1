/* SPDX-License-Identifier: Apache-2.0 */
/* The disk under fault_vfs.c: files as they are and as they would be after a power cut. */
#ifndef TESTS_UNIT_FAULT_DISK_H
#define TESTS_UNIT_FAULT_DISK_H

#include <pthread.h>
#include <stddef.h>

#include "tests/unit/fault_vfs.h"

#define FAULT_FILES 16
#define FAULT_REGIONS 16
#define FAULT_LOCKS 8

/* A write or a truncation that was not synced. */
struct change {
	struct change *next;
	bool truncate;
	size_t at, len;
	unsigned char bytes[];
};

struct image {
	unsigned char *data;
	size_t len, cap;
};

struct vfile {
	char name[512]; /* "": free */
	bool deleted;   /* but not yet on the disk */
	bool on_disk;   /* its name is */
	struct image now, disk;
	struct change *first, **end;
	uint64_t last_call;
	void *region[FAULT_REGIONS]; /* shared memory, gone with the power */
	unsigned shared[FAULT_LOCKS];
	bool exclusive[FAULT_LOCKS];
};

extern pthread_mutex_t fault_lock; /* guards all that follows */
extern struct vfile fault_files[FAULT_FILES];

struct vfile *fault_find(const char *name); /* NULL: no such file */
struct vfile *fault_create(const char *name);
void fault_forget(struct vfile *f); /* at once, and from the disk */
/* Counts a call; what SQLite is to be told. */
int fault_count(enum fault_op op, struct vfile *f);
bool fault_has_power(void);
void fault_write(struct vfile *f, size_t at, const void *p, size_t n);
void fault_truncate(struct vfile *f, size_t len);
void fault_sync(struct vfile *f);
void fault_sync_directory(void); /* which files there are */

#endif
