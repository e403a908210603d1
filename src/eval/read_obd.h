/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a log of the Open Bandit Dataset: CSV (RFC 4180) with a header, row by row. Columns are
 * found by name: item_id, position, click and propensity_score are needed, timestamp is read when
 * it is there, all others are skipped. One thread. */
#ifndef EVAL_READ_OBD_H
#define EVAL_READ_OBD_H

#include <stdint.h>

#include "base/err.h"
#include "core/spec.h"

struct obd_row {
	uint64_t line;  /* of the file, where the row begins; 1 is the header */
	uint64_t at_us; /* 0: no such column */
	char item[ID_MAX + 1];
	uint64_t position;
	double click;      /* 0 or 1 */
	double propensity; /* (0, 1] */
};

struct read_obd;

/* path ends in .csv. RC_IO, RC_INVALID (name, header), RC_MEMORY. */
int read_obd_open(const char *path, struct read_obd **ret, struct errinfo *err);
void read_obd_close(struct read_obd *r); /* NULL is fine */
/* 1: a row; 0: the end; RC_INVALID: a row is refused, err says file:line and why: zero err and call
 * again. RC_IO, RC_MEMORY: stop. */
int read_obd_next(struct read_obd *r, struct obd_row *ret, struct errinfo *err);

#endif
