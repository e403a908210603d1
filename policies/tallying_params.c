/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "policies/tallying.h"

bool tally_has_subjects(const struct tallying_params *p)
{
	return p->mode != TALLY_GLOBAL;
}

unsigned tally_traits(const void *params)
{
	return POLICY_DETERMINISTIC | (tally_has_subjects(params) ? POLICY_SUBJECT : 0);
}

int tally_check(const void *params, struct errinfo *err)
{
	const struct tallying_params *p = params;

	if (isnan(p->memory_bound) || p->memory_bound != floor(p->memory_bound)) {
		return err_set(err, RC_INVALID, "missing_field", "/memory_bound",
		    "tallying needs memory_bound, a whole number of plays after which an arm's "
		    "past is forgotten; 20 if nothing is known");
	}
	if (isnan(p->reward_lo) != isnan(p->reward_hi) || p->reward_lo >= p->reward_hi) {
		return err_set(err, RC_INVALID, "out_of_range", "/reward_hi",
		    "reward_lo and reward_hi are given together, and reward_lo is smaller");
	}
	if (p->unit == TALLY_SUBJECT && p->mode != TALLY_POOLED) {
		return err_set(
		    err, RC_INVALID, "out_of_range", "/unit", "unit subject is for mode pooled");
	}
	return 0;
}

uint64_t tally_first_target(const struct tallying_params *p)
{
	uint64_t memory = (uint64_t)p->memory_bound;

	return p->n0 > 0 ? (uint64_t)p->n0 : memory > 1 ? memory : 1;
}

const char *tally_warn(const void *params, size_t arms)
{
	const struct tallying_params *p = params;
	double first = (double)arms * (p->memory_bound + (double)tally_first_target(p));

	if (p->horizon > 0 && (double)p->horizon < first) {
		return "the horizon is spent before the first test: that comes after arms * "
		       "(memory_bound + n0) decisions";
	}
	if (p->mode == TALLY_ISOLATED) {
		return "isolated learns of each subject alone, which takes arms * (memory_bound + "
		       "n0) decisions of one subject before its first test; pooled shares what is "
		       "learnt";
	}
	return NULL;
}

static const char *const modes[] = {"global", "isolated", "pooled", NULL};
static const char *const units[] = {"play", "subject", NULL};

/* clang-format off */
#define FIELD(name) offsetof(struct tallying_params, name)
const struct param_desc tally_params[] = {
	{.name = "memory_bound", .type = PARAM_F64, .offset = FIELD(memory_bound),
	 .min = 0, .max = 1e6, .flags = PARAM_UNSET | PARAM_CHANGE,
	 .text = "Plays in a row after which an arm's reward no longer depends on what came before; "
		 "required, the largest number believable."},
	{.name = "mode", .type = PARAM_CHOICE, .offset = FIELD(mode), .choices = modes,
	 .text = "Whose memory it is: one audience's; each subject's, learnt apart; each subject's, "
		 "learnt together."},
	{.name = "unit", .type = PARAM_CHOICE, .offset = FIELD(unit), .choices = units,
	 .text = "pooled: what one sample is; subject where subjects differ."},
	{.name = "n0", .type = PARAM_INT, .offset = FIELD(n0), .min = 0, .max = 1e9, .dflt = 0,
	 .text = "Used plays of each arm in the first epoch; 0: memory_bound, at least 1."},
	{.name = "horizon", .type = PARAM_INT, .offset = FIELD(horizon), .min = 0, .max = 1e15,
	 .dflt = 0,
	 .text = "Decisions in all, if known: the probability of an error is 1/horizon; 0: anytime."},
	{.name = "delta", .type = PARAM_F64, .offset = FIELD(delta), .min = 0, .max = 1,
	 .flags = PARAM_OPEN_MIN | PARAM_OPEN_MAX | PARAM_UNSET,
	 .text = "Probability of ever eliminating the best arm; goes before horizon. pooled: 1e-4."},
	{.name = "t0", .type = PARAM_INT, .offset = FIELD(t0), .min = 2, .max = 1e9, .dflt = 1024,
	 .text = "anytime: decisions of the first stage; each stage doubles them and tests all arms "
		 "anew."},
	{.name = "reward_lo", .type = PARAM_F64, .offset = FIELD(reward_lo), .min = -1e100,
	 .max = 1e100, .flags = PARAM_UNSET,
	 .text = "Least reward, mapped to 0; the experiment's when not given."},
	{.name = "reward_hi", .type = PARAM_F64, .offset = FIELD(reward_hi), .min = -1e100,
	 .max = 1e100, .flags = PARAM_UNSET,
	 .text = "Largest reward, mapped to 1; given together with reward_lo."},
	{.name = "subject_ttl", .type = PARAM_INT, .offset = FIELD(subject_ttl), .min = 0,
	 .max = 1e9, .dflt = 0,
	 .text = "Seconds after which a subject that was not seen is forgotten; 0: never."},
	{.name = "subjects_max", .type = PARAM_INT, .offset = FIELD(subjects_max), .min = 1,
	 .max = SUBJECTS_MOST, .dflt = 1e6,
	 .text = "Subjects remembered at once; beyond it new ones are refused."},
	{.name = NULL},
};
/* clang-format on */
