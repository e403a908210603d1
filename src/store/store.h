/* SPDX-License-Identifier: Apache-2.0 */
/* The log: a bounded queue, a commit thread, tickets; readers. Knows no SQL and no disk.
 *
 * Writers reserve, which is the only step that can fail, then append a group of events, which gets
 * a ticket; the thread writes everything queued in one transaction, and when that is on disk
 * store_durable() reaches the ticket. Queue order is commit order and a commit is a prefix of the
 * queue. After a failed commit the store stays failed until the process starts again.
 *
 * Every stored body ends with a crc32 over its key and what is before; a body that does not check
 * is RC_CORRUPT with experiment and seq in err, never handed on; so is a gap between seqs. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "core/event.h"
#include "core/pending.h"
#include "store/backend.h"

#define STORE_REGISTRY 0 /* the experiment number under which the list of experiments is logged */
#define STORE_PROBE UINT32_MAX /* of store_probe(): what has it is queued and written nowhere */

struct store;
struct store_reader;

struct store_commit {
	size_t events;
	uint64_t waited_us;  /* the first of them, until the commit began */
	uint64_t elapsed_us; /* the commit */
};

struct store_options {
	const struct store_ops *ops;
	const char *where;    /* state directory; must exist */
	size_t queue_bytes;   /* of encoded events not yet on disk */
	uint64_t disk_floor;  /* below so many free bytes writes are refused, until twice as many */
	unsigned interval_ms; /* 0: commit as soon as there is something; else at this interval */
	/* From the commit thread, after store_durable(), store_failed() or store_full() changed.
	 * Must not block. NULL is fine. */
	void (*notify)(void *arg);
	void (*committed)(void *arg, const struct store_commit *c); /* after each; NULL is fine */
	void *arg;
};

int store_open(const struct store_options *o, struct store **ret, struct errinfo *err);
/* Writes what is queued, then stops the thread and closes; no other thread may use s any more. An
 * erasure stops between two slices. NULL is fine. */
void store_close(struct store *s);

/* A group of encoded events that will share one transaction. Embedded by its user, reused. */
struct store_group {
	struct buf bytes;
	size_t events;
};
void store_group_init(struct store_group *g);
void store_group_release(struct store_group *g);
void store_group_reset(struct store_group *g);
/* Encodes; the keys follow from the event: a decision's id, a reward's key, a feedback's ref. */
int store_group_add(
    struct store *s, struct store_group *g, uint32_t experiment, const struct event *ev);
/* The registry's events are of its own making: any body, no keys. */
int store_group_add_raw(
    struct store_group *g, uint32_t experiment, uint64_t seq, const void *body, size_t len);
/* The encoded event of the entry that was added when g->bytes.len was `at`; until the next add. */
const void *store_group_event(const struct store_group *g, size_t at, size_t *ret_len);

/* Any thread. Room for so many bytes: RC_BUSY (queue full), RC_FULL (disk), RC_FAILED, RC_LIMIT
 * (more than the whole queue). */
int store_reserve(struct store *s, size_t bytes);
void store_unreserve(struct store *s, size_t bytes);
/* Cannot fail: takes a reservation of `reserved` bytes >= what the group holds (RC_LIMIT is a bug
 * of the caller and asserted). Returns the ticket: tickets grow by one per group. */
uint64_t store_append(struct store *s, const struct store_group *g, size_t reserved);
/* Between the two no commit begins before some dozens of events are there: what is appended in one
 * round of an event loop shares one or a few. One thread. */
void store_cork(struct store *s);
void store_uncork(struct store *s);
/* Queues a snapshot of events up to seq, all of which were appended before: it is written after
 * them. Takes body (malloc'd) over; on failure it stays the caller's. cursor: a hint for the next
 * expiry, kept beside the state, not part of it. RC_BUSY, RC_FULL, RC_FAILED, RC_MEMORY. */
int store_snapshot_put(
    struct store *s, uint32_t experiment, uint64_t seq, uint64_t cursor, void *body, size_t len);
/* Queued as well: everything of an experiment that never gets another event. Durable means that
 * its turn has come; the rows go in slices between later commits. What a stop interrupted is
 * finished by calling it again: as long as store_last_seq() finds events. RC_BUSY, RC_FAILED. */
int store_erase(struct store *s, uint32_t experiment, uint64_t *ret_ticket);

uint64_t store_durable(const struct store *s); /* lock-free, as are the next five */
bool store_failed(const struct store *s);
bool store_full(const struct store *s);
uint64_t store_queued_events(const struct store *s);
void store_info(const struct store *s, struct store_info *ret); /* sizes: a second old */
/* Asks for a commit, with events or without, and tells how many that were asked for are on disk. On
 * a full one nothing is written. `g`, for which room was reserved as for store_append(), takes the
 * road of all others and is in that commit, but holds events of STORE_PROBE alone; NULL: none. The
 * watchdog looks whether they go on. */
uint64_t store_probe(struct store *s, const struct store_group *g, size_t reserved);
/* Why the store failed; 0 when it has not. */
int store_failure(struct store *s, struct errinfo *ret);
/* Wait until the ticket is durable, or everything queued is written (snapshots and erasures as
 * well): 0 or RC_FAILED. Tests, start and stop only. */
int store_wait(struct store *s, uint64_t ticket);
int store_drain(struct store *s);

/* Keys under which events are found again: hashes are negative, refs positive. */
int64_t store_key_of_id(const struct store_reader *r, const char *decision_id);
int64_t store_key_of_reward(const struct store_reader *r, const char *reward_key);

/* A reader: sees what is committed. One thread each; as many as wanted. What gets events may look
 * up and find, but not read a range of events with the same reader. */
int store_reader_open(
    const struct store_ops *ops, const char *where, struct store_reader **ret, struct errinfo *err);
void store_reader_close(struct store_reader *r);
/* What is read in between is of one moment, and cheaper to read. Not for long: the WAL grows. */
int store_reader_begin(struct store_reader *r);
void store_reader_end(struct store_reader *r);
typedef int store_decoded_fn(void *arg, const struct event *ev);
/* Decoded and checked events in (after, upto], at most limit; mem is reset for each. */
int store_read_events(struct store_reader *r, uint32_t experiment, uint64_t after, uint64_t upto,
    size_t limit, struct arena *mem, store_decoded_fn *fn, void *arg, struct errinfo *err);
/* Bodies of the registry, checked. */
int store_read_raw(struct store_reader *r, uint32_t experiment, uint64_t after, store_event_fn *fn,
    void *arg, struct errinfo *err);
/* One event; RC_NOT_FOUND. */
int store_read_event(struct store_reader *r, uint32_t experiment, uint64_t seq, struct arena *mem,
    struct event *ret, struct errinfo *err);
/* A decision and what became of it: its event and the fold of all that refer to it. */
int store_read_pending(struct store_reader *r, uint32_t experiment, uint64_t seq, struct arena *mem,
    struct event *ret, struct pending *ret_pending, struct errinfo *err);
/* The seq of the decision with this id, the reward with this key, bytes compared; RC_NOT_FOUND. */
int store_find_decision(struct store_reader *r, uint32_t experiment, const char *id,
    struct arena *mem, uint64_t *ret_seq, struct errinfo *err);
int store_find_reward(struct store_reader *r, uint32_t experiment, const char *key,
    struct arena *mem, uint64_t *ret_seq, struct errinfo *err);
/* Good snapshots, newest first; bad ones are passed to `bad` (may be NULL) and skipped. */
int store_read_snapshots(struct store_reader *r, uint32_t experiment, store_snapshot_fn *fn,
    void (*bad)(void *arg, uint32_t experiment, uint64_t seq), void *arg);
int store_last_seq(struct store_reader *r, uint32_t experiment, uint64_t *ret_seq);
/* Refs (seqs of decisions) in [lo, hi] with the seq of each event that names them, ascending. */
int store_read_refs(struct store_reader *r, uint32_t experiment, uint64_t lo, uint64_t hi,
    store_key_fn *fn, void *arg);

#endif
