/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions of bandit.h. Each carries its event, so that nothing has to be looked up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "lib/lib_impl.h"

#define CRC_BYTES 4
#define WORD_BYTES 4

void lib_frame_begin(struct buf *out, const char word[4])
{
	buf_put(out, word, WORD_BYTES);
}

int lib_frame_end(struct buf *out, void **ret, size_t *ret_len)
{
	void *bytes;
	int rc;

	buf_put_u32(out, out->rc ? 0 : hash_crc32(0, out->data, out->len));
	rc = out->rc;
	bytes = buf_take(out, ret_len);
	if (!bytes) {
		return rc ? rc : RC_MEMORY;
	}
	*ret = bytes;
	return 0;
}

int lib_frame_open(const void *bytes, size_t len, const char word[4], struct rd *in)
{
	struct rd crc;

	if (len < WORD_BYTES + CRC_BYTES || memcmp(bytes, word, WORD_BYTES) != 0) {
		return RC_CORRUPT;
	}
	rd_init(&crc, (const char *)bytes + len - CRC_BYTES, CRC_BYTES);
	if (rd_u32(&crc) != hash_crc32(0, bytes, len - CRC_BYTES)) {
		return RC_CORRUPT;
	}
	rd_init(in, (const char *)bytes + WORD_BYTES, len - WORD_BYTES - CRC_BYTES);
	return 0;
}

static int describe(
    const struct experiment *e, const struct event_decision *ev, struct bandit_decision *d)
{
	d->prediction = ev->flags & DECISION_FORECAST ? ev->prediction : 0;
	d->narms = ev->npicks;
	d->arm = arena_array(&d->mem, ev->npicks, sizeof(*d->arm));
	d->propensity = arena_array(&d->mem, ev->npicks, sizeof(*d->propensity));
	if (!d->arm || !d->propensity) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < ev->npicks; i++) {
		const char *id;

		if (ev->picks[i].slot >= experiment_arms(e)->n) {
			return RC_CORRUPT;
		}
		id = arms_id(experiment_arms(e), ev->picks[i].slot);
		d->arm[i] = arena_text(&d->mem, id, strlen(id));
		d->propensity[i] = ev->picks[i].propensity;
		if (!d->arm[i]) {
			return RC_MEMORY;
		}
	}
	return 0;
}

int lib_decision_new(struct bandit *b, const struct event *ev, struct bandit_decision **ret)
{
	struct bandit_decision *d = calloc(1, sizeof(*d));
	struct buf out;
	int rc;

	if (!d) {
		return RC_MEMORY;
	}
	arena_init(&d->mem, EVENT_BYTES_MAX);
	snprintf(d->owner, sizeof(d->owner), "%s", experiment_name(b->e));
	d->seq = ev->seq;
	pending_start(&d->pending, &ev->decision);
	buf_init(&out, EVENT_BYTES_MAX);
	event_encode(ev, &out);
	rc = out.rc;
	d->event = buf_take(&out, &d->len);
	rc = rc ? rc : describe(b->e, &ev->decision, d);
	if (rc) {
		bandit_decision_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

void bandit_decision_free(struct bandit_decision *d)
{
	if (d) {
		arena_release(&d->mem);
		free(d->event);
		free(d);
	}
}

size_t bandit_decision_arms(const struct bandit_decision *d)
{
	return d->narms;
}

const char *bandit_decision_arm(const struct bandit_decision *d, size_t i)
{
	return i < d->narms ? d->arm[i] : NULL;
}

double bandit_decision_propensity(const struct bandit_decision *d, size_t i)
{
	return i < d->narms ? d->propensity[i] : 0;
}

double bandit_decision_prediction(const struct bandit_decision *d)
{
	return d->prediction;
}

/* The decision's event again, if it is one of b's. */
static int recall(
    struct bandit *b, const struct bandit_decision *d, struct event *ret, struct errinfo *err)
{
	char mine[DECISION_ID_MAX];
	const char *id;
	int rc = event_decode(d->event, d->len, d->seq, &b->mem, ret);

	if (rc) {
		return rc;
	}
	id = experiment_decision_id(b->e, ret, mine);
	if (strcmp(d->owner, experiment_name(b->e)) != 0 || d->seq > experiment_seq(b->e) ||
	    (!ret->decision.id && experiment_decision_seq(b->e, id) != d->seq)) {
		rc = err_set(err, RC_NOT_FOUND, "unknown_decision", "",
		    "the decision is not one of this experiment");
	}
	return rc;
}

static int learn(struct bandit *b, struct bandit_decision *d, const struct reward_in *in,
    enum bandit_status *ret, struct bandit_error *err)
{
	static const enum bandit_status statuses[FEEDBACK_STATUSES] = {
	    BANDIT_LEARNT, BANDIT_RECORDED, BANDIT_PENDING, BANDIT_LATE, BANDIT_DUPLICATE};
	struct errinfo why = {.rc = 0};
	enum feedback_status status;
	struct event decision, ev;
	int rc = recall(b, d, &decision, &why);

	rc = rc ? rc
		: experiment_reward(
		      b->e, &decision, &d->pending, in, lib_now_us(b), &b->mem, &ev, &status, &why);
	if (rc == 0 && ev.kind) {
		rc = lib_apply(b, &ev, &why);
		if (rc == 0) {
			pending_apply(&d->pending, &ev);
		}
	}
	if (rc == 0 && ret) {
		*ret = statuses[status];
	}
	return lib_fail(rc, &why, err);
}

int bandit_reward(struct bandit *b, struct bandit_decision *d, double reward,
    enum bandit_status *ret, struct bandit_error *err)
{
	struct reward_in in = {.form = FORM_REWARD, .reward = reward};
	struct errinfo why = {.rc = 0};
	struct event decision;
	int rc;

	arena_reset(&b->mem);
	rc = recall(b, d, &decision, &why);
	if (rc) {
		return lib_fail(rc, &why, err);
	}
	if (decision.decision.flags & DECISION_FORECAST) {
		in.form = FORM_LABEL;
	}
	return learn(b, d, &in, ret, err);
}

int bandit_reward_arms(struct bandit *b, struct bandit_decision *d, const char *const *arms,
    const double *rewards, size_t n, enum bandit_status *ret, struct bandit_error *err)
{
	struct errinfo why = {.rc = 0};
	struct arm_reward *each;

	arena_reset(&b->mem);
	each = arena_array(&b->mem, n, sizeof(*each));
	if (!each) {
		return lib_fail(RC_MEMORY, &why, err);
	}
	for (size_t i = 0; i < n; i++) {
		each[i] = (struct arm_reward){.arm = arms[i], .reward = rewards[i]};
	}
	return learn(b, d,
	    &(struct reward_in){.form = FORM_REWARDS, .rewards = each, .nrewards = n}, ret, err);
}

int bandit_drop(struct bandit *b, struct bandit_decision *d, struct bandit_error *err)
{
	struct errinfo why = {.rc = 0};
	struct event decision, ev;
	int rc;

	arena_reset(&b->mem);
	rc = recall(b, d, &decision, &why);
	rc = rc ? rc
		: experiment_void(b->e, &decision, &d->pending, lib_now_us(b), &b->mem, &ev, &why);
	if (rc == RC_EXISTS) {
		return 0;
	}
	rc = rc ? rc : lib_apply(b, &ev, &why);
	if (rc == 0) {
		pending_apply(&d->pending, &ev);
	}
	return lib_fail(rc, &why, err);
}

int bandit_decision_save(
    const struct bandit_decision *d, void **ret, size_t *ret_len, struct bandit_error *err)
{
	const struct errinfo why = {.rc = 0};
	struct buf out;

	buf_init(&out, LIB_BYTES_MAX);
	lib_frame_begin(&out, "bdtD");
	buf_put(&out, d->owner, sizeof(d->owner));
	buf_put_u64(&out, d->seq);
	buf_put_u32(&out, d->pending.flags);
	buf_put_u32(&out, d->pending.rewards);
	buf_put_f64(&out, d->pending.held);
	buf_put(&out, d->pending.done, sizeof(d->pending.done));
	buf_put(&out, d->event, d->len);
	return lib_fail(lib_frame_end(&out, ret, ret_len), &why, err);
}

static int read_pending(struct rd *in, struct pending *p)
{
	const void *done;

	p->flags = rd_u32(in);
	p->rewards = rd_u32(in);
	p->held = rd_f64(in);
	done = rd_bytes(in, sizeof(p->done));
	if (done) {
		memcpy(p->done, done, sizeof(p->done));
	}
	return in->rc;
}

int bandit_decision_load(const struct bandit *b, const void *bytes, size_t len,
    struct bandit_decision **ret, struct bandit_error *err)
{
	struct bandit borrowed = {.e = b->e};
	struct bandit_decision *d = NULL;
	struct errinfo why = {.rc = 0};
	struct pending pending;
	struct event ev;
	struct rd in;
	const char *owner = NULL;
	uint64_t seq = 0;
	int rc = lib_frame_open(bytes, len, "bdtD", &in);

	arena_init(&borrowed.mem, EVENT_BYTES_MAX);
	if (rc == 0) {
		owner = rd_bytes(&in, sizeof(d->owner));
		seq = rd_u64(&in);
		rc = read_pending(&in, &pending);
	}
	rc = rc ? rc : event_decode(in.p, rd_left(&in), seq, &borrowed.mem, &ev);
	if (rc == 0 && ev.kind != EVENT_DECISION) {
		rc = RC_CORRUPT;
	}
	rc = rc ? rc : lib_decision_new(&borrowed, &ev, &d);
	if (rc == 0) {
		memcpy(d->owner, owner, sizeof(d->owner));
		d->owner[ID_MAX] = '\0';
		rc = recall(&borrowed, d, &ev, &why);
	}
	if (rc == 0) {
		pending.npicks = d->pending.npicks;
		d->pending = pending;
		*ret = d;
	} else {
		bandit_decision_free(d);
	}
	arena_release(&borrowed.mem);
	return lib_fail(rc, &why, err);
}
