/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digits.h"

char *digits_put_fixed(char *to, uint64_t v, int n)
{
	for (int i = n; i-- > 0; v /= 10) {
		to[i] = (char)('0' + v % 10);
	}
	return to + n;
}

char *digits_put_hex(char *to, uint64_t v, int n)
{
	for (int i = n; i-- > 0; v >>= 4) {
		to[i] = "0123456789abcdef"[v & 15];
	}
	return to + n;
}

char *digits_put(char *to, uint64_t v)
{
	int n = 1;

	for (uint64_t rest = v; rest >= 10; rest /= 10) {
		n++;
	}
	return digits_put_fixed(to, v, n);
}
