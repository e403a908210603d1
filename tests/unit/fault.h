/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail on demand: those of the objects in the program, not of shared libraries.
 * Link with UNIT_WRAP_MALLOC. Any thread. */
#ifndef TESTS_UNIT_FAULT_H
#define TESTS_UNIT_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The n-th allocation from now on fails, and no other; 0: none will. */
void fault_malloc(uint64_t n);
bool fault_malloc_happened(void);    /* since then */
void fault_malloc_pause(bool pause); /* meanwhile none fails and none is counted */

/* For what makes the faults: never fail by them, are not counted. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_realloc(void *p, size_t n);

#endif
