/* SPDX-License-Identifier: Apache-2.0 */
/* What is told to a stream apart from offers: an arm that waits is withdrawn, the best one is to be
 * tested again, no more arms come. */
#include "serve/engine_impl.h"
#include "serve/engine_stream.h"

#define OFFERS_ABOVE_MAX 1024 /* that are looked through for one arm of a stack */

/* Of a stack alone the offers above know whether it was read: each says what waited under it. */
static int seek_in_stack(struct engine *g, struct engine_item *it, const struct stream_status *s,
    struct engine_waiting *ret, struct errinfo *err)
{
	uint64_t offer = s->head_seq, top = s->top;
	struct event ev;
	int rc = 0;

	for (size_t n = 0; rc == 0 && offer > ret->offer; n++) {
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
	ret->waits = rc == 0 && offer == ret->offer && ret->position < top;
	return rc;
}

int engine_seek_waiting(struct engine *g, struct engine_item *it, const char *id,
    struct engine_waiting *ret, struct errinfo *err)
{
	struct stream_status s;
	bool remember;
	int rc = RC_NOT_FOUND;

	*ret = (struct engine_waiting){.id = id};
	pthread_mutex_lock(&it->lock);
	remember = experiment_stream_rules(it->e).remember;
	experiment_stream_status(it->e, &s);
	pthread_mutex_unlock(&it->lock);
	ret->head = s.head;
	if (remember) {
		rc = store_find_offer(
		    g->reader, it->number, id, &g->seek_mem, &ret->offer, &ret->position, err);
	}
	if (rc == 0 && s.stacked) {
		rc = seek_in_stack(g, it, &s, ret, err);
	} else if (rc == 0) {
		ret->waits = ret->position >= s.head;
	}
	return rc == 0 || rc == RC_NOT_FOUND ? 0 : engine_refusal(rc, err);
}

int engine_withdraw(
    struct engine_work *w, const struct engine_waiting *a, uint64_t at_us, struct errinfo *err)
{
	struct stream_status s;
	struct event ev;
	int rc;

	experiment_stream_status(w->e, &s);
	if (!a->waits || (!s.stacked && a->position < s.head)) {
		return err_set(err, RC_NOT_FOUND, "arm_not_found", "", "no arm %s", a->id);
	}
	if (s.stacked && s.head != a->head) {
		return engine_refusal(RC_BUSY, err); /* it may have been read meanwhile */
	}
	if (experiment_is_withdrawn(w->e, a->position)) {
		return 0;
	}
	rc = experiment_withdraw(w->e, a->position, a->offer, a->id, at_us, &ev, err);
	return rc ? rc : engine_record(w, &ev, NULL, err);
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
