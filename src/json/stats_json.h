/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics as JSON. NULL when out of memory. */
#ifndef JSON_STATS_JSON_H
#define JSON_STATS_JSON_H

#include <jansson.h>

#include "core/experiment_copy.h"

/* One arm: state, totals, mean with its 95 % interval, what the policy shows of it. */
json_t *arm_to_json(const struct experiment *e, uint32_t slot);
/* A list of such. */
json_t *arms_to_json(const struct arms_copy *a);
/* The whole experiment; at most `buckets` points of history. */
json_t *stats_to_json(const struct stats_copy *s, size_t buckets);
/* Of a policy with a stream: its backlog, whose oldest arm came then (0: unknown), and its king. */
json_t *stream_to_json(const struct experiment *e, uint64_t oldest_us, uint64_t now_us);
/* The plan of a policy that makes one. */
json_t *plan_to_json(const struct plan_copy *p);

#endif
