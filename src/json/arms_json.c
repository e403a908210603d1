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
};

static const struct bind_field arm_fields[] = {
    {"id", BIND_ID, offsetof(struct arm_object, id), BIND_REQUIRED, 0, 0, NULL},
    {"label", BIND_TEXT, offsetof(struct arm_object, label), 0, 0, LABEL_MAX, NULL},
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

static int one_arm(const json_t *v, const char *pointer, struct arena *mem, struct spec_arm *ret,
    struct errinfo *err)
{
	struct arm_object a = {.label = ""};
	int rc = 0;

	if (json_is_object(v)) {
		rc = bind_object(v, arm_fields, pointer, mem, &a, err);
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
	return rc;
}

int arms_from_json(const json_t *v, const char *pointer, size_t max, struct arena *mem,
    struct spec_arm **ret, size_t *ret_n, struct errinfo *err)
{
	size_t n = json_is_array(v) ? json_array_size(v) : 1;
	struct spec_arm *arms = arena_array(mem, n, sizeof(*arms));
	char where[BIND_POINTER_MAX];
	int rc = 0;

	if (n > max) {
		return err_set(
		    err, RC_LIMIT, "too_many", pointer, "at most %zu arms in a request", max);
	}
	if (!arms) {
		return no_memory(err);
	}
	if (!json_is_array(v)) {
		rc = one_arm(v, pointer, mem, arms, err);
	}
	for (size_t i = 0; rc == 0 && json_is_array(v) && i < n; i++) {
		rc = one_arm(json_array_get(v, i), "", mem, &arms[i], NULL);
		if (rc) { /* where is said only of what is wrong */
			snprintf(where, sizeof(where), "%s/%zu", pointer, i);
			rc = one_arm(json_array_get(v, i), where, mem, &arms[i], err);
		}
	}
	*ret = arms;
	*ret_n = n;
	return rc;
}
