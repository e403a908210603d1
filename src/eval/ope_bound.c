/* SPDX-License-Identifier: Apache-2.0 */
/* From the sums of a run to values and intervals. */
#include <math.h>

#include "eval/bootstrap.h"
#include "eval/mle.h"
#include "eval/ope_impl.h"

#define WEIGHT_SLACK 1e-12 /* a largest weight that was printed is read back */

/* The quotient as a mean of num over the log's own mean of den, which is then a constant. */
static void fix_denominators(struct est_term *t, size_t n, const struct est_sum *sum)
{
	for (size_t i = 0; i < n && sum->den.hi > 0; i++) {
		t[i].num *= sum->weight.hi / sum->den.hi;
		t[i].den = t[i].weight;
	}
}

/* How far values of rounds may lie apart. One round may weigh as much as the heaviest did, and by
 * slots as little as 1 - m. */
static double width_of(const struct run *u, size_t i)
{
	unsigned flags = u->results[i].estimator.kind->flags;
	double width = u->s.overlap.max_weight;

	if (flags & EST_SLOTS && u->s.slots) {
		width = u->s.slate.max_weight + (double)u->s.slots - 1;
	}
	return (width + (flags & EST_MODEL ? 1 : 0)) * (u->s.reward_hi - u->s.reward_lo);
}

static int likely_value(struct run *u, size_t i, struct errinfo *err)
{
	struct ope_result *r = &u->results[i];
	const struct interval_sum *q = &u->s.sums;

	if (q->w_max > r->estimator.param * (1 + WEIGHT_SLACK)) {
		return err_set(err, RC_INVALID, "estimator", "",
		    "%s: the log has a weight of %.17g", r->estimator.text, q->w_max);
	}
	r->value = r->estimator.kind->flags & EST_TERMS
		       ? mle_point(u->terms[i], u->s.used, r->estimator.param, q->r.hi / q->n)
		       : interval_cressie_read_point(q, 0, r->estimator.param);
	return 0;
}

int ope_bound(struct run *u, size_t i, struct errinfo *err)
{
	const struct ope_options *o = u->o;
	const struct est_sum *sum = &u->sums[i];
	struct ope_result *r = &u->results[i];
	double n = (double)sum->n, half, w_max = HUGE_VAL, lo = 0, hi = 0;

	r->value = est_sum_value(sum);
	r->se = est_sum_se(sum);
	if (r->estimator.kind->flags & EST_LIKELIHOOD) {
		int rc = likely_value(u, i, err);

		if (rc) {
			return rc;
		}
		w_max = r->estimator.param;
	}
	switch (o->interval) {
	case INTERVAL_BOOTSTRAP:
		if (o->fixed_denominator) {
			fix_denominators(u->terms[i], u->s.used, sum);
		}
		return bootstrap_interval(u->terms[i], u->s.used, o->resamples, o->seed, o->threads,
		    o->alpha, &r->lo, &r->hi, err);
	case INTERVAL_BERNSTEIN:
		half = interval_bernstein(r->se * r->se * n, width_of(u, i), n, o->alpha / 2);
		lo = r->value - half;
		hi = r->value + half;
		break;
	case INTERVAL_HOEFFDING:
		half = interval_hoeffding(width_of(u, i), n, o->alpha / 2);
		lo = r->value - half;
		hi = r->value + half;
		break;
	case INTERVAL_STUDENT:
		interval_student(r->value, r->se, n, o->alpha, &lo, &hi);
		break;
	case INTERVAL_CLOPPER_PEARSON:
		interval_clopper_pearson(&u->s.sums, o->alpha, &lo, &hi);
		break;
	case INTERVAL_CRESSIE_READ:
		interval_cressie_read(&u->s.sums, 0, w_max, o->alpha, &lo, &hi);
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
		bool weighted = !(flags & (EST_MODEL | EST_SLOTS | EST_BALANCED)) &&
				(flags & EST_LIKELIHOOD || est[i].param == HUGE_VAL) &&
				!est[i].slope;

		if (o->interval == INTERVAL_BOOTSTRAP && flags & EST_LIKELIHOOD) {
			return err_set(err, RC_INVALID, "interval", "",
			    "%s cannot be resampled: try --interval cressie-read", est[i].text);
		}
		if ((o->interval == INTERVAL_BERNSTEIN || o->interval == INTERVAL_HOEFFDING) &&
		    flags & (EST_RATIO | EST_MODEL_ALONE | EST_BALANCED)) {
			return err_set(err, RC_INVALID, "interval", "",
			    "%s bounds plain means of known weights: it does not go with %s",
			    interval_names[o->interval], est[i].text);
		}
		if (own && !weighted) {
			return err_set(err, RC_INVALID, "interval", "",
			    "%s is made of weights and rewards: it goes with ips, snips, "
			    "cressie-read and mle, unclipped, not with %s",
			    interval_names[o->interval], est[i].text);
		}
	}
	return 0;
}
