/* SPDX-License-Identifier: Apache-2.0 */
/* The questions about feedback: each is const and answers with the event that would change the
 * state. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "core/experiment_impl.h"

int experiment_no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

struct event experiment_next(const struct experiment *e, enum event_kind kind, uint64_t at_us)
{
	struct event ev;

	memset(&ev, 0, sizeof(ev));
	ev.kind = kind;
	ev.seq = e->seq + 1;
	ev.at_us =
	    at_us > e->at_us ? at_us : e->at_us; /* the clock may jump back; the log does not */
	return ev;
}

static uint32_t id_check(const struct experiment *e, uint64_t seq)
{
	struct rng rng = rng_at(e->seed, seq, RNG_ID);

	return (uint32_t)rng_u64(&rng);
}

static void make_id(const struct experiment *e, uint64_t seq, char ret[DECISION_ID_MAX])
{
	char *to = ret;

	*to++ = 'd';
	*to++ = ':';
	to = digits_put(to, seq);
	*to++ = '-';
	to = digits_put_hex(to, id_check(e, seq), 8);
	*to = '\0';
}

const char *experiment_decision_id(
    const struct experiment *e, const struct event *d, char scratch[DECISION_ID_MAX])
{
	if (d->decision.id) {
		return d->decision.id;
	}
	make_id(e, d->seq, scratch);
	return scratch;
}

bool decision_id_is_made(const char *id)
{
	return strncmp(id, "d:", 2) == 0;
}

uint64_t experiment_decision_seq(const struct experiment *e, const char *id)
{
	char again[DECISION_ID_MAX];
	uint64_t seq;
	char *end;

	if (!decision_id_is_made(id) || strlen(id) >= DECISION_ID_MAX) {
		return 0;
	}
	seq = strtoull(id + 2, &end, 10);
	make_id(e, seq, again);
	return strcmp(again, id) == 0 ? seq : 0;
}

/* The groups of a decision as numbers. One that was removed keeps its place, for what the policy
 * noted with the decision is in the order of its groups; one that has come again learns. */
static int copy_groups(const struct experiment *e, const struct event_decision *d,
    struct arena *mem, struct event_feedback *f)
{
	uint32_t *groups = arena_array(mem, d->ngroups, sizeof(*groups));

	for (size_t i = 0; groups && i < d->ngroups; i++) {
		uint32_t number = experiment_group(e, d->groups[i]);

		groups[i] = number == ARM_NONE ? GROUP_GONE : number;
	}
	f->groups = groups;
	f->ngroups = d->ngroups;
	return groups ? 0 : RC_MEMORY;
}

/* Feedback to decision d, with what its update will need copied over. */
static int feedback_event(const struct experiment *e, const struct event *d, enum event_kind kind,
    uint64_t at_us, struct arena *mem, struct event *ret)
{
	const struct event_decision *of = &d->decision;
	struct event_feedback *f = &ret->feedback;

	*ret = experiment_next(e, kind, at_us);
	f->ref = d->seq;
	f->id = of->id;
	f->x = of->x;
	f->dim = of->dim;
	f->memo = of->memo;
	f->nmemo = of->nmemo;
	f->arm = of->arm;
	if (of->flags & DECISION_SLATE) {
		f->flags = FEEDBACK_SLATE;
	} else if (of->flags & DECISION_FORECAST) {
		f->flags = FEEDBACK_FORECAST;
		f->prediction = of->prediction;
	} else {
		f->pick = of->picks[0];
	}
	return of->ngroups ? copy_groups(e, of, mem, f) : 0;
}

/* feedback_event() failed: for want of memory, or because the decision is not of this log. */
static int no_event(int rc, struct errinfo *err)
{
	return rc == RC_MEMORY
		   ? experiment_no_memory(err)
		   : err_set(err, rc, "internal", "", "the decision does not fit the state");
}

double experiment_clip(const struct experiment *e, double v)
{
	return v < e->lo ? e->lo : v > e->hi ? e->hi : v;
}

static bool is_retired(const struct experiment *e, const struct event *d)
{
	return d->decision.npicks && e->arms.arm[d->decision.picks[0].slot].state == ARM_RETIRED;
}

/* The aggregate that is held once this reward has come. */
static double aggregate_with(const struct experiment *e, const struct pending *p, double reward)
{
	if (p->rewards == 0) {
		return reward;
	}
	switch (e->settings.aggregate) {
	case AGGREGATE_FIRST:
		return p->held;
	case AGGREGATE_LAST:
		return reward;
	case AGGREGATE_SUM:
		return p->held + reward;
	case AGGREGATE_MAX:
		return reward > p->held ? reward : p->held;
	}
	return reward;
}

static void learn_now(struct event_feedback *f, const struct pending *p, double value)
{
	f->status = FEEDBACK_LEARNT;
	f->learn = value;
	f->flags |= FEEDBACK_LEARN;
	f->flags |= pending_is_open(p) ? FEEDBACK_CLOSE : 0;
	f->flags |= p->flags & PENDING_LOST ? FEEDBACK_REVIVED : 0;
}

static bool is_unshown(const struct pending *p)
{
	return (p->flags & PENDING_DEFERRED) && !(p->flags & PENDING_ACTIVATED);
}

/* Its window has closed and what was held, or the default, is about to be learnt: a reward that
 * comes now fares as one that comes just after. */
static bool is_closing(const struct experiment *e, const struct pending *p)
{
	return pending_is_open(p) && !is_unshown(p) && (p->rewards || e->settings.has_fallback);
}

enum feedback_status experiment_judge_late(const struct experiment *e, bool closed)
{
	if (e->settings.late == LATE_DROP) {
		return FEEDBACK_LATE;
	}
	return e->settings.late == LATE_RECORD || closed ? FEEDBACK_RECORDED : FEEDBACK_LEARNT;
}

/* What becomes of a reward, by the rules of the experiment: status, flags and value in f. */
static void judge_reward(const struct experiment *e, const struct event *d, const struct pending *p,
    double clipped, bool late, struct event_feedback *f)
{
	bool first = e->settings.aggregate == AGGREGATE_FIRST;

	if (p->flags & PENDING_LEARNT && (first || !late)) {
		f->status = FEEDBACK_DUPLICATE;
	} else if (is_retired(e, d)) {
		f->status = FEEDBACK_RECORDED;
	} else if (late) {
		f->status = experiment_judge_late(
		    e, p->flags & PENDING_LEARNT || is_unshown(p) || is_closing(e, p));
		if (f->status == FEEDBACK_LEARNT) {
			learn_now(f, p, clipped);
		}
	} else if (first && p->rewards) {
		f->status = FEEDBACK_DUPLICATE; /* the first one is held until activation */
	} else if (first && !is_unshown(p)) {
		learn_now(f, p, clipped);
	} else {
		f->status = FEEDBACK_PENDING;
		f->learn = aggregate_with(e, p, clipped);
	}
}

static int check_feedback(const struct experiment *e, const struct pending *p, struct errinfo *err)
{
	if (e->settings.state == RUN_ARCHIVED) {
		return err_set(
		    err, RC_STATE, "experiment_archived", "", "experiment %s is archived", e->name);
	}
	if (p->flags & PENDING_VOID) {
		return err_set(
		    err, RC_STATE, "decision_void", "/decision", "the decision was made void");
	}
	return 0;
}

/* The form of feedback that this decision takes. */
static int check_form(
    const struct experiment *e, const struct event *d, enum feedback_form form, struct errinfo *err)
{
	static const char *const pointers[] = {"/reward", "/rewards", "/label"};
	enum feedback_form want = d->decision.flags & DECISION_FORECAST ? FORM_LABEL
				  : d->decision.flags & DECISION_SLATE || (e->traits & POLICY_FULL)
				      ? FORM_REWARDS
				      : FORM_REWARD;

	return form == want ? 0
			    : err_set(err, RC_INVALID, "unsupported_feedback", pointers[form],
				  "policy %s learns from %s here", e->ops->name,
				  want == FORM_LABEL     ? "the label of its forecast"
				  : want == FORM_REWARDS ? "rewards by arm: {\"rewards\": {..}}"
							 : "one reward per decision");
}

static int compare_rewards(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return (x->slot > y->slot) - (x->slot < y->slot);
}

static int bad_arm(struct errinfo *err, const char *code, const char *arm, const char *why)
{
	char pointer[ID_MAX + 16];

	snprintf(pointer, sizeof(pointer), "/rewards/%s", arm);
	return err_set(err, RC_INVALID, code, pointer, "%s", why);
}

/* Full information: a reward of every arm that could be answered. */
static int all_rewards(const struct experiment *e, const struct event_decision *d,
    const struct reward_in *in, struct arena *mem, struct event_feedback *f, struct errinfo *err)
{
	struct result *all = arena_array(mem, in->nrewards, sizeof(*all));
	size_t n = 0, k = 0;

	if (!all) {
		return experiment_no_memory(err);
	}
	for (size_t i = 0; i < in->nrewards; i++) {
		all[i].slot = arms_find(&e->arms, in->rewards[i].arm);
		all[i].reward = in->rewards[i].reward;
		if (all[i].slot == ARM_NONE) {
			return bad_arm(err, "unknown_arm", in->rewards[i].arm, "no such arm");
		}
	}
	qsort(all, in->nrewards, sizeof(*all), compare_rewards);
	for (size_t i = 0; i < d->nslots; i++) {
		bool gone = e->arms.arm[d->slots[i]].state == ARM_RETIRED;

		if (k == in->nrewards || all[k].slot != d->slots[i]) {
			if (gone) {
				continue;
			}
			return bad_arm(err, "missing_field", arms_id(&e->arms, d->slots[i]),
			    "the reward of every arm that could be answered is needed");
		}
		f->flags |=
		    experiment_clip(e, all[k].reward) != all[k].reward ? FEEDBACK_CLIPPED : 0;
		if (d->slots[i] == f->pick.slot) {
			f->reward = all[k].reward;
		}
		if (!gone) {
			all[n++] = all[k];
		}
		k++;
	}
	if (k < in->nrewards) {
		return bad_arm(err, "unknown_arm", arms_id(&e->arms, all[k].slot),
		    "the arm could not be answered");
	}
	f->results = all;
	f->nresults = n;
	return 0;
}

static int check_rewards(const struct reward_in *in, struct errinfo *err)
{
	if (in->form != FORM_REWARDS) {
		return isfinite(in->reward) ? 0
					    : err_set(err, RC_INVALID, "out_of_range",
						  in->form == FORM_LABEL ? "/label" : "/reward",
						  "reward must be finite");
	}
	for (size_t i = 0; i < in->nrewards; i++) {
		if (!isfinite(in->rewards[i].reward)) {
			return bad_arm(
			    err, "out_of_range", in->rewards[i].arm, "reward must be finite");
		}
	}
	return in->nrewards
		   ? 0
		   : err_set(err, RC_INVALID, "out_of_range", "/rewards", "rewards names no arm");
}

int experiment_reward(const struct experiment *e, const struct event *d, const struct pending *p,
    const struct reward_in *in, uint64_t at_us, struct arena *mem, struct event *ret_ev,
    enum feedback_status *ret_status, struct errinfo *err)
{
	struct event ev;
	struct event_feedback *f = &ev.feedback;
	bool late;
	int rc = check_feedback(e, p, err);

	rc = rc ? rc : check_form(e, d, in->form, err);
	rc = rc ? rc : check_rewards(in, err);
	if (rc) {
		return rc;
	}
	rc = feedback_event(e, d, EVENT_REWARD, at_us, mem, &ev);
	if (rc) {
		return no_event(rc, err);
	}
	late = (d->decision.expires_us && ev.at_us >= d->decision.expires_us) ||
	       p->flags & PENDING_EXPIRED;
	f->reward = in->reward;
	f->key = in->key;
	f->fingerprint = in->key ? in->fingerprint : 0;
	f->flags |= late ? FEEDBACK_IS_LATE : 0;
	f->tested = late && backlog_explores(e, f->memo, f->nmemo);
	if (f->flags & FEEDBACK_SLATE) {
		rc = experiment_slate_reward(e, d, p, in, late, mem, &ev, err);
	} else {
		rc = in->form == FORM_REWARDS ? all_rewards(e, &d->decision, in, mem, f, err) : 0;
		f->flags |= experiment_clip(e, f->reward) != f->reward ? FEEDBACK_CLIPPED : 0;
		judge_reward(e, d, p, experiment_clip(e, f->reward), late, f);
		if (f->status == FEEDBACK_LATE || f->status == FEEDBACK_DUPLICATE) {
			ev.kind = (enum event_kind)0;
		}
	}
	if (rc) {
		return rc;
	}
	*ret_status = f->status;
	*ret_ev = ev;
	return 0;
}

int experiment_activate(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct arena *mem, struct event *ret_ev, struct errinfo *err)
{
	struct event ev;
	int rc = check_feedback(e, p, err);

	if (rc) {
		return rc;
	}
	rc = feedback_event(e, d, EVENT_ACTIVATE, at_us, mem, &ev);
	if (rc) {
		return no_event(rc, err);
	}
	if (!(p->flags & PENDING_DEFERRED)) {
		return err_set(err, RC_STATE, "decision_not_deferred", "",
		    "only a decision made with \"defer\": true is activated");
	}
	if (p->flags & PENDING_ACTIVATED) {
		return RC_EXISTS;
	}
	if (!pending_is_open(p)) {
		return err_set(err, RC_STATE, "decision_closed", "", "its window has closed");
	}
	if (p->rewards && e->settings.aggregate == AGGREGATE_FIRST && !is_retired(e, d)) {
		learn_now(&ev.feedback, p, p->held);
	}
	*ret_ev = ev;
	return 0;
}

int experiment_void(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct arena *mem, struct event *ret_ev, struct errinfo *err)
{
	struct event ev;
	int rc = feedback_event(e, d, EVENT_VOID, at_us, mem, &ev);

	if (rc) {
		return no_event(rc, err);
	}
	if (p->flags & PENDING_VOID) {
		return RC_EXISTS;
	}
	if (e->settings.state == RUN_ARCHIVED || !pending_is_open(p)) {
		return err_set(err, RC_STATE, "decision_closed", "",
		    "the decision has been learnt from or its window has closed");
	}
	if (ev.feedback.flags & FEEDBACK_SLATE) {
		rc = experiment_slate_close(e, d, p, mem, &ev);
	} else {
		ev.feedback.flags |= FEEDBACK_CLOSE | (is_retired(e, d) ? 0 : FEEDBACK_LOST);
	}
	if (rc == 0) {
		*ret_ev = ev;
	}
	return rc ? experiment_no_memory(err) : 0;
}

int experiment_expire(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct arena *mem, struct event *ret_ev)
{
	struct event ev;
	int rc = feedback_event(e, d, EVENT_EXPIRY, at_us, mem, &ev);

	if (rc) {
		return rc;
	}
	if (!pending_is_open(p)) {
		return RC_EXISTS;
	}
	if (d->decision.expires_us == 0 || ev.at_us < d->decision.expires_us) {
		return RC_STATE;
	}
	if (ev.feedback.flags & FEEDBACK_SLATE) {
		rc = experiment_slate_close(e, d, p, mem, &ev);
	} else if (is_retired(e, d)) {
		ev.feedback.flags |= FEEDBACK_CLOSE;
	} else if (!is_unshown(p) && (p->rewards || e->settings.has_fallback)) {
		learn_now(&ev.feedback, p,
		    p->rewards ? experiment_clip(e, p->held) : e->settings.fallback);
	} else {
		ev.feedback.flags |= FEEDBACK_CLOSE | FEEDBACK_LOST;
	}
	*ret_ev = ev;
	return rc;
}
