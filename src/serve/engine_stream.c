/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/engine_stream.h"

#include <stdlib.h>
#include <string.h>

#include "serve/engine_impl.h"

#define AHEAD_MAX 64      /* arms at hand; fewer than half: more are fetched */
#define FLYING_MAX 131072 /* offers that are not on disk yet, of an experiment */

const char *const offer_fate_names[OFFER_FATES] = {"queued", "testing", "seen", "full"};

struct ahead {
	uint64_t offer, position, at_us;
	char id[ID_MAX + 1], label[LABEL_MAX + 1];
};

/* An offer that a reader of the log may not see yet: its keys, ascending, each with another hash
 * of the id, for the bytes are gone. */
struct flying_key {
	int64_t key;
	uint64_t check;
};
struct flying {
	struct flying *next;
	uint64_t ticket; /* 0: its group has none yet */
	size_t n;
	struct flying_key key[];
};

/* Guarded by the experiment's lock. */
struct look_ahead {
	struct ahead at[AHEAD_MAX]; /* a ring, in the order of their turns */
	size_t first, n;
	struct flying *flying;
	size_t nflying; /* keys */
};

void engine_stream_free(struct look_ahead *l)
{
	while (l && l->flying) {
		struct flying *f = l->flying;

		l->flying = f->next;
		free(f);
	}
	free(l);
}

static const struct ahead *last_of(const struct look_ahead *l)
{
	return &l->at[(l->first + l->n - 1) % AHEAD_MAX];
}

/* Made when it is needed first. The experiment is locked. */
static struct look_ahead *ahead_of(struct engine_item *it)
{
	struct look_ahead *l = it->ahead;
	struct stream_status s;

	if (!l) {
		it->ahead = l = calloc(1, sizeof(*it->ahead));
	}
	experiment_stream_status(it->e, &s);
	while (
	    l && l->n &&
	    (s.stacked ? l->at[l->first].position >= s.top : l->at[l->first].position < s.head)) {
		l->first = (l->first + 1) % AHEAD_MAX; /* read or passed over */
		l->n--;
	}
	return l;
}

uint64_t engine_oldest_offer_us(struct engine_item *it)
{
	struct look_ahead *l = experiment_has_stream(it->e) ? ahead_of(it) : NULL;

	return l && l->n ? l->at[l->first].at_us : 0;
}

/* Where the look-ahead goes on: the offer to look at first, and the position; of a stack the one
 * after it. */
struct ahead_end {
	uint64_t offer, position;
};

static struct ahead_end end_of(const struct look_ahead *l, const struct stream_status *s)
{
	if (l->n) {
		const struct ahead *a = last_of(l);

		return (struct ahead_end){a->offer, a->position + !s->stacked};
	}
	return (struct ahead_end){s->head_seq, s->stacked ? s->top : s->head};
}

static void take_arm(struct look_ahead *l, const struct event *ev, uint64_t position)
{
	const struct spec_arm *arm = &ev->stream.arms[position - ev->stream.position];
	struct ahead *a = &l->at[(l->first + l->n++) % AHEAD_MAX];

	a->offer = ev->seq;
	a->position = position;
	a->at_us = ev->at_us;
	memcpy(a->id, arm->id, strlen(arm->id) + 1);
	memcpy(a->label, arm->label, strlen(arm->label) + 1);
}

/* The arms of an offer from a position on, in the order of their turns. */
static void take_arms(struct look_ahead *l, const struct event *ev, uint64_t position)
{
	const struct event_stream *s = &ev->stream;

	while (s->stacked && l->n < AHEAD_MAX && position > s->position) {
		take_arm(l, ev, --position);
	}
	while (!s->stacked && l->n < AHEAD_MAX && position - s->position < s->n) {
		take_arm(l, ev, position++);
	}
}

/* One offer's arms; false when there is nothing more to fetch now. */
static bool fetch(struct engine *g, struct engine_item *it)
{
	struct stream_status s;
	struct look_ahead *l;
	struct ahead_end end = {0}, now;
	uint64_t position;
	struct event ev;
	bool due;
	int rc;

	pthread_mutex_lock(&it->lock);
	l = !it->purged ? ahead_of(it) : NULL;
	due = l != NULL;
	if (l) {
		experiment_stream_status(it->e, &s);
		end = end_of(l, &s);
		due = l->n < AHEAD_MAX / 2 && l->n < s.offered - s.head;
	}
	pthread_mutex_unlock(&it->lock);
	if (!due) {
		return false;
	}
	position = end.position;
	rc = s.stacked ? store_read_below(
			     g->reader, it->number, end.offer, &position, &g->seek_mem, &ev, NULL)
		       : store_read_offer(
			     g->reader, it->number, end.offer, position, &g->seek_mem, &ev, NULL);
	if (rc) {
		return false;
	}
	pthread_mutex_lock(&it->lock);
	l = ahead_of(it);
	experiment_stream_status(it->e, &s);
	now = end_of(l, &s);
	if (now.offer == end.offer && now.position == end.position) {
		take_arms(l, &ev, position);
	}
	pthread_mutex_unlock(&it->lock);
	return true;
}

void engine_look_ahead(struct engine *g, struct engine_item *it)
{
	while (experiment_has_stream(it->e) && fetch(g, it)) { /* a policy is for ever */
	}
}

void engine_read_arms(struct engine_work *w, uint64_t at_us)
{
	struct look_ahead *l;

	if (!experiment_has_stream(w->e)) {
		return;
	}
	while (experiment_wants_arm(w->e) && (l = ahead_of(w->it)) != NULL && l->n) {
		const struct ahead *a = &l->at[l->first], *old = NULL;
		struct event ev;

		for (size_t i = 0; i < l->n; i++) {
			const struct ahead *next = &l->at[(l->first + i) % AHEAD_MAX];

			if (!experiment_is_stale(w->e, next->at_us, at_us)) {
				break;
			}
			old = next;
		}
		if (old) {
			experiment_skip(w->e, old->position, old->offer, at_us, &ev);
		} else if (experiment_is_withdrawn(w->e, a->position)) {
			experiment_pass(w->e, a->position, a->offer, at_us, &ev);
		} else {
			experiment_read(w->e, a->position, a->offer,
			    &(struct spec_arm){.id = a->id, .label = a->label}, at_us, &ev);
		}
		if (engine_record(w, &ev, NULL, NULL)) {
			return; /* it waits a little longer */
		}
	}
}

/* ---- offers ---- */

static int by_key(const void *a, const void *b)
{
	const struct offer_key *x = a, *y = b;

	return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
				: (x->i > y->i) - (x->i < y->i);
}

static uint64_t check_of(const struct engine *g, const char *id)
{
	return hash_keyed(g->key, id, strlen(id));
}

/* The same id twice in the list: the first counts. */
static void mark_twice(struct engine_offer *o)
{
	for (size_t i = 1; i < o->n; i++) {
		for (size_t k = i; k > 0 && o->key[k - 1].key == o->key[i].key; k--) {
			if (strcmp(o->key[k - 1].id, o->key[i].id) == 0) {
				o->seen[o->key[i].i] = true;
			}
		}
	}
}

int engine_seek_offer(struct engine *g, struct engine_item *it, const struct spec_arm *arms,
    size_t n, struct arena *mem, struct engine_offer *ret, struct errinfo *err)
{
	bool remember;
	int rc;

	*ret = (struct engine_offer){.arms = arms, .n = n, .durable = store_durable(g->store)};
	ret->seen = arena_array(mem, n, sizeof(*ret->seen));
	ret->key = arena_array(mem, n, sizeof(*ret->key));
	if (!ret->seen || !ret->key) {
		return engine_refusal(RC_MEMORY, err);
	}
	memset(ret->seen, 0, n * sizeof(*ret->seen));
	pthread_mutex_lock(&it->lock);
	remember = experiment_stream_rules(it->e).remember;
	pthread_mutex_unlock(&it->lock);
	if (!remember) {
		ret->key = NULL;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		ret->key[i] = (struct offer_key){
		    .key = store_key_of_offer(g->reader, arms[i].id), .id = arms[i].id, .i = i};
	}
	qsort(ret->key, n, sizeof(*ret->key), by_key);
	mark_twice(ret);
	rc = store_find_offers(g->reader, it->number, ret->key, n, &g->seek_mem, ret->seen, err);
	return rc ? engine_refusal(rc, err) : 0;
}

/* Those that are on disk can be found there. */
static void land(struct look_ahead *l, uint64_t durable)
{
	struct flying **at = &l->flying;

	while (*at) {
		struct flying *f = *at;

		if (f->ticket && f->ticket <= durable) {
			*at = f->next;
			l->nflying -= f->n;
			free(f);
		} else {
			at = &f->next;
		}
	}
}

/* Both lists ascend. */
static void mark_flying(const struct engine *g, const struct flying *f, struct engine_offer *o)
{
	size_t at = 0;

	for (size_t i = 0; i < o->n && at < f->n; i++) {
		const struct offer_key *k = &o->key[i];

		while (at < f->n && f->key[at].key < k->key) {
			at++;
		}
		for (size_t j = at; j < f->n && f->key[j].key == k->key; j++) {
			if (f->key[j].check == check_of(g, k->id)) {
				o->seen[k->i] = true;
			}
		}
	}
}

/* Seen meanwhile, or known from the creation. */
static void mark_near(struct engine_work *w, const struct look_ahead *l, struct engine_offer *o)
{
	for (const struct flying *f = l->flying; f; f = f->next) {
		mark_flying(w->g, f, o);
	}
	for (size_t i = 0; i < o->n; i++) {
		o->seen[i] =
		    o->seen[i] || arms_find(experiment_arms(w->e), o->arms[i].id) != ARM_NONE;
	}
}

/* Everything of the offer that is not refused, the answers with it. */
static size_t admit(const struct experiment *e, const struct engine_offer *o,
    struct spec_arm *fresh, struct offer_answer *ret)
{
	uint64_t most = experiment_stream_rules(e).backlog_max;
	struct stream_status s;
	size_t n = 0;

	experiment_stream_status(e, &s);
	for (size_t i = 0; i < o->n; i++) {
		ret[i].position = s.offered + n;
		if (o->seen[i]) {
			ret[i].fate = OFFER_SEEN;
		} else if (most && s.waiting + n >= most) {
			ret[i].fate = OFFER_FULL;
		} else {
			ret[i].fate = OFFER_QUEUED;
			fresh[n++] = o->arms[i];
		}
	}
	return n;
}

static struct flying *new_flying(
    struct engine *g, const struct engine_offer *o, const struct offer_answer *answers)
{
	struct flying *f = malloc(sizeof(*f) + o->n * sizeof(f->key[0]));

	if (!f) {
		return NULL;
	}
	*f = (struct flying){.n = 0};
	for (size_t i = 0; i < o->n; i++) {
		if (answers[o->key[i].i].fate == OFFER_QUEUED) {
			f->key[f->n++] =
			    (struct flying_key){o->key[i].key, check_of(g, o->key[i].id)};
		}
	}
	return f;
}

static int record_offer(struct engine_work *w, struct look_ahead *l, const struct engine_offer *o,
    struct event *ev, const struct offer_answer *answers, struct errinfo *err)
{
	struct flying *f = NULL;
	int rc;

	if (o->key) {
		f = new_flying(w->g, o, answers);
		if (!f) {
			return engine_refusal(RC_MEMORY, err);
		}
	}
	rc = engine_record(w, ev, NULL, err);
	if (rc) {
		free(f);
		return rc;
	}
	if (f) {
		f->next = l->flying;
		l->flying = f;
		l->nflying += f->n;
		w->flying = true;
	}
	return 0;
}

/* The ticket of the group that was just appended. */
void engine_stream_ticket(struct engine_item *it, uint64_t ticket)
{
	for (struct flying *f = it->ahead->flying; f; f = f->next) {
		f->ticket = f->ticket ? f->ticket : ticket;
	}
}

static void wait_for_flying(struct engine_work *w, const struct look_ahead *l)
{
	for (const struct flying *f = l->flying; f; f = f->next) {
		w->ticket = f->ticket > w->ticket ? f->ticket : w->ticket;
	}
}

/* What was offered just now is next of a stack, and else last. */
static void follow_offer(struct engine_item *it, const struct event *ev)
{
	struct look_ahead *l = ahead_of(it);
	struct stream_status s;
	struct ahead_end end;

	experiment_stream_status(it->e, &s);
	l->n = s.stacked ? 0 : l->n;
	end = end_of(l, &s);
	if (s.stacked || end.position - ev->stream.position < ev->stream.n) {
		take_arms(l, ev, end.position);
	}
}

int engine_offer(struct engine_work *w, const struct engine_offer *offer, uint64_t at_us,
    struct arena *mem, struct offer_answer *ret, struct errinfo *err)
{
	struct spec_arm *fresh = arena_array(mem, offer->n, sizeof(*fresh));
	struct look_ahead *l = ahead_of(w->it);
	struct engine_offer o = *offer;
	struct stream_status s;
	struct event ev;
	size_t n;
	int rc;

	if (!fresh || !l) {
		return engine_refusal(RC_MEMORY, err);
	}
	land(l, o.durable);
	if (l->nflying + o.n > FLYING_MAX) {
		return engine_refusal(RC_BUSY, err);
	}
	if (o.key) {
		mark_near(w, l, &o);
		wait_for_flying(w, l);
	}
	n = admit(w->e, &o, fresh, ret);
	if (n == 0) {
		return 0;
	}
	rc = experiment_offer(w->e, fresh, n, at_us, &ev, err);
	rc = rc ? rc : record_offer(w, l, &o, &ev, ret, err);
	if (rc) {
		return rc;
	}
	follow_offer(w->it, &ev);
	engine_read_arms(w, at_us);
	experiment_stream_status(w->e, &s);
	for (size_t i = 0; i < o.n; i++) {
		if (ret[i].fate == OFFER_QUEUED &&
		    (s.stacked ? ret[i].position >= s.top : ret[i].position < s.head)) {
			ret[i].fate = OFFER_TESTING;
		}
	}
	return 0;
}
