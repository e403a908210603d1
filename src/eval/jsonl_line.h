/* SPDX-License-Identifier: Apache-2.0 */
/* One line of our own log, as far as rounds need it. Two readers give the same: a fast one for
 * lines as they are written by bandit export, and one through a JSON library for all others. */
#ifndef EVAL_JSONL_LINE_H
#define EVAL_JSONL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum jsonl_kind { JSONL_OTHER, JSONL_CREATE, JSONL_DECISION, JSONL_REWARD, JSONL_END };

struct jsonl_text {
	const char *p; /* not terminated */
	size_t n;
};

/* Propensities that were read before, by their texts, and the last minute. One thread; zeroed to
 * start. */
#define JSONL_NUMBERS 64
#define JSONL_MINUTE (sizeof("2026-01-31T08:00:") - 1)
struct jsonl_known {
	struct jsonl_number {
		char text[24];
		size_t n;
		double value;
	} number[JSONL_NUMBERS];
	char minute[JSONL_MINUTE];
	uint64_t minute_us;
};

struct jsonl_line {
	enum jsonl_kind kind; /* JSONL_END: an expiry or a void */
	struct jsonl_text experiment, arm;
	uint64_t seq, ref, at_us;
	double propensity, reward, learnt;
	bool has_learnt, pending, is_void, minimise;
	size_t picks;
	struct jsonl_text *ids; /* eligible; buffers of the caller's */
	double *x;
	size_t nids, nx, ids_cap, x_cap;
	struct jsonl_known *known; /* of the caller's, or NULL */
};

void jsonl_line_release(struct jsonl_line *l);
/* true: read. false: not of the very shape that is written; it says nothing of what is wrong. */
bool jsonl_fast(const char *text, size_t n, struct jsonl_line *ret);
/* 0; RC_INVALID with *ret_why, *ret_twice: a key stands twice; RC_MEMORY. Texts lie in *keep. */
int jsonl_slow(const char *text, size_t n, struct jsonl_line *ret, struct buf *keep,
    const char **ret_why, bool *ret_twice);
/* Room for one more. RC_MEMORY. */
int jsonl_add_id(struct jsonl_line *l, const char *p, size_t n);
int jsonl_add_x(struct jsonl_line *l, double v);

#endif
