/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: where a state is, which experiments it holds, progress, words on
 * standard error. Programs only; one thread. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/registry.h"
#include "store/store.h"

enum { CLI_DONE = 0, CLI_WRONG = 1, CLI_USAGE = 2 }; /* exit statuses */

/* "bandit COMMAND: where: text" on standard error. Returns CLI_WRONG. */
int cli_fail(const char *command, const struct errinfo *err);
/* "bandit COMMAND: " and the text, then where to read more. Returns CLI_USAGE. */
int cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A whole number in [0, max]; 1e6 is one, too. RC_INVALID. */
int cli_whole(const char *text, uint64_t max, uint64_t *ret);
/* One compact document and a newline on standard output; takes doc, NULL is out of memory. Returns
 * the exit status. */
int cli_print_json(const char *command, json_t *doc);
/* Everything that was printed has been taken? Returns the exit status. */
int cli_flush(const char *command);

/* A bar with rate and time left on standard error, when that is a terminal; nothing otherwise. */
struct progress {
	const char *what; /* "events" */
	uint64_t done, of, start_us, next_us;
	bool show;
};
void progress_start(struct progress *p, const char *what, uint64_t of); /* of 0: not known */
void progress_add(struct progress *p, uint64_t n);
void progress_clear(struct progress *p); /* before printing something else, and at the end */

/* A state on disk, read only; the daemon may run meanwhile. */
struct state {
	char *where; /* its directory */
	struct store_reader *reader;
	struct registry list;
};
bool state_is(const char *path); /* a directory, or called state.db */
/* path is a state directory or its state.db. RC_NOT_FOUND, RC_IO, RC_CORRUPT, RC_VERSION ... */
int state_open(const char *path, struct state *ret, struct errinfo *err);
void state_close(struct state *s); /* also when zeroed */
struct replay;
/* Where the log of an experiment begins: *ret_after is 0, or the log was pruned up to there, and r
 * stands at that state. RC_CORRUPT, RC_VERSION: that state cannot be read. */
int state_begin(struct store_reader *r, uint32_t number, struct replay *replay, uint64_t *ret_after,
    struct errinfo *err);
/* The number of the experiment of this name; 0: none. */
uint32_t state_find(const struct state *s, const char *name);

#endif
