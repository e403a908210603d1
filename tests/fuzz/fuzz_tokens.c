/* SPDX-License-Identifier: Apache-2.0 */
/* Token files, and the header that a client sends against them. The first line is the header, the
 * rest the file: it is refused with its line, or its tokens are sound, and whoever is let in sent a
 * token whose digest stands in it. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fuzz.h"
#include "memory_file.h"
#include "serve/auth.h"

/* The digest of "bdt_" and 43 times "A", which the corpus has in its files. */
static const char known[] = "bearer bdt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static void ask(struct auth *a, const char *header)
{
	unsigned char digest[AUTH_DIGEST_BYTES];
	struct auth_token *t = auth_digest(header, digest) ? auth_find(a, digest, 1000) : NULL;

	if (t) {
		FUZZ_HOLDS(strlen(header) >= strlen(known));
		FUZZ_HOLDS(t->name[0] && strlen(t->name) <= AUTH_NAME_MAX && t->scopes);
		FUZZ_HOLDS(t->npatterns <= AUTH_PATTERNS_MAX);
		FUZZ_HOLDS(t->npatterns || auth_sees(t, "x"));
		auth_sees(t, "");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	size_t head = nl ? (size_t)(nl - data) : size;
	struct errinfo err = {.rc = 0};
	struct auth *a = NULL;
	const char *path;
	char *header;

	FUZZ_HOLDS(hash_init() == 0);
	path = memory_file(nl ? nl + 1 : data, nl ? size - head - 1 : 0);
	if (auth_load(path, &a, &err)) {
		FUZZ_HOLDS(err.rc && err.code && err.text[0]);
		FUZZ_HOLDS(strncmp(err.pointer, path, strlen(path)) == 0);
		return 0;
	}
	header = malloc(head + 1);
	FUZZ_HOLDS(header != NULL);
	memcpy(header, data, head);
	header[head] = '\0';
	ask(a, header);
	free(header);
	ask(a, known);
	auth_free(a);
	return 0;
}
