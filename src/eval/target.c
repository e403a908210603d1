/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/target.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec.h"
#include "eval/frozen.h"

#define LINE_MOST 65536
#define FIELDS_MAX 1024
#define POSITION_MOST 1e6
#define SUM_SLACK 0.01 /* printed probabilities are rounded */

enum kind { UNIFORM, ALWAYS, TABLE, FROZEN };

struct entry {
	char arm[ID_MAX + 1];
	uint64_t position;
	double p;
};

struct target {
	enum kind kind;
	char arm[ID_MAX + 1]; /* ALWAYS */
	struct entry *entries;
	size_t nentries, cap;
	/* Of the log it is bound to */
	size_t narms;
	uint32_t always;
	double *p;       /* TABLE: position * narms + arm */
	double *missing; /* by position */
	struct frozen *frozen;
};

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

static int bad_line(struct errinfo *err, const char *path, unsigned line, const char *why)
{
	char where[160];

	snprintf(where, sizeof(where), "%.120s:%u", path, line);
	return err_set(err, RC_INVALID, "bad_line", where, "%s", why);
}

static int add_entry(
    struct target *t, const char *arm, uint64_t position, double p, struct errinfo *err)
{
	if (t->nentries == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct entry *more = realloc(t->entries, cap * sizeof(*more));

		if (!more) {
			return no_memory(err);
		}
		t->entries = more;
		t->cap = cap;
	}
	t->entries[t->nentries] = (struct entry){.position = position, .p = p};
	snprintf(t->entries[t->nentries++].arm, sizeof(t->arm), "%s", arm);
	return 0;
}

/* How many there are; only the first FIELDS_MAX are kept. */
static size_t cut(char *line, char **field)
{
	size_t n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (char *p = line; p; n++) {
		char *comma = strchr(p, ',');

		if (n < FIELDS_MAX) {
			field[n] = p;
		}
		p = comma ? comma + 1 : NULL;
		if (comma) {
			*comma = '\0';
		}
	}
	return n;
}

static bool number(const char *s, double hi, double *ret)
{
	char *end;

	*ret = strtod(s, &end);
	return *s && !*end && *ret >= 0 && *ret <= hi;
}

static bool position_of(const char *s, uint64_t *ret)
{
	double v;

	if (!number(s, POSITION_MOST, &v) || v != floor(v)) {
		return false;
	}
	*ret = (uint64_t)v;
	return true;
}

/* The header: the position of each column, or all 0 and *ret_long. */
static int read_header(char **field, size_t n, uint64_t *position, bool *ret_long)
{
	*ret_long =
	    n == 3 && strcmp(field[1], "position") == 0 && strcmp(field[2], "probability") == 0;
	if (n < 2 || n > FIELDS_MAX) {
		return RC_INVALID;
	}
	for (size_t i = 1; i < n && !*ret_long; i++) {
		if (strncmp(field[i], "pos", 3) != 0 || !position_of(field[i] + 3, &position[i])) {
			return RC_INVALID;
		}
	}
	return 0;
}

static int read_row(struct target *t, char **field, size_t n, const uint64_t *position, bool wide,
    struct errinfo *err)
{
	uint64_t at;
	double v;
	int rc = 0;

	if (!id_is_valid(field[0])) {
		return RC_INVALID;
	}
	if (!wide) {
		return n == 3 && position_of(field[1], &at) && number(field[2], 1, &v)
			   ? add_entry(t, field[0], at, v, err)
			   : RC_INVALID;
	}
	for (size_t i = 1; rc == 0 && i < n; i++) {
		rc = number(field[i], 1, &v) ? add_entry(t, field[0], position[i], v, err)
					     : RC_INVALID;
	}
	return rc;
}

static int read_table(struct target *t, const char *path, struct errinfo *err)
{
	char *line = NULL, *field[FIELDS_MAX];
	uint64_t position[FIELDS_MAX] = {0};
	FILE *f = fopen(path, "r");
	size_t columns = 0, cap = 0;
	bool is_long = false;
	ssize_t len;
	int rc = 0;

	if (!f) {
		return err_set(err, RC_IO, "cannot_read", path, "%s", strerror(errno));
	}
	for (unsigned row = 1; rc == 0 && (len = getline(&line, &cap, f)) >= 0; row++) {
		bool plain = len <= LINE_MOST && strlen(line) == (size_t)len;
		size_t n = cut(line, field);

		if (!plain) {
			rc = bad_line(err, path, row, "the line is too long or has a zero byte");
		} else if (row == 1) {
			columns = n;
			rc = read_header(field, n, position, &is_long);
		} else if (n == columns) {
			rc = read_row(t, field, n, position, !is_long, err);
		} else {
			rc = n == 1 && !*field[0] ? 0 : RC_INVALID;
		}
		if (rc == RC_INVALID) {
			bad_line(err, path, row,
			    row == 1 ? "the columns are not arm,position,probability nor "
				       "item_id,pos1,..."
				     : "not an arm and probabilities in [0, 1]");
		}
	}
	if (rc == 0 && !feof(f)) {
		rc = err_set(err, RC_IO, "cannot_read", path, "%s", strerror(errno));
	}
	fclose(f);
	free(line);
	return rc;
}

int target_parse(const char *text, struct target **ret, struct errinfo *err)
{
	struct target *t = calloc(1, sizeof(*t));
	int rc = 0;

	if (!t) {
		return no_memory(err);
	}
	if (strncmp(text, "always:", 7) == 0 && id_is_valid(text + 7)) {
		t->kind = ALWAYS;
		snprintf(t->arm, sizeof(t->arm), "%s", text + 7);
	} else if (text[0] == '@') {
		t->kind = TABLE;
		rc = read_table(t, text + 1, err);
	} else if (strcmp(text, "uniform") != 0) {
		rc = err_set(err, RC_INVALID, "target", "",
		    "a target is uniform, always:ARM, @FILE.csv or snapshot:STATE:EXPERIMENT, not "
		    "%.60s",
		    text);
	}
	if (rc) {
		target_free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

int target_freeze(struct experiment *e, struct target **ret, struct errinfo *err)
{
	struct target *t = calloc(1, sizeof(*t));
	int rc;

	if (!t) {
		return no_memory(err);
	}
	t->kind = FROZEN;
	rc = frozen_new(e, &t->frozen, err);
	if (rc) {
		target_free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

bool target_varies(const struct target *t)
{
	return t->kind == FROZEN;
}

int target_see(struct target *t, const struct round *r, struct errinfo *err)
{
	if (t->kind == FROZEN && r->nslots) {
		return err_set(err, RC_INVALID, "slates", "",
		    "a policy that is frozen answers with one arm, and this log has slates");
	}
	return t->kind == FROZEN ? frozen_ask(t->frozen, r, err) : 0;
}

void target_free(struct target *t)
{
	if (t) {
		free(t->entries);
		free(t->p);
		free(t->missing);
		frozen_free(t->frozen);
		free(t);
	}
}

static size_t find_arm(const struct target_names *names, const char *arm)
{
	size_t i = 0;

	while (i < names->narms && strcmp(names->arms[i], arm) != 0) {
		i++;
	}
	return i;
}

static int bind_table(struct target *t, const struct target_names *names, struct errinfo *err)
{
	for (size_t k = 0; k < names->npositions; k++) {
		double sum = 0;

		for (size_t i = 0; i < t->nentries; i++) {
			const struct entry *e = &t->entries[i];
			size_t arm;

			if (e->position != names->positions[k]) {
				continue;
			}
			arm = find_arm(names, e->arm);
			sum += e->p;
			*(arm < t->narms ? &t->p[k * t->narms + arm] : &t->missing[k]) += e->p;
		}
		if (!(fabs(sum - 1) <= SUM_SLACK)) {
			return err_set(err, RC_INVALID, "target", "",
			    "the target's probabilities at position %llu sum to %g",
			    (unsigned long long)names->positions[k], sum);
		}
	}
	return 0;
}

int target_bind(struct target *t, const struct target_names *names, struct errinfo *err)
{
	size_t cells = names->narms * names->npositions;

	free(t->p);
	free(t->missing);
	t->p = calloc(cells ? cells : 1, sizeof(*t->p));
	t->missing = calloc(names->npositions ? names->npositions : 1, sizeof(*t->missing));
	if (!t->p || !t->missing) {
		return no_memory(err);
	}
	t->narms = names->narms;
	if (t->kind == ALWAYS) {
		t->always = (uint32_t)find_arm(names, t->arm);
		return t->always < t->narms ? 0
					    : err_set(err, RC_NOT_FOUND, "target", "",
						  "the log has no arm %s", t->arm);
	}
	return t->kind == TABLE    ? bind_table(t, names, err)
	       : t->kind == FROZEN ? frozen_bind(t->frozen, names->arms, names->narms, err)
				   : 0;
}

double target_prob(const struct target *t, const struct round *r, uint32_t arm)
{
	bool may = r->neligible == 0;

	for (size_t i = 0; i < r->neligible && !may; i++) {
		may = r->eligible[i] == arm;
	}
	if (!may) {
		return 0;
	}
	switch (t->kind) {
	case UNIFORM:
		return 1 / (double)(r->neligible ? r->neligible : t->narms);
	case ALWAYS:
		return arm == t->always;
	case FROZEN:
		return frozen_prob(t->frozen, arm);
	default:
		return t->p[r->position * t->narms + arm];
	}
}

double target_missing(const struct target *t, uint32_t position)
{
	return t->kind == FROZEN ? frozen_missing(t->frozen) : t->missing[position];
}
