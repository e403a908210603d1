/* SPDX-License-Identifier: Apache-2.0 */
/* Who was shown what, and when. A subject needs only its pulls of the last d_max periods: all its
 * other arms are at d_max, as if they had never been pulled. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "policies/recovering_impl.h"

/* Equal on every machine, for it stands in the state; names that collide cannot be chosen. */
uint64_t rec_subject_key(const char *name)
{
	unsigned char digest[HASH_DIGEST_BYTES];
	struct rd in;

	hash_digest(name, strlen(name), digest);
	rd_init(&in, digest, sizeof(digest));
	return rd_u64(&in);
}

/* The place of the key among the subjects, or where it would be. */
static size_t place_of(const struct recovering *r, uint64_t key)
{
	size_t lo = 0, hi = r->nsubjects, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r->subject[mid]->key < key) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

struct rec_subject *rec_subject_find(const struct recovering *r, uint64_t key)
{
	size_t at = place_of(r, key);

	return at < r->nsubjects && r->subject[at]->key == key ? r->subject[at] : NULL;
}

/* At this tick all its arms are at d_max. A subject whose periods are its own decisions does not
 * recover by staying away. */
static bool is_recovered(const struct recovering *r, const struct rec_subject *s, uint64_t tick)
{
	uint64_t gone = tick > s->time.base ? tick - s->time.base : 0;

	return r->params->clock == REC_TICK && gone >= s->time.t && gone - s->time.t >= r->d_max;
}

bool rec_subject_fits(const struct recovering *r, uint64_t key, uint64_t tick)
{
	if (r->npulls + r->k <= REC_PULLS_MAX &&
	    (r->nsubjects < REC_SUBJECTS_MAX || rec_subject_find(r, key))) {
		return true;
	}
	for (size_t i = 0; i < r->nsubjects; i++) {
		if (r->subject[i]->key != key && is_recovered(r, r->subject[i], tick) &&
		    (r->npulls + r->k <= REC_PULLS_MAX || r->subject[i]->n >= r->k)) {
			return true;
		}
	}
	return false;
}

void rec_subject_free(struct rec_subject *s)
{
	if (s) {
		free(s->recent);
		free(s);
	}
}

void rec_subject_drop_recovered(struct recovering *r, uint64_t key, uint64_t tick)
{
	size_t kept = 0;

	if (r->npulls + r->k <= REC_PULLS_MAX && r->nsubjects < REC_SUBJECTS_MAX) {
		return;
	}
	for (size_t i = 0; i < r->nsubjects; i++) {
		if (r->subject[i]->key != key && is_recovered(r, r->subject[i], tick)) {
			r->npulls -= r->subject[i]->n;
			rec_subject_free(r->subject[i]);
		} else {
			r->subject[kept++] = r->subject[i];
		}
	}
	r->nsubjects = kept;
}

static int reserve_recent(struct rec_subject *s, size_t more)
{
	size_t cap = s->cap ? s->cap : 4;
	struct rec_recent *grown;

	if (s->n + more <= s->cap) {
		return 0;
	}
	while (cap < s->n + more) {
		cap *= 2;
	}
	grown = realloc(s->recent, cap * sizeof(*grown));
	if (!grown) {
		return RC_MEMORY;
	}
	s->recent = grown;
	s->cap = cap;
	return 0;
}

int rec_subject_reserve(struct recovering *r, uint64_t key)
{
	struct rec_subject *s = rec_subject_find(r, key), **grown;
	size_t cap = r->subjects_cap ? 2 * r->subjects_cap : 16;

	if (s) {
		return reserve_recent(s, r->k);
	}
	if (r->nsubjects + 1 > r->subjects_cap) {
		grown = realloc(r->subject, cap * sizeof(struct rec_subject *));
		if (!grown) {
			return RC_MEMORY;
		}
		r->subject = grown;
		r->subjects_cap = cap;
	}
	if (!r->spare) {
		r->spare = calloc(1, sizeof(*r->spare));
	}
	return r->spare ? reserve_recent(r->spare, r->k) : RC_MEMORY;
}

struct rec_subject *rec_subject_add(struct recovering *r, uint64_t key)
{
	struct rec_subject *s = r->spare;
	size_t at = place_of(r, key);

	r->spare = NULL;
	s->key = key;
	memmove(&r->subject[at + 1], &r->subject[at], (r->nsubjects - at) * sizeof(*r->subject));
	r->subject[at] = s;
	r->nsubjects++;
	return s;
}

static size_t recent_place(const struct rec_subject *s, uint32_t slot)
{
	size_t lo = 0, hi = s->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->recent[mid].slot < slot) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

uint64_t rec_last(const struct recovering *r, const struct rec_subject *s, uint32_t slot)
{
	size_t at;

	if (r->params->scope == REC_GLOBAL) {
		return r->arm[slot].last;
	}
	at = s ? recent_place(s, slot) : 0;
	return s && at < s->n && s->recent[at].slot == slot ? s->recent[at].last : REC_NEVER;
}

void rec_set_last(struct recovering *r, struct rec_subject *s, uint32_t slot, uint64_t last)
{
	size_t at;
	bool there;

	if (r->params->scope == REC_GLOBAL) {
		r->arm[slot].last = last;
		return;
	}
	at = recent_place(s, slot);
	there = at < s->n && s->recent[at].slot == slot;
	if (there && last != REC_NEVER) {
		s->recent[at].last = last;
	} else if (there) {
		s->n--;
		r->npulls--;
		memmove(&s->recent[at], &s->recent[at + 1], (s->n - at) * sizeof(*s->recent));
	} else if (last != REC_NEVER && s->n < s->cap) {
		memmove(&s->recent[at + 1], &s->recent[at], (s->n - at) * sizeof(*s->recent));
		s->recent[at] = (struct rec_recent){slot, last};
		s->n++;
		r->npulls++;
	}
}

void rec_forget_old(struct recovering *r, struct rec_subject *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->time.t - s->recent[i].last < r->d_max) {
			s->recent[kept++] = s->recent[i];
		}
	}
	r->npulls -= s->n - kept;
	s->n = kept;
}
