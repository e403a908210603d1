/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/notify.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "autoconf.h"
#include "base/clock.h"
#include "serve/engine_probe.h"

#ifdef HAVE_SYSTEMD
#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#define TELL_US (CLOCK_SECOND_US / 2)
#define EXTEND_US (60 * CLOCK_SECOND_US) /* far more than lies between two reports */
#define CHECKS_PER_TIMEOUT 4

struct notify_watch {
	struct http *http;
	struct engine *engine;
	uint64_t period_us;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping; /* guarded by lock */
};

int notify_listen_fd(int *ret_fd, struct errinfo *err)
{
	int n = sd_listen_fds(1);

	*ret_fd = -1;
	if (n <= 0) {
		return n == 0 ? 0
			      : err_set(err, RC_INVALID, "listen_failed", "LISTEN_FDS",
				    "the passed sockets cannot be taken");
	}
	if (n > 1) {
		return err_set(err, RC_INVALID, "listen_failed", "LISTEN_FDS",
		    "%d sockets were passed, and one is served", n);
	}
	if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
		return err_set(err, RC_INVALID, "listen_failed", "LISTEN_FDS",
		    "what was passed is not a listening stream socket");
	}
	*ret_fd = SD_LISTEN_FDS_START;
	return 0;
}

void notify_recovering(uint64_t done, uint64_t experiments, uint64_t events)
{
	static uint64_t told_us; /* the starting thread's alone */
	uint64_t now_us = clock_mono_us();

	if (told_us && now_us - told_us < TELL_US) {
		return;
	}
	told_us = now_us;
	sd_notifyf(0,
	    "EXTEND_TIMEOUT_USEC=%llu\nSTATUS=Recovering: %llu of %llu experiments, %llu events",
	    (unsigned long long)EXTEND_US, (unsigned long long)done,
	    (unsigned long long)experiments, (unsigned long long)events);
}

void notify_ready(const char *address)
{
	sd_notifyf(0, "READY=1\nSTATUS=Serving on %s", address);
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the settings again",
	    (unsigned long long)clock_mono_us());
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Finishing open requests");
}

/* False: stop. */
static bool wait_for_check(struct notify_watch *w)
{
	uint64_t until_us = clock_mono_us() + w->period_us;
	struct timespec t = {.tv_sec = (time_t)(until_us / CLOCK_SECOND_US),
	    .tv_nsec = (long)(until_us % CLOCK_SECOND_US) * 1000};
	bool stopping;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping && clock_mono_us() < until_us) {
		pthread_cond_timedwait(&w->wake, &w->lock, &t);
	}
	stopping = w->stopping;
	pthread_mutex_unlock(&w->lock);
	return !stopping;
}

static void *watch(void *arg)
{
	struct notify_watch *w = arg;
	unsigned turns = http_turns(w->http);
	uint64_t probes = 0;

	do {
		unsigned now_turns = http_turns(w->http);
		uint64_t now_probes = probes;

		if (engine_probe(w->engine, clock_steady_us(), &now_probes) == 0 &&
		    now_turns != turns && now_probes != probes) {
			sd_notify(0, "WATCHDOG=1");
			turns = now_turns;
			probes = now_probes;
		}
		http_wake(w->http); /* an idle loop sleeps: it has to come round for the next */
	} while (wait_for_check(w));
	return NULL;
}

int notify_watch_start(struct http *h, struct engine *g, struct notify_watch **ret)
{
	struct notify_watch *w;
	pthread_condattr_t attr;
	uint64_t timeout_us;

	*ret = NULL;
	if (sd_watchdog_enabled(0, &timeout_us) <= 0) {
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		return RC_MEMORY;
	}
	w->http = h;
	w->engine = g;
	w->period_us = timeout_us / CHECKS_PER_TIMEOUT;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&w->thread, NULL, watch, w)) {
		pthread_cond_destroy(&w->wake);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return RC_FAILED;
	}
	*ret = w;
	return 0;
}

void notify_watch_stop(struct notify_watch *w)
{
	if (!w) {
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

#else

int notify_listen_fd(int *ret_fd, struct errinfo *err)
{
	(void)err;
	*ret_fd = -1;
	return 0;
}

void notify_recovering(uint64_t done, uint64_t experiments, uint64_t events)
{
	(void)done;
	(void)experiments;
	(void)events;
}

void notify_ready(const char *address)
{
	(void)address;
}

void notify_reloading(void)
{
}

void notify_stopping(void)
{
}

int notify_watch_start(struct http *h, struct engine *g, struct notify_watch **ret)
{
	(void)h;
	(void)g;
	*ret = NULL;
	return 0;
}

void notify_watch_stop(struct notify_watch *w)
{
	(void)w;
}

#endif
