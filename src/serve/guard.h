/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what, how often: tokens, scopes, experiments, rates. The one place where a request is
 * let in or not. One thread; what SIGHUP changes comes by guard_set(). */
#ifndef SERVE_GUARD_H
#define SERVE_GUARD_H

#include "serve/auth.h"
#include "serve/http.h"

/* Wrong tokens of one address: so many at once, and then one a second. */
#define GUARD_FAILURES_MAX 10
#define GUARD_ORIGIN_MAX 256

/* What of experiments a route shows. */
enum guard_object {
	GUARD_NOTHING,    /* nothing */
	GUARD_EXPERIMENT, /* that of the path */
	GUARD_SOME,       /* several: the handler leaves out what the token does not see */
	GUARD_ALL,        /* all: not for a token that sees some only */
};

struct guard;

struct guard_ask {
	unsigned scope; /* one of AUTH_..., 0: open */
	enum guard_object object;
	const char *experiment; /* of the path */
};

int guard_new(struct guard **ret);
void guard_free(struct guard *g);
/* Takes auth over; NULL: nobody is asked for a token. rate: requests a second of each token, or of
 * all together without tokens; 0: no limit. origin: whose pages may call, "": nobody's. */
void guard_set(struct guard *g, struct auth *auth, unsigned rate, const char *origin);
/* 0 with the token (NULL: none is asked for), or the problem in err with its headers in rs. */
int guard_check(struct guard *g, const struct http_request *rq, const struct guard_ask *ask,
    struct http_response *rs, const struct auth_token **ret, struct errinfo *err);
/* The same without counting: is a body worth reading? Keeps the digest of its token in rq. */
bool guard_may(struct guard *g, struct http_request *rq, const struct guard_ask *ask);
/* Cross-origin requests: the headers that let a page of the configured origin read the answer. */
void guard_origin(const struct guard *g, const struct http_request *rq, struct http_response *rs);
/* Answers a preflight for a path with these methods; false: it is none, or not of our origin. */
bool guard_preflight(const struct guard *g, const struct http_request *rq, const char *methods,
    struct http_response *rs);

#endif
