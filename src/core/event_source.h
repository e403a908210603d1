/* SPDX-License-Identifier: Apache-2.0 */
/* How fields are read, for event_decode.c and event_stream.c. */
#ifndef CORE_EVENT_SOURCE_H
#define CORE_EVENT_SOURCE_H

#include <math.h>
#include <string.h>

#include "core/event_impl.h"

/* The reader with the arena its pointers come from; an allocation that fails is kept apart from
 * bytes that do not check. */
struct source {
	struct rd *in;
	struct arena *mem;
	bool starved;
};

static inline void *take(struct source *s, size_t count, size_t each)
{
	void *p = arena_array(s->mem, count, each);

	if (!p) {
		s->starved = true;
		rd_fail(s->in);
	}
	return p;
}

static inline const char *get_text(struct source *s, size_t max)
{
	size_t n;
	const char *p = rd_str(s->in, &n);
	char *copy;

	if (s->in->rc || n > max || memchr(p, '\0', n)) {
		rd_fail(s->in);
		return "";
	}
	copy = take(s, n + 1, 1);
	if (!copy) {
		return "";
	}
	memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

static inline const char *get_id(struct source *s)
{
	const char *id = get_text(s, ID_MAX);

	if (!s->in->rc && !id_is_valid(id)) {
		rd_fail(s->in);
	}
	return id;
}

static inline double get_finite(struct source *s)
{
	double v = rd_f64(s->in);

	if (!isfinite(v)) {
		rd_fail(s->in);
	}
	return v;
}

/* An enum or bool of so many values. */
static inline unsigned get_choice(struct source *s, unsigned values)
{
	unsigned v = rd_u8(s->in);

	if (v >= values) {
		rd_fail(s->in);
		return 0;
	}
	return v;
}

static inline uint32_t get_slot(struct source *s)
{
	uint64_t v = rd_var(s->in);

	if (v >= ARMS_MAX) {
		rd_fail(s->in);
		return 0;
	}
	return (uint32_t)v;
}

static inline const struct spec_arm *get_arms(struct source *s, size_t *ret_n)
{
	size_t n = rd_count(s->in, 2);
	struct spec_arm *arms = take(s, n, sizeof(*arms));

	for (size_t i = 0; arms && i < n; i++) {
		arms[i].id = get_id(s);
		arms[i].label = get_text(s, LABEL_MAX);
	}
	*ret_n = n;
	return arms;
}

void event_get_stream(struct source *s, struct event_stream *ret);

#endif
