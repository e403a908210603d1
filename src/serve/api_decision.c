/* SPDX-License-Identifier: Apache-2.0 */
/* One decision again: with all that happened to it, activated, made void. */
#include "serve/api_impl.h"
#include "json/decision_json.h"
#include "json/event_json.h"

static int find_decision(struct api_call *c, struct engine_item **ret_it, struct cache_entry **ret)
{
	int rc = api_item(c, ret_it);

	if (rc == 0) {
		rc = engine_seek_decision(c->a->o.engine, *ret_it, c->param[1], ret, &c->err);
	}
	if (rc == 0 && !*ret) {
		rc = err_set(&c->err, RC_NOT_FOUND, "unknown_decision", "", "no such decision");
	}
	return rc;
}

struct history_walk {
	struct api_call *c;
	const struct experiment *e;
	json_t *list;
};

static int add_event(void *arg, const struct event *ev)
{
	struct history_walk *walk = arg;

	return json_array_append_new(walk->list, event_to_json(walk->e, ev)) ? RC_MEMORY : 0;
}

static const char *state_of(const struct pending *p)
{
	return p->flags & PENDING_VOID      ? "void"
	       : p->flags & PENDING_LEARNT  ? "learnt"
	       : p->flags & PENDING_EXPIRED ? "expired"
					    : "open";
}

/* The stored answer, its state, and the events about it that are on disk. */
int api_decision_get(struct api_call *c)
{
	struct engine *g = c->a->o.engine;
	struct history_walk walk = {.c = c, .list = json_array()};
	struct engine_item *it;
	struct cache_entry *d = NULL;
	struct event ev;
	json_t *out = NULL;
	int rc = find_decision(c, &it, &d);

	if (rc) {
		goto out;
	}
	walk.e = engine_lock(it);
	rc = event_decode(d->bytes, d->len, d->seq, &c->a->mem, &ev);
	out = rc ? NULL : decision_to_json(walk.e, &ev);
	if (out) {
		json_object_set_new(out, "state", json_string(state_of(&d->pending)));
	}
	engine_unlock(it);
	if (!out || !walk.list) {
		rc = api_out_of_memory(c);
		goto out;
	}
	api_wait(c, d->ticket == CACHE_TICKET_OPEN ? 0 : d->ticket);
	rc = engine_read_refs(g, it, d->seq, &c->a->mem, add_event, &walk, &c->err);
	if (rc == 0) {
		json_object_set(out, "events", walk.list);
		rc = api_send(c, 200, json_incref(out));
	}
out:
	engine_release(g, d);
	json_decref(out);
	json_decref(walk.list);
	return rc;
}

typedef int change_fn(struct engine_work *w, struct cache_entry *d, uint64_t at_us,
    struct event *ret_ev, struct errinfo *err);

/* Answers with the decision, whether it was so already or not. */
static int change(struct api_call *c, change_fn *fn)
{
	struct engine_item *it;
	struct cache_entry *d = NULL;
	struct event ev;
	json_t *out = NULL;
	int rc = find_decision(c, &it, &d);

	if (rc) {
		goto out;
	}
	engine_begin(&c->a->work, it);
	rc = fn(&c->a->work, d, c->rq->now_us, &ev, &c->err);
	if (rc == 0 || rc == RC_EXISTS) {
		out = decision_to_json(c->a->work.e, &ev);
		rc = out ? 0 : api_out_of_memory(c);
	}
	if (out) {
		json_object_set_new(out, "state", json_string(state_of(&d->pending)));
	}
	api_wait(c, engine_commit(&c->a->work));
	rc = rc ? rc : api_send(c, 200, out);
out:
	engine_release(c->a->o.engine, d);
	return rc;
}

int api_decision_activate(struct api_call *c)
{
	return change(c, engine_activate);
}

int api_decision_void(struct api_call *c)
{
	return change(c, engine_void);
}
