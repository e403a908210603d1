/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded writer and a bounded reader of bytes. Numbers are little-endian. Both are sticky: after
 * the first failure every call does nothing, so a caller checks once, at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

/* The writer. `data` and `len` may be read; everything else is its own. */
struct buf {
	unsigned char *data;
	size_t len, cap, max;
	int rc; /* 0, RC_MEMORY or RC_LIMIT */
};

/* Nothing is allocated before the first byte. At most max bytes are ever held. */
void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
void buf_reset(struct buf *b); /* forgets content and error, keeps the memory */
/* Makes room for n more bytes, so that puts of n bytes cannot fail. Returns b->rc. */
int buf_reserve(struct buf *b, size_t n);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_var(struct buf *b, uint64_t v); /* LEB128, 1 to 10 bytes */
void buf_put_f64(struct buf *b, double v);
void buf_put_str(struct buf *b, const char *s, size_t n); /* length as varint, then the bytes */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Hands the bytes over (caller frees), NULL when empty or failed; b is as after buf_init. */
unsigned char *buf_take(struct buf *b, size_t *ret_len);

/* The reader. It borrows the bytes; strings it returns point into them. */
struct rd {
	const unsigned char *p, *end;
	int rc; /* 0 or RC_CORRUPT */
};

void rd_init(struct rd *r, const void *p, size_t n);
size_t rd_left(const struct rd *r);
const void *rd_bytes(struct rd *r, size_t n); /* NULL after an error */
uint8_t rd_u8(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
uint64_t rd_var(struct rd *r); /* refuses overlong forms: one value has one encoding */
double rd_f64(struct rd *r);
const char *rd_str(struct rd *r, size_t *ret_len); /* not terminated */
/* A count of things that take at least `each` bytes: corrupt when they cannot all be there, so a
 * length field never chooses how much is allocated. */
size_t rd_count(struct rd *r, size_t each);
void rd_fail(struct rd *r);

#endif
