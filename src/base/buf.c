/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define BUF_FIRST 64

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->rc = 0;
}

int buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	unsigned char *data;

	if (b->rc || n <= b->cap - b->len) {
		return b->rc;
	}
	if (n > b->max - b->len) {
		return b->rc = RC_LIMIT;
	}
	while (cap < b->len + n) {
		cap *= 2;
	}
	if (cap > b->max) {
		cap = b->max;
	}
	data = realloc(b->data, cap);
	if (!data) {
		return b->rc = RC_MEMORY;
	}
	b->data = data;
	b->cap = cap;
	return 0;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || buf_reserve(b, n)) {
		return;
	}
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

static void put_le(struct buf *b, uint64_t v, size_t n)
{
	unsigned char le[8];

	for (size_t i = 0; i < n; i++) {
		le[i] = (unsigned char)(v >> (8 * i));
	}
	buf_put(b, le, n);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void buf_put_var(struct buf *b, uint64_t v)
{
	unsigned char le[10];
	size_t n = 0;

	while (v >= 0x80) {
		le[n++] = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	le[n++] = (unsigned char)v;
	buf_put(b, le, n);
}

void buf_put_f64(struct buf *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	buf_put_u64(b, bits);
}

void buf_put_str(struct buf *b, const char *s, size_t n)
{
	buf_put_var(b, n);
	buf_put(b, s, n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_reserve(b, (size_t)n + 1)) {
		return;
	}
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

unsigned char *buf_take(struct buf *b, size_t *ret_len)
{
	unsigned char *data = b->rc ? NULL : b->data;

	*ret_len = data ? b->len : 0;
	if (!data) {
		free(b->data);
	}
	buf_init(b, b->max);
	return data;
}

void rd_init(struct rd *r, const void *p, size_t n)
{
	*r = (struct rd){.p = p, .end = (const unsigned char *)p + n};
}

size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

void rd_fail(struct rd *r)
{
	r->rc = RC_CORRUPT;
	r->p = r->end;
}

const void *rd_bytes(struct rd *r, size_t n)
{
	const void *p = r->p;

	if (r->rc || n > rd_left(r)) {
		rd_fail(r);
		return NULL;
	}
	r->p += n;
	return p;
}

static uint64_t get_le(struct rd *r, size_t n)
{
	const unsigned char *p = rd_bytes(r, n);
	uint64_t v = 0;

	if (!p) {
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		v |= (uint64_t)p[i] << (8 * i);
	}
	return v;
}

uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)get_le(r, 1);
}

uint32_t rd_u32(struct rd *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
	return get_le(r, 8);
}

uint64_t rd_var(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = rd_u8(r);

		if (r->rc) {
			return 0;
		}
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1)) {
				break;
			}
			return v;
		}
	}
	rd_fail(r);
	return 0;
}

double rd_f64(struct rd *r)
{
	uint64_t bits = rd_u64(r);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

const char *rd_str(struct rd *r, size_t *ret_len)
{
	size_t n = rd_count(r, 1);
	const char *s = rd_bytes(r, n);

	*ret_len = s ? n : 0;
	return s;
}

size_t rd_count(struct rd *r, size_t each)
{
	uint64_t n = rd_var(r);

	if (r->rc || n > rd_left(r) / each) {
		rd_fail(r);
		return 0;
	}
	return (size_t)n;
}
