/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the memory that the program's own objects take, and fails an allocation on demand. Works
 * by the linker's --wrap; what shared libraries take among themselves is not seen. One thread. */
#ifndef TESTS_UNIT_ALLOC_H
#define TESTS_UNIT_ALLOC_H

#include <stddef.h>

/* From here on only what is allocated from here on counts. */
void alloc_start(void);
size_t alloc_bytes(void);  /* asked for and not freed yet */
size_t alloc_blocks(void); /* how many those are */
/* The n-th allocation from now (1: the next) fails, once; 0: none. */
void alloc_fail_at(size_t n);

#endif
