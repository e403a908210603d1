/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a state directory: lock, settings, migrations. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/schema.h"
#include "store/sqlite_db.h"

#define APPLICATION_ID 0x626e6474 /* "bndt" */
#define SCHEMA_VERSION ((int)(sizeof(store_schema) / sizeof(store_schema[0])))
#define BUSY_MS 1000

/* Settings that do not change the file, for every handle. A page that does not add up is an error
 * (cell_size_check), and a schema that someone else has written cannot run code of its own. */
static const char set_always[] = "PRAGMA trusted_schema=OFF;"
				 "PRAGMA cell_size_check=ON;"
				 "PRAGMA foreign_keys=ON;"
				 "PRAGMA mmap_size=0;"
				 "PRAGMA temp_store=MEMORY;";
static const char set_reader[] = "PRAGMA query_only=ON;"
				 "PRAGMA cache_size=-8192;";
/* page_size only matters before the first table. Checkpoints are the commit thread's, see
 * sqlite.c; the size limit cuts off what an unusually long reader made of the WAL. */
static const char set_writer[] = "PRAGMA page_size=4096;"
				 "PRAGMA journal_mode=WAL;"
				 "PRAGMA synchronous=FULL;"
				 "PRAGMA wal_autocheckpoint=0;"
				 "PRAGMA journal_size_limit=33554432;"
				 "PRAGMA secure_delete=OFF;"
				 "PRAGMA cache_size=-65536;";

static const char *const sql[STATEMENTS] = {
    [DO_BEGIN] = "BEGIN IMMEDIATE",
    [DO_BEGIN_READ] = "BEGIN",
    [DO_COMMIT] = "COMMIT",
    [DO_ROLLBACK] = "ROLLBACK",
    [PUT_EVENT] = "INSERT INTO event VALUES (?1, ?2, ?3)",
    [PUT_KEY] = "INSERT INTO event_key VALUES (?1, ?2, ?3)",
    [PUT_SNAPSHOT] = "REPLACE INTO snapshot VALUES (?1, ?2, ?3, ?4)",
    [TRIM_SNAPSHOTS] = "DELETE FROM snapshot WHERE experiment = ?1 AND seq < (SELECT seq FROM "
		       "snapshot WHERE experiment = ?1 ORDER BY seq DESC LIMIT 1 OFFSET 1)",
    [PUT_BASE] = "REPLACE INTO base VALUES (?1, ?2, ?3, ?4)",
    [DROP_SNAPSHOTS] = "DELETE FROM snapshot WHERE experiment = ?1 AND seq < ?2",
    [DROP_EVENT] = "DELETE FROM event WHERE experiment = ?1 AND seq = ?2",
    [DROP_KEY] = "DELETE FROM event_key WHERE experiment = ?1 AND key = ?2 AND seq = ?3",
    [PUT_INFO] = "REPLACE INTO info VALUES (?1, ?2)",
    [ERASE_KEYS] = "DELETE FROM event_key WHERE experiment = ?1 AND (key, seq) IN (SELECT key, seq "
		   "FROM event_key WHERE experiment = ?1 LIMIT ?2)",
    [ERASE_SNAPSHOTS] = "DELETE FROM snapshot WHERE experiment = ?1",
    [ERASE_BASE] = "DELETE FROM base WHERE experiment = ?1",
    [ERASE_EVENTS] = "DELETE FROM event WHERE experiment = ?1 AND seq IN (SELECT seq FROM event "
		     "WHERE experiment = ?1 ORDER BY seq LIMIT ?2)",
    [GET_EVENT] = "SELECT seq, body FROM event WHERE experiment = ?1 AND seq = ?2",
    [GET_EVENTS] = "SELECT seq, body FROM event WHERE experiment = ?1 AND seq > ?2 AND seq <= ?3 "
		   "ORDER BY seq LIMIT ?4",
    [GET_KEYS] = "SELECT key, seq FROM event_key WHERE experiment = ?1 AND key BETWEEN ?2 AND ?3 "
		 "ORDER BY key, seq",
    [GET_SNAPSHOTS] = "SELECT experiment, seq, cursor, body FROM snapshot WHERE experiment BETWEEN "
		      "?1 AND ?2 ORDER BY experiment, seq DESC",
    [GET_BASES] = "SELECT experiment, seq, cursor, body FROM base WHERE experiment BETWEEN ?1 AND "
		  "?2 ORDER BY experiment",
    [GET_LAST_SEQ] = "SELECT seq FROM event WHERE experiment = ?1 ORDER BY seq DESC LIMIT 1",
    [GET_TAIL] =
	"SELECT experiment, seq FROM event WHERE experiment < ?1 ORDER BY experiment DESC, "
	"seq DESC LIMIT 1",
    [GET_INFO] = "SELECT value FROM info WHERE name = ?1",
};

int sqlite_db_rc(int sqlite_rc)
{
	switch (sqlite_rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return RC_MEMORY;
	case SQLITE_CONSTRAINT:
		return RC_CONFLICT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return RC_BUSY;
	case SQLITE_FULL:
		return RC_FULL;
	case SQLITE_TOOBIG:
		return RC_LIMIT;
	case SQLITE_ERROR: /* a table that the statement names is not there */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_MISMATCH:
		return RC_CORRUPT;
	default:
		return RC_IO;
	}
}

static int fail(struct sqlite_db *d, int sqlite_rc, const char *what, struct errinfo *err)
{
	int rc = sqlite_db_rc(sqlite_rc);

	/* Even a reader needs the index of the WAL, which is a file. */
	if ((sqlite_rc & 0xff) == SQLITE_CANTOPEN && access(d->path, W_OK) && errno == EROFS) {
		return err_set(err, rc, "storage", d->path,
		    "the file system is read-only: copy the directory to another one");
	}
	return err_set(err, rc, "storage", d->path, "%s: %s (%d)", what,
	    d->db ? sqlite3_errmsg(d->db) : sqlite3_errstr(sqlite_rc), sqlite_rc);
}

/* SQLite itself would let a second process write in turns; ours would each believe to be alone. A
 * file of our own, because SQLite's locks are lost when any descriptor of its file is closed. */
static int lock_directory(struct sqlite_db *d, const char *where, struct errinfo *err)
{
	char path[4096], pid[24] = "?";
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/" SQLITE_LOCK_FILE, where) >= (int)sizeof(path)) {
		return err_set(err, RC_INVALID, "storage", where, "path is too long");
	}
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (d->lock_fd < 0) {
		return err_set(err, RC_IO, "storage", path, "cannot open: %s", strerror(errno));
	}
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
		if (ftruncate(d->lock_fd, 0) || pwrite(d->lock_fd, pid, (size_t)n, 0) != n) {
			return err_set(
			    err, RC_IO, "storage", path, "cannot write: %s", strerror(errno));
		}
		return 0;
	}
	if (errno != EWOULDBLOCK) {
		return err_set(err, RC_IO, "storage", path, "cannot lock: %s", strerror(errno));
	}
	n = pread(d->lock_fd, pid, sizeof(pid) - 1, 0);
	pid[n > 0 ? strcspn(pid, "\n") : 1] = '\0';
	return err_set(err, RC_BUSY, "storage", path,
	    "the state directory is in use by another process (%s)", pid);
}

/* So that the file is found again after a power cut: SQLite does this for its journals only. */
static int sync_directory(const char *where, struct errinfo *err)
{
	int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd);

	if (rc) {
		err_set(err, RC_IO, "storage", where, "cannot sync: %s", strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
	return rc ? RC_IO : 0;
}

static int pragma_int(struct sqlite_db *d, const char *text, int *ret)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(d->db, text, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
	}
	if (rc == SQLITE_ROW) {
		*ret = sqlite3_column_int(st, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc;
}

static int exec(struct sqlite_db *d, const char *text, const char *what, struct errinfo *err)
{
	int rc = sqlite3_exec(d->db, text, NULL, NULL, NULL);

	return rc ? fail(d, rc, what, err) : 0;
}

/* What the schema has become since, in one transaction: no file is of a version in between. */
static int migrate(struct sqlite_db *d, int version, struct errinfo *err)
{
	char mark[96];
	int rc = exec(d, "BEGIN IMMEDIATE", "begin migration", err);

	while (!rc && version < SCHEMA_VERSION) {
		rc = exec(d, store_schema[version++], "migrate", err);
	}
	snprintf(mark, sizeof(mark), "PRAGMA user_version=%d; PRAGMA application_id=%d; COMMIT",
	    SCHEMA_VERSION, APPLICATION_ID);
	return rc ? rc : exec(d, mark, "commit migration", err);
}

static int check_version(struct sqlite_db *d, int *ret_version, struct errinfo *err)
{
	int application = 0, tables = 0, rc;

	rc = pragma_int(d, "SELECT count(*) FROM sqlite_schema", &tables);
	if (!rc) {
		rc = pragma_int(d, "PRAGMA application_id", &application);
	}
	if (!rc) {
		rc = pragma_int(d, "PRAGMA user_version", ret_version);
	}
	if (rc) {
		return fail(d, rc, "read header", err);
	}
	if (application != APPLICATION_ID && (tables > 0 || application || *ret_version)) {
		return err_set(err, RC_CORRUPT, "storage", d->path, "not a database of banditd");
	}
	if (*ret_version > SCHEMA_VERSION) {
		return err_set(err, RC_VERSION, "storage", d->path,
		    "schema %d is newer than this program's %d: start the version that wrote it, "
		    "or restore a backup of schema %d",
		    *ret_version, SCHEMA_VERSION, SCHEMA_VERSION);
	}
	if (*ret_version < 0 || (application == APPLICATION_ID && *ret_version == 0)) {
		return err_set(err, RC_CORRUPT, "storage", d->path, "schema %d", *ret_version);
	}
	return 0;
}

static int prepare_all(struct sqlite_db *d, struct errinfo *err)
{
	for (int i = 0; i < STATEMENTS; i++) {
		int rc = sqlite3_prepare_v3(
		    d->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &d->st[i], NULL);

		if (rc) {
			return fail(d, rc, "prepare", err);
		}
	}
	return 0;
}

static int count_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_db *d = arg;

	(void)db;
	(void)name;
	d->wal_pages = (uint64_t)pages;
	return SQLITE_OK;
}

static int open_file(struct sqlite_db *d, struct errinfo *err)
{
	int flags = d->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	int rc = sqlite3_open_v2(d->path, &d->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc) {
		return d->readonly && access(d->path, F_OK) && errno == ENOENT
			   ? err_set(err, RC_NOT_FOUND, "storage", d->path, "there is no database")
			   : fail(d, rc, "open", err);
	}
	sqlite3_extended_result_codes(d->db, 1);
	sqlite3_busy_timeout(d->db, BUSY_MS);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, d->readonly, NULL);
	return exec(d, set_always, "settings", err);
}

static int bring_up(struct sqlite_db *d, const char *where, struct errinfo *err)
{
	int version = 0, page = 0, rc = check_version(d, &version, err);

	/* The settings of the writer change the file, so they wait until it is known for ours. */
	rc = rc ? rc : exec(d, d->readonly ? set_reader : set_writer, "settings", err);
	if (rc) {
		return rc;
	}
	if (d->readonly && version < SCHEMA_VERSION) {
		return version
			   ? err_set(err, RC_VERSION, "storage", d->path,
				 "schema %d is older than this program's %d: start banditd once",
				 version, SCHEMA_VERSION)
			   : err_set(err, RC_NOT_FOUND, "storage", d->path, "nothing there yet");
	}
	if (version && version < SCHEMA_VERSION) {
		struct errinfo why = {.rc = 0};

		rc = sqlite_db_keep(d, where, version, &why);
		if (rc) {
			return err_set(err, rc, "storage", d->path,
			    "schema %d is brought up to %d only after a copy, which failed: %s: %s",
			    version, SCHEMA_VERSION, why.pointer,
			    why.text[0] ? why.text : err_name(rc));
		}
	}
	if (version < SCHEMA_VERSION) {
		rc = migrate(d, version, err);
		if (!rc && version == 0) {
			rc = sync_directory(where, err);
		}
	}
	if (rc) {
		return rc;
	}
	rc = pragma_int(d, "PRAGMA page_size", &page);
	if (rc) {
		return fail(d, rc, "read page size", err);
	}
	d->page_bytes = (unsigned)page;
	return 0;
}

int sqlite_db_open(const char *where, bool readonly, void **ret_db, struct errinfo *err)
{
	struct sqlite_db *d = calloc(1, sizeof(*d));
	size_t n = strlen(where) + sizeof("/" SQLITE_DB_FILE);
	int rc;

	if (!d) {
		return err_set(err, RC_MEMORY, "storage", where, "out of memory");
	}
	d->readonly = readonly;
	d->lock_fd = -1;
	d->path = malloc(n);
	if (!d->path) {
		rc = err_set(err, RC_MEMORY, "storage", where, "out of memory");
		goto fail;
	}
	snprintf(d->path, n, "%s/" SQLITE_DB_FILE, where);
	rc = readonly ? 0 : lock_directory(d, where, err);
	if (!rc) {
		rc = open_file(d, err);
	}
	if (!rc) {
		rc = bring_up(d, where, err);
	}
	if (!rc) {
		rc = prepare_all(d, err);
	}
	if (rc) {
		goto fail;
	}
	sqlite3_wal_hook(d->db, count_wal, d);
	*ret_db = d;
	return 0;
fail:
	sqlite_db_close(d);
	return rc;
}

void sqlite_db_close(void *db)
{
	struct sqlite_db *d = db;

	if (!d) {
		return;
	}
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(d->st[i]);
	}
	sqlite3_close(d->db);
	if (d->lock_fd >= 0) {
		close(d->lock_fd);
	}
	free(d->path);
	free(d);
}
