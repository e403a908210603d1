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

bool experiment_is_withdrawn(const struct experiment *e, uint64_t position)
{
	return backlog_gone_before(e->backlog, position) !=
	       backlog_gone_before(e->backlog, position + 1);
}

bool experiment_holds(const struct experiment *e, uint32_t slot)
{
	return e->ops->stream->holds(e->state, slot);
}

void experiment_stream_status(const struct experiment *e, struct stream_status *ret)
{
	const struct backlog *b = e->backlog;

	*ret = (struct stream_status){.stacked = backlog_is_stacked(e),
	    .offered = b->offered,
	    .waiting = backlog_waiting(b),
	    .head = b->head,
	    .top = b->top,
	    .head_seq = b->head_seq,
	    .tail_seq = b->tail_seq,
	    .skipped = b->skipped,
	    .explored = b->explored,
	    .late = b->late};
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
	    .stacked = backlog_is_stacked(e),
	    .arms = arms,
	    .n = n,
	    .position = e->backlog->offered};
	if (ret_ev->stream.stacked) {
		ret_ev->stream.below = e->backlog->top;
		ret_ev->stream.below_offer = e->backlog->head_seq;
	}
	return 0;
}

static uint32_t free_slot(const struct experiment *e)
{
	uint32_t slot = 0;

	while (slot < e->arms.n && !backlog_is_free(e, slot)) {
		slot++;
	}
	return slot;
}

void experiment_read(const struct experiment *e, uint64_t position, uint64_t offer,
    const struct spec_arm *arm, uint64_t at_us, struct event *ret_ev)
{
	uint32_t same = arms_find(&e->arms, arm->id);

	if (same != ARM_NONE && !backlog_is_free(e, same)) {
		experiment_pass(e, position, offer, at_us, ret_ev);
		return;
	}
	*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
	ret_ev->stream = (struct event_stream){.op = STREAM_READ,
	    .position = position,
	    .offer = offer,
	    .slot = same != ARM_NONE ? same : free_slot(e),
	    .rated = true,
	    .id = arm->id,
	    .label = arm->label};
}

bool experiment_is_stale(const struct experiment *e, uint64_t offered_us, uint64_t at_us)
{
	uint64_t ttl_us = experiment_stream_rules(e).ttl_us;

	return ttl_us && offered_us + ttl_us < (at_us > e->at_us ? at_us : e->at_us);
}

void experiment_pass(const struct experiment *e, uint64_t position, uint64_t offer, uint64_t at_us,
    struct event *ret_ev)
{
	*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
	ret_ev->stream = (struct event_stream){
	    .op = STREAM_SKIP, .position = position + !backlog_is_stacked(e), .offer = offer};
}

void experiment_skip(const struct experiment *e, uint64_t position, uint64_t offer, uint64_t at_us,
    struct event *ret_ev)
{
	bool stacked = backlog_is_stacked(e);

	*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
	ret_ev->stream = (struct event_stream){.op = STREAM_SKIP,
	    .position = stacked ? 0 : position + 1,
	    .offer = stacked ? 1 : offer};
}

static int refuse_archived(const struct experiment *e, struct errinfo *err)
{
	return e->settings.state != RUN_ARCHIVED ? 0
						 : err_set(err, RC_STATE, "experiment_archived", "",
						       "experiment %s is archived", e->name);
}

int experiment_withdraw(const struct experiment *e, uint64_t position, uint64_t offer,
    const char *id, uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	int rc = refuse_archived(e, err);

	if (rc == 0 && e->backlog->ngone >= WITHDRAWN_MAX) {
		rc = err_set(err, RC_LIMIT, "too_many", "",
		    "%d arms that still wait were withdrawn already", WITHDRAWN_MAX);
	}
	if (rc == 0) {
		*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
		ret_ev->stream = (struct event_stream){
		    .op = STREAM_WITHDRAW, .position = position, .offer = offer, .id = id};
	}
	return rc;
}

int experiment_recheck(
    const struct experiment *e, uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	struct stream_view v;
	int rc = refuse_archived(e, err);

	experiment_stream_view(e, &v);
	if (rc == 0 && !v.rechecks) {
		rc = err_set(err, RC_INVALID, "not_supported", "/action",
		    "with these parameters the policy tests its best arms again by itself");
	} else if (rc == 0 && v.king == SLOT_NONE) {
		rc = err_set(err, RC_STATE, "no_king", "", "no arm has passed its test yet");
	}
	if (rc == 0) {
		*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
		ret_ev->stream.op = STREAM_RECHECK;
		ret_ev->kind = v.rechecking ? (enum event_kind)0 : EVENT_STREAM;
	}
	return rc;
}

int experiment_close(
    const struct experiment *e, uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	int rc = refuse_archived(e, err);

	if (rc == 0) {
		*ret_ev = experiment_next(e, EVENT_STREAM, at_us);
		ret_ev->stream.op = STREAM_CLOSE;
	}
	return rc;
}
