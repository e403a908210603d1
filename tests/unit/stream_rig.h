/* SPDX-License-Identifier: Apache-2.0 */
/* A state of streaming driven by its hooks, as an experiment would. */
#ifndef TESTS_UNIT_STREAM_RIG_H
#define TESTS_UNIT_STREAM_RIG_H

#include "policies/policies.h"
#include "policies/streaming.h"
#include "test.h"

#define MANY 600

struct play {
	struct pick pick;
	unsigned char memo[16];
	size_t nmemo;
};

struct stream_rig {
	struct stream_params params;
	struct policy_env env;
	void *state;
	uint32_t slots[MANY];
	size_t n;
	uint64_t seq;
	struct rng rng;
};

static inline void set(struct stream_rig *r, const char *name, double v)
{
	const struct param_desc *d = param_find(streaming_ops.params, name);

	ck_assert_ptr_nonnull(d);
	if (d->type == PARAM_CHOICE) {
		*(int *)((char *)&r->params + d->offset) = (int)v;
	} else {
		ck_assert_int_eq(param_set_number(d, &r->params, v, "", NULL), 0);
	}
}

static inline void init(struct stream_rig *r, enum stream_mode mode)
{
	*r = (struct stream_rig){.rng = rng_at(5, 0, RNG_TEST)};
	param_defaults(streaming_ops.params, &r->params);
	set(r, "mode", mode);
	r->env = (struct policy_env){.params = &r->params, .lo = 0, .hi = 1};
}

static inline void add(struct stream_rig *r, size_t n)
{
	while (n-- > 0) {
		ck_assert_int_eq(streaming_ops.reserve(r->state, r->n + 1), 0);
		r->slots[r->n] = (uint32_t)r->n;
		streaming_ops.arm_add(r->state, (uint32_t)r->n++);
	}
}

/* After the settings. */
static inline void start(struct stream_rig *r, size_t arms)
{
	ck_assert_int_eq(streaming_ops.check(&r->params, NULL), 0);
	ck_assert_int_eq(streaming_ops.create(&r->env, &r->state), 0);
	add(r, arms);
}

static inline const struct streaming *state(const struct stream_rig *r)
{
	return r->state;
}

static inline struct play pull(struct stream_rig *r)
{
	struct ask ask = {.slots = r->slots, .n = r->n, .all = true, .k = 1, .seq = ++r->seq};
	struct play p = {.nmemo = 0};
	struct buf memo;
	struct choice c = {.picks = &p.pick, .memo = &memo};

	buf_init(&memo, MEMO_MAX);
	ck_assert_int_eq(streaming_ops.choose(r->state, &ask, &r->rng, &c, NULL), 0);
	ck_assert_uint_eq(c.npicks, 1);
	ck_assert_uint_le(memo.len, sizeof(p.memo));
	memcpy(p.memo, memo.data, memo.len);
	p.nmemo = memo.len;
	buf_release(&memo);
	streaming_ops.pulled(r->state,
	    &(struct pull){
		.seq = r->seq, .picks = &p.pick, .npicks = 1, .memo = p.memo, .nmemo = p.nmemo});
	return p;
}

static inline void reward(struct stream_rig *r, const struct play *p, double v)
{
	streaming_ops.update(r->state, &(struct outcome){.slot = p->pick.slot,
					   .reward = v,
					   .propensity = p->pick.propensity,
					   .memo = p->memo,
					   .nmemo = p->nmemo});
}

static inline void lose(struct stream_rig *r, const struct play *p, bool voided)
{
	streaming_ops.lost(r->state, &(struct pull){.picks = &p->pick,
					 .npicks = 1,
					 .memo = p->memo,
					 .nmemo = p->nmemo,
					 .voided = voided});
}

static inline char role(const struct play *p)
{
	return "tkf"[p->memo[0]];
}

/* The next play is of this arm in this role. */
static inline struct play expect(struct stream_rig *r, char arm, char as)
{
	struct play p = pull(r);

	ck_assert_uint_eq(p.pick.slot, (uint32_t)(arm - 'a'));
	ck_assert_int_eq(role(&p), as);
	return p;
}

#endif
