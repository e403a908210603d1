/* SPDX-License-Identifier: Apache-2.0 */
#include "store/record.h"

#include <string.h>

#define LOG_ROW "log"
#define LOG_BYTES (HASH_KEY_BYTES + 8 + RECORD_CRC_BYTES)
#define NAME_MAX_BYTES (1 + ID_MAX)

static void put_u64(unsigned char *at, uint64_t v)
{
	for (size_t i = 0; i < 8; i++) {
		at[i] = (unsigned char)(v >> (8 * i));
	}
}

void record_put_crc(void *at, uint32_t crc)
{
	unsigned char *p = at;

	for (size_t i = 0; i < RECORD_CRC_BYTES; i++) {
		p[i] = (unsigned char)(crc >> (8 * i));
	}
}

bool record_crc_is(const void *at, uint32_t crc)
{
	unsigned char want[RECORD_CRC_BYTES];

	record_put_crc(want, crc);
	return memcmp(at, want, sizeof(want)) == 0;
}

/* The key is part of the checksum: a body that turns up under another key is damage as well. */
uint32_t record_crc_event(uint32_t experiment, uint64_t seq, const void *body, size_t len)
{
	unsigned char key[16];

	put_u64(key, experiment);
	put_u64(key + 8, seq);
	return hash_crc32(hash_crc32(0, key, sizeof(key)), body, len);
}

uint32_t record_crc_snapshot(const struct store_snapshot *s, size_t len)
{
	unsigned char key[24];

	put_u64(key, s->experiment);
	put_u64(key + 8, s->seq);
	put_u64(key + 16, s->cursor);
	return hash_crc32(hash_crc32(0, key, sizeof(key)), s->body, len);
}

int64_t record_key(const unsigned char key[HASH_KEY_BYTES], char kind, const char *name)
{
	unsigned char text[NAME_MAX_BYTES];
	size_t n = strnlen(name, ID_MAX);

	text[0] = (unsigned char)kind;
	memcpy(text + 1, name, n);
	return (int64_t)(hash_keyed(key, text, n + 1) | (UINT64_C(1) << 63));
}

/* An index in random order rewrites a page for each arm, and then the disk sets the pace. Ids that
 * count up share all but their end, and with it a page. */
int64_t record_offer_key(const unsigned char key[HASH_KEY_BYTES], const char *id)
{
	unsigned char text[NAME_MAX_BYTES];
	size_t n = strnlen(id, ID_MAX), head = n > 3 ? n - 3 : 0;
	uint64_t h, end = 0;

	text[0] = RECORD_OFFER;
	memcpy(text + 1, id, head);
	h = hash_keyed(key, text, head + 1);
	for (size_t i = head; i < n; i++) {
		end = end << 8 | (unsigned char)id[i];
	}
	return (int64_t)(h << RECORD_NEAR_BITS | end | (UINT64_C(1) << 63));
}

size_t record_nkeys(const struct event *ev)
{
	if (ev->kind == EVENT_STREAM && ev->stream.op == STREAM_OFFER) {
		return 1 + (ev->stream.remember ? ev->stream.n : 0);
	}
	if (event_is_feedback(ev)) {
		return ev->feedback.key ? 2 : 1;
	}
	return ev->kind == EVENT_DECISION && ev->decision.id ? 1 : 0;
}

static void offer_keys(
    const unsigned char key[HASH_KEY_BYTES], const struct event_stream *s, int64_t *ret)
{
	*ret++ = (int64_t)s->before;
	for (size_t i = 0; s->remember && i < s->n; i++) {
		*ret++ = record_offer_key(key, s->arms[i].id);
	}
}

void record_keys(const unsigned char key[HASH_KEY_BYTES], const struct event *ev, int64_t *ret)
{
	if (ev->kind == EVENT_STREAM && ev->stream.op == STREAM_OFFER) {
		offer_keys(key, &ev->stream, ret);
	}
	if (ev->kind == EVENT_DECISION && ev->decision.id) {
		*ret++ = record_key(key, RECORD_ID, ev->decision.id);
	}
	if (event_is_feedback(ev)) {
		*ret++ = (int64_t)ev->feedback.ref;
		if (ev->feedback.key) {
			*ret++ = record_key(key, RECORD_REWARD, ev->feedback.key);
		}
	}
}

int record_log_get(const struct store_ops *ops, void *db, struct record_log *ret)
{
	unsigned char row[LOG_BYTES];
	struct rd in;
	int rc = ops->get_info(db, LOG_ROW, row, sizeof(row));

	if (rc) {
		return rc;
	}
	if (!record_crc_is(row + LOG_BYTES - RECORD_CRC_BYTES,
		hash_crc32(0, row, LOG_BYTES - RECORD_CRC_BYTES))) {
		return RC_CORRUPT;
	}
	memcpy(ret->key, row, HASH_KEY_BYTES);
	rd_init(&in, row + HASH_KEY_BYTES, 8);
	ret->events = rd_u64(&in);
	return 0;
}

int record_log_put(const struct store_ops *ops, void *db, const struct record_log *log)
{
	unsigned char row[LOG_BYTES];

	memcpy(row, log->key, HASH_KEY_BYTES);
	put_u64(row + HASH_KEY_BYTES, log->events);
	record_put_crc(
	    row + LOG_BYTES - RECORD_CRC_BYTES, hash_crc32(0, row, LOG_BYTES - RECORD_CRC_BYTES));
	return ops->put_info(db, LOG_ROW, row, sizeof(row));
}
