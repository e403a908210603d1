/* SPDX-License-Identifier: Apache-2.0 */
/* Requests through the whole API over a store in memory. The first byte chooses the route, the rest
 * is the body; whatever it is, there is an answer with a status, and the daemon's state is sound.
 */
#include <stdlib.h>
#include <string.h>

#include "api_rig.h"

static struct api_rig rig;

static void ask(const char *method, const char *path, const char *type, const char *body, size_t n)
{
	struct http_request rq = {.method = method,
	    .path = path,
	    .body = body,
	    .body_len = n,
	    .now_us = RIG_NOW_US,
	    .request_id = "fuzz"};
	struct http_response rs;

	memset(&rs, 0, sizeof(rs));
	rq.field[HTTP_CONTENT_TYPE] = type;
	api_handle(rig_api(&rig), &rq, &rs);
	FUZZ_HOLDS(rs.status >= 200 && rs.status < 600 && rs.status != 500);
	free(rs.body);
	if (rs.stream) {
		rs.stream->free(rs.stream);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const char *method, *path, *type;
	} routes[] = {
	    {"POST", "/v1/experiments/x/decisions", "application/json"},
	    {"POST", "/v1/experiments/x/decisions", "application/x-ndjson"},
	    {"POST", "/v1/experiments/x/rewards", "application/json"},
	    {"POST", "/v1/experiments/x/rewards", "application/x-ndjson"},
	    {"PUT", "/v1/experiments/y", "application/json"},
	    {"POST", "/v1/experiments/x/arms", "application/json"},
	    {"PATCH", "/v1/experiments/x/arms/a", "application/json"},
	    {"PATCH", "/v1/experiments/x", "application/merge-patch+json"},
	    {"POST", "/v1/experiments/slate/decisions", "application/json"},
	    {"POST", "/v1/experiments/slate/rewards", "application/json"},
	    {"POST", "/v1/experiments/label/decisions", "application/json"},
	    {"POST", "/v1/experiments/label/rewards", "application/json"},
	    {"POST", "/v1/experiments/experts/decisions", "application/json"},
	    {"POST", "/v1/experiments/experts/rewards", "application/json"},
	    {"POST", "/v1/experiments/plan/decisions", "application/json"},
	    {"POST", "/v1/experiments/plan/rewards", "application/json"},
	    {"PATCH", "/v1/experiments/plan", "application/merge-patch+json"},
	    {"POST", "/v1/experiments/stream/decisions", "application/json"},
	    {"POST", "/v1/experiments/stream/rewards", "application/json"},
	    {"POST", "/v1/experiments/stream/arms", "application/json"},
	    {"POST", "/v1/experiments/stream/stream", "application/json"},
	    {"POST", "/v1/experiments/subject/decisions", "application/json"},
	    {"POST", "/v1/experiments/subject/rewards", "application/json"},
	};
	char *body;
	size_t r;

	if (size == 0) {
		return 0;
	}
	r = data[0] % (sizeof(routes) / sizeof(routes[0]));
	body = malloc(size);
	memcpy(body, data + 1, size - 1);
	body[size - 1] = '\0';
	ask(routes[r].method, routes[r].path, routes[r].type, body, size - 1);
	free(body);
	return 0;
}
