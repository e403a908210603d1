/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 64
#define MIB 1048576.0
#define GIB (1024 * MIB)
#define INTERVAL_MAX_MS 60000

static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const formats[] = {"key-value", "json", NULL};

/* clang-format off */
#define AT(member) offsetof(struct config, member)
#define TEXT(key, dflt, help) {#key, PARAM_TEXT, AT(key), 0, 0, 0, 0, NULL, help, dflt}
#define INT(key, min, max, dflt, help) {#key, PARAM_INT, AT(key), min, max, dflt, 0, NULL, help, NULL}
#define CHOICE(key, names, dflt, help) {#key, PARAM_CHOICE, AT(key), 0, 0, dflt, 0, names, help, NULL}
#define BOOL(key, dflt, help) {#key, PARAM_BOOL, AT(key), 0, 1, dflt, 0, NULL, help, NULL}

const struct param_desc config_table[] = {
	TEXT(listen, "127.0.0.1:8080", "address to listen on: HOST:PORT, [V6]:PORT or unix:PATH"),
	TEXT(state, "/var/lib/banditd", "directory of the state, made when absent"),
	TEXT(durability, "commit", "commit: an answer means on disk; interval:MS: at most MS later"),
	CHOICE(log_level, levels, 3, "the least urgent lines written"),
	CHOICE(log_format, formats, 0, "form of the log lines"),
	INT(decision_cache, MIB, 64 * GIB, 128 * MIB, "bytes of recent decisions held in memory"),
	INT(queue, 16 * MIB, GIB, 16 * MIB, "bytes of events that may wait for the disk"),
	INT(disk_floor, 0, 1024 * GIB, 64 * MIB, "free bytes below which nothing is written"),
	INT(experiments, 1, 10000000, 1000000, "most experiments"),
	INT(snapshot_events, 1, 1e9, 20000, "events of an experiment after which its state is saved"),
	INT(connections, 1, 60000, 10000, "most open connections"),
	INT(connections_per_address, 0, 60000, 0, "most of one address; 0: no limit"),
	INT(request_timeout, 10, 600000, 10000, "milliseconds from a request's first byte to its last"),
	INT(reply_timeout, 10, 600000, 30000, "milliseconds until a reply is taken"),
	INT(idle_timeout, 10, 3600000, 75000, "milliseconds between requests of a connection"),
	INT(drain_timeout, 0, 600000, 10000, "milliseconds that open requests have when stopping"),
	BOOL(insecure, 0, "listen beyond loopback although nothing asks for a token"),
	{.name = NULL},
};
/* clang-format on */

enum log_level config_log_level(const struct config *c)
{
	return (enum log_level)(LOG_ERROR + c->log_level);
}

void config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	param_defaults(config_table, c);
}

void config_release(struct config *c)
{
	for (size_t i = 0; i < c->ntext; i++) {
		free(c->text[i]);
	}
	c->ntext = 0;
}

int config_set(
    struct config *c, const char *key, const char *value, const char *where, struct errinfo *err)
{
	const struct param_desc *d = param_find(config_table, key);
	char *copy;

	if (!d) {
		return err_set(
		    err, RC_INVALID, "unknown_field", where, "no setting is called %.64s", key);
	}
	if (d->type != PARAM_TEXT) {
		return param_set_text(d, c, value, where, err);
	}
	copy = c->ntext < sizeof(c->text) / sizeof(c->text[0]) ? strdup(value) : NULL;
	if (!copy) {
		return err_set(err, RC_MEMORY, "out_of_memory", where, "out of memory");
	}
	c->text[c->ntext++] = copy;
	return param_set_text(d, c, copy, where, err);
}

struct file {
	struct config *c;
	struct errinfo first; /* inih reads on after an error */
	uint64_t seen;        /* one bit per entry of the table */
};

/* inih asks for nonzero when the line is fine, and tells the number of the first that is not. */
static int take_line(void *arg, const char *section, const char *name, const char *value)
{
	struct file *f = arg;
	const struct param_desc *d = param_find(config_table, name);
	uint64_t bit = d ? UINT64_C(1) << (d - config_table) : 0;
	int rc;

	if (f->first.rc) {
		return 0;
	}
	if (*section) {
		rc = err_set(&f->first, RC_INVALID, "unknown_field", "", "there are no sections");
	} else if (f->seen & bit) {
		rc = err_set(&f->first, RC_INVALID, "duplicate_field", "", "%s is set twice", name);
	} else {
		f->seen |= bit;
		rc = config_set(f->c, name, value, "", &f->first);
	}
	return rc == 0;
}

int config_read_file(struct config *c, const char *path, struct errinfo *err)
{
	struct file f = {.c = c};
	int line = ini_parse(path, take_line, &f);
	char where[160];

	if (line < 0) {
		return err_set(err, RC_IO, "unreadable", path, "%s", strerror(errno));
	}
	snprintf(where, sizeof(where), "%s:%d", path, line);
	if (line > 0) {
		return err_set(err, RC_INVALID, "invalid", where, "%s",
		    f.first.rc ? f.first.text : "not a line of the form key = value");
	}
	return 0;
}

int config_read_environment(struct config *c, struct errinfo *err)
{
	for (const struct param_desc *d = config_table; d->name; d++) {
		char name[KEY_MAX] = "BANDITD_";
		const char *value;
		size_t n = strlen(name);

		for (const char *p = d->name; *p && n + 1 < sizeof(name); p++) {
			name[n++] = (char)toupper((unsigned char)*p);
		}
		name[n] = '\0';
		value = getenv(name);
		if (value && config_set(c, d->name, value, name, err)) {
			return err->rc;
		}
	}
	return 0;
}

static bool is_loopback(const char *listen)
{
	return strncmp(listen, "unix:", 5) == 0 || strncmp(listen, "127.", 4) == 0 ||
	       strncmp(listen, "[::1]:", 6) == 0 || strncmp(listen, "localhost:", 10) == 0;
}

int config_check(struct config *c, struct errinfo *err)
{
	char *end;
	unsigned long ms;

	c->interval_ms = 0;
	if (strncmp(c->durability, "interval:", 9) == 0) {
		ms = strtoul(c->durability + 9, &end, 10);
		if (!isdigit((unsigned char)c->durability[9]) || *end || ms < 1 ||
		    ms > INTERVAL_MAX_MS) {
			return err_set(err, RC_INVALID, "out_of_range", "durability",
			    "interval:MS takes 1 to %d milliseconds", INTERVAL_MAX_MS);
		}
		c->interval_ms = (unsigned)ms;
	} else if (strcmp(c->durability, "commit") != 0) {
		return err_set(err, RC_INVALID, "out_of_range", "durability",
		    "durability is commit or interval:MS");
	}
	if (!is_loopback(c->listen) && !c->insecure) {
		return err_set(err, RC_INVALID, "insecure", "listen",
		    "%s is not a loopback address, and no token is asked for; insecure = yes "
		    "overrides",
		    c->listen);
	}
	return 0;
}
