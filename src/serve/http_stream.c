/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "serve/http_impl.h"

#define BLOCK (16 * 1024)
#define PIECE_MAX (1024 * 1024) /* a piece holds at least one event, however long */

struct http_streaming {
	struct http_conn *c;
	struct http_stream *s;
	struct buf out;
	size_t off; /* of out, sent */
	bool ended;
};

static void streaming_free(void *cls)
{
	struct http_streaming *st = cls;

	st->s->free(st->s);
	buf_release(&st->out);
	free(st);
}

static void wait_for_wake(struct http_conn *c)
{
	c->suspended = true;
	c->phase = HTTP_WORKING; /* it is not the client who is late */
	DL_APPEND2(c->http->waiting, c, wait_prev, wait_next);
	MHD_suspend_connection(c->mhd);
}

/* What ends too early must not look like the end, so the connection breaks. The library's own
 * END_WITH_ERROR would keep the descriptor open until all older connections have ended. */
static ssize_t break_off(struct http_conn *c)
{
	shutdown(c->fd, SHUT_RDWR);
	return MHD_CONTENT_READER_END_OF_STREAM;
}

static ssize_t give(void *cls, uint64_t pos, char *to, size_t max)
{
	struct http_streaming *st = cls;
	struct http_conn *c = st->c;
	size_t left = st->out.len - st->off;
	int rc;

	(void)pos;
	c->http->moved = true;
	if (left == 0) {
		if (st->ended) {
			return MHD_CONTENT_READER_END_OF_STREAM;
		}
		buf_reset(&st->out);
		st->off = 0;
		rc = c->gone ? RC_IO : st->s->next(st->s, &st->out);
		if (rc < 0 || st->out.rc) {
			return break_off(c);
		}
		left = st->out.len;
		st->ended = rc == 0 || (rc == HTTP_STREAM_WAIT && c->http->draining);
		if (left == 0) {
			if (st->ended) {
				return MHD_CONTENT_READER_END_OF_STREAM;
			}
			if (rc == HTTP_STREAM_WAIT) {
				wait_for_wake(c);
			}
			return 0;
		}
	}
	left = left < max ? left : max;
	memcpy(to, st->out.data + st->off, left);
	st->off += left;
	c->phase = HTTP_REPLYING;
	c->since_us = c->http->round_us;
	return (ssize_t)left;
}

struct MHD_Response *http_stream_reply(struct http_conn *c, struct http_stream *s)
{
	struct http_streaming *st = malloc(sizeof(*st));
	struct MHD_Response *r = NULL;

	if (st) {
		*st = (struct http_streaming){.c = c, .s = s};
		buf_init(&st->out, PIECE_MAX);
		r = MHD_create_response_from_callback(
		    MHD_SIZE_UNKNOWN, BLOCK, give, st, streaming_free);
	}
	if (!r) {
		free(st);
		s->free(s);
	}
	return r;
}

static void resume(struct http_conn *c)
{
	DL_DELETE2(c->http->waiting, c, wait_prev, wait_next);
	c->suspended = false;
	MHD_resume_connection(c->mhd);
}

void http_stream_resume(struct http *h)
{
	while (h->waiting) {
		resume(h->waiting);
	}
}

void http_stream_check(struct http *h)
{
	struct http_conn *c, *next;

	for (c = h->waiting; c; c = next) {
		char byte;
		ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		next = c->wait_next;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			c->gone = true;
			resume(c);
		}
	}
}
