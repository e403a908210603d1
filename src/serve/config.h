/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the daemon. One table (config_table) is the configuration file, the long options, the
 * environment (BANDITD_KEY) and the manual. Precedence: option, environment, the files of
 * FILE.d in order, FILE, default. */
#ifndef SERVE_CONFIG_H
#define SERVE_CONFIG_H

#include "base/arena.h"
#include "base/log.h"
#include "base/param.h"

#define CONFIG_KEYS_MAX 40

struct config {
	const char *listen, *state, *durability, *token_file, *cors_origin;
	const char *tls_cert, *tls_key;
	const char *log_level;
	int log_format;                            /* index into its choices */
	int64_t decision_cache, queue, disk_floor; /* bytes */
	int64_t experiments, snapshot_events;
	int64_t connections, connections_per_address;
	int64_t request_timeout, reply_timeout, idle_timeout, drain_timeout; /* milliseconds */
	int64_t rate_limit;                                                  /* requests a second */
	bool insecure;
	/* Derived. */
	unsigned interval_ms; /* of durability; 0: commit */
	struct log_levels levels;
	struct arena mem; /* owned texts */
	/* Where each value came from, by its place in the table: "default", "file:line", ... */
	const char *from[CONFIG_KEYS_MAX];
};

extern const struct param_desc config_table[];

void config_init(struct config *c); /* defaults */
void config_release(struct config *c);
/* One key from anywhere; `where` is for the error ("file:line", "--option", "BANDITD_KEY"). */
int config_set(
    struct config *c, const char *key, const char *value, const char *where, struct errinfo *err);
/* The file, strictly: what is odd is refused with its line. */
int config_read_file(struct config *c, const char *path, struct errinfo *err);
/* path.d/NAME.conf in the order of their names; nothing when there is no such directory. */
int config_read_folder(struct config *c, const char *path, struct errinfo *err);
int config_read_environment(struct config *c, struct errinfo *err);
/* Forms and combinations: durability, log_level, addresses that need `insecure`; fills what is
 * derived. The pointer of an error is where the value was set. */
int config_check(struct config *c, struct errinfo *err);
/* The names of settings that differ and that only a restart changes, with blanks between. */
void config_needs_restart(const struct config *a, const struct config *b, char ret[512]);

#endif
