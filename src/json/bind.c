/* SPDX-License-Identifier: Apache-2.0 */
#include "json/bind.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "core/spec.h"

#define POINTER_MAX 160
#define DUMP_MAX ((size_t)8 << 20)

/* Nesting outside strings, before a parser that recurses sees the text. */
static bool is_too_deep(const char *text, size_t n)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX) {
				return true;
			}
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return false;
}

int json_parse(const char *text, size_t n, json_t **ret, struct errinfo *err)
{
	json_error_t e;
	json_t *v;
	const char *code = "invalid_json";

	if (is_too_deep(text, n)) {
		return err_set(
		    err, RC_INVALID, code, "", "nested deeper than %d levels", JSON_DEPTH_MAX);
	}
	v = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	if (v) {
		*ret = v;
		return 0;
	}
	switch (json_error_code(&e)) {
	case json_error_out_of_memory:
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	case json_error_duplicate_key:
		code = "duplicate_field";
		break;
	default:
		break;
	}
	return err_set(
	    err, RC_INVALID, code, "", "line %d, column %d: %s", e.line, e.column, e.text);
}

const char *bind_type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		break;
	}
	return "null";
}

static int wrong_type(const json_t *v, const char *pointer, const char *wanted, struct errinfo *err)
{
	return err_set(err, RC_INVALID, "wrong_type", pointer, "must be %s, not %s", wanted,
	    bind_type_name(v));
}

static int get_id(const json_t *v, const char *pointer, const char **ret, struct errinfo *err)
{
	const char *s = json_string_value(v);

	if (!s) {
		return wrong_type(v, pointer, "a string", err);
	}
	if (!id_is_valid(s)) {
		return err_set(err, RC_INVALID, "invalid_id", pointer,
		    "an id is 1-128 of A-Z a-z 0-9 . _ : -");
	}
	*ret = s;
	return 0;
}

int bind_ids(const json_t *a, size_t max, const char *pointer, struct arena *mem,
    struct bind_ids *ret, struct errinfo *err)
{
	size_t n = json_array_size(a);
	const char **ids;
	char where[POINTER_MAX];

	if (!json_is_array(a)) {
		return wrong_type(a, pointer, "an array of ids", err);
	}
	if (n > max) {
		return err_set(err, RC_LIMIT, "too_many", pointer, "at most %zu ids", max);
	}
	ids = arena_array(mem, n, sizeof(*ids));
	if (!ids) {
		return err_set(err, RC_MEMORY, "out_of_memory", pointer, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(a, i);

		if (!json_is_string(v) || !id_is_valid(json_string_value(v))) {
			snprintf(where, sizeof(where), "%s/%zu", pointer, i);
			return get_id(v, where, &ids[i], err);
		}
		ids[i] = json_string_value(v);
	}
	*ret = (struct bind_ids){.id = ids, .n = n, .given = true};
	return 0;
}

static int get_number(const json_t *v, const struct bind_field *f, const char *pointer, double *ret,
    struct errinfo *err)
{
	double x = json_number_value(v);

	if (!json_is_number(v)) {
		return wrong_type(v, pointer, "a number", err);
	}
	if (json_is_integer(v) && fabs(x) > JSON_EXACT_MAX) {
		return err_set(err, RC_INVALID, "out_of_range", pointer, "integers stop at 2^53");
	}
	if (!(x >= f->min && x <= f->max)) {
		return err_set(err, RC_INVALID, "out_of_range", pointer,
		    "must lie in [%.17g, %.17g]", f->min, f->max);
	}
	*ret = x;
	return 0;
}

static int get_u64(const json_t *v, const struct bind_field *f, const char *pointer, uint64_t *ret,
    struct errinfo *err)
{
	double x = 0;
	int rc;

	if (!json_is_integer(v)) {
		return wrong_type(v, pointer, "a whole number", err);
	}
	rc = get_number(v, f, pointer, &x, err);
	if (rc == 0) {
		*ret = (uint64_t)json_integer_value(v);
	}
	return rc;
}

static int get_text(const json_t *v, const struct bind_field *f, const char *pointer,
    const char **ret, struct errinfo *err)
{
	if (!json_is_string(v)) {
		return wrong_type(v, pointer, "a string", err);
	}
	if ((double)json_string_length(v) > f->max) {
		return err_set(
		    err, RC_INVALID, "out_of_range", pointer, "longer than %.0f bytes", f->max);
	}
	*ret = json_string_value(v);
	return 0;
}

static int get_choice(
    const json_t *v, const struct bind_field *f, const char *pointer, int *ret, struct errinfo *err)
{
	const char *s = json_string_value(v);
	char list[160] = "";
	size_t n = 0;

	if (!s) {
		return wrong_type(v, pointer, "a string", err);
	}
	for (int i = 0; f->choices[i]; i++) {
		if (strcmp(f->choices[i], s) == 0) {
			*ret = i;
			return 0;
		}
		n += (size_t)snprintf(
		    list + n, sizeof(list) - n, "%s%s", i ? ", " : "", f->choices[i]);
		n = n < sizeof(list) ? n : sizeof(list) - 1;
	}
	return err_set(err, RC_INVALID, "out_of_range", pointer, "must be one of %s", list);
}

static int bind_value(const json_t *v, const struct bind_field *f, const char *pointer,
    struct arena *mem, void *at, struct errinfo *err)
{
	switch (f->type) {
	case BIND_ID:
		return get_id(v, pointer, at, err);
	case BIND_TEXT:
		return get_text(v, f, pointer, at, err);
	case BIND_NUMBER:
		return get_number(v, f, pointer, at, err);
	case BIND_U64:
		return get_u64(v, f, pointer, at, err);
	case BIND_BOOL:
		if (!json_is_boolean(v)) {
			return wrong_type(v, pointer, "true or false", err);
		}
		*(bool *)at = json_is_true(v);
		return 0;
	case BIND_CHOICE:
		return get_choice(v, f, pointer, at, err);
	case BIND_IDS:
		return bind_ids(v, (size_t)f->max, pointer, mem, at, err);
	case BIND_JSON:
		*(const json_t **)at = v;
		return 0;
	}
	return RC_INVALID;
}

static const struct bind_field *find_field(const struct bind_field *table, const char *name)
{
	while (table->name && strcmp(table->name, name) != 0) {
		table++;
	}
	return table->name ? table : NULL;
}

static int check_required(
    const json_t *o, const struct bind_field *table, const char *pointer, struct errinfo *err)
{
	char where[POINTER_MAX];

	for (const struct bind_field *f = table; f->name; f++) {
		if ((f->flags & BIND_REQUIRED) && !json_object_get(o, f->name)) {
			snprintf(where, sizeof(where), "%s/%s", pointer, f->name);
			return err_set(
			    err, RC_INVALID, "missing_field", where, "%s is missing", f->name);
		}
	}
	return 0;
}

int bind_object(const json_t *o, const struct bind_field *table, const char *pointer,
    struct arena *mem, void *base, struct errinfo *err)
{
	char where[POINTER_MAX];
	int rc;

	if (!json_is_object(o)) {
		return wrong_type(o, pointer, "an object", err);
	}
	for (void *i = json_object_iter((json_t *)o); i;
	     i = json_object_iter_next((json_t *)o, i)) {
		const char *name = json_object_iter_key(i);
		const json_t *v = json_object_iter_value(i);
		const struct bind_field *f = find_field(table, name);

		if (f && (f->flags & BIND_NULL) && json_is_null(v)) {
			continue;
		}
		snprintf(where, sizeof(where), "%s/%.64s", pointer, name);
		if (!f) {
			return err_set(err, RC_INVALID, "unknown_field", where,
			    "no field is called %.64s", name);
		}
		rc = bind_value(v, f, where, mem, (char *)base + f->offset, err);
		if (rc) {
			return rc;
		}
	}
	return check_required(o, table, pointer, err);
}

static int put_bytes(const char *p, size_t n, void *arg)
{
	buf_put(arg, p, n);
	return ((struct buf *)arg)->rc;
}

const char *bind_compact(const json_t *v, size_t max, struct arena *mem)
{
	struct buf out;
	const char *text = NULL;

	buf_init(&out, max);
	if (json_dump_callback(v, put_bytes, &out,
		JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) == 0) {
		text = arena_text(mem, (const char *)out.data, out.len);
	}
	buf_release(&out);
	return text;
}

int bind_fingerprint(const json_t *v, uint64_t *ret)
{
	static const unsigned char key[HASH_KEY_BYTES] = "request body v1";
	struct buf out;
	int rc;

	buf_init(&out, DUMP_MAX);
	rc = json_dump_callback(v, put_bytes, &out,
	    JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
	if (rc == 0) {
		*ret = hash_keyed(key, out.data, out.len);
		*ret += *ret == 0;
	}
	buf_release(&out);
	return rc ? RC_MEMORY : 0;
}
