/* SPDX-License-Identifier: Apache-2.0 */
#include "recovering_rig.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/rng.h"

void rig_list_arms(struct rig *g)
{
	const struct recovering *r = g->state;

	g->nactive = 0;
	for (uint32_t i = 0; i < g->arms; i++) {
		if (r->arm[i].state == ARM_ACTIVE) {
			g->active[g->nactive++] = i;
		}
	}
}

void rig_add_arm(struct rig *g)
{
	ck_assert_int_eq(recovering_ops.reserve(g->state, g->arms + 1), 0);
	recovering_ops.arm_add(g->state, g->arms++);
	rig_list_arms(g);
}

void rig_init(struct rig *g, uint32_t d_max, uint32_t k)
{
	ck_assert_int_eq(hash_init(), 0);
	*g = (struct rig){.k = k};
	param_defaults(recovering_ops.params, &g->params);
	g->params.d_max = d_max;
}

void rig_start(struct rig *g, uint32_t arms)
{
	ck_assert_int_eq(recovering_ops.check(&g->params, NULL), 0);
	g->env = (struct policy_env){.params = &g->params, .lo = 0, .hi = 1, .k = g->k};
	ck_assert_int_eq(recovering_ops.create(&g->env, &g->state), 0);
	while (g->arms < arms) {
		rig_add_arm(g);
	}
}

void rig_stop(struct rig *g)
{
	recovering_ops.destroy(g->state);
}

struct ask rig_ask_of(struct rig *g)
{
	return (struct ask){.slots = g->active,
	    .n = g->nactive,
	    .all = true,
	    .seq = g->seq + 1,
	    .at_us = g->at_us,
	    .k = g->k,
	    .subject = g->subject};
}

static void plan(struct rig *g)
{
	struct ask ask = rig_ask_of(g);
	struct buf in, out;
	struct rd rd;

	if (!recovering_ops.plan_due(g->state, &ask)) {
		return;
	}
	buf_init(&in, 1 << 24);
	buf_init(&out, 1 << 20);
	recovering_ops.plan_input(g->state, &in);
	rd_init(&rd, in.data, in.len);
	ck_assert_int_eq(recovering_ops.plan_make(&rd, &out), 0);
	g->seq++;
	recovering_ops.plan_begin(g->state, false);
	rd_init(&rd, out.data, out.len);
	ck_assert_int_eq(recovering_ops.plan_apply(g->state, &rd), 0);
	buf_release(&in);
	buf_release(&out);
}

int rig_choose(struct rig *g, const struct ask *ask, struct decision *ret)
{
	struct rng rng = rng_at(1, 1, RNG_TEST);
	struct buf memo;
	struct choice c = {.picks = ret->picks, .memo = &memo};
	int rc;

	buf_init(&memo, MEMO_BYTES);
	rc = recovering_ops.choose(g->state, ask, &rng, &c, NULL);
	ck_assert_uint_le(c.npicks, g->k);
	ret->npicks = c.npicks;
	ret->repeat = c.repeat;
	ret->nmemo = memo.len;
	if (memo.len) {
		memcpy(ret->memo, memo.data, memo.len);
	}
	buf_release(&memo);
	return rc;
}

static struct pull pull_of(const struct decision *d)
{
	return (struct pull){.seq = d->seq,
	    .picks = d->picks,
	    .npicks = d->npicks,
	    .memo = d->memo,
	    .nmemo = d->nmemo};
}

struct decision rig_decide_among(struct rig *g, const struct ask *from)
{
	struct ask ask = *from;
	struct decision d = {.seq = 0};
	struct pull p;

	plan(g);
	ask.seq = g->seq + 1;
	ck_assert_int_eq(rig_choose(g, &ask, &d), 0);
	if (d.repeat) {
		return d;
	}
	if (ask.subject) {
		ck_assert_int_eq(recovering_ops.reserve_subject(g->state, ask.subject), 0);
	}
	d.seq = ++g->seq;
	p = pull_of(&d);
	p.subject = ask.subject;
	recovering_ops.pulled(g->state, &p);
	return d;
}

struct decision rig_decide(struct rig *g)
{
	struct ask ask = rig_ask_of(g);

	return rig_decide_among(g, &ask);
}

struct rec_memo_pick rig_remembered(const struct decision *d, size_t i)
{
	struct rec_memo_pick x = {.idle = 0};
	struct rec_memo m;

	rec_memo_read(d->memo, d->nmemo, &m);
	for (size_t j = 0; j <= i; j++) {
		ck_assert(rec_memo_next(&m, &x));
	}
	return x;
}

void rig_reward(struct rig *g, const struct decision *d, uint32_t slot, double y)
{
	recovering_ops.update(g->state, &(struct outcome){.ref = d->seq,
					    .slot = slot,
					    .reward = y,
					    .propensity = 1,
					    .memo = d->memo,
					    .nmemo = d->nmemo});
}

void rig_lose(struct rig *g, const struct decision *d, bool voided)
{
	struct pull p = pull_of(d);

	p.voided = voided;
	recovering_ops.lost(g->state, &p);
}

/* "0@3+1@3 ": arms with their idle times. */
static size_t tell(const struct decision *d, char *out, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < d->npicks; i++) {
		struct rec_memo_pick x = rig_remembered(d, i);

		ck_assert_uint_eq(x.slot, d->picks[i].slot);
		ck_assert(d->picks[i].propensity == 1);
		n += (size_t)snprintf(out + n, room - n, "%s%u@%u", i ? "+" : "", x.slot, x.idle);
	}
	n += (size_t)snprintf(out + n, room - n, "%s ", d->npicks ? "" : "-");
	return n;
}

void rig_run(struct rig *g, const double *means, int periods, char *out, size_t room)
{
	uint32_t d_max = ((struct recovering *)g->state)->d_max;
	size_t n = 0;

	for (int t = 0; t < periods; t++) {
		struct decision d = rig_decide(g);

		n += tell(&d, out + n, room - n);
		ck_assert_uint_lt(n, room);
		for (size_t i = 0; i < d.npicks; i++) {
			struct rec_memo_pick x = rig_remembered(&d, i);

			rig_reward(g, &d, x.slot, means[x.slot * d_max + x.idle - 1]);
		}
	}
}

static struct buf saved(const struct rig *g)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	recovering_ops.serialise(g->state, &out);
	ck_assert_int_eq(out.rc, 0);
	return out;
}

/* Loads and saves again; what is cut short is refused. */
void rig_check_load(struct rig *g)
{
	struct buf first = saved(g), second;
	void *state = NULL;
	struct rd in;

	for (size_t n = 0; n < first.len; n++) {
		rd_init(&in, first.data, n);
		ck_assert_int_eq(recovering_ops.deserialise(&g->env, &in, &state), RC_CORRUPT);
	}
	rd_init(&in, first.data, first.len);
	ck_assert_int_eq(recovering_ops.deserialise(&g->env, &in, &state), 0);
	ck_assert_uint_eq(rd_left(&in), 0);
	rig_stop(g);
	g->state = state; /* goes on with it */
	second = saved(g);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.data, second.data, first.len);
	buf_release(&first);
	buf_release(&second);
}
