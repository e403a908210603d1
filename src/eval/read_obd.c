/* SPDX-License-Identifier: Apache-2.0 */
/* The Open Bandit Dataset: CSV (RFC 4180) with a header. Columns are found by name: item_id,
 * position, click and propensity_score are needed, timestamp is read when it is there, all others
 * are skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "eval/log_impl.h"

#define POSITION_MAX 1e6

enum column { ITEM, POSITION, CLICK, PROPENSITY, TIMESTAMP, COLUMNS };
#define COLUMNS_NEEDED TIMESTAMP
static const char *const column_names[COLUMNS] = {
    "item_id", "position", "click", "propensity_score", "timestamp"};

struct text {
	const char *p;
	size_t n;
};

struct obd {
	struct buf row; /* one that takes several lines */
	int *column;    /* of a field, -1: not wanted */
	size_t fields;  /* of the header, so of every row */
	bool has[COLUMNS];
};

/* The bytes of one row without its end. Quotes open at the start of a field and make line ends a
 * part of it. */
static bool quote_is_open(const char *p, size_t n, bool quoted)
{
	bool start = true;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' && (quoted || start)) {
			quoted = !quoted;
			start = !quoted; /* the second of two quotes goes on */
		} else {
			start = !quoted && p[i] == ',';
		}
	}
	return quoted;
}

/* 1, 0, LOG_AGAIN or an error; *ret_line is where the row begins. */
static int raw_row(struct log *l, struct obd *o, char **ret, size_t *ret_len, uint64_t *ret_line,
    struct errinfo *err)
{
	int rc = log_line(l, ret, ret_len, err);

	*ret_line = l->line.number;
	if (rc != 1) {
		return rc;
	}
	if (memchr(*ret, '\0', *ret_len)) {
		return log_refuse(l, LOG_SYNTAX, *ret_line, "a zero byte");
	}
	if (!memchr(*ret, '"', *ret_len) || !quote_is_open(*ret, *ret_len, false)) {
		return 1;
	}
	buf_reset(&o->row);
	buf_put(&o->row, *ret, *ret_len);
	do {
		buf_put_u8(&o->row, '\n');
		rc = log_line(l, ret, ret_len, err);
		if (rc == 0) {
			return log_refuse(l, LOG_SYNTAX, *ret_line, "a quote is not closed");
		}
		if (rc != 1) {
			return rc;
		}
		buf_put(&o->row, *ret, *ret_len);
		if (o->row.rc) {
			return o->row.rc == RC_MEMORY
				   ? err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory")
				   : log_refuse(l, LOG_SYNTAX, *ret_line, "the row is too long");
		}
	} while (quote_is_open((char *)o->row.data, o->row.len, false));
	buf_put_u8(&o->row, 0);
	if (o->row.rc) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	*ret = (char *)o->row.data;
	*ret_len = o->row.len - 1;
	return 1;
}

/* Cuts the field at *p out; *p moves on, NULL after the last. false: text after a quote. */
static bool cut_field(char **p, const char *end, struct text *ret)
{
	char *field = *p, *to = *p, *from;

	if (field == end || *field != '"') {
		from = memchr(field, ',', (size_t)(end - field));
		*p = from ? from + 1 : NULL;
		*ret = (struct text){field, (size_t)((from ? from : end) - field)};
		return true;
	}
	for (from = field + 1; *from && (*from != '"' || from[1] == '"'); from++) {
		from += *from == '"';
		*to++ = *from;
	}
	if (*from != '"' || (from[1] != ',' && from[1])) {
		return false;
	}
	*p = from[1] ? from + 2 : NULL;
	*ret = (struct text){field, (size_t)(to - field)};
	return true;
}

static int bad_header(struct log *l, struct errinfo *err, const char *why, const char *what)
{
	char where[160];

	snprintf(where, sizeof(where), "%.120s:1", l->path);
	return err_set(err, RC_INVALID, "bad_line", where, "%s%s", why, what);
}

static int add_field(struct obd *o, const struct text *name)
{
	int *column = realloc(o->column, (o->fields + 1) * sizeof(*column));

	if (!column) {
		return RC_MEMORY;
	}
	o->column = column;
	column[o->fields] = -1;
	for (int i = 0; i < COLUMNS; i++) {
		if (strlen(column_names[i]) == name->n &&
		    memcmp(column_names[i], name->p, name->n) == 0) {
			column[o->fields] = i;
			o->has[i] = true;
		}
	}
	o->fields++;
	return 0;
}

static int read_header(struct log *l, struct obd *o, struct errinfo *err)
{
	uint64_t line;
	struct text name;
	char *p = NULL, *end;
	size_t n = 0;
	int rc = raw_row(l, o, &p, &n, &line, err);

	if (rc < 0 || rc == LOG_AGAIN) {
		return rc < 0 ? rc : bad_header(l, err, "the header is no row of CSV", "");
	}
	end = p ? p + n : NULL;
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
	}
	while (p) {
		if (!cut_field(&p, end, &name)) {
			return bad_header(l, err, "text follows a closed quote", "");
		}
		if (add_field(o, &name)) {
			return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		}
	}
	for (int i = 0; i < COLUMNS_NEEDED; i++) {
		if (!o->has[i] && !(i == PROPENSITY && l->o.unknown)) {
			return bad_header(l, err, "no column ", column_names[i]);
		}
	}
	return 0;
}

static void obd_close(void *state)
{
	struct obd *o = state;

	if (o) {
		buf_release(&o->row);
		free(o->column);
		free(o);
	}
}

static int obd_open(struct log *l, void **ret, struct errinfo *err)
{
	struct obd *o = calloc(1, sizeof(*o));
	int rc;

	if (!o) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	buf_init(&o->row, LINE_MAX_BYTES);
	rc = read_header(l, o, err);
	if (rc) {
		obd_close(o);
		return rc;
	}
	*ret = o;
	return 0;
}

/* "2019-11-24 00:03:13.442536+00:00", or with a T. */
static bool timestamp(const struct text *t, uint64_t *ret)
{
	char copy[CLOCK_TEXT_MAX + 8];

	if (t->n >= sizeof(copy) || t->n < 11) {
		return false;
	}
	memcpy(copy, t->p, t->n);
	copy[t->n] = '\0';
	copy[10] = 'T';
	return clock_parse(copy, ret) == 0;
}

static int bind_row(struct log *l, const struct obd *o, const struct text f[COLUMNS], uint64_t line,
    struct round *ret, struct errinfo *err)
{
	double position, p = 0;
	bool unknown;
	int rc;

	ret->line = line;
	if (!log_number(f[POSITION].p, f[POSITION].n, &position) ||
	    !(position >= 0 && position <= POSITION_MAX) ||
	    position != (double)(uint32_t)position) {
		return log_refuse(l, LOG_VALUE, line, "position is not a small whole number");
	}
	ret->position = (uint32_t)position;
	if (!log_number(f[CLICK].p, f[CLICK].n, &ret->reward) ||
	    (ret->reward != 0 && ret->reward != 1)) {
		return log_refuse(l, LOG_VALUE, line, "click is not 0 or 1");
	}
	unknown = l->o.unknown && f[PROPENSITY].n == 0;
	if (!unknown && (!log_number(f[PROPENSITY].p, f[PROPENSITY].n, &p) || !(p > 0 && p <= 1))) {
		return log_refuse(
		    l, LOG_PROPENSITY, line, "propensity_score does not lie in (0, 1]");
	}
	if (o->has[TIMESTAMP] && !timestamp(&f[TIMESTAMP], &ret->at_us)) {
		return log_refuse(l, LOG_VALUE, line, "timestamp is not ISO 8601 in UTC");
	}
	rc = log_arms_put(l->arms, f[ITEM].p, f[ITEM].n, &ret->arm);
	if (rc == RC_INVALID) {
		return log_refuse(
		    l, LOG_REFERENCE, line, "item_id is not 1-128 of A-Z a-z 0-9 . _ : -");
	}
	ret->propensity = p;
	ret->has_reward = true;
	return rc ? err_set(err, rc, "too_many", l->path, "%s", err_name(rc)) : 1;
}

static int obd_next(struct log *l, void *state, struct round *ret, struct errinfo *err)
{
	struct text field[COLUMNS] = {{NULL, 0}}, text;
	struct obd *o = state;
	size_t n = 0, len;
	uint64_t line;
	char *p, *end;
	int rc = raw_row(l, o, &p, &len, &line, err);

	if (rc != 1) {
		return rc;
	}
	end = p + len;
	for (; p; n++) {
		if (!cut_field(&p, end, &text)) {
			return log_refuse(l, LOG_SYNTAX, line, "text follows a closed quote");
		}
		if (n < o->fields && o->column[n] >= 0) {
			field[o->column[n]] = text;
		}
	}
	if (n != o->fields) {
		return log_refuse(
		    l, LOG_SYNTAX, line, "the row has not as many fields as the header");
	}
	return bind_row(l, o, field, line, ret, err);
}

static bool obd_probe(const char *bytes, size_t n)
{
	const char *end = memchr(bytes, '\n', n), *p = bytes;

	end = end ? end : bytes + n;
	for (; end - p >= 16; p++) {
		if (memcmp(p, "propensity_score", 16) == 0) {
			return true;
		}
	}
	return false;
}

const struct log_reader read_obd = {
    "obd", obd_probe, obd_open, obd_next, obd_close, {.slot_bytes = 0}};
