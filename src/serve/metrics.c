/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/metrics_impl.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "autoconf.h"
#include "base/clock.h"
#include "base/log.h"

#define BOUNDS 16
#define CODES 24 /* different status codes of one route */

/* Seconds, in steps of 1, 2.5 and 5. */
static const double bounds[BOUNDS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
static const double event_bounds[BOUNDS] = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

struct histogram {
	atomic_ullong bucket[BOUNDS + 1];
	atomic_ullong count, sum; /* sum in microseconds, or in events */
};

struct route_counts {
	struct histogram duration;
	atomic_int code[CODES];
	atomic_ullong count[CODES];
};

static struct {
	const char *const *policies, *const *routes;
	struct route_counts route[METRICS_ROUTES_MAX];
	atomic_ullong rejected[HTTP_REFUSALS];
	atomic_ullong decisions[METRICS_POLICIES_MAX];
	atomic_ullong rewards[METRICS_POLICIES_MAX][FEEDBACK_STATUSES];
	struct draws draws[METRICS_POLICIES_MAX]; /* of the loop thread */
	atomic_ullong unknown_feedback, void_feedback;
	struct histogram handler, queue, commit, commit_events;
} m;

static const char *const refusal_names[HTTP_REFUSALS] = {
    [HTTP_REFUSED_FRAMING] = "framing",
    [HTTP_REFUSED_TOO_LARGE] = "too_large",
    [HTTP_REFUSED_METHOD] = "method",
    [HTTP_REFUSED_STORE] = "store",
    [HTTP_REFUSED_DRAINING] = "draining",
    [HTTP_REFUSED_MEMORY] = "memory",
    [HTTP_REFUSED_TIMEOUT] = "timeout",
    [HTTP_REFUSED_LIMIT] = "limit",
};

static void add(atomic_ullong *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static unsigned long long get(const atomic_ullong *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void metrics_setup(const char *const *policies, const char *const *routes)
{
	m.policies = policies;
	m.routes = routes;
}

static void observe(struct histogram *h, const double *limits, double value, uint64_t sum)
{
	size_t i = 0;

	while (i < BOUNDS && value > limits[i]) {
		i++;
	}
	add(&h->bucket[i], 1);
	add(&h->count, 1);
	add(&h->sum, sum);
}

static void observe_us(struct histogram *h, uint64_t us)
{
	observe(h, bounds, (double)us / 1e6, us);
}

static size_t route_index(const char *route)
{
	for (size_t i = 0; i < METRICS_ROUTES_MAX - 1 && m.routes[i]; i++) {
		if (m.routes[i] == route || strcmp(m.routes[i], route) == 0) {
			return i;
		}
	}
	return METRICS_ROUTES_MAX - 1; /* none matched */
}

void metrics_request(const char *route, int status, uint64_t elapsed_us)
{
	struct route_counts *r = &m.route[route_index(route)];

	observe_us(&r->duration, elapsed_us);
	for (size_t i = 0; i < CODES; i++) {
		int code = atomic_load_explicit(&r->code[i], memory_order_relaxed);

		if (code == 0) {
			atomic_store_explicit(&r->code[i], status, memory_order_relaxed);
		}
		if (code == 0 || code == status) {
			add(&r->count[i], 1);
			return;
		}
	}
}

void metrics_rejected(enum http_refusal why)
{
	add(&m.rejected[why], 1);
}

void metrics_decision(size_t policy, const struct event_decision *d)
{
	add(&m.decisions[policy], 1);
	draws_add(&m.draws[policy], d);
}

void metrics_reward(size_t policy, enum feedback_status status, uint64_t n)
{
	add(&m.rewards[policy][status], n);
}

void metrics_unknown_feedback(void)
{
	add(&m.unknown_feedback, 1);
}

void metrics_void_feedback(void)
{
	add(&m.void_feedback, 1);
}

void metrics_handled(uint64_t elapsed_us)
{
	observe_us(&m.handler, elapsed_us);
}

void metrics_commit(const struct store_commit *c)
{
	observe_us(&m.queue, c->waited_us);
	observe_us(&m.commit, c->elapsed_us);
	observe(&m.commit_events, event_bounds, (double)c->events, c->events);
}

void metrics_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *name, const char *help, double v)
{
	metrics_head(out, name, "gauge", help);
	buf_printf(out, "%s %.17g\n", name, v);
}

static void counter(struct buf *out, const char *name, const char *help, double v)
{
	metrics_head(out, name, "counter", help);
	buf_printf(out, "%s %.17g\n", name, v);
}

/* One histogram; `label` is empty or like route="x". */
static void histogram(struct buf *out, const char *name, const char *label,
    const struct histogram *h, const double *limits, double unit)
{
	const char *comma = label[0] ? "," : "", *open = label[0] ? "{" : "",
		   *close = label[0] ? "}" : "";
	unsigned long long below = 0;

	for (size_t i = 0; i < BOUNDS; i++) {
		below += get(&h->bucket[i]);
		buf_printf(
		    out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, label, comma, limits[i], below);
	}
	below += get(&h->bucket[BOUNDS]);
	buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, label, comma, below);
	buf_printf(
	    out, "%s_sum%s%s%s %.17g\n", name, open, label, close, (double)get(&h->sum) * unit);
	buf_printf(out, "%s_count%s%s%s %llu\n", name, open, label, close, below);
}

static const char *route_name(size_t i)
{
	return i == METRICS_ROUTES_MAX - 1 ? "" : m.routes[i];
}

static bool route_is_used(size_t i)
{
	return get(&m.route[i].duration.count) > 0;
}

static void render_http(struct buf *out)
{
	char label[96];

	metrics_head(out, "banditd_http_requests_total", "counter",
	    "Requests answered, by route and status.");
	for (size_t i = 0; i < METRICS_ROUTES_MAX; i++) {
		for (size_t k = 0; k < CODES && get(&m.route[i].count[k]); k++) {
			buf_printf(out,
			    "banditd_http_requests_total{route=\"%s\",code=\"%d\"} %llu\n",
			    route_name(i), atomic_load(&m.route[i].code[k]),
			    get(&m.route[i].count[k]));
		}
	}
	metrics_head(out, "banditd_http_request_duration_seconds", "histogram",
	    "From the first byte of a request to its answer.");
	for (size_t i = 0; i < METRICS_ROUTES_MAX; i++) {
		if (route_is_used(i)) {
			snprintf(label, sizeof(label), "route=\"%s\"", route_name(i));
			histogram(out, "banditd_http_request_duration_seconds", label,
			    &m.route[i].duration, bounds, 1e-6);
		}
	}
	metrics_head(out, "banditd_http_rejected_total", "counter",
	    "Requests and connections refused by the HTTP layer.");
	for (size_t i = 0; i < HTTP_REFUSALS; i++) {
		buf_printf(out, "banditd_http_rejected_total{reason=\"%s\"} %llu\n",
		    refusal_names[i], get(&m.rejected[i]));
	}
}

static void render_learning(struct buf *out)
{
	metrics_head(out, "banditd_decisions_total", "counter", "Decisions made, by policy.");
	for (size_t p = 0; p < METRICS_POLICIES_MAX && m.policies[p]; p++) {
		buf_printf(out, "banditd_decisions_total{policy=\"%s\"} %llu\n", m.policies[p],
		    get(&m.decisions[p]));
	}
	metrics_head(out, "banditd_rewards_total", "counter",
	    "Rewards received, by policy and what became of them.");
	for (size_t p = 0; p < METRICS_POLICIES_MAX && m.policies[p]; p++) {
		for (size_t s = 0; s < FEEDBACK_STATUSES; s++) {
			if (get(&m.rewards[p][s])) {
				buf_printf(out,
				    "banditd_rewards_total{policy=\"%s\",status=\"%s\"} %llu\n",
				    m.policies[p], feedback_status_names[s], get(&m.rewards[p][s]));
			}
		}
	}
	counter(out, "banditd_rewards_unknown_total", "Rewards for decisions that are not known.",
	    (double)get(&m.unknown_feedback));
	counter(out, "banditd_rewards_void_total", "Rewards for decisions that were made void.",
	    (double)get(&m.void_feedback));
}

static void render_store(const struct metrics_gauges *g, struct buf *out)
{
	metrics_head(out, "banditd_handler_duration_seconds", "histogram",
	    "Time in the loop thread to parse, decide and write one answer.");
	histogram(out, "banditd_handler_duration_seconds", "", &m.handler, bounds, 1e-6);
	metrics_head(out, "banditd_queue_duration_seconds", "histogram",
	    "How long the first event of a commit waited for it to begin.");
	histogram(out, "banditd_queue_duration_seconds", "", &m.queue, bounds, 1e-6);
	metrics_head(
	    out, "banditd_commit_duration_seconds", "histogram", "Time of one commit to disk.");
	histogram(out, "banditd_commit_duration_seconds", "", &m.commit, bounds, 1e-6);
	metrics_head(out, "banditd_commit_events", "histogram", "Events in one commit.");
	histogram(out, "banditd_commit_events", "", &m.commit_events, event_bounds, 1);
	gauge(
	    out, "banditd_store_queue_events", "Events not yet on disk.", (double)g->queue_events);
	gauge(out, "banditd_store_failed", "1 after a commit failed, until restart.",
	    g->store_failed);
	gauge(out, "banditd_db_bytes", "Size of the database.", (double)g->db_bytes);
	gauge(out, "banditd_wal_bytes", "Size of its write-ahead log.", (double)g->wal_bytes);
	gauge(out, "banditd_disk_free_bytes", "Free space where the state is.",
	    (double)g->disk_free_bytes);
	gauge(
	    out, "banditd_cache_bytes", "Recent decisions held in memory.", (double)g->cache_bytes);
	gauge(out, "banditd_snapshot_age_seconds",
	    "Age of the stalest experiment's changes without a snapshot.", g->snapshot_age_seconds);
	if (g->backup_at_s) {
		gauge(out, "banditd_backup_last_success_timestamp_seconds",
		    "When the last backup succeeded.", (double)g->backup_at_s);
	}
	counter(out, "banditd_recovery_events_total", "Events folded at start.",
	    (double)g->recovery_events);
	gauge(out, "banditd_recovery_seconds", "Time that the start took.", g->recovery_seconds);
}

static void render_process(struct buf *out)
{
	struct rusage ru;
	long pages = 0, ignored = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	metrics_head(out, "banditd_log_lines_total", "counter", "Log lines written, by level.");
	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		buf_printf(out, "banditd_log_lines_total{level=\"%s\"} %llu\n",
		    log_level_name((enum log_level)i), log_lines((enum log_level)i));
	}
	counter(out, "banditd_log_lines_lost_total",
	    "Log lines that standard error did not take at once.", (double)log_lines_lost());
	getrusage(RUSAGE_SELF, &ru);
	counter(out, "process_cpu_seconds_total", "User and system time.",
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		(double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	if (f && fscanf(f, "%ld %ld", &ignored, &pages) == 2) {
		gauge(out, "process_resident_memory_bytes", "Resident memory.",
		    (double)pages * (double)sysconf(_SC_PAGESIZE));
	}
	if (f) {
		fclose(f);
	}
}

void metrics_render(const struct metrics_gauges *g, struct buf *out)
{
	metrics_head(out, "banditd_build_info", "gauge", "Version and compiler; always 1.");
	buf_printf(out, "banditd_build_info{version=\"%s\",compiler=\"%s\"} 1\n", PACKAGE_VERSION,
	    __VERSION__);
	gauge(out, "banditd_clock_offset_seconds",
	    "How far the system's clock is ahead of the time that is logged.",
	    ((double)clock_wall_us() - (double)clock_steady_us()) / 1e6);
	render_http(out);
	gauge(out, "banditd_http_connections", "Open connections.", g->connections);
	render_learning(out);
	gauge(out, "banditd_open_decisions", "Decisions that wait for a reward.",
	    (double)g->open_decisions);
	draws_render(m.draws, m.policies, out);
	metrics_head(out, "banditd_experiments", "gauge", "Experiments, by state.");
	buf_printf(out, "banditd_experiments{state=\"running\"} %llu\n",
	    (unsigned long long)g->experiments_running);
	buf_printf(out, "banditd_experiments{state=\"paused\"} %llu\n",
	    (unsigned long long)g->experiments_paused);
	buf_printf(out, "banditd_experiments{state=\"archived\"} %llu\n",
	    (unsigned long long)g->experiments_archived);
	render_store(g, out);
	render_process(out);
}
