/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the log is, as JSON lines: the bare SQLite API against store_append() on the same
 * tables, by events per commit; reading; look-ups; many experiments.
 *	store_bench DIR [EVENTS] [EXPERIMENTS]
 * DIR must be empty; the databases stay there. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/care.h"
#include "store/record.h"
#include "store/store.h"
#include "tests/unit/make_event.h"

#define QUEUE_BYTES ((size_t)16 << 20)

static const size_t batches[] = {1, 16, 64, 256, 1024};
#define NBATCHES (sizeof(batches) / sizeof(batches[0]))

static void need(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "store_bench: %s: %d\n", what, rc);
		exit(1);
	}
}

static void report(const char *name, size_t batch, uint64_t n, uint64_t start_us)
{
	double s = (double)(clock_mono_us() - start_us) / 1e6;

	printf("{\"bench\": \"store\", \"case\": \"%s\", \"batch\": %zu, \"n\": %llu, \"seconds\": "
	       "%.3f, "
	       "\"per_second\": %.0f}\n",
	    name, batch, (unsigned long long)n, s, (double)n / s);
	fflush(stdout);
}

/* ---- the bare API ---- */

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;

	need(sqlite3_prepare_v2(db, sql, -1, &st, NULL), sql);
	return st;
}

static void run(sqlite3_stmt *st)
{
	need(sqlite3_step(st) != SQLITE_DONE, "step");
	sqlite3_reset(st);
}

static void raw_insert(sqlite3_stmt *event, sqlite3_stmt *key, uint64_t seq, struct buf *bytes)
{
	static const unsigned char hash_key[HASH_KEY_BYTES] = {1};
	int64_t keys[2]; /* make_event() makes no offers */
	struct made_event m;
	size_t n;

	make_event(&m, 1, seq);
	buf_reset(bytes);
	event_encode(&m.ev, bytes);
	buf_put_u32(bytes, record_crc_event(1, seq, bytes->data, bytes->len));
	sqlite3_bind_int64(event, 1, 1);
	sqlite3_bind_int64(event, 2, (int64_t)seq);
	sqlite3_bind_blob(event, 3, bytes->data, (int)bytes->len, SQLITE_STATIC);
	run(event);
	n = record_nkeys(&m.ev);
	record_keys(hash_key, &m.ev, keys);
	for (size_t i = 0; i < n; i++) {
		sqlite3_bind_int64(key, 1, 1);
		sqlite3_bind_int64(key, 2, keys[i]);
		sqlite3_bind_int64(key, 3, (int64_t)seq);
		run(key);
	}
}

static void bench_raw(const char *dir, size_t batch, uint64_t events)
{
	sqlite3_stmt *begin, *commit, *event, *key;
	uint64_t start_us, checkpoint = 0;
	char path[1024];
	struct buf bytes;
	sqlite3 *db;

	buf_init(&bytes, 1 << 20);
	snprintf(path, sizeof(path), "%s/raw-%zu.db", dir, batch);
	need(sqlite3_open(path, &db), "open");
	need(sqlite3_exec(db,
		 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
		 "PRAGMA wal_autocheckpoint=0;"
		 "CREATE TABLE event (experiment INTEGER, seq INTEGER, body BLOB, "
		 "PRIMARY KEY (experiment, seq)) WITHOUT ROWID;"
		 "CREATE TABLE event_key (experiment INTEGER, key INTEGER, seq INTEGER, "
		 "PRIMARY KEY (experiment, key, seq)) WITHOUT ROWID",
		 NULL, NULL, NULL),
	    "create");
	begin = prepare(db, "BEGIN IMMEDIATE");
	commit = prepare(db, "COMMIT");
	event = prepare(db, "INSERT INTO event VALUES (?1, ?2, ?3)");
	key = prepare(db, "INSERT INTO event_key VALUES (?1, ?2, ?3)");
	start_us = clock_mono_us();
	for (uint64_t seq = 1; seq <= events;) {
		run(begin);
		for (size_t i = 0; i < batch && seq <= events; i++) {
			raw_insert(event, key, seq++, &bytes);
		}
		run(commit);
		if (seq - checkpoint > 50000) {
			need(sqlite3_wal_checkpoint_v2(
				 db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
			    "checkpoint");
			checkpoint = seq;
		}
	}
	report("raw_insert", batch, events, start_us);
	sqlite3_finalize(begin);
	sqlite3_finalize(commit);
	sqlite3_finalize(event);
	sqlite3_finalize(key);
	sqlite3_close(db);
	buf_release(&bytes);
}

/* ---- the store ---- */

static struct store *open_store(const char *dir)
{
	struct errinfo err = {.rc = 0};
	struct store *s;

	if (store_open(
		&(struct store_options){
		    .ops = &store_sqlite, .where = dir, .queue_bytes = QUEUE_BYTES},
		&s, &err)) {
		fprintf(stderr, "store_bench: %s\n", err.text);
		exit(1);
	}
	return s;
}

static struct store_reader *open_reader(const char *dir)
{
	struct errinfo err = {.rc = 0};
	struct store_reader *r;

	need(store_reader_open(&store_sqlite, dir, &r, &err), err.text);
	return r;
}

static uint64_t append(struct store *s, struct store_group *g, uint32_t experiment, uint64_t seq)
{
	struct made_event m;
	int rc;

	make_event(&m, experiment, seq);
	store_group_reset(g);
	need(store_group_add(s, g, experiment, &m.ev), "encode");
	while ((rc = store_reserve(s, g->bytes.len)) == RC_BUSY) {
		need(store_wait(s, store_durable(s) + 1), "wait");
	}
	need(rc, "reserve");
	return store_append(s, g, g->bytes.len);
}

/* batch 0: as fast as it goes, limited by the queue alone. */
static void bench_store(const char *dir, size_t batch, uint64_t events)
{
	struct store_group g;
	char path[1024];
	struct store *s;
	uint64_t start_us, ticket = 0;

	snprintf(path, sizeof(path), "%s/store-%zu", dir, batch);
	need(mkdir(path, 0700), path);
	s = open_store(path);
	store_group_init(&g);
	start_us = clock_mono_us();
	for (uint64_t seq = 1; seq <= events; seq++) {
		ticket = append(s, &g, 1, seq);
		if (batch && seq % batch == 0) {
			need(store_wait(s, ticket), "wait");
		}
	}
	need(store_wait(s, ticket), "wait");
	report("store_append", batch, events, start_us);
	store_group_release(&g);
	store_close(s);
}

static int count(void *arg, const struct event *ev)
{
	(void)ev;
	++*(uint64_t *)arg;
	return 0;
}

static void bench_reads(const char *dir, uint64_t events)
{
	struct errinfo err = {.rc = 0};
	struct store_reader *r;
	struct arena mem;
	struct made_event m;
	struct pending p;
	struct event ev;
	char path[1024];
	uint64_t n = 0, seq, start_us, lookups = events < 200000 ? events : 200000;

	snprintf(path, sizeof(path), "%s/store-0", dir);
	r = open_reader(path);
	arena_init(&mem, (size_t)64 << 20);
	start_us = clock_mono_us();
	need(store_read_events(r, 1, 0, STORE_SEQ_MAX, SIZE_MAX, &mem, count, &n, &err), err.text);
	report("read_events", 0, n, start_us);
	start_us = clock_mono_us();
	for (uint64_t i = 0; i < lookups; i++) {
		arena_reset(&mem);
		need(store_read_event(r, 1, 1 + i * 7919 % events, &mem, &ev, &err), err.text);
	}
	report("read_event", 0, lookups, start_us);
	start_us = clock_mono_us();
	for (uint64_t i = 0; i < lookups; i++) {
		arena_reset(&mem);
		need(store_read_pending(
			 r, 1, 1 + (i * 7919 % events & ~UINT64_C(1)), &mem, &ev, &p, &err),
		    err.text);
	}
	report("read_pending", 0, lookups, start_us);
	start_us = clock_mono_us();
	for (uint64_t i = 0; i < lookups; i++) {
		arena_reset(&mem);
		make_event(&m, 1, (i * 7919 % events & ~UINT64_C(3)) | 3);
		if (m.ev.seq <= events) {
			need(store_find_decision(r, 1, m.name, &mem, &seq, &err), err.text);
		}
	}
	report("find_decision", 0, lookups, start_us);
	start_us = clock_mono_us();
	need(store_check_keys(r, 1, &err), err.text);
	report("check_keys", 0, events, start_us);
	store_reader_close(r);
	arena_release(&mem);
}

/* ---- many experiments ---- */

static int count_snapshot(void *arg, const struct store_snapshot *s)
{
	(void)s;
	++*(uint64_t *)arg;
	return 0;
}

static void put_snapshots(struct store *s, uint32_t experiments, uint64_t seq)
{
	for (uint32_t e = 1; e <= experiments; e++) {
		size_t len = 600;
		void *body = calloc(1, len);
		int rc;

		while ((rc = store_snapshot_put(s, e, seq, 0, body, len)) == RC_BUSY) {
			store_drain(s);
		}
		need(rc, "snapshot");
	}
	need(store_drain(s), "drain");
}

static void bench_many(const char *dir, uint32_t experiments)
{
	struct errinfo err = {.rc = 0};
	struct store_reader *r;
	struct store_group g;
	struct arena mem;
	char path[1024];
	struct store *s;
	uint64_t start_us, ticket = 0, n = 0;

	snprintf(path, sizeof(path), "%s/many", dir);
	need(mkdir(path, 0700), path);
	s = open_store(path);
	store_group_init(&g);
	start_us = clock_mono_us();
	for (uint64_t seq = 1; seq <= 4; seq++) {
		for (uint32_t e = 1; e <= experiments; e++) {
			ticket = append(s, &g, e, seq);
		}
	}
	need(store_wait(s, ticket), "wait");
	report("append_to_many", 0, 4 * (uint64_t)experiments, start_us);
	for (uint64_t seq = 2; seq <= 3; seq++) {
		start_us = clock_mono_us();
		put_snapshots(s, experiments, seq);
		report("snapshot_put", 0, experiments, start_us);
	}
	store_group_release(&g);
	store_close(s);
	start_us = clock_mono_us();
	s = open_store(path);
	r = open_reader(path);
	arena_init(&mem, (size_t)64 << 20);
	need(store_reader_begin(r), "begin");
	need(store_read_snapshots(r, 0, count_snapshot, NULL, &n), "snapshots");
	for (uint32_t e = 1; e <= experiments; e++) {
		need(store_read_events(r, e, 3, STORE_SEQ_MAX, SIZE_MAX, &mem, count, &n, &err),
		    err.text);
	}
	store_reader_end(r);
	report("recover_many", 0, experiments, start_us);
	start_us = clock_mono_us();
	need(store_check_tails(r, &err), err.text);
	report("check_tails", 0, experiments, start_us);
	store_reader_close(r);
	store_close(s);
	arena_release(&mem);
}

int main(int argc, char **argv)
{
	uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 500000;
	uint32_t experiments = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 100000;

	if (argc < 2 || hash_init()) {
		fprintf(stderr, "usage: store_bench DIR [EVENTS] [EXPERIMENTS]\n");
		return 2;
	}
	for (size_t i = 0; i < NBATCHES; i++) {
		uint64_t n = events / 100 * batches[i]; /* small batches take long */

		n = n < events ? n : events;
		bench_raw(argv[1], batches[i], n);
		bench_store(argv[1], batches[i], n);
	}
	bench_store(argv[1], 0, events);
	bench_reads(argv[1], events);
	bench_many(argv[1], experiments);
	return 0;
}
