/* SPDX-License-Identifier: Apache-2.0 */
/* What is told to a stream apart from offers: an arm that waits is withdrawn, the best one is to be
 * tested again, no more arms come. */
#include <string.h>

#include "serve/engine_impl.h"
#include "serve/engine_stream.h"

#define OFFERS_ABOVE_MAX 1024 /* that are looked through for one arm of a stack */
#define OFFERS_AHEAD_MAX 1024 /* that are looked through for an arm that is not remembered */
#define ARMS_AHEAD_MAX 65536  /* in these */
#define SAME_WAITING_MAX 1024 /* times one arm is withdrawn at once */

/* Of a stack alone the offers above know whether it was read: each says what waited under it. */
static int seek_in_stack(struct engine *g, struct engine_item *it, const struct stream_status *s,
    struct engine_waiting *ret, struct errinfo *err)
{
	uint64_t offer = s->head_seq, top = s->top;
	struct event ev;
	int rc = 0;

	for (size_t n = 0; rc == 0 && offer > ret->at->offer; n++) {
		if (n == OFFERS_ABOVE_MAX) {
			return err_set(err, RC_LIMIT, "too_many", "",
			    "more than %d offers lie above this arm", OFFERS_ABOVE_MAX);
		}
		arena_reset(&g->seek_mem);
		rc = store_read_event(g->reader, it->number, offer, &g->seek_mem, &ev, err);
		if (rc == 0 && (ev.kind != EVENT_STREAM || ev.stream.below_offer >= offer)) {
			rc = RC_CORRUPT;
		}
		if (rc == 0) {
			top = ev.stream.below;
			offer = ev.stream.below_offer;
		}
	}
	ret->n = rc == 0 && offer == ret->at->offer && ret->at->position < top;
	return rc;
}

/* Each id stands in one offer, which is found by its key. */
static int seek_remembered(struct engine *g, struct engine_item *it, const struct stream_status *s,
    struct engine_waiting *ret, struct errinfo *err)
{
	int rc = store_find_offer(
	    g->reader, it->number, ret->id, &g->seek_mem, &ret->at->offer, &ret->at->position, err);

	if (rc == 0 && s->stacked) {
		return seek_in_stack(g, it, s, ret, err);
	}
	ret->n = rc == 0 && ret->at->position >= s->head;
	return rc;
}

/* Where an offer is looked through, and what is left to look through. */
struct walk {
	struct engine_waiting *found;
	uint64_t offer, position; /* of a stack: the position after the next one */
	size_t offers, arms;
};

static void look_at(struct walk *w, const struct event *ev, uint64_t position)
{
	struct engine_waiting *f = w->found;
	const struct spec_arm *arm = &ev->stream.arms[position - ev->stream.position];

	if (f->n < SAME_WAITING_MAX && strcmp(arm->id, f->id) == 0) {
		f->at[f->n++] = (struct engine_place){ev->seq, position};
	}
	w->arms++;
}

/* One offer, in the order of its turns. */
static int walk_offer(
    struct engine *g, struct engine_item *it, bool stacked, struct walk *w, struct errinfo *err)
{
	struct event ev;
	int rc = stacked ? store_read_below(g->reader, it->number, w->offer, &w->position,
			       &g->seek_mem, &ev, err)
			 : store_read_offer(g->reader, it->number, w->offer, w->position,
			       &g->seek_mem, &ev, err);

	if (rc) {
		return rc;
	}
	w->offers++;
	while (stacked && w->position > ev.stream.position) {
		look_at(w, &ev, --w->position);
	}
	while (!stacked && w->position - ev.stream.position < ev.stream.n) {
		look_at(w, &ev, w->position++);
	}
	w->position = stacked ? ev.stream.below : w->position;
	w->offer = stacked ? ev.stream.below_offer : ev.seq;
	return 0;
}

/* Nothing says where it stands but the offers themselves. */
static int seek_forgotten(struct engine *g, struct engine_item *it, const struct stream_status *s,
    struct engine_waiting *ret, struct errinfo *err)
{
	struct walk w = {ret, s->head_seq, s->stacked ? s->top : s->head, 0, 0};
	int rc = 0;

	while (rc == 0 && w.offers < OFFERS_AHEAD_MAX && w.arms < ARMS_AHEAD_MAX) {
		rc = walk_offer(g, it, s->stacked, &w, err);
	}
	if (rc == 0 && ret->n == 0) {
		return err_set(err, RC_LIMIT, "too_many", "",
		    "more than %d offers, or %d arms, come before this one, or it does not wait",
		    OFFERS_AHEAD_MAX, ARMS_AHEAD_MAX);
	}
	return rc;
}

int engine_seek_waiting(struct engine *g, struct engine_item *it, const char *id, struct arena *mem,
    struct engine_waiting *ret, struct errinfo *err)
{
	struct stream_status s;
	bool remember;
	int rc;

	*ret = (struct engine_waiting){.id = id};
	pthread_mutex_lock(&it->lock);
	remember = experiment_stream_rules(it->e).remember;
	experiment_stream_status(it->e, &s);
	pthread_mutex_unlock(&it->lock);
	ret->head = s.head;
	ret->at = arena_array(mem, remember ? 1 : SAME_WAITING_MAX, sizeof(*ret->at));
	if (!ret->at) {
		return engine_refusal(RC_MEMORY, err);
	}
	rc = remember ? seek_remembered(g, it, &s, ret, err) : seek_forgotten(g, it, &s, ret, err);
	return rc == 0 || rc == RC_NOT_FOUND ? 0 : engine_refusal(rc, err);
}

int engine_withdraw(struct engine_work *w, const struct engine_waiting *a, uint64_t at_us,
    uint64_t *ret_position, struct errinfo *err)
{
	struct stream_status s;
	struct event ev;
	size_t from = 0;
	int rc = 0;

	experiment_stream_status(w->e, &s);
	while (!s.stacked && from < a->n && a->at[from].position < s.head) {
		from++; /* read meanwhile */
	}
	if (from == a->n) {
		return err_set(err, RC_NOT_FOUND, "arm_not_found", "", "no arm %s", a->id);
	}
	if (s.stacked && s.head != a->head) {
		return engine_refusal(RC_BUSY, err); /* it may have been read meanwhile */
	}
	for (size_t i = from; rc == 0 && i < a->n; i++) {
		const struct engine_place *at = &a->at[i];

		if (!experiment_is_withdrawn(w->e, at->position)) {
			rc = experiment_withdraw(
			    w->e, at->position, at->offer, a->id, at_us, &ev, err);
			rc = rc ? rc : engine_record(w, &ev, NULL, err);
		}
	}
	*ret_position = a->at[from].position;
	return rc;
}

int engine_recheck(struct engine_work *w, uint64_t at_us, struct errinfo *err)
{
	struct event ev;
	int rc = experiment_recheck(w->e, at_us, &ev, err);

	return rc || !ev.kind ? rc : engine_record(w, &ev, NULL, err);
}

int engine_close_stream(struct engine_work *w, uint64_t at_us, struct errinfo *err)
{
	struct event ev;
	int rc = experiment_close(w->e, at_us, &ev, err);

	return rc ? rc : engine_record(w, &ev, NULL, err);
}
