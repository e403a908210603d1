/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in, strictly: parsed with bounds, bound to a struct by a table of fields. What the table
 * does not name, and what does not fit, is refused by JSON Pointer. */
#ifndef JSON_BIND_H
#define JSON_BIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 32
#define JSON_EXACT_MAX 9007199254740992.0 /* 2^53: beyond it a reader may see another integer */

/* n bytes that need not end in NUL. "invalid_json" with line and column, "duplicate_field". */
int json_parse(const char *text, size_t n, json_t **ret, struct errinfo *err);

enum bind_type {
	BIND_ID,     /* const char *: 1-128 of A-Z a-z 0-9 . _ : - */
	BIND_TEXT,   /* const char *: at most `max` bytes */
	BIND_NUMBER, /* double in [min, max] */
	BIND_U64,    /* uint64_t in [min, max], at most 2^53 */
	BIND_BOOL,   /* bool */
	BIND_CHOICE, /* int: index into `choices` */
	BIND_IDS,    /* struct bind_ids: at most `max` ids */
	BIND_JSON,   /* const json_t *: as it is */
	BIND_FIXED,  /* known, but refused here: "fixed_field" */
};

enum { BIND_REQUIRED = 1, BIND_NULL = 2 /* null is as if absent */ };

struct bind_ids {
	const char *const *id;
	size_t n;
	bool given;
};

struct bind_field {
	const char *name;
	enum bind_type type;
	size_t offset;
	unsigned flags;
	double min, max;
	const char *const *choices;
};

/* Writes the members that are there into base; texts are borrowed from o, lists come from mem.
 * `pointer` is where o stands ("" for the root); the table ends with name NULL. */
int bind_object(const json_t *o, const struct bind_field *table, const char *pointer,
    struct arena *mem, void *base, struct errinfo *err);
/* A number at pointer; finite, and exact when it is an integer. */
int bind_number(const json_t *v, const char *pointer, double *ret, struct errinfo *err);
/* The JSON Pointer (RFC 6901) of member `name` of what is at base; cut where there is no room. */
#define BIND_POINTER_MAX 160
void bind_pointer(const char *base, const char *name, char ret[BIND_POINTER_MAX]);
/* The English name of a JSON type, for messages. */
const char *bind_type_name(const json_t *v);
/* o, or NULL with o released when something could not be put into it (rc, or o itself). */
json_t *bind_whole(json_t *o, int rc);
/* Compact, 17 digits, keys in order of insertion; a copy in mem. RC_LIMIT when longer than max,
 * RC_MEMORY. */
int bind_compact(const json_t *v, size_t max, struct arena *mem, const char **ret);
/* A hash of the value whatever the order of members, numbers by their value; never 0. The same on
 * every machine: it is logged with the event. */
uint64_t bind_fingerprint(const json_t *v);

#endif
