/* SPDX-License-Identifier: Apache-2.0 */
/* What the files api_*.c share: the call in hand, and how it is answered. */
#ifndef SERVE_API_IMPL_H
#define SERVE_API_IMPL_H

#include <jansson.h>

#include "serve/api.h"
#include "serve/metrics.h"
#include "serve/problem.h"

#define API_DUMP (JSON_COMPACT | JSON_REAL_PRECISION(17))

struct api {
	struct api_options o;
	struct guard *guard;
	bool draining;
	struct engine_work work;
	struct arena mem; /* of the request in hand: bound texts and lists */
};

struct api_call {
	struct api *a;
	const struct http_request *rq;
	struct http_response *rs;
	char param[2][ID_MAX + 1];      /* {e}, then {a} or {d} or {code} */
	const struct auth_token *token; /* NULL: none is asked for */
	struct errinfo err;
	bool is_traffic; /* the handler's word: no change that the audit is for */
};

/* 0: answered. Negative: c->err holds the problem. */
typedef int api_handler(struct api_call *c);

api_handler api_decide, api_reward;
api_handler api_decision_get, api_decision_activate, api_decision_void;
api_handler api_experiment_put, api_experiment_list, api_experiment_get, api_experiment_patch,
    api_experiment_delete;
api_handler api_arm_add, api_arm_list, api_arm_patch, api_arm_delete;
api_handler api_group_delete;
api_handler api_stats, api_plan, api_events, api_policies;
api_handler api_stream;
bool api_has_stream(struct engine_item *it);
/* POST .../arms of a policy with a stream. */
int api_offer(struct api_call *c, struct engine_item *it, const struct spec_arm *arms, size_t n);
/* DELETE of an arm that is not held. */
int api_withdraw(struct api_call *c, struct engine_item *it);
/* Appends the groups of all experiments. */
void metrics_groups(struct engine *g, struct buf *out);
void metrics_oldest(struct engine *g, struct buf *out);

api_handler api_healthz, api_readyz, api_metrics, api_openapi, api_problem;

/* Answers with this document, which is given up. RC_MEMORY. */
int api_send(struct api_call *c, int status, json_t *body);
/* The answer waits for this ticket (unless the daemon answers at once). */
void api_wait(struct api_call *c, uint64_t ticket);
/* The experiment in the path. */
int api_item(struct api_call *c, struct engine_item **ret);
/* The body as JSON; an empty one is "invalid_json". */
int api_body(struct api_call *c, json_t **ret);
/* ?limit=, 1 to API_PAGE_MAX. */
int api_limit(struct api_call *c, size_t *ret);
/* A whole number as query parameter; dflt when absent. */
int api_arg_u64(struct api_call *c, const char *name, uint64_t dflt, uint64_t *ret);
/* Idempotency-Key is an alias for the member `field` of the body, which is put in; both and unlike
 * is refused. */
int api_alias_key(
    struct api_call *c, json_t *body, const char *field, const char **member, struct errinfo *err);
int api_out_of_memory(struct api_call *c);
size_t api_policy_index(const struct policy_ops *ops);
/* A page: {"items":..., "next":...} with its Link. items is given up; cursor NULL at the end. */
int api_send_page(struct api_call *c, json_t *items, const char *cursor);
/* {cursor}: a number that the last page gave out; 0 without one. */
int api_cursor(struct api_call *c, uint64_t *ret);
/* ETag of the experiment as it is now; the caller holds its lock. */
void api_etag(struct api_call *c, struct engine_item *it, const struct experiment *e);
/* If-Match against the same: RC_CONFLICT "precondition_failed"; If-None-Match: true for a 304. */
int api_if_match(struct api_call *c, struct engine_item *it, const struct experiment *e);
bool api_none_match(struct api_call *c, struct engine_item *it, const struct experiment *e);

/* api_log.c: a line for a request that failed, and for any other at level debug: its ids, route,
 * status and time; never what it said. */
void api_log_request(
    const struct http_request *rq, const char *route, int status, uint64_t elapsed_us);
/* The trace id of a W3C traceparent; false when that is not as the recommendation has it. */
#define TRACE_ID_MAX 32
bool api_trace_id(const char *traceparent, char ret[TRACE_ID_MAX + 1]);

#endif
