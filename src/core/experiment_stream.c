/* SPDX-License-Identifier: Apache-2.0 */
#include "core/experiment_stream.h"

#include <stdlib.h>
#include <string.h>

#include "core/experiment_impl.h"
#include "core/slots.h"

bool experiment_has_stream(const struct experiment *e)
{
	return e->ops->stream != NULL;
}

struct stream_rules experiment_stream_rules(const struct experiment *e)
{
	return e->ops->stream->rules(e->params);
}

void experiment_stream_status(const struct experiment *e, struct stream_status *ret)
{
	const struct backlog *b = e->backlog;

	*ret = (struct stream_status){.offered = b->offered,
	    .waiting = b->offered - b->head,
	    .head = b->head,
	    .head_seq = b->head_seq,
	    .tail_seq = b->tail_seq,
	    .skipped = b->skipped,
	    .explored = b->explored};
}

void experiment_stream_view(const struct experiment *e, struct stream_view *ret)
{
	e->ops->stream->show(e->state, ret);
}

bool experiment_wants_arm(const struct experiment *e)
{
	return e->ops->stream && e->backlog->head < e->backlog->offered &&
	       e->settings.state == RUN_RUNNING && e->ops->stream->wants(e->state);
}

const char *experiment_role(const struct experiment *e, const struct event_decision *d)
{
	return e->ops->stream && d->nmemo ? e->ops->stream->role(d->memo, d->nmemo) : NULL;
}

/* ---- what comes next ---- */

int experiment_offer(const struct experiment *e, const struct spec_arm *arms, size_t n,
    uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	if (e->settings.state == RUN_ARCHIVED) {
		return err_set(
		    err, RC_STATE, "experiment_archived", "", "experiment %s is archived", e->name);
	}
	*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
	ret_ev->stream = (struct event_stream){.op = STREAM_OFFER,
	    .before = e->backlog->tail_seq,
	    .remember = experiment_stream_rules(e).remember,
	    .arms = arms,
	    .n = n,
	    .position = e->backlog->offered};
	return 0;
}

/* A slot that may be given away; one whose decisions do not say their arm is not. */
static bool is_free(const struct experiment *e, uint32_t slot)
{
	return !e->backlog->slot[slot].kept && !e->ops->stream->holds(e->state, slot);
}

static uint32_t free_slot(const struct experiment *e)
{
	uint32_t slot = 0;

	while (slot < e->arms.n && !is_free(e, slot)) {
		slot++;
	}
	return slot;
}

void experiment_read(const struct experiment *e, uint64_t position, uint64_t offer,
    const struct spec_arm *arm, uint64_t at_us, struct event *ret_ev)
{
	uint32_t same = arms_find(&e->arms, arm->id);

	if (same != ARM_NONE && !is_free(e, same)) {
		experiment_skip(e, position + 1, offer, at_us, ret_ev);
		return;
	}
	*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
	ret_ev->stream = (struct event_stream){.op = STREAM_READ,
	    .position = position,
	    .offer = offer,
	    .slot = same != ARM_NONE ? same : free_slot(e),
	    .id = arm->id,
	    .label = arm->label};
}

void experiment_skip(const struct experiment *e, uint64_t position, uint64_t offer, uint64_t at_us,
    struct event *ret_ev)
{
	*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
	ret_ev->stream =
	    (struct event_stream){.op = STREAM_SKIP, .position = position, .offer = offer};
}

int experiment_close(
    const struct experiment *e, uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	if (e->settings.state == RUN_ARCHIVED) {
		return err_set(
		    err, RC_STATE, "experiment_archived", "", "experiment %s is archived", e->name);
	}
	*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
	ret_ev->stream.op = STREAM_CLOSE;
	return 0;
}

/* ---- the fold ---- */

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

	e->ops->stream->queue(e->state, b->added + b->offered, b->offered - b->head);
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
	e->backlog->explored += e->ops->stream->explores(d->memo, d->nmemo);
	return 0;
}

int backlog_reserve_event(struct experiment *e, const struct event_stream *s)
{
	size_t text;
	int rc;

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

static int apply_read(struct experiment *e, const struct event *ev)
{
	const struct event_stream *s = &ev->stream;
	uint32_t same = arms_find(&e->arms, s->id);
	struct backlog *b = e->backlog;

	if (s->slot > e->arms.n || (same != ARM_NONE && same != s->slot) ||
	    (s->slot < e->arms.n && !is_free(e, s->slot)) || !e->ops->stream->wants(e->state)) {
		return RC_CORRUPT;
	}
	if (s->slot == e->arms.n) {
		arms_add(&e->arms, s->id, s->label);
	} else {
		arms_replace(&e->arms, s->slot, s->id, s->label);
	}
	b->slot[s->slot] = (struct stream_slot){.added = ev->seq};
	b->skipped += s->position - b->head;
	b->head = s->position + 1;
	b->head_seq = s->offer;
	e->ops->stream->read(e->state, s->slot);
	return 0;
}

int backlog_apply(struct experiment *e, const struct event *ev)
{
	const struct event_stream *s = &ev->stream;
	struct backlog *b = e->backlog;
	bool moves = s->op == STREAM_READ || s->op == STREAM_SKIP;
	int rc = 0;

	if (!e->ops->stream ||
	    (moves && (s->offer <= 1 || s->offer > b->tail_seq || s->offer < b->head_seq ||
			  s->position < b->head || s->position > b->offered))) {
		return RC_CORRUPT;
	}
	switch (s->op) {
	case STREAM_OFFER:
		if (s->before != b->tail_seq || s->position != b->offered || s->n == 0) {
			return RC_CORRUPT;
		}
		b->offered += s->n;
		b->tail_seq = ev->seq;
		e->ops->stream->close(e->state, false);
		break;
	case STREAM_READ:
		rc = s->position < b->offered ? apply_read(e, ev) : RC_CORRUPT;
		break;
	case STREAM_SKIP:
		b->skipped += s->position - b->head;
		b->head = s->position;
		b->head_seq = s->offer;
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
}

int backlog_load(struct experiment *e, struct rd *in)
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
	if (in->rc || b->head > b->offered || b->skipped > b->head || b->tail_seq > e->seq ||
	    b->head_seq < 1 || b->head_seq > b->tail_seq || b->explored > e->totals.decisions) {
		return RC_CORRUPT;
	}
	return 0;
}

void backlog_loaded(struct experiment *e)
{
	if (e->ops->stream) {
		tell(e);
	}
}
