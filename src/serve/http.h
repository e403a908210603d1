/* SPDX-License-Identifier: Apache-2.0 */
/* All of libmicrohttpd. One thread owns the event loop, every connection and every callback below;
 * it collects a bounded request, calls the application once, and sends the answer when the ticket
 * in it is durable. The application never sees libmicrohttpd, and is complete without it. */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Request headers an application may read, in this order in http_request.field. */
enum http_field {
	HTTP_ACCEPT,
	HTTP_ACCEPT_ENCODING,
	HTTP_AUTHORIZATION,
	HTTP_CONTENT_ENCODING,
	HTTP_CONTENT_TYPE,
	HTTP_IDEMPOTENCY_KEY,
	HTTP_IF_MATCH,
	HTTP_IF_NONE_MATCH,
	HTTP_TRACEPARENT,
	HTTP_FIELDS
};

#define HTTP_ARGS_MAX 16
#define HTTP_REQUEST_ID_MAX 64

struct http_arg {
	const char *name, *value; /* percent-decoded; value is "" when there was none */
};

/* Borrowed until the handler returns. */
struct http_request {
	const char *method; /* "GET" */
	/* Starts with '/'. Only what may stand in an id is percent-decoded (clients write ':' as
	 * %3A), so that no other spelling of '/' or NUL ever matches a route. */
	const char *path;
	struct http_arg args[HTTP_ARGS_MAX];
	size_t nargs;
	const char *field[HTTP_FIELDS]; /* NULL when absent */
	/* The client's X-Request-Id when sound, else made. Every reply carries it. */
	char request_id[HTTP_REQUEST_ID_MAX + 1];
	const char *body; /* NUL after body_len */
	size_t body_len;
	uint64_t now_us;  /* wall clock when the request was complete */
	uint64_t mono_us; /* monotonic, when the loop woke for its first line */
};

/* A body made piece by piece, for streams that follow the log. All calls from the loop thread. */
struct http_stream {
	/* Appends at most about 64 KiB to out. 1: there may be more at once. 0: the end.
	 * HTTP_STREAM_WAIT: nothing now; called again after the next http_wake(), at most 200 times
	 * a second; while draining it is the end. Negative: abort. */
	int (*next)(struct http_stream *s, struct buf *out);
	void (*free)(struct http_stream *s);
};
#define HTTP_STREAM_WAIT 2

#define HTTP_HEADERS_MAX 8

/* Zeroed before the handler runs; the handler always fills in status. */
struct http_response {
	int status;
	const char *content_type; /* static string */
	char *body;               /* malloc'd, handed over; may be NULL */
	size_t body_len;
	struct {
		const char *name; /* static string */
		char value[200];
	} header[HTTP_HEADERS_MAX];
	size_t nheaders;
	uint64_t ticket;            /* 0: send now; else: when app->durable() >= ticket */
	struct http_stream *stream; /* instead of body; owned by http from here on */
	const char *route;          /* template for metrics, static; "" when none matched */
};

/* Drops header values that do not fit (never happens with our own headers). */
void http_response_header(struct http_response *rs, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *http_request_arg(const struct http_request *rq, const char *name); /* or NULL */

/* Why http itself refuses or ends a request; also the label of banditd_http_rejected_total. */
enum http_refusal {
	HTTP_REFUSED_FRAMING,   /* 400, connection closed */
	HTTP_REFUSED_TOO_LARGE, /* 413, connection closed when the body was not read */
	HTTP_REFUSED_METHOD,    /* 501 for methods we do not know at all */
	HTTP_REFUSED_STORE,     /* 503: the ticket can never become durable */
	HTTP_REFUSED_DRAINING,  /* 503 while stopping */
	HTTP_REFUSED_MEMORY,    /* 503 */
	HTTP_REFUSED_TIMEOUT,   /* connection shut, no answer */
	HTTP_REFUSED_LIMIT,     /* connection not accepted */
	HTTP_REFUSALS
};

/* What http asks of the application. Every call comes from the loop thread. */
struct http_app {
	void *arg;
	/* Largest body this route takes; 0 when it takes none or the route is unknown: then a small
	 * body is read and dropped, and the request handled as if it had none. */
	size_t (*body_limit)(void *arg, const char *method, const char *path);
	void (*handle)(void *arg, const struct http_request *rq, struct http_response *rs);
	/* Renders a refusal as the application's error document. rq has no body and, before its
	 * head was sound, may lack fields; detail is a sentence or NULL. Sets no ticket. */
	void (*refuse)(void *arg, const struct http_request *rq, enum http_refusal why,
	    const char *detail, struct http_response *rs);
	/* A request is over: its status, route and time from the first byte. */
	void (*done)(void *arg, const char *route, int status, uint64_t elapsed_us);
	void (*refused)(void *arg, enum http_refusal why);
	uint64_t (*durable)(void *arg); /* the highest ticket that is on disk */
	bool (*failed)(void *arg);      /* the store failed: no further ticket becomes durable */
	/* A round of requests begins, or is over; optional. */
	void (*round)(void *arg, bool begins);
	/* Stopping begins: no new connections from here on; optional. */
	void (*draining)(void *arg);
};

struct http_options {
	const char *listen;   /* "127.0.0.1:8080", "[::1]:8080" or "unix:/path"; port 0 picks one */
	int listen_fd;        /* >= 0: an inherited listening socket instead */
	unsigned connections; /* in all */
	unsigned connections_per_address; /* 0: no limit */
	unsigned request_timeout_ms; /* from the request line (at first: the connect) to the end */
	unsigned reply_timeout_ms;   /* until the client has taken the reply */
	unsigned idle_timeout_ms;    /* between requests */
};

struct http;

/* Binds and listens; serves nobody before http_run. RC_IO with errno's text in err. */
int http_new(const struct http_options *o, const struct http_app *app, struct http **ret,
    struct errinfo *err);
/* The address of a socket in the form of `listen`. */
void http_listen_name(int fd, char *ret, size_t size);
/* "127.0.0.1:8080" as really bound, with the port. Borrowed. */
const char *http_address(const struct http *h);
/* Runs the loop in the calling thread until http_stop, then drains: no new connections, open
 * requests, and first ones of connections just made, are finished for at most drain_ms. */
int http_run(struct http *h, unsigned drain_ms);
void http_stop(struct http *h); /* any thread, signal handlers too */
void http_wake(struct http *h); /* any thread: durable() or failed() may have changed */
unsigned http_connections(const struct http *h); /* any thread */
/* Any thread, for a watchdog: has moved soon after http_wake(), or the loop hangs. */
unsigned http_turns(const struct http *h);
void http_free(struct http *h);

#endif
