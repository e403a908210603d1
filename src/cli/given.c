/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/given.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/bind.h"
#include "json/spec_json.h"
#include "policies/policies.h"

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

int given_file(const char *path, json_t **ret, struct errinfo *err)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t n;
	int rc;

	if (!f) {
		return err_set(err, RC_IO, "cannot_read", path, "%s", strerror(errno));
	}
	text = malloc(GIVEN_FILE_MAX + 1);
	n = text ? fread(text, 1, GIVEN_FILE_MAX + 1, f) : 0;
	if (!text) {
		rc = no_memory(err);
	} else if (ferror(f)) {
		rc = err_set(err, RC_IO, "cannot_read", path, "%s", strerror(errno));
	} else if (n > GIVEN_FILE_MAX) {
		rc =
		    err_set(err, RC_LIMIT, "too_long", path, "more than %zu bytes", GIVEN_FILE_MAX);
	} else {
		rc = json_parse(text, n, ret, err);
	}
	free(text);
	fclose(f);
	return rc;
}

/* Up to the next comma outside brackets and quotes, or the end. */
static size_t pair_length(const char *s)
{
	int depth = 0;
	bool quoted = false;
	size_t n;

	for (n = 0; s[n]; n++) {
		if (quoted) {
			quoted = s[n] != '"';
		} else if (s[n] == '"') {
			quoted = true;
		} else if (strchr("[{", s[n])) {
			depth++;
		} else if (strchr("]}", s[n])) {
			depth--;
		} else if (s[n] == ',' && depth <= 0) {
			break;
		}
	}
	return n;
}

/* Puts "key=value" into o. */
static int put_pair(json_t *o, const char *pair, size_t n, struct errinfo *err)
{
	const char *eq = memchr(pair, '=', n);
	char key[64];
	size_t len = eq ? (size_t)(eq - pair) : 0, left = n - len - 1;
	json_t *v;

	if (!eq || len == 0 || len >= sizeof(key) || left == 0) {
		return err_set(err, RC_INVALID, "invalid", "",
		    "settings are written key=value, not \"%.*s\"", (int)(n < 60 ? n : 60), pair);
	}
	snprintf(key, sizeof(key), "%.*s", (int)len, pair);
	if (json_object_get(o, key)) {
		return err_set(err, RC_INVALID, "duplicate_field", key, "given twice");
	}
	v = json_loadb(eq + 1, left, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (!v) {
		v = json_stringn(eq + 1, left);
	}
	return v && json_object_set_new(o, key, v) == 0
		   ? 0
		   : err_set(err, RC_INVALID, "invalid", key, "not valid UTF-8");
}

/* The pairs after "name:" as an object. */
static int parse_pairs(const char *s, json_t **ret, struct errinfo *err)
{
	json_t *o = json_object();
	int rc = o ? 0 : no_memory(err);

	while (rc == 0 && *s) {
		size_t n = pair_length(s);

		rc = put_pair(o, s, n, err);
		s += n + (s[n] == ',');
	}
	if (rc) {
		json_decref(o);
		return rc;
	}
	*ret = o;
	return 0;
}

/* JSON or a file; 1: neither, so the short form. */
static int parse_long(const char *arg, json_t **ret, struct errinfo *err)
{
	if (arg[0] == '@') {
		return given_file(arg + 1, ret, err);
	}
	return arg[0] == '{' ? json_parse(arg, strlen(arg), ret, err) : 1;
}

/* The name before the colon as JSON text, and the settings after it. */
static int parse_short(const char *arg, json_t **ret_name, json_t **ret, struct errinfo *err)
{
	size_t n = strcspn(arg, ":");
	int rc = parse_pairs(arg + n + (arg[n] == ':'), ret, err);

	if (rc) {
		return rc;
	}
	*ret_name = json_stringn(arg, n);
	if (!*ret_name) {
		json_decref(*ret);
		return err_set(err, RC_INVALID, "invalid", "", "not valid UTF-8");
	}
	return 0;
}

int given_env(const char *arg, json_t **ret, struct errinfo *err)
{
	json_t *name, *env, *rest;
	int rc = parse_long(arg, ret, err);

	if (rc <= 0) {
		return rc;
	}
	rc = parse_short(arg, &name, &rest, err);
	if (rc) {
		return rc;
	}
	env = json_object(); /* the name first, as people write it */
	rc = json_object_set_new(env, "env", name) || json_object_update_missing(env, rest);
	json_decref(rest);
	if (rc) {
		json_decref(env);
		return no_memory(err);
	}
	*ret = env;
	return 0;
}

int given_policy(const char *arg, struct arena *mem, struct given_policy *ret, struct errinfo *err)
{
	struct experiment_spec spec = {.policy = NULL};
	struct given_policy p = {.json = NULL};
	json_t *name, *params;
	int rc = parse_long(arg, &p.json, err);

	if (rc > 0) {
		rc = parse_short(arg, &name, &params, err);
		if (rc == 0) {
			p.json = json_pack("{so so}", "name", name, "params", params);
			rc = p.json ? 0 : no_memory(err);
		}
	}
	if (rc == 0) {
		rc = policy_from_json(p.json, "", mem, &spec, err);
	}
	p.ops = rc == 0 ? policy_find(spec.policy) : NULL;
	if (rc == 0 && !p.ops) {
		rc = err_set(
		    err, RC_INVALID, "unknown_policy", "/name", "no policy %s", spec.policy);
	}
	if (rc) {
		json_decref(p.json);
		return rc;
	}
	p.params = spec.params;
	p.nparams = spec.nparams;
	*ret = p;
	return 0;
}

void given_policy_text(const struct given_policy *p, char *ret, size_t size)
{
	size_t len = (size_t)snprintf(ret, size, "%s", p->ops->name);

	for (size_t i = 0; i < p->nparams && len < size; i++) {
		const struct spec_param *s = &p->params[i];
		char sep = i ? ',' : ':';

		if (s->text) {
			len += (size_t)snprintf(
			    ret + len, size - len, "%c%s=%s", sep, s->name, s->text);
		} else if (s->list.n) {
			len += (size_t)snprintf(
			    ret + len, size - len, "%c%s=[%zu numbers]", sep, s->name, s->list.n);
		} else {
			len += (size_t)snprintf(
			    ret + len, size - len, "%c%s=%.9g", sep, s->name, s->number);
		}
	}
}
