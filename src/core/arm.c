/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"

#define SCAN_UP_TO 16 /* arms found by comparing ids one after the other; beyond: a hash table */

void arms_init(struct arms *a, uint64_t seed)
{
	struct rng rng = rng_at(seed, 0, RNG_ID);

	*a = (struct arms){.n = 0};
	for (size_t i = 0; i < sizeof(a->key); i++) {
		a->key[i] = (unsigned char)rng_u64(&rng);
	}
}

void arms_release(struct arms *a)
{
	free(a->arm);
	free(a->totals);
	free(a->active);
	free(a->table);
	free(a->names);
}

const char *arms_id(const struct arms *a, uint32_t slot)
{
	return a->names + a->arm[slot].id;
}

const char *arms_label(const struct arms *a, uint32_t slot)
{
	return a->names + a->arm[slot].label;
}

/* Where id stands in the table, or the free place where it would. */
static uint32_t table_place(const struct arms *a, const char *id)
{
	uint32_t mask = a->table_size - 1;
	uint32_t i = (uint32_t)hash_keyed(a->key, id, strlen(id)) & mask;

	while (a->table[i] && strcmp(arms_id(a, a->table[i] - 1), id) != 0) {
		i = (i + 1) & mask;
	}
	return i;
}

uint32_t arms_find(const struct arms *a, const char *id)
{
	if (a->table) {
		return a->table[table_place(a, id)] - 1; /* an empty place is 0: ARM_NONE */
	}
	for (uint32_t slot = 0; slot < a->n; slot++) {
		if (strcmp(arms_id(a, slot), id) == 0) {
			return slot;
		}
	}
	return ARM_NONE;
}

/* A table of at least twice `cap` places; on failure the old one stays. */
static int table_grow(struct arms *a, uint32_t cap)
{
	uint32_t size = 64, *old = a->table, *table;

	if (cap <= SCAN_UP_TO || a->table_size >= 2 * cap) {
		return 0;
	}
	while (size < 2 * cap) {
		size *= 2;
	}
	table = calloc(size, sizeof(*table));
	if (!table) {
		return RC_MEMORY;
	}
	a->table = table;
	a->table_size = size;
	for (uint32_t slot = 0; slot < a->n; slot++) {
		table[table_place(a, arms_id(a, slot))] = slot + 1;
	}
	free(old);
	return 0;
}

static int grow(void **p, size_t cap, size_t each)
{
	void *q = realloc(*p, cap * each);

	if (!q) {
		return RC_MEMORY;
	}
	*p = q;
	return 0;
}

int arms_reserve(struct arms *a, size_t n, size_t text_bytes)
{
	size_t need = a->n + n, cap = a->cap, text = a->names_len + text_bytes + 1;

	if (need > ARMS_MAX || text > UINT32_MAX) {
		return RC_LIMIT;
	}
	if (need > cap) {
		/* Exactly what a creation asks for; doubling when arms come one by one. */
		cap = a->n == 0 || need > 2 * cap ? need : 2 * cap;
		if (grow((void **)&a->arm, cap, sizeof(*a->arm)) ||
		    grow((void **)&a->totals, cap, sizeof(*a->totals)) ||
		    grow((void **)&a->active, cap, sizeof(*a->active))) {
			return RC_MEMORY;
		}
		a->cap = (uint32_t)cap;
	}
	if (text > a->names_cap) {
		size_t twice = 2 * (size_t)a->names_cap;

		text = a->n == 0 || text > twice || twice > UINT32_MAX ? text : twice;
		if (grow((void **)&a->names, text, 1)) {
			return RC_MEMORY;
		}
		a->names_cap = (uint32_t)text;
	}
	return table_grow(a, a->cap);
}

static uint32_t name_add(struct arms *a, const char *text)
{
	size_t n = strlen(text) + 1, at = a->names_len;

	if (n == 1 && at > 0) {
		return 0;
	}
	memcpy(a->names + at, text, n);
	a->names_len += (uint32_t)n;
	return (uint32_t)at;
}

uint32_t arms_add(struct arms *a, const char *id, const char *label)
{
	uint32_t slot = a->n;

	if (a->names_len == 0) {
		name_add(a, "");
	}
	a->arm[slot] = (struct arm){.id = name_add(a, id), .label = name_add(a, label)};
	a->totals[slot] = (struct arm_totals){.decisions = 0};
	if (a->table) {
		a->table[table_place(a, id)] = slot + 1;
	}
	a->n++;
	a->active[a->nactive++] = slot;
	return slot;
}

int arms_reserve_text(struct arms *a, size_t bytes)
{
	size_t live = 1;
	char *old = a->names, *names;

	if (a->names_len + bytes <= a->names_cap) {
		return 0;
	}
	for (uint32_t slot = 0; slot < a->n; slot++) {
		live += strlen(arms_id(a, slot)) + strlen(arms_label(a, slot)) + 2;
	}
	if (2 * live + bytes > UINT32_MAX) {
		return RC_LIMIT;
	}
	names = malloc(2 * live + bytes);
	if (!names) {
		return RC_MEMORY;
	}
	a->names = names;
	a->names_cap = (uint32_t)(2 * live + bytes);
	a->names_len = 0;
	name_add(a, "");
	for (uint32_t slot = 0; slot < a->n; slot++) {
		struct arm *arm = &a->arm[slot];

		arm->id = name_add(a, old + arm->id);
		arm->label = name_add(a, old + arm->label);
	}
	free(old);
	return 0;
}

/* Takes the slot's id out of the table; those that stood behind it for want of its place move up.
 */
static void table_remove(struct arms *a, uint32_t slot)
{
	uint32_t mask = a->table_size - 1, hole = table_place(a, arms_id(a, slot)), i = hole;

	for (;;) {
		uint32_t home;
		const char *id;

		i = (i + 1) & mask;
		if (!a->table[i]) {
			break;
		}
		id = arms_id(a, a->table[i] - 1);
		home = (uint32_t)hash_keyed(a->key, id, strlen(id)) & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			a->table[hole] = a->table[i];
			hole = i;
		}
	}
	a->table[hole] = 0;
}

void arms_replace(struct arms *a, uint32_t slot, const char *id, const char *label)
{
	if (a->table) {
		table_remove(a, slot);
	}
	a->arm[slot].id = name_add(a, id);
	a->arm[slot].label = name_add(a, label);
	a->totals[slot] = (struct arm_totals){.decisions = 0};
	if (a->table) {
		a->table[table_place(a, id)] = slot + 1;
	}
	arms_set(a, slot, ARM_ACTIVE);
}

/* The first place in active whose slot is not below this one. */
static uint32_t active_place(const struct arms *a, uint32_t slot)
{
	uint32_t lo = 0, hi = a->nactive;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (a->active[mid] < slot) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

void arms_set(struct arms *a, uint32_t slot, enum arm_state to)
{
	enum arm_state from = a->arm[slot].state;
	uint32_t i = active_place(a, slot);
	uint32_t *p = a->active + i;

	a->arm[slot].state = to;
	if (from == ARM_ACTIVE && to != ARM_ACTIVE) {
		memmove(p, p + 1, (a->nactive - i - 1) * sizeof(*p));
		a->nactive--;
	} else if (from != ARM_ACTIVE && to == ARM_ACTIVE) {
		memmove(p + 1, p, (a->nactive - i) * sizeof(*p));
		*p = slot;
		a->nactive++;
	}
}

void arms_save(const struct arms *a, struct buf *out)
{
	buf_put_var(out, a->n);
	for (uint32_t slot = 0; slot < a->n; slot++) {
		const struct arm_totals *t = &a->totals[slot];

		buf_put_str(out, arms_id(a, slot), strlen(arms_id(a, slot)));
		buf_put_str(out, arms_label(a, slot), strlen(arms_label(a, slot)));
		buf_put_u8(out, (uint8_t)a->arm[slot].state);
		buf_put_var(out, t->decisions);
		buf_put_var(out, t->rewards);
		buf_put_f64(out, t->sum);
		buf_put_f64(out, t->squares);
	}
}

/* A text of at most max bytes without NULs, terminated in dst. */
static int load_text(struct rd *in, char *dst, size_t max)
{
	size_t n;
	const char *s = rd_str(in, &n);

	if (!s || n > max || memchr(s, '\0', n)) {
		return RC_CORRUPT;
	}
	memcpy(dst, s, n);
	dst[n] = '\0';
	return 0;
}

static int load_one(struct arms *a, struct rd *in)
{
	char id[ID_MAX + 1], label[LABEL_MAX + 1];
	struct arm_totals t;
	unsigned state;
	uint32_t slot;

	if (load_text(in, id, ID_MAX) || load_text(in, label, LABEL_MAX)) {
		return RC_CORRUPT;
	}
	state = rd_u8(in);
	t.decisions = rd_var(in);
	t.rewards = rd_var(in);
	t.sum = rd_f64(in);
	t.squares = rd_f64(in);
	if (in->rc || state > ARM_RETIRED || !id_is_valid(id) || !isfinite(t.sum) ||
	    !isfinite(t.squares) || arms_find(a, id) != ARM_NONE) {
		return RC_CORRUPT;
	}
	slot = arms_add(a, id, label);
	a->totals[slot] = t;
	if (state != ARM_ACTIVE) {
		arms_set(a, slot, (enum arm_state)state);
	}
	return 0;
}

int arms_load(struct arms *a, struct rd *in)
{
	size_t n = rd_count(in, 21); /* the least an arm takes */
	int rc = in->rc ? RC_CORRUPT : arms_reserve(a, n, rd_left(in));

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = load_one(a, in);
	}
	if (rc == 0 && n) { /* what follows in the snapshot was room for names too */
		rc = grow((void **)&a->names, a->names_len, 1);
		a->names_cap = rc ? a->names_cap : a->names_len;
	}
	return rc == RC_LIMIT ? RC_CORRUPT : rc;
}

size_t arms_bytes(const struct arms *a)
{
	return a->cap * (sizeof(*a->arm) + sizeof(*a->totals) + sizeof(*a->active)) +
	       a->table_size * sizeof(*a->table) + a->names_cap;
}
