/* SPDX-License-Identifier: Apache-2.0 */
/* How a log overlaps with a target, by the weights that estimators use. */
#include <math.h>

#include "eval/ope.h"

struct ope_overlap ope_overlap_of(const struct interval_sum *q, double wr_abs)
{
	double v = q->ww.hi / q->n - (q->w.hi / q->n) * (q->w.hi / q->n);

	return (struct ope_overlap){.mean_weight = q->w.hi / q->n,
	    .mean_weight_se = v > 0 ? sqrt(v / q->n) : 0,
	    .max_weight = q->w_max,
	    .ess = q->ww.hi > 0 ? q->w.hi * q->w.hi / q->ww.hi : 0,
	    .reward_ess = q->wwrr.hi > 0 ? wr_abs * wr_abs / q->wwrr.hi : 0};
}

const struct ope_overlap *ope_overlap_by(const struct ope_summary *s, const struct estimator *e)
{
	return s->slots && e->kind->flags & EST_SLOTS ? &s->slate
	       : e->kind->flags & EST_BALANCED        ? &s->balanced
						      : &s->overlap;
}
