/* SPDX-License-Identifier: Apache-2.0 */
/* Time in microseconds. The only caller of clock_gettime: everything below serve gets its time as
 * an argument, so that a replay sees the same instants. Thread-safe. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_SECOND_US UINT64_C(1000000)

uint64_t clock_wall_us(void); /* since 1970, UTC; may jump */
uint64_t clock_mono_us(void); /* never goes back */
/* Since 1970, for what is logged and when windows close: the wall clock as it was when this was
 * first asked, and from then on the time that has passed, a sleep of the machine included. So
 * whoever sets the clock of a running system closes no window, nor keeps one open. */
uint64_t clock_steady_us(void);
void clock_steady_from(uint64_t least_us); /* from now on not before this */

#define CLOCK_TEXT_MAX 32
/* RFC 3339 in UTC with microseconds, "2026-01-31T08:00:00.000001Z"; years 1970 to 9999. */
void clock_format(uint64_t wall_us, char ret_text[CLOCK_TEXT_MAX]);
/* The inverse; accepts 0 to 6 decimals and only Z or +00:00. RC_INVALID. */
int clock_parse(const char *text, uint64_t *ret_wall_us);
/* ISO 8601 durations of days and smaller: "PT24H", "P1DT30M", "PT0.5S". RC_INVALID. */
int clock_parse_duration(const char *text, uint64_t *ret_us);
/* The shortest such text, for showing it again. */
void clock_format_duration(uint64_t us, char ret_text[CLOCK_TEXT_MAX]);

#endif
