/* SPDX-License-Identifier: Apache-2.0 */
/* What `bandit top` sees of a daemon, and how it shows it: two looks at /metrics give rates and
 * latencies between them, /stats gives the experiments. Plain text, so that a terminal and a pipe
 * show the same. One thread. */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/client.h"

#define TOP_BOUNDS 24
#define TOP_EXPERIMENTS 100 /* shown, the first by creation; the rest is counted */

/* A histogram of seconds, cumulative as Prometheus has it. */
struct top_histogram {
	double le[TOP_BOUNDS], below[TOP_BOUNDS];
	size_t n;
};

/* One look at the counters. */
struct top_scrape {
	uint64_t mono_us;
	char version[32];
	double decisions, rewards, requests, failed, cpu;
	double running, paused, archived, open, queue, connections;
	double db, wal, disk_free, resident, store_failed;
	struct top_histogram answer, commit;
};

/* Reads the text exposition; samples it does not know are passed over. */
void top_scrape_read(const char *text, struct top_scrape *ret);
/* The q-quantile, in seconds, of what came between two looks, interpolated within its bucket; NAN
 * when nothing came. */
double top_quantile(const struct top_histogram *a, const struct top_histogram *b, double q);

struct top {
	struct top_scrape before, now;
	json_t *stats[TOP_EXPERIMENTS]; /* of the experiments, owned */
	const char *policy[TOP_EXPERIMENTS], *state[TOP_EXPERIMENTS];
	double rate[TOP_EXPERIMENTS]; /* decisions a second */
	size_t n, chosen;
	json_t *list; /* owned */
	char url[80];
};

/* Looks again: counters, experiments and their statistics. Errors as of client_call. */
int top_look(struct top *t, struct client *c, struct errinfo *err);
void top_release(struct top *t);
/* The whole frame, lines of at most `width` bytes each with a newline, at most `height` of them. */
void top_frame(const struct top *t, size_t width, size_t height, struct buf *out);

#endif
