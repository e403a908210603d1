/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "serve/api_impl.h"

#define PARENT_ID_LEN 16
#define TRACEPARENT_LEN (2 + 1 + TRACE_ID_MAX + 1 + PARENT_ID_LEN + 1 + 2)

/* n lower-case hexadecimal digits that are not all zero. */
static bool is_id(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n && strspn(s, "0") < n;
}

bool api_trace_id(const char *traceparent, char ret[TRACE_ID_MAX + 1])
{
	const char *trace = traceparent + 3, *parent = trace + TRACE_ID_MAX + 1,
		   *flags = parent + PARENT_ID_LEN + 1;
	size_t n = strnlen(traceparent, TRACEPARENT_LEN + 1);
	bool more = n > TRACEPARENT_LEN; /* versions to come may add fields */

	if (n < TRACEPARENT_LEN || strspn(traceparent, "0123456789abcdef") != 2 ||
	    strncmp(traceparent, "ff", 2) == 0 || traceparent[2] != '-' ||
	    !is_id(trace, TRACE_ID_MAX) || parent[-1] != '-' || !is_id(parent, PARENT_ID_LEN) ||
	    flags[-1] != '-' || strspn(flags, "0123456789abcdef") != 2 ||
	    (more && (strncmp(traceparent, "00", 2) == 0 || flags[2] != '-'))) {
		return false;
	}
	memcpy(ret, trace, TRACE_ID_MAX);
	ret[TRACE_ID_MAX] = '\0';
	return true;
}

void api_log_request(
    const struct http_request *rq, const char *route, int status, uint64_t elapsed_us)
{
	enum log_level level = status == 500  ? LOG_WARNING
			       : status > 500 ? LOG_INFO /* stopping, full: told elsewhere, too */
					      : LOG_DEBUG;
	const char *traceparent = rq->field[HTTP_TRACEPARENT];
	char trace[TRACE_ID_MAX + 1];
	bool traced;

	if (!log_wants(LOG_REQUEST, level)) {
		return;
	}
	traced = traceparent && api_trace_id(traceparent, trace);
	log_event(LOG_REQUEST, level, "request", "method", rq->method, "route",
	    *route ? route : "none", "status", log_int((unsigned long long)status), "seconds",
	    log_num((double)elapsed_us / 1e6), "request_id", rq->request_id,
	    traced ? "trace_id" : NULL, trace, NULL);
}
