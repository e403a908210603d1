/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "json/bind.h"

enum form { FORM_ONE, FORM_ARRAY, FORM_LINES };

struct batch {
	enum form form;
	json_t *root; /* the array or object */
	struct api_item_work *items;
	size_t n;
};

static int too_many(struct api_call *c)
{
	return err_set(
	    &c->err, RC_LIMIT, "too_many", "", "at most %d items in a request", API_BATCH_MAX);
}

static int items_new(struct api_call *c, struct batch *b, size_t n)
{
	b->items = arena_array(&c->a->mem, n, sizeof(*b->items));
	if (!b->items) {
		return api_out_of_memory(c);
	}
	memset(b->items, 0, n * sizeof(*b->items));
	return 0;
}

static int from_json(struct api_call *c, struct batch *b)
{
	int rc = api_body(c, &b->root);
	json_t *item;
	size_t i;

	if (rc) {
		return rc;
	}
	b->form = json_is_array(b->root) ? FORM_ARRAY : FORM_ONE;
	b->n = b->form == FORM_ARRAY ? json_array_size(b->root) : 1;
	if (b->n > API_BATCH_MAX) {
		return too_many(c);
	}
	rc = items_new(c, b, b->n);
	if (rc) {
		return rc;
	}
	if (b->form == FORM_ONE) {
		b->items[0].in = json_incref(b->root);
		b->items[0].alone = true;
		return 0;
	}
	json_array_foreach (b->root, i, item) {
		b->items[i].in = json_incref(item);
	}
	return 0;
}

static size_t count_lines(const char *p, size_t n)
{
	size_t lines = 0;

	for (const char *end = p + n; p < end; lines++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		p = nl ? nl + 1 : end;
	}
	return lines;
}

static bool is_blank(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strchr(" \t\r", p[i]) || !p[i]) {
			return false;
		}
	}
	return true;
}

static int from_lines(struct api_call *c, struct batch *b)
{
	const char *p = c->rq->body, *end = p + c->rq->body_len;
	size_t lines = count_lines(p, c->rq->body_len);
	int rc = lines > 2 * API_BATCH_MAX ? too_many(c) : items_new(c, b, lines);

	b->form = FORM_LINES;
	while (rc == 0 && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);

		if (!is_blank(p, n)) {
			struct api_item_work *w = &b->items[b->n++];

			w->err.rc = json_parse(p, n, &w->in, &w->err);
		}
		p = nl ? nl + 1 : end;
	}
	return rc == 0 && b->n > API_BATCH_MAX ? too_many(c) : rc;
}

static bool is_lines(const struct api_call *c)
{
	const char *type = c->rq->field[HTTP_CONTENT_TYPE];

	return type && strncasecmp(type, "application/x-ndjson", 20) == 0;
}

static void run(
    struct api_call *c, const struct api_batch_ops *ops, struct engine_item *it, struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct api_item_work *w = &b->items[i];

		if (!w->err.rc) {
			w->err.rc = ops->prepare(c, it, w);
		}
	}
	engine_begin(&c->a->work, it);
	for (size_t i = 0; i < b->n; i++) {
		struct api_item_work *w = &b->items[i];

		if (!w->err.rc) {
			w->err.rc = ops->perform(c, it, w);
		}
	}
	api_wait(c, engine_commit(&c->a->work));
	for (size_t i = 0; i < b->n; i++) {
		ops->finish(c, &b->items[i]);
	}
}

static int answer_one(struct api_call *c, struct api_item_work *w)
{
	json_t *out = w->out;

	if (w->err.rc) {
		c->err = w->err;
		return w->err.rc;
	}
	if (w->replayed) {
		http_response_header(c->rs, "Idempotency-Replayed", "true");
	}
	w->out = NULL;
	return api_send(c, w->status, out);
}

/* An item's answer within a batch: its members and "http". Taken over by the caller. */
static json_t *item_answer(struct api_item_work *w)
{
	json_t *out = w->err.rc ? problem_json(&w->err, NULL) : json_incref(w->out);
	int status = w->err.rc ? problem_find(w->err.code)->status : w->status;

	if (out && json_object_set_new(out, "http", json_integer(status))) {
		json_decref(out);
		return NULL;
	}
	return out;
}

static int answer_array(struct api_call *c, struct batch *b)
{
	json_t *all = json_array();

	for (size_t i = 0; i < b->n; i++) {
		if (!all || json_array_append_new(all, item_answer(&b->items[i]))) {
			json_decref(all);
			return api_out_of_memory(c);
		}
	}
	return api_send(c, 200, all);
}

static int put_bytes(const char *p, size_t n, void *arg)
{
	buf_put(arg, p, n);
	return ((struct buf *)arg)->rc;
}

static int answer_lines(struct api_call *c, struct batch *b)
{
	struct buf out;

	buf_init(&out, 64 * API_BODY_MAX);
	for (size_t i = 0; i < b->n; i++) {
		json_t *o = item_answer(&b->items[i]);

		if (!o || json_dump_callback(o, put_bytes, &out, API_DUMP)) {
			json_decref(o);
			buf_release(&out);
			return api_out_of_memory(c);
		}
		json_decref(o);
		buf_put_u8(&out, '\n');
	}
	c->rs->status = 200;
	c->rs->content_type = "application/x-ndjson";
	c->rs->body = (char *)buf_take(&out, &c->rs->body_len);
	return 0;
}

int api_batch(struct api_call *c, const struct api_batch_ops *ops)
{
	struct batch b = {.form = FORM_ONE};
	struct engine_item *it;
	int rc = api_item(c, &it);

	if (rc == 0) {
		rc = is_lines(c) ? from_lines(c, &b) : from_json(c, &b);
	}
	if (rc == 0) {
		run(c, ops, it, &b);
		rc = b.form == FORM_ONE     ? answer_one(c, &b.items[0])
		     : b.form == FORM_ARRAY ? answer_array(c, &b)
					    : answer_lines(c, &b);
	}
	for (size_t i = 0; b.items && i < b.n; i++) {
		json_decref(b.items[i].in);
		json_decref(b.items[i].out);
	}
	json_decref(b.root);
	return rc;
}
