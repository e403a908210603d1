/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the daemon. One table (config_table) is the configuration file, the long options, the
 * environment (BANDITD_KEY) and the manual. Precedence: option, environment, file, default. */
#ifndef SERVE_CONFIG_H
#define SERVE_CONFIG_H

#include "base/log.h"
#include "base/param.h"

struct config {
	const char *listen, *state, *durability;
	int log_level, log_format;                 /* indexes into their choices */
	int64_t decision_cache, queue, disk_floor; /* bytes */
	int64_t experiments, snapshot_events;
	int64_t connections, connections_per_address;
	int64_t request_timeout, reply_timeout, idle_timeout, drain_timeout; /* milliseconds */
	bool insecure;
	/* Derived. */
	unsigned interval_ms; /* of durability; 0: commit */
	char *text[16];       /* owned values of PARAM_TEXT keys */
	size_t ntext;
};

extern const struct param_desc config_table[];

enum log_level config_log_level(const struct config *c);
void config_init(struct config *c); /* defaults */
void config_release(struct config *c);
/* One key from anywhere; `where` is for the error ("file:line", "--option", "BANDITD_KEY"). */
int config_set(
    struct config *c, const char *key, const char *value, const char *where, struct errinfo *err);
int config_read_file(struct config *c, const char *path, struct errinfo *err);
int config_read_environment(struct config *c, struct errinfo *err);
/* Combinations: durability's form, addresses that need `insecure`. */
int config_check(struct config *c, struct errinfo *err);

#endif
