/* SPDX-License-Identifier: Apache-2.0 */
/* What SIGHUP changes in a running daemon: all of it, or nothing. From the loop's thread. */
#ifndef SERVE_LIVE_H
#define SERVE_LIVE_H

#include "serve/api.h"
#include "serve/config.h"

struct live { /* read from files, not yet in force; zeroed: nothing */
	struct auth *auth;
	struct http_tls *tls;
};

int live_load(const struct config *c, struct live *ret, struct errinfo *err);
void live_release(struct live *l);
/* Puts in force what was loaded, which is given up, and the settings beside it. Cannot fail. */
void live_apply(struct live *l, const struct config *c, struct api *a, struct http *h);
/* Reads everything anew; `now` is what the daemon was started with. Tells the log what became of
 * it. */
void live_reload(int argc, char **argv, const struct config *now, struct api *a, struct http *h);

#endif
