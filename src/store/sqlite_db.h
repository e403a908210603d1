/* SPDX-License-Identifier: Apache-2.0 */
/* What sqlite.c, sqlite_copy.c and sqlite_open.c share; with them the only places that know SQLite.
 */
#ifndef STORE_SQLITE_DB_H
#define STORE_SQLITE_DB_H

#include <sqlite3.h>

#include "store/backend.h"

#define SQLITE_DB_FILE "state.db"
#define SQLITE_LOCK_FILE "state.lock"

enum statement {
	DO_BEGIN,
	DO_BEGIN_READ,
	DO_COMMIT,
	DO_ROLLBACK,
	PUT_EVENT,
	PUT_KEY,
	PUT_SNAPSHOT,
	TRIM_SNAPSHOTS,
	PUT_BASE,
	DROP_SNAPSHOTS,
	DROP_EVENT,
	DROP_KEY,
	PUT_INFO,
	ERASE_KEYS,
	ERASE_SNAPSHOTS,
	ERASE_BASE,
	ERASE_EVENTS,
	GET_EVENT,
	GET_EVENTS,
	GET_KEYS,
	GET_SNAPSHOTS,
	GET_BASES,
	GET_LAST_SEQ,
	GET_TAIL,
	GET_INFO,
	STATEMENTS
};

struct sqlite_db {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
	bool readonly;
	int lock_fd;
	char *path; /* of state.db */
	unsigned page_bytes;
	uint64_t wal_pages;       /* after the last commit */
	uint64_t checkpoint_at;   /* wal_pages at which the next checkpoint is due */
	uint64_t checkpointed_at; /* wal_pages when the last one was made */
};

int sqlite_db_open(const char *where, bool readonly, void **ret_db, struct errinfo *err);
void sqlite_db_close(void *db);
int sqlite_db_copy(
    void *db, const char *where, store_copied_fn *fn, void *arg, struct errinfo *err);
/* A copy beside it, state.db.schema-N, before it becomes one of a newer schema. */
int sqlite_db_keep(struct sqlite_db *d, const char *where, int version, struct errinfo *err);
int sqlite_db_rc(int sqlite_rc); /* enum rc for SQLite's code; 0 for OK, ROW and DONE */

#endif
