/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on standard error: "<6>msg=started listen=127.0.0.1:8080". One write a line, so lines
 * of several threads do not mix. Values are quoted when needed and control bytes escaped, so a
 * client cannot forge a line. Only serve and programs log. Thread-safe. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };
enum log_format { LOG_KEY_VALUE, LOG_JSON };
/* What a line is about: the process, the state, connections, requests, tokens. */
enum log_module { LOG_DAEMON, LOG_STORE, LOG_HTTP, LOG_REQUEST, LOG_AUTH, LOG_MODULES };

struct log_levels {
	enum log_level most[LOG_MODULES];
};

#define LOG_LINE_MAX 1024 /* longer lines are cut */

/* "info", or "info,http=debug,store=error": the level of all modules, then that of some. False: it
 * is neither, and ret is not to be used. */
bool log_levels_read(const char *text, struct log_levels *ret);
const char *log_level_name(enum log_level level);
/* At any time. */
void log_setup(const struct log_levels *most, enum log_format format);
/* log_event(LOG_STORE, LOG_INFO, "recovered", "events", log_int(n), "seconds", log_num(s), NULL): a
 * message, then pairs of key and value, all strings. At most 50 lines a second of each level are
 * written; the next one says how many were not. */
void log_event(enum log_module module, enum log_level level, const char *msg, ...)
    __attribute__((sentinel));
bool log_wants(enum log_module module, enum log_level level); /* would a line be written? */
/* The same at LOG_NOTICE, whatever the level and the rate; lost only where standard error takes
 * none. */
void log_audit(const char *msg, ...) __attribute__((sentinel));
/* A number as text for log_event; a small rotating per-thread store, good for eight at a time. */
const char *log_num(double v);
const char *log_int(unsigned long long v);
/* Lines written so far at this level. */
unsigned long long log_lines(enum log_level level);
/* Lines that were not, because standard error took none just then; nobody waits for it. */
unsigned long long log_lines_lost(void);

#endif
