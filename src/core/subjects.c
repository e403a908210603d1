/* SPDX-License-Identifier: Apache-2.0 */
#include "core/subjects.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

#define NONE UINT32_MAX
#define ROOM_MIN 8

_Static_assert(SUBJECT_KEY_BYTES == HASH_DIGEST_BYTES, "a key is a digest");

/* The head of a record, in front of it. */
struct node {
	struct subject_key key;
	uint64_t seen_us;
	uint32_t older, newer; /* newer also links free nodes */
};

struct subjects {
	size_t each, most; /* bytes of a node with its record */
	size_t n, used, cap;
	unsigned char *nodes;
	uint32_t *table; /* node or NONE, linear probing; a power of two, at most half full */
	size_t mask;
	uint32_t oldest, newest, unused;
};

struct subject_key subject_key(const char *subject)
{
	struct subject_key key = {.byte = {0}};

	hash_digest(subject, strlen(subject), key.byte);
	return key;
}

static size_t node_bytes(size_t size)
{
	size_t align = _Alignof(max_align_t);

	return (sizeof(struct node) + size + align - 1) / align * align;
}

static struct node *node_at(const struct subjects *s, uint32_t i)
{
	return (struct node *)(void *)(s->nodes + i * s->each);
}

static void *record_of(struct node *node)
{
	return node + 1;
}

static struct node *node_of(const void *record)
{
	return (struct node *)record - 1;
}

static uint32_t index_of(const struct subjects *s, const struct node *node)
{
	return (uint32_t)((size_t)((const unsigned char *)node - s->nodes) / s->each);
}

int subjects_new(size_t size, size_t most, struct subjects **ret)
{
	struct subjects *s = calloc(1, sizeof(*s));

	if (!s) {
		return RC_MEMORY;
	}
	s->each = node_bytes(size);
	s->most = most < SUBJECTS_MOST ? most : SUBJECTS_MOST;
	s->oldest = s->newest = s->unused = NONE;
	*ret = s;
	return 0;
}

void subjects_free(struct subjects *s)
{
	if (s) {
		free(s->nodes);
		free(s->table);
		free(s);
	}
}

static size_t table_size(size_t cap)
{
	size_t size = 2 * ROOM_MIN;

	while (size < 2 * cap) {
		size *= 2;
	}
	return size;
}

/* Where the key is, or the free place where it belongs. */
static size_t place_of(const struct subjects *s, const struct subject_key *key)
{
	uint64_t h;
	size_t at;

	memcpy(&h, key->byte, sizeof(h)); /* any byte order will do: nothing depends on the place */
	for (at = h & s->mask; s->table[at] != NONE; at = (at + 1) & s->mask) {
		if (memcmp(&node_at(s, s->table[at])->key, key, sizeof(*key)) == 0) {
			break;
		}
	}
	return at;
}

static int grow(struct subjects *s, size_t cap)
{
	size_t size = table_size(cap);
	unsigned char *nodes;
	uint32_t *table = malloc(size * sizeof(*table));

	if (!table) {
		return RC_MEMORY;
	}
	nodes = realloc(s->nodes, cap * s->each);
	if (!nodes) {
		free(table);
		return RC_MEMORY;
	}
	free(s->table);
	s->nodes = nodes;
	s->table = table;
	s->mask = size - 1;
	s->cap = cap;
	memset(table, 0xff, size * sizeof(*table));
	for (uint32_t i = s->oldest; i != NONE; i = node_at(s, i)->newer) {
		table[place_of(s, &node_at(s, i)->key)] = i;
	}
	return 0;
}

int subjects_reserve(struct subjects *s, size_t n)
{
	size_t cap = s->cap + s->cap / 2 + ROOM_MIN;

	if (n > s->most) {
		return RC_LIMIT;
	}
	if (n <= s->cap) {
		return 0;
	}
	cap = cap < s->most ? cap : s->most;
	return grow(s, cap > n ? cap : n);
}

size_t subjects_bytes(size_t size, size_t n)
{
	return sizeof(struct subjects) + (n ? n * node_bytes(size) + table_size(n) * 4 : 0);
}

size_t subjects_count(const struct subjects *s)
{
	return s->n;
}

void *subjects_find(const struct subjects *s, const struct subject_key *key)
{
	uint32_t i = s->table ? s->table[place_of(s, key)] : NONE;

	return i == NONE ? NULL : record_of(node_at(s, i));
}

static void unlink_node(struct subjects *s, struct node *node)
{
	*(node->older == NONE ? &s->oldest : &node_at(s, node->older)->newer) = node->newer;
	*(node->newer == NONE ? &s->newest : &node_at(s, node->newer)->older) = node->older;
}

static void link_newest(struct subjects *s, uint32_t i)
{
	struct node *node = node_at(s, i);

	node->older = s->newest;
	node->newer = NONE;
	*(s->newest == NONE ? &s->oldest : &node_at(s, s->newest)->newer) = i;
	s->newest = i;
}

void *subjects_touch(struct subjects *s, const struct subject_key *key, uint64_t at_us)
{
	size_t at = place_of(s, key);
	uint32_t i = s->table[at];

	if (i != NONE) {
		unlink_node(s, node_at(s, i));
	} else {
		i = s->unused;
		if (i == NONE) {
			i = (uint32_t)s->used++;
		} else {
			s->unused = node_at(s, i)->newer;
		}
		memset(node_at(s, i), 0, s->each);
		node_at(s, i)->key = *key;
		s->table[at] = i;
		s->n++;
	}
	node_at(s, i)->seen_us = at_us;
	link_newest(s, i);
	return record_of(node_at(s, i));
}

/* Frees a place; those behind it that were pushed on by it move up. */
static void vacate(struct subjects *s, size_t at)
{
	for (size_t next = (at + 1) & s->mask; s->table[next] != NONE;
	     next = (next + 1) & s->mask) {
		uint64_t h;

		memcpy(&h, node_at(s, s->table[next])->key.byte, sizeof(h));
		if (((next - (h & s->mask)) & s->mask) >= ((next - at) & s->mask)) {
			s->table[at] = s->table[next];
			at = next;
		}
	}
	s->table[at] = NONE;
}

void subjects_drop(struct subjects *s, void *record)
{
	struct node *node = node_of(record);

	vacate(s, place_of(s, &node->key));
	unlink_node(s, node);
	node->newer = s->unused;
	s->unused = index_of(s, node);
	s->n--;
}

uint64_t subjects_seen_us(const struct subjects *s, const void *record)
{
	(void)s;
	return node_of(record)->seen_us;
}

void *subjects_oldest(const struct subjects *s)
{
	return s->oldest == NONE ? NULL : record_of(node_at(s, s->oldest));
}

void *subjects_next(const struct subjects *s, const void *record)
{
	uint32_t i = node_of(record)->newer;

	return i == NONE ? NULL : record_of(node_at(s, i));
}

void subjects_put(const struct subjects *s, const void *record, struct buf *out)
{
	const struct node *node = node_of(record);

	buf_put(out, node->key.byte, sizeof(node->key.byte));
	buf_put_var(
	    out, node->seen_us - (node->older == NONE ? 0 : node_at(s, node->older)->seen_us));
}

void *subjects_get(struct subjects *s, struct rd *in)
{
	const void *bytes = rd_bytes(in, SUBJECT_KEY_BYTES);
	uint64_t last = s->newest == NONE ? 0 : node_at(s, s->newest)->seen_us;
	uint64_t later = rd_var(in);
	struct subject_key key;

	if (in->rc || s->n >= s->cap || later > UINT64_MAX - last) {
		rd_fail(in);
		return NULL;
	}
	memcpy(key.byte, bytes, sizeof(key.byte));
	if (subjects_find(s, &key)) {
		rd_fail(in);
		return NULL;
	}
	return subjects_touch(s, &key, last + later);
}
