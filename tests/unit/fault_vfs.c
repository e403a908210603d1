/* SPDX-License-Identifier: Apache-2.0 */
/* What SQLite is told about the disk is what its own unix file system tells it: writes do not
 * damage their neighbours (POWERSAFE_OVERWRITE), and nothing else. */
#include "tests/unit/fault_vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fault.h"
#include "tests/unit/fault_disk.h"

struct handle {
	sqlite3_file base;
	struct vfile *f;
	unsigned shared, exclusive; /* masks */
	bool temporary;
	bool sync_directory; /* with the next sync */
};

/* ---- a file ---- */

static int x_close(sqlite3_file *file)
{
	struct handle *h = (struct handle *)file;

	pthread_mutex_lock(&fault_lock);
	for (int i = 0; i < FAULT_LOCKS; i++) {
		h->f->shared[i] -= h->shared >> i & 1;
		h->f->exclusive[i] = h->f->exclusive[i] && !(h->exclusive >> i & 1);
	}
	if (h->temporary) {
		fault_forget(h->f);
	}
	pthread_mutex_unlock(&fault_lock);
	return SQLITE_OK;
}

static int x_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
	struct vfile *f = ((struct handle *)file)->f;
	size_t have;

	pthread_mutex_lock(&fault_lock);
	have = f->now.len > (size_t)at ? f->now.len - (size_t)at : 0;
	have = have < (size_t)n ? have : (size_t)n;
	if (have) {
		memcpy(p, f->now.data + at, have);
	}
	pthread_mutex_unlock(&fault_lock);
	memset((char *)p + have, 0, (size_t)n - have);
	return have < (size_t)n ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int x_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	struct vfile *f = ((struct handle *)file)->f;
	size_t len = (size_t)n;
	bool too_late;
	int rc;

	pthread_mutex_lock(&fault_lock);
	too_late = !fault_has_power();
	rc = fault_count(FAULT_WRITE, f);
	if (!too_late) { /* the one under way when the power goes may be kept */
		len = rc && fault_has_power() ? len / 2 : len;
		fault_write(f, (size_t)at, p, len);
	}
	pthread_mutex_unlock(&fault_lock);
	return rc;
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 len)
{
	struct vfile *f = ((struct handle *)file)->f;
	int rc;

	pthread_mutex_lock(&fault_lock);
	rc = fault_count(FAULT_TRUNCATE, f);
	if (!rc) {
		fault_truncate(f, (size_t)len);
	}
	pthread_mutex_unlock(&fault_lock);
	return rc;
}

/* Like SQLite's own: the first sync of a journal or WAL after it was opened is one of the directory
 * as well, any other is not. */
static int x_sync(sqlite3_file *file, int flags)
{
	struct handle *h = (struct handle *)file;
	int rc;

	(void)flags;
	pthread_mutex_lock(&fault_lock);
	rc = fault_count(FAULT_SYNC, h->f);
	if (!rc) {
		fault_sync(h->f);
	}
	if (!rc && h->sync_directory) {
		fault_sync_directory();
		h->sync_directory = false;
	}
	pthread_mutex_unlock(&fault_lock);
	return rc;
}

static int x_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct handle *)file)->f->now.len;
	return SQLITE_OK;
}

static int x_lock(sqlite3_file *file, int level)
{
	(void)file;
	(void)level;
	return SQLITE_OK; /* in WAL mode it is the locks of the shared memory that matter */
}

static int x_reserved(sqlite3_file *file, int *ret)
{
	(void)file;
	*ret = 0;
	return SQLITE_OK;
}

static int x_control(sqlite3_file *file, int op, void *arg)
{
	(void)file;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int x_sector(sqlite3_file *file)
{
	(void)file;
	return 4096;
}

static int x_characteristics(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int x_shm_map(sqlite3_file *file, int i, int size, int extend, void volatile **ret)
{
	struct vfile *f = ((struct handle *)file)->f;

	pthread_mutex_lock(&fault_lock);
	if (i < FAULT_REGIONS && !f->region[i] && extend) {
		f->region[i] = __real_calloc(1, (size_t)size);
	}
	*ret = i < FAULT_REGIONS ? f->region[i] : NULL;
	pthread_mutex_unlock(&fault_lock);
	return *ret || !extend ? SQLITE_OK : SQLITE_NOMEM;
}

static bool lock_is_free(const struct vfile *f, const struct handle *h, int i, bool exclusive)
{
	unsigned others = f->shared[i] - (h->shared >> i & 1);

	return (!f->exclusive[i] || h->exclusive >> i & 1) && (!exclusive || others == 0);
}

static int x_shm_lock(sqlite3_file *file, int first, int n, int flags)
{
	struct handle *h = (struct handle *)file;
	bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
	int rc = SQLITE_OK;

	pthread_mutex_lock(&fault_lock);
	for (int i = first; i < first + n && (flags & SQLITE_SHM_LOCK); i++) {
		if (!lock_is_free(h->f, h, i, exclusive)) {
			rc = SQLITE_BUSY;
		}
	}
	for (int i = first; i < first + n && rc == SQLITE_OK; i++) {
		unsigned bit = 1u << i, *mask = exclusive ? &h->exclusive : &h->shared;
		bool had = *mask & bit, has = flags & SQLITE_SHM_LOCK;

		*mask = has ? *mask | bit : *mask & ~bit;
		if (had != has && exclusive) {
			h->f->exclusive[i] = has;
		} else if (had != has) {
			h->f->shared[i] += has ? 1 : -1u;
		}
	}
	pthread_mutex_unlock(&fault_lock);
	return rc;
}

static void x_shm_barrier(sqlite3_file *file)
{
	(void)file;
	__sync_synchronize();
}

static int x_shm_unmap(sqlite3_file *file, int delete_it)
{
	struct vfile *f = ((struct handle *)file)->f;

	pthread_mutex_lock(&fault_lock);
	for (int i = 0; delete_it && i < FAULT_REGIONS; i++) {
		free(f->region[i]);
		f->region[i] = NULL;
	}
	pthread_mutex_unlock(&fault_lock);
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_lock,
    .xCheckReservedLock = x_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_characteristics,
    .xShmMap = x_shm_map,
    .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier,
    .xShmUnmap = x_shm_unmap,
};

/* ---- the file system ---- */

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct handle *h = (struct handle *)file;

	(void)vfs;
	*h = (struct handle){.temporary = !name,
	    .sync_directory = (flags & SQLITE_OPEN_CREATE) &&
			      (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL))};
	pthread_mutex_lock(&fault_lock);
	h->f = name ? fault_find(name) : NULL;
	if (!h->f && (flags & SQLITE_OPEN_CREATE)) {
		h->f = fault_create(name ? name : "temporary");
	}
	pthread_mutex_unlock(&fault_lock);
	if (!h->f) {
		return SQLITE_CANTOPEN;
	}
	h->base.pMethods = &methods;
	if (ret_flags) {
		*ret_flags = flags;
	}
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	struct vfile *f;
	int rc = SQLITE_IOERR_DELETE_NOENT;

	(void)vfs;
	pthread_mutex_lock(&fault_lock);
	f = fault_find(name);
	if (f) {
		rc = fault_count(FAULT_DELETE, f);
	}
	if (f && !rc && (sync_directory || !f->on_disk)) {
		fault_forget(f);
	} else if (f && !rc) {
		f->deleted = true;
	}
	pthread_mutex_unlock(&fault_lock);
	return rc;
}

static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	(void)vfs;
	(void)flags;
	pthread_mutex_lock(&fault_lock);
	*ret = fault_find(name) != NULL;
	pthread_mutex_unlock(&fault_lock);
	return SQLITE_OK;
}

static int x_full_path(sqlite3_vfs *vfs, const char *name, int n, char *ret)
{
	(void)vfs;
	snprintf(ret, (size_t)n, "%s", name);
	return SQLITE_OK;
}

static sqlite3_vfs vfs_in_memory;

void fault_vfs_install(void)
{
	vfs_in_memory = *sqlite3_vfs_find("unix"); /* randomness, sleep and time are its own */
	vfs_in_memory.iVersion = 2;
	vfs_in_memory.szOsFile = sizeof(struct handle);
	vfs_in_memory.mxPathname = sizeof(fault_files[0].name);
	vfs_in_memory.pNext = NULL;
	vfs_in_memory.zName = "fault";
	vfs_in_memory.xOpen = x_open;
	vfs_in_memory.xDelete = x_delete;
	vfs_in_memory.xAccess = x_access;
	vfs_in_memory.xFullPathname = x_full_path;
	if (sqlite3_vfs_register(&vfs_in_memory, 1) != SQLITE_OK) {
		abort();
	}
}

void fault_vfs_remove(void)
{
	sqlite3_vfs_unregister(&vfs_in_memory);
	fault_vfs_reset();
}

/* ---- SQLite's allocations ---- */

static sqlite3_mem_methods real;
static uint64_t allocations_left;
static bool allocation_failed;

static bool allocation_fails(void)
{
	bool fails;

	pthread_mutex_lock(&fault_lock);
	fails = allocations_left > 0 && --allocations_left == 0;
	allocation_failed = allocation_failed || fails;
	pthread_mutex_unlock(&fault_lock);
	return fails;
}

static void *failing_malloc(int n)
{
	return allocation_fails() ? NULL : real.xMalloc(n);
}

static void *failing_realloc(void *p, int n)
{
	return allocation_fails() ? NULL : real.xRealloc(p, n);
}

void fault_sqlite_malloc_install(void)
{
	sqlite3_mem_methods mine;

	sqlite3_shutdown(); /* it can be told only before it starts */
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK) {
		abort();
	}
	mine = real;
	mine.xMalloc = failing_malloc;
	mine.xRealloc = failing_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &mine) != SQLITE_OK) {
		abort();
	}
}

void fault_sqlite_malloc(uint64_t n)
{
	pthread_mutex_lock(&fault_lock);
	allocations_left = n;
	allocation_failed = false;
	pthread_mutex_unlock(&fault_lock);
}

bool fault_sqlite_malloc_happened(void)
{
	return allocation_failed;
}
