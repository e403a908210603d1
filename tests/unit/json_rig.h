/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of json share: bodies with ' for ", experiments from bodies, damaged copies. */
#ifndef TESTS_UNIT_JSON_RIG_H
#define TESTS_UNIT_JSON_RIG_H

#include <jansson.h>
#include <stdio.h>

#include "base/hash.h"
#include "json/bind.h"
#include "json/spec_json.h"
#include "policies/policies.h"
#include "test.h"

#define RIG_TEXT_MAX 65536
#define RIG_AT UINT64_C(1767225600000000) /* 2026-01-01 */

/* 'a' becomes "a": bodies stay readable. Two buffers by turns. */
static inline const char *quoted(const char *text)
{
	static char out[2][RIG_TEXT_MAX];
	static int turn;
	char *to = out[turn ^= 1];
	size_t n = strlen(text);

	ck_assert_uint_lt(n, RIG_TEXT_MAX);
	for (size_t i = 0; i <= n; i++) {
		to[i] = text[i] == '\'' ? '"' : text[i];
	}
	return to;
}

static inline json_t *parsed(const char *text)
{
	struct errinfo err = {.rc = 0};
	json_t *o = NULL;
	const char *body = quoted(text);

	ck_assert_msg(json_parse(body, strlen(body), &o, &err) == 0, "%s: %s", body, err.text);
	return o;
}

/* Lives as long as mem; NULL with err when the body is refused. */
static inline struct experiment *experiment_of(
    const char *body, struct arena *mem, struct errinfo *err)
{
	struct experiment_spec spec;
	struct experiment *e = NULL;
	json_t *o = parsed(body);
	bool has_seed = false;
	int rc = spec_from_json(o, "home", mem, &spec, &has_seed, err);
	const struct policy_ops *ops = rc ? NULL : policy_find(spec.policy);

	if (rc == 0) {
		ck_assert_ptr_nonnull(ops);
		rc = experiment_new(&spec, ops, RIG_AT, &e, err);
	}
	ck_assert_int_eq(rc, err->rc);
	json_decref(o);
	return rc ? NULL : e;
}

static inline struct experiment *good_experiment(const char *body, struct arena *mem)
{
	struct errinfo err = {.rc = 0};
	struct experiment *e = experiment_of(body, mem, &err);

	ck_assert_msg(e != NULL, "%s: %s", err.pointer, err.text);
	return e;
}

static inline void assert_error(
    const char *body, const struct errinfo *err, const char *code, const char *pointer)
{
	ck_assert_msg(err->rc != 0, "%s was accepted", body);
	ck_assert_msg(strcmp(err->code, code) == 0 && strcmp(err->pointer, pointer) == 0,
	    "%s: %s at %s (%s), not %s at %s", body, err->code, err->pointer, err->text, code,
	    pointer);
}

/* Every truncation of the body and every byte of it replaced by each of some: tried, freed, and
 * every error fit to be sent. */
typedef void try_fn(const json_t *o, struct arena *mem, struct errinfo *err, void *arg);

static inline void try_one(const char *text, size_t n, try_fn *fn, void *arg)
{
	struct errinfo err = {.rc = 0};
	struct arena mem;
	json_t *o = NULL, *shown;

	arena_init(&mem, 1 << 20);
	if (json_parse(text, n, &o, &err) == 0) {
		fn(o, &mem, &err, arg);
	}
	shown = json_string(err.text);
	ck_assert_msg(shown != NULL, "not UTF-8: %s", err.text);
	json_decref(shown);
	shown = json_string(err.pointer);
	ck_assert_msg(shown != NULL, "not UTF-8: %s", err.pointer);
	json_decref(shown);
	json_decref(o);
	arena_release(&mem);
}

static inline void try_damaged(const char *body, try_fn *fn, void *arg)
{
	static const char bytes[] = {'"', '{', '}', '[', ']', ',', ':', '0', '9', '-', 'e', 'n',
	    '.', ' ', '\\', '/', '~', '\0', '\x1f', '\x80', '\xc3', '\xff'};
	char copy[RIG_TEXT_MAX];
	const char *text = quoted(body);
	size_t n = strlen(text);

	memcpy(copy, text, n);
	for (size_t i = 0; i <= n; i++) {
		try_one(copy, i, fn, arg);
	}
	for (size_t i = 0; i < n; i++) {
		char was = copy[i];

		for (size_t k = 0; k < sizeof(bytes); k++) {
			copy[i] = bytes[k];
			try_one(copy, n, fn, arg);
		}
		for (int bit = 0; bit < 8; bit++) {
			copy[i] = (char)(was ^ (1 << bit));
			try_one(copy, n, fn, arg);
		}
		copy[i] = was;
	}
}

#endif
