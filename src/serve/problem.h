/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as clients see them: application/problem+json (RFC 9457) with a stable code, and for each
 * code a short page at /problems/<code>. The table in problem.c is the only list of codes. */
#ifndef SERVE_PROBLEM_H
#define SERVE_PROBLEM_H

#include <jansson.h>

#include "base/err.h"
#include "serve/http.h"

struct problem {
	const char *code;
	int status;
	const char *title;
	const char *help; /* cause, and what to do */
};

extern const struct problem problem_table[]; /* ends with code NULL */
/* Never NULL: what is not in the table is "internal". */
const struct problem *problem_find(const char *code);
/* The members of the error document; NULL when out of memory. request_id may be NULL. */
json_t *problem_json(const struct errinfo *err, const char *request_id);
/* The whole reply, Retry-After included. Falls back to a fixed text when out of memory. */
void problem_reply(const struct errinfo *err, const char *request_id, struct http_response *rs);
/* The page of a code, as text/plain; false when there is no such code. */
bool problem_page(const char *code, struct http_response *rs);

#endif
