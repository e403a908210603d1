/* SPDX-License-Identifier: Apache-2.0 */
/* Everything of a request but its framing: method, path, query, header fields. The first line is
 * "METHOD TARGET", then come fields, "LETTER VALUE", where a is the first of enum http_field; after
 * an empty line the body. There is an answer, sound in every header and in its body. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api_rig.h"
#include "serve/api_impl.h"
#include "serve/http_impl.h"

#define ORIGIN "https://page.example"
#define STREAM_TURNS 20

static struct api_rig rig;

/* What http_framing.c lets through. */
static bool is_clean(const char *s, bool is_path)
{
	for (; *s; s++) {
		unsigned char b = (unsigned char)*s;

		if (b == 0x7f || (b < 0x20 && (b != '\t' || is_path)) ||
		    (is_path && (b == ' ' || b > 0x7f))) {
			return false;
		}
	}
	return true;
}

static void read_query(char *text, struct http_request *rq)
{
	char *save = NULL;

	for (char *arg = strtok_r(text, "&", &save); arg && rq->nargs < HTTP_ARGS_MAX;
	     arg = strtok_r(NULL, "&", &save)) {
		char *eq = strchr(arg, '=');

		rq->args[rq->nargs].name = arg;
		rq->args[rq->nargs++].value = eq ? eq + 1 : "";
		if (eq) {
			*eq = '\0';
		}
	}
}

/* One line of the text, NUL-terminated where it stands. */
static char *next_line(char **at)
{
	char *line = *at, *nl = strchr(line, '\n');

	*at = nl ? nl + 1 : line + strlen(line);
	if (nl) {
		*nl = '\0';
	}
	return line;
}

static bool read_head(char *text, size_t size, struct http_request *rq)
{
	char *at = text, *line = next_line(&at), *target = strchr(line, ' '), *query;

	if (!target) {
		return false;
	}
	*target++ = '\0';
	query = strchr(target, '?');
	if (query) {
		*query++ = '\0';
		read_query(query, rq);
	}
	if (!is_clean(target, true) || target[0] != '/') {
		return false;
	}
	http_framing_unescape(target);
	rq->method = line;
	rq->path = target;
	while (*at && *(line = next_line(&at))) {
		size_t field = (size_t)(line[0] - 'a');

		if (field < HTTP_FIELDS && line[1] == ' ' && is_clean(line, false)) {
			rq->field[field] = line + 2;
		}
	}
	rq->body = at;
	rq->body_len = (size_t)(text + size - at);
	return true;
}

static void must_be_json(const char *body, size_t n)
{
	json_t *o = json_loadb(body, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	FUZZ_HOLDS(o != NULL);
	json_decref(o);
}

static void drain(struct http_stream *s)
{
	struct buf out;

	buf_init(&out, (size_t)64 << 20);
	for (int i = 0; i < STREAM_TURNS && s->next(s, &out) == 1; i++) {
		FUZZ_HOLDS(out.rc == 0);
	}
	buf_release(&out);
	s->free(s);
}

static void check(const struct http_response *rs, bool is_head)
{
	const char *type = rs->content_type;

	FUZZ_HOLDS(rs->status >= 200 && rs->status < 600 && rs->status != 500);
	for (size_t i = 0; i < rs->nheaders; i++) {
		FUZZ_HOLDS(is_clean(rs->header[i].value, false));
	}
	FUZZ_HOLDS(rs->body || rs->body_len == 0);
	if (rs->body && type && !is_head &&
	    (!strcmp(type, "application/json") || !strcmp(type, "application/problem+json"))) {
		must_be_json(rs->body, rs->body_len);
	}
}

static void check_trace(const char *traceparent)
{
	char trace[TRACE_ID_MAX + 1];

	if (traceparent && api_trace_id(traceparent, trace)) {
		FUZZ_HOLDS(strspn(trace, "0123456789abcdef") == TRACE_ID_MAX);
		FUZZ_HOLDS(strspn(trace, "0") < TRACE_ID_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request rq = {.now_us = RIG_NOW_US, .request_id = "fuzz"};
	struct http_response rs;
	char *text = malloc(size + 1);
	struct api *api;

	FUZZ_HOLDS(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (read_head(text, size, &rq)) {
		api = rig_api(&rig);
		guard_set(api_guard(api), NULL, 0, ORIGIN);
		memset(&rs, 0, sizeof(rs));
		check_trace(rq.field[HTTP_TRACEPARENT]);
		api_handle(api, &rq, &rs);
		check(&rs, !strcmp(rq.method, "HEAD"));
		free(rs.body);
		if (rs.stream) {
			drain(rs.stream);
		}
	}
	free(text);
	return 0;
}
