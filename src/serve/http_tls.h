/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate chain and key that new connections are given. */
#ifndef SERVE_HTTP_TLS_H
#define SERVE_HTTP_TLS_H

#include "base/err.h"

struct http_tls;

/* PEM files; RC_INVALID when they cannot be read or do not belong together. */
int http_tls_load(const char *cert, const char *key, struct http_tls **ret, struct errinfo *err);
void http_tls_free(struct http_tls *t);
/* For every handshake from now on; t is taken over. One server a process. */
void http_tls_use(struct http_tls *t);
void http_tls_forget(void); /* when no connection is left */

#endif
