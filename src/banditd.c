/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: options, a start list, signals, and the start list backwards. */
#include <errno.h>
#include <getopt.h>
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
#include "serve/metrics.h"
#include "serve/notify.h"

enum { EXIT_USAGE = 2, EXIT_STATE = 3 };
enum { OPT_CONFIG = 1000, OPT_CHECK, OPT_PRINT, OPT_HELP, OPT_VERSION, OPT_KEYS };
#define KEYS_MAX 40

struct daemon {
	struct config config;
	struct engine *engine;
	struct api *api;
	struct http *http;
	struct notify_watch *watch;
	int listen_fd;               /* passed by the service manager; -1: none */
	_Atomic(struct http *) wake; /* whom the store's thread wakes; NULL before and after */
};

/* For the signal handler only. */
static struct http *volatile stop_target;

static void on_signal(int sig)
{
	struct http *h = stop_target;

	(void)sig;
	if (h) {
		http_stop(h);
	}
}

static void on_notify(void *arg)
{
	struct daemon *d = arg;
	struct http *h = atomic_load(&d->wake);

	if (h) {
		http_wake(h);
	}
}

static void on_committed(void *arg, size_t events, uint64_t elapsed_us)
{
	(void)arg;
	metrics_commit(events, elapsed_us);
}

static void on_report(void *arg, int rc, const char *what, const char *experiment, uint64_t seq)
{
	(void)arg;
	log_event(LOG_WARNING, what, "experiment", experiment, "seq", log_int(seq), "reason",
	    err_name(rc), NULL);
}

static void on_progress(void *arg, uint64_t done, uint64_t experiments, uint64_t events)
{
	(void)arg;
	notify_recovering(done, experiments, events);
}

static void on_draining(void *arg)
{
	(void)arg;
	log_event(LOG_INFO, "stopping", NULL);
	notify_stopping();
}

static int fail(const char *what, const struct errinfo *err)
{
	log_event(LOG_ERROR, what, "code", err->code ? err->code : "", "where", err->pointer,
	    "detail", err->text, NULL);
	return err->rc == RC_CORRUPT || err->rc == RC_VERSION ? EXIT_STATE : EXIT_FAILURE;
}

/* ---- options ---- */

static void usage(FILE *out)
{
	fprintf(out, "Usage: banditd [OPTION]...\n"
		     "Serves bandit policies over HTTP.\n\n"
		     "  --config FILE            read settings from FILE\n"
		     "  --check-config           check the settings and exit\n"
		     "  --print-config           print the settings and exit\n"
		     "  --help, --version\n\nSettings, also as BANDITD_KEY and in FILE:\n");
	for (const struct param_desc *d = config_table; d->name; d++) {
		char name[40];

		snprintf(name, sizeof(name), "%s", d->name);
		for (char *p = name; *p; p++) {
			*p = *p == '_' ? '-' : *p;
		}
		fprintf(out, "  --%-24s %s\n", name, d->text);
	}
}

static void print_config(const struct config *c)
{
	char scratch[PARAM_TEXT_MAX];

	for (const struct param_desc *d = config_table; d->name; d++) {
		printf("%s = %s\n", d->name, param_format(d, c, scratch));
	}
}

/* getopt_long's table: the fixed options, then every setting with '-' for '_'. */
static void make_options(struct option opts[KEYS_MAX], char names[KEYS_MAX][40])
{
	static const struct option fixed[] = {{"config", required_argument, NULL, OPT_CONFIG},
	    {"check-config", no_argument, NULL, OPT_CHECK},
	    {"print-config", no_argument, NULL, OPT_PRINT}, {"help", no_argument, NULL, OPT_HELP},
	    {"version", no_argument, NULL, OPT_VERSION}};
	size_t n = sizeof(fixed) / sizeof(fixed[0]);

	memset(opts, 0, KEYS_MAX * sizeof(*opts));
	memcpy(opts, fixed, sizeof(fixed));
	for (size_t k = 0; config_table[k].name && n < KEYS_MAX - 1; k++, n++) {
		snprintf(names[n], 40, "%s", config_table[k].name);
		for (char *p = names[n]; *p; p++) {
			*p = *p == '_' ? '-' : *p;
		}
		opts[n] = (struct option){names[n], required_argument, NULL, OPT_KEYS + (int)k};
	}
}

/* What the options ask for beside running; -1: run. */
static int read_options(int argc, char **argv, struct config *c, struct errinfo *err)
{
	static struct option opts[KEYS_MAX];
	static char names[KEYS_MAX][40];
	const char *file = NULL;
	int opt, ask = -1, rc;

	make_options(opts, names);
	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == OPT_CONFIG) {
			file = optarg;
		} else if (opt == OPT_HELP || opt == OPT_VERSION || opt == OPT_CHECK ||
			   opt == OPT_PRINT) {
			ask = opt;
		} else if (opt < OPT_KEYS) {
			return err_set(err, RC_INVALID, "usage", "", "see banditd --help");
		}
	}
	if (optind < argc) {
		return err_set(err, RC_INVALID, "usage", argv[optind], "not an option");
	}
	rc = file ? config_read_file(c, file, err) : 0;
	rc = rc ? rc : config_read_environment(c, err);
	optind = 1;
	while (rc == 0 && (opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt >= OPT_KEYS) {
			const char *key = config_table[opt - OPT_KEYS].name;

			rc = config_set(c, key, optarg, key, err);
		}
	}
	rc = rc ? rc : config_check(c, err);
	return rc ? rc : ask;
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
		log_event(LOG_INFO, "recovered", "experiments", log_int(ret->experiments),
		    "snapshots", log_int(ret->snapshots), "events", log_int(ret->events),
		    "bad_snapshots", log_int(ret->bad_snapshots), "seconds",
		    log_num((double)ret->elapsed_us / 1e6), NULL);
	}
	return rc;
}

static int start_api(struct daemon *d, const struct engine_recovery *recovery)
{
	return api_new(&(struct api_options){.engine = d->engine,
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
	    .idle_timeout_ms = (unsigned)c->idle_timeout};
	struct http_app app;
	int rc;

	api_app(d->api, &app);
	app.draining = on_draining;
	rc = http_new(&o, &app, &d->http, err);
	if (rc == 0) {
		api_set_http(d->api, d->http);
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
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct daemon *d)
{
	struct engine_recovery recovery;
	struct errinfo err = {.rc = 0};
	int status = EXIT_SUCCESS, rc;

	log_setup(config_log_level(&d->config), (enum log_format)d->config.log_format);
	log_event(LOG_INFO, "starting", "version", PACKAGE_VERSION, "state", d->config.state,
	    "durability", d->config.durability, NULL);
	raise_descriptor_limit();
	json_memory_init();
	rc = take_socket(d, &err);
	rc = rc ? rc : hash_init();
	rc = rc ? rc : start_engine(d, &recovery, &err);
	rc = rc ? rc : start_api(d, &recovery);
	rc = rc ? rc : start_http(d, &err);
	rc = rc ? rc : engine_start(d->engine);
	rc = rc ? rc : notify_watch_start(d->http, engine_store(d->engine), &d->watch);
	if (rc) {
		err_set(&err, rc, "start_failed", "", "%s", err_name(rc));
		status = fail("start refused", &err);
		goto out;
	}
	catch_signals(d);
	log_event(LOG_INFO, "listening", "address", http_address(d->http), NULL);
	notify_ready(http_address(d->http));
	rc = http_run(d->http, (unsigned)d->config.drain_timeout);
out:
	stop_target = NULL;
	notify_watch_stop(d->watch);
	engine_stop(d->engine);
	atomic_store(&d->wake, NULL);
	if (d->engine && store_failed(engine_store(d->engine))) {
		status = EXIT_FAILURE;
	}
	engine_close(d->engine);
	http_free(d->http);
	api_free(d->api);
	if (rc == 0) {
		log_event(LOG_INFO, "stopped", NULL);
	}
	return status;
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct errinfo err = {.rc = 0};
	int ask, status = EXIT_SUCCESS;

	config_init(&d.config);
	ask = read_options(argc, argv, &d.config, &err);
	if (err.rc) {
		fprintf(
		    stderr, "banditd: %s%s%s\n", err.pointer, *err.pointer ? ": " : "", err.text);
		status = EXIT_USAGE;
	} else if (ask == OPT_HELP) {
		usage(stdout);
	} else if (ask == OPT_VERSION) {
		printf("banditd %s\n", PACKAGE_VERSION);
	} else if (ask == OPT_PRINT) {
		print_config(&d.config);
	} else if (ask != OPT_CHECK) {
		status = run(&d);
	}
	config_release(&d.config);
	return status;
}
