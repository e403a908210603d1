/* SPDX-License-Identifier: Apache-2.0 */
/* Arms: added, listed, paused, resumed, retired. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json/spec_json.h"
#include "json/stats_json.h"
#include "serve/api_impl.h"
#include "serve/engine_stream.h"

static int find_arm(struct api_call *c, const struct experiment *e, uint32_t *ret)
{
	*ret = arms_find(experiment_arms(e), c->param[1]);
	if (*ret == ARM_NONE) {
		return err_set(
		    &c->err, RC_NOT_FOUND, "arm_not_found", "", "no arm %s", c->param[1]);
	}
	return 0;
}

int api_arm_add(struct api_call *c)
{
	struct engine_work *w = &c->a->work;
	struct engine_item *it;
	struct spec_arm *arms;
	struct between *between = NULL;
	struct arms_copy added = {.n = 0};
	json_t *body = NULL, *items;
	bool copied = false;
	uint32_t from;
	size_t n;
	int rc = api_item(c, &it);

	rc = rc ? rc : api_body(c, &body);
	if (rc == 0 && api_has_stream(it)) {
		rc = arms_from_json(body, "", API_ARMS_MAX, &c->a->mem, &arms, &n, &c->err);
		rc = rc ? rc : api_offer(c, it, arms, n);
		goto out;
	}
	rc = rc ? rc
		: new_arms_from_json(body, API_ARMS_MAX, &c->a->mem, &arms, &between, &n, &c->err);
	if (rc) {
		goto out;
	}
	engine_begin(w, it);
	from = experiment_arms(w->e)->n;
	rc = api_if_match(c, it, w->e);
	rc = rc ? rc : engine_add_arms(w, arms, between, n, c->rq->now_us, &c->err);
	rc = rc == RC_EXISTS ? 0 : rc;
	if (rc == 0) {
		copied = experiment_copy_arms(w->e, from, n, &c->a->mem, &added) == 0;
		api_etag(c, it, w->e);
	}
	api_wait(c, engine_commit(w));
	if (rc == 0) {
		items = copied ? arms_to_json(&added) : NULL;
		rc = items ? api_send(c, 201, json_pack("{so}", "items", items))
			   : api_out_of_memory(c);
	}
out:
	json_decref(body);
	return rc;
}

int api_arm_list(struct api_call *c)
{
	const struct experiment *e;
	struct engine_item *it;
	struct arms_copy some;
	uint64_t from;
	size_t limit;
	char cursor[24];
	json_t *items;
	bool more;
	int rc = api_item(c, &it);

	rc = rc ? rc : api_limit(c, &limit);
	rc = rc ? rc : api_cursor(c, &from);
	if (rc) {
		return rc;
	}
	e = engine_lock(it);
	from = from < ARMS_MAX ? from : ARMS_MAX;
	rc = experiment_copy_arms(e, (uint32_t)from, limit, &c->a->mem, &some);
	more = from + limit < experiment_arms(e)->n;
	engine_unlock(it);
	items = rc ? NULL : arms_to_json(&some);
	snprintf(cursor, sizeof(cursor), "c%" PRIu64, from + limit);
	return items ? api_send_page(c, items, more ? cursor : NULL) : api_out_of_memory(c);
}

static int set_state(struct api_call *c, enum arm_state to)
{
	struct engine_work *w = &c->a->work;
	struct engine_item *it;
	json_t *out = NULL;
	uint32_t slot;
	int rc = api_item(c, &it);

	if (rc) {
		return rc;
	}
	engine_begin(w, it);
	rc = find_arm(c, w->e, &slot);
	rc = rc ? rc : api_if_match(c, it, w->e);
	if (rc == 0) {
		rc = engine_set_arm(w, slot, to, c->rq->now_us, &c->err);
		rc = rc == RC_EXISTS ? 0 : rc;
	}
	if (rc == 0) {
		out = arm_to_json(w->e, slot);
		api_etag(c, it, w->e);
	}
	api_wait(c, engine_commit(w));
	return rc ? rc : out ? api_send(c, 200, out) : api_out_of_memory(c);
}

int api_arm_patch(struct api_call *c)
{
	enum arm_state to = ARM_ACTIVE;
	json_t *patch = NULL;
	int rc = api_body(c, &patch);

	rc = rc ? rc : arm_patch_json(patch, &to, &c->err);
	json_decref(patch);
	return rc ? rc : set_state(c, to);
}

/* An arm of a stream that waits has no slot yet; where ids are not remembered, maybe that of one of
 * the same name which has lost. */
int api_arm_delete(struct api_call *c)
{
	struct engine_item *it;
	const struct experiment *e;
	bool waits, listed;
	uint32_t slot;
	int rc = api_item(c, &it);

	if (rc) {
		return rc;
	}
	e = engine_lock(it);
	slot = arms_find(experiment_arms(e), c->param[1]);
	listed = slot != ARM_NONE;
	waits = experiment_has_stream(e) &&
		(!listed || (!experiment_stream_rules(e).remember && !experiment_holds(e, slot)));
	engine_unlock(it);
	rc = waits ? api_withdraw(c, it) : 0;
	return waits && !(listed && (rc == RC_NOT_FOUND || rc == RC_LIMIT))
		   ? rc
		   : set_state(c, ARM_RETIRED);
}
