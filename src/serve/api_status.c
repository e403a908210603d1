/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen: statistics, the log, policies, health, metrics, documents. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "json/event_json.h"
#include "json/spec_json.h"
#include "json/stats_json.h"
#include "serve/api_impl.h"
#include "serve/engine_stream.h"

#define METRICS_BYTES_MAX (1u << 20)
#define PLAN_BYTES_MAX ((size_t)256 << 20) /* of a copy: ids and places of all arms */

int api_stats(struct api_call *c)
{
	const struct experiment *e;
	struct engine_item *it;
	struct stats_copy stats;
	json_t *out, *stream = NULL;
	uint64_t buckets;
	bool has_stream;
	int rc = api_item(c, &it);

	rc = rc ? rc : api_arg_u64(c, "buckets", 0, &buckets);
	if (rc == 0 && buckets > HISTORY_MAX) {
		rc = err_set(&c->err, RC_INVALID, "bad_parameter", "buckets",
		    "buckets must lie in 0..%d", HISTORY_MAX);
	}
	if (rc) {
		return rc;
	}
	e = engine_lock(it);
	rc = experiment_copy_stats(e, API_PAGE_MAX, &c->a->mem, &stats);
	has_stream = experiment_has_stream(e);
	if (has_stream) {
		stream = stream_to_json(e, engine_oldest_offer_us(it), c->rq->now_us);
	}
	engine_unlock(it);
	out = rc ? NULL : stats_to_json(&stats, (size_t)buckets);
	if (out && has_stream && json_object_set_nocheck(out, "stream", stream)) {
		json_decref(out);
		out = NULL;
	}
	json_decref(stream);
	return out ? api_send(c, 200, out) : api_out_of_memory(c);
}

int api_plan(struct api_call *c)
{
	const struct experiment *e;
	struct engine_item *it;
	struct plan_copy plan;
	struct arena mem;
	json_t *out;
	bool plans;
	int rc = api_item(c, &it);

	if (rc) {
		return rc;
	}
	arena_init(&mem, PLAN_BYTES_MAX);
	e = engine_lock(it);
	plans = experiment_policy(e)->plan_show;
	rc = plans ? experiment_copy_plan(e, &mem, &plan) : 0;
	engine_unlock(it);
	out = plans && rc == 0 ? plan_to_json(&plan) : NULL;
	arena_release(&mem);
	if (!plans) {
		return err_set(&c->err, RC_NOT_FOUND, "no_plan", "",
		    "the policy of this experiment makes no plan");
	}
	return out ? api_send(c, 200, out) : api_out_of_memory(c);
}

int api_policies(struct api_call *c)
{
	json_t *items = policies_to_json();

	return items ? api_send(c, 200, json_pack("{so}", "items", items)) : api_out_of_memory(c);
}

int api_healthz(struct api_call *c)
{
	return api_send(c, 200, json_pack("{ss}", "status", "ok"));
}

int api_readyz(struct api_call *c)
{
	const struct store *s = engine_store(c->a->o.engine);
	bool sound = !store_failed(s), room = !store_full(s), open = !c->a->draining;
	bool ready = sound && room && open;

	if (!ready) {
		http_response_header(c->rs, "Retry-After", "1");
	}
	return api_send(c, ready ? 200 : 503,
	    json_pack("{ss s{sb sb sb}}", "status", ready ? "ready" : "not ready", "checks",
		"store", sound, "disk", room, "serving", open));
}

/* bandit backup leaves a file whose time tells. */
static uint64_t last_backup(const char *state)
{
	char path[PATH_MAX];
	struct stat st;

	if (!state || snprintf(path, sizeof(path), "%s/last-backup", state) >= (int)sizeof(path) ||
	    stat(path, &st)) {
		return 0;
	}
	return (uint64_t)st.st_mtim.tv_sec;
}

int api_metrics(struct api_call *c)
{
	struct engine *g = c->a->o.engine;
	const struct store *s = engine_store(g);
	uint64_t stale_us = engine_oldest_snapshot_us(g);
	struct store_info info;
	struct metrics_gauges m;
	struct buf out;

	store_info(s, &info);
	m = (struct metrics_gauges){
	    .connections = c->a->o.http ? http_connections(c->a->o.http) : 0,
	    .experiments_running = engine_experiments(g, RUN_RUNNING),
	    .experiments_paused = engine_experiments(g, RUN_PAUSED),
	    .experiments_archived = engine_experiments(g, RUN_ARCHIVED),
	    .open_decisions = engine_open_decisions(g),
	    .queue_events = store_queued_events(s),
	    .store_failed = store_failed(s),
	    .db_bytes = info.db_bytes,
	    .wal_bytes = info.wal_bytes,
	    .disk_free_bytes = info.free_bytes,
	    .cache_bytes = engine_cache_bytes(g),
	    .snapshot_age_seconds = stale_us ? (double)(clock_mono_us() - stale_us) / 1e6 : 0,
	    .backup_at_s = last_backup(c->a->o.state),
	    .recovery_events = c->a->o.recovery.events,
	    .recovery_seconds = (double)c->a->o.recovery.elapsed_us / 1e6,
	};
	buf_init(&out, METRICS_BYTES_MAX);
	metrics_render(&m, &out);
	metrics_groups(g, &out);
	metrics_oldest(g, &out);
	c->rs->status = 200;
	c->rs->content_type = "text/plain; version=0.0.4; charset=utf-8";
	c->rs->body = (char *)buf_take(&out, &c->rs->body_len);
	return c->rs->body ? 0 : api_out_of_memory(c);
}

int api_openapi(struct api_call *c)
{
	c->rs->body = malloc(c->a->o.openapi_len);
	if (!c->rs->body) {
		return api_out_of_memory(c);
	}
	memcpy(c->rs->body, c->a->o.openapi, c->a->o.openapi_len);
	c->rs->body_len = c->a->o.openapi_len;
	c->rs->status = 200;
	c->rs->content_type = "application/json";
	return 0;
}

int api_problem(struct api_call *c)
{
	if (!problem_page(c->param[0], c->rs)) {
		return err_set(
		    &c->err, RC_NOT_FOUND, "unknown_route", "", "no problem has this code");
	}
	return c->rs->body ? 0 : api_out_of_memory(c);
}

/* ---- the log as JSON Lines ---- */

struct event_lines {
	struct http_stream base; /* first */
	struct engine *g;
	char name[ID_MAX + 1]; /* looked up anew each time: it may be purged meanwhile */
	uint64_t after, left;
	bool follow;
	struct arena mem;
	struct buf *out;
	struct engine_item *it;
	size_t lines;
};

#define STREAM_CHUNK 256

static int put_bytes(const char *p, size_t n, void *arg)
{
	buf_put(arg, p, n);
	return ((struct buf *)arg)->rc;
}

static int stream_event(void *arg, const struct event *ev)
{
	struct event_lines *s = arg;
	json_t *line = event_to_json(engine_lock(s->it), ev);
	int rc;

	/* Not a line longer: a stream's arms change hands in the engine's thread as well. */
	engine_unlock(s->it);
	rc = line ? json_dump_callback(line, put_bytes, s->out, API_DUMP) : RC_MEMORY;

	json_decref(line);
	if (rc) {
		return RC_MEMORY;
	}
	buf_put_u8(s->out, '\n');
	s->after = ev->seq;
	s->left--;
	s->lines++;
	return s->out->rc;
}

static int stream_next(struct http_stream *base, struct buf *out)
{
	struct event_lines *s = (struct event_lines *)base;
	size_t want = s->left < STREAM_CHUNK ? (size_t)s->left : STREAM_CHUNK;
	int rc;

	if (want == 0 || engine_find(s->g, s->name, &s->it, NULL)) {
		return 0;
	}
	s->out = out;
	s->lines = 0;
	rc = engine_read(s->g, s->it, s->after, want, &s->mem, stream_event, s, NULL);
	if (rc < 0) {
		return rc;
	}
	if (s->lines == 0) {
		return s->follow ? HTTP_STREAM_WAIT : 0;
	}
	return 1;
}

static void stream_free(struct http_stream *base)
{
	struct event_lines *s = (struct event_lines *)base;

	arena_release(&s->mem);
	free(s);
}

static int arg_bool(struct api_call *c, const char *name, const char *text, bool *ret)
{
	*ret = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
	if (!*ret && strcmp(text, "0") != 0 && strcmp(text, "false") != 0) {
		return err_set(
		    &c->err, RC_INVALID, "bad_parameter", name, "%s must be true or false", name);
	}
	return 0;
}

int api_events(struct api_call *c)
{
	const char *follow = http_request_arg(c->rq, "follow");
	struct event_lines *s;
	struct engine_item *it;
	uint64_t after, pruned, limit;
	bool follows = false;
	int rc = api_item(c, &it);

	if (rc == 0 && follow) {
		rc = arg_bool(c, "follow", follow, &follows);
	}
	rc = rc ? rc : api_arg_u64(c, "after", 0, &after);
	rc = rc ? rc : engine_log_begin(c->a->o.engine, it, &pruned);
	if (rc == 0 && after < pruned) {
		if (http_request_arg(c->rq, "after")) {
			return err_set(&c->err, RC_STATE, "events_pruned", "after",
			    "the log begins at seq %llu", (unsigned long long)pruned + 1);
		}
		after = pruned;
	}
	rc = rc ? rc : api_arg_u64(c, "limit", follows ? UINT64_MAX : API_PAGE_DEFAULT, &limit);
	if (rc) {
		return rc;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		return api_out_of_memory(c);
	}
	s->base = (struct http_stream){.next = stream_next, .free = stream_free};
	s->g = c->a->o.engine;
	memcpy(s->name, c->param[0], sizeof(s->name));
	s->after = after < STORE_SEQ_MAX ? after : STORE_SEQ_MAX;
	s->left = limit;
	s->follow = follows;
	arena_init(&s->mem, (size_t)64 << 20);
	c->rs->status = 200;
	c->rs->content_type = "application/x-ndjson";
	c->rs->stream = &s->base;
	return 0;
}
