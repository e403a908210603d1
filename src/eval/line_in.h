/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a file, of standard input or of bytes, through gzip or zstd where the bytes are that. A
 * line is borrowed from a block: nothing is copied unless it crosses a block's end. One thread. */
#ifndef EVAL_LINE_IN_H
#define EVAL_LINE_IN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* fuzzers alone: too long is soon reached */
#define LINE_MAX_BYTES ((size_t)2048)
#else
#define LINE_MAX_BYTES ((size_t)32 << 20) /* an event with all arms is 8 MiB at most */
#endif

struct line_in;

/* path "-" is standard input. RC_IO, RC_INVALID (zstd where it was built without), RC_MEMORY. */
int line_in_open(const char *path, struct line_in **ret, struct errinfo *err);
int line_in_bytes(const void *data, size_t len, struct line_in **ret, struct errinfo *err);
void line_in_close(struct line_in *in); /* NULL is fine */
/* The bytes of the next lines, as many as are at hand; nothing is taken. */
int line_in_peek(struct line_in *in, const char **ret, size_t *ret_len, struct errinfo *err);
/* 1: a line without its end, NUL-terminated, that may be written to until the next call; 0: the
 * end. RC_LIMIT: it was longer than LINE_MAX_BYTES and is passed over. RC_IO, RC_CORRUPT: stop. */
int line_in_next(struct line_in *in, char **ret, size_t *ret_len, struct errinfo *err);
uint64_t line_in_number(const struct line_in *in); /* of the line given last, from 1 */
uint64_t line_in_total(const struct line_in *in);  /* bytes of lines so far */

#endif
