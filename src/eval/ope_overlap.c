/* SPDX-License-Identifier: Apache-2.0 */
/* How a log overlaps with a target, by the weights that estimators use. */
#include <math.h>

#include "eval/ope_impl.h"

static struct ope_overlap overlap(const struct interval_sum *q, double wr_abs)
{
	double v = q->ww.hi / q->n - (q->w.hi / q->n) * (q->w.hi / q->n);

	return (struct ope_overlap){.mean_weight = q->w.hi / q->n,
	    .mean_weight_se = v > 0 ? sqrt(v / q->n) : 0,
	    .max_weight = q->w_max,
	    .ess = q->ww.hi > 0 ? q->w.hi * q->w.hi / q->ww.hi : 0,
	    .reward_ess = q->wwrr.hi > 0 ? wr_abs * wr_abs / q->wwrr.hi : 0};
}

static void take_overlap(struct ope_summary *s, const struct ope_overlap *v)
{
	s->mean_weight = v->mean_weight;
	s->mean_weight_se = v->mean_weight_se;
	s->max_weight = v->max_weight;
	s->ess = v->ess;
	s->reward_ess = v->reward_ess;
}

struct ope_summary ope_seen_by(const struct ope_summary *s, const struct estimator *e)
{
	struct ope_summary seen = *s;

	if (s->slots && e->kind->flags & EST_SLOTS) {
		take_overlap(&seen, &s->slate);
	} else if (e->kind->flags & EST_BALANCED) {
		take_overlap(&seen, &s->balanced);
	}
	return seen;
}

void ope_overlap(struct run *u)
{
	const struct ope_overlap v = overlap(&u->s.sums, u->wr_abs);

	take_overlap(&u->s, &v);
	if (u->s.slots) {
		u->s.slate = overlap(&u->slate, u->slate_wr_abs);
	}
	if (u->balance) {
		u->s.balanced = overlap(&u->balanced, u->balanced_wr_abs);
	}
}
