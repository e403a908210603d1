/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: 256 random bits behind "bdt_". The file holds their digests only, one a line:
 *
 *	NAME DIGEST SCOPE[,SCOPE]... [experiment=PATTERN[,PATTERN]...] [expires=TIME]
 *
 * A digest is BLAKE2b of the whole token, keyed with a constant so that it is of no other use; a
 * salt would protect words that people choose, and these are none. Read-only once loaded. */
#ifndef SERVE_AUTH_H
#define SERVE_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "serve/bucket.h"

#define AUTH_TOKENS_MAX 10000
#define AUTH_NAME_MAX 64
#define AUTH_PATTERNS_MAX 16
#define AUTH_LINE_MAX 4096
#define AUTH_DIGEST_BYTES 32
#define AUTH_TOKEN_SIZE 48 /* "bdt_" and 43 letters, and the zero */

enum { AUTH_DECIDE = 1, AUTH_REWARD = 2, AUTH_READ = 4, AUTH_ADMIN = 8 };

struct auth_token {
	char name[AUTH_NAME_MAX + 1];
	unsigned char digest[AUTH_DIGEST_BYTES];
	unsigned scopes;
	char *patterns[AUTH_PATTERNS_MAX]; /* an id, or the beginning of one and '*' */
	size_t npatterns;                  /* 0: all experiments */
	uint64_t expires_us;               /* 0: never */
	struct bucket bucket;
};

struct auth;

/* RC_IO, or RC_INVALID with file and line. */
int auth_load(const char *path, struct auth **ret, struct errinfo *err);
void auth_free(struct auth *a);
size_t auth_count(const struct auth *a);
/* Of the token of "Bearer ..." as it stands in the header; false: that is none of ours. */
bool auth_digest(const char *header, unsigned char ret[AUTH_DIGEST_BYTES]);
/* The token with this digest, valid at this time; NULL: none. */
struct auth_token *auth_find(
    struct auth *a, const unsigned char digest[AUTH_DIGEST_BYTES], uint64_t now_us);
bool auth_sees(const struct auth_token *t, const char *experiment);
/* The bit of a scope's name; 0: no such scope. */
unsigned auth_scope(const char *name, size_t n);
/* One line of the file, without its end. RC_INVALID. */
int auth_parse(char *line, struct auth_token *ret, struct errinfo *err);
void auth_token_release(struct auth_token *t);
/* A new token, and its digest as it stands in the file. */
void auth_make(char ret_token[AUTH_TOKEN_SIZE], char ret_hex[2 * AUTH_DIGEST_BYTES + 1]);

#endif
