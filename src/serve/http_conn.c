/* SPDX-License-Identifier: Apache-2.0 */
/* A connection: its request, its reply, its deadlines.
 *
 * A reply that waits for its ticket is simply not queued: the library then calls the handler again
 * in every round, which costs some 50 ns, while suspending would cost four system calls a request.
 * Only streams, which may wait for hours, are suspended. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/clock.h"
#include "serve/http_impl.h"

#define BODY_FIRST 512
#define BODY_KEEP 8192 /* kept for the next request on the connection */

static struct http_conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Who has just connected is about to ask: while draining it still has so long to begin. */
#define FRESH_GRACE_US CLOCK_SECOND_US

static void enter(struct http_conn *c, enum http_phase phase)
{
	c->phase = phase;
	c->since_us = c->http->round_us;
}

static bool add_headers(
    struct http_conn *c, const struct http_response *rs, struct MHD_Response *r, bool close_after)
{
	bool ok = MHD_add_response_header(r, "X-Request-Id", c->rq.request_id) == MHD_YES;

	if (rs->content_type) {
		ok &= MHD_add_response_header(r, "Content-Type", rs->content_type) == MHD_YES;
	}
	for (size_t i = 0; i < rs->nheaders; i++) {
		ok &=
		    MHD_add_response_header(r, rs->header[i].name, rs->header[i].value) == MHD_YES;
	}
	if (close_after) {
		ok &= MHD_add_response_header(r, "Connection", "close") == MHD_YES;
	}
	return ok;
}

/* Takes body and stream over in any case. */
static struct MHD_Response *build(struct http_conn *c, struct http_response *rs, bool close_after)
{
	struct MHD_Response *r;

	if (rs->stream && strcmp(c->rq.method, "HEAD") == 0) {
		/* The library would still send the end of a chunked body. */
		rs->stream->free(rs->stream);
		rs->stream = NULL;
	}
	if (rs->stream) {
		free(rs->body);
		r = http_stream_reply(c, rs->stream);
	} else if (rs->body) {
		r = MHD_create_response_from_buffer(rs->body_len, rs->body, MHD_RESPMEM_MUST_FREE);
		if (!r) {
			free(rs->body);
		}
	} else {
		r = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	}
	rs->body = NULL;
	rs->stream = NULL;
	if (r && !add_headers(c, rs, r, close_after)) {
		MHD_destroy_response(r);
		r = NULL;
	}
	return r;
}

static enum MHD_Result send_reply(struct http_conn *c, struct MHD_Response *r)
{
	enum MHD_Result ok;

	if (c->http->draining) {
		MHD_add_response_header(r, "Connection", "close");
	}
	enter(c, HTTP_REPLYING);
	c->http->moved = true;
	ok = MHD_queue_response(c->mhd, (unsigned)c->status, r);
	MHD_destroy_response(r);
	return ok;
}

/* In the handler's first call this closes the connection and reads no body: so it must. */
static enum MHD_Result refuse(
    struct http_conn *c, enum http_refusal why, const char *detail, bool close_after)
{
	struct http *h = c->http;
	struct http_response rs;
	struct MHD_Response *r;

	memset(&rs, 0, sizeof(rs));
	h->app.refused(h->app.arg, why);
	h->app.refuse(h->app.arg, &c->rq, why, detail, &rs);
	r = build(c, &rs, close_after);
	if (!r) {
		return MHD_NO;
	}
	c->status = rs.status;
	c->route = rs.route ? rs.route : "";
	return send_reply(c, r);
}

static enum MHD_Result answer(struct http_conn *c, struct http_response *rs)
{
	struct http *h = c->http;
	struct MHD_Response *r = build(c, rs, false);

	if (!r) {
		return MHD_NO;
	}
	c->status = rs->status;
	c->route = rs->route ? rs->route : "";
	if (rs->ticket <= h->durable) {
		return send_reply(c, r);
	}
	c->held = r;
	c->ticket = rs->ticket;
	h->held++;
	return MHD_YES;
}

static struct MHD_Response *release_held(struct http_conn *c)
{
	struct MHD_Response *r = c->held;

	c->held = NULL;
	c->http->held--;
	return r;
}

static enum MHD_Result settle(struct http_conn *c)
{
	struct http *h = c->http;

	if (c->ticket <= h->durable) {
		return send_reply(c, release_held(c));
	}
	if (h->failed) {
		MHD_destroy_response(release_held(c));
		return refuse(
		    c, HTTP_REFUSED_STORE, "the store failed before this was durable", false);
	}
	return MHD_YES;
}

static enum MHD_Result finish(struct http_conn *c)
{
	struct http *h = c->http;
	struct http_response rs;

	enter(c, HTTP_WORKING);
	if (c->has_refusal) {
		return refuse(c, c->refusal, NULL, false);
	}
	if (c->body_len) {
		c->body[c->body_len] = '\0';
		c->rq.body = c->body;
		c->rq.body_len = c->body_len;
	}
	memset(&rs, 0, sizeof(rs));
	c->rq.now_us = clock_steady_us();
	h->app.handle(h->app.arg, &c->rq, &rs);
	return answer(c, &rs);
}

static void drop_body(struct http_conn *c, enum http_refusal why)
{
	c->drop = true;
	c->has_refusal = true;
	c->refusal = why;
}

static bool body_grow(struct http_conn *c, size_t n)
{
	size_t need = c->body_len + n + 1, cap = c->body_cap ? c->body_cap : BODY_FIRST;
	char *body;

	if (need <= c->body_cap) {
		return true;
	}
	while (cap < need) {
		cap *= 2;
	}
	body =
	    c->http->bodies + cap - c->body_cap <= HTTP_BODIES_MAX ? realloc(c->body, cap) : NULL;
	if (!body) {
		return false;
	}
	c->http->bodies += cap - c->body_cap;
	c->body = body;
	c->body_cap = cap;
	return true;
}

static enum MHD_Result take_body(struct http_conn *c, const char *data, size_t n)
{
	struct http *h = c->http;

	h->moved = true;
	if (!c->drop && n > c->body_max - c->body_len) {
		drop_body(c, HTTP_REFUSED_TOO_LARGE);
	}
	if (!c->drop && !body_grow(c, n)) {
		drop_body(c, HTTP_REFUSED_MEMORY);
	}
	if (!c->drop) {
		memcpy(c->body + c->body_len, data, n);
		c->body_len += n;
		return MHD_YES;
	}
	c->dropped += n;
	if (c->dropped > HTTP_DISCARD_MAX) {
		h->app.refused(h->app.arg, HTTP_REFUSED_TOO_LARGE);
		return MHD_NO; /* mid-body the library takes no reply */
	}
	return MHD_YES;
}

static enum MHD_Result expect_body(struct http_conn *c)
{
	const struct http_app *app = &c->http->app;
	uint64_t length = c->head.length;

	if (!c->head.encodings && length == 0) {
		return MHD_YES;
	}
	c->rq.now_us = clock_steady_us();
	c->body_max = app->body_limit(app->arg, &c->rq);
	if (length > c->body_max &&
	    (length > HTTP_DISCARD_MAX || (c->body_max && c->head.expects))) {
		return refuse(c, HTTP_REFUSED_TOO_LARGE, NULL, true);
	}
	if (c->body_max == 0) {
		c->drop = true;
	} else if (length > c->body_max) {
		drop_body(c, HTTP_REFUSED_TOO_LARGE);
	}
	return MHD_YES;
}

static bool is_known_method(const char *m)
{
	static const char *const known[] = {
	    "POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(m, known[i])) {
			return true;
		}
	}
	return false;
}

static enum MHD_Result begin(
    struct http_conn *c, const char *url, const char *method, const char *version)
{
	c->begun = true;
	c->http->moved = true;
	http_framing_read(c, url, method, version);
	if (c->head.wrong) {
		return refuse(c, HTTP_REFUSED_FRAMING, c->head.wrong, true);
	}
	if (!is_known_method(method)) {
		return refuse(c, HTTP_REFUSED_METHOD, NULL, true);
	}
	if (c->http->draining && c->reused) {
		return refuse(c, HTTP_REFUSED_DRAINING, NULL, true);
	}
	return expect_body(c);
}

enum MHD_Result http_conn_handle(void *cls, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *data, size_t *size, void **req_cls)
{
	struct http_conn *c = *req_cls;
	size_t n = *size;

	(void)cls;
	(void)mhd;
	if (!c) {
		return MHD_NO; /* there was no memory for it */
	}
	if (!c->begun) {
		return begin(c, url, method, version);
	}
	if (n) {
		*size = 0;
		return take_body(c, data, n);
	}
	return c->held ? settle(c) : finish(c);
}

void *http_conn_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct http_conn *c = conn_of(mhd);

	(void)cls;
	if (c) {
		c->target = (char *)(uintptr_t)uri;
		c->target_end = uri ? (uintptr_t)uri + strlen(uri) + 1 : 0;
		c->rq.mono_us = c->http->round_us;
		if (c->phase == HTTP_IDLE) {
			enter(c, HTTP_READING);
		}
	}
	return c;
}

size_t http_conn_unescape(void *cls, struct MHD_Connection *mhd, char *s)
{
	struct http_conn *c = conn_of(mhd);

	(void)cls;
	return c && s == c->target ? http_framing_unescape(s) : MHD_http_unescape(s);
}

void http_conn_completed(
    void *cls, struct MHD_Connection *mhd, void **req_cls, enum MHD_RequestTerminationCode why)
{
	struct http *h = cls;
	struct http_conn *c = *req_cls;

	(void)mhd;
	(void)why;
	if (!c) {
		return;
	}
	h->moved = true;
	if (c->held) {
		MHD_destroy_response(release_held(c));
	}
	if (c->status) {
		h->app.done(
		    h->app.arg, &c->rq, c->route, c->status, clock_mono_us() - c->rq.mono_us);
	}
	if (c->body_cap > BODY_KEEP) {
		h->bodies -= c->body_cap;
		free(c->body);
		c->body = NULL;
		c->body_cap = 0;
	}
	c->begun = c->drop = c->has_refusal = false;
	c->reused = true;
	c->body_len = 0;
	c->dropped = 0;
	c->status = 0;
	if (c->phase != HTTP_SHUT) {
		enter(c, HTTP_IDLE);
	}
	*req_cls = NULL;
}

static void take_peer(struct http_conn *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;

	if (sa && sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)sa;

		memcpy(c->rq.peer, &in->sin6_addr, sizeof(in->sin6_addr));
	} else if (sa && sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		c->rq.peer[10] = c->rq.peer[11] = 0xff;
		memcpy(c->rq.peer + 12, &in->sin_addr, sizeof(in->sin_addr));
	}
}

void http_conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_cls,
    enum MHD_ConnectionNotificationCode what)
{
	struct http *h = cls;
	struct http_conn *c = *socket_cls;

	h->moved = true;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		c = calloc(1, sizeof(*c));
		*socket_cls = c;
		if (!c) {
			return;
		}
		c->http = h;
		c->mhd = mhd;
		c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		take_peer(c);
		enter(c, HTTP_FRESH);
		DL_APPEND(h->conns, c);
		atomic_fetch_add(&h->open, 1);
	} else if (c) {
		DL_DELETE(h->conns, c);
		atomic_fetch_sub(&h->open, 1);
		h->bodies -= c->body_cap;
		free(c->body);
		free(c);
		*socket_cls = NULL;
	}
}

static void shut(struct http_conn *c)
{
	c->phase = HTTP_SHUT; /* the library sees the hang-up and closes */
	shutdown(c->fd, SHUT_RDWR);
}

/* Milliseconds this phase may last; 0: for ever. */
static unsigned allowed_ms(const struct http_conn *c)
{
	const struct http_options *o = &c->http->o;

	switch (c->phase) {
	case HTTP_FRESH:
	case HTTP_READING:
		return o->request_timeout_ms;
	case HTTP_IDLE:
		return o->idle_timeout_ms;
	case HTTP_REPLYING:
		return o->reply_timeout_ms;
	default:
		return 0;
	}
}

void http_conn_sweep(struct http *h)
{
	struct http_conn *c;

	DL_FOREACH (h->conns, c) {
		uint64_t ms = allowed_ms(c);

		if (ms && h->round_us - c->since_us > ms * 1000) {
			if (c->phase != HTTP_IDLE) {
				h->app.refused(h->app.arg, HTTP_REFUSED_TIMEOUT);
			}
			shut(c);
		}
	}
}

void http_conn_shut_idle(struct http *h)
{
	struct http_conn *c;
	int ready;

	DL_FOREACH (h->conns, c) {
		bool over = c->phase == HTTP_IDLE ||
			    (c->phase == HTTP_FRESH && h->round_us - c->since_us > FRESH_GRACE_US);

		if (over && (ioctl(c->fd, FIONREAD, &ready) || ready == 0)) {
			shut(c);
		}
	}
}
