/* SPDX-License-Identifier: Apache-2.0 */
/* The setting that a policy cannot do without, for tests that take any policy: what its check()
 * misses among the defaults. */
#ifndef TESTS_UNIT_NEEDED_H
#define TESTS_UNIT_NEEDED_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy.h"
#include "core/spec.h"

#define NEEDED_NUMBER 3.0

/* False when the defaults do. */
static inline bool policy_needs(const struct policy_ops *ops, struct spec_param *ret)
{
	struct errinfo err = {.rc = 0};
	const struct param_desc *d;
	void *params;
	int rc;

	if (!ops->check || !ops->params_size) {
		return false;
	}
	params = calloc(1, ops->params_size);
	ck_assert_ptr_nonnull(params);
	param_defaults(ops->params, params);
	rc = ops->check(params, &err);
	free(params);
	if (rc == 0 || !err.code || strcmp(err.code, "missing_field") != 0) {
		return false;
	}
	d = param_find(ops->params, err.pointer + 1);
	ck_assert_ptr_nonnull(d);
	*ret = (struct spec_param){.name = d->name,
	    .number = NEEDED_NUMBER < d->min   ? d->min
		      : NEEDED_NUMBER > d->max ? d->max
					       : NEEDED_NUMBER};
	return true;
}

#endif
