/* SPDX-License-Identifier: Apache-2.0 */
/* One tsallis_inf (see there) for each of m equal bins of the first feature, each with its own t.
 * A context outside [ctx_lo, ctx_hi] counts to the nearest bin. Costs as tsallis_inf. */
#include <math.h>

#include "policies/policies.h"
#include "policies/tsallis.h"

#define BINS_MAX 64

static int bins_check(const void *params, struct errinfo *err)
{
	const struct tsallis_params *p = params;

	return ctx_check(p->ctx_lo, p->ctx_hi, err);
}

/* clang-format off */
static const struct param_desc tsallis_bins_params[] = {
	TSALLIS_PARAMS,
	{.name = "bins", .type = PARAM_INT, TSALLIS_AT(bins), .min = 1, .max = BINS_MAX, .dflt = 5,
	 .text = "how many learners share the range of the context"},
	{.name = "ctx_lo", .type = PARAM_F64, TSALLIS_AT(ctx_lo), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "least value of the first feature that is told apart"},
	{.name = "ctx_hi", .type = PARAM_F64, TSALLIS_AT(ctx_hi), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .dflt = 1, .flags = PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "largest value of the first feature that is told apart"},
	{.name = NULL},
};

const struct policy_ops tsallis_bins_ops = {
	.name = "tsallis_bins",
	.summary = "one tsallis_inf for each bin of a number that is known before",
	.version = 1,
	.flags = POLICY_CONTEXTUAL,
	.params = tsallis_bins_params,
	.check = bins_check,
	.dim = ctx_dim,
	TSALLIS_HOOKS,
};
