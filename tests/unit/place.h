/* SPDX-License-Identifier: Apache-2.0 */
/* Where a test keeps a log: a folder of its own, or a disk in memory. */
#ifndef TESTS_UNIT_PLACE_H
#define TESTS_UNIT_PLACE_H

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "store/memory.h"
#include "store/store.h"
#include "tests/unit/make_event.h"
#include "tests/unit/test.h"

#define PLACE_QUEUE ((size_t)1 << 20)

struct place {
	const struct store_ops *ops;
	struct store_disk *disk; /* NULL: a folder */
	char where[256];
};

static inline void place_init(struct place *p, const struct store_ops *ops)
{
	const char *tmp = getenv("TMPDIR");

	*p = (struct place){.ops = ops};
	if (ops == &store_memory) {
		p->disk = store_disk_new();
		ck_assert_ptr_nonnull(p->disk);
		snprintf(p->where, sizeof(p->where), "%s", store_disk_where(p->disk));
	} else {
		snprintf(p->where, sizeof(p->where), "%s/test_store_XXXXXX", tmp ? tmp : "/tmp");
		ck_assert_ptr_nonnull(mkdtemp(p->where));
	}
}

/* Removes every file, then the folder. */
static inline void place_release(struct place *p)
{
	DIR *dir = p->disk ? NULL : opendir(p->where);
	struct dirent *entry;
	char path[sizeof(p->where) + 256];

	store_disk_free(p->disk);
	while (dir && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%.250s", p->where, entry->d_name);
		unlink(path);
	}
	if (dir) {
		closedir(dir);
		rmdir(p->where);
	}
}

static const struct store_ops *const place_backends[] = {&store_sqlite, &store_memory};

/* The body of a claim runs once for each backend. */
#define EACH_BACKEND(p)                                                                            \
	for (size_t b_ = 0; b_ < 2 && (place_init(&(p), place_backends[b_]), 1);                   \
	     place_release(&(p)), b_++)

static inline struct store_options place_options(const struct place *p)
{
	return (struct store_options){.ops = p->ops, .where = p->where, .queue_bytes = PLACE_QUEUE};
}

static inline struct store *place_open(const struct place *p)
{
	struct store_options o = place_options(p);
	struct errinfo err = {.rc = 0};
	struct store *s;
	int rc = store_open(&o, &s, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return s;
}

static inline struct store_reader *place_reader(const struct place *p)
{
	struct errinfo err = {.rc = 0};
	struct store_reader *r;
	int rc = store_reader_open(p->ops, p->where, &r, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return r;
}

/* Queues one made event; the ticket, or 0 when there is no room or the store failed. */
static inline uint64_t place_append(struct store *s, uint32_t experiment, uint64_t seq)
{
	struct store_group g;
	struct made_event m;
	uint64_t ticket = 0;

	make_event(&m, experiment, seq);
	store_group_init(&g);
	ck_assert_int_eq(store_group_add(s, &g, experiment, &m.ev), 0);
	if (store_reserve(s, g.bytes.len) == 0) {
		ticket = store_append(s, &g, g.bytes.len);
	}
	store_group_release(&g);
	return ticket;
}

/* Reads a log and compares it with what was made. */
struct place_check {
	uint32_t experiment;
	uint64_t n;
	bool differs;
};

static inline int place_compare(void *arg, const struct event *ev)
{
	struct place_check *c = arg;
	struct buf want, have;
	struct made_event m;

	buf_init(&want, 1 << 16);
	buf_init(&have, 1 << 16);
	make_event(&m, c->experiment, ++c->n);
	event_encode(&m.ev, &want);
	event_encode(ev, &have);
	if (ev->seq != c->n || want.len != have.len ||
	    memcmp(want.data, have.data, want.len) != 0) {
		c->differs = true;
	}
	buf_release(&want);
	buf_release(&have);
	return 0;
}

/* How many events there are, all equal to what was made; negative: an error, or RC_CONFLICT when
 * one differs. */
static inline int64_t place_read(struct store_reader *r, uint32_t experiment)
{
	struct place_check c = {.experiment = experiment};
	struct errinfo err = {.rc = 0};
	struct arena mem;
	int rc;

	arena_init(&mem, 1 << 20);
	rc = store_read_events(
	    r, experiment, 0, STORE_SEQ_MAX, SIZE_MAX, &mem, place_compare, &c, &err);
	arena_release(&mem);
	return rc ? rc : c.differs ? RC_CONFLICT : (int64_t)c.n;
}

/* Snapshots as tests make them, and what was seen of them. */
struct place_snapshots {
	uint64_t seq[8];
	int n, bad;
};

static inline int place_see_snapshot(void *arg, const struct store_snapshot *s)
{
	struct place_snapshots *seen = arg;

	ck_assert_uint_eq(s->len, 100);
	ck_assert_uint_eq(s->cursor, s->seq / 2);
	ck_assert_int_eq(((const char *)s->body)[99], (char)s->seq);
	seen->seq[seen->n++] = s->seq;
	return 0;
}

static inline void place_see_bad(void *arg, uint32_t experiment, uint64_t seq)
{
	(void)experiment;
	(void)seq;
	((struct place_snapshots *)arg)->bad++;
}

static inline void place_put_snapshot(struct store *s, uint32_t experiment, uint64_t seq)
{
	char *body = calloc(1, 100);

	body[99] = (char)seq;
	ck_assert_int_eq(store_snapshot_put(s, experiment, seq, seq / 2, body, 100), 0);
}

#endif
