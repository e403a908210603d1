/* SPDX-License-Identifier: Apache-2.0 */
/* The server without the engine: the HTTP layer and JSON of banditd, answers of the same shape, no
 * decision behind them. What it reaches is what banditd is measured against, and the framing tests
 * run against it because its deadlines can be made short.
 *
 * POST .../decisions and .../rewards answer as the API does, one or an array; GET /stream?lines=N
 * sends N lines, each after a wake; GET /large?bytes=N so many; all else is a 404. */
#include <getopt.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "serve/http.h"

#define ARMS 10
#define JSON_FIRST 512

struct echo {
	struct http *http;
	size_t body_limit;
	uint64_t made;          /* decisions so far */
	unsigned commit_us;     /* > 0: answers wait for a thread that sleeps so long a batch */
	uint64_t fail_after;    /* the pretended store fails at this ticket */
	uint64_t ticket;        /* last given out */
	atomic_ullong appended; /* what the thread may take */
	atomic_ullong durable;
	atomic_bool failed, quit;
};

static struct http *to_stop;

static void on_signal(int sig)
{
	(void)sig;
	http_stop(to_stop);
}

static void *commit_thread(void *arg)
{
	struct echo *e = arg;
	struct timespec nap = {
	    .tv_sec = e->commit_us / 1000000, .tv_nsec = e->commit_us % 1000000 * 1000L};

	while (!atomic_load(&e->quit)) {
		unsigned long long upto = atomic_load(&e->appended);

		nanosleep(&nap, NULL);
		if (e->fail_after && upto >= e->fail_after) {
			atomic_store(&e->failed, true);
		} else {
			atomic_store(&e->durable, upto);
		}
		http_wake(e->http);
	}
	return NULL;
}

static void reply_json(struct http_response *rs, int status, json_t *v)
{
	size_t cap = JSON_FIRST, n;
	char *body = malloc(cap), *more;

	rs->status = status;
	rs->content_type = "application/json";
	http_response_header(rs, "Cache-Control", "no-store");
	http_response_header(rs, "X-Content-Type-Options", "nosniff");
	n = body ? json_dumpb(v, body, cap, JSON_COMPACT) : 0;
	if (n > cap) {
		more = realloc(body, n);
		if (more) {
			body = more;
			n = json_dumpb(v, body, n, JSON_COMPACT);
		} else {
			n = 0;
		}
	}
	json_decref(v);
	rs->body = body;
	rs->body_len = n;
}

static void problem(const struct http_request *rq, struct http_response *rs, int status,
    const char *code, const char *detail)
{
	json_t *v =
	    json_pack("{s:s+, s:s, s:i, s:s*, s:s, s:s}", "type", "/problems/", code, "title", code,
		"status", status, "detail", detail, "code", code, "request_id", rq->request_id);

	rs->route = "";
	reply_json(rs, status, v);
	rs->content_type = "application/problem+json";
}

static json_t *decision(struct echo *e, const struct http_request *rq, const json_t *in)
{
	const char *id = json_string_value(json_object_get(in, "id"));
	char made[32], arm[8], at[CLOCK_TEXT_MAX], expires[CLOCK_TEXT_MAX];
	uint64_t seq = ++e->made;

	if (!json_is_object(in)) {
		return NULL;
	}
	snprintf(made, sizeof(made), "d-%llu", (unsigned long long)seq);
	snprintf(arm, sizeof(arm), "a%u", (unsigned)(seq % ARMS));
	clock_format(rq->now_us, at);
	clock_format(rq->now_us + 24 * 3600 * CLOCK_SECOND_US, expires);
	return json_pack("{s:s, s:s, s:I, s:s, s:f, s:[{s:s, s:f}], s:s, s:s, s:s}", "id",
	    id ? id : made, "experiment", "bench", "seq", (json_int_t)seq, "arm", arm, "propensity",
	    1.0, "arms", "arm", arm, "propensity", 1.0, "policy", "ucb1", "at", at, "expires_at",
	    expires);
}

static json_t *reward(const json_t *in)
{
	const char *id = json_string_value(json_object_get(in, "decision"));

	return id ? json_pack("{s:s, s:s}", "decision", id, "status", "learnt") : NULL;
}

static json_t *item(struct echo *e, const struct http_request *rq, const json_t *in, bool rewards)
{
	return rewards ? reward(in) : decision(e, rq, in);
}

static json_t *batch(struct echo *e, const struct http_request *rq, const json_t *in, bool rewards)
{
	json_t *all = json_array();

	for (size_t i = 0; i < json_array_size(in); i++) {
		json_t *one = item(e, rq, json_array_get(in, i), rewards);

		if (!one) {
			json_decref(all);
			return NULL;
		}
		json_object_set_new(one, "http", json_integer(rewards ? 202 : 201));
		json_array_append_new(all, one);
	}
	return all;
}

static void post(
    struct echo *e, const struct http_request *rq, struct http_response *rs, bool rewards)
{
	json_t *in = json_loadb(rq->body, rq->body_len, JSON_REJECT_DUPLICATES, NULL);
	json_t *out = json_is_array(in) ? batch(e, rq, in, rewards) : item(e, rq, in, rewards);

	if (out) {
		reply_json(rs, json_is_array(in) ? 200 : rewards ? 202 : 201, out);
		if (e->commit_us) {
			rs->ticket = ++e->ticket;
			atomic_store(&e->appended, e->ticket);
		}
	} else {
		problem(rq, rs, 400, "bad_request", "not a JSON object of the right shape");
	}
	json_decref(in);
}

struct lines {
	struct http_stream s;
	unsigned long left;
	bool woken;
};

static int lines_next(struct http_stream *s, struct buf *out)
{
	struct lines *l = (struct lines *)s;

	l->woken = !l->woken;
	if (l->left == 0) {
		return 0;
	}
	if (l->woken) {
		return HTTP_STREAM_WAIT;
	}
	buf_printf(out, "{\"left\":%lu}\n", --l->left);
	return 1;
}

static void lines_free(struct http_stream *s)
{
	free(s);
}

static void get(const struct http_request *rq, struct http_response *rs)
{
	const char *lines = http_request_arg(rq, "lines"), *bytes = http_request_arg(rq, "bytes");
	struct lines *l = lines && !strcmp(rq->path, "/stream") ? calloc(1, sizeof(*l)) : NULL;

	rs->status = 200;
	rs->content_type = "application/x-ndjson";
	if (l) {
		*l = (struct lines){{lines_next, lines_free}, strtoul(lines, NULL, 10), false};
		rs->stream = &l->s;
	} else if (bytes && !strcmp(rq->path, "/large")) {
		rs->body_len = strtoul(bytes, NULL, 10);
		rs->body = calloc(1, rs->body_len + 1);
	} else {
		problem(rq, rs, 404, "not_found", rq->path);
	}
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static void handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
	struct echo *e = arg;

	if (!strcmp(rq->method, "GET") || !strcmp(rq->method, "HEAD")) {
		get(rq, rs);
	} else if (ends_with(rq->path, "/decisions")) {
		rs->route = "/v1/experiments/{e}/decisions";
		post(e, rq, rs, false);
	} else if (ends_with(rq->path, "/rewards")) {
		rs->route = "/v1/experiments/{e}/rewards";
		post(e, rq, rs, true);
	} else if (!strcmp(rq->method, "PUT")) {
		reply_json(rs, 201, json_pack("{s:s}", "state", "running"));
	} else {
		problem(rq, rs, 404, "not_found", rq->path);
	}
}

static size_t body_limit(void *arg, struct http_request *rq)
{
	struct echo *e = arg;

	return !strcmp(rq->method, "POST") || !strcmp(rq->method, "PUT") ? e->body_limit : 0;
}

static void refuse(void *arg, const struct http_request *rq, enum http_refusal why,
    const char *detail, struct http_response *rs)
{
	static const struct {
		int status;
		const char *code;
	} as[HTTP_REFUSALS] = {{400, "framing"}, {413, "too_large"}, {501, "method_unknown"},
	    {503, "store_failed"}, {503, "draining"}, {503, "memory"}, {503, ""}, {503, ""}};

	(void)arg;
	problem(rq, rs, as[why].status, as[why].code, detail);
}

static void done(
    void *arg, const struct http_request *rq, const char *route, int status, uint64_t elapsed_us)
{
	(void)arg, (void)rq, (void)route, (void)status, (void)elapsed_us;
}

static void refused(void *arg, enum http_refusal why)
{
	(void)arg, (void)why;
}

static uint64_t durable(void *arg)
{
	return atomic_load(&((struct echo *)arg)->durable);
}

static bool failed(void *arg)
{
	return atomic_load(&((struct echo *)arg)->failed);
}

static void parse(int argc, char **argv, struct http_options *o, struct echo *e)
{
	static const struct option options[] = {{"listen", 1, 0, 'l'},
	    {"request-timeout", 1, 0, 'q'}, {"reply-timeout", 1, 0, 'p'},
	    {"idle-timeout", 1, 0, 'i'}, {"body-limit", 1, 0, 'b'}, {"commit-us", 1, 0, 'c'},
	    {"fail-after", 1, 0, 'f'}, {"connections", 1, 0, 'n'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long v = c != 'l' && optarg ? strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'l':
			o->listen = optarg;
			break;
		case 'q':
			o->request_timeout_ms = (unsigned)v;
			break;
		case 'p':
			o->reply_timeout_ms = (unsigned)v;
			break;
		case 'i':
			o->idle_timeout_ms = (unsigned)v;
			break;
		case 'b':
			e->body_limit = v;
			break;
		case 'c':
			e->commit_us = (unsigned)v;
			break;
		case 'f':
			e->fail_after = v;
			break;
		case 'n':
			o->connections = (unsigned)v;
			break;
		default:
			fputs(
			    "usage: echo [--listen ADDRESS] [--request-timeout MS] ...\n", stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct log_levels levels;
	struct http_options o = {.listen = "127.0.0.1:0",
	    .listen_fd = -1,
	    .connections = 4096,
	    .request_timeout_ms = 10000,
	    .reply_timeout_ms = 30000,
	    .idle_timeout_ms = 60000};
	static struct echo e = {.body_limit = 1024 * 1024};
	const struct http_app app = {.arg = &e,
	    .body_limit = body_limit,
	    .handle = handle,
	    .refuse = refuse,
	    .done = done,
	    .refused = refused,
	    .durable = durable,
	    .failed = failed};
	struct errinfo err = {0};
	pthread_t thread;

	parse(argc, argv, &o, &e);
	log_levels_read(getenv("ECHO_DEBUG") ? "debug" : "info", &levels);
	log_setup(&levels, LOG_KEY_VALUE);
	if (hash_init() || http_new(&o, &app, &e.http, &err)) {
		fprintf(stderr, "echo: %s\n", err.text);
		return 1;
	}
	to_stop = e.http;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (e.commit_us && pthread_create(&thread, NULL, commit_thread, &e)) {
		return 1;
	}
	printf("%s\n", http_address(e.http));
	fflush(stdout);
	http_run(e.http, 2000);
	atomic_store(&e.quit, true);
	if (e.commit_us) {
		pthread_join(thread, NULL);
	}
	http_free(e.http);
	return 0;
}
