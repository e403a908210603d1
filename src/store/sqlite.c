/* SPDX-License-Identifier: Apache-2.0 */
/* The backend on SQLite: prepared statements only. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "store/sqlite_db.h"

#define CHECKPOINT_BYTES (16u << 20) /* of WAL */

/* Bound values are borrowed: they are valid until the statement is reset, which step() does. */
static void bind_u64(sqlite3_stmt *st, int i, uint64_t v)
{
	sqlite3_bind_int64(st, i, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static int step(struct sqlite_db *d, enum statement which)
{
	int rc = sqlite3_step(d->st[which]);

	sqlite3_reset(d->st[which]);
	return sqlite_db_rc(rc);
}

static int do_begin(void *db)
{
	struct sqlite_db *d = db;

	return step(d, d->readonly ? DO_BEGIN_READ : DO_BEGIN);
}

static int do_commit(void *db)
{
	return step(db, DO_COMMIT);
}

static void do_rollback(void *db)
{
	struct sqlite_db *d = db;

	if (!sqlite3_get_autocommit(d->db)) {
		step(d, DO_ROLLBACK);
	}
}

static void explain(void *db, int rc, struct errinfo *err)
{
	struct sqlite_db *d = db;

	err_set(err, rc, "storage", d->path, "%s (%d, system error %d)", sqlite3_errmsg(d->db),
	    sqlite3_extended_errcode(d->db), sqlite3_system_errno(d->db));
}

static int put_event(void *db, const struct store_record *r)
{
	struct sqlite_db *d = db;
	sqlite3_stmt *st = d->st[PUT_EVENT];
	int rc;

	if (r->seq > STORE_SEQ_MAX || r->len > INT_MAX) {
		return RC_LIMIT;
	}
	sqlite3_bind_int64(st, 1, r->experiment);
	bind_u64(st, 2, r->seq);
	sqlite3_bind_blob(st, 3, r->body, (int)r->len, SQLITE_STATIC);
	rc = step(d, PUT_EVENT);
	st = d->st[PUT_KEY];
	for (size_t i = 0; !rc && i < r->nkeys; i++) {
		sqlite3_bind_int64(st, 1, r->experiment);
		sqlite3_bind_int64(st, 2, r->keys[i]);
		bind_u64(st, 3, r->seq);
		rc = step(d, PUT_KEY);
	}
	return rc;
}

static int put_state(struct sqlite_db *d, enum statement which, const struct store_snapshot *s)
{
	sqlite3_stmt *st = d->st[which];

	if (s->seq > STORE_SEQ_MAX || s->cursor > STORE_SEQ_MAX || s->len > INT_MAX) {
		return RC_LIMIT;
	}
	sqlite3_bind_int64(st, 1, s->experiment);
	bind_u64(st, 2, s->seq);
	bind_u64(st, 3, s->cursor);
	sqlite3_bind_blob(st, 4, s->body, (int)s->len, SQLITE_STATIC);
	return step(d, which);
}

static int put_snapshot(void *db, const struct store_snapshot *s)
{
	struct sqlite_db *d = db;
	int rc = put_state(d, PUT_SNAPSHOT, s);

	if (!rc) {
		sqlite3_bind_int64(d->st[TRIM_SNAPSHOTS], 1, s->experiment);
		rc = step(d, TRIM_SNAPSHOTS);
	}
	return rc;
}

static int put_base(void *db, const struct store_snapshot *s)
{
	struct sqlite_db *d = db;
	int rc = put_state(d, PUT_BASE, s);

	if (!rc) {
		sqlite3_bind_int64(d->st[DROP_SNAPSHOTS], 1, s->experiment);
		bind_u64(d->st[DROP_SNAPSHOTS], 2, s->seq);
		rc = step(d, DROP_SNAPSHOTS);
	}
	return rc;
}

static int drop_event(void *db, const struct store_record *r)
{
	struct sqlite_db *d = db;
	sqlite3_stmt *st = d->st[DROP_EVENT];
	int rc;

	sqlite3_bind_int64(st, 1, r->experiment);
	bind_u64(st, 2, r->seq);
	rc = step(d, DROP_EVENT);
	st = d->st[DROP_KEY];
	for (size_t i = 0; !rc && i < r->nkeys; i++) {
		sqlite3_bind_int64(st, 1, r->experiment);
		sqlite3_bind_int64(st, 2, r->keys[i]);
		bind_u64(st, 3, r->seq);
		rc = step(d, DROP_KEY);
	}
	return rc;
}

static int put_info(void *db, const char *name, const void *p, size_t n)
{
	struct sqlite_db *d = db;
	sqlite3_stmt *st = d->st[PUT_INFO];

	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(st, 2, p, (int)n, SQLITE_STATIC);
	return step(d, PUT_INFO);
}

/* Keys, then snapshots, then events and the base, events from the oldest on: what is left after a
 * stop between two calls still has its last event, by which a caller sees that it has to go on. */
static int erase(void *db, uint32_t experiment, size_t limit)
{
	static const enum statement order[] = {
	    ERASE_KEYS, ERASE_SNAPSHOTS, ERASE_EVENTS, ERASE_BASE};
	struct sqlite_db *d = db;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		sqlite3_stmt *st = d->st[order[i]];
		bool slices = order[i] == ERASE_KEYS || order[i] == ERASE_EVENTS;
		int rc;

		sqlite3_bind_int64(st, 1, experiment);
		if (slices) {
			bind_u64(st, 2, limit);
		}
		rc = step(d, order[i]);
		if (rc) {
			return rc;
		}
		if (slices && (size_t)sqlite3_changes(d->db) >= limit) {
			return 1;
		}
	}
	return 0;
}

/* Passive: never waits for readers. A WAL that was copied back whole starts again at its beginning
 * with the next commit, unless a reader stands in it; then it grows on, and the next checkpoint is
 * due after as many bytes again. */
static int maintain(void *db)
{
	struct sqlite_db *d = db;
	uint64_t due = CHECKPOINT_BYTES / d->page_bytes;

	if (d->wal_pages < d->checkpointed_at) {
		d->checkpointed_at = 0; /* it started again */
	}
	if (d->wal_pages - d->checkpointed_at < due) {
		return 0;
	}
	d->checkpointed_at = d->wal_pages;
	return sqlite_db_rc(
	    sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
}

/* The column's bytes; a NULL of SQLite's may be an allocation that failed. */
static int blob(struct sqlite_db *d, sqlite3_stmt *st, int i, const void **ret, size_t *ret_len)
{
	*ret = sqlite3_column_blob(st, i);
	*ret_len = (size_t)sqlite3_column_bytes(st, i);
	if (!*ret) {
		return sqlite3_errcode(d->db) == SQLITE_NOMEM ? RC_MEMORY : RC_CORRUPT;
	}
	return 0;
}

/* Takes each row to `row` until it asks to stop. */
typedef int row_fn(struct sqlite_db *d, sqlite3_stmt *st, void *arg);
static int each(struct sqlite_db *d, enum statement which, row_fn *row, void *arg)
{
	sqlite3_stmt *st = d->st[which];
	int rc, sqlite_rc;

	do {
		sqlite_rc = sqlite3_step(st);
		rc = sqlite_rc == SQLITE_ROW ? row(d, st, arg) : sqlite_db_rc(sqlite_rc);
	} while (sqlite_rc == SQLITE_ROW && rc == 0);
	sqlite3_reset(st);
	return rc == 1 ? 0 : rc;
}

struct event_call {
	store_event_fn *fn;
	void *arg;
};
static int event_row(struct sqlite_db *d, sqlite3_stmt *st, void *arg)
{
	struct event_call *c = arg;
	const void *p;
	size_t n;
	int rc = blob(d, st, 1, &p, &n);

	return rc ? rc : c->fn(c->arg, (uint64_t)sqlite3_column_int64(st, 0), p, n);
}

static int events(void *db, uint32_t experiment, uint64_t after, uint64_t upto, size_t limit,
    store_event_fn *fn, void *arg)
{
	struct sqlite_db *d = db;
	bool one = after < upto && upto - after == 1;
	sqlite3_stmt *st = d->st[one ? GET_EVENT : GET_EVENTS];

	sqlite3_bind_int64(st, 1, experiment);
	if (one) {
		bind_u64(st, 2, upto);
	} else {
		bind_u64(st, 2, after);
		bind_u64(st, 3, upto);
		bind_u64(st, 4, limit);
	}
	return each(d, one ? GET_EVENT : GET_EVENTS, event_row, &(struct event_call){fn, arg});
}

struct key_call {
	store_key_fn *fn;
	void *arg;
};
static int key_row(struct sqlite_db *d, sqlite3_stmt *st, void *arg)
{
	struct key_call *c = arg;

	(void)d;
	return c->fn(c->arg, sqlite3_column_int64(st, 0), (uint64_t)sqlite3_column_int64(st, 1));
}

static int keys(void *db, uint32_t experiment, int64_t lo, int64_t hi, store_key_fn *fn, void *arg)
{
	struct sqlite_db *d = db;
	sqlite3_stmt *st = d->st[GET_KEYS];

	sqlite3_bind_int64(st, 1, experiment);
	sqlite3_bind_int64(st, 2, lo);
	sqlite3_bind_int64(st, 3, hi);
	return each(d, GET_KEYS, key_row, &(struct key_call){fn, arg});
}

struct snapshot_call {
	store_snapshot_fn *fn;
	void *arg;
};
static int snapshot_row(struct sqlite_db *d, sqlite3_stmt *st, void *arg)
{
	struct snapshot_call *c = arg;
	struct store_snapshot s = {.experiment = (uint32_t)sqlite3_column_int64(st, 0),
	    .seq = (uint64_t)sqlite3_column_int64(st, 1),
	    .cursor = (uint64_t)sqlite3_column_int64(st, 2)};
	int rc = blob(d, st, 3, &s.body, &s.len);

	return rc ? rc : c->fn(c->arg, &s);
}

static int states(
    struct sqlite_db *d, enum statement which, uint32_t experiment, struct snapshot_call *c)
{
	sqlite3_stmt *st = d->st[which];

	sqlite3_bind_int64(st, 1, experiment);
	sqlite3_bind_int64(st, 2, experiment ? experiment : UINT32_MAX);
	return each(d, which, snapshot_row, c);
}

static int snapshots(void *db, uint32_t experiment, store_snapshot_fn *fn, void *arg)
{
	return states(db, GET_SNAPSHOTS, experiment, &(struct snapshot_call){fn, arg});
}

static int bases(void *db, uint32_t experiment, store_snapshot_fn *fn, void *arg)
{
	return states(db, GET_BASES, experiment, &(struct snapshot_call){fn, arg});
}

static int last_seq(void *db, uint32_t experiment, uint64_t *ret_seq)
{
	struct sqlite_db *d = db;
	sqlite3_stmt *st = d->st[GET_LAST_SEQ];
	int rc;

	sqlite3_bind_int64(st, 1, experiment);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
		*ret_seq = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	}
	sqlite3_reset(st);
	return sqlite_db_rc(rc);
}

/* One search for each experiment, however many events it has. */
static int tails(void *db, store_tail_fn *fn, void *arg)
{
	struct sqlite_db *d = db;
	sqlite3_stmt *st = d->st[GET_TAIL];
	int64_t below = INT64_MAX;
	int rc = 0, sqlite_rc;

	do {
		uint64_t seq = 0;

		sqlite3_bind_int64(st, 1, below);
		sqlite_rc = sqlite3_step(st);
		if (sqlite_rc == SQLITE_ROW) {
			below = sqlite3_column_int64(st, 0);
			seq = (uint64_t)sqlite3_column_int64(st, 1);
		}
		sqlite3_reset(st);
		rc = sqlite_rc == SQLITE_ROW ? fn(arg, (uint32_t)below, seq)
					     : sqlite_db_rc(sqlite_rc);
	} while (sqlite_rc == SQLITE_ROW && rc == 0);
	return rc == 1 ? 0 : rc;
}

static int get_info(void *db, const char *name, void *ret, size_t n)
{
	struct sqlite_db *d = db;
	sqlite3_stmt *st = d->st[GET_INFO];
	const void *p;
	size_t len;
	int rc, sqlite_rc;

	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite_rc = sqlite3_step(st);
	rc = sqlite_rc == SQLITE_DONE ? RC_NOT_FOUND : sqlite_db_rc(sqlite_rc);
	if (!rc) {
		rc = blob(d, st, 0, &p, &len);
	}
	if (!rc && len != n) {
		rc = RC_CORRUPT;
	}
	if (!rc) {
		memcpy(ret, p, n);
	}
	sqlite3_reset(st);
	return rc;
}

static uint64_t file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static int info(void *db, bool sizes, struct store_info *ret)
{
	struct sqlite_db *d = db;
	char path[4096 + 8];
	struct statvfs fs;

	snprintf(path, sizeof(path), "%.*s", (int)strlen(d->path) - (int)strlen("/" SQLITE_DB_FILE),
	    d->path);
	if (statvfs(path, &fs)) {
		return RC_IO;
	}
	ret->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (sizes) {
		snprintf(path, sizeof(path), "%s-wal", d->path);
		ret->db_bytes = file_bytes(d->path);
		ret->wal_bytes = file_bytes(path);
	}
	return 0;
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = sqlite_db_open,
    .close = sqlite_db_close,
    .explain = explain,
    .begin = do_begin,
    .commit = do_commit,
    .rollback = do_rollback,
    .put_event = put_event,
    .put_snapshot = put_snapshot,
    .put_base = put_base,
    .drop_event = drop_event,
    .put_info = put_info,
    .erase = erase,
    .maintain = maintain,
    .events = events,
    .keys = keys,
    .snapshots = snapshots,
    .bases = bases,
    .last_seq = last_seq,
    .tails = tails,
    .get_info = get_info,
    .info = info,
    .copy = sqlite_db_copy,
};
