/* SPDX-License-Identifier: Apache-2.0 */
/* May this answer be believed? The worst that is found decides, and is told in words. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "eval/ope.h"

const char *const ope_verdicts[] = {"reliable", "weak", "unusable"};

void ope_find(
    enum ope_verdict *worst, char *why, size_t size, enum ope_verdict v, const char *fmt, ...)
{
	va_list args;

	if (v > *worst) {
		*worst = v;
		va_start(args, fmt);
		vsnprintf(why, size, fmt, args);
		va_end(args);
	}
}

/* A classifier is fitted to a mean of 1: chance in the draws moves it less than the error tells. */
static double off_by(const struct ope_overlap *s, const struct ope_result *r)
{
	double slack = r->estimator.kind->flags & EST_BALANCED ? OPE_MEAN_WEIGHT_FITTED : 0;
	double off = fmax(fabs(s->mean_weight - 1) - slack, 0);

	return s->mean_weight_se > 0 ? off / s->mean_weight_se : off > 1e-3 ? HUGE_VAL : 0;
}

static void find_unusable(const struct ope_summary *s, struct ope_result *r)
{
	const struct ope_overlap *o = ope_overlap_by(s, &r->estimator);

	if (o->ess < OPE_ESS_UNUSABLE) {
		OPE_FIND(r, OPE_UNUSABLE,
		    "the log is worth %.1f rounds under this target, of %.0f read", o->ess,
		    (double)s->used);
	}
	if (s->unsupported > OPE_UNSUPPORTED_UNUSABLE) {
		OPE_FIND(r, OPE_UNUSABLE, "the log never tried %.1f %% of what the target does",
		    100 * s->unsupported);
	}
	if (off_by(o, r) > OPE_MEAN_WEIGHT_UNUSABLE) {
		OPE_FIND(r, OPE_UNUSABLE,
		    "the mean weight is %.4g and not 1, by %.1f standard errors: propensities or "
		    "support are wrong",
		    o->mean_weight, off_by(o, r));
	}
}

static void find_weak(const struct ope_summary *s, struct ope_result *r)
{
	const struct ope_overlap *o = ope_overlap_by(s, &r->estimator);

	if (o->ess < OPE_ESS_WEAK) {
		OPE_FIND(r, OPE_WEAK,
		    "the log is worth %.1f rounds under this target, of %.0f read", o->ess,
		    (double)s->used);
	}
	if (s->unsupported > OPE_UNSUPPORTED_WEAK) {
		OPE_FIND(r, OPE_WEAK, "the log never tried %.1f %% of what the target does",
		    100 * s->unsupported);
	}
	if (off_by(o, r) > OPE_MEAN_WEIGHT_WEAK) {
		OPE_FIND(r, OPE_WEAK, "the mean weight is %.4g and not 1, by %.1f standard errors",
		    o->mean_weight, off_by(o, r));
	}
	if (o->reward_ess < OPE_REWARD_ESS_WEAK) {
		OPE_FIND(
		    r, OPE_WEAK, "all reward comes from as good as %.1f rounds", o->reward_ess);
	}
	if (r->estimator.kind->flags & EST_MODEL_ALONE) {
		OPE_FIND(r, OPE_WEAK,
		    "it rests on the reward model, whose error the interval leaves out");
	}
	if (r->estimator.kind->flags & EST_BALANCED) {
		OPE_FIND(r, OPE_WEAK,
		    "its weights are estimated, and the interval leaves their error out");
	}
}

void ope_judge(const struct ope_summary *s, struct ope_result *r)
{
	r->verdict = OPE_RELIABLE;
	snprintf(r->why, sizeof(r->why), "the log is worth %.1f rounds under this target, of %.0f",
	    ope_overlap_by(s, &r->estimator)->ess, (double)s->used);
	find_unusable(s, r);
	find_weak(s, r);
}
