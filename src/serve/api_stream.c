/* SPDX-License-Identifier: Apache-2.0 */
/* Arms for a policy with a stream: offered to its backlog and taken out of it again; the stream
 * closed, its best arm tested again. */
#include <stdio.h>
#include <string.h>

#include "base/digits.h"
#include "json/bind.h"
#include "json/stats_json.h"
#include "serve/api_impl.h"
#include "serve/engine_stream.h"

#define OFFER_BYTES_MAX ((size_t)4 << 20)

static void put(struct buf *out, const char *text)
{
	buf_put(out, text, strlen(text));
}

/* Ids need no escape. By hand, for there are many. */
static void write_answers(
    const struct spec_arm *arms, const struct offer_answer *answers, size_t n, struct buf *out)
{
	char number[DIGITS_MAX];

	put(out, "{\"items\":[");
	for (size_t i = 0; i < n; i++) {
		const struct offer_answer *a = &answers[i];

		put(out, i ? ",{\"id\":\"" : "{\"id\":\"");
		put(out, arms[i].id);
		put(out, "\",\"status\":\"");
		put(out, offer_fate_names[a->fate]);
		if (a->fate == OFFER_QUEUED || a->fate == OFFER_TESTING) {
			put(out, "\",\"position\":");
			buf_put(out, number, (size_t)(digits_put(number, a->position) - number));
			put(out, "}");
		} else {
			put(out, "\"}");
		}
	}
	put(out, "]}");
}

static int check_arms(const struct spec_arm *arms, size_t n, struct errinfo *err)
{
	char pointer[24];

	for (size_t i = 0; i < n; i++) {
		if (!id_is_valid(arms[i].id) || strlen(arms[i].label) > LABEL_MAX) {
			snprintf(pointer, sizeof(pointer), "/%zu", i);
			return err_set(err, RC_INVALID, "invalid_id", pointer,
			    "an arm's id is 1-128 of A-Z a-z 0-9 . _ : -, its label at most 256 "
			    "bytes");
		}
	}
	return 0;
}

static int send(
    struct api_call *c, const struct spec_arm *arms, const struct offer_answer *answers, size_t n)
{
	bool fresh = false;
	struct buf out;

	for (size_t i = 0; i < n; i++) {
		fresh = fresh || answers[i].fate <= OFFER_TESTING;
	}
	buf_init(&out, OFFER_BYTES_MAX);
	write_answers(arms, answers, n, &out);
	c->rs->status = fresh ? 201 : 200;
	c->rs->content_type = "application/json";
	c->rs->body = (char *)buf_take(&out, &c->rs->body_len);
	buf_release(&out);
	return c->rs->body ? 0 : api_out_of_memory(c);
}

bool api_has_stream(struct engine_item *it)
{
	bool has = experiment_has_stream(engine_lock(it));

	engine_unlock(it);
	return has;
}

int api_offer(struct api_call *c, struct engine_item *it, const struct spec_arm *arms, size_t n)
{
	struct engine_work *w = &c->a->work;
	struct offer_answer *answers = arena_array(&c->a->mem, n, sizeof(*answers));
	struct engine_offer offer;
	int rc = answers ? check_arms(arms, n, &c->err) : api_out_of_memory(c);

	c->is_traffic = true; /* arms come as visitors do */
	rc = rc ? rc : engine_seek_offer(c->a->o.engine, it, arms, n, &c->a->mem, &offer, &c->err);
	if (rc) {
		return rc;
	}
	engine_begin(w, it);
	rc = api_if_match(c, it, w->e);
	rc = rc ? rc : engine_offer(w, &offer, c->rq->now_us, &c->a->mem, answers, &c->err);
	if (rc == 0) {
		api_etag(c, it, w->e);
	}
	api_wait(c, engine_commit(w));
	return rc ? rc : send(c, arms, answers, n);
}

int api_withdraw(struct api_call *c, struct engine_item *it)
{
	struct engine_work *w = &c->a->work;
	struct engine_waiting arm;
	uint64_t position;
	json_t *out = NULL;
	int rc = engine_seek_waiting(c->a->o.engine, it, c->param[1], &c->a->mem, &arm, &c->err);

	if (rc) {
		return rc;
	}
	engine_begin(w, it);
	rc = api_if_match(c, it, w->e);
	rc = rc ? rc : engine_withdraw(w, &arm, c->rq->now_us, &position, &c->err);
	if (rc == 0) {
		out = json_pack("{ss ss sI}", "id", arm.id, "status", "withdrawn", "position",
		    (json_int_t)position);
		api_etag(c, it, w->e);
	}
	api_wait(c, engine_commit(w));
	return rc ? rc : out ? api_send(c, 200, out) : api_out_of_memory(c);
}

static int read_action(struct api_call *c, int *ret)
{
	static const char *const actions[] = {"close", "recheck", NULL};
	static const struct bind_field fields[] = {
	    {"action", BIND_CHOICE, 0, BIND_REQUIRED, 0, 0, actions},
	    {.name = NULL},
	};
	json_t *body = NULL;
	int rc = api_body(c, &body);

	rc = rc ? rc : bind_object(body, fields, "", &c->a->mem, ret, &c->err);
	json_decref(body);
	return rc;
}

int api_stream(struct api_call *c)
{
	struct engine_work *w = &c->a->work;
	struct engine_item *it;
	json_t *out = NULL;
	int action = 0, rc = api_item(c, &it);

	rc = rc ? rc : read_action(c, &action);
	if (rc) {
		return rc;
	}
	engine_begin(w, it);
	if (!experiment_has_stream(w->e)) {
		rc = err_set(&c->err, RC_INVALID, "not_supported", "",
		    "policy %s has no stream of arms", experiment_policy(w->e)->name);
	}
	rc = rc ? rc : api_if_match(c, it, w->e);
	if (rc == 0) {
		rc = action ? engine_recheck(w, c->rq->now_us, &c->err)
			    : engine_close_stream(w, c->rq->now_us, &c->err);
	}
	if (rc == 0) {
		out = stream_to_json(w->e, engine_oldest_offer_us(it), c->rq->now_us);
	}
	api_wait(c, engine_commit(w));
	return rc ? rc : out ? api_send(c, 200, out) : api_out_of_memory(c);
}
