/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_batch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digits.h"
#include "json/bind.h"
#include "serve/engine_stream.h"

#define ANSWER_BYTES_MAX ((size_t)64 << 20)
#define ANSWER_BYTES_FIRST 384 /* of one item, usually */

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

static int put_bytes(const char *p, size_t n, void *arg)
{
	buf_put(arg, p, n);
	return ((struct buf *)arg)->rc;
}

/* An item's problem, again without its closing brace. */
static void put_problem(const struct errinfo *err, struct buf *out)
{
	json_t *o = problem_json(err, NULL);

	if (!o || json_dump_callback(o, put_bytes, out, API_DUMP)) {
		out->rc = RC_MEMORY;
	} else {
		out->len--;
	}
	json_decref(o);
}

/* The answer of one item of several: its members and the status it would have had alone. */
static void put_status(const struct api_item_work *w, struct buf *out)
{
	int status = w->err.rc ? problem_find(w->err.code)->status : w->status;
	char text[] = ",\"http\":200}";

	digits_put_fixed(text + 8, (uint64_t)status, 3);
	buf_put(out, text, sizeof(text) - 1);
}

static void perform(
    struct api_call *c, const struct api_batch_ops *ops, struct batch *b, size_t i, struct buf *out)
{
	struct api_item_work *w = &b->items[i];

	if (b->form == FORM_ARRAY) {
		buf_put(out, i ? "," : "[", 1);
	}
	if (!w->err.rc) {
		w->err.rc = ops->perform(c, w, out);
	}
	if (b->form == FORM_ONE) {
		buf_put(out, "}", 1);
		return;
	}
	if (w->err.rc) {
		put_problem(&w->err, out);
	}
	put_status(w, out);
	if (b->form == FORM_LINES) {
		buf_put(out, "\n", 1);
	}
}

static void run(struct api_call *c, const struct api_batch_ops *ops, struct engine_item *it,
    struct batch *b, struct buf *out)
{
	for (size_t i = 0; i < b->n; i++) {
		struct api_item_work *w = &b->items[i];

		if (!w->err.rc) {
			w->err.rc = ops->prepare(c, it, w);
		}
	}
	engine_begin(&c->a->work, it);
	for (size_t i = 0; i < b->n; i++) {
		perform(c, ops, b, i, out);
	}
	api_wait(c, engine_commit(&c->a->work));
	if (b->form == FORM_ARRAY) {
		buf_put(out, b->n ? "]" : "[]", b->n ? 1 : 2);
	}
	for (size_t i = 0; i < b->n; i++) {
		ops->finish(c, &b->items[i]);
	}
}

static int answer(struct api_call *c, const struct batch *b, struct buf *out)
{
	const struct api_item_work *w = &b->items[0];

	c->rs->status = 200;
	if (b->form == FORM_ONE) {
		if (w->err.rc) {
			c->err = w->err;
			return w->err.rc;
		}
		if (w->replayed) {
			http_response_header(c->rs, "Idempotency-Replayed", "true");
		}
		c->rs->status = w->status;
	}
	c->rs->content_type = b->form == FORM_LINES ? "application/x-ndjson" : "application/json";
	if (out->len == 0 && out->rc == 0) {
		return 0; /* no lines in, none out */
	}
	c->rs->body = (char *)buf_take(out, &c->rs->body_len);
	return c->rs->body ? 0 : api_out_of_memory(c);
}

int api_batch(struct api_call *c, const struct api_batch_ops *ops)
{
	struct batch b = {.form = FORM_ONE};
	struct engine_item *it;
	struct buf out;
	int rc = api_item(c, &it);

	buf_init(&out, ANSWER_BYTES_MAX);
	if (rc == 0) {
		engine_look_ahead(c->a->o.engine, it);
		rc = is_lines(c) ? from_lines(c, &b) : from_json(c, &b);
	}
	if (rc == 0) {
		buf_reserve(&out, b.n * ANSWER_BYTES_FIRST);
		run(c, ops, it, &b, &out);
		rc = answer(c, &b, &out);
	}
	for (size_t i = 0; b.items && i < b.n; i++) {
		json_decref(b.items[i].in);
	}
	json_decref(b.root);
	buf_release(&out);
	return rc;
}
