/* SPDX-License-Identifier: Apache-2.0 */
#include "store/registry.h"

#include <string.h>

#define REGISTRY_VERSION 1

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
