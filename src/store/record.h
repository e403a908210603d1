/* SPDX-License-Identifier: Apache-2.0 */
/* How things are kept, whatever the backend: checksums, keys, the row "log". Internal to store. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "base/hash.h"
#include "core/event.h"
#include "store/backend.h"

#define RECORD_CRC_BYTES 4 /* at the end of every body */

uint32_t record_crc_event(uint32_t experiment, uint64_t seq, const void *body, size_t len);
uint32_t record_crc_snapshot(
    const struct store_snapshot *s, size_t len); /* of its first len bytes */
void record_put_crc(void *at, uint32_t crc);
bool record_crc_is(const void *at, uint32_t crc);

/* A name as a key: negative. `kind` keeps decisions' ids, rewards' keys and offers apart. */
#define RECORD_ID 'd'
#define RECORD_REWARD 'r'
#define RECORD_OFFER 'o'
int64_t record_key(const unsigned char key[HASH_KEY_BYTES], char kind, const char *name);
/* Of an arm that was offered: ids that differ in their last letters lie side by side. */
int64_t record_offer_key(const unsigned char key[HASH_KEY_BYTES], const char *id);
#define RECORD_NEAR_BITS 24 /* keys with equal bits above these are close */
/* The keys of an event: how many, and which. */
size_t record_nkeys(const struct event *ev);
void record_keys(const unsigned char key[HASH_KEY_BYTES], const struct event *ev, int64_t *ret);

/* The row "log": written by every commit. */
struct record_log {
	unsigned char key[HASH_KEY_BYTES]; /* of record_key(), made with the database */
	uint64_t events;                   /* the last seqs of all experiments, added up */
};
int record_log_get(const struct store_ops *ops, void *db, struct record_log *ret);
int record_log_put(const struct store_ops *ops, void *db, const struct record_log *log);

#endif
