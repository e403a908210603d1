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
/* What crc32 of bodies cannot see. Keys: those kept are exactly those of the events. Tails: no log
 * has lost its end; one search for each experiment. RC_CORRUPT. */
int store_check_keys(struct store_reader *r, uint32_t experiment, struct errinfo *err);
int store_check_tails(struct store_reader *r, struct errinfo *err);

#endif
