/* SPDX-License-Identifier: Apache-2.0 */
#include "groupwise_rig.h"

void rig_init(struct rig *r, enum groupwise_kind kind, size_t dim)
{
	static const uint32_t slots[RIG_ARMS] = {0, 1, 2};

	*r = (struct rig){.env = {.params = &r->params, .dim = dim, .hi = 1, .seed = 1}};
	param_defaults(groupwise_ops.params, &r->params);
	r->params.kind = (int)kind;
	memcpy(r->slots, slots, sizeof(slots));
	r->ask = (struct ask){.slots = r->slots, .n = RIG_ARMS, .all = true, .k = 1};
	buf_init(&r->memo, MEMO_MAX);
}

void rig_open(struct rig *r)
{
	ck_assert_int_eq(groupwise_ops.create(&r->env, &r->state), 0);
	if (r->params.kind != GROUPWISE_REGRESS) {
		ck_assert_int_eq(groupwise_ops.reserve(r->state, RIG_ARMS), 0);
		for (uint32_t i = 0; i < RIG_ARMS; i++) {
			groupwise_ops.arm_add(r->state, i);
		}
	}
}

void rig_close(struct rig *r)
{
	groupwise_ops.destroy(r->state);
	buf_release(&r->memo);
}

const struct groupwise *rig_state(const struct rig *r)
{
	return r->state;
}

void rig_pull(struct rig *r)
{
	for (size_t i = 0; i < r->ask.ngroups; i++) {
		ck_assert_int_eq(groupwise_ops.reserve_groups(r->state, r->ask.groups[i] + 1), 0);
	}
	groupwise_ops.pulled(r->state, &(struct pull){.seq = r->seq,
					   .x = r->ask.x,
					   .groups = r->ask.groups,
					   .ngroups = r->ask.ngroups,
					   .memo = r->memo.data,
					   .nmemo = r->memo.len,
					   .prediction = r->prediction});
}

double rig_predict(struct rig *r, const double *x, const uint32_t *groups, size_t n)
{
	struct choice choice = {.memo = &r->memo};
	struct rng rng = rng_at(1, ++r->seq, RNG_POLICY);

	buf_reset(&r->memo);
	r->ask.x = x;
	r->ask.groups = groups;
	r->ask.ngroups = n;
	r->ask.n = 0;
	ck_assert_int_eq(groupwise_ops.choose(r->state, &r->ask, &rng, &choice, NULL), 0);
	ck_assert_uint_eq(choice.npicks, 0);
	r->prediction = choice.prediction;
	rig_pull(r);
	return choice.prediction;
}

struct outcome rig_outcome(const struct rig *r, double reward)
{
	return (struct outcome){.ref = r->seq,
	    .slot = SLOT_NONE,
	    .reward = reward,
	    .propensity = 1,
	    .x = r->ask.x,
	    .groups = r->ask.groups,
	    .ngroups = r->ask.ngroups,
	    .memo = r->memo.data,
	    .nmemo = r->memo.len,
	    .prediction = r->prediction};
}

void rig_label(struct rig *r, double y)
{
	struct outcome o = rig_outcome(r, y);

	groupwise_ops.update(r->state, &o);
}

void rig_ask(struct rig *r, const uint32_t *groups, size_t n)
{
	struct rng rng = rng_at(1, ++r->seq, RNG_POLICY);

	r->ask.groups = groups;
	r->ask.ngroups = n;
	ck_assert_int_eq(groupwise_ops.pmf(r->state, &r->ask, &rng, r->pmf), 0);
}

/* The i-th of the ask's slots was drawn. */
void rig_reward(struct rig *r, size_t i, double loss)
{
	struct outcome o;

	buf_reset(&r->memo);
	groupwise_ops.note(r->state, &r->ask, r->pmf, i, &r->memo);
	rig_pull(r);
	o = rig_outcome(r, 1 - loss);
	o.slot = r->ask.slots[i];
	o.propensity = r->pmf[i];
	groupwise_ops.update(r->state, &o);
}

double rig_fraction(unsigned t, double p)
{
	double z = (t + 1) * sqrt(p);

	return z - floor(z);
}

/* Groups 0 to 3: A, B, C, D; E is _all. */
double rig_row(unsigned t, double *x, uint32_t *groups)
{
	bool a = rig_fraction(t, 11) < 0.5, c = rig_fraction(t, 13) < 0.4;
	double m1, m2;

	x[0] = 1;
	x[1] = rig_fraction(t, 2);
	x[2] = rig_fraction(t, 3);
	x[3] = rig_fraction(t, 5);
	x[4] = rig_fraction(t, 7);
	groups[0] = a ? 0 : 1;
	groups[1] = c ? 2 : 3;
	m1 = a ? 0.2 + 0.5 * x[1] : 0.7 - 0.4 * x[2];
	m2 = c ? 0.1 + 0.6 * x[3] : 0.8 - 0.5 * x[4];
	return (m1 + m2) / 2 + 0.1 * (rig_fraction(t, 17) - 0.5);
}

/* Section 8 of the derivation: R <= sqrt(3 C (ln G + ln B)), at every moment. */
void rig_check_bound(const struct groupwise *g)
{
	double b = 1, n = g->ngroups;

	for (uint32_t i = 0; i < g->ngroups; i++) {
		b += 1.5 * (1 + log(1 + g->group[i].c)) / n;
	}
	for (uint32_t i = 0; i < g->ngroups; i++) {
		double most = sqrt(3 * g->group[i].c * (log(n) + log(b)));

		if (g->group[i].r > most + 1e-9) {
			ck_abort_msg("group %u: regret %g, bound %g", i, g->group[i].r, most);
		}
	}
}
