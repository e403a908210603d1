/* SPDX-License-Identifier: Apache-2.0 */
/* The whole API over a store in memory, with an experiment of every shape of answer and reward. It
 * is made anew now and then, so that neither what was deleted nor what was logged stays. */
#ifndef TESTS_FUZZ_API_RIG_H
#define TESTS_FUZZ_API_RIG_H

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fuzz.h"
#include "policies/policies.h"
#include "serve/api.h"
#include "store/memory.h"

#define RIG_REQUESTS 2000
#define RIG_NOW_US 1000

struct api_rig {
	struct store_disk *disk;
	struct engine *engine;
	struct api *api;
	unsigned requests;
};

static inline void rig_quiet(
    void *arg, int rc, const char *what, const char *experiment, uint64_t seq)
{
	(void)arg, (void)rc, (void)what, (void)experiment, (void)seq;
}

static inline void rig_put(struct api_rig *r, const char *path, const char *body)
{
	struct http_request rq = {.method = "PUT",
	    .path = path,
	    .field[HTTP_CONTENT_TYPE] = "application/json",
	    .body = body,
	    .body_len = strlen(body),
	    .now_us = RIG_NOW_US,
	    .request_id = "rig"};
	struct http_response rs;

	memset(&rs, 0, sizeof(rs));
	api_handle(r->api, &rq, &rs);
	FUZZ_HOLDS(rs.status == 201);
	free(rs.body);
}

static inline void rig_experiments(struct api_rig *r)
{
	static const struct {
		const char *path, *body;
	} put[] = {
	    {"/v1/experiments/x",
		"{\"policy\":\"epsilon_greedy\",\"arms\":[\"a\",\"b\",\"c\"],\"seed\":1}"},
	    {"/v1/experiments/slate", "{\"policy\":\"thompson\",\"arms\":[\"a\",\"b\",\"c\",\"d\"],"
				      "\"slots\":2,\"seed\":1,"
				      "\"reward\":{\"window\":\"PT1H\",\"default\":0}}"},
	    {"/v1/experiments/label",
		"{\"policy\":{\"name\":\"groupwise\",\"params\":{\"kind\":\"regress\"}},"
		"\"arms\":[],\"context\":[\"one\",\"x\"],\"seed\":1}"},
	    {"/v1/experiments/experts",
		"{\"policy\":{\"name\":\"groupwise\",\"params\":{\"kind\":\"experts\"}},"
		"\"arms\":[\"a\",\"b\"],\"seed\":1}"},
	    {"/v1/experiments/plan",
		"{\"policy\":{\"name\":\"recovering\",\"params\":{\"d_max\":4}},"
		"\"arms\":[\"a\",\"b\",\"c\"],\"slots\":2,\"seed\":1}"},
	    {"/v1/experiments/stream",
		"{\"policy\":{\"name\":\"streaming\",\"params\":{\"test_pulls\":4}},"
		"\"arms\":[\"a\",\"b\"],\"seed\":1}"},
	    {"/v1/experiments/subject",
		"{\"policy\":{\"name\":\"tallying\",\"params\":{\"memory_bound\":2,\"mode\":"
		"\"isolated\"}},\"arms\":[\"a\",\"b\"],\"seed\":1}"},
	};

	for (size_t i = 0; i < sizeof(put) / sizeof(put[0]); i++) {
		rig_put(r, put[i].path, put[i].body);
	}
}

static inline void rig_open(struct api_rig *r)
{
	struct engine_options o = {.ops = &store_memory,
	    .cache_bytes = (size_t)1 << 20,
	    .queue_bytes = (size_t)16 << 20,
	    .experiments_max = 50,
	    .snapshot_events = UINT64_MAX,
	    .find = policy_find,
	    .report = rig_quiet};
	struct engine_recovery rec;
	struct errinfo err = {.rc = 0};

	FUZZ_HOLDS(hash_init() == 0);
	r->disk = store_disk_new();
	FUZZ_HOLDS(r->disk != NULL);
	o.where = store_disk_where(r->disk);
	FUZZ_HOLDS(engine_open(&o, &r->engine, &rec, &err) == 0);
	FUZZ_HOLDS(
	    api_new(&(struct api_options){.engine = r->engine, .openapi = ""}, &r->api) == 0);
	r->requests = 0;
	rig_experiments(r);
}

/* Before each input: the API to ask. */
static inline struct api *rig_api(struct api_rig *r)
{
	if (r->api && ++r->requests == RIG_REQUESTS) {
		api_free(r->api);
		engine_close(r->engine);
		store_disk_free(r->disk);
		r->api = NULL;
	}
	if (!r->api) {
		rig_open(r);
	}
	return r->api;
}

#endif
