/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream reads and leaves unread, against the offers that it is said to be of. That an arm
 * is read late is no divergence: the daemon may not have had it at hand. */
#include <inttypes.h>
#include <string.h>

#include "core/experiment_stream.h"
#include "core/replay_impl.h"

int replay_differ_stream(struct replay *r, const struct event *a, const struct event *b)
{
	const struct event_stream *was = &a->stream, *is = &b->stream;

	if (!b->kind) {
		return replay_diverge(r, a, "a test of the king was asked for already");
	}
	if (was->op != is->op) {
		return replay_diverge(r, a, "its arm is held, and is read again");
	}
	if (was->op == STREAM_READ && was->slot != is->slot) {
		return replay_diverge(r, a,
		    "slot %" PRIu32 " is logged, the arm belongs into %" PRIu32, was->slot,
		    is->slot);
	}
	return replay_diverge(r, a, "what is logged of the stream differs");
}

/* The offer of s, which holds the position. */
static int offer_of(struct replay *r, const struct event *ev, uint64_t seq, uint64_t position,
    struct event *ret, struct errinfo *err)
{
	int rc = seq < ev->seq ? r->o.at(r->o.past_arg, seq, ret, err) : RC_NOT_FOUND;

	if (rc == RC_NOT_FOUND ||
	    (rc == 0 && (ret->kind != EVENT_STREAM || ret->stream.op != STREAM_OFFER ||
			    position - ret->stream.position >= ret->stream.n))) {
		return replay_diverge(
		    r, ev, "seq %" PRIu64 " offers no arm at position %" PRIu64, seq, position);
	}
	return rc;
}

/* What was offered before the log begins cannot be looked up. */
static bool is_pruned(const struct replay *r, uint64_t offer)
{
	return offer > 1 && offer <= r->base;
}

/* Of a stack: whose turn it is; of a pruned offer no more is told than its seq. */
struct turn {
	uint64_t offer, position;
};

static int next_of_stack(
    struct replay *r, const struct event *ev, struct turn *ret, struct errinfo *err)
{
	struct stream_status s;
	struct event offer;
	int rc;

	experiment_stream_status(r->e, &s);
	*ret = (struct turn){s.head_seq, s.top};
	while (ret->offer > 1) {
		if (is_pruned(r, ret->offer)) {
			return 0;
		}
		rc = r->o.at(r->o.past_arg, ret->offer, &offer, err);
		if (rc) {
			return rc;
		}
		if (ret->position > offer.stream.position) {
			ret->position--;
			return 0;
		}
		*ret = (struct turn){offer.stream.below_offer, offer.stream.below};
	}
	return replay_diverge(r, ev, "nothing waits");
}

static int check_turn(
    struct replay *r, const struct event *ev, uint64_t position, struct errinfo *err)
{
	struct stream_status s;
	struct turn next;
	int rc = 0;

	experiment_stream_status(r->e, &s);
	if (s.stacked) {
		rc = next_of_stack(r, ev, &next, err);
	} else {
		next = (struct turn){0, s.head};
	}
	if (rc == 0 && !is_pruned(r, next.offer) && next.position != position) {
		rc = replay_diverge(r, ev,
		    "position %" PRIu64 " is logged, it is the turn of %" PRIu64, position,
		    next.position);
	}
	return rc;
}

static int derive_read(struct replay *r, const struct event *ev, struct errinfo *err)
{
	const struct event_stream *s = &ev->stream;
	const struct spec_arm *arm;
	struct event offer, again;
	int rc;

	if (is_pruned(r, s->offer)) {
		return 0;
	}
	rc = check_turn(r, ev, s->position, err);
	rc = rc ? rc : offer_of(r, ev, s->offer, s->position, &offer, err);
	if (rc) {
		return rc;
	}
	arm = &offer.stream.arms[s->position - offer.stream.position];
	if (strcmp(arm->id, s->id) != 0 || strcmp(arm->label, s->label) != 0) {
		return replay_diverge(r, ev, "arm %.64s is logged, %.64s was offered at %" PRIu64,
		    s->id, arm->id, s->position);
	}
	if (experiment_is_stale(r->e, offer.at_us, ev->at_us)) {
		return replay_diverge(r, ev, "arm %.64s has waited too long", s->id);
	}
	if (experiment_is_withdrawn(r->e, s->position)) {
		return replay_diverge(r, ev, "arm %.64s was withdrawn", s->id);
	}
	experiment_read(r->e, s->position, s->offer, arm, ev->at_us, &again);
	again.stream.rated = again.stream.rated && s->rated; /* older logs do not say it */
	return replay_compare(r, ev, &again, err);
}

/* One alone is passed over that was withdrawn, or is held; all others have waited too long. */
static int derive_skip(struct replay *r, const struct event *ev, struct errinfo *err)
{
	const struct event_stream *s = &ev->stream;
	struct turn last = {s->offer, s->position};
	struct stream_status status;
	const struct spec_arm *arm;
	struct event offer, again;
	int rc = 0;

	experiment_stream_status(r->e, &status);
	if (!status.stacked && s->position == 0) {
		return replay_diverge(r, ev, "nothing is passed over");
	}
	if (status.stacked && s->offer == 1) {
		rc = next_of_stack(r, ev, &last, err);
	} else if (!status.stacked) {
		last.position--;
	}
	if (rc == 0 && is_pruned(r, last.offer)) {
		return 0;
	}
	rc = rc ? rc : offer_of(r, ev, last.offer, last.position, &offer, err);
	if (rc) {
		return rc;
	}
	if (experiment_is_stale(r->e, offer.at_us, ev->at_us)) {
		experiment_skip(r->e, last.position, last.offer, ev->at_us, &again);
		return replay_compare(r, ev, &again, err);
	}
	rc = check_turn(r, ev, last.position, err);
	if (rc || experiment_is_withdrawn(r->e, last.position)) {
		experiment_pass(r->e, last.position, last.offer, ev->at_us, &again);
		return rc ? rc : replay_compare(r, ev, &again, err);
	}
	arm = &offer.stream.arms[last.position - offer.stream.position];
	experiment_read(r->e, last.position, last.offer, arm, ev->at_us, &again);
	return again.stream.op == STREAM_SKIP
		   ? replay_compare(r, ev, &again, err)
		   : replay_diverge(r, ev, "arm %.64s is passed over for no reason", arm->id);
}

static int derive_withdrawal(struct replay *r, const struct event *ev, struct errinfo *err)
{
	const struct event_stream *s = &ev->stream;
	struct event offer;
	int rc;

	if (is_pruned(r, s->offer)) {
		return 0;
	}
	rc = offer_of(r, ev, s->offer, s->position, &offer, err);
	if (rc == 0 && strcmp(offer.stream.arms[s->position - offer.stream.position].id, s->id)) {
		return replay_diverge(
		    r, ev, "arm %.64s was not offered at %" PRIu64, s->id, s->position);
	}
	r->report.derived += rc == 0;
	return rc;
}

int replay_stream(struct replay *r, const struct event *ev, struct errinfo *err)
{
	const struct event_stream *s = &ev->stream;
	struct errinfo why = {.rc = 0};
	struct event again;
	int rc;

	if (!experiment_has_stream(r->e)) {
		return replay_diverge(r, ev, "its policy has no stream of arms");
	}
	switch (s->op) {
	case STREAM_READ:
		return derive_read(r, ev, err);
	case STREAM_SKIP:
		return derive_skip(r, ev, err);
	case STREAM_WITHDRAW:
		return derive_withdrawal(r, ev, err);
	case STREAM_OFFER:
		rc = experiment_offer(r->e, s->arms, s->n, ev->at_us, &again, &why);
		break;
	case STREAM_RECHECK:
		rc = experiment_recheck(r->e, ev->at_us, &again, &why);
		break;
	default:
		rc = experiment_close(r->e, ev->at_us, &again, &why);
	}
	return rc ? replay_refused(r, ev, rc, &why, err) : replay_compare(r, ev, &again, err);
}
