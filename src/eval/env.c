/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct env_ops *const env_table[] = {
    &env_bernoulli_ops,
    &env_gaussian_ops,
    &env_drift_ops,
    &env_groups_ops,
    &env_recovering_ops,
    &env_tallying_ops,
    &env_sor_ops,
    &env_stream_ops,
    NULL,
};

static int find(const json_t *spec, const struct env_ops **ret, struct errinfo *err)
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

int env_new(const json_t *spec, const struct env_ops **ret_ops, void **ret_env, struct errinfo *err)
{
	const struct env_ops *ops;
	void *env;
	int rc = find(spec, &ops, err);

	if (rc) {
		return rc;
	}
	env = calloc(1, ops->size);
	if (!env) {
		return RC_MEMORY;
	}
	rc = ops->read(env, spec, err);
	if (rc) {
		env_free(ops, env);
		return rc;
	}
	*ret_ops = ops;
	*ret_env = env;
	return 0;
}

void env_free(const struct env_ops *ops, void *env)
{
	if (env) {
		ops->release(env);
		free(env);
	}
}

void env_range(const struct env_ops *ops, const void *env, double *ret_lo, double *ret_hi)
{
	*ret_lo = 0;
	*ret_hi = 1;
	if (ops->range) {
		ops->range(env, ret_lo, ret_hi);
	}
}

int env_numbers(const json_t *array, const char *pointer, double lo, double hi, double **ret,
    uint32_t *ret_n, struct errinfo *err)
{
	size_t n = json_array_size(array);
	char where[sizeof(err->pointer)];
	double *x;

	if (n == 0 || n > ENV_ARMS_MAX) {
		return err_set(err, RC_INVALID, "wrong_type", pointer,
		    "must be an array of 1 to %d numbers", ENV_ARMS_MAX);
	}
	x = calloc(n, sizeof(*x));
	if (!x) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(array, i);

		x[i] = json_number_value(v);
		if (!json_is_number(v) || !(x[i] >= lo && x[i] <= hi)) {
			snprintf(where, sizeof(where), "%s/%zu", pointer, i);
			free(x);
			return err_set(err, RC_INVALID, "out_of_range", where,
			    "must be a number in [%g, %g]", lo, hi);
		}
	}
	*ret = x;
	*ret_n = (uint32_t)n;
	return 0;
}
