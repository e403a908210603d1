/* SPDX-License-Identifier: Apache-2.0 */
/* The small parts that everything stands on. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/log.h"
#include "base/param.h"
#include "serve/config.h"
#include "tests/unit/test.h"

/* ---- digits ---- */

START_TEST(digits_are_what_printf_writes)
{
	static const uint64_t some[] = {0, 1, 9, 10, 99, 100, 4294967296, UINT64_MAX};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		char want[64], got[64] = "", *to;

		snprintf(want, sizeof(want), "%" PRIu64 "-%016" PRIx64 "-%03" PRIu64, some[i],
		    some[i], some[i] % 1000);
		to = digits_put(got, some[i]);
		*to++ = '-';
		to = digits_put_hex(to, some[i], 16);
		*to++ = '-';
		*digits_put_fixed(to, some[i], 3) = '\0';
		ck_assert_str_eq(got, want);
	}
}
END_TEST

/* ---- buf ---- */

START_TEST(a_writer_stays_failed_and_within_its_bound)
{
	struct buf b;
	size_t n;

	buf_init(&b, 10);
	buf_put_u64(&b, 1);
	buf_put_u8(&b, 2);
	ck_assert_int_eq(b.rc, 0);
	buf_put_u32(&b, 3);
	ck_assert_int_eq(b.rc, RC_LIMIT);
	buf_put_u8(&b, 4); /* would fit, but comes too late */
	ck_assert_uint_le(b.len, 10);
	ck_assert_int_eq(buf_reserve(&b, 1), RC_LIMIT);
	ck_assert_ptr_null(buf_take(&b, &n));
	ck_assert_int_eq(b.rc, 0);
	buf_printf(&b, "%s", "012345678"); /* takes a byte more while it prints */
	ck_assert_int_eq(b.rc, 0);
	ck_assert_uint_eq(b.len, 9);
	buf_reset(&b);
	buf_printf(&b, "%s", "0123456789a");
	ck_assert_int_eq(b.rc, RC_LIMIT);
	buf_reset(&b);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), RC_LIMIT);
	buf_release(&b);
}
END_TEST

START_TEST(a_number_has_one_encoding)
{
	static const struct {
		const char *bytes;
		size_t n;
		int rc;
		uint64_t v;
	} cases[] = {{"\x00", 1, 0, 0}, {"\x7f", 1, 0, 127}, {"\x80\x01", 2, 0, 128},
	    {"\x80\x00", 2, RC_CORRUPT, 0}, {"\xff\x80\x00", 3, RC_CORRUPT, 0},
	    {"\x80", 1, RC_CORRUPT, 0}, {"", 0, RC_CORRUPT, 0},
	    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, 0, UINT64_MAX},
	    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, RC_CORRUPT, 0},
	    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11, RC_CORRUPT, 0}};
	struct buf b;
	struct rd r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		rd_init(&r, cases[i].bytes, cases[i].n);
		ck_assert_uint_eq(rd_var(&r), cases[i].v);
		ck_assert_int_eq(r.rc, cases[i].rc);
	}
	for (int bit = 0; bit < 64; bit++) {
		uint64_t v = (UINT64_C(1) << bit) - (bit % 2);

		buf_init(&b, 16);
		buf_put_var(&b, v);
		rd_init(&r, b.data, b.len);
		ck_assert_uint_eq(rd_var(&r), v);
		ck_assert_uint_eq(rd_left(&r), 0);
		ck_assert_int_eq(r.rc, 0);
		buf_release(&b);
	}
}
END_TEST

START_TEST(a_reader_stays_failed_and_believes_no_length)
{
	static const unsigned char bytes[] = {200, 1, 'a', 'b', 3, 'x', 'y'};
	struct rd r;
	size_t n = 9;

	rd_init(&r, bytes, sizeof(bytes));
	ck_assert_uint_eq(rd_count(&r, 1), 0); /* 200 of them cannot be there */
	ck_assert_int_eq(r.rc, RC_CORRUPT);
	ck_assert_uint_eq(rd_u8(&r), 0);
	ck_assert_ptr_null(rd_bytes(&r, 1));
	rd_init(&r, bytes + 4, 3);
	rd_str(&r, &n);
	ck_assert_int_eq(r.rc, RC_CORRUPT);
	ck_assert_uint_eq(n, 0);
	rd_init(&r, bytes, 3);
	ck_assert_uint_eq(rd_u32(&r), 0);
	ck_assert_int_eq(r.rc, RC_CORRUPT);
}
END_TEST

/* ---- arena ---- */

START_TEST(an_arena_is_bounded_and_aligned)
{
	struct arena a;
	char *text;

	arena_init(&a, 100000);
	for (int round = 0; round < 3; round++) {
		for (size_t n = 0; n < 100; n++) {
			void *p = arena_alloc(&a, n);

			ck_assert_ptr_nonnull(p);
			ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
			memset(p, 1, n);
		}
		text = arena_text(&a, "abc", 2);
		ck_assert_str_eq(text, "ab");
		ck_assert_ptr_null(arena_alloc(&a, 100000));
		ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
		ck_assert_ptr_null(arena_array(&a, SIZE_MAX / 2, 4));
		ck_assert_ptr_nonnull(arena_alloc(&a, 50000));
		arena_reset(&a);
		ck_assert_uint_eq(a.used, 0);
	}
	arena_release(&a);
}
END_TEST

/* ---- clock ---- */

START_TEST(instants_are_written_and_read_back)
{
	static const struct {
		const char *text;
		uint64_t us;
	} cases[] = {{"1970-01-01T00:00:00.000000Z", 0},
	    {"2000-02-29T23:59:59.999999Z", UINT64_C(951868799999999)},
	    {"2024-02-29T12:00:00.000001Z", UINT64_C(1709208000000001)},
	    {"2100-02-28T23:59:59.000000Z", UINT64_C(4107542399000000)},
	    {"2100-03-01T00:00:00.000000Z", UINT64_C(4107542400000000)},
	    {"9999-12-31T23:59:59.999999Z", UINT64_C(253402300799999999)}};
	static const char *const bad[] = {"", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z",
	    "2100-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
	    "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
	    "2024-01-01T00:00:60Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z",
	    "2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00+01:00", "2024-01-01 00:00:00Z",
	    "1969-12-31T23:59:59Z", "2024-01-01T00:00:00Zx", "10000-01-01T00:00:00Z"};
	char text[CLOCK_TEXT_MAX];
	uint64_t us;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		clock_format(cases[i].us, text);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert_int_eq(clock_parse(text, &us), 0);
		ck_assert_uint_eq(us, cases[i].us);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(clock_parse(bad[i], &us) == RC_INVALID, "%s", bad[i]);
	}
	ck_assert_int_eq(clock_parse("1970-01-01T00:00:01.5+00:00", &us), 0);
	ck_assert_uint_eq(us, 1500000);
	for (us = 0; us < UINT64_C(253402300800000000); us += UINT64_C(86399123456) * 97) {
		uint64_t back;

		clock_format(us, text);
		if (clock_parse(text, &back) || back != us) {
			ck_abort_msg("%s", text);
		}
	}
}
END_TEST

START_TEST(durations_are_written_and_read_back)
{
	static const struct {
		const char *text;
		uint64_t us;
	} good[] = {{"PT24H", UINT64_C(86400000000)}, {"P1DT30M", UINT64_C(88200000000)},
	    {"PT0.5S", 500000}, {"PT1M", 60000000}, {"P365D", UINT64_C(31536000000000)},
	    {"PT0.000001S", 1}, {"PT90S", 90000000}};
	static const char *const bad[] = {"", "P", "PT", "1D", "P1", "PT1", "P1H", "PT1D", "P1Y",
	    "P1M", "P1W1D", "PT-1S", "PT1.5H", "PT1S1M", "PT0.0000001S", "PT1SX",
	    "P99999999999999999999D", "P999999999999999D", "PT99999999999999999H"};
	char text[CLOCK_TEXT_MAX];
	uint64_t us, back;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_assert_int_eq(clock_parse_duration(good[i].text, &us), 0);
		ck_assert_uint_eq(us, good[i].us);
		clock_format_duration(us, text);
		ck_assert_int_eq(clock_parse_duration(text, &back), 0);
		ck_assert_uint_eq(us, back);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(clock_parse_duration(bad[i], &us) == RC_INVALID, "%s", bad[i]);
	}
}
END_TEST

/* ---- param, config ---- */

START_TEST(a_setting_outside_its_bounds_is_told_them)
{
	static const char *const choices[] = {"one", "two", NULL};
	struct {
		double x;
		int64_t n;
		bool b;
		int c;
	} v;
	const struct param_desc table[] = {
	    {"x", PARAM_F64, 0, 0, 1, 0.5, PARAM_OPEN_MIN, NULL, "", NULL},
	    {"n", PARAM_INT, 8, 1, 1 << 20, 5, PARAM_BYTES, NULL, "", NULL},
	    {"b", PARAM_BOOL, 16, 0, 1, 1, 0, NULL, "", NULL},
	    {"c", PARAM_CHOICE, 20, 0, 0, 1, 0, choices, "", NULL}, {.name = NULL}};
	static const struct {
		int i;
		const char *text, *says; /* NULL: fine */
	} cases[] = {{0, "1", NULL}, {0, "0", "x must lie in (0, 1]"},
	    {0, "nan", "x must lie in (0, 1]"}, {0, "1KiB", "number"}, {0, "", "number"},
	    {1, "64KiB", NULL}, {1, "2MiB", "n must lie in [1, 1048576]"}, {1, "1.5", "whole"},
	    {1, "1KB", "number"}, {2, "yes", NULL}, {2, "1", "true or false"}, {3, "one", NULL},
	    {3, "three", "one of one, two"}};
	char scratch[PARAM_TEXT_MAX];

	param_defaults(table, &v);
	ck_assert(v.x == 0.5 && v.n == 5 && v.b && v.c == 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errinfo err = {.rc = 0};
		int rc = param_set_text(&table[cases[i].i], &v, cases[i].text, "/p", &err);

		ck_assert_int_eq(rc, cases[i].says ? RC_INVALID : 0);
		ck_assert_msg(!cases[i].says || strstr(err.text, cases[i].says), "%s", err.text);
		ck_assert_str_eq(err.pointer, cases[i].says ? "/p" : "");
	}
	ck_assert_int_eq(v.n, 65536);
	ck_assert_str_eq(param_format(&table[3], &v, scratch), "one");
	ck_assert_str_eq(param_format(&table[1], &v, scratch), "64KiB");
	v.x = 0.1;
	ck_assert_str_eq(param_format(&table[0], &v, scratch), "0.1");
}
END_TEST

#define S10 "0123456789"
#define S50 S10 S10 S10 S10 S10

START_TEST(a_bad_line_of_the_file_is_named)
{
	static const struct {
		const char *text;
		int line; /* 0: fine */
		const char *says;
	} cases[] = {{"# nothing\n\nlisten = 127.0.0.1:1\nexperiments = 5\n", 0, ""},
	    {"queue = 32MiB\nqueue = 32MiB\n", 2, "twice"}, {"\n\nnone = 1\n", 3, "none"},
	    {"queue = 1\n", 1, "must lie in"}, {"[section]\nqueue = 32MiB\n", 2, "section"},
	    {"queue\n", 1, "key = value"}, {"log_level = loud\n", 1, "one of"},
	    {"\nlog_level = info,http\n", 2, "MODULE=LEVEL"},
	    {"log_level = info,disk=debug\n", 1, "any of daemon"},
	    {"\ndurability = soon\n", 2, "interval:MS"},
	    {"durability = interval:0\n", 1, "1 to 60000"},
	    {"\ncors_origin = page\n", 2, "cors_origin is"}, {"\n\ntls_cert = /c\n", 3, "together"},
	    {"listen = 0.0.0.0:1\n", 1, "not a loopback"},
	    {"log_level = http=debug\n", 1, "one of"}, {"log_level = info,\n", 1, "one of"},
	    {"request_timeout = 90s\n", 0, ""}, {"request_timeout = 1h\n", 1, "must lie in"},
	    {"request_timeout = 1MiB\n", 1, "min or h"}, {"queue = 32s\n", 1, "KiB"},
	    {"state = relative\n", 1, "absolute"}, {"listen = unix:x\n", 1, "absolute"},
	    {"\nstate = /" S50 S50 S50 "/" S10 S10 S10 S10 "\n", 2, "199 bytes, not 201"},
	    {"\nstate = /" S50 S50 S50 S10 S10 S10 S10 "\n", 2, "199 bytes, not 200"},
	    {"state = /" S50 S50 S50 S10 S10 S10 "123456789\n", 0, ""}};
	char path[] = "/tmp/test_base_XXXXXX", where[64];
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errinfo err = {.rc = 0};
		struct config c;
		int rc;

		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_gt(pwrite(fd, cases[i].text, strlen(cases[i].text), 0), 0);
		config_init(&c);
		rc = config_read_file(&c, path, &err);
		rc = rc ? rc : config_check(&c, &err);
		ck_assert_int_eq(
		    rc, cases[i].line ? (strstr(cases[i].says, "199") ? RC_LIMIT : RC_INVALID) : 0);
		snprintf(where, sizeof(where), "%s:%d", path, cases[i].line);
		ck_assert_str_eq(err.pointer, cases[i].line ? where : "");
		ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
		config_release(&c);
	}
	close(fd);
	unlink(path);
}
END_TEST

/* ---- log ---- */

/* What is written to standard error by one line of the log. */
static void captured(enum log_format format, const char *value, char *ret, size_t size)
{
	int ends[2], old = dup(STDERR_FILENO);
	struct log_levels levels;
	ssize_t n;

	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	ck_assert(log_levels_read("info,http=debug,auth=error", &levels));
	log_setup(&levels, format);
	log_event(LOG_DAEMON, LOG_INFO, "told", "value", value, "last", "x", NULL);
	log_event(LOG_DAEMON, LOG_DEBUG, "not told", NULL);
	log_event(LOG_AUTH, LOG_WARNING, "not told", NULL);
	ck_assert(log_wants(LOG_HTTP, LOG_DEBUG) && !log_wants(LOG_STORE, LOG_DEBUG));
	dup2(old, STDERR_FILENO);
	close(ends[1]);
	close(old);
	n = read(ends[0], ret, size - 1);
	close(ends[0]);
	ck_assert_int_gt(n, 0);
	ret[n] = '\0';
}

START_TEST(a_value_cannot_forge_a_line)
{
	char line[2 * LOG_LINE_MAX];

	captured(LOG_KEY_VALUE, "plain", line, sizeof(line));
	ck_assert_str_eq(line, "<6>msg=told value=plain last=x\n");
	captured(LOG_KEY_VALUE, "a\n<3>msg=forged \"\\\x7f", line, sizeof(line));
	ck_assert_str_eq(line, "<6>msg=told value=\"a\\x0a<3>msg=forged \\\"\\\\\\x7f\" last=x\n");
	captured(LOG_KEY_VALUE, "", line, sizeof(line));
	ck_assert_str_eq(line, "<6>msg=told value=\"\" last=x\n");
	captured(LOG_JSON, "a\n\"", line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, "\"msg\":\"told\",\"value\":\"a\\u000a\\\"\","));
}
END_TEST

START_TEST(a_line_that_is_cut_is_still_a_line)
{
	char line[2 * LOG_LINE_MAX], value[LOG_LINE_MAX + 100];

	for (size_t n = LOG_LINE_MAX - 120; n < LOG_LINE_MAX; n++) {
		memset(value, n % 2 ? '\n' : 'v', n);
		value[n] = '\0';
		for (int format = 0; format < 2; format++) {
			size_t len, quotes = 0;

			captured((enum log_format)format, value, line, sizeof(line));
			len = strlen(line);
			ck_assert_uint_le(len, LOG_LINE_MAX);
			ck_assert_int_eq(line[len - 1], '\n');
			ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
			for (size_t i = 0; i < len; i++) {
				quotes += line[i] == '"';
			}
			ck_assert_msg(quotes % 2 == 0, "%s", line);
			ck_assert(format == LOG_KEY_VALUE || line[len - 2] == '}');
		}
		usleep(50 * 1000); /* fewer than the lines of a second */
	}
}
END_TEST

RUN("base", digits_are_what_printf_writes, a_writer_stays_failed_and_within_its_bound,
    a_number_has_one_encoding, a_reader_stays_failed_and_believes_no_length,
    an_arena_is_bounded_and_aligned, instants_are_written_and_read_back,
    durations_are_written_and_read_back, a_setting_outside_its_bounds_is_told_them,
    a_bad_line_of_the_file_is_named, a_value_cannot_forge_a_line,
    a_line_that_is_cut_is_still_a_line)
