/* SPDX-License-Identifier: Apache-2.0 */
/* How the backlog changes: the fold of its events, and its part of a snapshot. Positions that were
 * withdrawn are kept until their turn has come; nothing else of an arm that waits is. */
#include <stdlib.h>
#include <string.h>

#include "core/experiment_impl.h"
#include "core/experiment_stream.h"
#include "core/slots.h"

bool backlog_is_stacked(const struct experiment *e)
{
	return experiment_stream_rules(e).stacked;
}

uint64_t backlog_waiting(const struct backlog *b)
{
	return b->offered - b->head - b->ngone;
}

uint32_t backlog_gone_before(const struct backlog *b, uint64_t position)
{
	uint32_t from = 0, to = b->ngone;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (b->gone[middle] < position) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from;
}

bool backlog_is_free(const struct experiment *e, uint32_t slot)
{
	return !e->backlog->slot[slot].kept && !e->ops->stream->holds(e->state, slot);
}

int backlog_init(struct experiment *e)
{
	if (!e->ops->stream) {
		return 0;
	}
	e->backlog = malloc(sizeof(*e->backlog));
	if (!e->backlog) {
		return RC_MEMORY;
	}
	*e->backlog = (struct backlog){.head_seq = 1, .tail_seq = 1};
	return 0;
}

void backlog_release(struct experiment *e)
{
	if (e->backlog) {
		free(e->backlog->slot);
		free(e->backlog->gone);
		free(e->backlog);
	}
}

int backlog_reserve(struct experiment *e)
{
	struct stream_slot *slot;
	size_t cap = slots_capacity(e->arms.cap);

	if (!e->ops->stream || e->arms.cap <= e->backlog->cap) {
		return 0;
	}
	slot = realloc(e->backlog->slot, cap * sizeof(*slot));
	if (!slot) {
		return RC_MEMORY;
	}
	e->backlog->slot = slot;
	e->backlog->cap = (uint32_t)cap;
	return 0;
}

static void tell(struct experiment *e)
{
	const struct backlog *b = e->backlog;

	e->ops->stream->queue(e->state, b->added + b->offered, backlog_waiting(b));
}

void backlog_add_arm(struct experiment *e, uint32_t slot)
{
	if (e->ops->stream) {
		e->backlog->slot[slot] = (struct stream_slot){.added = e->seq + 1};
		e->backlog->added++;
		tell(e);
	}
}

void backlog_keep(struct experiment *e, uint32_t slot)
{
	if (e->ops->stream) {
		e->backlog->slot[slot].kept = true;
	}
}

bool backlog_is_of(const struct experiment *e, uint32_t slot, uint64_t decision_seq)
{
	return !e->ops->stream || decision_seq >= e->backlog->slot[slot].added;
}

int backlog_decide(struct experiment *e, const struct event_decision *d)
{
	if (!e->ops->stream) {
		return d->arm ? RC_CORRUPT : 0;
	}
	if (d->arm && (d->npicks != 1 || strcmp(d->arm, arms_id(&e->arms, d->picks[0].slot)))) {
		return RC_CORRUPT;
	}
	if (!d->arm) { /* as older versions wrote it */
		backlog_keep(e, d->picks[0].slot);
	}
	e->backlog->explored += backlog_explores(e, d->memo, d->nmemo);
	return 0;
}

bool backlog_explores(const struct experiment *e, const void *memo, size_t n)
{
	return e->ops->stream && e->ops->stream->explores(memo, n);
}

static int reserve_gone(struct backlog *b, uint32_t n)
{
	uint32_t cap = b->gone_cap ? b->gone_cap : 16;
	uint64_t *gone;

	while (cap < n) {
		cap *= 2;
	}
	if (cap > b->gone_cap) {
		gone = realloc(b->gone, cap * sizeof(*gone));
		if (!gone) {
			return RC_MEMORY;
		}
		b->gone = gone;
		b->gone_cap = cap;
	}
	return 0;
}

int backlog_reserve_event(struct experiment *e, const struct event_stream *s)
{
	size_t text;
	int rc;

	if (e->ops->stream && s->op == STREAM_WITHDRAW) {
		return reserve_gone(e->backlog, e->backlog->ngone + 1);
	}
	if (!e->ops->stream || s->op != STREAM_READ) {
		return 0;
	}
	text = strlen(s->id) + strlen(s->label) + 2;
	if (s->slot >= e->arms.n) {
		rc = experiment_reserve_arms(e, 1, text, NULL);
		return rc ? rc : backlog_reserve(e);
	}
	return arms_reserve_text(&e->arms, text);
}

static void pop(struct backlog *b, const struct event_stream *s)
{
	if (s->offer == 1) {
		b->skipped += backlog_waiting(b);
		b->ngone = 0;
		b->head = b->offered;
	} else if (b->ngone && b->gone[b->ngone - 1] == s->position) {
		b->ngone--;
		b->head++;
	} else {
		b->skipped += s->op == STREAM_SKIP;
		b->head++;
	}
	b->top = b->head < b->offered ? s->position : 0;
	b->head_seq = b->head < b->offered ? s->offer : 1;
}

/* One leaves the backlog, and those before it. Who was withdrawn was counted then. */
static void leave(struct backlog *b, const struct event_stream *s, bool stacked)
{
	uint64_t head = s->position + (s->op == STREAM_READ);
	uint32_t gone;

	if (stacked) {
		pop(b, s);
		return;
	}
	gone = backlog_gone_before(b, head);
	b->ngone -= gone;
	if (gone) {
		memmove(b->gone, b->gone + gone, b->ngone * sizeof(*b->gone));
	}
	b->skipped += s->position - b->head - gone;
	b->head = head;
	b->head_seq = s->offer;
}

static int apply_read(struct experiment *e, const struct event *ev)
{
	const struct event_stream *s = &ev->stream;
	uint32_t same = arms_find(&e->arms, s->id);
	struct backlog *b = e->backlog;

	if (s->slot > e->arms.n || (same != ARM_NONE && same != s->slot) ||
	    (s->slot < e->arms.n && !backlog_is_free(e, s->slot)) ||
	    !e->ops->stream->wants(e->state)) {
		return RC_CORRUPT;
	}
	if (s->slot == e->arms.n) {
		arms_add(&e->arms, s->id, s->label);
	} else {
		arms_replace(&e->arms, s->slot, s->id, s->label);
	}
	b->slot[s->slot] = (struct stream_slot){.added = ev->seq};
	leave(b, s, backlog_is_stacked(e));
	e->ops->stream->read(e->state, s->slot, s->rated);
	return 0;
}

/* Where the next one is looked for, and who was withdrawn, still fits. */
static bool moves_on(const struct experiment *e, const struct event_stream *s)
{
	const struct backlog *b = e->backlog;

	if (s->op == STREAM_SKIP && backlog_is_stacked(e) && s->offer == 1) {
		return s->position == 0 && b->head < b->offered;
	}
	if (s->offer <= 1 || s->offer > b->tail_seq ||
	    (s->op != STREAM_SKIP && experiment_is_withdrawn(e, s->position))) {
		return false;
	}
	if (!backlog_is_stacked(e)) {
		return s->offer >= b->head_seq && s->position >= b->head &&
		       s->position < b->offered + (s->op == STREAM_SKIP);
	}
	return s->offer <= b->head_seq && s->position < b->top &&
	       (backlog_waiting(b) > 0 || experiment_is_withdrawn(e, s->position)) &&
	       (s->op == STREAM_WITHDRAW || backlog_gone_before(b, s->position + 1) == b->ngone);
}

static void withdraw(struct backlog *b, uint64_t position)
{
	uint32_t at = backlog_gone_before(b, position);

	memmove(b->gone + at + 1, b->gone + at, (b->ngone - at) * sizeof(*b->gone));
	b->gone[at] = position;
	b->ngone++;
	b->skipped++;
}

static int apply_offer(struct experiment *e, const struct event *ev)
{
	const struct event_stream *s = &ev->stream;
	struct backlog *b = e->backlog;

	if (s->before != b->tail_seq || s->position != b->offered || s->n == 0 ||
	    s->stacked != backlog_is_stacked(e) ||
	    (s->stacked && (s->below != b->top || s->below_offer != b->head_seq))) {
		return RC_CORRUPT;
	}
	b->offered += s->n;
	b->tail_seq = ev->seq;
	if (s->stacked) {
		b->top = b->offered;
		b->head_seq = ev->seq;
	}
	e->ops->stream->close(e->state, false);
	return 0;
}

int backlog_apply(struct experiment *e, const struct event *ev)
{
	const struct event_stream *s = &ev->stream;
	struct backlog *b = e->backlog;
	bool moves = s->op == STREAM_READ || s->op == STREAM_SKIP || s->op == STREAM_WITHDRAW;
	int rc = 0;

	if (!e->ops->stream || (moves && !moves_on(e, s))) {
		return RC_CORRUPT;
	}
	switch (s->op) {
	case STREAM_OFFER:
		rc = apply_offer(e, ev);
		break;
	case STREAM_READ:
		rc = apply_read(e, ev);
		break;
	case STREAM_SKIP:
		leave(b, s, backlog_is_stacked(e));
		break;
	case STREAM_WITHDRAW:
		withdraw(b, s->position);
		break;
	case STREAM_RECHECK:
		rc = e->ops->stream->recheck(e->state) ? 0 : RC_CORRUPT;
		break;
	case STREAM_CLOSE:
		e->ops->stream->close(e->state, true);
		break;
	case STREAM_OPS:
		return RC_CORRUPT;
	}
	if (rc == 0) {
		tell(e);
	}
	return rc;
}

/* ---- snapshots ---- */

enum backlog_form backlog_form(const struct experiment *e)
{
	return e->backlog->late                                 ? BACKLOG_LATE
	       : backlog_is_stacked(e) || e->backlog->ngone > 0 ? BACKLOG_GONE
								: BACKLOG_PLAIN;
}

static void save_gone(const struct backlog *b, struct buf *out)
{
	buf_put_var(out, b->top);
	buf_put_var(out, b->ngone);
	for (uint32_t i = 0; i < b->ngone; i++) {
		buf_put_var(out, b->gone[i] - (i ? b->gone[i - 1] + 1 : 0));
	}
}

static int load_gone(struct experiment *e, struct rd *in)
{
	struct backlog *b = e->backlog;
	uint64_t next = 0, n;
	int rc;

	b->top = rd_var(in);
	n = rd_count(in, 1);
	if (in->rc || n > WITHDRAWN_MAX || n > b->offered - b->head || b->top > b->offered ||
	    (backlog_is_stacked(e) ? (b->top == 0) != (b->head == b->offered) : b->top > 0)) {
		return RC_CORRUPT;
	}
	rc = reserve_gone(b, (uint32_t)n);
	for (; rc == 0 && b->ngone < n; b->ngone++) {
		uint64_t step = rd_var(in);

		if (step >= b->offered || next + step >= b->offered) {
			return RC_CORRUPT;
		}
		b->gone[b->ngone] = next + step;
		next += step + 1;
	}
	if (rc == 0 && n > 0 &&
	    (backlog_is_stacked(e) ? b->gone[n - 1] >= b->top : b->gone[0] < b->head)) {
		return RC_CORRUPT;
	}
	return rc;
}

void backlog_save(const struct experiment *e, struct buf *out)
{
	const struct backlog *b = e->backlog;

	if (!e->ops->stream) {
		return;
	}
	buf_put_var(out, b->added);
	buf_put_var(out, b->offered);
	buf_put_var(out, b->head);
	buf_put_var(out, b->head_seq);
	buf_put_var(out, b->tail_seq);
	buf_put_var(out, b->skipped);
	buf_put_var(out, b->explored);
	for (uint32_t slot = 0; slot < e->arms.n; slot++) {
		buf_put_var(out, b->slot[slot].added);
		buf_put_u8(out, b->slot[slot].kept);
	}
	if (backlog_form(e) >= BACKLOG_GONE) {
		save_gone(b, out);
	}
	if (b->late) {
		buf_put_var(out, b->late);
	}
}

int backlog_load(struct experiment *e, struct rd *in, enum backlog_form form)
{
	struct backlog *b = e->backlog;
	int rc = backlog_reserve(e);

	if (rc || !e->ops->stream) {
		return rc;
	}
	b->added = rd_var(in);
	b->offered = rd_var(in);
	b->head = rd_var(in);
	b->head_seq = rd_var(in);
	b->tail_seq = rd_var(in);
	b->skipped = rd_var(in);
	b->explored = rd_var(in);
	for (uint32_t slot = 0; slot < e->arms.n; slot++) {
		unsigned kept;

		b->slot[slot].added = rd_var(in);
		kept = rd_u8(in);
		if (kept > 1 || b->slot[slot].added > e->seq) {
			rd_fail(in);
		}
		b->slot[slot].kept = kept == 1;
	}
	if (in->rc || b->head > b->offered || b->tail_seq > e->seq || b->head_seq < 1 ||
	    b->head_seq > b->tail_seq || b->explored > e->totals.decisions ||
	    (form == BACKLOG_PLAIN && backlog_is_stacked(e))) {
		return RC_CORRUPT;
	}
	rc = form >= BACKLOG_GONE ? load_gone(e, in) : 0;
	b->late = rc == 0 && form == BACKLOG_LATE ? rd_var(in) : 0;
	if (rc == 0 && (b->late > e->totals.late || backlog_form(e) != form)) {
		return RC_CORRUPT;
	}
	return rc == 0 && b->skipped > b->head + b->ngone ? RC_CORRUPT : rc;
}

void backlog_loaded(struct experiment *e)
{
	if (e->ops->stream) {
		tell(e);
	}
}
