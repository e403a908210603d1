/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define NUM_SLOTS 8
/* Of one level, so many lines a second; what is beyond is counted in the next line that passes. */
#define RATE_LINES 50

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};
static const char *const module_names[LOG_MODULES] = {
    [LOG_DAEMON] = "daemon",
    [LOG_STORE] = "store",
    [LOG_HTTP] = "http",
    [LOG_REQUEST] = "request",
    [LOG_AUTH] = "auth",
};
static atomic_int threshold[LOG_MODULES] = {LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO};
static atomic_int form = LOG_KEY_VALUE;
static atomic_ullong lines[LOG_DEBUG + 1];
static atomic_ullong window[LOG_DEBUG + 1]; /* second << 20 | lines in it */
static atomic_ullong dropped[LOG_DEBUG + 1];
static atomic_ullong unwritten;

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line is written whole");

struct line {
	char text[LOG_LINE_MAX];
	size_t len;
};

/* The index of the name that the n bytes are; n_names: none. */
static size_t find_name(const char *const *names, size_t n_names, const char *s, size_t n)
{
	size_t i = 0;

	while (i < n_names && (strlen(names[i]) != n || memcmp(names[i], s, n) != 0)) {
		i++;
	}
	return i;
}

bool log_levels_read(const char *text, struct log_levels *ret)
{
	const size_t n_levels = sizeof(level_names) / sizeof(*level_names);
	bool first = true;

	for (const char *s = text, *end; s; s = *end ? end + 1 : NULL, first = false) {
		size_t module = LOG_MODULES, level, len;

		end = s + strcspn(s, ",");
		if (!first) {
			len = strcspn(s, "=,");
			module = find_name(module_names, LOG_MODULES, s, len);
			s += len + 1;
			if (module == LOG_MODULES || s > end) {
				return false;
			}
		}
		level = find_name(level_names, n_levels, s, (size_t)(end - s));
		if (level == n_levels) {
			return false;
		}
		for (size_t i = 0; i < LOG_MODULES; i++) {
			if (first || i == module) {
				ret->most[i] = (enum log_level)(LOG_ERROR + level);
			}
		}
	}
	return true;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level - LOG_ERROR];
}

void log_setup(const struct log_levels *most, enum log_format format)
{
	for (size_t i = 0; i < LOG_MODULES; i++) {
		atomic_store(&threshold[i], (int)most->most[i]);
	}
	form = format;
}

#define LINE_END 2 /* a brace and the newline */

static void add(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof(l->text) - LINE_END - l->len;

	n = n < room ? n : room;
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void add_str(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static bool fits(const struct line *l, size_t n)
{
	return l->len + n + LINE_END <= sizeof(l->text);
}

/* Whole characters as far as they fit, and always both quotes. */
static void add_escaped(struct line *l, const char *s)
{
	add_str(l, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char text[8] = {*s};

		if (c < 0x20 || c == 0x7f) {
			snprintf(text, sizeof(text), form == LOG_JSON ? "\\u%04x" : "\\x%02x", c);
		} else if (c == '"' || c == '\\') {
			snprintf(text, sizeof(text), "\\%c", c);
		}
		if (!fits(l, strlen(text) + 1)) {
			break;
		}
		add_str(l, text);
	}
	add_str(l, "\"");
}

static bool is_plain(const char *s)
{
	if (!*s) {
		return false;
	}
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= 0x20 || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
			return false;
		}
	}
	return true;
}

static void add_pair(struct line *l, const char *key, const char *value)
{
	if (!fits(l, strlen(key) + sizeof(",\"\":\"\""))) {
		return; /* half a pair is none */
	}
	if (form == LOG_JSON) {
		add_str(l, l->len > 1 ? ",\"" : "\"");
		add_str(l, key);
		add_str(l, "\":");
		add_escaped(l, value);
		return;
	}
	add_str(l, l->len > 3 ? " " : "");
	add_str(l, key);
	add_str(l, "=");
	if (is_plain(value)) {
		add_str(l, value);
	} else {
		add_escaped(l, value);
	}
}

/* True when this second still has room for a line of this level. */
static bool within_rate(enum log_level level)
{
	unsigned long long second = clock_mono_us() / CLOCK_SECOND_US;
	unsigned long long seen = atomic_load(&window[level]), next;

	do {
		next = (seen >> 20) == second ? seen + 1 : (second << 20) + 1;
	} while (!atomic_compare_exchange_weak(&window[level], &seen, next));
	if ((next & 0xfffff) > RATE_LINES) {
		atomic_fetch_add(&dropped[level], 1);
		return false;
	}
	return true;
}

bool log_wants(enum log_module module, enum log_level level)
{
	return (int)level <= atomic_load(&threshold[module]);
}

/* Whoever reads the log may have stopped; decisions do not wait for that. A pipe that can be
 * written has room for PIPE_BUF bytes, which is more than a line. */
static bool can_write(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}

static void write_line(enum log_level level, const char *msg, va_list ap)
{
	struct line l = {.len = 0};
	unsigned long long lost;
	const char *key;

	if (form == LOG_JSON) {
		char now[CLOCK_TEXT_MAX];

		clock_format(clock_wall_us(), now);
		add_str(&l, "{");
		add_pair(&l, "at", now);
		add_pair(&l, "level", log_int(level));
	} else {
		l.len = (size_t)snprintf(l.text, sizeof(l.text), "<%d>", (int)level);
	}
	add_pair(&l, "msg", msg);
	while ((key = va_arg(ap, const char *)) != NULL) {
		add_pair(&l, key, va_arg(ap, const char *));
	}
	lost = atomic_exchange(&dropped[level], 0);
	if (lost) {
		add_pair(&l, "suppressed_lines", log_int(lost));
	}
	if (form == LOG_JSON) {
		l.text[l.len++] = '}';
	}
	l.text[l.len++] = '\n';
	if (!can_write()) {
		atomic_fetch_add(&dropped[level], lost + 1);
		atomic_fetch_add(&unwritten, 1);
		return;
	}
	atomic_fetch_add(&lines[level], 1);
	if (write(STDERR_FILENO, l.text, l.len) < 0) {
		return; /* nowhere left to complain */
	}
}

void log_event(enum log_module module, enum log_level level, const char *msg, ...)
{
	va_list ap;

	if (!log_wants(module, level) || !within_rate(level)) {
		return;
	}
	va_start(ap, msg);
	write_line(level, msg, ap);
	va_end(ap);
}

void log_audit(const char *msg, ...)
{
	va_list ap;

	va_start(ap, msg);
	write_line(LOG_NOTICE, msg, ap);
	va_end(ap);
}

static char *num_slot(void)
{
	static _Thread_local char slots[NUM_SLOTS][32];
	static _Thread_local unsigned next;

	return slots[next++ % NUM_SLOTS];
}

const char *log_num(double v)
{
	char *s = num_slot();

	snprintf(s, 32, "%.6g", v);
	return s;
}

const char *log_int(unsigned long long v)
{
	char *s = num_slot();

	snprintf(s, 32, "%llu", v);
	return s;
}

unsigned long long log_lines(enum log_level level)
{
	return atomic_load(&lines[level]);
}

unsigned long long log_lines_lost(void)
{
	return atomic_load(&unwritten);
}
