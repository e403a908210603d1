/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/table_csv.h"
#include "json/bind.h"

#define ARENA_MAX ((size_t)2 << 30)

struct given {
	const json_t *env, *groups;
	const char *csv, *label;
	uint64_t shuffles;
};

struct column {
	const char *name;
	bool number;
	double *value;         /* of a number, per row */
	double least, most;    /* of a number */
	const char **level;    /* of a text: its values in order of appearance */
	uint32_t *at, nlevels; /* per row: which one */
};

struct build {
	struct table *t;
	struct csv csv;
	struct column *column;
	size_t label;
	bool numeric[GROUPS_MAX]; /* the group's condition looks at a number */
	struct errinfo *err;
};

static int read_number(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return *text && !*end && isfinite(*ret) ? 0 : RC_INVALID;
}

static int read_levels(struct build *b, struct column *c, size_t k)
{
	size_t rows = b->t->rows;

	c->level = arena_array(&b->t->mem, TABLE_DIM_MAX, sizeof(*c->level));
	c->at = arena_array(&b->t->mem, rows, sizeof(*c->at));
	if (!c->level || !c->at) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < rows; i++) {
		const char *text = csv_cell(&b->csv, i, k);

		c->at[i] = 0;
		while (c->at[i] < c->nlevels && strcmp(c->level[c->at[i]], text) != 0) {
			c->at[i]++;
		}
		if (c->at[i] == TABLE_DIM_MAX) {
			return err_set(b->err, RC_INVALID, "too_many", "/csv",
			    "column %s has more than %d values that are no numbers", c->name,
			    TABLE_DIM_MAX);
		}
		if (c->at[i] == c->nlevels) {
			c->level[c->nlevels++] = text;
		}
	}
	return 0;
}

static int read_column(struct build *b, size_t k)
{
	struct column *c = &b->column[k];

	c->name = b->csv.name[k];
	c->number = true;
	c->nlevels = 0;
	c->value = arena_array(&b->t->mem, b->t->rows, sizeof(*c->value));
	if (!c->value) {
		return RC_MEMORY;
	}
	for (size_t i = 0; c->number && i < b->t->rows; i++) {
		double *v = &c->value[i];

		c->number = read_number(csv_cell(&b->csv, i, k), v) == 0;
		c->least = i == 0 || *v < c->least ? *v : c->least;
		c->most = i == 0 || *v > c->most ? *v : c->most;
	}
	return c->number ? 0 : read_levels(b, c, k);
}

static double scaled(const struct column *c, size_t row)
{
	return c->most > c->least ? (c->value[row] - c->least) / (c->most - c->least) : 0;
}

static struct column *find_column(const struct build *b, const char *name, size_t n)
{
	for (size_t k = 0; k < b->csv.cols; k++) {
		if (strlen(b->column[k].name) == n && memcmp(b->column[k].name, name, n) == 0) {
			return &b->column[k];
		}
	}
	return NULL;
}

static bool holds(const char *op, int sign)
{
	switch (op[0]) {
	case '<':
		return sign < 0 || (op[1] == '=' && sign == 0);
	case '>':
		return sign > 0 || (op[1] == '=' && sign == 0);
	case '!':
		return sign != 0;
	default:
		return sign == 0;
	}
}

/* Rows that one condition, of n bytes, does not hold for leave the group. */
static int keep_members(struct build *b, size_t g, const char *text, size_t n)
{
	size_t name = strcspn(text, "<>=!"), op, trimmed;
	struct column *c;
	double limit = 0;
	char *value;

	op = name < n && text[name] != '=' && text[name + 1] == '=' ? 2 : 1;
	for (trimmed = name; trimmed > 0 && text[trimmed - 1] == ' '; trimmed--) {
	}
	c = name + op < n ? find_column(b, text, trimmed) : NULL;
	if (!c || (text[name] == '!' && op == 1)) {
		return RC_INVALID;
	}
	name += op;
	name += strspn(text + name, " ");
	value = arena_text(&b->t->mem, text + name, name < n ? n - name : 0);
	if (!value) {
		return RC_MEMORY;
	}
	op = strcspn(text, "<>=!");
	if (c->number ? read_number(value, &limit) != 0 : text[op] == '<' || text[op] == '>') {
		return RC_INVALID;
	}
	b->numeric[g] = b->numeric[g] || c->number;
	for (size_t i = 0; i < b->t->rows; i++) {
		int sign = c->number ? (c->value[i] > limit) - (c->value[i] < limit)
				     : strcmp(c->level[c->at[i]], value);

		b->t->group[g].member[i] = b->t->group[g].member[i] && holds(text + op, sign);
	}
	return 0;
}

static int read_group(struct build *b, const char *name, const json_t *condition)
{
	const char *text = json_string_value(condition), *end;
	size_t g = b->t->ngroups;
	char where[BIND_POINTER_MAX];
	int rc = 0;

	bind_pointer("/groups", name, where);
	if (!text || g == GROUPS_MAX) {
		return err_set(b->err, RC_INVALID, "wrong_type", where,
		    "must be a condition, and there are at most %d", GROUPS_MAX);
	}
	b->t->group[g].name = arena_text(&b->t->mem, name, strlen(name));
	b->t->group[g].member = arena_array(&b->t->mem, b->t->rows, sizeof(bool));
	if (!b->t->group[g].name || !b->t->group[g].member) {
		return RC_MEMORY;
	}
	memset(b->t->group[g].member, 1, b->t->rows);
	b->t->ngroups++;
	for (; rc == 0 && text; text = end ? end + 3 : NULL) {
		end = strstr(text, " & ");
		rc = keep_members(b, g, text, end ? (size_t)(end - text) : strlen(text));
	}
	if (rc == RC_INVALID) {
		return err_set(b->err, rc, "invalid_condition", where,
		    "must be conditions joined by \" & \": a column, one of <= >= < > = !=, and a "
		    "value; texts take = and !=");
	}
	return rc;
}

static size_t count_features(const struct build *b)
{
	size_t n = 0;

	for (size_t k = 0; k < b->csv.cols; k++) {
		if (k != b->label) {
			n += b->column[k].number ? 1 : b->column[k].nlevels;
		}
	}
	for (size_t g = 0; g < b->t->ngroups; g++) {
		n += b->numeric[g];
	}
	return n;
}

static void fill_row(const struct build *b, size_t row, double *x)
{
	for (size_t k = 0; k < b->csv.cols; k++) {
		const struct column *c = &b->column[k];

		if (k == b->label) {
			b->t->y[row] = scaled(c, row);
		} else if (c->number) {
			*x++ = scaled(c, row);
		} else {
			memset(x, 0, c->nlevels * sizeof(*x));
			x[c->at[row]] = 1;
			x += c->nlevels;
		}
	}
	for (size_t g = 0; g < b->t->ngroups; g++) {
		if (b->numeric[g]) {
			*x++ = b->t->group[g].member[row];
		}
	}
}

static int fill(struct build *b)
{
	struct table *t = b->t;

	t->dim = count_features(b);
	if (t->dim < 1 || t->dim > TABLE_DIM_MAX) {
		return err_set(b->err, RC_INVALID, "too_many", "/csv",
		    "the table has %zu features; 1 to %d are allowed", t->dim, TABLE_DIM_MAX);
	}
	t->x = arena_array(&t->mem, t->rows * t->dim, sizeof(*t->x));
	t->y = arena_array(&t->mem, t->rows, sizeof(*t->y));
	if (!t->x || !t->y) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < t->rows; i++) {
		fill_row(b, i, t->x + i * t->dim);
	}
	return 0;
}

static int build(struct build *b, const struct given *given)
{
	const struct column *label;
	const char *name;
	const json_t *condition;
	int rc = csv_read(given->csv, &b->t->mem, &b->csv, b->err);

	if (rc) {
		return rc;
	}
	b->t->rows = b->csv.rows;
	b->column = arena_array(&b->t->mem, b->csv.cols, sizeof(*b->column));
	rc = b->column ? 0 : RC_MEMORY;
	for (size_t k = 0; rc == 0 && k < b->csv.cols; k++) {
		rc = read_column(b, k);
	}
	if (rc) {
		return rc;
	}
	label = find_column(b, given->label, strlen(given->label));
	if (!label || !label->number) {
		return err_set(b->err, RC_INVALID, "unknown_field", "/label",
		    "no column %s with numbers alone", given->label);
	}
	b->label = (size_t)(label - b->column);
	json_object_foreach ((json_t *)(uintptr_t)given->groups, name, condition) {
		rc = rc ? rc : read_group(b, name, condition);
	}
	return rc ? rc : fill(b);
}

int table_read(const json_t *spec, struct table *ret, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {.name = "env", .type = BIND_JSON, .offset = offsetof(struct given, env)},
	    {.name = "csv",
		.type = BIND_TEXT,
		.offset = offsetof(struct given, csv),
		.flags = BIND_REQUIRED,
		.max = 4096},
	    {.name = "label",
		.type = BIND_TEXT,
		.offset = offsetof(struct given, label),
		.flags = BIND_REQUIRED,
		.max = 256},
	    {.name = "groups",
		.type = BIND_JSON,
		.offset = offsetof(struct given, groups),
		.flags = BIND_REQUIRED},
	    {.name = "shuffles",
		.type = BIND_U64,
		.offset = offsetof(struct given, shuffles),
		.min = 1,
		.max = TABLE_SHUFFLES_MAX},
	    {.name = NULL},
	};
	struct given given = {.shuffles = 10};
	struct table t = {.rows = 0};
	struct build b = {.t = &t, .err = err};
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	if (!json_is_object(given.groups)) {
		return err_set(err, RC_INVALID, "wrong_type", "/groups",
		    "must be an object of conditions by the names of groups");
	}
	arena_init(&t.mem, ARENA_MAX);
	rc = build(&b, &given);
	if (rc) {
		table_release(&t);
		return rc;
	}
	t.shuffles = given.shuffles;
	*ret = t;
	return 0;
}

void table_release(struct table *t)
{
	arena_release(&t->mem);
}
