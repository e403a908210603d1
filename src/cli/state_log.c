/* SPDX-License-Identifier: Apache-2.0 */
/* One event at a time, so that each read is short and the daemon's log file does not grow for it.
 */
#include "cli/state_log.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/replay.h"
#include "eval/jsonl_line.h"
#include "policies/policies.h"
#include "store/care.h"

#define MEM_MAX ((size_t)64 << 20)

struct walk {
	struct state state;
	struct replay replay; /* folded along: it knows the names that events give as numbers */
	struct arena mem;
	uint32_t number;
	uint64_t seq, last; /* read, and to be read, of that experiment */
	struct jsonl_line *to;
	struct errinfo *err;
};

static struct jsonl_text text_of(const char *s)
{
	return (struct jsonl_text){s, strlen(s)};
}

static struct jsonl_text arm_of(const struct walk *w, uint32_t slot)
{
	return text_of(arms_id(experiment_arms(w->replay.e), slot));
}

static int decision(const struct walk *w, const struct event_decision *d)
{
	struct jsonl_line *to = w->to;
	int rc = 0;

	to->kind = JSONL_DECISION;
	if (d->flags & (DECISION_SLATE | DECISION_FORECAST)) {
		return 0; /* no single arm: picks stays 0 */
	}
	to->picks = d->npicks;
	to->arm = d->arm ? text_of(d->arm) : arm_of(w, d->picks[0].slot);
	to->propensity = d->picks[0].propensity;
	for (size_t i = 0; rc == 0 && (d->flags & DECISION_RESTRICTED) && i < d->nslots; i++) {
		struct jsonl_text id = arm_of(w, d->slots[i]);

		rc = jsonl_add_id(to, id.p, id.n);
	}
	for (size_t i = 0; rc == 0 && i < d->dim; i++) {
		rc = jsonl_add_x(to, d->x[i]);
	}
	return rc;
}

static void feedback(const struct walk *w, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;
	struct jsonl_line *to = w->to;

	to->kind = ev->kind == EVENT_REWARD ? JSONL_REWARD : JSONL_END;
	to->is_void = ev->kind == EVENT_VOID;
	to->ref = f->ref;
	to->arm = f->arm ? text_of(f->arm) : arm_of(w, f->pick.slot);
	to->propensity = f->pick.propensity;
	to->reward = f->reward;
	to->has_learnt = f->flags & FEEDBACK_LEARN;
	to->learnt = to->has_learnt ? f->learn : 0;
	to->pending = ev->kind == EVENT_REWARD && f->status == FEEDBACK_PENDING;
}

static int on_event(void *arg, const struct event *ev)
{
	struct walk *w = arg;
	int rc = replay_event(&w->replay, ev, w->err);

	if (rc) {
		return err_set(w->err, rc, "corrupt", "", "%s", w->replay.report.text);
	}
	w->seq = ev->seq;
	w->to->kind = JSONL_OTHER;
	w->to->seq = ev->seq;
	w->to->at_us = ev->at_us;
	w->to->experiment = text_of(experiment_name(w->replay.e));
	if (ev->kind == EVENT_CREATE) {
		w->to->kind = JSONL_CREATE;
		w->to->minimise = ev->create.goal == GOAL_MINIMISE;
	} else if (ev->kind == EVENT_DECISION) {
		return decision(w, &ev->decision);
	} else if (ev->kind != EVENT_ACTIVATE && event_is_feedback(ev) &&
		   !(ev->feedback.flags & (FEEDBACK_SLATE | FEEDBACK_FORECAST))) {
		feedback(w, ev);
	}
	return 0;
}

static int next_experiment(struct walk *w)
{
	uint64_t base;
	int rc;

	do {
		w->number++;
	} while (w->number < w->state.list.numbers && !w->state.list.names[w->number]);
	replay_release(&w->replay);
	replay_init(&w->replay, &(struct replay_options){.find = policy_find});
	w->seq = w->last = 0;
	if (w->number >= w->state.list.numbers) {
		return 0;
	}
	rc = store_base_seq(w->state.reader, w->number, &base);
	if (rc == 0 && base) {
		return err_set(w->err, RC_STATE, "pruned", w->state.list.names[w->number],
		    "its log was pruned up to seq %llu and cannot be evaluated; take an export "
		    "made before",
		    (unsigned long long)base);
	}
	return rc ? rc : store_last_seq(w->state.reader, w->number, &w->last);
}

static int next(void *arg, struct jsonl_line *ret, struct errinfo *err)
{
	struct walk *w = arg;
	int rc = 0;

	w->to = ret;
	w->err = err;
	while (rc == 0 && w->seq == w->last && w->number < w->state.list.numbers) {
		rc = next_experiment(w);
	}
	if (rc == 0 && w->number >= w->state.list.numbers) {
		return 0;
	}
	rc = rc ? rc
		: store_read_events(
		      w->state.reader, w->number, w->seq, w->last, 1, &w->mem, on_event, w, err);
	return rc ? err_set(err, rc, "read_failed", w->state.where, "%s", err_name(rc)) : 1;
}

static void walk_close(void *arg)
{
	struct walk *w = arg;

	replay_release(&w->replay);
	arena_release(&w->mem);
	state_close(&w->state);
	free(w);
}

int state_log_open(const char *path, const struct log_options *o, struct log_arms *arms,
    struct log **ret, struct errinfo *err)
{
	struct log_options plain = *o;
	struct walk *w;
	int rc;

	plain.open = NULL;
	if (!state_is(path)) {
		return log_open(path, &plain, arms, ret, err);
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	rc = state_open(path, &w->state, err);
	if (rc) {
		free(w);
		return rc;
	}
	arena_init(&w->mem, MEM_MAX);
	replay_init(&w->replay, &(struct replay_options){.find = policy_find});
	return log_open_source(
	    path, &(struct log_source){next, walk_close, w}, &plain, arms, ret, err);
}
