/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind http.h share. Everything here belongs to the loop thread, except the
 * atomics of struct http. */
#ifndef SERVE_HTTP_IMPL_H
#define SERVE_HTTP_IMPL_H

#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/http.h"

/* A body that nobody wants is read and dropped up to here, so that the client sees the answer
 * instead of a reset; beyond it the connection is closed. */
#define HTTP_DISCARD_MAX (1024 * 1024)

/* Bodies of all connections together; who comes beyond it is answered 503. */
#define HTTP_BODIES_MAX ((size_t)256 << 20)

enum http_phase {
	HTTP_FRESH,    /* accepted, its first request is not complete */
	HTTP_IDLE,     /* between requests */
	HTTP_READING,  /* has a request line, not yet the whole request */
	HTTP_WORKING,  /* the request is complete: nothing here depends on the client */
	HTTP_REPLYING, /* the client has to take bytes */
	HTTP_SHUT,     /* we shut the socket; it is about to close */
};

/* What the head of a request says about its framing. */
struct http_head {
	const char *wrong; /* the first thing that is; NULL when sound */
	const char *encoding;
	uintptr_t at; /* where the next line has to begin; 0: not checked */
	uint64_t length;
	unsigned hosts, lengths, encodings, request_ids;
	bool expects; /* 100-continue */
};

struct http_streaming;

/* One connection, for its whole life; the request part is reused. */
struct http_conn {
	struct http *http;
	struct MHD_Connection *mhd;
	struct http_conn *prev, *next;           /* of all */
	struct http_conn *wait_prev, *wait_next; /* of suspended streams */
	enum http_phase phase;
	uint64_t since_us; /* when the phase began; streams: when the client last took something */
	int fd;
	bool suspended, gone;
	bool reused; /* had a request before */

	bool begun;           /* the head was checked */
	char *target;         /* as sent, while it is being parsed */
	uintptr_t target_end; /* where the version has to begin */
	struct http_head head;
	struct http_request rq;
	char *body;
	size_t body_len, body_cap, body_max;
	uint64_t dropped;
	bool drop;        /* throw the rest of the body away ... */
	bool has_refusal; /* ... and answer with: */
	enum http_refusal refusal;

	struct MHD_Response *held; /* the answer, until its ticket is durable */
	uint64_t ticket;
	int status; /* 0 until answered */
	const char *route;
};

struct http {
	struct http_options o;
	struct http_app app;
	struct MHD_Daemon *daemon;
	int listen_fd, epoll_fd, event_fd;
	char *unlink_path; /* of the socket file we made */
	char address[128];

	atomic_bool stop, asleep, reload;
	atomic_uint wakes, open, turns;

	bool check_lines; /* the library lays a head out as http_framing.c knows it */
	struct http_conn *conns, *waiting;
	size_t bodies;    /* bytes of all bodies */
	unsigned held;    /* connections that wait for a ticket */
	uint64_t durable; /* as the application said when the round began */
	bool failed, draining;
	bool moved;      /* this round did something, so the next may find more */
	bool stream_due; /* a wake came since the streams were resumed */
	uint64_t round_us, swept_us, sweep_us, streamed_us;
	uint64_t id_base, id_count;
};

/* http_listen.c: sockets. RC_IO or RC_INVALID in err; the path of a new socket file is malloc'd. */
int http_listen(const char *where, int *ret_fd, char **ret_path, struct errinfo *err);

/* http_framing.c: fills c->rq and c->head from what the library parsed; c->head.wrong tells. */
void http_framing_read(
    struct http_conn *c, const char *url, const char *method, const char *version);
/* Decodes in place only what may stand in an id or name, so that %2F, %00 and the like stay what
 * they are and match no route. Returns the new length. */
size_t http_framing_unescape(char *path);

/* http_conn.c: callbacks of the library */
enum MHD_Result http_conn_handle(void *cls, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *data, size_t *size, void **req_cls);
void http_conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_cls,
    enum MHD_ConnectionNotificationCode what);
void *http_conn_target(void *cls, const char *uri, struct MHD_Connection *mhd);
size_t http_conn_unescape(void *cls, struct MHD_Connection *mhd, char *s);
void http_conn_completed(
    void *cls, struct MHD_Connection *mhd, void **req_cls, enum MHD_RequestTerminationCode why);
/* Shuts connections that overstayed. */
void http_conn_sweep(struct http *h);
/* Shuts connections that are between requests. */
void http_conn_shut_idle(struct http *h);

/* http_tls.c: gnutls_certificate_retrieve_function2 */
int http_tls_give(gnutls_session_t session, const gnutls_datum_t *authorities, int nauthorities,
    const gnutls_pk_algorithm_t *algorithms, int nalgorithms, gnutls_pcert_st **ret_chain,
    unsigned *ret_n, gnutls_privkey_t *ret_key);

/* http_stream.c: a reply made by s, which it owns; NULL (and s is freed) without memory.
 * A wake resumes the streams, but no more often than this. */
#define HTTP_STREAM_US 5000
struct MHD_Response *http_stream_reply(struct http_conn *c, struct http_stream *s);
void http_stream_resume(struct http *h); /* all that wait */
void http_stream_check(struct http *h);  /* resumes those whose client has gone */

#endif
