/* SPDX-License-Identifier: Apache-2.0 */
/* What several handlers do: bodies in, documents and pages out, revisions. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/bind.h"
#include "policies/policies.h"
#include "serve/api_impl.h"

int api_out_of_memory(struct api_call *c)
{
	return err_set(&c->err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

int api_send(struct api_call *c, int status, json_t *body)
{
	c->rs->status = status;
	c->rs->content_type = "application/json";
	c->rs->body = body ? json_dumps(body, API_DUMP) : NULL;
	json_decref(body);
	if (!c->rs->body) {
		return api_out_of_memory(c);
	}
	c->rs->body_len = strlen(c->rs->body);
	return 0;
}

void api_wait(struct api_call *c, uint64_t ticket)
{
	c->rs->ticket = c->a->o.answer_at_once ? 0 : ticket;
}

int api_item(struct api_call *c, struct engine_item **ret)
{
	return engine_find(c->a->o.engine, c->param[0], ret, &c->err);
}

int api_body(struct api_call *c, json_t **ret)
{
	return json_parse(c->rq->body ? c->rq->body : "", c->rq->body_len, ret, &c->err);
}

int api_arg_u64(struct api_call *c, const char *name, uint64_t dflt, uint64_t *ret)
{
	const char *text = http_request_arg(c->rq, name);
	unsigned long long v;
	char *end;

	*ret = dflt;
	if (!text) {
		return 0;
	}
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno) {
		return err_set(
		    &c->err, RC_INVALID, "bad_parameter", name, "%s must be a whole number", name);
	}
	*ret = v;
	return 0;
}

int api_limit(struct api_call *c, size_t *ret)
{
	uint64_t limit;
	int rc = api_arg_u64(c, "limit", API_PAGE_DEFAULT, &limit);

	if (rc == 0 && (limit < 1 || limit > API_PAGE_MAX)) {
		return err_set(&c->err, RC_INVALID, "bad_parameter", "limit",
		    "limit must lie in 1..%d", API_PAGE_MAX);
	}
	*ret = (size_t)limit;
	return rc;
}

int api_cursor(struct api_call *c, uint64_t *ret)
{
	const char *text = http_request_arg(c->rq, "cursor");
	unsigned long long v;
	char *end;

	*ret = 0;
	if (!text) {
		return 0;
	}
	errno = 0;
	v = strtoull(*text == 'c' ? text + 1 : "x", &end, 10);
	if (*text != 'c' || text[1] < '1' || text[1] > '9' || *end || errno) {
		return err_set(&c->err, RC_INVALID, "bad_cursor", "cursor", "not a cursor of ours");
	}
	*ret = v;
	return 0;
}

int api_send_page(struct api_call *c, json_t *items, const char *cursor)
{
	json_t *page = json_object();

	if (!page || !items || json_object_set_new(page, "items", items) ||
	    json_object_set_new(page, "next", cursor ? json_string(cursor) : json_null())) {
		json_decref(page);
		return api_out_of_memory(c);
	}
	if (cursor) {
		http_response_header(c->rs, "Link", "<%s?cursor=%s&limit=%zu>; rel=\"next\"",
		    c->rq->path, cursor, json_array_size(items));
	}
	return api_send(c, 200, page);
}

size_t api_policy_index(const struct policy_ops *ops)
{
	size_t i = 0;

	while (policy_table[i] != ops) {
		i++;
	}
	return i;
}

/* The header is an alias for the member, so the body becomes what it would be with the member. */
int api_alias_key(
    struct api_call *c, json_t *body, const char *field, const char **member, struct errinfo *err)
{
	const char *header = c->rq->field[HTTP_IDEMPOTENCY_KEY];
	size_t n = header ? strlen(header) : 0;
	char *bare;

	if (!header) {
		return 0;
	}
	if (n >= 2 && header[0] == '"' && header[n - 1] == '"') {
		header++;
		n -= 2;
	}
	bare = arena_text(&c->a->mem, header, n);
	if (!bare) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	if (!id_is_valid(bare) || (*member && strcmp(*member, bare) != 0)) {
		char pointer[16];

		snprintf(pointer, sizeof(pointer), "/%s", field);
		return err_set(err, RC_INVALID, "bad_parameter", pointer,
		    "Idempotency-Key is not a valid id, or not the same as the member");
	}
	*member = bare;
	return json_object_set_new(body, field, json_string(bare))
		   ? err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory")
		   : 0;
}

static void etag_text(struct engine_item *it, const struct experiment *e, char ret[48])
{
	snprintf(
	    ret, 48, "\"%" PRIu32 "-%" PRIu64 "\"", engine_number(it), experiment_changed_seq(e));
}

void api_etag(struct api_call *c, struct engine_item *it, const struct experiment *e)
{
	char tag[48];

	etag_text(it, e, tag);
	http_response_header(c->rs, "ETag", "%s", tag);
}

/* Is tag one of those in a list like "\"1-2\", \"1-3\"" or "*"? */
static bool tag_listed(const char *list, const char *tag)
{
	return strcmp(list, "*") == 0 || strstr(list, tag) != NULL;
}

int api_if_match(struct api_call *c, struct engine_item *it, const struct experiment *e)
{
	const char *list = c->rq->field[HTTP_IF_MATCH];
	char tag[48];

	etag_text(it, e, tag);
	if (list && !tag_listed(list, tag)) {
		return err_set(
		    &c->err, RC_CONFLICT, "precondition_failed", "", "the revision is now %s", tag);
	}
	return 0;
}

bool api_none_match(struct api_call *c, struct engine_item *it, const struct experiment *e)
{
	const char *list = c->rq->field[HTTP_IF_NONE_MATCH];
	char tag[48];

	etag_text(it, e, tag);
	return list && tag_listed(list, tag);
}
