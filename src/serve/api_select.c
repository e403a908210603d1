/* SPDX-License-Identifier: Apache-2.0 */
/* POST .../decisions: which arm now? */
#include <string.h>

#include "json/bind.h"
#include "json/decision_json.h"
#include "serve/api_batch.h"

struct decide_work {
	struct select_in in;
	struct cache_entry *known;
};

static bool asks_pmf(struct api_call *c)
{
	const char *include = http_request_arg(c->rq, "include");

	return include && strcmp(include, "pmf") == 0;
}

static int decide_prepare(struct api_call *c, struct engine_item *it, struct api_item_work *w)
{
	struct decide_work *d = arena_alloc(&c->a->mem, sizeof(*d));
	const struct experiment *e;
	int rc;

	if (!d) {
		return err_set(&w->err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	memset(d, 0, sizeof(*d));
	w->bound = d;
	e = engine_lock(it);
	rc = select_from_json(w->in, e, asks_pmf(c), &c->a->mem, &d->in, &w->err);
	engine_unlock(it);
	if (rc == 0 && w->alone) {
		rc = api_alias_key(c, w->in, "id", &d->in.id, &w->err);
	}
	if (rc == 0 && d->in.id && decision_id_is_made(d->in.id)) {
		rc = err_set(&w->err, RC_INVALID, "reserved_id", "/id",
		    "ids that begin with d: are the engine's");
	}
	if (rc == 0 && d->in.id) {
		d->in.fingerprint = bind_fingerprint(w->in);
		rc = engine_seek_decision(c->a->o.engine, it, d->in.id, &d->known, &w->err);
	}
	return rc;
}

static int decide_perform(struct api_call *c, struct api_item_work *w, struct buf *out)
{
	struct engine_work *work = &c->a->work;
	struct decide_work *d = w->bound;
	struct event ev;
	int rc = engine_decide(work, &d->in, d->known, c->rq->now_us, &ev, &w->replayed, &w->err);

	if (rc) {
		return rc;
	}
	if (!w->replayed) {
		metrics_decision(api_policy_index(experiment_policy(work->e)), &ev.decision);
	}
	w->status = w->replayed ? 200 : 201;
	decision_write(work->e, &ev, out);
	return 0;
}

static void decide_finish(struct api_call *c, struct api_item_work *w)
{
	struct decide_work *d = w->bound;

	engine_release(c->a->o.engine, d ? d->known : NULL);
}

int api_decide(struct api_call *c)
{
	static const struct api_batch_ops ops = {decide_prepare, decide_perform, decide_finish};
	const char *include = http_request_arg(c->rq, "include");

	if (include && strcmp(include, "pmf") != 0) {
		return err_set(
		    &c->err, RC_INVALID, "bad_parameter", "include", "include takes the value pmf");
	}
	return api_batch(c, &ops);
}
