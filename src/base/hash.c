/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <sodium.h>
#include <zlib.h>

#include "base/err.h"

_Static_assert(HASH_KEY_BYTES == crypto_shorthash_KEYBYTES, "SipHash key");

int hash_init(void)
{
	return sodium_init() < 0 ? RC_FAILED : 0;
}

uint32_t hash_crc32(uint32_t crc, const void *p, size_t n)
{
	return (uint32_t)crc32_z(crc, p, n);
}

void hash_digest(const void *p, size_t n, unsigned char ret[HASH_DIGEST_BYTES])
{
	crypto_generichash(ret, HASH_DIGEST_BYTES, p, n, NULL, 0);
}

uint64_t hash_keyed(const unsigned char key[HASH_KEY_BYTES], const void *p, size_t n)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t v = 0;

	crypto_shorthash(out, p, n, key);
	for (size_t i = 0; i < sizeof(out); i++) {
		v |= (uint64_t)out[i] << (8 * i);
	}
	return v;
}

void hash_random(void *ret, size_t n)
{
	randombytes_buf(ret, n);
}
