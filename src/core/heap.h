/* SPDX-License-Identifier: Apache-2.0 */
/* Any number of max-heaps over one set of slots. A slot is in one heap at most, and a heap is only
 * the slot at its top, kept by the caller: an empty heap costs nothing and moving a slot to another
 * heap allocates nothing. Order: the larger key first, then the smaller slot; it is total, so the
 * top does not depend on the history.
 *
 * Leftist trees with parent links: insert, remove and update follow paths of at most log2(n + 1)
 * right links (n: slots in the heap), O(log n) in the worst case, not just on average; the top is
 * at hand. 24 bytes per slot reserved. */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_NONE UINT32_MAX /* the top of an empty heap */

struct heap;

int heap_new(struct heap **ret); /* RC_MEMORY */
void heap_free(struct heap *h);  /* NULL is fine */
/* Room for `slots`, never less than before: below that no call can fail. RC_MEMORY or RC_LIMIT
 * (SLOTS_MAX), and nothing changed. */
int heap_reserve(struct heap *h, size_t slots);
size_t heap_bytes(size_t slots); /* reserved by the above, at most */
void heap_clear(struct heap *h); /* no slot is in a heap; the caller forgets its tops */

/* *top is the caller's HEAP_NONE, or the top of one heap; it is replaced when the top changes. Keys
 * are not NaN; -0 and 0 are equal. */
void heap_insert(struct heap *h, uint32_t *top, size_t slot, double key); /* slot is in no heap */
void heap_remove(struct heap *h, uint32_t *top, size_t slot);             /* slot is in this heap */
void heap_update(struct heap *h, uint32_t *top, size_t slot, double key); /* slot is in this heap */

bool heap_has(const struct heap *h, size_t slot);   /* in any heap */
double heap_key(const struct heap *h, size_t slot); /* slot is in a heap */

#endif
