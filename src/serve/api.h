/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP API: a table of routes over the engine. Complete without HTTP: a test calls api_handle()
 * with a request it made itself. All calls from one thread. */
#ifndef SERVE_API_H
#define SERVE_API_H

#include "serve/engine.h"
#include "serve/guard.h"
#include "serve/http.h"

#define API_BATCH_MAX 1000             /* decisions or rewards in one request */
#define API_ARMS_MAX 10000             /* arms in one request */
#define API_BODY_MAX ((size_t)4 << 20) /* bytes of the largest body any route takes */
#define API_PAGE_MAX 1000
#define API_PAGE_DEFAULT 100

struct api;

struct api_options {
	const char *state; /* its directory; NULL: none that can be looked into */
	struct engine *engine;
	struct engine_recovery recovery;
	/* durability = interval: answers do not wait for the disk. */
	bool answer_at_once;
	const char *openapi; /* the document, static */
	size_t openapi_len;
	/* For gauges and for streams; may be NULL until the listener exists. */
	const struct http *http;
};

int api_new(const struct api_options *o, struct api **ret);
void api_free(struct api *a);
void api_set_http(struct api *a, const struct http *h);
struct guard *api_guard(struct api *a);
void api_set_draining(struct api *a); /* /readyz fails from here on */
/* The application for http_new(); its arg is a. */
void api_app(struct api *a, struct http_app *ret);
void api_handle(struct api *a, const struct http_request *rq, struct http_response *rs);

/* The table, for tests and for the metrics; path templates as in the OpenAPI document. */
struct api_route_info {
	const char *method, *path;
	unsigned scope; /* AUTH_...; 0: open */
	enum guard_object object;
	size_t body_max;
};
size_t api_routes(const struct api_route_info **ret);

#endif
