/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and environments as they stand on a command line: JSON, @file with JSON, or the short
 * form name / name:key=value,key=value, where a value is JSON or else text. */
#ifndef CLI_GIVEN_H
#define CLI_GIVEN_H

#include <jansson.h>

#include "base/arena.h"
#include "core/policy.h"
#include "core/spec.h"

#define GIVEN_FILE_MAX ((size_t)16 << 20)

/* A JSON document of at most GIVEN_FILE_MAX bytes; *ret is a new reference. RC_INVALID, RC_IO,
 * RC_LIMIT, RC_MEMORY. */
int given_file(const char *path, json_t **ret, struct errinfo *err);
/* {"env":name,...}; *ret is a new reference. RC_INVALID, RC_IO, RC_MEMORY. */
int given_env(const char *arg, json_t **ret, struct errinfo *err);

struct given_policy {
	const struct policy_ops *ops;
	const struct spec_param *params; /* in mem; texts borrowed from json */
	size_t nparams;
	json_t *json; /* {"name","params"} with those given; a new reference */
};

int given_policy(const char *arg, struct arena *mem, struct given_policy *ret, struct errinfo *err);
/* Its short form, for people; what does not fit is cut. */
void given_policy_text(const struct given_policy *p, char *ret, size_t size);

#endif
