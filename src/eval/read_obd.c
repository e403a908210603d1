/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/read_obd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#define ROW_MAX ((size_t)1 << 20) /* bytes */
#define POSITION_MAX 1e6

enum column { ITEM, POSITION, CLICK, PROPENSITY, TIMESTAMP, COLUMNS };
#define COLUMNS_NEEDED TIMESTAMP
static const char *const column_names[COLUMNS] = {
    "item_id", "position", "click", "propensity_score", "timestamp"};

struct read_obd {
	FILE *f;
	char *path;
	uint64_t line; /* of the next byte */
	struct buf row;
	size_t at[COLUMNS]; /* which field of a row */
	bool has[COLUMNS];
	size_t fields; /* of the header, so of every row */
};

static int refuse(struct errinfo *err, const struct read_obd *r, uint64_t line, const char *why)
{
	char where[160];

	snprintf(where, sizeof(where), "%.120s:%llu", r->path, (unsigned long long)line);
	return err_set(err, RC_INVALID, "bad_line", where, "%s", why);
}

/* The bytes of one row, NUL-terminated, without its end. Quotes open at the start of a field and
 * make line ends a part of it. 1; 0: the end of the file. */
static int raw_row(struct read_obd *r, struct errinfo *err)
{
	uint64_t line = r->line;
	bool quoted = false, start = true, nul = false;
	int c;

	buf_reset(&r->row);
	while ((c = getc_unlocked(r->f)) != EOF) {
		r->line += c == '\n';
		if (c == '\n' && !quoted) {
			break;
		}
		if (c == '"' && (quoted || start)) {
			quoted = !quoted;
			start = !quoted; /* the second of two quotes goes on */
		} else {
			start = !quoted && c == ',';
		}
		nul = nul || c == '\0';
		buf_put_u8(&r->row, (uint8_t)c);
	}
	if (ferror(r->f)) {
		return err_set(err, RC_IO, "cannot_read", r->path, "%s", strerror(errno));
	}
	if (c == EOF && r->row.len == 0 && r->row.rc == 0) {
		return 0;
	}
	while (r->row.len && r->row.data[r->row.len - 1] == '\r') {
		r->row.len--;
	}
	buf_put_u8(&r->row, 0);
	if (r->row.rc == RC_MEMORY) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	return quoted      ? refuse(err, r, line, "a quote is not closed")
	       : nul       ? refuse(err, r, line, "a zero byte")
	       : r->row.rc ? refuse(err, r, line, "a row is longer than 1 MiB")
			   : 1;
}

/* Cuts the field at *p out in place; *p moves on, NULL after the last. NULL: text after a quote. */
static char *cut_field(char **p)
{
	char *field = *p, *to = *p, *from = *p;

	if (*from != '"') {
		from = strchr(field, ',');
		*p = from ? from + 1 : NULL;
		if (from) {
			*from = '\0';
		}
		return field;
	}
	for (from++; *from && (*from != '"' || from[1] == '"'); from++) {
		from += *from == '"';
		*to++ = *from;
	}
	if (*from != '"' || (from[1] != ',' && from[1])) {
		return NULL;
	}
	*p = from[1] ? from + 2 : NULL;
	*to = '\0';
	return field;
}

static int read_header(struct read_obd *r, struct errinfo *err)
{
	int rc = raw_row(r, err);
	char *p = rc == 1 ? (char *)r->row.data : NULL;

	if (p && strncmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
	}
	while (p) {
		char *name = cut_field(&p);

		for (int i = 0; name && i < COLUMNS; i++) {
			if (strcmp(name, column_names[i]) == 0) {
				r->at[i] = r->fields;
				r->has[i] = true;
			}
		}
		if (!name) {
			return refuse(err, r, 1, "text follows a closed quote");
		}
		r->fields++;
	}
	if (rc < 0) {
		return rc;
	}
	for (int i = 0; i < COLUMNS_NEEDED; i++) {
		if (!r->has[i]) {
			char why[80];

			snprintf(why, sizeof(why), "no column %s", column_names[i]);
			return refuse(err, r, 1, why);
		}
	}
	return 0;
}

int read_obd_open(const char *path, struct read_obd **ret, struct errinfo *err)
{
	const char *dot = strrchr(path, '.');
	struct read_obd *r;
	int rc;

	if (!dot || strcmp(dot, ".csv") != 0) {
		return err_set(err, RC_INVALID, "not_csv", path, "only .csv files are read");
	}
	r = calloc(1, sizeof(*r));
	if (!r || !(r->path = strdup(path))) {
		free(r);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	r->line = 1;
	buf_init(&r->row, ROW_MAX);
	r->f = fopen(path, "r");
	rc = r->f ? read_header(r, err)
		  : err_set(err, RC_IO, "cannot_read", path, "%s", strerror(errno));
	if (rc) {
		read_obd_close(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void read_obd_close(struct read_obd *r)
{
	if (r) {
		if (r->f) {
			fclose(r->f);
		}
		buf_release(&r->row);
		free(r->path);
		free(r);
	}
}

/* A finite number in [lo, hi]; *ret as it is otherwise. */
static bool number(const char *text, double lo, double hi, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (!*text || *end || !(v >= lo && v <= hi)) {
		return false;
	}
	*ret = v;
	return true;
}

/* "2019-11-24 00:03:13.442536+00:00", or with a T. */
static bool timestamp(const char *text, uint64_t *ret)
{
	char copy[CLOCK_TEXT_MAX + 8];
	size_t n = strlen(text);

	if (n >= sizeof(copy) || n < 11) {
		return false;
	}
	memcpy(copy, text, n + 1);
	copy[10] = 'T';
	return clock_parse(copy, ret) == 0;
}

static int bind_row(
    const struct read_obd *r, char *const field[COLUMNS], struct obd_row *ret, struct errinfo *err)
{
	double position;

	if (!id_is_valid(field[ITEM])) {
		return refuse(err, r, ret->line, "item_id is not 1-128 of A-Z a-z 0-9 . _ : -");
	}
	memcpy(ret->item, field[ITEM], strlen(field[ITEM]) + 1);
	if (!number(field[POSITION], 0, POSITION_MAX, &position) ||
	    position != (double)(uint64_t)position) {
		return refuse(err, r, ret->line, "position is not a small whole number");
	}
	ret->position = (uint64_t)position;
	if (!number(field[CLICK], 0, 1, &ret->click) || (ret->click != 0 && ret->click != 1)) {
		return refuse(err, r, ret->line, "click is not 0 or 1");
	}
	if (!number(field[PROPENSITY], 0, 1, &ret->propensity) || !(ret->propensity > 0)) {
		return refuse(err, r, ret->line, "propensity_score does not lie in (0, 1]");
	}
	if (r->has[TIMESTAMP] && !timestamp(field[TIMESTAMP], &ret->at_us)) {
		return refuse(err, r, ret->line, "timestamp is not ISO 8601 in UTC");
	}
	return 1;
}

int read_obd_next(struct read_obd *r, struct obd_row *ret, struct errinfo *err)
{
	char *field[COLUMNS] = {NULL}, *p, *text;
	uint64_t line = r->line;
	struct obd_row row = {.line = line};
	size_t n = 0;
	int rc = raw_row(r, err);

	if (rc != 1) {
		return rc;
	}
	for (p = (char *)r->row.data; p; n++) {
		text = cut_field(&p);
		if (!text) {
			return refuse(err, r, line, "text follows a closed quote");
		}
		for (int i = 0; i < COLUMNS; i++) {
			field[i] = r->has[i] && r->at[i] == n ? text : field[i];
		}
	}
	if (n != r->fields) {
		return refuse(err, r, line, "the row has not as many fields as the header");
	}
	rc = bind_row(r, field, &row, err);
	if (rc == 1) {
		*ret = row;
	}
	return rc;
}
