/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog over a real datagram socket: it is fed while decisions are made, and by nothing
 * else. What is held here cannot be held from outside a daemon. */
#include "serve/notify.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "autoconf.h"
#include "serve/engine_impl.h"
#include "tests/unit/engine_rig.h"

#ifdef HAVE_SYSTEMD

#define TIMEOUT_US "200000" /* it looks four times in it */
#define SILENCE_MS 500      /* ten looks */
#define WAIT_MS 30000

struct service {
	struct engine_rig r;
	struct http *http;
	struct notify_watch *watch;
	pthread_t loop;
	pthread_mutex_t held; /* by the test: the loop hangs */
	int fd;
};

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static uint64_t nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void pass_through(void *arg, bool begins)
{
	struct service *w = arg;

	(void)begins;
	pthread_mutex_lock(&w->held);
	pthread_mutex_unlock(&w->held);
}

static void *run_loop(void *arg)
{
	http_run(((struct service *)arg)->http, 0);
	return NULL;
}

/* The manager's end, and what it tells a service by the environment. */
static void listen_as_manager(struct service *w)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/test_notify_%d", (int)getpid());
	unlink(a.sun_path);
	w->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(w->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	setenv("WATCHDOG_USEC", TIMEOUT_US, 1);
	unsetenv("WATCHDOG_PID");
}

static void start(struct service *w)
{
	const struct http_options o = {.listen = "127.0.0.1:0",
	    .listen_fd = -1,
	    .connections = 1,
	    .request_timeout_ms = 1000,
	    .reply_timeout_ms = 1000,
	    .idle_timeout_ms = 1000};
	const struct http_app app = {
	    .arg = w, .durable = nothing, .failed = never, .round = pass_through};

	rig_init(&w->r, &store_memory);
	rig_open(&w->r);
	rig_make(&w->r, "one", NULL);
	rig_drain(&w->r);
	listen_as_manager(w);
	pthread_mutex_init(&w->held, NULL);
	ck_assert_int_eq(http_new(&o, &app, &w->http, &w->r.err), 0);
	ck_assert_int_eq(pthread_create(&w->loop, NULL, run_loop, w), 0);
	ck_assert_int_eq(notify_watch_start(w->http, w->r.g, &w->watch), 0);
	ck_assert_ptr_nonnull(w->watch);
}

static void end(struct service *w)
{
	notify_watch_stop(w->watch);
	http_stop(w->http);
	pthread_join(w->loop, NULL);
	http_free(w->http);
	close(w->fd);
	unlink(getenv("NOTIFY_SOCKET"));
	rig_release(&w->r);
}

static bool is_fed(struct service *w, int within_ms)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	char said[64];
	ssize_t n;

	if (poll(&p, 1, within_ms) <= 0) {
		return false;
	}
	n = recv(w->fd, said, sizeof(said) - 1, 0);
	ck_assert_int_gt(n, 0);
	said[n] = '\0';
	ck_assert_str_eq(said, "WATCHDOG=1");
	return true;
}

static void goes_on(struct service *w)
{
	for (int i = 0; i < 5; i++) {
		ck_assert(is_fed(w, WAIT_MS));
	}
}

/* Two may be on their way: what was looked at before, and what is being looked at. */
static void goes_hungry(struct service *w)
{
	int rest = 2;

	while (is_fed(w, 0)) {
	}
	while (is_fed(w, SILENCE_MS)) {
		ck_assert_int_gt(rest--, 0);
	}
}

START_TEST(it_is_fed_only_while_decisions_go_through_the_engine)
{
	struct service w;
	struct engine_item *it;

	start(&w);
	goes_on(&w);
	it = rig_item(&w.r, "one");

	engine_lock(it);
	goes_hungry(&w);
	engine_unlock(it);
	goes_on(&w);

	pthread_rwlock_wrlock(&w.r.g->registry);
	goes_hungry(&w);
	pthread_rwlock_unlock(&w.r.g->registry);
	goes_on(&w);
	end(&w);
}
END_TEST

START_TEST(it_is_fed_only_while_commits_are_made)
{
	struct service w;

	start(&w);
	goes_on(&w);
	store_disk_hold(w.r.place.disk, true);
	goes_hungry(&w);
	store_disk_hold(w.r.place.disk, false);
	goes_on(&w);
	store_disk_fail(w.r.place.disk, STORE_CALL_COMMIT, 1);
	goes_hungry(&w);
	ck_assert(store_failed(engine_store(w.r.g)));
	end(&w);
}
END_TEST

START_TEST(it_is_fed_only_while_the_loop_moves)
{
	struct service w;

	start(&w);
	goes_on(&w);
	pthread_mutex_lock(&w.held);
	goes_hungry(&w);
	pthread_mutex_unlock(&w.held);
	goes_on(&w);
	end(&w);
}
END_TEST

RUN("notify", it_is_fed_only_while_decisions_go_through_the_engine,
    it_is_fed_only_while_commits_are_made, it_is_fed_only_while_the_loop_moves)

#else

int main(void)
{
	puts("built without libsystemd: nobody is told anything");
	return 77;
}

#endif
