/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes of the UTF-8 character that begins at s; 0 when none does (Unicode, table 3-7). */
static size_t character(const char *s)
{
	unsigned char c = (unsigned char)s[0], next = c ? (unsigned char)s[1] : 0;
	unsigned char lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	unsigned char hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (c < 0x80) {
		return 1;
	}
	if (c < 0xc2 || c > 0xf4 || next < lo || next > hi) {
		return 0;
	}
	for (size_t i = 2; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return n;
}

/* An error must reach the client, and JSON takes no broken characters. */
static void mend(char *s)
{
	while (*s) {
		size_t n = character(s);

		if (n == 0) {
			*s = '?';
			n = 1;
		}
		s += n;
	}
}

int err_set(
    struct errinfo *err, int rc, const char *code, const char *pointer, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->rc) {
		return rc;
	}
	err->rc = rc;
	err->code = code;
	snprintf(err->pointer, sizeof(err->pointer), "%s", pointer ? pointer : "");
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	mend(err->pointer);
	mend(err->text);
	return rc;
}

const char *err_name(int rc)
{
	switch ((enum rc)rc) {
	case RC_OK:
		return "ok";
	case RC_MEMORY:
		return "out of memory";
	case RC_INVALID:
		return "invalid";
	case RC_NOT_FOUND:
		return "not found";
	case RC_CONFLICT:
		return "conflict";
	case RC_EXISTS:
		return "exists";
	case RC_STATE:
		return "impossible in this state";
	case RC_LIMIT:
		return "limit reached";
	case RC_BUSY:
		return "busy";
	case RC_FAILED:
		return "store failed";
	case RC_FULL:
		return "disk nearly full";
	case RC_CORRUPT:
		return "corrupt";
	case RC_VERSION:
		return "newer version";
	case RC_IO:
		return "input/output error";
	}
	return "unknown";
}
