/* SPDX-License-Identifier: Apache-2.0 */
/* Names, numbered as they come: one block an arm, and an open table of numbers. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/spec.h"
#include "eval/log_read.h"

#define FIRST 64 /* a power of two */

struct log_arms {
	char (*id)[ID_MAX + 1];
	uint32_t n, cap;
	uint32_t *table; /* 2 * cap: number + 1, 0 free */
	unsigned char key[HASH_KEY_BYTES];
};

int log_arms_new(struct log_arms **ret)
{
	struct log_arms *t = calloc(1, sizeof(*t));

	if (!t) {
		return RC_MEMORY;
	}
	t->cap = FIRST;
	t->id = calloc(FIRST, sizeof(*t->id));
	t->table = calloc((size_t)2 * FIRST, sizeof(*t->table));
	if (!t->id || !t->table) {
		log_arms_free(t);
		return RC_MEMORY;
	}
	hash_random(t->key, sizeof(t->key));
	*ret = t;
	return 0;
}

void log_arms_free(struct log_arms *t)
{
	if (t) {
		free(t->id);
		free(t->table);
		free(t);
	}
}

uint32_t log_arms_count(const struct log_arms *t)
{
	return t->n;
}

const char *log_arms_id(const struct log_arms *t, uint32_t arm)
{
	return t->id[arm];
}

/* Where it stands, or would stand. */
static uint32_t *place(const struct log_arms *t, const char *name, size_t len)
{
	uint32_t mask = 2 * t->cap - 1, i = (uint32_t)hash_keyed(t->key, name, len) & mask;

	while (t->table[i]) {
		const char *id = t->id[t->table[i] - 1];

		if (memcmp(id, name, len) == 0 && id[len] == '\0') {
			break;
		}
		i = (i + 1) & mask;
	}
	return &t->table[i];
}

static int grow(struct log_arms *t)
{
	uint32_t *table = calloc((size_t)4 * t->cap, sizeof(*table));
	void *id = table ? realloc(t->id, (size_t)2 * t->cap * sizeof(*t->id)) : NULL;

	if (!id) {
		free(table);
		return RC_MEMORY;
	}
	free(t->table);
	t->id = id;
	t->table = table;
	t->cap *= 2;
	for (uint32_t i = 0; i < t->n; i++) {
		*place(t, t->id[i], strlen(t->id[i])) = i + 1;
	}
	return 0;
}

int log_arms_put(struct log_arms *t, const char *name, size_t len, uint32_t *ret)
{
	char id[ID_MAX + 1];
	uint32_t *at;
	int rc;

	if (len == 0 || len > ID_MAX) {
		return RC_INVALID;
	}
	at = place(t, name, len);
	if (*at) {
		*ret = *at - 1;
		return 0;
	}
	memcpy(id, name, len);
	id[len] = '\0';
	if (!id_is_valid(id)) {
		return RC_INVALID;
	}
	if (t->n == ARMS_MAX) {
		return RC_LIMIT;
	}
	if (t->n == t->cap) {
		rc = grow(t);
		if (rc) {
			return rc;
		}
		at = place(t, name, len);
	}
	memcpy(t->id[t->n], id, len + 1);
	*at = t->n + 1;
	*ret = t->n++;
	return 0;
}

uint32_t log_arms_find(const struct log_arms *t, const char *name)
{
	size_t len = strlen(name);

	return len > ID_MAX ? LOG_ARM_NONE : *place(t, name, len) - 1; /* 0 - 1: none */
}
