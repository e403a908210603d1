/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/top.h"

#define LINE_MAX_BYTES 512 /* longer ones are none of ours */
#define MEMBER(sample, field)                                                                      \
	{                                                                                          \
		sample, offsetof(struct top_scrape, field)                                         \
	}

/* A sample belongs to the member whose text its line begins with; several are added up. */
static const struct {
	const char *begins;
	size_t offset;
} members[] = {
    MEMBER("banditd_decisions_total{", decisions),
    MEMBER("banditd_rewards_total{", rewards),
    MEMBER("banditd_http_requests_total{", requests),
    MEMBER("process_cpu_seconds_total ", cpu),
    MEMBER("banditd_experiments{state=\"running\"}", running),
    MEMBER("banditd_experiments{state=\"paused\"}", paused),
    MEMBER("banditd_experiments{state=\"archived\"}", archived),
    MEMBER("banditd_open_decisions ", open),
    MEMBER("banditd_store_queue_events ", queue),
    MEMBER("banditd_http_connections ", connections),
    MEMBER("banditd_db_bytes ", db),
    MEMBER("banditd_wal_bytes ", wal),
    MEMBER("banditd_disk_free_bytes ", disk_free),
    MEMBER("banditd_store_failed ", store_failed),
    MEMBER("process_resident_memory_bytes ", resident),
};

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

/* The value behind the name and its labels. */
static double value_of(const char *line)
{
	const char *brace = strchr(line, '{');
	const char *close = brace ? strstr(brace, "} ") : strchr(line, ' ');

	return close ? strtod(close + (brace ? 2 : 1), NULL) : 0;
}

/* One bucket; those of several series with the same bound are added up. */
static void take_bucket(struct top_histogram *h, const char *line)
{
	const char *le = strstr(line, "le=\"");
	double bound = le ? strtod(le + 4, NULL) : (double)NAN;
	size_t i = 0;

	while (i < h->n && h->le[i] < bound) {
		i++;
	}
	if (isnan(bound) || (i == h->n && h->n == TOP_BOUNDS)) {
		return;
	}
	if (i == h->n) {
		h->le[h->n++] = bound;
	}
	h->below[i] += value_of(line);
}

static void take_line(const char *line, struct top_scrape *ret)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (begins(line, members[i].begins)) {
			*(double *)(void *)((char *)ret + members[i].offset) += value_of(line);
		}
	}
	if (begins(line, "banditd_http_requests_total{") && strstr(line, "code=\"5")) {
		ret->failed += value_of(line);
	} else if (begins(line, "banditd_http_request_duration_seconds_bucket{")) {
		take_bucket(&ret->answer, line);
	} else if (begins(line, "banditd_commit_duration_seconds_bucket{")) {
		take_bucket(&ret->commit, line);
	} else if (begins(line, "banditd_build_info{version=\"")) {
		const char *v = line + strlen("banditd_build_info{version=\"");
		size_t n = strcspn(v, "\"");

		n = n < sizeof(ret->version) ? n : sizeof(ret->version) - 1;
		memcpy(ret->version, v, n);
		ret->version[n] = '\0';
	}
}

void top_scrape_read(const char *text, struct top_scrape *ret)
{
	char line[LINE_MAX_BYTES];

	memset(ret, 0, sizeof(*ret));
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			take_line(line, ret);
		}
		text += n + (text[n] == '\n');
	}
}

double top_quantile(const struct top_histogram *a, const struct top_histogram *b, double q)
{
	double all, lo = 0, from = 0;

	if (b->n == 0) {
		return (double)NAN;
	}
	all = b->below[b->n - 1] - (a->n == b->n ? a->below[b->n - 1] : 0);
	if (!(all > 0)) {
		return (double)NAN;
	}
	for (size_t i = 0; i < b->n; i++) {
		double below = b->below[i] - (a->n == b->n ? a->below[i] : 0);

		if (below >= q * all) {
			return isinf(b->le[i])
				   ? lo
				   : lo + (b->le[i] - lo) * (q * all - from) / (below - from);
		}
		lo = b->le[i];
		from = below;
	}
	return lo;
}

/* ---- looking ---- */

static void forget(struct top *t)
{
	for (size_t i = 0; i < t->n; i++) {
		json_decref(t->stats[i]);
		t->stats[i] = NULL;
	}
	json_decref(t->list);
	t->list = NULL;
	t->n = 0;
}

void top_release(struct top *t)
{
	forget(t);
}

/* Decisions of this experiment at the last look, or -1. */
static double decisions_before(const struct top *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		const char *other = json_string_value(json_object_get(t->stats[i], "experiment"));

		if (other && strcmp(other, name) == 0) {
			return (double)json_integer_value(
			    json_object_get(t->stats[i], "decisions"));
		}
	}
	return -1;
}

static int look_at_one(
    struct top *t, const struct top *was, struct client *c, const json_t *item, struct errinfo *err)
{
	const char *name = json_string_value(json_object_get(item, "experiment"));
	double elapsed = (double)(t->now.mono_us - t->before.mono_us) / 1e6, old;
	char path[160];
	json_t *stats = NULL;
	int rc;

	if (!name) {
		return err_set(err, RC_FAILED, "refused", "/v1/experiments", "not a banditd");
	}
	snprintf(path, sizeof(path), "/v1/experiments/%.128s/stats", name);
	rc = client_call(c, "GET", path, NULL, &stats, err);
	if (rc == RC_NOT_FOUND) {
		return 0; /* erased meanwhile */
	}
	if (rc) {
		return rc;
	}
	old = decisions_before(was, name);
	t->rate[t->n] =
	    old >= 0 && elapsed > 0
		? ((double)json_integer_value(json_object_get(stats, "decisions")) - old) / elapsed
		: (double)NAN;
	t->policy[t->n] =
	    json_string_value(json_object_get(json_object_get(item, "policy"), "name"));
	t->state[t->n] = json_string_value(json_object_get(item, "state"));
	t->stats[t->n++] = stats;
	return 0;
}

int top_look(struct top *t, struct client *c, struct errinfo *err)
{
	struct top was = *t;
	const char *text;
	json_t *item;
	size_t i;
	int rc = client_text(c, "/metrics", &text, err);

	if (rc) {
		return rc;
	}
	t->before = t->now;
	top_scrape_read(text, &t->now);
	t->now.mono_us = clock_mono_us();
	t->n = 0;
	t->list = NULL;
	rc = client_call(c, "GET", "/v1/experiments?limit=100", NULL, &t->list, err);
	json_array_foreach (json_object_get(t->list, "items"), i, item) {
		if (rc == 0 && t->n < TOP_EXPERIMENTS) {
			rc = look_at_one(t, &was, c, item, err);
		}
	}
	forget(&was);
	t->chosen = t->chosen < t->n ? t->chosen : t->n ? t->n - 1 : 0;
	return rc;
}
