/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define PLACES 4096 /* blocks remembered at a time */

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t each);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t each);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static struct {
	void *p;
	size_t n;
} block[PLACES];
static size_t bytes, blocks, fail_at;
static bool counting;

void alloc_start(void)
{
	for (size_t i = 0; i < PLACES; i++) {
		block[i].p = NULL;
	}
	bytes = blocks = fail_at = 0;
	counting = true;
}

size_t alloc_bytes(void)
{
	return bytes;
}

size_t alloc_blocks(void)
{
	return blocks;
}

void alloc_fail_at(size_t n)
{
	fail_at = n;
}

static bool fails(void)
{
	if (counting && fail_at && --fail_at == 0) {
		return true;
	}
	return false;
}

static void *took(void *p, size_t n)
{
	if (!counting || !p) {
		return p;
	}
	for (size_t i = 0; i < PLACES; i++) {
		if (!block[i].p) {
			block[i].p = p;
			block[i].n = n;
			bytes += n;
			blocks++;
			return p;
		}
	}
	ck_abort_msg("more blocks than alloc.c remembers");
	return NULL;
}

static void gave(uintptr_t p)
{
	for (size_t i = 0; counting && p && i < PLACES; i++) {
		if ((uintptr_t)block[i].p == p) {
			bytes -= block[i].n;
			blocks--;
			block[i].p = NULL;
			return;
		}
	}
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : took(__real_malloc(n), n);
}

void *__wrap_calloc(size_t count, size_t each)
{
	return fails() ? NULL : took(__real_calloc(count, each), count * each);
}

void *__wrap_realloc(void *p, size_t n)
{
	uintptr_t old = (uintptr_t)p;
	void *q;

	if (fails()) {
		return NULL;
	}
	q = __real_realloc(p, n);
	if (q) {
		gave(old);
		took(q, n);
	}
	return q;
}

void __wrap_free(void *p)
{
	gave((uintptr_t)p);
	__real_free(p);
}
