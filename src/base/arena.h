/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for one request or one decoded event: handed out piece by piece, forgotten all at once,
 * kept for the next use. Bounded, so a client never chooses how much is taken. One thread. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *first, *last; /* the first stays over resets */
	size_t used, max;                 /* bytes handed out, and at most */
};

void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);
void arena_reset(struct arena *a); /* everything handed out is invalid; the first chunk is kept */
/* Not zeroed, aligned for any type; NULL when out of memory or over the maximum. n may be 0. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t count, size_t each); /* NULL on overflow as well */
char *arena_text(struct arena *a, const char *s, size_t n);    /* a NUL-terminated copy */

#endif
