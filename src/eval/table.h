/* SPDX-License-Identifier: Apache-2.0 */
/* A CSV file as a regression problem with groups of rows:
 *	{"env":"table","csv":"insurance.csv","label":"charges","shuffles":10,
 *	 "groups":{"young":"age<=35","middle":"age>35 & age<=50","smoker":"smoker=yes"}}
 * The first row names the columns. A column whose values are all numbers becomes one feature,
 * mapped from its range to [0, 1]; any other becomes one indicator per value. A group whose
 * condition looks at a number adds its indicator. The label is mapped to [0, 1]. There is no
 * constant 1: the indicators make up for it, or else the table has it as a column. */
#ifndef EVAL_TABLE_H
#define EVAL_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "core/spec.h"

#define TABLE_BYTES_MAX ((size_t)256 << 20)
#define TABLE_DIM_MAX 512
#define TABLE_SHUFFLES_MAX 1000

struct table_group {
	const char *name;
	bool *member; /* per row */
};

struct table {
	size_t rows, dim, ngroups;
	double *x, *y; /* x: dim entries per row */
	struct table_group group[GROUPS_MAX];
	uint64_t shuffles;
	struct arena mem; /* of everything here */
};

/* RC_INVALID with the pointer or the file and line, RC_IO, RC_LIMIT, RC_MEMORY. */
int table_read(const json_t *spec, struct table *ret, struct errinfo *err);
void table_release(struct table *t);

#endif
