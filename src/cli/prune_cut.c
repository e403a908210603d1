/* SPDX-License-Identifier: Apache-2.0 */
/* What may go: events that are old enough and that nobody asks for any more. A decision is asked
 * for as long as it is open or its window has not closed, as long as a late reward would be learnt,
 * and when it has feedback that is not old enough, so that its retries find it. An offer is asked
 * for until its arms were read. A begun plan is not parted from what came of it. The last event
 * stays in any case: it tells how far the log goes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/prune.h"
#include "core/experiment_plan.h"
#include "core/experiment_stream.h"
#include "core/replay.h"
#include "policies/policies.h"
#include "store/care.h"

#define MEM_MAX ((size_t)64 << 20)
#define SAVE_MAX ((size_t)2 << 30)

/* ---- events that are old enough ---- */

static int event_time(
    const struct cut *c, uint64_t seq, struct arena *mem, uint64_t *ret_us, struct errinfo *err)
{
	struct event ev;
	int rc;

	arena_reset(mem);
	rc = store_read_event(c->lookup, c->number, seq, mem, &ev, err);
	if (rc == 0) {
		*ret_us = ev.at_us;
	}
	return rc;
}

/* Times do not decrease along a log. */
static int find_old(struct cut *c, struct arena *mem, struct errinfo *err)
{
	uint64_t lo = c->base, hi = c->last > c->base ? c->last - 1 : c->base, at_us;

	while (lo < hi) {
		uint64_t mid = hi - (hi - lo) / 2;
		int rc = event_time(c, mid, mem, &at_us, err);

		if (rc) {
			return rc;
		}
		if (at_us < c->before_us) {
			lo = mid;
		} else {
			hi = mid - 1;
		}
	}
	c->upto = lo;
	return 0;
}

/* ---- decisions that are asked for ---- */

static bool is_learnt(const struct pending *p)
{
	for (uint32_t i = 0; i < p->npicks; i++) {
		if (!pending_is_done(p, i)) {
			return false;
		}
	}
	return p->npicks || p->flags & PENDING_LEARNT;
}

/* Why it is, or NULL. */
static const char *asked_for(const struct cut *c, const struct settings *s,
    const struct event_decision *d, const struct pending *p)
{
	if (p->flags & (PENDING_VOID | PENDING_EMPTY)) {
		return NULL;
	}
	if (d->expires_us > c->now_us) {
		return "its window has not closed";
	}
	if (pending_is_open(p)) {
		return "it is open";
	}
	return d->expires_us && s->late == LATE_LEARN && !is_learnt(p)
		   ? "a late reward would be learnt (late: learn)"
		   : NULL;
}

struct walk {
	struct cut *c;
	const struct settings *settings;
	struct arena mem;
	uint64_t newest; /* feedback on the decision */
	struct errinfo *err;
	uint64_t held; /* the first decision that is asked for; 0: none */
};

static int take_newest(void *arg, int64_t key, uint64_t seq)
{
	(void)key;
	*(uint64_t *)arg = seq;
	return 0;
}

static int look_at(void *arg, const struct event *ev)
{
	struct walk *w = arg;
	struct cut *c = w->c;
	struct pending p;
	struct event d;
	const char *why;
	int rc;

	if (ev->kind != EVENT_DECISION) {
		return 0;
	}
	arena_reset(&w->mem);
	rc = store_read_pending(c->lookup, c->number, ev->seq, &w->mem, &d, &p, w->err);
	if (rc) {
		return rc;
	}
	w->newest = 0;
	rc = store_read_refs(c->lookup, c->number, ev->seq, ev->seq, take_newest, &w->newest);
	if (rc) {
		return rc;
	}
	why = asked_for(c, w->settings, &d.decision, &p);
	if (!why && w->newest > c->upto) {
		why = "it has younger feedback";
	}
	if (why) {
		w->held = ev->seq;
		snprintf(c->why, sizeof(c->why), "decision %s at seq %" PRIu64 " is kept: %s",
		    d.decision.id ? d.decision.id : "without an id of its own", ev->seq, why);
	}
	return why != NULL;
}

static int find_held(
    struct cut *c, const struct settings *settings, struct arena *mem, struct errinfo *err)
{
	struct walk w = {.c = c, .settings = settings, .err = err};
	int rc;

	arena_init(&w.mem, MEM_MAX);
	rc = store_read_events(
	    c->state->reader, c->number, c->base, c->upto, SIZE_MAX, mem, look_at, &w, err);
	arena_release(&w.mem);
	if (rc == 0 && w.held) {
		c->upto = w.held - 1;
	}
	return rc;
}

/* ---- the fold ---- */

struct fold {
	struct replay replay;
	struct errinfo *err;
	uint64_t upto,
	    whole; /* the last event up to upto between which and the next no plan is made */
};

static int add(void *arg, const struct event *ev)
{
	struct fold *f = arg;
	int rc = replay_event(&f->replay, ev, f->err);

	if (rc == 0 && ev->seq <= f->upto && !experiment_is_planning(f->replay.e)) {
		f->whole = ev->seq;
	}
	return rc == RC_CORRUPT ? err_set(f->err, rc, "state_damaged", "", "seq %" PRIu64 ": %s",
				      ev->seq, f->replay.report.text)
				: rc;
}

/* From where the log begins; the caller releases f->replay in any case. */
static int fold(const struct cut *c, uint64_t upto, struct fold *f, struct errinfo *err)
{
	struct arena mem;
	uint64_t after;
	int rc;

	*f = (struct fold){.err = err, .upto = c->upto, .whole = c->base};
	arena_init(&mem, MEM_MAX);
	replay_init(&f->replay, &(struct replay_options){.find = policy_find});
	rc = state_begin(c->state->reader, c->number, &f->replay, &after, err);
	rc = rc ? rc
		: store_read_events(
		      c->state->reader, c->number, after, upto, SIZE_MAX, &mem, add, f, err);
	if (rc == 0 && !f->replay.e) {
		rc = err_set(err, RC_CORRUPT, "state_damaged", "", "the log is missing");
	}
	arena_release(&mem);
	return rc;
}

/* The offer of the arm at the bottom of a stack. */
static int find_bottom(const struct cut *c, uint64_t *offer, struct arena *mem, struct errinfo *err)
{
	struct event ev = {.stream = {.below_offer = *offer}};
	int rc = 0;

	while (rc == 0 && ev.stream.below_offer > 1) {
		*offer = ev.stream.below_offer;
		arena_reset(mem);
		rc = store_read_event(c->lookup, c->number, *offer, mem, &ev, err);
		if (rc == 0 && (ev.kind != EVENT_STREAM || ev.stream.below_offer >= *offer)) {
			rc = RC_CORRUPT;
		}
	}
	return rc;
}

static int keep_offers(
    struct cut *c, const struct experiment *e, struct arena *mem, struct errinfo *err)
{
	struct stream_status s;
	int rc = 0;

	if (!experiment_has_stream(e)) {
		return 0;
	}
	experiment_stream_status(e, &s);
	if (s.offered == s.head) {
		return 0;
	}
	if (s.stacked) {
		rc = find_bottom(c, &s.head_seq, mem, err);
	}
	if (rc == 0 && s.head_seq <= c->upto) {
		c->upto = s.head_seq > c->base ? s.head_seq - 1 : c->base;
		snprintf(c->why, sizeof(c->why),
		    "the arms that wait begin with the offer at seq %" PRIu64, s.head_seq);
	}
	return rc;
}

/* A plan that is in the making at the cut moves it, once. */
static int fold_to_cut(struct cut *c, struct errinfo *err)
{
	struct fold f;
	int rc;

	do {
		rc = fold(c, c->upto, &f, err);
		if (rc == 0 && f.whole == c->upto) {
			c->at = f.replay.e;
			f.replay.e = NULL;
		}
		c->upto = f.whole;
		replay_release(&f.replay);
	} while (rc == 0 && !c->at && c->upto > c->base);
	return rc;
}

void cut_release(struct cut *c)
{
	experiment_free(c->at);
}

int cut_find(struct cut *c, struct errinfo *err)
{
	struct arena mem;
	struct fold f;
	int rc = store_base_seq(c->state->reader, c->number, &c->base);

	rc = rc ? rc : store_last_seq(c->state->reader, c->number, &c->last);
	arena_init(&mem, MEM_MAX);
	rc = rc ? rc : find_old(c, &mem, err);
	if (rc == 0 && c->upto > c->base) {
		rc = fold(c, c->last, &f, err);
		rc = rc ? rc : find_held(c, experiment_settings(f.replay.e), &mem, err);
		rc = rc ? rc : keep_offers(c, f.replay.e, &mem, err);
		rc = rc ? rc : experiment_digest(f.replay.e, c->digest);
		replay_release(&f.replay);
	}
	if (rc == 0 && c->upto > c->base) {
		rc = fold_to_cut(c, err);
	}
	arena_release(&mem);
	return rc ? err_set(err, rc, "failed", c->state->list.names[c->number], "%s", err_name(rc))
		  : 0;
}

/* Folds what is left onto the state as it was saved. */
static int check(const struct cut *c, const struct buf *saved, struct errinfo *err)
{
	unsigned char digest[HASH_DIGEST_BYTES];
	struct fold f = {.err = err};
	struct experiment *e = NULL;
	struct arena mem;
	struct rd in;
	int rc;

	arena_init(&mem, MEM_MAX);
	replay_init(&f.replay, &(struct replay_options){.find = policy_find});
	rd_init(&in, saved->data, saved->len);
	rc = experiment_load(&in, policy_find, &e);
	if (rc == 0) {
		replay_from(&f.replay, e);
		rc = experiment_seq(e) == c->upto ? 0 : RC_CORRUPT;
	}
	rc = rc ? rc
		: store_read_events(
		      c->state->reader, c->number, c->upto, c->last, SIZE_MAX, &mem, add, &f, err);
	rc = rc ? rc : experiment_digest(f.replay.e, digest);
	if (rc == 0 && memcmp(digest, c->digest, sizeof(digest)) != 0) {
		rc = RC_CORRUPT;
	}
	replay_release(&f.replay);
	arena_release(&mem);
	return rc ? err_set(err, rc, "state_damaged", c->state->list.names[c->number],
			"from the state at seq %" PRIu64 " the log does not fold to the same: %s",
			c->upto, err_name(rc))
		  : 0;
}

int cut_save(const struct cut *c, struct buf *ret, struct errinfo *err)
{
	int rc;

	buf_init(ret, SAVE_MAX);
	experiment_save(c->at, ret);
	rc = ret->rc ? err_set(err, ret->rc, "failed", "", "%s", err_name(ret->rc))
		     : check(c, ret, err);
	if (rc) {
		buf_release(ret);
	}
	return rc;
}
