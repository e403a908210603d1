/* SPDX-License-Identifier: Apache-2.0 */
#include "tally_rig.h"

void tally_set(struct tally_rig *r, const char *name, double v)
{
	const struct param_desc *d = param_find(tallying_ops.params, name);

	ck_assert_ptr_nonnull(d);
	if (d->type == PARAM_CHOICE) {
		*(int *)((char *)&r->params + d->offset) = (int)v;
	} else {
		ck_assert_int_eq(param_set_number(d, &r->params, v, "", NULL), 0);
	}
}

void tally_init(struct tally_rig *r, double memory)
{
	*r = (struct tally_rig){.n = 0};
	param_defaults(tallying_ops.params, &r->params);
	tally_set(r, "memory_bound", memory);
	r->env = (struct policy_env){.params = &r->params, .lo = 0, .hi = 1};
	buf_init(&r->memo, MEMO_MAX);
}

void tally_add(struct tally_rig *r)
{
	ck_assert_int_eq(tallying_ops.reserve(r->state, r->n + 1), 0);
	tallying_ops.arm_add(r->state, (uint32_t)r->n);
	r->active[r->n++] = true;
}

void tally_set_arm(struct tally_rig *r, uint32_t slot, enum arm_state to)
{
	tallying_ops.arm_set(r->state, slot, to);
	r->active[slot] = to == ARM_ACTIVE;
}

void tally_open(struct tally_rig *r, size_t arms)
{
	ck_assert_int_eq(tallying_ops.check(&r->params, NULL), 0);
	ck_assert_int_eq(tallying_ops.create(&r->env, &r->state), 0);
	while (r->n < arms) {
		tally_add(r);
	}
}

void tally_close(struct tally_rig *r)
{
	tallying_ops.destroy(r->state);
	buf_release(&r->memo);
}

int tally_ask(struct tally_rig *r, const char *subject, const uint32_t *slots, size_t n,
    struct tally_play *ret, struct errinfo *err)
{
	struct ask ask = {.slots = slots ? slots : r->slots,
	    .n = slots ? n : 0,
	    .all = !slots,
	    .k = 1,
	    .seq = r->seq + 1,
	    .at_us = r->at_us,
	    .subject = subject};
	struct choice c = {.picks = &ret->pick, .memo = &r->memo};
	int rc;

	for (uint32_t i = 0; !slots && i < r->n; i++) {
		if (r->active[i]) {
			r->slots[ask.n++] = i;
		}
	}
	buf_reset(&r->memo);
	rc = tallying_ops.choose(r->state, &ask, NULL, &c, err);
	if (rc) {
		return rc;
	}
	ret->seq = ++r->seq;
	ret->nmemo = r->memo.len;
	memcpy(ret->memo, r->memo.data, r->memo.len);
	ck_assert_int_eq(tallying_ops.reserve_subject(r->state, subject), 0);
	tallying_ops.pulled(r->state, &(struct pull){.seq = r->seq,
					  .at_us = r->at_us,
					  .picks = &ret->pick,
					  .npicks = 1,
					  .subject = subject,
					  .memo = ret->memo,
					  .nmemo = ret->nmemo});
	return 0;
}

struct tally_play tally_select(struct tally_rig *r, const char *subject)
{
	struct tally_play p;

	if (tally_ask(r, subject, NULL, 0, &p, NULL) != 0 || p.pick.propensity != 1) {
		ck_abort_msg("choose fails");
	}
	return p;
}

void tally_reward(struct tally_rig *r, const struct tally_play *p, double reward)
{
	tallying_ops.update(r->state, &(struct outcome){.ref = p->seq,
					  .slot = p->pick.slot,
					  .reward = reward,
					  .propensity = 1,
					  .memo = p->memo,
					  .nmemo = p->nmemo});
}

void tally_lose(struct tally_rig *r, const struct tally_play *p, bool voided)
{
	tallying_ops.lost(r->state, &(struct pull){.seq = p->seq,
					.picks = &p->pick,
					.npicks = 1,
					.memo = p->memo,
					.nmemo = p->nmemo,
					.voided = voided});
}

double tally_view(const struct tally_rig *r, uint32_t slot, const char *name)
{
	struct arm_view view = {.n = 0};

	tallying_ops.describe(r->state, slot, &view);
	for (size_t i = 0; i < view.n; i++) {
		if (strcmp(view.item[i].name, name) == 0) {
			return view.item[i].value;
		}
	}
	return -1;
}

bool tally_alone(const struct tally_rig *r, uint32_t slot)
{
	for (uint32_t i = 0; i < r->n; i++) {
		if ((tally_view(r, i, "survives") > 0) != (i == slot)) {
			return false;
		}
	}
	return true;
}
