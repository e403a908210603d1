/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/table_csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "eval/table.h"

#define COLS_MAX 4096

/* The whole file and a NUL. */
static int read_file(
    const char *path, struct arena *mem, char **ret, size_t *ret_n, struct errinfo *err)
{
	FILE *f = fopen(path, "rb");
	long size = -1;
	char *text = NULL;
	int rc = RC_IO;

	if (f && fseek(f, 0, SEEK_END) == 0) {
		size = ftell(f);
	}
	if (size > (long)TABLE_BYTES_MAX) {
		rc = err_set(err, RC_INVALID, "too_large", "/csv", "%s: at most %zu bytes", path,
		    TABLE_BYTES_MAX);
	} else if (size >= 0 && fseek(f, 0, SEEK_SET) == 0) {
		text = arena_alloc(mem, (size_t)size + 1);
		rc = !text                                             ? RC_MEMORY
		     : fread(text, 1, (size_t)size, f) == (size_t)size ? 0
								       : RC_IO;
	}
	if (rc == RC_IO) {
		err_set(err, rc, "io", "/csv", "%s: %s", path, strerror(errno));
	}
	if (f) {
		fclose(f);
	}
	if (rc == 0) {
		text[size] = '\0';
		*ret = text;
		*ret_n = (size_t)size;
	}
	return rc;
}

/* One field, unquoted where it stands. What ended it is in *ret_end: ',', '\n' or, at the end of
 * the text, 0. */
static char *take_field(char **at, const char *end, char *ret_end)
{
	char *from = *at, *to = *at, *start = *at;
	bool quoted = from < end && *from == '"';

	from += quoted;
	while (from < end && (quoted || (*from != ',' && *from != '\n'))) {
		if (quoted && *from == '"') {
			from++;
			if (from < end && *from == '"') {
				*to++ = *from++;
			} else {
				quoted = false;
			}
		} else {
			*to++ = *from++;
		}
	}
	*ret_end = from < end ? *from : '\0';
	*at = from < end ? from + 1 : from;
	if (*ret_end != ',' && to > start && to[-1] == '\r') {
		to--;
	}
	*to = '\0';
	return start;
}

static size_t count_lines(const char *text, size_t n)
{
	size_t lines = 1;

	for (size_t i = 0; i < n; i++) {
		lines += text[i] == '\n';
	}
	return lines;
}

/* One row of at most `most` fields; how many there were. */
static size_t take_row(char **at, const char *end, char **ret, size_t most)
{
	size_t n = 0;
	char stop = ',';

	while (stop == ',') {
		char *field = take_field(at, end, &stop);

		if (n < most) {
			ret[n] = field;
		}
		n++;
	}
	return n;
}

int csv_read(const char *path, struct arena *mem, struct csv *ret, struct errinfo *err)
{
	char *text, *at, *end, **cell, **name = arena_array(mem, COLS_MAX, sizeof(*name));
	size_t n, cols, rows = 0, room;
	int rc = name ? read_file(path, mem, &text, &n, err) : RC_MEMORY;

	if (rc) {
		return rc;
	}
	at = text;
	end = text + n;
	room = count_lines(text, n);
	if (n >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
		at += 3;
	}
	cols = take_row(&at, end, name, COLS_MAX);
	if (cols > COLS_MAX || at == end) {
		return err_set(err, RC_INVALID, "bad_line", "/csv",
		    "%s: needs a row of at most %d names and one of values", path, COLS_MAX);
	}
	cell = arena_array(mem, room, cols * sizeof(*cell));
	if (!cell) {
		return RC_MEMORY;
	}
	for (; at < end; rows++) {
		if (take_row(&at, end, cell + rows * cols, cols) != cols) {
			return err_set(err, RC_INVALID, "bad_line", "/csv",
			    "%s: row %zu does not have %zu fields", path, rows + 1, cols);
		}
	}
	*ret = (struct csv){.name = name, .cell = cell, .cols = cols, .rows = rows};
	return 0;
}
