/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 4096

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){.max = max};
}

static void free_from(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void arena_release(struct arena *a)
{
	free_from(a->first);
	arena_init(a, a->max);
}

void arena_reset(struct arena *a)
{
	a->used = 0;
	if (!a->first) {
		return;
	}
	free_from(a->first->next);
	a->first->next = NULL;
	a->first->used = 0;
	a->last = a->first;
}

static struct arena_chunk *chunk_add(struct arena *a, size_t n)
{
	size_t size = n > CHUNK_MIN ? n : CHUNK_MIN;
	struct arena_chunk *c = malloc(sizeof(*c) + size);

	if (!c) {
		return NULL;
	}
	c->next = NULL;
	c->size = size;
	c->used = 0;
	if (a->last) {
		a->last->next = c;
	} else {
		a->first = c;
	}
	a->last = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c = a->last;
	void *p;

	if (n > a->max - a->used || n > SIZE_MAX - CHUNK_MIN) {
		return NULL;
	}
	n = (n + align - 1) / align * align;
	if (!c || n > c->size - c->used) {
		c = chunk_add(a, n);
		if (!c) {
			return NULL;
		}
	}
	p = c->bytes + c->used;
	c->used += n;
	a->used += n < a->max - a->used ? n : a->max - a->used;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t each)
{
	return each && count > SIZE_MAX / each ? NULL : arena_alloc(a, count * each);
}

char *arena_text(struct arena *a, const char *s, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	if (copy) {
		memcpy(copy, s, n);
		copy[n] = '\0';
	}
	return copy;
}
