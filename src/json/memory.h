/* SPDX-License-Identifier: Apache-2.0 */
/* jansson 2.14 does not look whether the buffer of a token could grow. When it could not, a byte of
 * the token is missing, and if that is its closing quote the parser runs over the end of the next
 * buffer. So a parse has memory for that set aside, and what came out of a parse during which any
 * allocation failed is thrown away. */
#ifndef JSON_MEMORY_H
#define JSON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Once, before any thread and any JSON. Without it jansson has its own way. */
void json_memory_init(void);
/* Before a parse of text whose longest token has so many bytes. RC_MEMORY: do not parse. */
int json_memory_begin(size_t longest);
/* Has any allocation failed since? Then what was parsed must be released before the end. */
bool json_memory_failed(void);
void json_memory_end(void);

#endif
