/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy remembers of each subject: records of one size under the digest of the subject's
 * name, in the order in which the subjects were last seen. Names themselves are not kept. A
 * function of the calls alone. Find O(1), touch and drop O(1); adding a subject moves memory now
 * and then. */
#ifndef CORE_SUBJECTS_H
#define CORE_SUBJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SUBJECTS_MOST 100000000 /* in one map */
#define SUBJECT_KEY_BYTES 16
#define SUBJECT_SAVED_MIN (SUBJECT_KEY_BYTES + 1) /* bytes that subjects_put() writes at least */

struct subject_key {
	unsigned char byte[SUBJECT_KEY_BYTES];
};

struct subjects;

struct subject_key subject_key(const char *subject);

/* Records of `size` bytes, for at most `most` subjects. RC_MEMORY. */
int subjects_new(size_t size, size_t most, struct subjects **ret);
void subjects_free(struct subjects *s); /* NULL is fine; what records own is the caller's */
/* Room for n subjects in all. RC_LIMIT beyond `most`, RC_MEMORY; nothing changed. */
int subjects_reserve(struct subjects *s, size_t n);
size_t subjects_bytes(size_t size, size_t n); /* of n subjects, at most */
size_t subjects_count(const struct subjects *s);

/* Records stay where they are until the next reserve. NULL when there is none. */
void *subjects_find(const struct subjects *s, const struct subject_key *key);
/* The subject was seen just now, not before any other; a new one, for which there must be room, has
 * a record of zeros. */
void *subjects_touch(struct subjects *s, const struct subject_key *key, uint64_t at_us);
void subjects_drop(struct subjects *s, void *record);

uint64_t subjects_seen_us(const struct subjects *s, const void *record);
/* In the order of last sight, the longest ago first; NULL at the end. */
void *subjects_oldest(const struct subjects *s);
void *subjects_next(const struct subjects *s, const void *record);

/* Key and time of a record; the caller writes the record's content. Loading puts them back in the
 * same order: NULL and in->rc RC_CORRUPT when they cannot have been written. Reserve first. */
void subjects_put(const struct subjects *s, const void *record, struct buf *out);
void *subjects_get(struct subjects *s, struct rd *in);

#endif
