/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fault.h"

#include <stdatomic.h>

static _Atomic int64_t left; /* allocations until the one that fails */
static _Atomic bool happened, paused;

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_realloc(void *p, size_t n);

void fault_malloc(uint64_t n)
{
	atomic_store(&happened, false);
	atomic_store(&left, (int64_t)n);
}

bool fault_malloc_happened(void)
{
	return atomic_load(&happened);
}

void fault_malloc_pause(bool pause)
{
	atomic_store(&paused, pause);
}

static bool fails(void)
{
	if (atomic_load(&paused) || atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1) {
		return false;
	}
	atomic_store(&happened, true);
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
	return fails() ? NULL : __real_calloc(n, each);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}
