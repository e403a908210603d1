/* SPDX-License-Identifier: Apache-2.0 */
/* Arms as a caller writes them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/bind.h"
#include "json/spec_json.h"

#define NUMBER_TEXT_MAX 32

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

struct arm_object {
	const char *id, *label;
	struct bind_ids between;
};

#define ARM_FIELDS                                                                                 \
	{"id", BIND_ID, offsetof(struct arm_object, id), BIND_REQUIRED, 0, 0, NULL},               \
	{                                                                                          \
		"label", BIND_TEXT, offsetof(struct arm_object, label), 0, 0, LABEL_MAX, NULL      \
	}
static const struct bind_field arm_fields[] = {
    ARM_FIELDS,
    {.name = NULL},
};
static const struct bind_field new_arm_fields[] = {
    ARM_FIELDS,
    {"between", BIND_IDS, offsetof(struct arm_object, between), 0, 0, 2, NULL},
    {.name = NULL},
};

/* The shortest of %.15g to %.17g that reads back the same. */
static void number_text(double x, char ret[NUMBER_TEXT_MAX])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(ret, NUMBER_TEXT_MAX, "%.*g", digits, x);
		if (strtod(ret, NULL) == x) {
			break;
		}
	}
}

/* A number is an arm by its shortest text: 0.5, 10. */
static int arm_from_number(const json_t *v, const char *pointer, struct arena *mem,
    struct arm_object *ret, struct errinfo *err)
{
	char text[NUMBER_TEXT_MAX];
	double x = 0;
	int rc = bind_number(v, pointer, &x, err);

	if (rc) {
		return rc;
	}
	if (x == floor(x) && fabs(x) <= JSON_EXACT_MAX) { /* 1e3, 1000.0: all are 1000 */
		snprintf(text, sizeof(text), "%.0f", x == 0 ? 0 : x);
	} else {
		number_text(x, text);
	}
	ret->id = arena_text(mem, text, strlen(text));
	if (!ret->id) {
		return no_memory(err);
	}
	return id_is_valid(ret->id)
		   ? 0
		   : err_set(err, RC_INVALID, "invalid_id", pointer, "%s cannot be an id", text);
}

static int neighbours(
    const struct bind_ids *ids, const char *pointer, struct between *ret, struct errinfo *err)
{
	char where[BIND_POINTER_MAX];

	*ret = (struct between){.left = NULL};
	if (!ids->given) {
		return 0;
	}
	if (ids->n != 2) {
		bind_pointer(pointer, "between", where);
		return err_set(err, RC_INVALID, "out_of_range", where,
		    "an arm lies between two others: their ids");
	}
	*ret = (struct between){ids->id[0], ids->id[1]};
	return 0;
}

/* ret_between: NULL where an arm has no neighbours. */
static int one_arm(const json_t *v, const char *pointer, struct arena *mem, struct spec_arm *ret,
    struct between *ret_between, struct errinfo *err)
{
	struct arm_object a = {.label = ""};
	int rc = 0;

	if (json_is_object(v)) {
		rc = bind_object(
		    v, ret_between ? new_arm_fields : arm_fields, pointer, mem, &a, err);
	} else if (json_is_number(v)) {
		rc = arm_from_number(v, pointer, mem, &a, err);
	} else if (json_is_string(v) && id_is_valid(json_string_value(v))) {
		a.id = json_string_value(v);
	} else {
		rc = err_set(err, RC_INVALID, json_is_string(v) ? "invalid_id" : "wrong_type",
		    pointer,
		    "an arm is an id (1-128 of A-Z a-z 0-9 . _ : -), a number or "
		    "{\"id\",\"label\"}");
	}
	*ret = (struct spec_arm){.id = a.id, .label = a.label};
	return rc || !ret_between ? rc : neighbours(&a.between, pointer, ret_between, err);
}

static int read_arms(const json_t *v, const char *pointer, size_t max, struct arena *mem,
    struct spec_arm **ret, struct between **ret_between, size_t *ret_n, struct errinfo *err)
{
	size_t n = json_is_array(v) ? json_array_size(v) : 1;
	struct spec_arm *arms = arena_array(mem, n, sizeof(*arms));
	struct between *between = ret_between ? arena_array(mem, n, sizeof(*between)) : NULL, *b;
	char where[BIND_POINTER_MAX];
	int rc = 0;

	if (n > max) {
		return err_set(
		    err, RC_LIMIT, "too_many", pointer, "at most %zu arms in a request", max);
	}
	if (!arms || (ret_between && !between)) {
		return no_memory(err);
	}
	if (!json_is_array(v)) {
		rc = one_arm(v, pointer, mem, arms, between, err);
	}
	for (size_t i = 0; rc == 0 && json_is_array(v) && i < n; i++) {
		b = between ? &between[i] : NULL;
		rc = one_arm(json_array_get(v, i), "", mem, &arms[i], b, NULL);
		if (rc) { /* where is said only of what is wrong */
			snprintf(where, sizeof(where), "%s/%zu", pointer, i);
			rc = one_arm(json_array_get(v, i), where, mem, &arms[i], b, err);
		}
	}
	*ret = arms;
	*ret_n = n;
	if (ret_between) {
		*ret_between = between;
	}
	return rc;
}

int arms_from_json(const json_t *v, const char *pointer, size_t max, struct arena *mem,
    struct spec_arm **ret, size_t *ret_n, struct errinfo *err)
{
	return read_arms(v, pointer, max, mem, ret, NULL, ret_n, err);
}

int new_arms_from_json(const json_t *v, size_t max, struct arena *mem, struct spec_arm **ret,
    struct between **ret_between, size_t *ret_n, struct errinfo *err)
{
	return read_arms(v, "", max, mem, ret, ret_between, ret_n, err);
}
