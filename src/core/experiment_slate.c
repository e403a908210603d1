/* SPDX-License-Identifier: Apache-2.0 */
/* Feedback to slates: each arm has its own fate, and one event tells those of all that are meant.
 * There is no aggregate: the first reward of an arm counts. */
#include <stdio.h>
#include <string.h>

#include "core/experiment_impl.h"

bool experiment_is_slate(const struct experiment *e)
{
	return e->slots > 1 || (e->traits & POLICY_SLATE);
}

static bool is_gone(const struct experiment *e, const struct pick *pick)
{
	return e->arms.arm[pick->slot].state == ARM_RETIRED;
}

static void judge(
    const struct experiment *e, const struct pending *p, bool late, struct feedback_arm *a)
{
	bool closing = pending_is_open(p) && e->settings.has_fallback;

	if (pending_is_done(p, a->index)) {
		a->status = FEEDBACK_DUPLICATE;
	} else if (is_gone(e, &a->pick)) {
		a->status = FEEDBACK_RECORDED;
	} else {
		a->status = late ? experiment_judge_late(e, closing) : FEEDBACK_LEARNT;
	}
	if (a->status == FEEDBACK_LEARNT) {
		a->learn = experiment_clip(e, a->reward);
		a->flags |= FEEDBACK_LEARN | (p->flags & PENDING_LOST ? FEEDBACK_REVIVED : 0);
	}
}

/* The place in the slate of the arm with this id. */
static int find_pick(const struct experiment *e, const struct event_decision *d,
    const struct arm_reward *r, uint32_t *ret_index, struct errinfo *err)
{
	uint32_t slot = arms_find(&e->arms, r->arm);
	char pointer[ID_MAX + 16];

	for (size_t i = 0; slot != ARM_NONE && i < d->npicks; i++) {
		if (d->picks[i].slot == slot) {
			*ret_index = (uint32_t)i;
			return 0;
		}
	}
	snprintf(pointer, sizeof(pointer), "/rewards/%s", r->arm);
	return err_set(
	    err, RC_INVALID, "unknown_arm", pointer, "the decision did not answer arm %s", r->arm);
}

/* What all of them come to: learnt if any was. */
static void sum_up(const struct pending *p, size_t npicks, struct event_feedback *f)
{
	size_t done = 0;

	f->status = f->arms[0].status;
	for (size_t i = 0; i < f->narms; i++) {
		if (f->arms[i].flags & FEEDBACK_LEARN) {
			f->status = FEEDBACK_LEARNT;
			done++;
		}
		f->flags |= f->arms[i].flags & FEEDBACK_CLIPPED;
	}
	for (uint32_t i = 0; i < npicks; i++) {
		done += pending_is_done(p, i);
	}
	if (done == npicks && pending_is_open(p)) {
		f->flags |= FEEDBACK_CLOSE;
	}
}

static bool is_new(const struct event_feedback *f)
{
	for (size_t i = 0; i < f->narms; i++) {
		if (f->arms[i].status == FEEDBACK_LEARNT ||
		    f->arms[i].status == FEEDBACK_RECORDED) {
			return true;
		}
	}
	return false;
}

int experiment_slate_reward(const struct experiment *e, const struct event *d,
    const struct pending *p, const struct reward_in *in, bool late, struct arena *mem,
    struct event *ev, struct errinfo *err)
{
	const struct event_decision *slate = &d->decision;
	struct event_feedback *f = &ev->feedback;
	struct feedback_arm *at = arena_array(mem, slate->npicks, sizeof(*at));
	bool *given = arena_array(mem, slate->npicks, sizeof(*given));
	uint32_t index = 0;

	if (!at || !given) {
		return experiment_no_memory(err);
	}
	memset(given, 0, slate->npicks * sizeof(*given));
	for (size_t i = 0; i < in->nrewards; i++) {
		int rc = find_pick(e, slate, &in->rewards[i], &index, err);

		if (rc) {
			return rc;
		}
		given[index] = true;
		at[index] = (struct feedback_arm){
		    .index = index, .pick = slate->picks[index], .reward = in->rewards[i].reward};
	}
	for (uint32_t i = 0; i < slate->npicks; i++) {
		if (given[i]) {
			at[i].flags =
			    experiment_clip(e, at[i].reward) != at[i].reward ? FEEDBACK_CLIPPED : 0;
			judge(e, p, late, &at[i]);
			at[f->narms++] = at[i];
		}
	}
	f->arms = at;
	sum_up(p, slate->npicks, f);
	ev->kind = is_new(f) ? ev->kind : (enum event_kind)0;
	return 0;
}

int experiment_slate_close(const struct experiment *e, const struct event *d,
    const struct pending *p, struct arena *mem, struct event *ev)
{
	const struct event_decision *slate = &d->decision;
	struct event_feedback *f = &ev->feedback;
	struct feedback_arm *at = arena_array(mem, slate->npicks, sizeof(*at));
	bool learn = ev->kind == EVENT_EXPIRY && e->settings.has_fallback;

	if (!at) {
		return RC_MEMORY;
	}
	f->flags |= FEEDBACK_CLOSE;
	for (uint32_t i = 0; i < slate->npicks; i++) {
		if (pending_is_done(p, i) || is_gone(e, &slate->picks[i])) {
			continue;
		}
		at[f->narms++] = (struct feedback_arm){.index = i,
		    .pick = slate->picks[i],
		    .flags = learn ? FEEDBACK_LEARN : FEEDBACK_LOST,
		    .learn = learn ? e->settings.fallback : 0};
	}
	f->arms = at;
	return 0;
}
