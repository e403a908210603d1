/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_MAX 64
#define MIB 1048576.0
#define GIB (1024 * MIB)
#define INTERVAL_MAX_MS 60000
#define TEXT_MAX ((size_t)1 << 20)

static const char *const formats[] = {"key-value", "json", NULL};

/* clang-format off */
#define AT(member) offsetof(struct config, member)
#define TEXT(key, flags, dflt, help) {#key, PARAM_TEXT, AT(key), 0, 0, 0, flags, NULL, help, dflt}
#define INT(key, flags, min, max, dflt, help) {#key, PARAM_INT, AT(key), min, max, dflt, flags, NULL, help, NULL}
#define CHOICE(key, flags, names, dflt, help) {#key, PARAM_CHOICE, AT(key), 0, 0, dflt, flags, names, help, NULL}
#define BOOL(key, dflt, help) {#key, PARAM_BOOL, AT(key), 0, 1, dflt, 0, NULL, help, NULL}
#define BYTES PARAM_BYTES
#define MS PARAM_MS
#define LIVE PARAM_RELOAD

const struct param_desc config_table[] = {
	TEXT(listen, PARAM_LISTEN, "127.0.0.1:8080", "address to listen on: HOST:PORT, [V6]:PORT or unix:PATH"),
	TEXT(state, PARAM_PATH, "/var/lib/banditd", "directory of the state, made when absent"),
	TEXT(durability, 0, "commit", "commit: an answer means on disk; interval:MS: at most MS later"),
	TEXT(log_level, LIVE, "info", "the least urgent lines written; LEVEL[,MODULE=LEVEL]..."),
	CHOICE(log_format, LIVE, formats, 0, "form of the log lines"),
	INT(decision_cache, BYTES, MIB, 64 * GIB, 128 * MIB, "memory for recent decisions"),
	INT(queue, BYTES, 16 * MIB, GIB, 16 * MIB, "memory for events that wait for the disk"),
	INT(disk_floor, BYTES, 0, 1024 * GIB, 64 * MIB, "free space below which nothing is written"),
	INT(experiments, 0, 1, 10000000, 1000000, "most experiments"),
	INT(snapshot_events, 0, 1, 1e9, 20000, "events of an experiment after which its state is saved"),
	INT(connections, 0, 1, 60000, 10000, "most open connections"),
	INT(connections_per_address, 0, 0, 60000, 0, "most of one address; 0: no limit"),
	INT(request_timeout, MS | LIVE, 10, 600000, 10000, "time from a request's first byte to its last"),
	INT(reply_timeout, MS | LIVE, 10, 600000, 30000, "time until a reply is taken"),
	INT(idle_timeout, MS | LIVE, 10, 3600000, 75000, "time between requests of a connection"),
	INT(drain_timeout, MS, 0, 600000, 10000, "time that open requests have when stopping"),
	TEXT(token_file, PARAM_PATH | LIVE, "", "digests of the tokens that are asked for; empty: none are"),
	TEXT(tls_cert, PARAM_PATH | LIVE, "", "certificate chain in PEM; with tls_key: speak TLS alone"),
	TEXT(tls_key, PARAM_PATH | LIVE, "", "its private key in PEM"),
	INT(rate_limit, LIVE, 0, 1000000, 0, "requests a second of each token; 0: no limit"),
	TEXT(cors_origin, LIVE, "", "origin whose pages may call: https://HOST; empty: none"),
	BOOL(insecure, 0, "listen beyond loopback although nothing asks for a token"),
	{.name = NULL},
};
/* clang-format on */

void config_init(struct config *c)
{
	_Static_assert(sizeof(config_table) / sizeof(*config_table) <= CONFIG_KEYS_MAX, "keys");
	memset(c, 0, sizeof(*c));
	arena_init(&c->mem, TEXT_MAX);
	param_defaults(config_table, c);
	for (size_t i = 0; config_table[i].name; i++) {
		c->from[i] = "default";
	}
}

void config_release(struct config *c)
{
	arena_release(&c->mem);
}

/* A path that is not absolute means another file after a change of directory. */
static bool is_path_odd(const struct param_desc *d, const char *value)
{
	if (d->flags & PARAM_LISTEN) {
		return strncmp(value, "unix:", 5) == 0 && value[5] != '/';
	}
	return (d->flags & PARAM_PATH) && *value && *value != '/';
}

int config_set(
    struct config *c, const char *key, const char *value, const char *where, struct errinfo *err)
{
	const struct param_desc *d = param_find(config_table, key);
	char *copy = arena_text(&c->mem, value, strlen(value));
	char *from = arena_text(&c->mem, where, strlen(where));
	int rc;

	if (!d) {
		return err_set(
		    err, RC_INVALID, "unknown_field", where, "no setting is called %.64s", key);
	}
	if (!copy || !from) {
		return err_set(err, RC_MEMORY, "out_of_memory", where, "out of memory");
	}
	if (is_path_odd(d, value)) {
		return err_set(
		    err, RC_INVALID, "out_of_range", where, "%s must be an absolute path", key);
	}
	rc = param_set_text(d, c, copy, where, err);
	if (rc == 0) {
		c->from[d - config_table] = from;
	}
	return rc;
}

/* ---- files ---- */

struct file {
	struct config *c;
	FILE *in;
	const char *path;
	int line;
	struct errinfo first; /* inih reads on after an error */
	uint64_t seen;        /* one bit per entry of the table */
};

static void file_where(const struct file *f, int line, char ret[256])
{
	snprintf(ret, 256, "%.200s:%d", f->path, line);
}

/* inih would take what is beyond its buffer for a line of its own, and stop at a zero byte. */
static char *next_line(char *to, int size, void *stream)
{
	struct file *f = stream;
	char *line = NULL, where[256];
	size_t cap = 0;
	ssize_t n = f->first.rc ? -1 : getline(&line, &cap, f->in);

	f->line++;
	file_where(f, f->line, where);
	if (n >= size) {
		err_set(&f->first, RC_LIMIT, "too_many", where,
		    "a line has at most %d bytes, not %zd", size - 1, n);
	} else if (n >= 0 && strlen(line) != (size_t)n) {
		err_set(&f->first, RC_INVALID, "invalid", where, "the line contains a zero byte");
	}
	if (n < 0 || f->first.rc) {
		free(line);
		return NULL;
	}
	memcpy(to, line, (size_t)n + 1);
	free(line);
	return to;
}

/* inih asks for nonzero when the line is fine. */
static int take_line(void *arg, const char *section, const char *name, const char *value)
{
	struct file *f = arg;
	const struct param_desc *d = param_find(config_table, name);
	uint64_t bit = d ? UINT64_C(1) << (d - config_table) : 0;
	char where[256];
	int rc;

	if (f->first.rc) {
		return 0;
	}
	file_where(f, f->line, where);
	if (*section) {
		rc =
		    err_set(&f->first, RC_INVALID, "unknown_field", where, "there are no sections");
	} else if (f->seen & bit) {
		rc = err_set(
		    &f->first, RC_INVALID, "duplicate_field", where, "%s is set twice", name);
	} else {
		f->seen |= bit;
		rc = config_set(f->c, name, value, where, &f->first);
	}
	return rc == 0;
}

int config_read_file(struct config *c, const char *path, struct errinfo *err)
{
	struct file f = {.c = c, .path = path, .in = fopen(path, "re")};
	char where[256];
	int line;

	if (!f.in) {
		return err_set(err, RC_IO, "unreadable", path, "%s", strerror(errno));
	}
	line = ini_parse_stream(next_line, &f, take_line, &f);
	if (line && !f.first.rc) {
		file_where(&f, line, where);
		err_set(
		    &f.first, RC_INVALID, "invalid", where, "not a line of the form key = value");
	}
	if (ferror(f.in)) {
		err_set(&f.first, RC_IO, "unreadable", path, "it cannot be read");
	}
	fclose(f.in);
	if (f.first.rc) {
		*err = f.first;
	}
	return f.first.rc;
}

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

int config_read_folder(struct config *c, const char *path, struct errinfo *err)
{
	struct dirent **list = NULL;
	char folder[4096], one[4096 + 256];
	int n, rc = 0;

	snprintf(folder, sizeof(folder), "%s.d", path);
	n = scandir(folder, &list, is_conf, alphasort);
	if (n < 0) {
		return errno == ENOENT
			   ? 0
			   : err_set(err, RC_IO, "unreadable", folder, "%s", strerror(errno));
	}
	for (int i = 0; i < n; i++) {
		snprintf(one, sizeof(one), "%s/%s", folder, list[i]->d_name);
		rc = rc ? rc : config_read_file(c, one, err);
		free(list[i]);
	}
	free(list);
	return rc;
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

/* Where systemd puts what LoadCredential=tokens names. */
static int find_credential(struct config *c, struct errinfo *err)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];

	if (*c->token_file || !folder) {
		return 0;
	}
	snprintf(path, sizeof(path), "%s/tokens", folder);
	return access(path, F_OK) ? 0
				  : config_set(c, "token_file", path, "CREDENTIALS_DIRECTORY", err);
}

static bool is_origin(const char *s)
{
	size_t scheme = strncmp(s, "https://", 8) == 0 ? 8 : strncmp(s, "http://", 7) == 0 ? 7 : 0;

	return !*s || (scheme && s[scheme] && strlen(s) < 200 && !strpbrk(s + scheme, "/ \t,*"));
}

/* Where the value of this key was set. */
static const char *place(const struct config *c, const char *key)
{
	return c->from[param_find(config_table, key) - config_table];
}

static int read_durability(struct config *c, struct errinfo *err)
{
	char *end;
	unsigned long ms;

	c->interval_ms = 0;
	if (strncmp(c->durability, "interval:", 9) == 0) {
		ms = strtoul(c->durability + 9, &end, 10);
		if (!isdigit((unsigned char)c->durability[9]) || *end || ms < 1 ||
		    ms > INTERVAL_MAX_MS) {
			return err_set(err, RC_INVALID, "out_of_range", place(c, "durability"),
			    "durability = interval:MS takes 1 to %d milliseconds", INTERVAL_MAX_MS);
		}
		c->interval_ms = (unsigned)ms;
	} else if (strcmp(c->durability, "commit") != 0) {
		return err_set(err, RC_INVALID, "out_of_range", place(c, "durability"),
		    "durability is commit or interval:MS");
	}
	return 0;
}

static int read_log_level(struct config *c, struct errinfo *err)
{
	return log_levels_read(c->log_level, &c->levels)
		   ? 0
		   : err_set(err, RC_INVALID, "out_of_range", place(c, "log_level"),
			 "log_level must be one of error, warning, notice, info, debug, then "
			 ",MODULE=LEVEL for any of daemon, store, http, request, auth");
}

int config_check(struct config *c, struct errinfo *err)
{
	int rc = read_durability(c, err);

	rc = rc ? rc : read_log_level(c, err);
	rc = rc ? rc : find_credential(c, err);
	if (rc) {
		return rc;
	}
	if (!*c->tls_cert != !*c->tls_key) {
		return err_set(err, RC_INVALID, "missing_field",
		    place(c, *c->tls_cert ? "tls_cert" : "tls_key"),
		    "tls_cert and tls_key are set together");
	}
	if (!is_origin(c->cors_origin)) {
		return err_set(err, RC_INVALID, "out_of_range", place(c, "cors_origin"),
		    "cors_origin is http:// or https:// and a host, with nothing behind it");
	}
	if (!is_loopback(c->listen) && !c->insecure && !*c->token_file) {
		return err_set(err, RC_INVALID, "insecure", place(c, "listen"),
		    "%s is not a loopback address, and no token is asked for; set token_file, or "
		    "insecure = yes",
		    c->listen);
	}
	return 0;
}

void config_needs_restart(const struct config *a, const struct config *b, char ret[512])
{
	char one[PARAM_TEXT_MAX], other[PARAM_TEXT_MAX];
	size_t n = 0;

	ret[0] = '\0';
	for (const struct param_desc *d = config_table; d->name; d++) {
		if (!(d->flags & PARAM_RELOAD) && n < 512 &&
		    strcmp(param_format(d, a, one), param_format(d, b, other)) != 0) {
			n += (size_t)snprintf(ret + n, 512 - n, "%s%s", n ? " " : "", d->name);
		}
	}
}
