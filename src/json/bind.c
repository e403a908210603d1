/* SPDX-License-Identifier: Apache-2.0 */
#include "json/bind.h"

#include <float.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "core/spec.h"
#include "json/memory.h"

struct shape {
	int deepest;
	size_t longest; /* bytes of a token, at most */
};

/* Nesting outside strings and the length of tokens, before a parser that recurses sees the text.
 * Where this reads the text otherwise than the parser would, the parser has stopped before. */
static struct shape shape_of(const char *text, size_t n)
{
	struct shape s = {.deepest = 0};
	size_t start = 0; /* of the token */
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		switch (text[i]) {
		case '"':
			for (i++; i < n && text[i] != '"'; i++) {
				i += text[i] == '\\';
			}
			continue;
		case '{':
		case '[':
			depth++;
			s.deepest = depth > s.deepest ? depth : s.deepest;
			break;
		case '}':
		case ']':
			depth--;
			break;
		case ',':
		case ':':
			break;
		default:
			continue;
		}
		s.longest = i - start > s.longest ? i - start : s.longest;
		start = i + 1;
	}
	s.longest = n > start && n - start > s.longest ? n - start : s.longest;
	return s;
}

static int parse_error(const json_error_t *e, struct errinfo *err)
{
	const char *code =
	    json_error_code(e) == json_error_duplicate_key ? "duplicate_field" : "invalid_json";

	return err_set(
	    err, RC_INVALID, code, "", "line %d, column %d: %s", e->line, e->column, e->text);
}

int json_parse(const char *text, size_t n, json_t **ret, struct errinfo *err)
{
	struct shape shape = shape_of(text, n);
	json_error_t e;
	json_t *v;
	int rc = 0;

	if (shape.deepest > JSON_DEPTH_MAX) {
		return err_set(err, RC_INVALID, "invalid_json", "", "nested deeper than %d levels",
		    JSON_DEPTH_MAX);
	}
	if (json_memory_begin(shape.longest)) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	v = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	if (json_memory_failed()) { /* whatever came out: it may not be what was sent */
		json_decref(v);
		rc = err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	} else if (!v) {
		rc = parse_error(&e, err);
	}
	json_memory_end();
	if (rc == 0) {
		*ret = v;
	}
	return rc;
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

/* Where a value stands: member `name` of what is at `base`, or base itself. Becomes text only for
 * an error: the hot path binds without formatting anything. */
struct place {
	const char *base, *name;
};

void bind_pointer(const char *base, const char *name, char ret[BIND_POINTER_MAX])
{
	size_t len = strnlen(base, BIND_POINTER_MAX - 3);

	memcpy(ret, base, len);
	ret[len++] = '/';
	for (; *name && len < BIND_POINTER_MAX - 2; name++) {
		char c = *name;

		if (c == '~' || c == '/') {
			ret[len++] = '~';
			c = c == '~' ? '0' : '1';
		}
		ret[len++] = c;
	}
	ret[len] = '\0';
}

static int refuse(struct errinfo *err, int rc, const char *code, const struct place *at,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static int refuse(
    struct errinfo *err, int rc, const char *code, const struct place *at, const char *fmt, ...)
{
	char where[BIND_POINTER_MAX], text[sizeof(err->text)];
	va_list ap;

	if (!err) {
		return rc;
	}
	if (at->name) {
		bind_pointer(at->base, at->name, where);
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, rc, code, at->name ? where : at->base, "%s", text);
}

static int wrong_type(
    const json_t *v, const struct place *at, const char *wanted, struct errinfo *err)
{
	return refuse(
	    err, RC_INVALID, "wrong_type", at, "must be %s, not %s", wanted, bind_type_name(v));
}

static int get_id(const json_t *v, const struct place *at, const char **ret, struct errinfo *err)
{
	const char *s = json_string_value(v);

	if (!s) {
		return wrong_type(v, at, "a string", err);
	}
	if (!id_is_valid(s)) {
		return refuse(
		    err, RC_INVALID, "invalid_id", at, "an id is 1-128 of A-Z a-z 0-9 . _ : -");
	}
	*ret = s;
	return 0;
}

/* An id within a list is not one; says so of the item. */
static int bad_item(const json_t *v, const struct place *at, size_t i, struct errinfo *err)
{
	char list[BIND_POINTER_MAX], index[24];
	const char *id;

	snprintf(index, sizeof(index), "%zu", i);
	if (at->name) {
		bind_pointer(at->base, at->name, list);
	}
	return get_id(v, &(struct place){at->name ? list : at->base, index}, &id, err);
}

static int get_ids(const json_t *a, size_t max, const struct place *at, struct arena *mem,
    struct bind_ids *ret, struct errinfo *err)
{
	size_t n = json_array_size(a);
	const char **ids;

	if (!json_is_array(a)) {
		return wrong_type(a, at, "an array of ids", err);
	}
	if (n > max) {
		return refuse(err, RC_LIMIT, "too_many", at, "at most %zu ids", max);
	}
	ids = arena_array(mem, n, sizeof(*ids));
	if (!ids) {
		return refuse(err, RC_MEMORY, "out_of_memory", at, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(a, i);

		ids[i] = json_string_value(v);
		if (!ids[i] || !id_is_valid(ids[i])) {
			return bad_item(v, at, i, err);
		}
	}
	*ret = (struct bind_ids){.id = ids, .n = n, .given = true};
	return 0;
}

static bool is_exact(json_int_t i)
{
	return i >= -(json_int_t)JSON_EXACT_MAX && i <= (json_int_t)JSON_EXACT_MAX;
}

static int get_number(const json_t *v, double min, double max, const struct place *at, double *ret,
    struct errinfo *err)
{
	double x = json_number_value(v);

	if (!json_is_number(v)) {
		return wrong_type(v, at, "a number", err);
	}
	if (json_is_integer(v) && !is_exact(json_integer_value(v))) {
		return refuse(err, RC_INVALID, "out_of_range", at, "integers stop at 2^53");
	}
	if (!(x >= min && x <= max)) {
		return refuse(
		    err, RC_INVALID, "out_of_range", at, "must lie in [%.17g, %.17g]", min, max);
	}
	*ret = x;
	return 0;
}

int bind_number(const json_t *v, const char *pointer, double *ret, struct errinfo *err)
{
	return get_number(v, -DBL_MAX, DBL_MAX, &(struct place){pointer, NULL}, ret, err);
}

static int get_u64(const json_t *v, const struct bind_field *f, const struct place *at,
    uint64_t *ret, struct errinfo *err)
{
	double x = 0;
	int rc;

	if (!json_is_integer(v)) {
		return wrong_type(v, at, "a whole number", err);
	}
	rc = get_number(v, f->min, f->max, at, &x, err);
	if (rc == 0) {
		*ret = (uint64_t)json_integer_value(v);
	}
	return rc;
}

static int get_text(const json_t *v, const struct bind_field *f, const struct place *at,
    const char **ret, struct errinfo *err)
{
	if (!json_is_string(v)) {
		return wrong_type(v, at, "a string", err);
	}
	if ((double)json_string_length(v) > f->max) {
		return refuse(
		    err, RC_INVALID, "out_of_range", at, "longer than %.0f bytes", f->max);
	}
	*ret = json_string_value(v);
	return 0;
}

static int get_choice(const json_t *v, const struct bind_field *f, const struct place *at, int *ret,
    struct errinfo *err)
{
	const char *s = json_string_value(v);
	char list[160] = "";
	size_t n = 0;

	if (!s) {
		return wrong_type(v, at, "a string", err);
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
	return refuse(err, RC_INVALID, "out_of_range", at, "must be one of %s", list);
}

static int bind_value(const json_t *v, const struct bind_field *f, const struct place *at,
    struct arena *mem, void *base, struct errinfo *err)
{
	void *to = (char *)base + f->offset;

	switch (f->type) {
	case BIND_ID:
		return get_id(v, at, to, err);
	case BIND_TEXT:
		return get_text(v, f, at, to, err);
	case BIND_NUMBER:
		return get_number(v, f->min, f->max, at, to, err);
	case BIND_U64:
		return get_u64(v, f, at, to, err);
	case BIND_BOOL:
		if (!json_is_boolean(v)) {
			return wrong_type(v, at, "true or false", err);
		}
		*(bool *)to = json_is_true(v);
		return 0;
	case BIND_CHOICE:
		return get_choice(v, f, at, to, err);
	case BIND_IDS:
		return get_ids(v, (size_t)f->max, at, mem, to, err);
	case BIND_JSON:
		*(const json_t **)to = v;
		return 0;
	case BIND_FIXED:
		return refuse(err, RC_INVALID, "fixed_field", at, "%s cannot be changed", f->name);
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
	for (const struct bind_field *f = table; f->name; f++) {
		if ((f->flags & BIND_REQUIRED) && !json_object_get(o, f->name)) {
			return refuse(err, RC_INVALID, "missing_field",
			    &(struct place){pointer, f->name}, "%s is missing", f->name);
		}
	}
	return 0;
}

int bind_object(const json_t *o, const struct bind_field *table, const char *pointer,
    struct arena *mem, void *base, struct errinfo *err)
{
	struct place at = {pointer, NULL};
	int rc;

	if (!json_is_object(o)) {
		return wrong_type(o, &at, "an object", err);
	}
	for (void *i = json_object_iter((json_t *)o); i;
	     i = json_object_iter_next((json_t *)o, i)) {
		const json_t *v = json_object_iter_value(i);
		const struct bind_field *f;

		at.name = json_object_iter_key(i);
		f = find_field(table, at.name);
		if (!f) {
			return refuse(err, RC_INVALID, "unknown_field", &at,
			    "no field is called %.64s", at.name);
		}
		if ((f->flags & BIND_NULL) && json_is_null(v)) {
			continue;
		}
		rc = bind_value(v, f, &at, mem, base, err);
		if (rc) {
			return rc;
		}
	}
	return check_required(o, table, pointer, err);
}

json_t *bind_whole(json_t *o, int rc)
{
	if (rc) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int put_bytes(const char *p, size_t n, void *arg)
{
	buf_put(arg, p, n);
	return ((struct buf *)arg)->rc;
}

int bind_compact(const json_t *v, size_t max, struct arena *mem, const char **ret)
{
	struct buf out;
	int rc;

	buf_init(&out, max);
	rc = json_dump_callback(
	    v, put_bytes, &out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	if (rc == 0) {
		*ret = arena_text(mem, (const char *)out.data, out.len);
		rc = *ret ? 0 : RC_MEMORY;
	} else {
		rc = out.rc ? out.rc : RC_MEMORY; /* jansson's own memory */
	}
	buf_release(&out);
	return rc;
}

/* One key a kind of value, so that "1", 1 and [1] differ. */
static uint64_t hash_bytes(char kind, const void *p, size_t n)
{
	const unsigned char key[HASH_KEY_BYTES] = {
	    'b', 'o', 'd', 'y', ' ', '2', (unsigned char)kind};

	return hash_keyed(key, p, n);
}

static uint64_t hash_two(char kind, uint64_t a, uint64_t b)
{
	unsigned char le[16];

	for (size_t i = 0; i < 8; i++) {
		le[i] = (unsigned char)(a >> (8 * i));
		le[8 + i] = (unsigned char)(b >> (8 * i));
	}
	return hash_bytes(kind, le, sizeof(le));
}

static uint64_t hash_number(double v)
{
	uint64_t bits;

	v = v == 0 ? 0 : v; /* -0 and 0 are one number */
	memcpy(&bits, &v, sizeof(bits));
	return hash_two('n', bits, 0);
}

static uint64_t hash_value(const json_t *v)
{
	uint64_t h = 0;

	switch (json_typeof(v)) {
	case JSON_STRING:
		return hash_bytes('s', json_string_value(v), json_string_length(v));
	case JSON_INTEGER:
	case JSON_REAL:
		return hash_number(json_number_value(v));
	case JSON_ARRAY:
		for (size_t i = 0; i < json_array_size(v); i++) {
			h = hash_two('a', h, hash_value(json_array_get(v, i)));
		}
		return hash_two('A', h, json_array_size(v));
	case JSON_OBJECT: /* a sum, so that order does not matter and nothing is sorted */
		for (void *i = json_object_iter((json_t *)v); i;
		     i = json_object_iter_next((json_t *)v, i)) {
			const char *name = json_object_iter_key(i);

			h += hash_two('o', hash_bytes('k', name, strlen(name)),
			    hash_value(json_object_iter_value(i)));
		}
		return hash_two('O', h, json_object_size(v));
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return hash_two('l', (uint64_t)json_typeof(v), 0);
}

uint64_t bind_fingerprint(const json_t *v)
{
	uint64_t h = hash_value(v);

	return h ? h : 1;
}
