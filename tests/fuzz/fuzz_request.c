/* SPDX-License-Identifier: Apache-2.0 */
/* Requests through the whole API over a store in memory. The first byte chooses the route, the rest
 * is the body; whatever it is, there is an answer with a status, and the daemon's state is sound.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fuzz.h"
#include "policies/policies.h"
#include "serve/api.h"
#include "store/memory.h"

static struct api *api;

static void quiet(void *arg, int rc, const char *what, const char *experiment, uint64_t seq)
{
	(void)arg, (void)rc, (void)what, (void)experiment, (void)seq;
}

static void ask(const char *method, const char *path, const char *type, const char *body, size_t n)
{
	struct http_request rq = {.method = method,
	    .path = path,
	    .body = body,
	    .body_len = n,
	    .now_us = 1000,
	    .request_id = "fuzz"};
	struct http_response rs;

	memset(&rs, 0, sizeof(rs));
	rq.field[HTTP_CONTENT_TYPE] = type;
	api_handle(api, &rq, &rs);
	FUZZ_HOLDS(rs.status >= 200 && rs.status < 600 && rs.status != 500);
	free(rs.body);
	if (rs.stream) {
		rs.stream->free(rs.stream);
	}
}

static void start(void)
{
	static const char body[] =
	    "{\"policy\":\"epsilon_greedy\",\"arms\":[\"a\",\"b\",\"c\"],\"seed\":1}";
	struct engine_options o = {.ops = &store_memory,
	    .cache_bytes = (size_t)1 << 20,
	    .queue_bytes = (size_t)16 << 20,
	    .experiments_max = 50,
	    .snapshot_events = UINT64_MAX,
	    .find = policy_find,
	    .report = quiet};
	struct engine_recovery rec;
	struct errinfo err = {.rc = 0};
	struct engine *g;

	hash_init();
	o.where = store_disk_where(store_disk_new());
	FUZZ_HOLDS(engine_open(&o, &g, &rec, &err) == 0);
	FUZZ_HOLDS(api_new(&(struct api_options){.engine = g, .openapi = ""}, &api) == 0);
	ask("PUT", "/v1/experiments/x", "application/json", body, sizeof(body) - 1);
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
	};
	char *body;
	size_t r;

	if (size == 0) {
		return 0;
	}
	if (!api) {
		start();
	}
	r = data[0] % (sizeof(routes) / sizeof(routes[0]));
	body = malloc(size);
	memcpy(body, data + 1, size - 1);
	body[size - 1] = '\0';
	ask(routes[r].method, routes[r].path, routes[r].type, body, size - 1);
	free(body);
	return 0;
}
