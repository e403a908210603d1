/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text where every answer has some: a tenth of what printf takes for them. */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include <stdint.h>

#define DIGITS_MAX 20 /* of the largest uint64_t */

/* Decimal, without leading zeros. Returns the end; nothing is terminated. */
char *digits_put(char *to, uint64_t v);
/* Exactly n digits of the lowest places. Returns the end. */
char *digits_put_fixed(char *to, uint64_t v, int n);
char *digits_put_hex(char *to, uint64_t v, int n);

#endif
