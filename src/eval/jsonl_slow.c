/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "eval/jsonl_line.h"

#define FIRST 16
#define EXACT (INT64_C(1) << 53)

void jsonl_line_release(struct jsonl_line *l)
{
	free(l->ids);
	free(l->x);
}

int jsonl_add_id(struct jsonl_line *l, const char *p, size_t n)
{
	if (l->nids == l->ids_cap) {
		size_t cap = l->ids_cap ? 2 * l->ids_cap : FIRST;
		void *ids = realloc(l->ids, cap * sizeof(*l->ids));

		if (!ids) {
			return RC_MEMORY;
		}
		l->ids = ids;
		l->ids_cap = cap;
	}
	l->ids[l->nids++] = (struct jsonl_text){p, n};
	return 0;
}

int jsonl_add_x(struct jsonl_line *l, double v)
{
	if (l->nx == l->x_cap) {
		size_t cap = l->x_cap ? 2 * l->x_cap : FIRST;
		void *x = realloc(l->x, cap * sizeof(*l->x));

		if (!x) {
			return RC_MEMORY;
		}
		l->x = x;
		l->x_cap = cap;
	}
	l->x[l->nx++] = v;
	return 0;
}

struct source {
	const json_t *o;
	struct buf *keep;
	const char *why;
};

static bool wrong(struct source *s, const char *why)
{
	s->why = s->why ? s->why : why;
	return false;
}

static bool number(struct source *s, const json_t *v, double *ret, const char *why)
{
	if (!json_is_number(v)) {
		return wrong(s, why);
	}
	*ret = json_number_value(v);
	return true;
}

static bool whole(struct source *s, const char *key, uint64_t *ret, const char *why)
{
	const json_t *v = json_object_get(s->o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > EXACT) {
		return wrong(s, why);
	}
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

/* The buffer was made large enough before: it never moves. */
static bool text(struct source *s, const json_t *v, struct jsonl_text *ret, const char *why)
{
	if (!json_is_string(v)) {
		return wrong(s, why);
	}
	*ret = (struct jsonl_text){(char *)s->keep->data + s->keep->len, json_string_length(v)};
	buf_put(s->keep, json_string_value(v), ret->n);
	return true;
}

static bool decision(struct source *s, struct jsonl_line *l, int *ret_rc)
{
	const json_t *picks = json_object_get(s->o, "arms"), *one = json_array_get(picks, 0), *v;
	struct jsonl_text id;
	double x;
	size_t i;

	if (json_object_get(s->o, "slate") || json_object_get(s->o, "prediction")) {
		return true; /* no single arm: picks stays 0 */
	}
	l->picks = json_array_size(picks);
	if (!text(s, json_object_get(one, "arm"), &l->arm, "no arm") ||
	    !number(s, json_object_get(one, "propensity"), &l->propensity, "no propensity")) {
		return false;
	}
	json_array_foreach (json_object_get(s->o, "eligible"), i, v) {
		if (!text(s, v, &id, "an eligible arm has no name")) {
			return false;
		}
		*ret_rc = *ret_rc ? *ret_rc : jsonl_add_id(l, id.p, id.n);
	}
	json_array_foreach (json_object_get(s->o, "x"), i, v) {
		if (!number(s, v, &x, "x is not a list of numbers")) {
			return false;
		}
		*ret_rc = *ret_rc ? *ret_rc : jsonl_add_x(l, x);
	}
	return true;
}

static bool feedback(struct source *s, struct jsonl_line *l)
{
	const json_t *learnt = json_object_get(s->o, "learnt");
	const char *status = json_string_value(json_object_get(s->o, "status"));

	if (json_object_get(s->o, "arms") || json_object_get(s->o, "prediction")) {
		l->kind = JSONL_OTHER; /* of a slate or a forecast */
		return true;
	}
	if (!whole(s, "ref", &l->ref, "no ref") ||
	    !text(s, json_object_get(s->o, "arm"), &l->arm, "no arm") ||
	    !number(s, json_object_get(s->o, "propensity"), &l->propensity, "no propensity")) {
		return false;
	}
	if (l->kind == JSONL_REWARD) {
		if (!number(s, json_object_get(s->o, "reward"), &l->reward, "no reward")) {
			return false;
		}
		l->pending = status && strcmp(status, "pending") == 0;
	}
	l->has_learnt = learnt != NULL;
	return !learnt || number(s, learnt, &l->learnt, "learnt is not a number");
}

static bool line(struct source *s, struct jsonl_line *l, int *ret_rc)
{
	const char *kind = json_string_value(json_object_get(s->o, "kind"));
	const char *at = json_string_value(json_object_get(s->o, "at"));
	const char *goal = json_string_value(json_object_get(s->o, "goal"));

	if (!text(s, json_object_get(s->o, "experiment"), &l->experiment, "no experiment") ||
	    !whole(s, "seq", &l->seq, "no seq")) {
		return false;
	}
	if (!kind || !at || clock_parse(at, &l->at_us)) {
		return wrong(s, kind ? "no time" : "no kind");
	}
	l->is_void = strcmp(kind, "void") == 0;
	l->kind = strcmp(kind, "create") == 0                 ? JSONL_CREATE
		  : strcmp(kind, "decision") == 0             ? JSONL_DECISION
		  : strcmp(kind, "reward") == 0               ? JSONL_REWARD
		  : l->is_void || strcmp(kind, "expiry") == 0 ? JSONL_END
							      : JSONL_OTHER;
	l->minimise = goal && strcmp(goal, "minimise") == 0;
	if (l->kind == JSONL_DECISION) {
		return decision(s, l, ret_rc);
	}
	return l->kind == JSONL_REWARD || l->kind == JSONL_END ? feedback(s, l) : true;
}

int jsonl_slow(const char *bytes, size_t n, struct jsonl_line *ret, struct buf *keep,
    const char **ret_why, bool *ret_twice)
{
	struct source s = {.keep = keep};
	json_error_t why;
	json_t *o = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);
	int rc = 0;

	*ret_twice = false;
	if (!o) {
		*ret_twice = json_error_code(&why) == json_error_duplicate_key;
		*ret_why = *ret_twice ? "a key stands twice" : "broken JSON";
		return json_error_code(&why) == json_error_out_of_memory ? RC_MEMORY : RC_INVALID;
	}
	s.o = o;
	buf_reset(keep);
	if (buf_reserve(keep, n + 1)) {
		rc = RC_MEMORY;
	} else if (!line(&s, ret, &rc)) {
		*ret_why = s.why;
		rc = RC_INVALID;
	}
	json_decref(o);
	return rc;
}
