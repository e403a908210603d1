/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told and asked: sd_notify(3), sd_watchdog_enabled(3) and
 * sd_listen_fds(3). Without libsystemd, or when nobody started us that way, each does nothing. */
#ifndef SERVE_NOTIFY_H
#define SERVE_NOTIFY_H

#include <stdint.h>

#include "serve/engine.h"
#include "serve/http.h"

/* The listening socket that was passed; -1: none, we bind ourselves. RC_INVALID: more than one, or
 * not a listening stream socket. Call once, before any thread. */
int notify_listen_fd(int *ret_fd, struct errinfo *err);
/* While the log is folded: so many of the experiments, so many events. Asks for more time; tells at
 * most twice a second. */
void notify_recovering(uint64_t done, uint64_t experiments, uint64_t events);
/* Requests are answered, from the start or again after notify_reloading(). */
void notify_ready(const char *address);
void notify_reloading(void);
void notify_stopping(void);

/* Feeds the watchdog from a thread of its own: a keep-alive goes out only when since the last one
 * the loop's thread has moved, the engine has made a decision and the store has synced a commit
 * that such a decision was queued for. */
struct notify_watch;
/* *ret is NULL when nobody asks for keep-alives. RC_MEMORY, RC_FAILED (no thread). Both outlive the
 * watch. */
int notify_watch_start(struct http *h, struct engine *g, struct notify_watch **ret);
void notify_watch_stop(struct notify_watch *w); /* NULL is fine */

#endif
