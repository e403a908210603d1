/* SPDX-License-Identifier: Apache-2.0 */
#include "json/stats_json.h"

#include <math.h>

#include "base/clock.h"
#include "core/experiment_stream.h"
#include "json/bind.h"

#define NORMAL_95 1.959963984540054

/* Interval of a mean of rewards within [lo, hi], after Wilson (1927): on the scale of 0 to 1, with
 * the variance that was seen where his has p (1 - p), which is the same for rewards of 0 and 1. It
 * holds the mean and is never empty, however alike the rewards are. The whole range before the
 * first. */
static void interval(const struct arms_copy *of, const struct arm_totals *t, double *lo, double *hi)
{
	double from = of->lo, width = of->hi - from;
	double n = (double)t->rewards, mean, var, a, middle, half;

	*lo = from;
	*hi = of->hi;
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

static json_t *view_to_json(const struct arm_view *view)
{
	json_t *o = json_object();
	int rc = 0;

	for (size_t i = 0; i < view->n; i++) {
		double v = view->item[i].value;

		rc |= json_object_set_new(
		    o, view->item[i].name, isfinite(v) ? json_real(v) : json_null());
	}
	return bind_whole(o, rc);
}

static json_t *one_to_json(const struct arms_copy *a, const struct arm_copy *arm)
{
	const struct arm_totals *t = &arm->totals;
	double lo, hi;

	interval(a, t, &lo, &hi);
	return json_pack("{ss ss ss sI sI so sf sf sf so}", "arm", arm->id, "label", arm->label,
	    "state", arm_state_names[arm->state], "decisions", (json_int_t)t->decisions, "rewards",
	    (json_int_t)t->rewards, "mean", mean_of(t->sum, t->rewards), "lo", lo, "hi", hi,
	    "share", a->decisions ? (double)t->decisions / (double)a->decisions : 0.0, "policy",
	    view_to_json(&arm->view));
}

json_t *arm_to_json(const struct experiment *e, uint32_t slot)
{
	const struct arms_copy a = {.lo = experiment_lo(e),
	    .hi = experiment_hi(e),
	    .decisions = experiment_totals(e)->decisions};
	struct arm_copy arm;

	experiment_view_arm(e, slot, &arm);
	return one_to_json(&a, &arm);
}

json_t *arms_to_json(const struct arms_copy *a)
{
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < a->n; i++) {
		rc = json_array_append_new(list, one_to_json(a, &a->arm[i]));
	}
	return bind_whole(list, rc);
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

static json_t *groups_to_json(const struct stats_copy *s)
{
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t i = 0; i < s->ngroups; i++) {
		const struct arm_totals *t = &s->group[i].totals;

		rc |= json_array_append_new(
		    list, json_pack("{ss sI sI so}", "group", s->group[i].id, "decisions",
			      (json_int_t)t->decisions, "rewards", (json_int_t)t->rewards, "mean",
			      mean_of(t->sum, t->rewards)));
	}
	return bind_whole(list, rc);
}

json_t *stats_to_json(const struct stats_copy *s, size_t buckets)
{
	const struct totals *t = &s->totals;
	uint64_t feedback = t->learnt + t->recorded + t->held;

	return json_pack("{ss ss sI sI sI so sf sI sI sI sI sI sI so so so}", "experiment", s->name,
	    "goal", goal_names[s->goal], "decisions", (json_int_t)t->decisions, "rewards",
	    (json_int_t)s->rewards, "open", (json_int_t)t->open, "mean",
	    mean_of(s->sum, s->rewards), "clipped",
	    feedback ? (double)t->clipped / (double)feedback : 0.0, "learnt", (json_int_t)t->learnt,
	    "recorded", (json_int_t)t->recorded, "pending", (json_int_t)t->held, "late",
	    (json_int_t)t->late, "voided", (json_int_t)t->voided, "expired", (json_int_t)t->expired,
	    "arms", arms_to_json(&s->arms), "groups", groups_to_json(s), "history",
	    history_to_json(&s->history, buckets));
}

static json_t *schedule_to_json(const struct plan_copy *p)
{
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < p->n; i++) {
		rc = json_array_append_new(list,
		    json_pack("{ss sI sI}", "arm", p->arm[i].id, "period",
			(json_int_t)p->arm[i].period, "offset", (json_int_t)p->arm[i].offset));
	}
	return bind_whole(list, rc);
}

json_t *plan_to_json(const struct plan_copy *p)
{
	return json_pack("{ss sb sI sf sf so}", "experiment", p->name, "planning", p->planning,
	    "plans", (json_int_t)p->view.plans, "value", p->view.value, "upper", p->view.upper,
	    "arms", schedule_to_json(p));
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
