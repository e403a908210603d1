/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch: from a request to its handler, and what all handlers share. */
#include "serve/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "json/bind.h"
#include "policies/policies.h"
#include "serve/api_impl.h"

#define MEM_MAX ((size_t)64 << 20)
#define SMALL_BODY ((size_t)64 << 10)

/* What a route takes as body, and gives. */
enum media { MEDIA_NONE, MEDIA_JSON, MEDIA_BATCH, MEDIA_PATCH };

struct route {
	struct api_route_info info;
	enum media takes;
	const char *gives; /* what Accept must not exclude */
	api_handler *handle;
};

#define JSON_TYPE "application/json"
#define NDJSON_TYPE "application/x-ndjson"
#define TEXT_TYPE "text/plain"

/* clang-format off */
/* The busy ones first. */
static const struct route routes[] = {
	{{"POST", "/v1/experiments/{e}/decisions", AUTH_DECIDE, GUARD_EXPERIMENT, API_BODY_MAX}, MEDIA_BATCH, JSON_TYPE, api_decide},
	{{"POST", "/v1/experiments/{e}/rewards", AUTH_REWARD, GUARD_EXPERIMENT, API_BODY_MAX}, MEDIA_BATCH, JSON_TYPE, api_reward},
	{{"PUT", "/v1/experiments/{e}", AUTH_ADMIN, GUARD_EXPERIMENT, API_BODY_MAX}, MEDIA_JSON, JSON_TYPE, api_experiment_put},
	{{"GET", "/v1/experiments", AUTH_READ, GUARD_SOME, 0}, MEDIA_NONE, JSON_TYPE, api_experiment_list},
	{{"GET", "/v1/experiments/{e}", AUTH_READ, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_experiment_get},
	{{"PATCH", "/v1/experiments/{e}", AUTH_ADMIN, GUARD_EXPERIMENT, SMALL_BODY}, MEDIA_PATCH, JSON_TYPE, api_experiment_patch},
	{{"DELETE", "/v1/experiments/{e}", AUTH_ADMIN, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_experiment_delete},
	{{"POST", "/v1/experiments/{e}/arms", AUTH_ADMIN, GUARD_EXPERIMENT, API_BODY_MAX}, MEDIA_JSON, JSON_TYPE, api_arm_add},
	{{"GET", "/v1/experiments/{e}/arms", AUTH_READ, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_arm_list},
	{{"PATCH", "/v1/experiments/{e}/arms/{a}", AUTH_ADMIN, GUARD_EXPERIMENT, SMALL_BODY}, MEDIA_PATCH, JSON_TYPE, api_arm_patch},
	{{"DELETE", "/v1/experiments/{e}/arms/{a}", AUTH_ADMIN, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_arm_delete},
	{{"DELETE", "/v1/experiments/{e}/groups/{g}", AUTH_ADMIN, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_group_delete},
	{{"POST", "/v1/experiments/{e}/stream", AUTH_ADMIN, GUARD_EXPERIMENT, SMALL_BODY}, MEDIA_JSON, JSON_TYPE, api_stream},
	{{"GET", "/v1/experiments/{e}/decisions/{d}", AUTH_READ, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_decision_get},
	{{"POST", "/v1/experiments/{e}/decisions/{d}/activate", AUTH_DECIDE, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_decision_activate},
	{{"POST", "/v1/experiments/{e}/decisions/{d}/void", AUTH_DECIDE, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_decision_void},
	{{"GET", "/v1/experiments/{e}/stats", AUTH_READ, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_stats},
	{{"GET", "/v1/experiments/{e}/plan", AUTH_READ, GUARD_EXPERIMENT, 0}, MEDIA_NONE, JSON_TYPE, api_plan},
	{{"GET", "/v1/experiments/{e}/events", AUTH_READ, GUARD_EXPERIMENT, 0}, MEDIA_NONE, NDJSON_TYPE, api_events},
	{{"GET", "/v1/policies", AUTH_READ, GUARD_NOTHING, 0}, MEDIA_NONE, JSON_TYPE, api_policies},
	{{"GET", "/healthz", 0, GUARD_NOTHING, 0}, MEDIA_NONE, JSON_TYPE, api_healthz},
	{{"GET", "/readyz", 0, GUARD_NOTHING, 0}, MEDIA_NONE, JSON_TYPE, api_readyz},
	{{"GET", "/metrics", AUTH_READ, GUARD_ALL, 0}, MEDIA_NONE, TEXT_TYPE, api_metrics},
	{{"GET", "/openapi.json", 0, GUARD_NOTHING, 0}, MEDIA_NONE, JSON_TYPE, api_openapi},
	{{"GET", "/problems/{code}", 0, GUARD_NOTHING, 0}, MEDIA_NONE, TEXT_TYPE, api_problem},
};
/* clang-format on */
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

size_t api_routes(const struct api_route_info **ret)
{
	static struct api_route_info all[ROUTES];

	for (size_t i = 0; i < ROUTES; i++) {
		all[i] = routes[i].info;
	}
	*ret = all;
	return ROUTES;
}

/* Does path fit the template? Fills in the parameters. */
static bool path_fits(const char *template, const char *path, char param[2][ID_MAX + 1])
{
	size_t n, k = 0;

	while (*template) {
		if (*template != '{') {
			if (*template ++ != *path++) {
				return false;
			}
			continue;
		}
		n = strcspn(path, "/");
		if (n == 0) {
			return false;
		}
		/* What is too long to be an id is none: nothing is called "". */
		memcpy(param[k], path, n <= ID_MAX ? n : 0);
		param[k++][n <= ID_MAX ? n : 0] = '\0';
		path += n;
		template += strcspn(template, "/");
	}
	return *path == '\0';
}

/* The route, or NULL with the methods that the path has ("" when there is no such path). */
static const struct route *route_find(
    const char *method, const char *path, char param[2][ID_MAX + 1], char allow[64])
{
	size_t n = 0;

	if (strcmp(method, "HEAD") == 0) {
		method = "GET";
	}
	allow[0] = '\0';
	for (size_t i = 0; i < ROUTES; i++) {
		if (!path_fits(routes[i].info.path, path, param)) {
			continue;
		}
		if (strcmp(routes[i].info.method, method) == 0) {
			return &routes[i];
		}
		n += (size_t)snprintf(allow + n, 64 - n, "%s%s%s", n ? ", " : "",
		    routes[i].info.method,
		    strcmp(routes[i].info.method, "GET") == 0 ? ", HEAD" : "");
	}
	return NULL;
}

/* "application/json; charset=utf-8" is application/json. */
static bool media_is(const char *value, const char *type)
{
	size_t n = strlen(type);

	return strncasecmp(value, type, n) == 0 && (value[n] == '\0' || strchr("; \t", value[n]));
}

static bool media_fits(enum media takes, const char *type)
{
	return media_is(type, JSON_TYPE) || (takes == MEDIA_BATCH && media_is(type, NDJSON_TYPE)) ||
	       (takes == MEDIA_PATCH && media_is(type, "application/merge-patch+json"));
}

/* How closely one element of an Accept header names the type: 3 itself, 2 its kind, 1 anything, 0
 * not at all. */
static int range_closeness(const char *range, size_t n, const char *type)
{
	size_t len = strcspn(range, ";, \t"), slash = strcspn(type, "/");

	len = len < n ? len : n;
	if (len == 3 && strncmp(range, "*/*", 3) == 0) {
		return 1;
	}
	if (len == slash + 2 && strncasecmp(range, type, slash + 1) == 0 &&
	    range[slash + 1] == '*') {
		return 2;
	}
	return len == strlen(type) && strncasecmp(range, type, len) == 0 ? 3 : 0;
}

/* q=0, q=0.0 ... */
static bool range_is_zero(const char *range, size_t n)
{
	const char *q = memchr(range, ';', n), *end = range + n;

	for (; q && q < end; q = memchr(q + 1, ';', (size_t)(end - q - 1))) {
		const char *p = q + 1 + strspn(q + 1, " \t");

		if ((*p == 'q' || *p == 'Q') && p[1] == '=' && p[2] == '0') {
			p += 3 + strspn(p + 3, ".0");
			return p >= end || strchr(" \t;,", *p);
		}
	}
	return false;
}

/* The closest element decides. */
static bool accepts(const char *accept, const char *type)
{
	int closest = 0;
	bool taken = false;

	if (!accept || !accept[strspn(accept, ", \t")]) {
		return true;
	}
	while (*accept) {
		size_t n;
		int closeness;

		accept += strspn(accept, ", \t");
		n = strcspn(accept, ",");
		closeness = range_closeness(accept, n, type);
		if (closeness > closest) {
			closest = closeness;
			taken = !range_is_zero(accept, n);
		}
		accept += n;
	}
	return taken;
}

static int check_media(struct api_call *c, const struct route *r)
{
	const char *type = c->rq->field[HTTP_CONTENT_TYPE];
	const char *accept = c->rq->field[HTTP_ACCEPT];

	if (c->rq->field[HTTP_CONTENT_ENCODING] &&
	    strcasecmp(c->rq->field[HTTP_CONTENT_ENCODING], "identity") != 0) {
		return err_set(&c->err, RC_INVALID, "unsupported_media_type", "",
		    "compressed bodies are not taken");
	}
	if (r->takes != MEDIA_NONE && (!type || !media_fits(r->takes, type))) {
		return err_set(&c->err, RC_INVALID, "unsupported_media_type", "",
		    "Content-Type must be application/json%s",
		    r->takes == MEDIA_BATCH   ? " or application/x-ndjson"
		    : r->takes == MEDIA_PATCH ? " or application/merge-patch+json"
					      : "");
	}
	if (!accepts(accept, r->gives) &&
	    !(r->takes == MEDIA_BATCH && accepts(accept, NDJSON_TYPE))) {
		return err_set(
		    &c->err, RC_INVALID, "not_acceptable", "", "this route answers %s", r->gives);
	}
	return 0;
}

static void common_headers(struct http_response *rs)
{
	http_response_header(rs, "Cache-Control", "no-store");
}

static struct guard_ask ask_of(const struct route *r, char param[2][ID_MAX + 1])
{
	return (struct guard_ask){
	    .scope = r->info.scope, .object = r->info.object, .experiment = param[0]};
}

/* Who asked for a change, and what became of it: whatever else is written or left out. Only of
 * those who are known and within their rate, for no limit holds these lines back. */
static void audit(const struct api_call *c, const struct route *r)
{
	bool has_second = c->param[1][0] != '\0';

	log_audit("audit", "token", c->token ? c->token->name : "", "request_id", c->rq->request_id,
	    "method", c->rq->method, "route", r->info.path, "experiment", c->param[0], "status",
	    log_int((unsigned)c->rs->status), has_second ? "arm" : NULL, c->param[1], NULL);
}

void api_handle(struct api *a, const struct http_request *rq, struct http_response *rs)
{
	struct api_call c = {.a = a, .rq = rq, .rs = rs};
	char allow[64];
	const struct route *r = route_find(rq->method, rq->path, c.param, allow);
	uint64_t start_us = clock_mono_us();
	bool known = false;
	int rc;

	common_headers(rs);
	guard_origin(a->guard, rq, rs);
	rs->route = r ? r->info.path : "";
	if (!r && allow[0] && guard_preflight(a->guard, rq, allow, rs)) {
		rc = 0;
	} else if (!r && allow[0]) {
		rc = err_set(
		    &c.err, RC_INVALID, "method_not_allowed", "", "%s takes %s", rq->path, allow);
		http_response_header(rs, "Allow", "%s", allow);
	} else if (!r) {
		rc = err_set(&c.err, RC_NOT_FOUND, "unknown_route", "", "no route has this path");
	} else {
		const struct guard_ask ask = ask_of(r, c.param);

		rc = guard_check(a->guard, rq, &ask, rs, &c.token, &c.err);
		known = rc == 0 || (c.token && rc != RC_BUSY);
		rc = rc ? rc : check_media(&c, r);
		rc = rc ? rc : r->handle(&c);
	}
	if (rc) {
		if (!c.err.rc) {
			err_set(&c.err, rc, rc == RC_MEMORY ? "out_of_memory" : "internal", "",
			    "%s", err_name(rc));
		}
		free(rs->body);
		rs->body = NULL;
		problem_reply(&c.err, rq->request_id, rs);
	}
	if (known && r->info.scope == AUTH_ADMIN && !c.is_traffic) {
		audit(&c, r);
	}
	arena_reset(&a->mem);
	metrics_handled(clock_mono_us() - start_us);
}

/* ---- what http asks ---- */

static size_t app_body_limit(void *arg, struct http_request *rq)
{
	struct api *a = arg;
	char param[2][ID_MAX + 1], allow[64];
	const struct route *r = route_find(rq->method, rq->path, param, allow);
	struct guard_ask ask;

	if (!r || r->info.body_max == 0) {
		return 0;
	}
	ask = ask_of(r, param);
	return guard_may(a->guard, rq, &ask) ? r->info.body_max : 0;
}

static void app_handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
	api_handle(arg, rq, rs);
}

static void app_refuse(void *arg, const struct http_request *rq, enum http_refusal why,
    const char *detail, struct http_response *rs)
{
	static const char *const codes[HTTP_REFUSALS] = {
	    [HTTP_REFUSED_FRAMING] = "bad_framing",
	    [HTTP_REFUSED_TOO_LARGE] = "body_too_large",
	    [HTTP_REFUSED_METHOD] = "unknown_method",
	    [HTTP_REFUSED_STORE] = "storage_failed",
	    [HTTP_REFUSED_DRAINING] = "draining",
	    [HTTP_REFUSED_MEMORY] = "out_of_memory",
	    [HTTP_REFUSED_TIMEOUT] = "draining",
	    [HTTP_REFUSED_LIMIT] = "overloaded",
	};
	struct errinfo err = {.rc = 0};

	(void)arg;
	err_set(&err, RC_INVALID, codes[why], "", "%s", detail ? detail : "");
	common_headers(rs);
	problem_reply(&err, rq->request_id, rs);
}

static void app_done(
    void *arg, const struct http_request *rq, const char *route, int status, uint64_t elapsed_us)
{
	(void)arg;
	metrics_request(route, status, elapsed_us);
	api_log_request(rq, route, status, elapsed_us);
}

static void app_refused(void *arg, enum http_refusal why)
{
	(void)arg;
	metrics_rejected(why);
}

static uint64_t app_durable(void *arg)
{
	struct api *a = arg;

	return store_durable(engine_store(a->o.engine));
}

static bool app_failed(void *arg)
{
	struct api *a = arg;

	return store_failed(engine_store(a->o.engine));
}

/* What one round brings shares a commit. */
static void app_round(void *arg, bool begins)
{
	struct api *a = arg;

	if (begins) {
		store_cork(engine_store(a->o.engine));
	} else {
		store_uncork(engine_store(a->o.engine));
	}
}

void api_app(struct api *a, struct http_app *ret)
{
	*ret = (struct http_app){.arg = a,
	    .body_limit = app_body_limit,
	    .handle = app_handle,
	    .refuse = app_refuse,
	    .done = app_done,
	    .refused = app_refused,
	    .durable = app_durable,
	    .failed = app_failed,
	    .round = app_round};
}

/* ---- birth and death ---- */

static void setup_metrics(void)
{
	static const char *policies[METRICS_POLICIES_MAX], *paths[METRICS_ROUTES_MAX];
	size_t n = 0;

	for (size_t i = 0; policy_table[i] && i < METRICS_POLICIES_MAX - 1; i++) {
		policies[i] = policy_table[i]->name;
	}
	for (size_t i = 0; i < ROUTES; i++) { /* a path stands once, whatever its methods */
		size_t k = 0;

		while (k < n && strcmp(paths[k], routes[i].info.path) != 0) {
			k++;
		}
		if (k == n) {
			paths[n++] = routes[i].info.path;
		}
	}
	metrics_setup(policies, paths);
}

int api_new(const struct api_options *o, struct api **ret)
{
	struct api *a = calloc(1, sizeof(*a));

	if (!a) {
		return RC_MEMORY;
	}
	if (guard_new(&a->guard)) {
		free(a);
		return RC_MEMORY;
	}
	a->o = *o;
	engine_work_init(&a->work, o->engine);
	arena_init(&a->mem, MEM_MAX);
	setup_metrics();
	*ret = a;
	return 0;
}

void api_free(struct api *a)
{
	if (!a) {
		return;
	}
	engine_work_release(&a->work);
	arena_release(&a->mem);
	guard_free(a->guard);
	free(a);
}

void api_set_http(struct api *a, const struct http *h)
{
	a->o.http = h;
}

struct guard *api_guard(struct api *a)
{
	return a->guard;
}

void api_set_draining(struct api *a)
{
	a->draining = true;
}
