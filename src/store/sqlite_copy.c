/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the database as it is at one moment, while another process writes: the backup of SQLite
 * within one read transaction, so that it never has to begin again. Nothing is checkpointed; the
 * write-ahead log grows until the copy is done. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/sqlite_db.h"

#define STEP_PAGES 1024
#define ROOM_LEFT ((uint64_t)16 << 20) /* free bytes that a copy leaves at least */

static int enough_room(struct sqlite_db *d, const char *where, struct errinfo *err)
{
	struct statvfs fs;
	struct store_info info;
	uint64_t need, have;

	if (store_sqlite.info(d, true, &info) || statvfs(where, &fs)) {
		return err_set(err, RC_IO, "storage", where, "%s", strerror(errno));
	}
	need = info.db_bytes + info.wal_bytes + ROOM_LEFT;
	have = (uint64_t)fs.f_bavail * fs.f_frsize;
	return have < need ? err_set(err, RC_FULL, "storage", where,
				 "a copy may take %llu MiB, and %llu MiB are free",
				 (unsigned long long)(need >> 20), (unsigned long long)(have >> 20))
			   : 0;
}

static int copy_failed(sqlite3 *to, int rc, const char *path, struct errinfo *err)
{
	return err_set(err, sqlite_db_rc(rc), "storage", path, "%s",
	    to ? sqlite3_errmsg(to) : sqlite3_errstr(rc));
}

static int copy_pages(struct sqlite_db *d, sqlite3 *to, store_copied_fn *fn, void *arg)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", d->db, "main");
	int rc = b ? SQLITE_OK : SQLITE_ERROR, ended;

	while (rc == SQLITE_OK) {
		rc = sqlite3_backup_step(b, STEP_PAGES);
		if (fn) {
			uint64_t all = (uint64_t)sqlite3_backup_pagecount(b);

			fn(arg, all - (uint64_t)sqlite3_backup_remaining(b), all);
		}
	}
	ended = b ? sqlite3_backup_finish(b) : rc;
	return rc == SQLITE_DONE ? ended : rc;
}

static int sync_path(const char *path, struct errinfo *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -1 : fsync(fd);

	if (rc) {
		err_set(err, RC_IO, "storage", path, "%s", strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
	return rc ? RC_IO : 0;
}

/* Into a file that is not there. */
static int copy_file(
    struct sqlite_db *d, const char *path, store_copied_fn *fn, void *arg, struct errinfo *err)
{
	sqlite3 *to = NULL;
	int rc, fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return err_set(err, errno == EEXIST ? RC_EXISTS : RC_IO, "storage", path, "%s",
		    strerror(errno));
	}
	close(fd);
	rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	rc = rc ? rc : copy_pages(d, to, fn, arg);
	if (rc) {
		copy_failed(to, rc, path, err);
	}
	sqlite3_close(to);
	return rc ? sqlite_db_rc(rc) : sync_path(path, err);
}

int sqlite_db_copy(void *db, const char *where, store_copied_fn *fn, void *arg, struct errinfo *err)
{
	char path[PATH_MAX];
	int rc = enough_room(db, where, err);

	if (rc) {
		return rc;
	}
	if (snprintf(path, sizeof(path), "%s/" SQLITE_DB_FILE, where) >= (int)sizeof(path)) {
		return err_set(err, RC_INVALID, "storage", where, "the path is too long");
	}
	rc = copy_file(db, path, fn, arg, err);
	return rc ? rc : sync_path(where, err);
}

int sqlite_db_keep(struct sqlite_db *d, const char *where, int version, struct errinfo *err)
{
	char path[PATH_MAX], part[PATH_MAX];
	int rc = enough_room(d, where, err);

	if (rc) {
		return rc;
	}
	if (snprintf(path, sizeof(path), "%s.schema-%d", d->path, version) >= (int)sizeof(path) ||
	    snprintf(part, sizeof(part), "%s.schema-%d.part", d->path, version) >=
		(int)sizeof(part)) {
		return err_set(err, RC_INVALID, "storage", where, "the path is too long");
	}
	unlink(part); /* of a start that was interrupted */
	rc = copy_file(d, part, NULL, NULL, err);
	if (rc == 0 && rename(part, path)) {
		rc = err_set(err, RC_IO, "storage", path, "%s", strerror(errno));
	}
	if (rc) {
		unlink(part);
	}
	return rc ? rc : sync_path(where, err);
}
