/* SPDX-License-Identifier: Apache-2.0 */
/* All experiments of the process: names, locks, recovery, expiry, snapshots; what the API calls.
 *
 * Work on an experiment has two halves. Looking up (engine_seek_*) may read the log and takes no
 * lock. Then engine_begin() locks the experiment, each engine_decide(), engine_reward() ... fills
 * in an event and applies it, and engine_commit() queues them all as one group, unlocks, and
 * returns the ticket under which they become durable. Nothing waits for a disk under a lock.
 *
 * Threads: the functions from engine_find() on are called by one thread, the loop's; the engine's
 * own thread expires decisions and takes snapshots. Lock order: registry, experiment, cache, store
 * queue; never two experiments. */
#ifndef SERVE_ENGINE_H
#define SERVE_ENGINE_H

#include "core/experiment.h"
#include "serve/cache.h"
#include "store/store.h"

struct engine;
struct engine_item; /* one experiment */

struct engine_options {
	const struct store_ops *ops;
	const char *where;
	size_t cache_bytes;
	size_t queue_bytes;
	uint64_t disk_floor;
	unsigned interval_ms;
	size_t experiments_max;
	uint64_t
	    snapshot_events; /* an experiment with so many events since its last one gets one */
	const struct policy_ops *(*find)(const char *name);
	/* From the store's thread; see store_options. */
	void (*notify)(void *arg);
	void (*committed)(void *arg, const struct store_commit *c);
	/* From the engine's thread and during engine_open: one line for the log. */
	/* rc 0: something to know of, of no experiment. */
	void (*report)(void *arg, int rc, const char *what, const char *experiment, uint64_t seq);
	/* During engine_open, now and then: how far the recovery is; NULL is fine. */
	void (*progress)(void *arg, uint64_t done, uint64_t experiments, uint64_t events);
	void *arg;
};

struct engine_recovery {
	uint64_t experiments, snapshots, events, elapsed_us;
	uint64_t bad_snapshots;
};

/* Opens the store and folds the log: newest good snapshots and their tails. RC_CORRUPT or
 * RC_VERSION with experiment and seq in err: the start must be refused. */
int engine_open(const struct engine_options *o, struct engine **ret, struct engine_recovery *ret_r,
    struct errinfo *err);
/* Starts the thread for expiry and snapshots; without it engine_tick() is called by hand (tests).
 */
int engine_start(struct engine *g);
void engine_stop(struct engine *g); /* the thread only */
/* One round of expiry at this wall clock time and of due snapshots; returns events made, or a
 * negative rc. */
int engine_tick(struct engine *g, uint64_t at_us);
/* Snapshots of all that changed, unless the store failed; closes. NULL is fine. */
void engine_close(struct engine *g);

struct store *engine_store(struct engine *g);
size_t engine_experiments(const struct engine *g, enum run_state state);
size_t engine_cache_bytes(const struct engine *g);
uint64_t engine_open_decisions(const struct engine *g);
uint64_t engine_oldest_snapshot_us(
    const struct engine *g); /* monotonic time of the stalest state */

/* The experiment of this name, or RC_NOT_FOUND ("unknown_experiment"). */
int engine_find(struct engine *g, const char *name, struct engine_item **ret, struct errinfo *err);
/* In order of creation after this number; NULL at the end. Numbers never repeat. */
struct engine_item *engine_next(struct engine *g, uint32_t after);
uint32_t engine_number(const struct engine_item *it);
/* When the oldest decision that waits for a reward was made; 0: none does, or it is being looked
 * for: up to a tick, after a start as long as the log is read. */
uint64_t engine_oldest_open_us(struct engine_item *it);
/* The seq of the last event that was pruned, or 0. */
int engine_log_begin(struct engine *g, const struct engine_item *it, uint64_t *ret_after);
/* Locked for reading views; the experiment is borrowed until engine_unlock. */
const struct experiment *engine_lock(struct engine_item *it);
void engine_unlock(struct engine_item *it);
/* RC_EXISTS with *ret_it and the ticket of its creation: same fingerprint; RC_CONFLICT: another
 * body. */
int engine_create(struct engine *g, const struct experiment_spec *spec, uint64_t at_us,
    struct engine_item **ret_it, uint64_t *ret_ticket, struct errinfo *err);
/* Erases the experiment and its log; the item is gone. */
int engine_purge(
    struct engine *g, struct engine_item *it, uint64_t *ret_ticket, struct errinfo *err);

/* First half. A decision's or a reward's past, pinned until engine_release(): NULL when there is
 * none (RC_NOT_FOUND is not an error here). */
int engine_seek_decision(struct engine *g, struct engine_item *it, const char *id,
    struct cache_entry **ret, struct errinfo *err);
int engine_seek_reward(struct engine *g, struct engine_item *it, const char *key,
    struct cache_entry **ret, struct errinfo *err);
void engine_release(struct engine *g, struct cache_entry *e); /* NULL is fine */

/* Second half. Embedded; reused from request to request. */
struct engine_work {
	struct engine *g;
	struct engine_item *it;
	struct experiment *e;
	struct store_group group;
	size_t reserved;
	uint64_t ticket; /* of the newest older event that an answer repeats */
	bool flying;     /* the group has an offer */
	struct cache_entry **touched;
	size_t ntouched, touched_cap;
	struct arena mem; /* events live here until engine_commit */
};

void engine_work_init(struct engine_work *w, struct engine *g);
void engine_work_release(struct engine_work *w);
void engine_begin(struct engine_work *w, struct engine_item *it);
/* Queues, unlocks, forgets. 0 when there is nothing to wait for. */
uint64_t engine_commit(struct engine_work *w);

/* `known` is what engine_seek_decision gave for in->id. *ret_replayed: the stored decision is the
 * answer. RC_CONFLICT ("decision_conflict"): another body. */
int engine_decide(struct engine_work *w, const struct select_in *in, struct cache_entry *known,
    uint64_t at_us, struct event *ret_ev, bool *ret_replayed, struct errinfo *err);
/* `d` is the decision's past, `known` the key's. ret_ev is the reward's event (kind 0: none). */
int engine_reward(struct engine_work *w, const struct reward_in *in, struct cache_entry *d,
    struct cache_entry *known, uint64_t at_us, struct event *ret_ev,
    enum feedback_status *ret_status, bool *ret_replayed, struct errinfo *err);
/* RC_EXISTS: was so already. ret_ev is the decision's event in both cases. */
int engine_activate(struct engine_work *w, struct cache_entry *d, uint64_t at_us,
    struct event *ret_ev, struct errinfo *err);
int engine_void(struct engine_work *w, struct cache_entry *d, uint64_t at_us, struct event *ret_ev,
    struct errinfo *err);
/* between: of each arm, or NULL. */
int engine_add_arms(struct engine_work *w, const struct spec_arm *arms,
    const struct between *between, size_t n, uint64_t at_us, struct errinfo *err);
int engine_set_arm(
    struct engine_work *w, uint32_t slot, enum arm_state to, uint64_t at_us, struct errinfo *err);
int engine_remove_group(struct engine_work *w, const char *id, uint64_t at_us, struct errinfo *err);
int engine_change(
    struct engine_work *w, const struct settings *s, uint64_t at_us, struct errinfo *err);

/* The log of one experiment as it is on disk, for GET .../events and .../decisions/{d}. */
int engine_read(struct engine *g, struct engine_item *it, uint64_t after, size_t limit,
    struct arena *mem, store_decoded_fn *fn, void *arg, struct errinfo *err);
/* Events that refer to the decision, in order. */
#define ENGINE_REFS_MAX 1000 /* events about one decision that are shown */
int engine_read_refs(struct engine *g, struct engine_item *it, uint64_t decision_seq,
    struct arena *mem, store_decoded_fn *fn, void *arg, struct errinfo *err);

#endif
