/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: a start list, signals, and the start list backwards. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "autoconf.h"
#include "base/hash.h"
#include "json/memory.h"
#include "openapi_data.h"
#include "policies/policies.h"
#include "serve/api.h"
#include "serve/config.h"
#include "serve/http_tls.h"
#include "serve/live.h"
#include "serve/metrics.h"
#include "serve/notify.h"
#include "serve/options.h"

enum { EXIT_USAGE = 2, EXIT_STATE = 3 };

struct daemon {
	struct config config;
	int argc;
	char **argv;
	struct live live;
	struct engine *engine;
	struct api *api;
	struct http *http;
	struct notify_watch *watch;
	bool told_failure;           /* the engine's thread's, then the stop's */
	int listen_fd;               /* passed by the service manager; -1: none */
	_Atomic(struct http *) wake; /* whom the store's thread wakes; NULL before and after */
};

/* For the signal handler only. */
static struct http *volatile stop_target;

static void on_signal(int sig)
{
	struct http *h = stop_target;

	if (h && sig == SIGHUP) {
		http_reload(h);
	} else if (h) {
		http_stop(h);
	}
}

static void on_reload(void *arg)
{
	struct daemon *d = arg;

	notify_reloading();
	live_reload(d->argc, d->argv, &d->config, d->api, d->http);
	notify_ready(http_address(d->http));
}

static void on_notify(void *arg)
{
	struct daemon *d = arg;
	struct http *h = atomic_load(&d->wake);

	if (h) {
		http_wake(h);
	}
}

static void on_committed(void *arg, const struct store_commit *c)
{
	(void)arg;
	metrics_commit(c);
}

/* Once: what everything else that fails from then on comes from. */
static void tell_failure(struct daemon *d)
{
	struct errinfo why = {.rc = 0};

	if (d->engine && store_failure(engine_store(d->engine), &why) && !d->told_failure) {
		d->told_failure = true;
		log_event(LOG_STORE, LOG_ERROR, "the store failed", "where", why.pointer, "detail",
		    why.text, "help", "nothing more is taken: mend the disk and restart", NULL);
	}
}

static void on_report(void *arg, int rc, const char *what, const char *experiment, uint64_t seq)
{
	if (rc == RC_FAILED) {
		tell_failure(arg);
	}
	if (!rc) {
		log_event(LOG_DAEMON, LOG_WARNING, what, NULL);
		return;
	}
	log_event(LOG_STORE, LOG_WARNING, what, "experiment", experiment, "seq", log_int(seq),
	    "reason", err_name(rc), NULL);
}

static void on_progress(void *arg, uint64_t done, uint64_t experiments, uint64_t events)
{
	(void)arg;
	notify_recovering(done, experiments, events);
}

static void on_draining(void *arg)
{
	(void)arg;
	log_event(LOG_DAEMON, LOG_INFO, "stopping", NULL);
	notify_stopping();
}

static int fail(const char *what, const struct errinfo *err)
{
	bool damaged = err->rc == RC_CORRUPT;

	log_event(LOG_DAEMON, LOG_ERROR, what, "code", err->code ? err->code : "", "where",
	    err->pointer, "detail", err->text, damaged ? "help" : NULL,
	    "restore a backup, or: bandit salvage STATE --to NEW", NULL);
	return damaged || err->rc == RC_VERSION ? EXIT_STATE : EXIT_FAILURE;
}

/* ---- start and stop ---- */

static void raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int start_engine(struct daemon *d, struct engine_recovery *ret, struct errinfo *err)
{
	const struct config *c = &d->config;
	const struct engine_options o = {.ops = &store_sqlite,
	    .where = c->state,
	    .cache_bytes = (size_t)c->decision_cache,
	    .queue_bytes = (size_t)c->queue,
	    .disk_floor = (uint64_t)c->disk_floor,
	    .interval_ms = c->interval_ms,
	    .experiments_max = (size_t)c->experiments,
	    .snapshot_events = (uint64_t)c->snapshot_events,
	    .find = policy_find,
	    .notify = on_notify,
	    .committed = on_committed,
	    .report = on_report,
	    .progress = on_progress,
	    .arg = d};
	int rc;

	if (mkdir(c->state, 0700) && errno != EEXIST) {
		return err_set(err, RC_IO, "state", c->state, "%s", strerror(errno));
	}
	rc = engine_open(&o, &d->engine, ret, err);
	if (rc == 0) {
		log_event(LOG_STORE, LOG_INFO, "recovered", "experiments",
		    log_int(ret->experiments), "snapshots", log_int(ret->snapshots), "events",
		    log_int(ret->events), "bad_snapshots", log_int(ret->bad_snapshots), "seconds",
		    log_num((double)ret->elapsed_us / 1e6), NULL);
	}
	return rc;
}

static int start_api(struct daemon *d, const struct engine_recovery *recovery)
{
	return api_new(&(struct api_options){.state = d->config.state,
			   .engine = d->engine,
			   .recovery = *recovery,
			   .answer_at_once = d->config.interval_ms > 0,
			   .openapi = (const char *)openapi_data,
			   .openapi_len = sizeof(openapi_data)},
	    &d->api);
}

static int start_http(struct daemon *d, struct errinfo *err)
{
	const struct config *c = &d->config;
	const struct http_options o = {.listen = c->listen,
	    .listen_fd = d->listen_fd,
	    .connections = (unsigned)c->connections,
	    .connections_per_address = (unsigned)c->connections_per_address,
	    .request_timeout_ms = (unsigned)c->request_timeout,
	    .reply_timeout_ms = (unsigned)c->reply_timeout,
	    .idle_timeout_ms = (unsigned)c->idle_timeout,
	    .tls = *c->tls_cert != '\0',
	    .reload = on_reload,
	    .reload_arg = d};
	struct http_app app;
	int rc;

	api_app(d->api, &app);
	app.draining = on_draining;
	rc = http_new(&o, &app, &d->http, err);
	if (rc == 0) {
		api_set_http(d->api, d->http);
		live_apply(&d->live, c, d->api, d->http);
		atomic_store(&d->wake, d->http);
	}
	return rc;
}

/* A passed socket is the address there is, and is held to what any other is. */
static int take_socket(struct daemon *d, struct errinfo *err)
{
	char name[128];
	int rc = notify_listen_fd(&d->listen_fd, err);

	if (rc || d->listen_fd < 0) {
		return rc;
	}
	http_listen_name(d->listen_fd, name, sizeof(name));
	rc = config_set(&d->config, "listen", name, "LISTEN_FDS", err);
	return rc ? rc : config_check(&d->config, err);
}

static void catch_signals(struct daemon *d)
{
	struct sigaction sa = {.sa_handler = on_signal};

	stop_target = d->http;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct daemon *d)
{
	struct engine_recovery recovery;
	struct errinfo err = {.rc = 0};
	int status = EXIT_SUCCESS, rc;

	log_setup(&d->config.levels, (enum log_format)d->config.log_format);
	log_event(LOG_DAEMON, LOG_INFO, "starting", "version", PACKAGE_VERSION, "state",
	    d->config.state, "durability", d->config.durability, NULL);
	raise_descriptor_limit();
	json_memory_init();
	rc = take_socket(d, &err);
	rc = rc ? rc : hash_init();
	rc = rc ? rc : live_load(&d->config, &d->live, &err);
	rc = rc ? rc : start_engine(d, &recovery, &err);
	rc = rc ? rc : start_api(d, &recovery);
	rc = rc ? rc : start_http(d, &err);
	rc = rc ? rc : engine_start(d->engine);
	rc = rc ? rc : notify_watch_start(d->http, d->engine, &d->watch);
	if (rc) {
		err_set(&err, rc, "start_failed", "", "%s", err_name(rc));
		status = fail("start refused", &err);
		goto out;
	}
	catch_signals(d);
	log_event(LOG_DAEMON, LOG_INFO, "listening", "address", http_address(d->http), NULL);
	notify_ready(http_address(d->http));
	rc = http_run(d->http, (unsigned)d->config.drain_timeout);
out:
	stop_target = NULL;
	notify_watch_stop(d->watch);
	engine_stop(d->engine);
	atomic_store(&d->wake, NULL);
	if (d->engine && store_failed(engine_store(d->engine))) {
		tell_failure(d);
		status = EXIT_FAILURE;
	}
	engine_close(d->engine);
	http_free(d->http);
	http_tls_forget();
	api_free(d->api);
	live_release(&d->live);
	if (rc == 0) {
		log_event(LOG_DAEMON, LOG_INFO, "stopped", NULL);
	}
	return status;
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct errinfo err = {.rc = 0};
	int status = EXIT_SUCCESS;
	enum options_ask ask = OPTIONS_RUN;

	signal(SIGHUP, SIG_IGN); /* until there is something to reload */
	d.argc = argc;
	d.argv = argv;
	config_init(&d.config);
	if (options_read(argc, argv, &d.config, &ask, &err)) {
		fprintf(
		    stderr, "banditd: %s%s%s\n", err.pointer, *err.pointer ? ": " : "", err.text);
		status = EXIT_USAGE;
	} else if (ask == OPTIONS_RUN) {
		status = run(&d);
	} else {
		options_tell(ask, &d.config);
	}
	config_release(&d.config);
	return status;
}
