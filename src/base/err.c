/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct errinfo *err, int rc, const char *code, const char *pointer, const char *fmt, ...)
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
