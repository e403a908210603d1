/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the HTTP API as a back end would have it: one connection that is kept, and the same
 * request again, with back-off, while the daemon is away or busy. So every request must be one that
 * may be repeated: ids and keys are the caller's. One thread. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

#define CLIENT_PATIENCE_US UINT64_C(60000000) /* how long a request is tried */

struct client;

/* url: http://HOST:PORT, or unix:PATH. RC_INVALID, RC_MEMORY. */
int client_new(const char *url, struct client **ret, struct errinfo *err);
void client_free(struct client *c); /* NULL is fine */
/* body may be NULL (none); it is borrowed. 0: an answer of 2xx, *ret is a new reference.
 * RC_CONFLICT (409), RC_NOT_FOUND (404), RC_INVALID (other 4xx), RC_IO (no answer in time),
 * RC_FAILED. */
int client_call(struct client *c, const char *method, const char *path, const json_t *body,
    json_t **ret, struct errinfo *err);
/* GET of what is not JSON: *ret is terminated, and borrowed until the next call. */
int client_text(struct client *c, const char *path, const char **ret, struct errinfo *err);
/* For how long a request is tried again; CLIENT_PATIENCE_US at first, 0: once. */
void client_set_patience(struct client *c, uint64_t us);
uint64_t client_retries(const struct client *c); /* requests that were sent again */

#endif
