/* SPDX-License-Identifier: Apache-2.0 */
/* The loop. It is our own because the library's stalls when exactly as many connections are ready
 * as it asks epoll for, and because the commit thread must be able to wake it. */
#include "serve/http.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "serve/http_impl.h"

/* The most a head may take. The library zeroes all of it after each request, so it is not larger.
 */
#define CONNECTION_MEMORY (16 * 1024)
/* While tickets are awaited the library cannot say whether it has more to do: look again soon. */
#define HELD_POLL_MS 1
#define SWEEP_MIN_MS 10
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define SWEEP_MAX_MS 500

void http_response_header(struct http_response *rs, const char *name, const char *fmt, ...)
{
	size_t size = sizeof(rs->header[0].value);
	va_list ap;
	int n;

	if (rs->nheaders == HTTP_HEADERS_MAX) {
		return;
	}
	va_start(ap, fmt);
	n = vsnprintf(rs->header[rs->nheaders].value, size, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < size) {
		rs->header[rs->nheaders++].name = name;
	}
}

const char *http_request_arg(const struct http_request *rq, const char *name)
{
	for (size_t i = 0; i < rq->nargs; i++) {
		if (!strcmp(rq->args[i].name, name)) {
			return rq->args[i].value;
		}
	}
	return NULL;
}

/* The library tells of what it refuses by itself only here. */
static void log_library(void *cls, const char *fmt, va_list ap)
{
	struct http *h = cls;
	char text[300];
	size_t n;

	if (!strncmp(fmt, "Error processing request", 24)) {
		h->app.refused(h->app.arg, HTTP_REFUSED_FRAMING);
	} else if (!strncmp(fmt, "Server reached connection limit", 31)) {
		h->app.refused(h->app.arg, HTTP_REFUSED_LIMIT);
	}
	vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	if (n && text[n - 1] == '\n') {
		text[n - 1] = '\0';
	}
	log_event(LOG_HTTP, LOG_DEBUG, "http", "library", text, NULL);
}

/* How often to look for connections that overstayed: a tenth of the shortest deadline. */
static unsigned sweep_ms(const struct http_options *o)
{
	const unsigned each[] = {o->request_timeout_ms, o->reply_timeout_ms, o->idle_timeout_ms};
	unsigned ms = SWEEP_MAX_MS;

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		if (each[i] && each[i] / 10 < ms) {
			ms = each[i] / 10;
		}
	}
	return ms < SWEEP_MIN_MS ? SWEEP_MIN_MS : ms;
}

static int start_library(struct http *h, struct errinfo *err)
{
	const struct http_options *o = &h->o;
	const union MHD_DaemonInfo *info;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
	    {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)http_tls_give},
	    {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES}, {MHD_OPTION_END, 0, NULL}};

	if (!o->tls) {
		tls[0].option = MHD_OPTION_END;
	}
	h->daemon = MHD_start_daemon(o->tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL,
	    http_conn_handle, h, MHD_OPTION_EXTERNAL_LOGGER, log_library, h,
	    MHD_OPTION_LISTEN_SOCKET, h->listen_fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, o->connections,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_address,
	    MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_NOTIFY_CONNECTION, http_conn_notify, h,
	    MHD_OPTION_NOTIFY_COMPLETED, http_conn_completed, h, MHD_OPTION_URI_LOG_CALLBACK,
	    http_conn_target, h, MHD_OPTION_UNESCAPE_CALLBACK, http_conn_unescape, h,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	info = h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		return err_set(err, RC_IO, "http_failed", "", "the HTTP library does not start: %s",
		    strerror(errno));
	}
	h->epoll_fd = info->epoll_fd;
	return 0;
}

int http_new(const struct http_options *o, const struct http_app *app, struct http **ret,
    struct errinfo *err)
{
	struct http *h = calloc(1, sizeof(*h));
	int rc = 0;

	if (!h) {
		return err_set(err, RC_MEMORY, "memory", "", "out of memory");
	}
	h->o = *o;
	h->app = *app;
	h->listen_fd = o->listen_fd;
	h->sweep_us = sweep_ms(o) * UINT64_C(1000);
	h->round_us = clock_mono_us();
	h->check_lines = !strcmp(MHD_get_version(), "0.9.75"); /* later ones refuse by themselves */
	hash_random(&h->id_base, sizeof(h->id_base));
	signal(SIGPIPE, SIG_IGN);
	h->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (h->event_fd < 0) {
		rc = err_set(err, RC_IO, "http_failed", "", "eventfd: %s", strerror(errno));
		goto fail;
	}
	if (h->listen_fd < 0) {
		rc = http_listen(o->listen, &h->listen_fd, &h->unlink_path, err);
	} else {
		/* The library accepts until it would block. */
		fcntl(h->listen_fd, F_SETFL, fcntl(h->listen_fd, F_GETFL) | O_NONBLOCK);
	}
	if (!rc) {
		http_listen_name(h->listen_fd, h->address, sizeof(h->address));
		rc = start_library(h, err);
	}
	if (!rc) {
		*ret = h;
		return 0;
	}
fail:
	http_free(h);
	return rc;
}

const char *http_address(const struct http *h)
{
	return h->address;
}

static int timeout_ms(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG due;
	int ms =
	    atomic_load_explicit(&h->open, memory_order_relaxed) ? (int)(h->sweep_us / 1000) : -1;

	if (h->moved) {
		return 0;
	}
	if (MHD_get_timeout(h->daemon, &due) == MHD_YES) {
		ms = h->held ? HELD_POLL_MS : 0;
	} else if (h->stream_due && h->waiting) {
		ms = 1;
	}
	return h->draining && (ms < 0 || ms > SWEEP_MIN_MS) ? SWEEP_MIN_MS : ms;
}

/* Returns when something may be ready. `seen` is the count of wakes this round has answered: one
 * that came since is noticed without a system call, on this side as on the waker's. */
static void sleep_until_due(struct http *h, unsigned seen)
{
	struct pollfd fds[2] = {
	    {.fd = h->epoll_fd, .events = POLLIN},
	    {.fd = h->event_fd, .events = POLLIN},
	};
	int ms = timeout_ms(h);
	uint64_t count;

	if (ms == 0) {
		return;
	}
	atomic_store(&h->asleep, true);
	if (atomic_load(&h->wakes) == seen && poll(fds, 2, ms) > 0 && fds[1].revents &&
	    read(h->event_fd, &count, sizeof(count)) < 0) {
		log_event(
		    LOG_HTTP, LOG_WARNING, "eventfd_read_failed", "error", strerror(errno), NULL);
	}
	atomic_store(&h->asleep, false);
}

static void run_round(struct http *h)
{
	unsigned seen = atomic_load(&h->wakes);

	h->round_us = clock_mono_us();
	if (atomic_exchange_explicit(&h->reload, false, memory_order_relaxed) && h->o.reload) {
		h->o.reload(h->o.reload_arg);
	}
	/* In this order: what became durable before the failure is answered as such. */
	h->failed = h->app.failed(h->app.arg);
	h->durable = h->app.durable(h->app.arg);
	h->moved = false;
	if (h->stream_due && h->round_us - h->streamed_us >= HTTP_STREAM_US) {
		h->stream_due = false;
		h->streamed_us = h->round_us;
		http_stream_resume(h);
	}
	if (h->round_us - h->swept_us >= h->sweep_us) {
		h->swept_us = h->round_us;
		http_conn_sweep(h);
		http_stream_check(h);
	}
	if (h->app.round) {
		h->app.round(h->app.arg, true);
	}
	MHD_run(h->daemon);
	if (h->app.round) {
		h->app.round(h->app.arg, false);
	}
	atomic_fetch_add_explicit(&h->turns, 1, memory_order_relaxed);
	sleep_until_due(h, seen);
	if (atomic_load_explicit(&h->wakes, memory_order_relaxed) != seen) {
		h->stream_due = true;
	}
}

static void stop_library(struct http *h)
{
	if (!h->daemon) {
		return;
	}
	MHD_quiesce_daemon(h->daemon);
	h->draining = true;
	http_stream_resume(h); /* stopping with one suspended is a panic there */
	MHD_stop_daemon(h->daemon);
	h->daemon = NULL;
}

int http_run(struct http *h, unsigned drain_ms)
{
	uint64_t until;

	while (!atomic_load_explicit(&h->stop, memory_order_relaxed)) {
		run_round(h);
	}
	MHD_quiesce_daemon(h->daemon);
	h->draining = true;
	/* Else who connects now would wait for an answer until we are gone. A socket that was
	 * passed stays open elsewhere, and they wait for our successor. */
	close(h->listen_fd);
	h->listen_fd = -1;
	if (h->app.draining) {
		h->app.draining(h->app.arg);
	}
	http_conn_shut_idle(h);
	http_stream_resume(h);
	until = clock_mono_us() + drain_ms * UINT64_C(1000);
	while (atomic_load(&h->open) && clock_mono_us() < until) {
		run_round(h);
		http_conn_shut_idle(h); /* streams end only now */
	}
	stop_library(h);
	return 0;
}

void http_wake(struct http *h)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_fetch_add(&h->wakes, 1);
	if (atomic_exchange(&h->asleep, false) && write(h->event_fd, &one, sizeof(one)) < 0) {
		errno = saved; /* the counter is full, so it is readable as well */
	}
}

void http_stop(struct http *h)
{
	atomic_store(&h->stop, true);
	http_wake(h);
}

void http_reload(struct http *h)
{
	atomic_store(&h->reload, true);
	http_wake(h);
}

void http_set_timeouts(struct http *h, unsigned request_ms, unsigned reply_ms, unsigned idle_ms)
{
	h->o.request_timeout_ms = request_ms;
	h->o.reply_timeout_ms = reply_ms;
	h->o.idle_timeout_ms = idle_ms;
	h->sweep_us = sweep_ms(&h->o) * UINT64_C(1000);
}

unsigned http_connections(const struct http *h)
{
	return atomic_load(&h->open);
}

unsigned http_turns(const struct http *h)
{
	return atomic_load(&h->turns);
}

void http_free(struct http *h)
{
	if (!h) {
		return;
	}
	stop_library(h);
	if (h->listen_fd >= 0) {
		close(h->listen_fd);
	}
	if (h->unlink_path) {
		unlink(h->unlink_path);
		free(h->unlink_path);
	}
	if (h->event_fd >= 0) {
		close(h->event_fd);
	}
	free(h);
}
