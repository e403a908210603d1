/* SPDX-License-Identifier: Apache-2.0 */
/* From the sums of a run to values and intervals. */
#include <math.h>

#include "eval/bootstrap.h"
#include "eval/ope_impl.h"

/* The quotient as a mean of num over the log's own mean of den, which is then a constant. */
static void fix_denominators(struct est_term *t, size_t n, const struct est_sum *sum)
{
	for (size_t i = 0; i < n && sum->den.hi > 0; i++) {
		t[i].num *= sum->weight.hi / sum->den.hi;
		t[i].den = t[i].weight;
	}
}

int ope_bound(struct run *u, size_t i, struct errinfo *err)
{
	const struct ope_options *o = u->o;
	const struct est_sum *sum = &u->sums[i];
	struct ope_result *r = &u->results[i];
	double n = (double)sum->n, half, width, lo = 0, hi = 0;

	r->value = est_sum_value(sum);
	if (r->estimator.kind->flags & EST_LIKELIHOOD) {
		r->value = interval_cressie_read_point(&u->s.sums, 0, HUGE_VAL);
	}
	r->se = est_sum_se(sum);
	switch (o->interval) {
	case INTERVAL_BOOTSTRAP:
		if (o->fixed_denominator) {
			fix_denominators(u->terms[i], u->s.used, sum);
		}
		return bootstrap_interval(u->terms[i], u->s.used, o->resamples, o->seed, o->threads,
		    o->alpha, &r->lo, &r->hi, err);
	case INTERVAL_BERNSTEIN:
		/* One round may weigh as much as the heaviest did. */
		width = (r->estimator.kind->flags & EST_MODEL ? 1 : 0) + u->s.max_weight;
		width *= u->s.reward_hi - u->s.reward_lo;
		half = interval_bernstein(r->se * r->se * n, width, n, o->alpha / 2);
		lo = r->value - half;
		hi = r->value + half;
		break;
	case INTERVAL_CLOPPER_PEARSON:
		interval_clopper_pearson(&u->s.sums, o->alpha, &lo, &hi);
		break;
	case INTERVAL_CRESSIE_READ:
		interval_cressie_read(&u->s.sums, 0, HUGE_VAL, o->alpha, &lo, &hi);
		break;
	case INTERVAL_SEQUENCE:
		interval_sequence(&u->s.sums, o->alpha, &lo, &hi);
		break;
	default:
		interval_normal(r->value, r->se, o->alpha, &lo, &hi);
	}
	r->lo = lo;
	r->hi = hi;
	return 0;
}

int ope_check_intervals(
    const struct ope_options *o, const struct estimator *est, size_t n, struct errinfo *err)
{
	for (size_t i = 0; i < n; i++) {
		bool own = o->interval >= INTERVAL_CLOPPER_PEARSON;
		unsigned flags = est[i].kind->flags;
		/* Weights and rewards as they are. */
		bool weighted =
		    !(flags & (EST_MODEL | EST_SLOTS)) && est[i].param == HUGE_VAL && !est[i].slope;

		if (o->interval == INTERVAL_BOOTSTRAP && flags & EST_LIKELIHOOD) {
			return err_set(err, RC_INVALID, "interval", "",
			    "%s cannot be resampled: try --interval cressie-read", est[i].text);
		}
		if (o->interval == INTERVAL_BERNSTEIN &&
		    flags & (EST_RATIO | EST_MODEL_ALONE | EST_SLOTS)) {
			return err_set(err, RC_INVALID, "interval", "",
			    "bernstein bounds plain means: it does not go with %s", est[i].text);
		}
		if (own && !weighted) {
			return err_set(err, RC_INVALID, "interval", "",
			    "%s is made of weights and rewards: it goes with ips, snips and "
			    "cressie-read, unclipped, not with %s",
			    interval_names[o->interval], est[i].text);
		}
	}
	return 0;
}
