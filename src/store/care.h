/* SPDX-License-Identifier: Apache-2.0 */
/* A state as a whole: checked, copied, or read although it is damaged. With a reader, as the rest
 * of what store.h has of them. */
#ifndef STORE_CARE_H
#define STORE_CARE_H

#include "store/store.h"

/* The whole state as it is now, into the directory `where`, which holds none yet; others may write
 * meanwhile. On disk when it returns. `fn` hears how far it is and may be NULL. RC_FULL: there
 * would not be room; RC_EXISTS, RC_IO. */
int store_copy(
    struct store_reader *r, const char *where, store_copied_fn *fn, void *arg, struct errinfo *err);
/* store_reader_open() of a state whose row "log" may be damaged: then ids and keys are not found.
 */
int store_reader_open_damaged(
    const struct store_ops *ops, const char *where, struct store_reader **ret, struct errinfo *err);
/* Each experiment that has events, the registry too, with its last seq. */
int store_read_tails(struct store_reader *r, store_tail_fn *fn, void *arg, struct errinfo *err);
/* As store_read_snapshots(), of the states at which pruned logs begin: one an experiment. */
int store_read_bases(struct store_reader *r, uint32_t experiment, store_snapshot_fn *fn,
    void (*bad)(void *arg, uint32_t experiment, uint64_t seq), void *arg);
/* The seq after which the log begins; 0: it was never pruned. A damaged base counts. */
int store_base_seq(struct store_reader *r, uint32_t experiment, uint64_t *ret_seq);
/* What crc32 of bodies cannot see. Keys: those kept are exactly those of the events. Tails: no log
 * has lost its end; one search for each experiment. RC_CORRUPT. */
int store_check_keys(struct store_reader *r, uint32_t experiment, struct errinfo *err);
int store_check_tails(struct store_reader *r, struct errinfo *err);

/* Takes the first events from logs. The only writer while it is open: RC_BUSY. */
struct store_pruner;
int store_pruner_open(
    const struct store_ops *ops, const char *where, struct store_pruner **ret, struct errinfo *err);
void store_pruner_close(struct store_pruner *p); /* NULL is fine */
/* From now on the log begins after base->seq, at which base is the state; on disk when it returns.
 * planted: there never were events before. */
int store_prune_base(
    struct store_pruner *p, const struct store_snapshot *base, bool planted, struct errinfo *err);
/* Removes a number of the events up to seq, which are not read any more, and their keys, in one
 * transaction; *ret_removed 0: none is left. */
int store_prune_some(struct store_pruner *p, uint32_t experiment, uint64_t upto,
    uint64_t *ret_removed, struct errinfo *err);

#endif
