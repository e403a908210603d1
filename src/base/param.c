/* SPDX-License-Identifier: Apache-2.0 */
#include "base/param.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INT_EXACT 9007199254740992.0 /* 2^53: beyond it a double skips integers */

const struct param_desc *param_find(const struct param_desc *table, const char *name)
{
	for (const struct param_desc *d = table; d && d->name; d++) {
		if (strcmp(d->name, name) == 0) {
			return d;
		}
	}
	return NULL;
}

static void *at(const struct param_desc *d, void *base)
{
	return (char *)base + d->offset;
}

static void store(const struct param_desc *d, void *base, double v)
{
	switch (d->type) {
	case PARAM_F64:
		*(double *)at(d, base) = v;
		break;
	case PARAM_INT:
		*(int64_t *)at(d, base) = (int64_t)v;
		break;
	case PARAM_BOOL:
		*(bool *)at(d, base) = v != 0;
		break;
	case PARAM_CHOICE:
		*(int *)at(d, base) = (int)v;
		break;
	case PARAM_TEXT:
		*(const char **)at(d, base) = d->dflt_text;
		break;
	case PARAM_LIST:
		*(struct param_list *)at(d, base) = (struct param_list){.n = 0};
		break;
	}
}

void param_defaults(const struct param_desc *table, void *base)
{
	for (const struct param_desc *d = table; d && d->name; d++) {
		store(d, base, d->flags & PARAM_UNSET ? (double)NAN : d->dflt);
	}
}

static bool within(const struct param_desc *d, double v)
{
	bool low = d->flags & PARAM_OPEN_MIN ? v > d->min : v >= d->min;
	bool high = d->flags & PARAM_OPEN_MAX ? v < d->max : v <= d->max;

	return low && high; /* false for NaN */
}

int param_set_number(
    const struct param_desc *d, void *base, double v, const char *pointer, struct errinfo *err)
{
	if (d->type != PARAM_F64 && d->type != PARAM_INT) {
		return err_set(
		    err, RC_INVALID, "wrong_type", pointer, "%s is not a number", d->name);
	}
	if (!within(d, v)) {
		return err_set(err, RC_INVALID, "out_of_range", pointer,
		    "%s must lie in %c%.17g, %.17g%c", d->name,
		    d->flags & PARAM_OPEN_MIN ? '(' : '[', d->min, d->max,
		    d->flags & PARAM_OPEN_MAX ? ')' : ']');
	}
	if (d->type == PARAM_INT && (v != floor(v) || fabs(v) > INT_EXACT)) {
		return err_set(
		    err, RC_INVALID, "wrong_type", pointer, "%s must be a whole number", d->name);
	}
	store(d, base, v);
	return 0;
}

int param_set_bool(
    const struct param_desc *d, void *base, bool v, const char *pointer, struct errinfo *err)
{
	if (d->type != PARAM_BOOL) {
		return err_set(
		    err, RC_INVALID, "wrong_type", pointer, "%s is not true or false", d->name);
	}
	store(d, base, v);
	return 0;
}

int param_set_list(const struct param_desc *d, void *base, const struct param_list *list,
    const char *pointer, struct errinfo *err)
{
	if (d->type != PARAM_LIST) {
		return err_set(err, RC_INVALID, "wrong_type", pointer, "%s is not a list", d->name);
	}
	if (list->n > PARAM_LIST_MAX) {
		return err_set(err, RC_LIMIT, "too_many", pointer, "%s has at most %d numbers",
		    d->name, PARAM_LIST_MAX);
	}
	for (size_t i = 0; i < list->n; i++) {
		if (!isfinite(list->v[i]) || !within(d, list->v[i])) {
			return err_set(err, RC_INVALID, "out_of_range", pointer,
			    "number %zu of %s must lie in [%.17g, %.17g]", i, d->name, d->min,
			    d->max);
		}
	}
	*(struct param_list *)at(d, base) = *list;
	return 0;
}

const struct param_list *param_get_list(const struct param_desc *d, const void *base)
{
	return (const struct param_list *)((const char *)base + d->offset);
}

static int set_choice(const struct param_desc *d, void *base, const char *text, const char *pointer,
    struct errinfo *err)
{
	char list[160] = "";
	size_t n = 0;

	for (int i = 0; d->choices[i]; i++) {
		if (strcmp(d->choices[i], text) == 0) {
			store(d, base, i);
			return 0;
		}
		n += (size_t)snprintf(
		    list + n, sizeof(list) - n, "%s%s", i ? ", " : "", d->choices[i]);
		n = n < sizeof(list) ? n : sizeof(list) - 1;
	}
	return err_set(
	    err, RC_INVALID, "out_of_range", pointer, "%s must be one of %s", d->name, list);
}

static const struct unit {
	const char *name;
	double factor;
	unsigned flag;
} units[] = {{"GiB", 1073741824, PARAM_BYTES}, {"MiB", 1048576, PARAM_BYTES},
    {"KiB", 1024, PARAM_BYTES}, {"h", 3600000, PARAM_MS}, {"min", 60000, PARAM_MS},
    {"s", 1000, PARAM_MS}, {"ms", 1, PARAM_MS}};
#define UNITS (sizeof(units) / sizeof(units[0]))

/* 0: no unit of this setting. */
static double unit_of(const struct param_desc *d, const char *suffix)
{
	if (*suffix == '\0') {
		return 1;
	}
	for (size_t i = 0; i < UNITS; i++) {
		if ((units[i].flag & d->flags) && strcmp(units[i].name, suffix) == 0) {
			return units[i].factor;
		}
	}
	return 0;
}

/* The largest unit that leaves a whole number. */
static const struct unit *unit_for(const struct param_desc *d, double v)
{
	for (size_t i = 0; i < UNITS; i++) {
		if ((units[i].flag & d->flags) && v != 0 && fmod(v, units[i].factor) == 0) {
			return &units[i];
		}
	}
	return NULL;
}

int param_set_text(const struct param_desc *d, void *base, const char *text, const char *pointer,
    struct errinfo *err)
{
	char *end;
	double v, unit;

	switch (d->type) {
	case PARAM_TEXT:
		*(const char **)at(d, base) = text;
		return 0;
	case PARAM_CHOICE:
		return set_choice(d, base, text, pointer, err);
	case PARAM_BOOL:
		if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0) {
			return param_set_bool(d, base, true, pointer, err);
		}
		if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0) {
			return param_set_bool(d, base, false, pointer, err);
		}
		return err_set(
		    err, RC_INVALID, "wrong_type", pointer, "%s must be true or false", d->name);
	case PARAM_LIST:
		return err_set(
		    err, RC_INVALID, "wrong_type", pointer, "%s must be a list", d->name);
	case PARAM_INT:
	case PARAM_F64:
		break;
	}
	if (d->type == PARAM_F64 && d->choices && strcmp(d->choices[0], text) == 0) {
		store(d, base, (double)NAN);
		return 0;
	}
	v = strtod(text, &end);
	unit = unit_of(d, end);
	if (end == text || unit == 0) {
		return err_set(err, RC_INVALID, "wrong_type", pointer,
		    "%s must be a number%s, not \"%.40s\"", d->name,
		    d->flags & PARAM_BYTES ? ", of bytes or with KiB, MiB or GiB"
		    : d->flags & PARAM_MS  ? ", of milliseconds or with ms, s, min or h"
					   : "",
		    text);
	}
	return param_set_number(d, base, v * unit, pointer, err);
}

double param_get(const struct param_desc *d, const void *base)
{
	const char *p = (const char *)base + d->offset;

	switch (d->type) {
	case PARAM_F64:
		return *(const double *)p;
	case PARAM_INT:
		return (double)*(const int64_t *)p;
	case PARAM_BOOL:
		return *(const bool *)p;
	case PARAM_CHOICE:
		return *(const int *)p;
	case PARAM_LIST:
		return param_get_list(d, base)->n ? (double)param_get_list(d, base)->n
						  : (double)NAN;
	case PARAM_TEXT:
		break;
	}
	return 0;
}

const char *param_format(const struct param_desc *d, const void *base, char scratch[PARAM_TEXT_MAX])
{
	double v = param_get(d, base);

	switch (d->type) {
	case PARAM_TEXT:
		return *(const char *const *)((const char *)base + d->offset);
	case PARAM_CHOICE:
		return d->choices[(int)v];
	case PARAM_BOOL:
		return v != 0 ? "true" : "false";
	case PARAM_LIST:
		snprintf(scratch, PARAM_TEXT_MAX, "[%zu numbers]", isnan(v) ? 0 : (size_t)v);
		return scratch;
	case PARAM_INT:
	case PARAM_F64:
		break;
	}
	if (isnan(v)) {
		return d->choices ? d->choices[0] : "";
	}
	if (d->flags & (PARAM_BYTES | PARAM_MS)) {
		const struct unit *u = unit_for(d, v);

		snprintf(
		    scratch, PARAM_TEXT_MAX, "%.0f%s", u ? v / u->factor : v, u ? u->name : "");
		return scratch;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(scratch, PARAM_TEXT_MAX, "%.*g", digits, v);
		if (strtod(scratch, NULL) == v) {
			break;
		}
	}
	return scratch;
}
