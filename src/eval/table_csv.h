/* SPDX-License-Identifier: Apache-2.0 */
/* A whole CSV file in memory: quoted fields may hold separators, line ends and doubled quotes;
 * every row has as many fields as the first, which names the columns. */
#ifndef EVAL_TABLE_CSV_H
#define EVAL_TABLE_CSV_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct csv {
	char **name, **cell; /* in mem */
	size_t cols, rows;
};

/* RC_INVALID (err says which line), RC_IO, RC_MEMORY. */
int csv_read(const char *path, struct arena *mem, struct csv *ret, struct errinfo *err);

static inline const char *csv_cell(const struct csv *c, size_t row, size_t col)
{
	return c->cell[row * c->cols + col];
}

#endif
