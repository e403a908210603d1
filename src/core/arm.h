/* SPDX-License-Identifier: Apache-2.0 */
/* The arms of an experiment: id <-> slot, state, totals. Slots are dense; only a policy with a
 * stream has them used again. */
#ifndef CORE_ARM_H
#define CORE_ARM_H

#include "core/policy.h"
#include "core/spec.h"

#define ARM_NONE UINT32_MAX

struct arm_totals {
	uint64_t decisions, rewards; /* rewards: learnt ones */
	double sum, squares;         /* of those rewards, clipped, in the caller's direction */
};

struct arm {
	uint32_t id, label; /* offsets into names; label 0: none */
	enum arm_state state;
};

struct arms {
	struct arm *arm;
	struct arm_totals *totals;
	uint32_t n, cap;
	uint32_t *active; /* slots, ascending */
	uint32_t nactive;
	uint32_t *table, table_size; /* slot + 1 by hash of id; none for few arms */
	char *names;                 /* NUL-terminated texts; offset 0 is "" */
	uint32_t names_len, names_cap;
	unsigned char key[16]; /* of the hash */
};

void arms_init(struct arms *a, uint64_t seed);
void arms_release(struct arms *a);
/* Room for n more arms with so many bytes of ids and labels. RC_MEMORY: as before. */
int arms_reserve(struct arms *a, size_t n, size_t text_bytes);
/* Reserved before; returns the new slot. */
uint32_t arms_add(struct arms *a, const char *id, const char *label);
/* Room for so many bytes of names, those that nobody has any more given up. RC_MEMORY. */
int arms_reserve_text(struct arms *a, size_t bytes);
/* Reserved before; another arm takes the slot, active and with no totals. */
void arms_replace(struct arms *a, uint32_t slot, const char *id, const char *label);
void arms_set(struct arms *a, uint32_t slot, enum arm_state to);
uint32_t arms_find(const struct arms *a, const char *id); /* slot or ARM_NONE */
const char *arms_id(const struct arms *a, uint32_t slot);
const char *arms_label(const struct arms *a, uint32_t slot); /* "" when none */
void arms_save(const struct arms *a, struct buf *out);
int arms_load(
    struct arms *a, struct rd *in); /* into an initialised, empty a; RC_CORRUPT, RC_MEMORY */
size_t arms_bytes(const struct arms *a);

#endif
