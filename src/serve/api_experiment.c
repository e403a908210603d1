/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments: created, listed, read, changed, archived, erased. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "json/spec_json.h"
#include "policies/policies.h"
#include "serve/api_impl.h"

#define SEED_BITS 53 /* what every JSON reader can hold */

/* The experiment as it is, with its ETag. */
static int send_experiment(struct api_call *c, int status, struct engine_item *it)
{
	const struct experiment *e = engine_lock(it);
	json_t *out = experiment_to_json(e);

	api_etag(c, it, e);
	engine_unlock(it);
	return out ? api_send(c, status, out) : api_out_of_memory(c);
}

int api_experiment_put(struct api_call *c)
{
	struct experiment_spec spec;
	struct engine_item *it;
	json_t *body = NULL;
	uint64_t ticket;
	bool has_seed;
	int rc = api_body(c, &body);

	if (rc == 0) {
		rc = spec_from_json(body, c->param[0], &c->a->mem, &spec, &has_seed, &c->err);
	}
	if (rc) {
		goto out;
	}
	if (!has_seed) {
		hash_random(&spec.seed, sizeof(spec.seed));
		spec.seed &= (UINT64_C(1) << SEED_BITS) - 1;
	}
	rc = engine_create(c->a->o.engine, &spec, c->rq->now_us, &it, &ticket, &c->err);
	if (rc == 0 || rc == RC_EXISTS) {
		api_wait(c, ticket);
		rc = send_experiment(c, rc ? 200 : 201, it);
	}
out:
	json_decref(body);
	return rc;
}

int api_experiment_get(struct api_call *c)
{
	struct engine_item *it;
	const struct experiment *e;
	bool unchanged;
	int rc = api_item(c, &it);

	if (rc) {
		return rc;
	}
	e = engine_lock(it);
	unchanged = api_none_match(c, it, e);
	if (unchanged) {
		api_etag(c, it, e);
	}
	engine_unlock(it);
	if (unchanged) {
		c->rs->status = 304;
		return 0;
	}
	return send_experiment(c, 200, it);
}

int api_experiment_list(struct api_call *c)
{
	struct engine *g = c->a->o.engine;
	struct engine_item *it = NULL;
	uint64_t after;
	size_t limit;
	char cursor[24];
	json_t *items;
	int rc = api_limit(c, &limit);

	rc = rc ? rc : api_cursor(c, &after);
	if (rc) {
		return rc;
	}
	items = json_array();
	if (after < UINT32_MAX) {
		it = engine_next(g, (uint32_t)after);
	}
	for (; it && json_array_size(items) < limit; it = engine_next(g, engine_number(it))) {
		const struct experiment *e = engine_lock(it);
		bool seen = !c->token || auth_sees(c->token, experiment_name(e));
		json_t *one = seen ? experiment_to_json(e) : NULL;

		engine_unlock(it);
		if (seen && json_array_append_new(items, one)) {
			json_decref(items);
			return api_out_of_memory(c);
		}
		after = engine_number(it);
	}
	snprintf(cursor, sizeof(cursor), "c%" PRIu64, after);
	return api_send_page(c, items, it ? cursor : NULL);
}

/* Settings as a PATCH or DELETE wants them, as one event. */
static int change(struct api_call *c, struct engine_item *it, const json_t *patch, bool archive)
{
	struct engine_work *w = &c->a->work;
	struct settings s;
	int rc;

	engine_begin(w, it);
	s = *experiment_settings(w->e);
	rc = api_if_match(c, it, w->e);
	if (rc == 0 && patch) {
		rc = settings_patch_json(patch, &c->a->mem, &s, &c->err);
	}
	if (archive) {
		s.state = RUN_ARCHIVED;
	}
	if (rc == 0) {
		rc = engine_change(w, &s, c->rq->now_us, &c->err);
		rc = rc == RC_EXISTS ? 0 : rc;
	}
	api_wait(c, engine_commit(w));
	return rc;
}

int api_experiment_patch(struct api_call *c)
{
	struct engine_item *it;
	json_t *patch = NULL;
	int rc = api_item(c, &it);

	rc = rc ? rc : api_body(c, &patch);
	rc = rc ? rc : change(c, it, patch, false);
	json_decref(patch);
	return rc ? rc : send_experiment(c, 200, it);
}

static int purge(struct api_call *c, struct engine_item *it)
{
	uint64_t ticket;
	int rc = api_if_match(c, it, engine_lock(it));

	engine_unlock(it);
	rc = rc ? rc : engine_purge(c->a->o.engine, it, &ticket, &c->err);
	if (rc == 0) {
		api_wait(c, ticket);
		c->rs->status = 204;
	}
	return rc;
}

int api_experiment_delete(struct api_call *c)
{
	const char *arg = http_request_arg(c->rq, "purge");
	struct engine_item *it;
	int rc = api_item(c, &it);

	if (rc == 0 && arg && strcmp(arg, "true") != 0 && strcmp(arg, "false") != 0) {
		rc = err_set(
		    &c->err, RC_INVALID, "bad_parameter", "purge", "purge must be true or false");
	}
	if (rc) {
		return rc;
	}
	if (arg && strcmp(arg, "true") == 0) {
		return purge(c, it);
	}
	rc = change(c, it, NULL, true);
	return rc ? rc : send_experiment(c, 200, it);
}
