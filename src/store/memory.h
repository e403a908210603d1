/* SPDX-License-Identifier: Apache-2.0 */
/* The backend in memory, for tests and simulation: a "disk" that the test makes, that outlives the
 * handles opened on it and that fails on demand. The functions below may be called at any time by
 * any thread. A reader holds the disk's lock while it hands out events. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/backend.h"

struct store_disk;

struct store_disk *store_disk_new(void);    /* NULL: out of memory */
void store_disk_free(struct store_disk *m); /* when every handle is closed; NULL is fine */
/* What to open: `where` for store_open() and store_reader_open(). As long as the disk lives. */
const char *store_disk_where(const struct store_disk *m);

enum store_call { STORE_CALL_PUT, STORE_CALL_COMMIT, STORE_CALL_READ, STORE_CALLS };
/* The n-th such call from now on returns RC_IO, and no other; 0: none will. A commit that fails
 * writes nothing. */
void store_disk_fail(struct store_disk *m, enum store_call call, uint64_t n);
uint64_t store_disk_calls(struct store_disk *m, enum store_call call); /* so far */
void store_disk_set_free(struct store_disk *m, uint64_t bytes);        /* what info() tells */
/* Holds up commits until released: to see what a queue does meanwhile. */
void store_disk_hold(struct store_disk *m, bool hold);

#endif
