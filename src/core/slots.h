/* SPDX-License-Identifier: Apache-2.0 */
/* How arrays with one entry a slot grow. Doubling keeps the cost of growth constant per slot;
 * memory that was reserved but never written is not resident. */
#ifndef CORE_SLOTS_H
#define CORE_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#define SLOTS_MAX (SIZE_MAX >> 8 < UINT64_C(1) << 31 ? SIZE_MAX >> 8 : (size_t)1 << 31)

/* The power of two to reserve for at least `slots` <= SLOTS_MAX, 8 or more. */
static inline size_t slots_capacity(size_t slots)
{
	size_t n = 8;

	while (n < slots) {
		n *= 2;
	}
	return n;
}

#endif
