/* SPDX-License-Identifier: Apache-2.0 */
/* One decision again: with all that happened to it, activated, made void. */
#include "serve/api_impl.h"

#define ANSWER_BYTES_MAX ((size_t)4 << 20)
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

static const char *state_of(const struct pending *p)
{
	return p->flags & PENDING_VOID      ? "void"
	       : p->flags & PENDING_LEARNT  ? "learnt"
	       : p->flags & PENDING_EXPIRED ? "expired"
					    : "open";
}

static void put_state(const struct pending *p, struct buf *out)
{
	buf_printf(out, ",\"state\":\"%s\"", state_of(p));
}

/* The stored answer and the decision's state, the object still open. */
static void put_decision(const struct experiment *e, const struct event *ev,
    const struct cache_entry *d, struct buf *out)
{
	decision_write(e, ev, out);
	put_state(d->pending, out);
}

static int send(struct api_call *c, struct buf *out)
{
	c->rs->status = 200;
	c->rs->content_type = "application/json";
	c->rs->body = (char *)buf_take(out, &c->rs->body_len);
	return c->rs->body ? 0 : api_out_of_memory(c);
}

struct history_walk {
	struct engine_item *it;
	struct buf *out;
	size_t n;
	struct pending pending; /* after the events so far */
};

static int put_bytes(const char *p, size_t n, void *arg)
{
	buf_put(arg, p, n);
	return ((struct buf *)arg)->rc;
}

static int add_event(void *arg, const struct event *ev)
{
	struct history_walk *walk = arg;
	json_t *o = event_to_json(engine_lock(walk->it), ev);
	int rc = o ? 0 : RC_MEMORY;

	engine_unlock(walk->it);
	pending_apply(&walk->pending, ev);
	if (walk->n++) {
		buf_put(walk->out, ",", 1);
	}
	if (o && json_dump_callback(o, put_bytes, walk->out, API_DUMP)) {
		rc = RC_MEMORY;
	}
	json_decref(o);
	return rc;
}

/* The stored answer, its state, and the events about it that are on disk. */
int api_decision_get(struct api_call *c)
{
	struct engine *g = c->a->o.engine;
	struct history_walk walk = {.n = 0};
	struct engine_item *it;
	struct cache_entry *d = NULL;
	const struct experiment *e;
	struct event ev;
	struct buf out;
	int rc = find_decision(c, &it, &d);

	if (rc) {
		return rc;
	}
	buf_init(&out, ANSWER_BYTES_MAX);
	walk.out = &out;
	walk.it = it;
	e = engine_lock(it);
	rc = event_decode(d->bytes, d->len, d->seq, &c->a->mem, &ev);
	if (rc == 0) {
		decision_write(e, &ev, &out);
		pending_start(&walk.pending, &ev.decision);
	}
	engine_unlock(it);
	buf_printf(&out, ",\"events\":[");
	api_wait(c, d->ticket);
	rc = rc ? rc : engine_read_refs(g, it, d->seq, &c->a->mem, add_event, &walk, &c->err);
	buf_printf(&out, "]");
	/* What is told must agree, and be on disk; only a very long list is cut off. */
	put_state(walk.n < ENGINE_REFS_MAX ? &walk.pending : d->pending, &out);
	buf_printf(&out, "}");
	rc = rc ? rc : send(c, &out);
	engine_release(g, d);
	buf_release(&out);
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
	struct buf out;
	int rc = find_decision(c, &it, &d);

	if (rc) {
		return rc;
	}
	buf_init(&out, ANSWER_BYTES_MAX);
	engine_begin(&c->a->work, it);
	rc = fn(&c->a->work, d, c->rq->now_us, &ev, &c->err);
	rc = rc == RC_EXISTS ? 0 : rc;
	if (rc == 0) {
		put_decision(c->a->work.e, &ev, d, &out);
	}
	api_wait(c, engine_commit(&c->a->work));
	buf_put(&out, "}", 1);
	rc = rc ? rc : send(c, &out);
	engine_release(c->a->o.engine, d);
	buf_release(&out);
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
