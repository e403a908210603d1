/* SPDX-License-Identifier: Apache-2.0 */
/* The three hashes, each from a library, each for one use. Thread-safe after hash_init(). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_DIGEST_BYTES 16
#define HASH_KEY_BYTES 16

/* Once, before any thread. RC_FAILED when the library cannot start. */
int hash_init(void);
/* crc32 (zlib), continued from `crc` (0 at first): notices damage on disk. */
uint32_t hash_crc32(uint32_t crc, const void *p, size_t n);
/* BLAKE2b (libsodium): equal states have equal digests. */
void hash_digest(const void *p, size_t n, unsigned char ret[HASH_DIGEST_BYTES]);
/* SipHash-2-4 (libsodium): hash tables and indexes over names that clients choose. */
uint64_t hash_keyed(const unsigned char key[HASH_KEY_BYTES], const void *p, size_t n);
void hash_random(void *ret, size_t n); /* from the kernel */

#endif
