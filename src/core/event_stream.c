/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a backlog, to bytes and back. */
#include <string.h>

#include "core/event_impl.h"

const char *const stream_op_names[STREAM_OPS + 1] = {
    "offer", "read", "skip", "close", "recheck", "withdraw", NULL};

enum { REMEMBERED = 1, STACKED = 2 }; /* of an offer */
enum { RATED = 128 };                 /* beside the operation */

static bool is_bare(enum stream_op op)
{
	return op == STREAM_CLOSE || op == STREAM_RECHECK;
}

static void put_arm(struct buf *out, const char *id, const char *label)
{
	buf_put_str(out, id, strlen(id));
	buf_put_str(out, label, strlen(label));
}

void event_put_stream(struct buf *out, const struct event_stream *s)
{
	buf_put_u8(out, (uint8_t)(s->op | (s->rated ? RATED : 0)));
	if (is_bare(s->op)) {
		return;
	}
	buf_put_var(out, s->position);
	if (s->op != STREAM_OFFER) {
		buf_put_var(out, s->offer);
	}
	if (s->op == STREAM_READ) {
		buf_put_var(out, s->slot);
		put_arm(out, s->id, s->label);
	} else if (s->op == STREAM_WITHDRAW) {
		buf_put_str(out, s->id, strlen(s->id));
	} else if (s->op == STREAM_OFFER) {
		unsigned flags = (s->remember ? REMEMBERED : 0) | (s->stacked ? STACKED : 0);

		buf_put_var(out, s->before);
		buf_put_u8(out, (uint8_t)flags);
		if (s->stacked) {
			buf_put_var(out, s->below);
			buf_put_var(out, s->below_offer);
		}
		buf_put_var(out, s->n);
		for (size_t i = 0; i < s->n; i++) {
			put_arm(out, s->arms[i].id, s->arms[i].label);
		}
	}
}

void event_get_stream(struct source *s, struct event_stream *ret)
{
	unsigned op = rd_u8(s->in);

	ret->rated = op & RATED;
	ret->op = (enum stream_op)(op & ~(unsigned)RATED);
	if (ret->op >= STREAM_OPS || (ret->rated && ret->op != STREAM_READ)) {
		ret->op = STREAM_CLOSE;
		rd_fail(s->in);
	}
	if (is_bare(ret->op)) {
		return;
	}
	ret->position = rd_var(s->in);
	ret->offer = ret->op != STREAM_OFFER ? rd_var(s->in) : 0;
	if (ret->op == STREAM_READ) {
		ret->slot = source_slot(s);
		ret->id = source_id(s);
		ret->label = source_text(s, LABEL_MAX);
	} else if (ret->op == STREAM_WITHDRAW) {
		ret->id = source_id(s);
	} else if (ret->op == STREAM_OFFER) {
		unsigned flags;

		ret->before = rd_var(s->in);
		flags = source_choice(s, (REMEMBERED | STACKED) + 1);
		ret->remember = flags & REMEMBERED;
		ret->stacked = flags & STACKED;
		ret->below = ret->stacked ? rd_var(s->in) : 0;
		ret->below_offer = ret->stacked ? rd_var(s->in) : 0;
		ret->arms = source_arms(s, &ret->n);
	}
}
