/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "test.h"

#define DAY_US (UINT64_C(86400) * CLOCK_SECOND_US)
#define DAYS 2932897 /* 1970-01-01 to 9999-12-31 */

START_TEST(every_day_is_written_as_the_c_library_does)
{
	char ours[CLOCK_TEXT_MAX], theirs[CLOCK_TEXT_MAX];

	for (uint64_t day = 0; day < DAYS; day++) {
		time_t s = (time_t)(day * 86400 + day % 86400);
		struct tm tm;

		gmtime_r(&s, &tm);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S", &tm);
		clock_format((uint64_t)s * CLOCK_SECOND_US, ours);
		ck_assert_msg(strncmp(ours, theirs, 19) == 0, "%s, not %s", ours, theirs);
	}
}
END_TEST

START_TEST(a_time_reads_back)
{
	char text[CLOCK_TEXT_MAX];
	uint64_t back;

	clock_format(DAYS * DAY_US - 1, text);
	ck_assert_str_eq(text, "9999-12-31T23:59:59.999999Z");
	for (uint64_t us = 1; us < DAYS * DAY_US; us += DAY_US * 7 + 12345678901) {
		clock_format(us, text);
		ck_assert_int_eq(clock_parse(text, &back), 0);
		ck_assert_uint_eq(back, us);
	}
}
END_TEST

START_TEST(a_duration_reads_back)
{
	static const uint64_t some[] = {1, 10, 500000, 999999, 1000000, 59000000, 60000000,
	    3600000000, 3661000001, 86400000000, 90061000000, 36525 * DAY_US};
	char text[CLOCK_TEXT_MAX];
	uint64_t back;

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		clock_format_duration(some[i], text);
		ck_assert_msg(clock_parse_duration(text, &back) == 0, "%s", text);
		ck_assert_uint_eq(back, some[i]);
	}
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
	static const char *const bad[] = {"", "2026", "2026-01-31", "2026-01-31T08:00:00",
	    "2026-02-30T08:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T08:60:00Z",
	    "2026-01-31T08:00:00.Z", "2026-01-31T08:00:00.0000001Z", "2026-01-31T08:00:00+01:00",
	    "2026-01-31T08:00:00Zx", "1969-12-31T23:59:59Z", " 2026-01-31T08:00:00Z",
	    "+026-01-31T08:00:00Z"};
	static const char *const bad_durations[] = {"", "P", "PT", "1H", "PT1", "PT1H1H", "PT1S1M",
	    "P1M", "P1Y", "PT-1S", "PT1.5H", "P1DT"};
	uint64_t us;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(clock_parse(bad[i], &us) == RC_INVALID, "%s", bad[i]);
	}
	for (size_t i = 0; i < sizeof(bad_durations) / sizeof(bad_durations[0]); i++) {
		ck_assert_msg(clock_parse_duration(bad_durations[i], &us) == RC_INVALID, "%s",
		    bad_durations[i]);
	}
}
END_TEST

RUN("clock", every_day_is_written_as_the_c_library_does, a_time_reads_back, a_duration_reads_back,
    what_is_no_time_is_refused)
