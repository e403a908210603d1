/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

/* Addresses that share a place share what they may get wrong; right tokens are never held up, so
 * nobody gains by that, and memory stays what it is. */
#define PLACES 4096

struct guard {
	struct auth *auth;
	unsigned rate;
	char origin[GUARD_ORIGIN_MAX];
	struct bucket all; /* without tokens */
	unsigned char key[HASH_KEY_BYTES];
	struct bucket failures[PLACES];
};

int guard_new(struct guard **ret)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g) {
		return RC_MEMORY;
	}
	hash_random(g->key, sizeof(g->key));
	*ret = g;
	return 0;
}

void guard_free(struct guard *g)
{
	if (g) {
		auth_free(g->auth);
		free(g);
	}
}

void guard_set(struct guard *g, struct auth *auth, unsigned rate, const char *origin)
{
	auth_free(g->auth);
	g->auth = auth;
	g->rate = rate;
	snprintf(g->origin, sizeof(g->origin), "%s", origin);
}

static const char *scope_name(unsigned scope)
{
	return scope == AUTH_DECIDE   ? "decide"
	       : scope == AUTH_REWARD ? "reward"
	       : scope == AUTH_READ   ? "read"
				      : "admin";
}

/* Of the token, not itself: another table may have come while the body was read. */
struct kept {
	bool set;
	unsigned char digest[AUTH_DIGEST_BYTES];
};

static struct kept keep(const struct http_request *rq)
{
	const char *header = rq->field[HTTP_AUTHORIZATION];
	struct kept k;

	_Static_assert(sizeof(k) <= sizeof(rq->kept), "it is kept there");
	memcpy(&k, rq->kept, sizeof(k));
	if (!k.set && header) {
		k.set = auth_digest(header, k.digest);
	}
	return k;
}

static struct auth_token *token_of(struct guard *g, const struct kept *k)
{
	return k->set ? auth_find(g->auth, k->digest, clock_wall_us()) : NULL;
}

/* Of an IPv6 address its network: a host has 2^64 of them. */
static struct bucket *place_of(struct guard *g, const unsigned char peer[HTTP_PEER_BYTES])
{
	static const unsigned char v4[12] = {[10] = 0xff, [11] = 0xff};
	size_t n = memcmp(peer, v4, sizeof(v4)) == 0 ? HTTP_PEER_BYTES : HTTP_PEER_BYTES / 2;

	return &g->failures[hash_keyed(g->key, peer, n) % PLACES];
}

static int refuse_stranger(
    struct guard *g, const struct http_request *rq, struct http_response *rs, struct errinfo *err)
{
	bool given = rq->field[HTTP_AUTHORIZATION] != NULL;

	if (given && !bucket_take(place_of(g, rq->peer), 1, GUARD_FAILURES_MAX, rq->mono_us)) {
		return err_set(
		    err, RC_BUSY, "rate_limited", "", "too many wrong tokens from this address");
	}
	http_response_header(rs, "WWW-Authenticate", "Bearer realm=\"banditd\"%s",
	    given ? ", error=\"invalid_token\"" : "");
	if (given) {
		log_event(LOG_AUTH, LOG_NOTICE, "wrong token", "request_id", rq->request_id, NULL);
	}
	return err_set(err, RC_INVALID, "unauthorised", "",
	    given ? "the token is unknown or has expired" : "this route needs a token");
}

static int check_rate(struct guard *g, struct bucket *b, const struct http_request *rq,
    struct http_response *rs, struct errinfo *err)
{
	bool taken;

	if (g->rate == 0) {
		return 0;
	}
	taken = bucket_take(b, g->rate, g->rate, rq->mono_us);
	http_response_header(rs, "RateLimit-Policy", "\"default\";q=%u;w=1", g->rate);
	http_response_header(rs, "RateLimit", "\"default\";r=%u;t=1", bucket_left(b, g->rate));
	return taken ? 0
		     : err_set(err, RC_BUSY, "rate_limited", "", "at most %u requests a second",
			   g->rate);
}

static bool allows(const struct auth_token *t, const struct guard_ask *ask)
{
	if (!(t->scopes & ask->scope)) {
		return false;
	}
	switch (ask->object) {
	case GUARD_EXPERIMENT:
		return auth_sees(t, ask->experiment);
	case GUARD_ALL:
		return t->npatterns == 0;
	case GUARD_NOTHING:
	case GUARD_SOME:
		break;
	}
	return true;
}

bool guard_may(struct guard *g, struct http_request *rq, const struct guard_ask *ask)
{
	const struct auth_token *t;
	struct kept k;

	if (ask->scope == 0 || !g->auth) {
		return true;
	}
	k = keep(rq);
	memcpy(rq->kept, &k, sizeof(k));
	t = token_of(g, &k);
	return t && allows(t, ask);
}

int guard_check(struct guard *g, const struct http_request *rq, const struct guard_ask *ask,
    struct http_response *rs, const struct auth_token **ret, struct errinfo *err)
{
	struct auth_token *t;
	struct kept k;
	int rc;

	*ret = NULL;
	if (ask->scope == 0) {
		return 0;
	}
	if (!g->auth) {
		return check_rate(g, &g->all, rq, rs, err);
	}
	k = keep(rq);
	t = token_of(g, &k);
	if (!t) {
		return refuse_stranger(g, rq, rs, err);
	}
	*ret = t;
	rc = check_rate(g, &t->bucket, rq, rs, err);
	if (rc || allows(t, ask)) {
		return rc;
	}
	http_response_header(rs, "WWW-Authenticate",
	    "Bearer realm=\"banditd\", error=\"insufficient_scope\", scope=\"%s\"",
	    scope_name(ask->scope));
	if (t->scopes & ask->scope) {
		return err_set(
		    err, RC_INVALID, "forbidden", "", "the token is for other experiments");
	}
	return err_set(err, RC_INVALID, "forbidden", "", "the token lacks the scope %s",
	    scope_name(ask->scope));
}

static bool is_ours(const struct guard *g, const struct http_request *rq)
{
	const char *origin = rq->field[HTTP_ORIGIN];

	return g->origin[0] && origin && strcmp(origin, g->origin) == 0;
}

void guard_origin(const struct guard *g, const struct http_request *rq, struct http_response *rs)
{
	if (!g->origin[0]) {
		return;
	}
	http_response_header(rs, "Vary", "Origin");
	if (is_ours(g, rq)) {
		http_response_header(rs, "Access-Control-Allow-Origin", "%s", g->origin);
		http_response_header(rs, "Access-Control-Expose-Headers",
		    "ETag, Link, RateLimit, Retry-After, X-Request-Id");
	}
}

bool guard_preflight(const struct guard *g, const struct http_request *rq, const char *methods,
    struct http_response *rs)
{
	if (strcmp(rq->method, "OPTIONS") != 0 || !is_ours(g, rq)) {
		return false;
	}
	rs->status = 204;
	http_response_header(rs, "Access-Control-Allow-Methods", "%s", methods);
	http_response_header(rs, "Access-Control-Allow-Headers",
	    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id");
	http_response_header(rs, "Access-Control-Max-Age", "600");
	return true;
}
