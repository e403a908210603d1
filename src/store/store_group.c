/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding events as entries of the queue, outside every lock. */
#include <string.h>

#include "store/store_impl.h"

#define GROUP_BYTES_MAX ((size_t)EVENT_BYTES_MAX + (1u << 20))
#define ALIGN 8

_Static_assert(sizeof(struct entry) % ALIGN == 0, "entries are read in place");

void store_group_init(struct store_group *g)
{
	buf_init(&g->bytes, GROUP_BYTES_MAX);
	g->events = 0;
}

void store_group_release(struct store_group *g)
{
	buf_release(&g->bytes);
	g->events = 0;
}

void store_group_reset(struct store_group *g)
{
	buf_reset(&g->bytes);
	g->events = 0;
}

/* The length is not known before the body is. */
static size_t entry_begin(struct store_group *g, const struct entry *head)
{
	size_t at = g->bytes.len;

	buf_put(&g->bytes, head, sizeof(*head));
	return at;
}

/* On failure the group is as it was before the entry, but its error stays. */
static int entry_end(struct store_group *g, struct entry *head, size_t at)
{
	static const unsigned char zeros[ALIGN];
	size_t body = at + sizeof(*head) + head->nkeys * sizeof(int64_t);
	unsigned char crc[RECORD_CRC_BYTES];

	if (!g->bytes.rc) {
		record_put_crc(crc, record_crc_event(head->experiment, head->seq,
					g->bytes.data + body, g->bytes.len - body));
		buf_put(&g->bytes, crc, sizeof(crc));
		head->len = g->bytes.len - body;
		buf_put(&g->bytes, zeros, (ALIGN - g->bytes.len % ALIGN) % ALIGN);
	}
	if (g->bytes.rc) {
		g->bytes.len = at;
		return g->bytes.rc;
	}
	memcpy(g->bytes.data + at, head, sizeof(*head));
	g->events++;
	return 0;
}

int store_group_add(
    struct store *s, struct store_group *g, uint32_t experiment, const struct event *ev)
{
	struct entry head = {
	    .seq = ev->seq, .experiment = experiment, .nkeys = (uint32_t)record_nkeys(ev)};
	size_t keys = head.nkeys * sizeof(int64_t), at = entry_begin(g, &head);

	if (buf_reserve(&g->bytes, keys) == 0) {
		record_keys(s->log.key, ev, (int64_t *)(g->bytes.data + g->bytes.len));
		g->bytes.len += keys;
	}
	event_encode(ev, &g->bytes);
	return entry_end(g, &head, at);
}

int store_group_add_raw(
    struct store_group *g, uint32_t experiment, uint64_t seq, const void *body, size_t len)
{
	struct entry head = {.seq = seq, .experiment = experiment};
	size_t at = entry_begin(g, &head);

	buf_put(&g->bytes, body, len);
	return entry_end(g, &head, at);
}

const void *store_group_event(const struct store_group *g, size_t at, size_t *ret_len)
{
	struct entry head;

	memcpy(&head, g->bytes.data + at, sizeof(head));
	*ret_len = head.len - RECORD_CRC_BYTES;
	return g->bytes.data + at + sizeof(head) + head.nkeys * sizeof(int64_t);
}
