/* SPDX-License-Identifier: Apache-2.0 */
/* Policies with a stream: arms are offered to a backlog in the log, and the few that are read next
 * are kept at hand, so that an arm takes its place in the request that made room for it. */
#ifndef SERVE_ENGINE_STREAM_H
#define SERVE_ENGINE_STREAM_H

#include "core/experiment_stream.h"
#include "serve/engine.h"
#include "store/store_offer.h"

enum offer_fate { OFFER_QUEUED, OFFER_TESTING, OFFER_SEEN, OFFER_FULL, OFFER_FATES };
extern const char *const offer_fate_names[OFFER_FATES];

struct offer_answer {
	enum offer_fate fate;
	uint64_t position; /* of those that are queued or tested */
};

/* First half: what an offer needs to know of the past, from mem. Ids must be valid: RC_INVALID. */
struct engine_offer {
	const struct spec_arm *arms;
	size_t n;
	bool *seen;            /* each arm: was it offered, or is it twice in the list */
	struct offer_key *key; /* ascending; NULL when nothing is remembered */
	uint64_t durable;      /* what was on disk when that was looked up */
};
int engine_seek_offer(struct engine *g, struct engine_item *it, const struct spec_arm *arms,
    size_t n, struct arena *mem, struct engine_offer *ret, struct errinfo *err);
/* First half of whatever may end a test: fetches the next arms when few are at hand. What cannot be
 * fetched now is fetched later; the king is served meanwhile. */
void engine_look_ahead(struct engine *g, struct engine_item *it);

/* Second half. RC_BUSY: too many offers are not on disk yet. */
int engine_offer(struct engine_work *w, const struct engine_offer *o, uint64_t at_us,
    struct arena *mem, struct offer_answer *ret, struct errinfo *err);
int engine_close_stream(struct engine_work *w, uint64_t at_us, struct errinfo *err);
/* RC_INVALID, RC_STATE: nothing is there to be tested again. */
int engine_recheck(struct engine_work *w, uint64_t at_us, struct errinfo *err);

/* First half: an arm that may wait, by its id, from mem. It waits once, or, where ids are not
 * remembered, as often as it was offered. RC_LIMIT: it is not among those that come next. */
struct engine_place {
	uint64_t offer, position;
};
struct engine_waiting {
	const char *id;
	struct engine_place *at; /* in the order of their turns, as they were then */
	size_t n;
	uint64_t head;
};
int engine_seek_waiting(struct engine *g, struct engine_item *it, const char *id, struct arena *mem,
    struct engine_waiting *ret, struct errinfo *err);
/* Second half. ret_position: of the first that waits. RC_NOT_FOUND; RC_BUSY: arms were read
 * meanwhile, so ask again. */
int engine_withdraw(struct engine_work *w, const struct engine_waiting *a, uint64_t at_us,
    uint64_t *ret_position, struct errinfo *err);
/* Reads arms as long as the policy wants one and they are at hand. */
void engine_read_arms(struct engine_work *w, uint64_t at_us);
/* When the arm that is read next was offered; 0: it is not at hand. */
uint64_t engine_oldest_offer_us(struct engine_item *it); /* locked */

#endif
