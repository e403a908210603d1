/* SPDX-License-Identifier: Apache-2.0 */
/* A file system in memory under SQLite, with a disk that keeps only what was synced: calls fail on
 * demand, and when the power goes, every write since the last sync of its file is kept, dropped or
 * torn at random, in any combination. Becomes SQLite's default. Any thread. */
#ifndef TESTS_UNIT_FAULT_VFS_H
#define TESTS_UNIT_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_op { FAULT_WRITE, FAULT_SYNC, FAULT_TRUNCATE, FAULT_DELETE, FAULT_OPS };

void fault_vfs_install(void);
void fault_vfs_remove(void); /* SQLite's own is the default again */
void fault_vfs_reset(void);  /* no files, no faults; nothing may be open */
/* The n-th such call from now on fails, and no other; 0: none will. A write leaves half behind. */
void fault_vfs_fail(enum fault_op op, uint64_t n);
bool fault_vfs_happened(void); /* since then */
/* With the n-th call of any such kind from now on the power goes: it and all later ones fail. */
void fault_vfs_cut(uint64_t n);
bool fault_vfs_is_cut(void);
/* The machine starts again, when nothing is open any more; seed decides what the disk kept. */
void fault_vfs_power_on(uint64_t seed);
uint64_t fault_vfs_calls(void); /* of all kinds so far */
/* The number of the last such call on a file whose name ends so; 0: none. */
uint64_t fault_vfs_last_call(const char *suffix);

/* SQLite's own allocations: as fault_malloc(). Install it while nothing is open. */
void fault_sqlite_malloc_install(void);
void fault_sqlite_malloc(uint64_t n);
bool fault_sqlite_malloc_happened(void);

#endif
