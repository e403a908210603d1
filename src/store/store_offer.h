/* SPDX-License-Identifier: Apache-2.0 */
/* The backlogs of policies with a stream, as they stand in the log. */
#ifndef STORE_STORE_OFFER_H
#define STORE_STORE_OFFER_H

#include "store/store.h"

int64_t store_key_of_offer(const struct store_reader *r, const char *id);
/* Sets seen[keys[i].i] of the ids that were offered; keys ascend. mem is reset. */
struct offer_key {
	int64_t key; /* store_key_of_offer() */
	size_t i;
	const char *id;
};
int store_find_offers(struct store_reader *r, uint32_t experiment, const struct offer_key *keys,
    size_t n, struct arena *mem, bool *seen, struct errinfo *err);
/* The offer that holds this position, at seq `from` or later; RC_NOT_FOUND: not on disk yet. */
int store_read_offer(struct store_reader *r, uint32_t experiment, uint64_t from, uint64_t position,
    struct arena *mem, struct event *ret, struct errinfo *err);
/* Of a stack: the offer that holds what waits before *position, which stands in the offer at seq
 * `from`, or under it; RC_NOT_FOUND: nothing does. */
int store_read_below(struct store_reader *r, uint32_t experiment, uint64_t from, uint64_t *position,
    struct arena *mem, struct event *ret, struct errinfo *err);
/* The offer of an id that is remembered, and its position. RC_NOT_FOUND. */
int store_find_offer(struct store_reader *r, uint32_t experiment, const char *id, struct arena *mem,
    uint64_t *ret_seq, uint64_t *ret_position, struct errinfo *err);

#endif
