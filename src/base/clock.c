/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/digits.h"
#include "base/err.h"

#define DAY_S UINT64_C(86400)
#define DURATION_MAX_US (UINT64_C(36525) * DAY_S * CLOCK_SECOND_US) /* a hundred years */

static uint64_t now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * CLOCK_SECOND_US + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

uint64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

static _Atomic uint64_t steady_since; /* when CLOCK_BOOTTIME was 0; 0: nobody has asked */

uint64_t clock_steady_us(void)
{
	uint64_t passed = now_us(CLOCK_BOOTTIME), none = 0;

	if (!atomic_load(&steady_since)) {
		atomic_compare_exchange_strong(&steady_since, &none, clock_wall_us() - passed);
	}
	return atomic_load(&steady_since) + passed;
}

void clock_steady_from(uint64_t least_us)
{
	uint64_t now = clock_steady_us();

	if (now < least_us) {
		atomic_fetch_add(&steady_since, least_us - now);
	}
}

/* The date of a day since 1970-01-01: years begin in March and 400 of them are an era, so that leap
 * days come last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static void put_date(char *to, uint64_t day)
{
	unsigned z = (unsigned)(day + 719468), era = z / 146097, in_era = z % 146097;
	unsigned y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * y + y / 4 - y / 100);
	unsigned m = (5 * in_year + 2) / 153;

	digits_put_fixed(to + 8, in_year - (153 * m + 2) / 5 + 1, 2);
	digits_put_fixed(to + 5, m < 10 ? m + 3 : m - 9, 2);
	digits_put_fixed(to, y + 400 * era + (m >= 10), 4);
}

/* Two of these stand in every answer: ten times as fast as strftime and printf. */
void clock_format(uint64_t wall_us, char ret_text[CLOCK_TEXT_MAX])
{
	unsigned s = (unsigned)(wall_us / CLOCK_SECOND_US % DAY_S);

	memcpy(ret_text, "0000-00-00T00:00:00.000000Z", 28);
	put_date(ret_text, wall_us / CLOCK_SECOND_US / DAY_S);
	digits_put_fixed(ret_text + 11, s / 3600, 2);
	digits_put_fixed(ret_text + 14, s / 60 % 60, 2);
	digits_put_fixed(ret_text + 17, s % 60, 2);
	digits_put_fixed(ret_text + 20, (unsigned)(wall_us % CLOCK_SECOND_US), 6);
}

/* Reads exactly n digits; false leaves *p where it was. */
static bool digits(const char **p, int n, unsigned *ret)
{
	unsigned v = 0;

	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i])) {
			return false;
		}
		v = v * 10 + (unsigned)((*p)[i] - '0');
	}
	*p += n;
	*ret = v;
	return true;
}

static bool literal(const char **p, char c)
{
	if (**p != c) {
		return false;
	}
	(*p)++;
	return true;
}

/* The digits after a decimal point, at most six, as microseconds. */
static bool fraction(const char **p, uint64_t *ret_us)
{
	uint64_t unit = CLOCK_SECOND_US / 10, us = 0;

	if (!isdigit((unsigned char)**p)) {
		return false;
	}
	for (; isdigit((unsigned char)**p); (*p)++, unit /= 10) {
		if (unit == 0) {
			return false;
		}
		us += unit * (uint64_t)(**p - '0');
	}
	*ret_us = us;
	return true;
}

int clock_parse(const char *text, uint64_t *ret_wall_us)
{
	const char *p = text;
	unsigned y, mo, d, h, mi, s;
	uint64_t us = 0;
	struct tm tm = {0};
	struct tm back;
	time_t t;

	if (!digits(&p, 4, &y) || !literal(&p, '-') || !digits(&p, 2, &mo) || !literal(&p, '-') ||
	    !digits(&p, 2, &d) || !literal(&p, 'T') || !digits(&p, 2, &h) || !literal(&p, ':') ||
	    !digits(&p, 2, &mi) || !literal(&p, ':') || !digits(&p, 2, &s) || y < 1970 || h > 23 ||
	    mi > 59 || s > 59) {
		return RC_INVALID;
	}
	if (literal(&p, '.') && !fraction(&p, &us)) {
		return RC_INVALID;
	}
	if (strcmp(p, "Z") != 0 && strcmp(p, "+00:00") != 0) {
		return RC_INVALID;
	}
	tm = (struct tm){.tm_year = (int)y - 1900,
	    .tm_mon = (int)mo - 1,
	    .tm_mday = (int)d,
	    .tm_hour = (int)h,
	    .tm_min = (int)mi,
	    .tm_sec = (int)s};
	t = timegm(&tm);
	gmtime_r(&t, &back);
	if (back.tm_mday != (int)d || back.tm_mon != (int)mo - 1) {
		return RC_INVALID; /* the 30th of February */
	}
	*ret_wall_us = (uint64_t)t * CLOCK_SECOND_US + us;
	return 0;
}

/* One number with its unit letter; units must fall in order, which `*units` (what may still come)
 * keeps track of. */
static int duration_part(const char **p, const char **units, bool in_time, uint64_t *ret_us)
{
	static const struct {
		char letter;
		bool in_time;
		uint64_t us;
	} unit[] = {{'D', false, DAY_S * CLOCK_SECOND_US}, {'H', true, 3600 * CLOCK_SECOND_US},
	    {'M', true, 60 * CLOCK_SECOND_US}, {'S', true, CLOCK_SECOND_US}};
	uint64_t v = 0, frac = 0;
	const char *at;

	if (!isdigit((unsigned char)**p)) {
		return RC_INVALID;
	}
	for (; isdigit((unsigned char)**p); (*p)++) {
		v = v * 10 + (uint64_t)(**p - '0');
		if (v > DURATION_MAX_US / CLOCK_SECOND_US) {
			return RC_INVALID;
		}
	}
	if (literal(p, '.') && (!fraction(p, &frac) || **p != 'S')) {
		return RC_INVALID;
	}
	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		at = **p == unit[i].letter ? strchr(*units, unit[i].letter) : NULL;
		if (at && unit[i].in_time == in_time) {
			(*p)++;
			*units = at + 1;
			if (v > DURATION_MAX_US / unit[i].us) {
				return RC_INVALID;
			}
			*ret_us += v * unit[i].us + frac;
			return 0;
		}
	}
	return RC_INVALID;
}

int clock_parse_duration(const char *text, uint64_t *ret_us)
{
	const char *p = text, *units = "DHMS";
	bool in_time = false;
	uint64_t us = 0;

	if (!literal(&p, 'P') || !*p) {
		return RC_INVALID;
	}
	while (*p) {
		if (!in_time && literal(&p, 'T')) {
			in_time = true;
		}
		if (duration_part(&p, &units, in_time, &us) || us > DURATION_MAX_US) {
			return RC_INVALID;
		}
	}
	*ret_us = us;
	return 0;
}

void clock_format_duration(uint64_t us, char ret_text[CLOCK_TEXT_MAX])
{
	uint64_t s = us / CLOCK_SECOND_US, frac = us % CLOCK_SECOND_US;
	uint64_t h = s / 3600, m = s / 60 % 60;
	size_t n = (size_t)snprintf(ret_text, CLOCK_TEXT_MAX, "PT");

	s %= 60;
	if (h) {
		n += (size_t)snprintf(
		    ret_text + n, CLOCK_TEXT_MAX - n, "%lluH", (unsigned long long)h);
	}
	if (m) {
		n += (size_t)snprintf(
		    ret_text + n, CLOCK_TEXT_MAX - n, "%lluM", (unsigned long long)m);
	}
	if (frac) {
		snprintf(ret_text + n, CLOCK_TEXT_MAX - n, "%llu.%06lluS", (unsigned long long)s,
		    (unsigned long long)frac);
	} else if (s || us < CLOCK_SECOND_US) {
		snprintf(ret_text + n, CLOCK_TEXT_MAX - n, "%lluS", (unsigned long long)s);
	}
}
