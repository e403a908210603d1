/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and histograms of the process, in Prometheus' text form 0.0.4. Fixed tables, no ids as
 * labels, so memory is bounded. Counting is lock-free, from any thread. */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/event.h"
#include "serve/http.h"
#include "store/store.h"

/* policies and routes are numbered by their place in their tables. */
#define METRICS_POLICIES_MAX 32
#define METRICS_ROUTES_MAX 40

/* Before any counting: what the numbers stand for. Borrowed, static. */
void metrics_setup(const char *const *policies, const char *const *routes);

void metrics_request(const char *route, int status, uint64_t elapsed_us); /* from one thread */
void metrics_rejected(enum http_refusal why);
void metrics_decision(size_t policy, const struct event_decision *d); /* from one thread */
void metrics_reward(size_t policy, enum feedback_status status, uint64_t n);
void metrics_unknown_feedback(void);       /* of no known decision */
void metrics_void_feedback(void);          /* of a decision that was made void */
void metrics_handled(uint64_t elapsed_us); /* a request: parsed, decided, written */
void metrics_commit(const struct store_commit *c);

/* What is read at the moment of asking. */
struct metrics_gauges {
	unsigned connections;
	uint64_t experiments_running, experiments_paused, experiments_archived;
	uint64_t open_decisions, queue_events;
	int store_failed;
	uint64_t db_bytes, wal_bytes, disk_free_bytes, cache_bytes;
	double snapshot_age_seconds;
	uint64_t backup_at_s; /* Unix time of the last backup; 0: none is known */
	uint64_t recovery_events;
	double recovery_seconds;
};
void metrics_render(const struct metrics_gauges *g, struct buf *out);

#endif
