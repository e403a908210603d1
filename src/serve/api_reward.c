/* SPDX-License-Identifier: Apache-2.0 */
/* POST .../rewards: what came of it. */
#include <string.h>

#include "json/bind.h"
#include "json/decision_json.h"
#include "serve/api_batch.h"

struct reward_work {
	struct reward_in in;
	const char *decision;
	struct cache_entry *about, *known;
};

static int reward_prepare(struct api_call *c, struct engine_item *it, struct api_item_work *w)
{
	struct engine *g = c->a->o.engine;
	struct reward_work *r = arena_alloc(&c->a->mem, sizeof(*r));
	int rc;

	if (!r) {
		return err_set(&w->err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	memset(r, 0, sizeof(*r));
	w->bound = r;
	rc = reward_from_json(w->in, &c->a->mem, &r->in, &r->decision, &w->err);
	if (rc == 0 && w->alone) {
		rc = api_alias_key(c, w->in, "key", &r->in.key, &w->err);
	}
	if (rc == 0) {
		rc = engine_seek_decision(g, it, r->decision, &r->about, &w->err);
	}
	if (rc == 0 && r->in.key) {
		r->in.fingerprint = bind_fingerprint(w->in);
		rc = engine_seek_reward(g, it, r->in.key, &r->known, &w->err);
	}
	return rc;
}

static int reward_perform(struct api_call *c, struct api_item_work *w, struct buf *out)
{
	struct engine_work *work = &c->a->work;
	struct reward_work *r = w->bound;
	enum feedback_status status;
	struct event ev;
	int rc = engine_reward(
	    work, &r->in, r->about, r->known, c->rq->now_us, &ev, &status, &w->replayed, &w->err);

	if (rc == RC_NOT_FOUND) {
		metrics_unknown_feedback();
	} else if (rc == RC_STATE) {
		metrics_void_feedback();
	}
	if (rc) {
		return rc;
	}
	metrics_reward(api_policy_index(experiment_policy(work->e)),
	    w->replayed ? FEEDBACK_DUPLICATE : status, 1);
	w->status = w->replayed ? 200 : 202;
	if (w->replayed && !w->alone) {
		status = FEEDBACK_DUPLICATE;
	}
	reward_write(work->e, r->decision, status, &ev.feedback, out);
	return 0;
}

static void reward_finish(struct api_call *c, struct api_item_work *w)
{
	struct reward_work *r = w->bound;

	if (r) {
		engine_release(c->a->o.engine, r->about);
		engine_release(c->a->o.engine, r->known);
	}
}

int api_reward(struct api_call *c)
{
	static const struct api_batch_ops ops = {reward_prepare, reward_perform, reward_finish};

	return api_batch(c, &ops);
}
