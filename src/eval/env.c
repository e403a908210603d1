/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/env.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct env_ops *const env_table[] = {
    &env_bernoulli_ops,
    &env_gaussian_ops,
    &env_drift_ops,
    NULL,
};

int env_find(const json_t *spec, const struct env_ops **ret, struct errinfo *err)
{
	const char *name = json_string_value(json_object_get(spec, "env"));

	if (!name) {
		return err_set(err, RC_INVALID, "missing_field", "/env",
		    "an environment is an object with \"env\": its name");
	}
	for (const struct env_ops *const *p = env_table; *p; p++) {
		if (strcmp((*p)->name, name) == 0) {
			*ret = *p;
			return 0;
		}
	}
	return err_set(err, RC_INVALID, "unknown_env", "/env", "no environment %s", name);
}

static bool is_listed(const char *const *list, const char *name)
{
	for (; *list; list++) {
		if (strcmp(*list, name) == 0) {
			return true;
		}
	}
	return false;
}

int env_check_fields(
    const json_t *object, const char *const *known, const char *where, struct errinfo *err)
{
	char pointer[sizeof(err->pointer)];
	const char *key;
	json_t *value;

	if (!json_is_object(object)) {
		return err_set(err, RC_INVALID, "wrong_type", where, "must be an object");
	}
	/* Iterating writes nothing; jansson only lacks the const. */
	json_object_foreach ((json_t *)object, key, value) {
		if (!is_listed(known, key)) {
			snprintf(pointer, sizeof(pointer), "%s/%s", where, key);
			return err_set(err, RC_INVALID, "unknown_field", pointer,
			    "no field of this environment");
		}
	}
	return 0;
}

static int check_number(
    const json_t *v, double lo, double hi, const char *pointer, struct errinfo *err)
{
	double x = json_number_value(v);

	if (!json_is_number(v)) {
		return err_set(err, RC_INVALID, "wrong_type", pointer, "must be a number");
	}
	if (!(x >= lo && x <= hi)) {
		return err_set(
		    err, RC_INVALID, "out_of_range", pointer, "must lie in [%g, %g]", lo, hi);
	}
	return 0;
}

int env_number(const json_t *object, const char *key, double lo, double hi, double dflt,
    double *ret, struct errinfo *err)
{
	const json_t *v = json_object_get(object, key);
	char pointer[sizeof(err->pointer)];
	int rc;

	if (!v) {
		*ret = dflt;
		return 0;
	}
	snprintf(pointer, sizeof(pointer), "/%s", key);
	rc = check_number(v, lo, hi, pointer, err);
	if (rc == 0) {
		*ret = json_number_value(v);
	}
	return rc;
}

int env_numbers(const json_t *object, const char *key, const char *where, double lo, double hi,
    double **ret, uint32_t *ret_n, struct errinfo *err)
{
	const json_t *array = json_object_get(object, key);
	size_t n = json_array_size(array);
	char pointer[sizeof(err->pointer)];
	double *x;
	int rc = 0;

	if (n == 0 || n > ENV_ARMS_MAX) {
		snprintf(pointer, sizeof(pointer), "%s/%s", where, key);
		return err_set(err, RC_INVALID, array ? "wrong_type" : "missing_field", pointer,
		    "must be an array of 1 to %d numbers", ENV_ARMS_MAX);
	}
	x = calloc(n, sizeof(*x));
	if (!x) {
		return RC_MEMORY;
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const json_t *v = json_array_get(array, i);

		snprintf(pointer, sizeof(pointer), "%s/%s/%zu", where, key, i);
		rc = check_number(v, lo, hi, pointer, err);
		x[i] = json_number_value(v);
	}
	if (rc) {
		free(x);
		return rc;
	}
	*ret = x;
	*ret_n = (uint32_t)n;
	return 0;
}
