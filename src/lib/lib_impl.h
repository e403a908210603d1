/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind bandit.h share. */
#ifndef LIB_LIB_IMPL_H
#define LIB_LIB_IMPL_H

#include <bandit.h>

#include "base/arena.h"
#include "core/experiment.h"

#define LIB_BYTES_MAX ((size_t)2 << 30) /* of what is saved */

struct bandit {
	struct experiment *e;
	struct arena mem; /* of one call */
	uint64_t at_us;   /* 0: the clock's */
};

struct bandit_decision {
	char owner[ID_MAX + 1]; /* the experiment's name */
	uint64_t seq;
	unsigned char *event; /* encoded */
	size_t len;
	struct pending pending;
	double prediction;
	size_t narms;
	struct arena mem; /* holds the two below */
	const char **arm;
	double *propensity;
};

uint64_t lib_now_us(const struct bandit *b);
/* Hands an internal error out; returns rc. */
int lib_fail(int rc, const struct errinfo *why, struct bandit_error *err);
int lib_apply(struct bandit *b, const struct event *ev, struct errinfo *err);
/* From an event that was applied to b, with nothing known yet of what came of it. */
int lib_decision_new(struct bandit *b, const struct event *ev, struct bandit_decision **ret);
/* The frame of saved bytes: a word of four letters, content, crc32 of both. NULL, 0: failed. */
void lib_frame_begin(struct buf *out, const char word[4]);
int lib_frame_end(struct buf *out, void **ret, size_t *ret_len);
/* RC_CORRUPT unless it checks; in is then what stands between. */
int lib_frame_open(const void *bytes, size_t len, const char word[4], struct rd *in);

#endif
