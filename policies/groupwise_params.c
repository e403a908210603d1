/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of groupwise. */
#include <math.h>

#include "policies/groupwise_impl.h"

int groupwise_check(const void *params, struct errinfo *err)
{
	const struct groupwise_params *p = params;

	for (size_t i = 0; i < p->priors.n; i++) {
		if (!(p->priors.v[i] > 0)) {
			return err_set(
			    err, RC_INVALID, "out_of_range", "/priors", "priors must be > 0");
		}
	}
	if (p->priors.width > 0 || p->priors.n > GROUPWISE_GROUPS_MAX) {
		return err_set(err, RC_INVALID, "wrong_type", "/priors",
		    "priors are at most %d numbers, one per group", GROUPWISE_GROUPS_MAX);
	}
	if (p->kind == GROUPWISE_REGRESS && p->learner > GROUPWISE_FORWARD) {
		return err_set(err, RC_INVALID, "not_supported", "/learner",
		    "regress learns by ridge or forward");
	}
	if (p->samples != floor(p->samples)) { /* not given is not a number, and no less */
		return isnan(p->samples) ? groupwise_components_check(p, err)
					 : err_set(err, RC_INVALID, "out_of_range", "/samples",
					       "samples is a whole number");
	}
	return groupwise_components_check(p, err);
}

static const char *const kinds[] = {"arms", "regress", "experts", NULL};
static const char *const forms[] = {"A", "B", NULL};
static const char *const learners[] = {"ridge", "forward", "hedge", "ftpl", NULL};
static const char *const mixes[] = {"expected", "actual", NULL};
static const char *const outputs[] = {"average", "sample", NULL};
static const char *const priors[] = {"equal", "open", NULL};

#define CHOICE(field, list, what)                                                                  \
	{                                                                                          \
		.name = #field, .type = PARAM_CHOICE,                                              \
		.offset = offsetof(struct groupwise_params, field), .choices = (list),             \
		.text = (what)                                                                     \
	}

/* clang-format off */
const struct param_desc groupwise_params[] = {
	CHOICE(kind, kinds, "arms: a reward of the arm drawn; regress: predictions and labels; "
	    "experts: rewards of all arms"),
	CHOICE(form, forms, "arms: A, a weight per group and arm; B, a learner per group"),
	CHOICE(learner, learners, "regress: least squares (ridge), or its shrunk form with a proven "
	    "bound (forward); experts: exponential weights unless ftpl is given, the leader under "
	    "perturbed losses, for arms that share components"),
	CHOICE(mix, mixes, "regress: loss charged to the mixture: the mean of the groups' losses, "
	    "or that of the prediction given"),
	CHOICE(output, outputs, "regress: the mean of the groups' predictions, or one of them"),
	CHOICE(prior, priors, "regress and experts: weights of groups beforehand, equal or "
	    "1/(i (i + 1)) for the i-th one"),
	{.name = "priors", .type = PARAM_LIST, .offset = offsetof(struct groupwise_params, priors),
	 .min = 0, .max = 1e9,
	 .text = "regress and experts: the weight of each group, in the order of the experiment's "
	     "groups, relative to that of all decisions, 1; instead of prior"},
	{.name = "components", .type = PARAM_LIST,
	 .offset = offsetof(struct groupwise_params, components), .min = 0, .max = 1e6,
	 .text = "ftpl: what each arm is made of, a row per arm, a column per component"},
	{.name = "samples", .type = PARAM_F64, .offset = offsetof(struct groupwise_params, samples),
	 .min = 1, .max = 10000, .flags = PARAM_UNSET,
	 .text = "ftpl: draws whose shares are the distribution; not given: 100"},
	{.name = "lambda", .type = PARAM_F64, .offset = offsetof(struct groupwise_params, lambda),
	 .min = 1e-3, .max = 1e6, .dflt = 1, .text = "regress: ridge penalty"},
	{.name = "horizon", .type = PARAM_F64, .offset = offsetof(struct groupwise_params, horizon),
	 .min = 1, .max = 1e12, .dflt = 1e5,
	 .text = "arms: decisions of the groups that matter, from which the rates follow"},
	{.name = "doubling", .type = PARAM_BOOL,
	 .offset = offsetof(struct groupwise_params, doubling),
	 .text = "arms: instead of horizon, start anew at decisions 1, 2, 4, 8 ..."},
	{.name = "eta", .type = PARAM_F64, .offset = offsetof(struct groupwise_params, eta),
	 .min = 0, .max = 10, .text = "arms: learning rate; 0: from the horizon; ftpl: of the perturbation"},
	{.name = "ix", .type = PARAM_F64, .offset = offsetof(struct groupwise_params, ix),
	 .min = 0, .max = 0.1, .text = "arms: added to the propensity in the estimator"},
	{.name = "gamma", .type = PARAM_F64, .offset = offsetof(struct groupwise_params, gamma),
	 .min = 0, .max = 0.5, .text = "form B: share of uniform draws; 0: from the horizon"},
	{.name = NULL},
};
/* clang-format on */
