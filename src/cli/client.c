/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

#define REPLY_MAX ((size_t)64 << 20)
#define FIRST_PAUSE_US 20000
#define LONGEST_PAUSE_US 2000000
#define CONNECT_MS 5000L
#define REQUEST_MS 30000L

struct client {
	CURL *curl;
	struct curl_slist *headers;
	char *base;
	struct buf reply;
	char why[CURL_ERROR_SIZE];
	uint64_t retries, patience_us;
};

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct client *c = arg;

	buf_put(&c->reply, p, size * n);
	return c->reply.rc ? 0 : size * n;
}

static int set_up(struct client *c, const char *url)
{
	bool local = strncmp(url, "unix:", 5) == 0;
	size_t n = strlen(url);

	c->curl = curl_easy_init();
	c->headers = curl_slist_append(NULL, "Content-Type: application/json");
	c->base = strdup(local ? "http://localhost" : url);
	if (!c->curl || !c->headers || !c->base) {
		return RC_MEMORY;
	}
	for (n = strlen(c->base); n && c->base[n - 1] == '/'; n--) {
		c->base[n - 1] = '\0';
	}
	if (local && curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, url + 5)) {
		return RC_INVALID;
	}
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->why);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, REQUEST_MS);
	return curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https") ? RC_INVALID : 0;
}

int client_new(const char *url, struct client **ret, struct errinfo *err)
{
	struct client *c = calloc(1, sizeof(*c));
	int rc = c && curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? 0 : RC_MEMORY;

	if (rc == 0 && !strstr(url, "://") && strncmp(url, "unix:", 5) != 0) {
		rc = err_set(err, RC_INVALID, "bad_url", url, "not http://HOST:PORT or unix:PATH");
	}
	if (rc == 0) {
		buf_init(&c->reply, REPLY_MAX);
		c->patience_us = CLIENT_PATIENCE_US;
		rc = set_up(c, url);
	}
	if (rc) {
		client_free(c);
		return err_set(err, rc, "client", url, "%s", err_name(rc));
	}
	*ret = c;
	return 0;
}

void client_free(struct client *c)
{
	if (c) {
		curl_easy_cleanup(c->curl);
		curl_slist_free_all(c->headers);
		buf_release(&c->reply);
		free(c->base);
		free(c);
		curl_global_cleanup();
	}
}

void client_set_patience(struct client *c, uint64_t us)
{
	c->patience_us = us;
}

uint64_t client_retries(const struct client *c)
{
	return c->retries;
}

/* Once. The status, 0 when there was no answer. */
static long send_once(struct client *c, const char *method, const char *url, const char *body)
{
	long status = 0;

	buf_reset(&c->reply);
	c->why[0] = '\0';
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	if (strcmp(method, "GET") != 0) { /* a length is due even when there is no body */
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, body ? (long)strlen(body) : 0L);
	} else {
		curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	if (curl_easy_perform(c->curl)) {
		return 0;
	}
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* What a later try may change: no answer, too many requests, a daemon that stops or is full. */
static bool may_heal(long status)
{
	return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

static void pause_us(uint64_t us)
{
	nanosleep(&(struct timespec){.tv_sec = (time_t)(us / CLOCK_SECOND_US),
		      .tv_nsec = (long)(us % CLOCK_SECOND_US) * 1000},
	    NULL);
}

static long send_patiently(struct client *c, const char *method, const char *url, const char *body)
{
	uint64_t start = clock_mono_us(), pause = FIRST_PAUSE_US;
	long status;

	while (may_heal(status = send_once(c, method, url, body)) &&
	       clock_mono_us() - start < c->patience_us) {
		pause_us(pause);
		pause = 2 * pause < LONGEST_PAUSE_US ? 2 * pause : LONGEST_PAUSE_US;
		c->retries++;
	}
	return status;
}

/* An answer that is no success, in the daemon's own words. */
static int problem(
    const struct client *c, long status, const char *path, const json_t *o, struct errinfo *err)
{
	const char *detail = json_string_value(json_object_get(o, "detail"));
	int rc = status == 409   ? RC_CONFLICT
		 : status == 404 ? RC_NOT_FOUND
		 : status == 0   ? RC_IO
		 : status < 500  ? RC_INVALID
				 : RC_FAILED;

	if (status == 0) {
		return err_set(err, rc, "no_answer", c->base, "%s",
		    c->why[0] ? c->why : "the answer cannot be read");
	}
	return err_set(err, rc, "refused", path, "HTTP %ld: %s", status,
	    detail ? detail : "an answer that is not ours");
}

/* The status of the answer, 0 when there was none; *ret_rc on want of memory. */
static long request(
    struct client *c, const char *method, const char *path, const char *body, int *ret_rc)
{
	struct buf url;
	long status = 0;

	buf_init(&url, 4096);
	buf_printf(&url, "%s%s", c->base, path);
	buf_put_u8(&url, 0);
	*ret_rc = url.rc;
	if (url.rc == 0) {
		status = send_patiently(c, method, (const char *)url.data, body);
	}
	buf_release(&url);
	return status;
}

int client_text(struct client *c, const char *path, const char **ret, struct errinfo *err)
{
	int rc;
	long status = request(c, "GET", path, NULL, &rc);

	buf_put_u8(&c->reply, 0);
	if (rc || c->reply.rc) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	if (status < 200 || status > 299) {
		return problem(c, status, path, NULL, err);
	}
	*ret = (const char *)c->reply.data;
	return 0;
}

int client_call(struct client *c, const char *method, const char *path, const json_t *body,
    json_t **ret, struct errinfo *err)
{
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
	json_t *o;
	long status = 0;
	int no_memory = body && !text ? RC_MEMORY : 0;

	if (!no_memory) {
		status = request(c, method, path, text, &no_memory);
	}
	free(text);
	if (no_memory) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	o = json_loadb((const char *)c->reply.data, c->reply.len, JSON_DECODE_ANY, NULL);
	if (status < 200 || status > 299 || !o) {
		int rc = problem(c, status, path, o, err);

		json_decref(o);
		return rc;
	}
	*ret = o;
	return 0;
}
