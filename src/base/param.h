/* SPDX-License-Identifier: Apache-2.0 */
/* Settings described by a table: bounds, default, help. One table serves the policy's parameters,
 * the configuration file, the command line, GET /v1/policies and the manual, so they cannot differ.
 * A table ends with an entry whose name is NULL. A value lives in a struct at `offset`. */
#ifndef BASE_PARAM_H
#define BASE_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum param_type {
	PARAM_F64,    /* double */
	PARAM_INT,    /* int64_t */
	PARAM_BOOL,   /* bool; min, max unused, dflt 0 or 1 */
	PARAM_CHOICE, /* int: index into choices */
	PARAM_TEXT,   /* const char *; a configuration value, never a policy's */
	PARAM_LIST,   /* struct param_list; empty unless given; min, max bound each number */
};

enum {
	PARAM_OPEN_MIN = 1, /* min itself is outside */
	PARAM_OPEN_MAX = 2,
	PARAM_UNSET = 4,    /* the default is "not given", stored as NaN (F64 only) */
	PARAM_RELOAD = 8,   /* configuration: SIGHUP changes it */
	PARAM_BYTES = 16,   /* INT: text may end in KiB, MiB or GiB */
	PARAM_MS = 32,      /* INT, milliseconds: text may end in ms, s, min or h */
	PARAM_PATH = 64,    /* TEXT: "" or an absolute path */
	PARAM_LISTEN = 128, /* TEXT: an address; unix: is followed by an absolute path */
	PARAM_CHANGE = 256, /* of a policy: PATCH changes it */
	PARAM_LATER =
	    512 /* of a policy: states of before are without it; so is its default saved */
};

struct param_desc {
	const char *name;
	enum param_type type;
	size_t offset;
	double min, max, dflt;
	unsigned flags;
	/* Ends with NULL; of PARAM_CHOICE. PARAM_F64, optional: the one word that may stand for a
	 * number, stored as NaN; with PARAM_UNSET it is the default. */
	const char *const *choices;
	const char *text; /* one sentence; PARAM_TEXT: its default follows in dflt_text */
	const char *dflt_text;
};

/* Numbers, or rows of equally many; finite. */
#define PARAM_LIST_MAX 524288
struct param_list {
	const double *v; /* row after row */
	size_t n;        /* 0: not given */
	size_t width;    /* of a row; 0: one plain list */
};

const struct param_desc *param_find(const struct param_desc *table, const char *name);
/* Writes every default into base. */
void param_defaults(const struct param_desc *table, void *base);
/* RC_INVALID with the bounds in err (code "out_of_range" or "wrong_type", at pointer). */
int param_set_number(
    const struct param_desc *d, void *base, double v, const char *pointer, struct errinfo *err);
int param_set_bool(
    const struct param_desc *d, void *base, bool v, const char *pointer, struct errinfo *err);
/* Keeps the pointer: the caller owns the numbers for as long. */
int param_set_list(const struct param_desc *d, void *base, const struct param_list *list,
    const char *pointer, struct errinfo *err);
const struct param_list *param_get_list(const struct param_desc *d, const void *base);
/* From text: a number with an optional unit (as PARAM_BYTES and PARAM_MS say), true/false, a
 * choice; used by the short form of the command line and by the configuration file. A PARAM_TEXT
 * keeps the pointer: the caller owns the text for as long. */
int param_set_text(const struct param_desc *d, void *base, const char *text, const char *pointer,
    struct errinfo *err);
/* The value as a number (choices: the index, bool: 0 or 1; a list: how many, NaN when not given).
 * Not for PARAM_TEXT. */
double param_get(const struct param_desc *d, const void *base);
/* The value as text: the choice's name, shortest number that reads back the same, "" when unset. */
#define PARAM_TEXT_MAX 32
const char *param_format(
    const struct param_desc *d, const void *base, char scratch[PARAM_TEXT_MAX]);

#endif
