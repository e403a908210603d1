/* SPDX-License-Identifier: Apache-2.0 */
#include "json/memory.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"

#define FIRST_GROWTH 32 /* the buffer of a token has 16 bytes and doubles */
#define SLACK 512       /* for the few nodes that are as large as a growth */

/* jansson hands nothing of ours to its allocator: hence a variable, one per thread. */
static _Thread_local struct {
	unsigned char *reserve;
	size_t size, used;
	bool failed;
} parse;

/* Sizes of growths are powers of two. Others may fail: jansson notices those. */
static void *from_reserve(size_t n)
{
	unsigned char *p = parse.reserve + parse.used;

	if (n < FIRST_GROWTH || (n & (n - 1)) || !parse.reserve || n > parse.size - parse.used) {
		return NULL;
	}
	parse.used += n;
	return p;
}

static void *allocate(size_t n)
{
	void *p = malloc(n);

	if (!p) {
		parse.failed = true;
		p = from_reserve(n);
	}
	return p;
}

static void release(void *p)
{
	uintptr_t at = (uintptr_t)p, from = (uintptr_t)parse.reserve;

	if (!parse.reserve || at < from || at >= from + parse.size) {
		free(p);
	}
}

void json_memory_init(void)
{
	json_set_alloc_funcs(allocate, release);
}

int json_memory_begin(size_t longest)
{
	if (longest > SIZE_MAX / 8) {
		return RC_MEMORY;
	}
	parse.size = 4 * longest + SLACK;
	parse.used = 0;
	parse.failed = false;
	parse.reserve = malloc(parse.size);
	return parse.reserve ? 0 : RC_MEMORY;
}

bool json_memory_failed(void)
{
	return parse.failed;
}

void json_memory_end(void)
{
	free(parse.reserve);
	parse.reserve = NULL;
}
