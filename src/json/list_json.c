/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "json/bind.h"
#include "json/spec_json.h"

/* Appends the numbers of one row. */
static int row_from_json(
    const json_t *row, const char *pointer, double *v, size_t *n, struct errinfo *err)
{
	char where[BIND_POINTER_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < json_array_size(row); i++) {
		snprintf(where, sizeof(where), "%.100s/%zu", pointer, i);
		rc = bind_number(json_array_get(row, i), where, &v[(*n)++], err);
	}
	return rc;
}

int list_from_json(const json_t *a, const char *pointer, struct arena *mem, struct param_list *ret,
    struct errinfo *err)
{
	size_t rows = json_array_size(a), width = json_array_size(json_array_get(a, 0)), n = 0;
	char where[BIND_POINTER_MAX];
	double *v;
	int rc = 0;

	if (rows == 0 || (width == 0 && json_is_array(json_array_get(a, 0)))) {
		return err_set(err, RC_INVALID, "wrong_type", pointer, "must not be empty");
	}
	if (rows > PARAM_LIST_MAX || rows * (width ? width : 1) > PARAM_LIST_MAX) {
		return err_set(
		    err, RC_LIMIT, "too_many", pointer, "at most %d numbers", PARAM_LIST_MAX);
	}
	v = arena_array(mem, rows * (width ? width : 1), sizeof(*v));
	if (!v) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	for (size_t i = 0; rc == 0 && width && i < rows; i++) {
		snprintf(where, sizeof(where), "%.100s/%zu", pointer, i);
		if (json_array_size(json_array_get(a, i)) != width) {
			return err_set(err, RC_INVALID, "wrong_type", where,
			    "every row must be an array of %zu numbers, as the first is", width);
		}
		rc = row_from_json(json_array_get(a, i), where, v, &n, err);
	}
	rc = rc || width ? rc : row_from_json(a, pointer, v, &n, err);
	*ret = (struct param_list){.v = v, .n = n, .width = width};
	return rc;
}

json_t *list_to_json(const struct param_list *list)
{
	json_t *all = json_array(), *row = NULL;
	int rc = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (list->width && i % list->width == 0) {
			row = json_array();
			rc |= json_array_append_new(all, row);
		}
		rc |= json_array_append_new(list->width ? row : all, json_real(list->v[i]));
	}
	return bind_whole(all, rc);
}
