/* SPDX-License-Identifier: Apache-2.0 */
#include "store/registry.h"

#include <stdlib.h>
#include <string.h>

#define REGISTRY_VERSION 1
#define NAMES_FIRST 64

void registry_encode(const struct registry_entry *r, struct buf *out)
{
	buf_put_u8(out, REGISTRY_VERSION);
	buf_put_u8(out, (uint8_t)r->op);
	buf_put_var(out, r->number);
	buf_put_str(out, r->name, strlen(r->name));
}

int registry_decode(const void *p, size_t n, struct registry_entry *ret)
{
	struct rd in;
	unsigned version, op;
	uint64_t number;
	const char *name;
	size_t len;

	rd_init(&in, p, n);
	version = rd_u8(&in);
	op = rd_u8(&in);
	number = rd_var(&in);
	name = rd_str(&in, &len);
	if (version > REGISTRY_VERSION) {
		return RC_VERSION;
	}
	if (in.rc || rd_left(&in) || version == 0 || op < REGISTRY_CREATE || op > REGISTRY_PURGE ||
	    number == 0 || number > UINT32_MAX - 1 || len > ID_MAX) {
		return RC_CORRUPT;
	}
	ret->op = (enum registry_op)op;
	ret->number = (uint32_t)number;
	memcpy(ret->name_bytes, name, len);
	ret->name_bytes[len] = '\0';
	ret->name = ret->name_bytes;
	return id_is_valid(ret->name) ? 0 : RC_CORRUPT;
}

int registry_init(struct registry *r)
{
	*r = (struct registry){.names = calloc(NAMES_FIRST, sizeof(*r->names))};
	if (!r->names) {
		return RC_MEMORY;
	}
	r->cap = NAMES_FIRST;
	r->numbers = 1;
	return 0;
}

void registry_release(struct registry *r)
{
	for (uint32_t i = 0; i < r->numbers; i++) {
		free(r->names[i]);
	}
	free(r->names);
	*r = (struct registry){.names = NULL};
}

static int add_name(struct registry *r, const char *name)
{
	char **p;

	if (r->numbers == r->cap) {
		p = realloc(r->names, 2 * (size_t)r->cap * sizeof(*p));
		if (!p) {
			return RC_MEMORY;
		}
		r->names = p;
		r->cap *= 2;
	}
	r->names[r->numbers] = strdup(name);
	return r->names[r->numbers] ? 0 : RC_MEMORY;
}

int registry_fold(struct registry *r, uint64_t seq, const void *body, size_t len)
{
	struct registry_entry entry;
	int rc = registry_decode(body, len, &entry);

	if (rc || seq != r->seq + 1) {
		return rc ? rc : RC_CORRUPT;
	}
	if (entry.op == REGISTRY_CREATE) {
		/* Numbers are given out in order, so a huge one is damage, not a reason to
		 * allocate. */
		rc = entry.number == r->numbers ? add_name(r, entry.name) : RC_CORRUPT;
		r->numbers += rc == 0;
	} else if (entry.number < r->numbers && r->names[entry.number]) {
		free(r->names[entry.number]);
		r->names[entry.number] = NULL;
	} else {
		rc = RC_CORRUPT;
	}
	r->seq = rc ? r->seq : seq;
	return rc;
}
