/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever fails, and whenever: nothing that was acknowledged is lost, nothing that is damaged is
 * handed out. TEST_LONG=1 in the environment makes 10,000 power cuts of it. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "store/care.h"
#include "tests/unit/fault.h"
#include "tests/unit/fault_vfs.h"
#include "tests/unit/place.h"

#define SMALL 30 /* events of a short session */
#define GROUP 3  /* events that share a ticket */
#define LARGE_SNAPSHOT ((size_t)1 << 20)

static bool is_long(void)
{
	return getenv("TEST_LONG") != NULL;
}

/* Three events as one group; their ticket, 0 when anything refused. */
static uint64_t append_group(struct store *s, uint64_t first)
{
	struct store_group g;
	uint64_t ticket = 0;
	int rc = 0;

	store_group_init(&g);
	for (uint64_t i = 0; i < GROUP && !rc; i++) {
		struct made_event m;

		make_event(&m, 1, first + i);
		rc = store_group_add(s, &g, 1, &m.ev);
	}
	if (!rc && store_reserve(s, g.bytes.len) == 0) {
		ticket = store_append(s, &g, g.bytes.len);
	}
	store_group_release(&g);
	return ticket;
}

static void try_snapshot(struct store *s, uint64_t seq, size_t len)
{
	unsigned char *body = calloc(1, len);

	if (body) {
		body[len - 1] = (unsigned char)seq;
	}
	if (!body || store_snapshot_put(s, 1, seq, 0, body, len)) {
		free(body);
	}
}

/* Opens, writes events after `last` up to `upto`, closes; how many were acknowledged in all. */
static uint64_t session(const struct place *p, uint64_t last, uint64_t upto, size_t snapshot_len)
{
	struct store_options o = place_options(p);
	uint64_t acknowledged = last;
	struct store *s;

	if (store_open(&o, &s, NULL)) {
		return last;
	}
	for (uint64_t seq = last + 1; seq <= upto; seq += GROUP) {
		uint64_t ticket = append_group(s, seq);

		if (!ticket || store_wait(s, ticket)) {
			break;
		}
		acknowledged = seq + GROUP - 1;
		if (seq % (2 * GROUP) == 1) {
			try_snapshot(s, acknowledged, snapshot_len);
			store_drain(s);
		}
	}
	store_close(s);
	return acknowledged;
}

struct snapshots {
	uint64_t newest;
	int good, bad;
	bool differs;
};

static int see_snapshot(void *arg, const struct store_snapshot *s)
{
	struct snapshots *seen = arg;

	seen->good++;
	seen->newest = s->seq > seen->newest ? s->seq : seen->newest;
	if (s->len == 0 || ((const unsigned char *)s->body)[s->len - 1] != (s->seq & 255)) {
		seen->differs = true;
	}
	return 0;
}

static void see_bad(void *arg, uint32_t experiment, uint64_t seq)
{
	(void)experiment;
	(void)seq;
	((struct snapshots *)arg)->bad++;
}

/* Opens again, as the daemon would: all is there and sound, and it goes on. */
static void check_recovered(const struct place *p, uint64_t acknowledged)
{
	struct snapshots seen = {.newest = 0};
	struct errinfo err = {.rc = 0};
	struct store *s = place_open(p);
	struct store_reader *r = place_reader(p);
	int64_t n = place_read(r, 1);
	uint64_t ticket;

	ck_assert_msg(n >= (int64_t)acknowledged, "%lld events left of %llu acknowledged",
	    (long long)n, (unsigned long long)acknowledged);
	ck_assert_int_eq(n % GROUP, 0);
	ck_assert_msg(store_check_tails(r, &err) == 0, "%s", err.text);
	ck_assert_msg(store_check_keys(r, 1, &err) == 0, "%s", err.text);
	ck_assert_int_eq(store_read_snapshots(r, 0, see_snapshot, see_bad, &seen), 0);
	ck_assert(!seen.differs && seen.bad == 0 && seen.newest <= (uint64_t)n);
	ticket = append_group(s, (uint64_t)n + 1);
	ck_assert_uint_ne(ticket, 0);
	ck_assert_int_eq(store_wait(s, ticket), 0);
	ck_assert_int_eq(place_read(r, 1), n + GROUP);
	store_reader_close(r);
	store_close(s);
}

/* ---- allocations ---- */

static void read_all(const struct place *p)
{
	struct store_reader *r;
	struct arena mem;
	uint64_t seq;

	arena_init(&mem, 1 << 20);
	if (store_reader_open(p->ops, p->where, &r, NULL) == 0) {
		place_read(r, 1);
		store_find_decision(r, 1, "d1-3", &mem, &seq, NULL);
		store_check_keys(r, 1, NULL);
		store_reader_close(r);
	}
	arena_release(&mem);
}

static void fail_each_allocation(
    const struct store_ops *ops, void (*arm)(uint64_t n), bool (*happened)(void))
{
	bool more = true;

	for (uint64_t n = 1; more; n++) {
		uint64_t acknowledged;
		struct place p;

		place_init(&p, ops);
		arm(n);
		acknowledged = session(&p, 0, 12, 100);
		read_all(&p);
		more = happened();
		arm(0);
		check_recovered(&p, acknowledged);
		place_release(&p);
		fault_vfs_reset();
	}
}

START_TEST(every_failing_allocation_is_survived)
{
	fail_each_allocation(&store_memory, fault_malloc, fault_malloc_happened);
	fault_vfs_install(); /* a disk that need not be waited for */
	fail_each_allocation(&store_sqlite, fault_malloc, fault_malloc_happened);
	fault_vfs_remove();
}
END_TEST

START_TEST(every_failing_allocation_of_sqlite_is_survived)
{
	bool more = true;

	fault_sqlite_malloc_install();
	fault_vfs_install();
	for (uint64_t n = 1; more; n += is_long() ? 1 : 1 + n / 64) {
		uint64_t acknowledged;
		struct place p;

		place_init(&p, &store_sqlite);
		fault_sqlite_malloc(n);
		acknowledged = session(&p, 0, 12, 100);
		read_all(&p);
		more = fault_sqlite_malloc_happened();
		fault_sqlite_malloc(0);
		check_recovered(&p, acknowledged);
		place_release(&p);
		fault_vfs_reset();
	}
	fault_vfs_remove();
}
END_TEST

/* ---- calls of the file system ---- */

START_TEST(every_failing_call_of_the_disk_is_survived)
{
	fault_vfs_install();
	for (int op = 0; op < FAULT_OPS; op++) {
		bool more = true;

		for (uint64_t n = 1; more; n++) {
			uint64_t acknowledged;
			struct place p;

			place_init(&p, &store_sqlite);
			fault_vfs_fail(op, n);
			acknowledged = session(&p, 0, SMALL, 100);
			more = fault_vfs_happened();
			fault_vfs_fail(op, 0);
			check_recovered(&p, acknowledged);
			place_release(&p);
			fault_vfs_reset();
		}
	}
	fault_vfs_remove();
}
END_TEST

START_TEST(a_store_whose_sync_failed_once_writes_no_more)
{
	struct store_options o;
	struct errinfo why;
	struct place p;
	struct store *s;
	uint64_t ticket;

	fault_vfs_install();
	place_init(&p, &store_sqlite);
	o = place_options(&p);
	ck_assert_int_eq(store_open(&o, &s, NULL), 0);
	ck_assert_int_eq(store_wait(s, append_group(s, 1)), 0);
	fault_vfs_fail(FAULT_SYNC, 1);
	ticket = append_group(s, 4);
	ck_assert_int_eq(store_wait(s, ticket), RC_FAILED);
	ck_assert_int_eq(store_failure(s, &why), RC_IO);
	ck_assert_uint_eq(append_group(s, 7), 0);
	ck_assert_uint_eq(store_durable(s), 1);
	store_close(s);
	check_recovered(&p, 3);
	place_release(&p);
	fault_vfs_remove();
}
END_TEST

/* ---- power ---- */

static void cut_once(uint64_t at, uint64_t seed, uint64_t upto, size_t snapshot_len)
{
	uint64_t acknowledged;
	struct place p;

	place_init(&p, &store_sqlite);
	fault_vfs_cut(at);
	acknowledged = session(&p, 0, upto, snapshot_len);
	fault_vfs_power_on(seed);
	fault_vfs_cut(1 + seed % 97); /* and once more while it recovers or goes on */
	acknowledged = session(&p, acknowledged, acknowledged, 100);
	fault_vfs_power_on(seed + 1);
	check_recovered(&p, acknowledged);
	place_release(&p);
	fault_vfs_reset();
}

/* Calls of a session that nothing disturbs; of the last on state.db before the end as well. */
static uint64_t count_calls(uint64_t upto, size_t snapshot_len, uint64_t *ret_db)
{
	uint64_t before = fault_vfs_calls();
	struct store_options o;
	struct place p;
	struct store *s;

	place_init(&p, &store_sqlite);
	o = place_options(&p);
	ck_assert_int_eq(store_open(&o, &s, NULL), 0);
	for (uint64_t seq = 1; seq <= upto; seq += GROUP) {
		ck_assert_int_eq(store_wait(s, append_group(s, seq)), 0);
		if (seq % (2 * GROUP) == 1) {
			try_snapshot(s, seq + GROUP - 1, snapshot_len);
			ck_assert_int_eq(store_drain(s), 0);
		}
	}
	*ret_db = fault_vfs_last_call("state.db") - before;
	store_close(s);
	place_release(&p);
	fault_vfs_reset();
	return fault_vfs_calls() - before;
}

START_TEST(a_power_cut_at_any_moment_loses_nothing)
{
	uint64_t db, calls, rounds;

	fault_vfs_install();
	calls = count_calls(SMALL, 100, &db);
	rounds = is_long() ? 9000 / calls + 1 : 3;
	for (uint64_t round = 0; round < rounds; round++) {
		for (uint64_t at = 1; at <= calls; at++) {
			cut_once(at, round * 1000003 + at, SMALL, 100);
		}
	}
	printf(
	    "%llu power cuts, no acknowledged event lost\n", (unsigned long long)(rounds * calls));
	fault_vfs_remove();
}
END_TEST

/* Long enough that the WAL is checkpointed and starts again. */
START_TEST(a_power_cut_around_a_checkpoint_loses_nothing)
{
	uint64_t db = 0, calls, upto = 2 * GROUP * 22, cuts = is_long() ? 1000 : 24;

	fault_vfs_install();
	calls = count_calls(upto, LARGE_SNAPSHOT, &db);
	ck_assert_uint_gt(db, 5000); /* there was a checkpoint */
	ck_assert_uint_gt(calls, db);
	for (uint64_t i = 0; i < cuts; i++) {
		uint64_t spread = i * 7919 % 5000;
		uint64_t at = i % 2 ? db - spread % db : db + spread % (calls - db);

		cut_once(at, i, upto, LARGE_SNAPSHOT);
	}
	fault_vfs_remove();
}
END_TEST

/* ---- damage ---- */

#define FLIP_EVENTS 1500
#define FLIPS 1000

struct file {
	unsigned char bytes[1 << 21];
	size_t len;
};

static void file_read(struct file *f, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, f->bytes, sizeof(f->bytes));

	ck_assert(n > 0 && (size_t)n < sizeof(f->bytes));
	f->len = (size_t)n;
	close(fd);
}

static void file_write(const struct file *f, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, f->bytes, f->len), (ssize_t)f->len);
	close(fd);
}

static int sum_raw(void *arg, uint64_t seq, const void *body, size_t len)
{
	*(uint64_t *)arg += seq * (hash_crc32(0, body, len) | 1);
	return 0;
}

static uint64_t sum_registry(struct store_reader *r, int *ret_rc)
{
	uint64_t sum = 0;

	*ret_rc = store_read_raw(r, STORE_REGISTRY, 0, sum_raw, &sum, NULL);
	return sum;
}

static void make_damaged_one(const struct place *p)
{
	struct store *s = place_open(p);
	struct store_group g;

	store_group_init(&g);
	for (uint64_t seq = 1; seq <= FLIP_EVENTS; seq++) {
		ck_assert_uint_ne(place_append(s, 1, seq), 0);
		if (seq <= FLIP_EVENTS / 4) {
			ck_assert_uint_ne(place_append(s, 2, seq), 0);
		}
		if (seq % 500 == 0) {
			try_snapshot(s, seq, 5000);
		}
	}
	for (uint64_t seq = 1; seq <= 10; seq++) {
		ck_assert_int_eq(store_group_add_raw(&g, STORE_REGISTRY, seq, "registry", 8), 0);
	}
	ck_assert_int_eq(store_reserve(s, g.bytes.len), 0);
	store_append(s, &g, g.bytes.len);
	store_group_release(&g);
	store_close(s);
}

/* Something said that it is damaged; else all of it must be what it was. A snapshot may be gone
 * without a word, for it is a cache, but not changed. */
static bool damage_is_noticed(const struct place *p, uint64_t registry)
{
	struct snapshots seen = {.newest = 0};
	struct store_reader *r;
	int64_t one, two;
	uint64_t sum;
	bool noticed;
	int rc;

	if (store_reader_open(p->ops, p->where, &r, NULL)) {
		return true;
	}
	one = place_read(r, 1);
	two = place_read(r, 2);
	ck_assert(one != RC_CONFLICT && two != RC_CONFLICT);
	sum = sum_registry(r, &rc);
	noticed = one < 0 || two < 0 || rc ||
		  store_read_snapshots(r, 0, see_snapshot, see_bad, &seen) || seen.bad ||
		  store_check_tails(r, NULL) || store_check_keys(r, 0, NULL) ||
		  store_check_keys(r, 1, NULL) || store_check_keys(r, 2, NULL);
	ck_assert(!seen.differs);
	if (!noticed) {
		ck_assert_int_eq(one, FLIP_EVENTS);
		ck_assert_int_eq(two, FLIP_EVENTS / 4);
		ck_assert_uint_eq(sum, registry);
	}
	store_reader_close(r);
	return noticed;
}

START_TEST(every_flipped_bit_is_noticed_or_harmless)
{
	struct file *f = calloc(1, sizeof(*f));
	struct place p, copy;
	struct store_reader *r;
	char path[300], wal[320], shm[320];
	uint64_t state = 1, registry;
	int rc, noticed = 0;

	place_init(&p, &store_sqlite);
	place_init(&copy, &store_sqlite);
	make_damaged_one(&p);
	r = place_reader(&p);
	registry = sum_registry(r, &rc);
	store_reader_close(r);
	snprintf(path, sizeof(path), "%s/state.db", p.where);
	file_read(f, path);
	snprintf(path, sizeof(path), "%s/state.db", copy.where);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	snprintf(shm, sizeof(shm), "%s-shm", path);
	file_write(f, path);
	ck_assert(!damage_is_noticed(&copy, registry));
	for (int i = 0; i < FLIPS; i++) {
		size_t at;

		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at = (size_t)(state >> 20) % f->len;
		f->bytes[at] ^= (unsigned char)(1u << (state >> 61));
		unlink(wal);
		unlink(shm);
		file_write(f, path);
		noticed += damage_is_noticed(&copy, registry);
		f->bytes[at] ^= (unsigned char)(1u << (state >> 61));
	}
	printf("%d of %d flipped bits noticed, the others harmless\n", noticed, FLIPS);
	ck_assert_int_gt(noticed, FLIPS / 2);
	place_release(&copy);
	place_release(&p);
	free(f);
}
END_TEST

RUN("store_faults", every_failing_allocation_is_survived,
    every_failing_allocation_of_sqlite_is_survived, every_failing_call_of_the_disk_is_survived,
    a_store_whose_sync_failed_once_writes_no_more, a_power_cut_at_any_moment_loses_nothing,
    a_power_cut_around_a_checkpoint_loses_nothing, every_flipped_bit_is_noticed_or_harmless)
