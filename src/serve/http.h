/* SPDX-License-Identifier: Apache-2.0 */
/* All of libmicrohttpd. One thread owns the loop, every connection and every callback below; it
 * collects a bounded request, calls the application once, and sends the answer when the ticket in
 * it is durable. The application never sees libmicrohttpd. */
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
	HTTP_ORIGIN,
	HTTP_TRACEPARENT,
	HTTP_FIELDS
};

#define HTTP_ARGS_MAX 16
#define HTTP_REQUEST_ID_MAX 64
#define HTTP_PEER_BYTES 16
#define HTTP_HEADERS_MAX 12

struct http_arg {
	const char *name, *value; /* percent-decoded; value is "" when there was none */
};

/* Borrowed until the handler returns. */
struct http_request {
	const char *method; /* "GET" */
	/* Only what may stand in an id is percent-decoded: '/' and NUL have one spelling. */
	const char *path;
	struct http_arg args[HTTP_ARGS_MAX];
	size_t nargs;
	const char *field[HTTP_FIELDS]; /* NULL when absent */
	/* The client's X-Request-Id when sound, else made. Every reply carries it. */
	char request_id[HTTP_REQUEST_ID_MAX + 1];
	unsigned char peer[HTTP_PEER_BYTES]; /* its IPv6 address, IPv4 mapped; zeroes: unix */
	const char *body;                    /* NUL after body_len */
	size_t body_len;
	uint64_t now_us;        /* clock_steady_us() when the request was complete */
	uint64_t mono_us;       /* monotonic, when the loop woke for its first line */
	unsigned char kept[33]; /* the application's, from body_limit() on; zeroes at first */
};

/* A body made piece by piece, for streams that follow the log. All calls from the loop thread. */
struct http_stream {
	/* Appends some 64 KiB at most. 1: maybe more at once. 0: the end. HTTP_STREAM_WAIT: again
	 * after a wake, 200 times a second at most; when draining, the end. Negative: abort. */
	int (*next)(struct http_stream *s, struct buf *out);
	void (*free)(struct http_stream *s);
};
#define HTTP_STREAM_WAIT 2

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
	/* The largest body that is taken; 0: a small one is read and dropped. */
	size_t (*body_limit)(void *arg, struct http_request *rq);
	void (*handle)(void *arg, const struct http_request *rq, struct http_response *rs);
	/* Renders a refusal. rq has no body and may lack fields; detail is a sentence or NULL. */
	void (*refuse)(void *arg, const struct http_request *rq, enum http_refusal why,
	    const char *detail, struct http_response *rs);
	/* A request is over, after so long from its first byte; its body may be gone. */
	void (*done)(void *arg, const struct http_request *rq, const char *route, int status,
	    uint64_t elapsed_us);
	void (*refused)(void *arg, enum http_refusal why);
	uint64_t (*durable)(void *arg); /* the highest ticket that is on disk */
	bool (*failed)(void *arg);      /* the store failed: no further ticket becomes durable */
	void (*round)(void *arg, bool begins); /* of requests begins, or is over; optional */
	void (*draining)(void *arg);           /* no new connections from here on; optional */
};

struct http_options {
	const char *listen;   /* "127.0.0.1:8080", "[::1]:8080" or "unix:/path"; port 0 picks one */
	int listen_fd;        /* >= 0: an inherited listening socket instead */
	unsigned connections; /* in all */
	unsigned connections_per_address; /* 0: no limit */
	unsigned request_timeout_ms; /* from the request line (at first: the connect) to the end */
	unsigned reply_timeout_ms;   /* until the client has taken the reply */
	unsigned idle_timeout_ms;    /* between requests */
	bool tls;                    /* what http_tls_use() was given; else it is plain */
	void (*reload)(void *arg);   /* optional; after http_reload() */
	void *reload_arg;
};

struct http;
/* Binds and listens; serves nobody before http_run. RC_IO. */
int http_new(const struct http_options *o, const struct http_app *app, struct http **ret,
    struct errinfo *err);
void http_listen_name(int fd, char *ret, size_t size); /* a socket's, in the form of `listen` */
const char *http_address(const struct http *h); /* as really bound, with the port; borrowed */
/* Runs the loop in the calling thread until http_stop, then drains: no new connections, open
 * requests, and first ones of connections just made, are finished for at most drain_ms. */
int http_run(struct http *h, unsigned drain_ms);
void http_stop(struct http *h);   /* any thread, signal handlers too */
void http_reload(struct http *h); /* the same: the loop calls o.reload between requests */
/* The loop's thread, or before http_run(). */
void http_set_timeouts(struct http *h, unsigned request_ms, unsigned reply_ms, unsigned idle_ms);
void http_wake(struct http *h); /* any thread: durable() or failed() may have changed */
unsigned http_connections(const struct http *h); /* any thread */
unsigned http_turns(const struct http *h); /* any thread: moves after http_wake(), or it hangs */
void http_free(struct http *h);

#endif
