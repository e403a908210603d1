/* SPDX-License-Identifier: Apache-2.0 */
/* The list of experiments as a log of its own, kept under STORE_REGISTRY: which number belongs to
 * which name. An entry is the body of one stored record with seq 1, 2, 3 ... */
#ifndef STORE_REGISTRY_H
#define STORE_REGISTRY_H

#include "base/buf.h"
#include "core/spec.h"

#define REGISTRY_BYTES_MAX 256

enum registry_op { REGISTRY_CREATE = 1, REGISTRY_PURGE = 2 };

struct registry_entry {
	enum registry_op op;
	uint32_t number; /* from 1, never reused */
	const char *name;
	char name_bytes[ID_MAX + 1]; /* decode: name points here */
};

void registry_encode(const struct registry_entry *r, struct buf *out);
/* RC_CORRUPT, RC_VERSION. */
int registry_decode(const void *p, size_t n, struct registry_entry *ret);

/* The fold of the whole list. */
struct registry {
	char **names;     /* by number; NULL: none (0 is the registry itself), or purged */
	uint32_t numbers; /* the next one to be given out */
	uint32_t cap;
	uint64_t seq; /* of the last entry */
};
int registry_init(struct registry *r);     /* RC_MEMORY */
void registry_release(struct registry *r); /* also when zeroed */
/* One more entry; as it was on failure. RC_CORRUPT, also when it does not follow or does not fit
 * those before; RC_VERSION, RC_MEMORY. */
int registry_fold(struct registry *r, uint64_t seq, const void *body, size_t len);

#endif
