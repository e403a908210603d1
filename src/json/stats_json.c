/* SPDX-License-Identifier: Apache-2.0 */
#include "json/stats_json.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/experiment_plan.h"
#include "core/experiment_stream.h"
#include "json/bind.h"

#define NORMAL_95 1.959963984540054

/* Interval of a mean of rewards within [lo, hi], after Wilson (1927): on the scale of 0 to 1, with
 * the variance that was seen where his has p (1 - p), which is the same for rewards of 0 and 1. It
 * holds the mean and is never empty, however alike the rewards are. The whole range before the
 * first. */
static void interval(const struct experiment *e, const struct arm_totals *t, double *lo, double *hi)
{
	double from = experiment_lo(e), width = experiment_hi(e) - from;
	double n = (double)t->rewards, mean, var, a, middle, half;

	*lo = from;
	*hi = experiment_hi(e);
	if (t->rewards == 0) {
		return;
	}
	a = NORMAL_95 * NORMAL_95 / n;
	mean = (t->sum / n - from) / width;
	var = t->squares / n - t->sum / n * (t->sum / n);
	var = fmin(fmax(0, var / width / width), 0.25);
	middle = (mean + a / 2) / (1 + a);
	half = sqrt(a * var + a * a / 4) / (1 + a);
	*lo = fmax(*lo, fmin(t->sum / n, from + width * (middle - half)));
	*hi = fmin(*hi, fmax(t->sum / n, from + width * (middle + half)));
}

static json_t *mean_of(double sum, uint64_t n)
{
	return n ? json_real(sum / (double)n) : json_null();
}

static json_t *view_to_json(const struct experiment *e, uint32_t slot)
{
	struct arm_view view;
	json_t *o = json_object();
	int rc = 0;

	experiment_describe(e, slot, &view);
	for (size_t i = 0; i < view.n; i++) {
		double v = view.item[i].value;

		rc |= json_object_set_new(
		    o, view.item[i].name, isfinite(v) ? json_real(v) : json_null());
	}
	return bind_whole(o, rc);
}

json_t *arm_to_json(const struct experiment *e, uint32_t slot)
{
	const struct arms *arms = experiment_arms(e);
	const struct arm_totals *t = &arms->totals[slot];
	uint64_t all = experiment_totals(e)->decisions;
	double lo, hi;

	interval(e, t, &lo, &hi);
	return json_pack("{ss ss ss sI sI so sf sf sf so}", "arm", arms_id(arms, slot), "label",
	    arms_label(arms, slot), "state", arm_state_names[arms->arm[slot].state], "decisions",
	    (json_int_t)t->decisions, "rewards", (json_int_t)t->rewards, "mean",
	    mean_of(t->sum, t->rewards), "lo", lo, "hi", hi, "share",
	    all ? (double)t->decisions / (double)all : 0.0, "policy", view_to_json(e, slot));
}

/* At most `buckets` points: neighbours are added up. */
static json_t *history_to_json(const struct history *h, size_t buckets)
{
	json_t *list = json_array();
	size_t each = buckets && h->n ? (h->n + buckets - 1) / buckets : 1;
	int rc = 0;

	for (size_t i = 0; buckets && i < h->n; i += each) {
		struct history_bucket sum = {.decisions = 0};
		char at[CLOCK_TEXT_MAX];

		for (size_t k = i; k < i + each && k < h->n; k++) {
			sum.decisions += h->bucket[k].decisions;
			sum.rewards += h->bucket[k].rewards;
			sum.sum += h->bucket[k].sum;
		}
		clock_format(h->start_us + i * h->width_us, at);
		rc |= json_array_append_new(list,
		    json_pack("{ss sf sI sI so}", "at", at, "seconds",
			(double)(each * h->width_us) / 1e6, "decisions", (json_int_t)sum.decisions,
			"rewards", (json_int_t)sum.rewards, "mean", mean_of(sum.sum, sum.rewards)));
	}
	return bind_whole(list, rc);
}

static json_t *groups_to_json(const struct experiment *e)
{
	const struct arms *groups = experiment_groups(e);
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t i = 0; i < groups->n; i++) {
		const struct arm_totals *t = &groups->totals[i];

		rc |= json_array_append_new(
		    list, json_pack("{ss sI sI so}", "group", arms_id(groups, i), "decisions",
			      (json_int_t)t->decisions, "rewards", (json_int_t)t->rewards, "mean",
			      mean_of(t->sum, t->rewards)));
	}
	return bind_whole(list, rc);
}

json_t *stats_to_json(const struct experiment *e, size_t buckets, size_t arms_max)
{
	const struct totals *t = experiment_totals(e);
	const struct arms *arms = experiment_arms(e);
	uint64_t feedback = t->learnt + t->recorded + t->held;
	json_t *list = json_array();
	double sum = 0;
	uint64_t n = 0;
	int rc = 0;

	for (uint32_t slot = 0; slot < arms->n; slot++) {
		sum += arms->totals[slot].sum;
		n += arms->totals[slot].rewards;
		if (slot < arms_max && rc == 0) {
			rc = json_array_append_new(list, arm_to_json(e, slot));
		}
	}
	return json_pack("{ss ss sI sI sI so sf sI sI sI sI sI sI so so so}", "experiment",
	    experiment_name(e), "goal", goal_names[experiment_goal(e)], "decisions",
	    (json_int_t)t->decisions, "rewards", (json_int_t)n, "open", (json_int_t)t->open, "mean",
	    mean_of(sum, n), "clipped", feedback ? (double)t->clipped / (double)feedback : 0.0,
	    "learnt", (json_int_t)t->learnt, "recorded", (json_int_t)t->recorded, "pending",
	    (json_int_t)t->held, "late", (json_int_t)t->late, "voided", (json_int_t)t->voided,
	    "expired", (json_int_t)t->expired, "arms", bind_whole(list, rc), "groups",
	    groups_to_json(e), "history", history_to_json(experiment_history(e), buckets));
}

static json_t *schedule_to_json(
    const struct experiment *e, const uint32_t *periods, const uint32_t *offsets)
{
	const struct arms *arms = experiment_arms(e);
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t slot = 0; rc == 0 && slot < arms->n; slot++) {
		if (arms->arm[slot].state != ARM_RETIRED) {
			rc = json_array_append_new(list,
			    json_pack("{ss sI sI}", "arm", arms_id(arms, slot), "period",
				(json_int_t)periods[slot], "offset", (json_int_t)offsets[slot]));
		}
	}
	return bind_whole(list, rc);
}

json_t *plan_to_json(const struct experiment *e)
{
	size_t n = experiment_arms(e)->n;
	uint32_t *periods = calloc(n + 1, sizeof(*periods)),
		 *offsets = calloc(n + 1, sizeof(*offsets));
	struct plan_view view = {.plans = 0};
	json_t *o = NULL;

	if (periods && offsets) {
		experiment_plan_show(e, periods, offsets, &view);
		o = json_pack("{ss sb sI sf sf so}", "experiment", experiment_name(e), "planning",
		    experiment_is_planning(e), "plans", (json_int_t)view.plans, "value", view.value,
		    "upper", view.upper, "arms", schedule_to_json(e, periods, offsets));
	}
	free(periods);
	free(offsets);
	return o;
}

static json_t *slot_to_json(const struct experiment *e, uint32_t slot)
{
	return slot == SLOT_NONE ? json_null()
				 : json_string_nocheck(arms_id(experiment_arms(e), slot));
}

json_t *stream_to_json(const struct experiment *e, uint64_t oldest_us, uint64_t now_us)
{
	uint64_t decisions = experiment_totals(e)->decisions;
	struct stream_status s;
	struct stream_view v;
	json_t *age = json_null();

	experiment_stream_status(e, &s);
	experiment_stream_view(e, &v);
	if (oldest_us) {
		age = json_real(now_us > oldest_us ? (double)(now_us - oldest_us) / 1e6 : 0);
	}
	return json_pack("{sI sI sI so so so so sf so sf sI sI sI sI sb}", "offered",
	    (json_int_t)s.offered, "backlog", (json_int_t)s.waiting, "skipped",
	    (json_int_t)s.skipped, "oldest_s", age, "king", slot_to_json(e, v.king), "bench",
	    v.king == SLOT_NONE ? json_null() : json_real(v.bench), "test", slot_to_json(e, v.test),
	    "ratio", v.ratio, "king_ratio",
	    v.king_ratio > 0 ? json_real(v.king_ratio) : json_null(), "exploration",
	    decisions ? (double)s.explored / (double)decisions : 0.0, "crowned",
	    (json_int_t)v.crowned, "dropped", (json_int_t)v.dropped, "expired",
	    (json_int_t)v.expired, "late", (json_int_t)s.late, "rechecking", v.rechecking);
}
