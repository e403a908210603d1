/* SPDX-License-Identifier: Apache-2.0 */
/* What every policy promises of its hooks: the short ways to draw, memory, odd rewards. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "alloc.h"
#include "core/pmf.h"
#include "policies/policies.h"
#include "rig.h"
#include "test.h"

#define MANY 100 /* arms: more than DRAW_FROM */
#define STATE_MAX (1u << 26)
#define GONE_FROM (RIG_ARMS_MAX - 50)

/* Policies that answer with slates alone have tests of their own. */
static void for_each_variant(void (*claim)(const struct variant *v))
{
	struct variant v;

	for (const struct policy_ops *const *ops = policy_table; *ops; ops++) {
		for (size_t i = 0; !((*ops)->flags & POLICY_SLATE) && variant_next(*ops, &i, &v);) {
			claim(&v);
		}
	}
}

static void claim_prob_is_the_entry(const struct variant *v)
{
	struct rig r;
	double p;

	if (!v->ops->draw || !rig_init(&r, v, 0, 1)) {
		return;
	}
	ck_assert_int_eq(rig_add_arms(&r, MANY), 0);
	for (int round = 0; round < 10; round++) {
		rig_learn(&r, 60);
		rig_pmf(&r, 0);
		for (uint32_t i = 0; i < MANY; i++) {
			p = r.ops->prob(r.state, &r.ask, i);
			must(v, fabs(p - r.pmf[i]) <= 1e-9 * r.pmf[i], "prob is not the entry");
		}
	}
	rig_release(&r);
}

START_TEST(prob_is_the_entry_of_pmf)
{
	for_each_variant(claim_prob_is_the_entry);
}
END_TEST

/* Pearson's statistic of counts against n pmf, rare arms taken together, as a normal deviate;
 * infinite when one frequent arm alone is too far off. */
static double chi_square(const double *pmf, const uint32_t *count, size_t arms, double n)
{
	double sum = 0, rare = 0, rare_count = 0, cells = 0;

	for (size_t i = 0; i < arms; i++) {
		double sd = sqrt(n * pmf[i] * (1 - pmf[i]));

		if (n * pmf[i] > 50 && fabs(count[i] - n * pmf[i]) > 5.5 * sd + 1e-6) {
			return INFINITY;
		}
		if (n * pmf[i] < 5) {
			rare += n * pmf[i];
			rare_count += count[i];
			continue;
		}
		sum += (count[i] - n * pmf[i]) * (count[i] - n * pmf[i]) / (n * pmf[i]);
		cells++;
	}
	if (rare > 0) {
		sum += (rare_count - rare) * (rare_count - rare) / rare;
		cells++;
	} else if (rare_count > 0) {
		return INFINITY;
	}
	return cells > 1 ? (sum - (cells - 1)) / sqrt(2 * (cells - 1)) : 0;
}

static void claim_draw_follows_pmf(const struct variant *v)
{
	enum { DRAWS = 40000 };
	uint32_t count[MANY] = {0}, slot;
	struct rig r;
	double p, z;

	if (!v->ops->draw || !rig_init(&r, v, 0, 1)) {
		return;
	}
	ck_assert_int_eq(rig_add_arms(&r, MANY), 0);
	rig_learn(&r, 1500);
	rig_pmf(&r, 0);
	for (uint64_t i = 0; i < DRAWS; i++) {
		struct rng rng = rng_at(5, i, RNG_POLICY);

		must(v, r.ops->draw(r.state, &r.ask, &rng, &slot, &p) == 0, "draw fails");
		must(v, fabs(p - r.pmf[slot]) <= 1e-9 * p, "draws with another propensity");
		count[slot]++;
	}
	z = chi_square(r.pmf, count, MANY, DRAWS);
	ck_assert_msg(z < 6, "%s: draws do not follow the pmf, z = %g", v->text, z);
	rig_release(&r);
}

START_TEST(draw_follows_pmf)
{
	for_each_variant(claim_draw_follows_pmf);
}
END_TEST

static void check_bound(const struct rig *r, const struct variant *v, size_t slots)
{
	size_t bound = r->ops->bound(r->params, slots, r->env.dim);

	ck_assert_msg(alloc_bytes() <= bound, "%s: takes %zu bytes for %zu arms, bound is %zu",
	    v->text, alloc_bytes(), slots, bound);
	/* Subjects are bounded by a parameter. */
	ck_assert_msg(r->subjects || bound <= 400 * slots + 65536,
	    "%s: bound of %zu bytes for %zu arms", v->text, bound, slots);
}

/* Counting starts after the parameters, which are not the state's. */
static void claim_memory_is_bounded(const struct variant *v)
{
	static const uint32_t adds[] = {1, 1, 3, 5, 54, 36, 100};
	struct rig r;

	if (!rig_init(&r, v, 0, 1)) {
		return;
	}
	r.ops->destroy(r.state);
	alloc_start();
	ck_assert_int_eq(r.ops->create(&r.env, &r.state), 0);
	check_bound(&r, v, 0);
	for (size_t i = 0; i < sizeof(adds) / sizeof(adds[0]); i++) {
		ck_assert_int_eq(rig_add_arms(&r, adds[i]), 0);
		rig_learn(&r, 100);
		check_bound(&r, v, r.ask.n);
	}
	r.ops->destroy(r.state);
	r.state = NULL;
	ck_assert_msg(alloc_blocks() == 0, "%s: leaks %zu blocks", v->text, alloc_blocks());
	rig_release(&r);
}

START_TEST(memory_stays_in_bound)
{
	for_each_variant(claim_memory_is_bounded);
}
END_TEST

static void claim_no_memory_is_survived(const struct variant *v)
{
	void *state = NULL;
	struct buf saved;
	struct rig r;
	struct rd in;
	int rc;

	if (!rig_init(&r, v, 0, 1)) {
		return;
	}
	ck_assert_int_eq(rig_add_arms(&r, 3), 0);
	rig_learn(&r, 30);
	buf_init(&saved, STATE_MAX);
	r.ops->serialise(r.state, &saved);
	alloc_start();
	for (size_t n = 1; n < 100; n++) {
		rd_init(&in, saved.data, saved.len);
		alloc_fail_at(n);
		rc = r.ops->deserialise(&r.env, &in, &state);
		alloc_fail_at(0);
		if (rc == 0) {
			r.ops->destroy(state);
			break;
		}
		ck_assert_int_eq(rc, RC_MEMORY);
		ck_assert_msg(alloc_blocks() == 0, "%s: leaks when loading fails", v->text);
	}
	alloc_start();
	for (size_t n = 1; n < 100; n++) {
		alloc_fail_at(n);
		rc = r.ops->reserve(r.state, 200);
		alloc_fail_at(0);
		if (rc == 0) {
			break;
		}
		ck_assert_int_eq(rc, RC_MEMORY);
		rig_learn(&r, 5); /* as before */
	}
	ck_assert_int_eq(rig_add_arms(&r, 100), 0);
	rig_learn(&r, 30);
	buf_release(&saved);
	rig_release(&r);
}

START_TEST(running_out_of_memory_changes_nothing)
{
	for_each_variant(claim_no_memory_is_survived);
}
END_TEST

/* With more arms than an experiment's tests live through, and some of them paused. */
static void claim_many_arms_load(const struct variant *v)
{
	struct buf saved, again;
	void *state;
	struct rig r;
	struct rd in;
	double before[RIG_ARMS_MAX];

	if (!rig_init(&r, v, 0, 1)) {
		return;
	}
	ck_assert_int_eq(rig_add_arms(&r, 30), 0);
	rig_learn(&r, 100);
	ck_assert_int_eq(rig_add_arms(&r, RIG_ARMS_MAX - 30), 0);
	for (uint32_t i = 0; i < RIG_ARMS_MAX; i++) {
		r.seq++;
		rig_pulled(&r, i, 1.0 / RIG_ARMS_MAX);
		/* The best will be paused: nobody may take one for the best. */
		rig_reward(&r, r.seq, i, 1.0 / RIG_ARMS_MAX, i < GONE_FROM ? i % 3 / 4.0 : 1);
	}
	for (uint32_t i = GONE_FROM; i < RIG_ARMS_MAX; i++) {
		r.ops->arm_set(r.state, i, ARM_PAUSED);
		r.ask.n--;
	}
	rig_pmf(&r, 0);
	memcpy(before, r.pmf, sizeof(before));
	buf_init(&saved, STATE_MAX);
	buf_init(&again, STATE_MAX);
	r.ops->serialise(r.state, &saved);
	rd_init(&in, saved.data, saved.len);
	ck_assert_msg(
	    r.ops->deserialise(&r.env, &in, &state) == 0 && rd_left(&in) == 0, "%s", v->text);
	r.ops->destroy(r.state);
	r.state = state;
	r.ops->serialise(r.state, &again);
	ck_assert_msg(again.len == saved.len && memcmp(again.data, saved.data, saved.len) == 0,
	    "%s: a loaded state is saved otherwise", v->text);
	rig_pmf(&r, 0);
	ck_assert_msg(memcmp(before, r.pmf, r.ask.n * sizeof(*before)) == 0,
	    "%s: a loaded state answers otherwise", v->text);
	rig_learn(&r, 5);
	buf_release(&saved);
	buf_release(&again);
	rig_release(&r);
}

START_TEST(states_of_many_arms_load)
{
	for_each_variant(claim_many_arms_load);
}
END_TEST

static double odd_reward(const struct rig *r, int pattern, int i)
{
	double lo = r->env.lo, hi = r->env.hi;

	switch (pattern) {
	case 0:
		return lo;
	case 1:
		return hi;
	case 2:
		return lo + (hi - lo) / 3;
	default:
		return i % 2 ? lo : hi;
	}
}

static void check_view(const struct rig *r, const struct variant *v, uint32_t slot)
{
	struct arm_view view = {.n = 0};

	if (!r->ops->describe) {
		return;
	}
	r->ops->describe(r->state, slot, &view);
	ck_assert_uint_le(view.n, ARM_VIEW_MAX);
	for (size_t i = 0; i < view.n; i++) {
		ck_assert_msg(
		    !isnan(view.item[i].value), "%s: %s is NaN", v->text, view.item[i].name);
	}
}

/* The same reward for ever, or extremes in turn, on a range of any size; the distribution is looked
 * at now and then, with all that is learnt in between coming from any arm. */
static void odd_rewards(const struct variant *v, double lo, double hi, int steps)
{
	struct rig r;
	double p = 1;
	uint32_t slot;

	for (int pattern = 0; pattern < 4; pattern++) {
		if (!rig_init(&r, v, lo, hi)) {
			return;
		}
		ck_assert_int_eq(rig_add_arms(&r, 4), 0);
		for (int i = 0; i < steps; i++) {
			slot = rig_select(&r, &p);
			rig_reward(&r, r.seq, slot, p, odd_reward(&r, pattern, i));
			for (int k = 0; k < 15; k++) {
				r.seq++;
				rig_pulled(&r, slot, p);
				rig_reward(&r, r.seq, slot, p, odd_reward(&r, pattern, i + k));
			}
		}
		for (slot = 0; slot < 4; slot++) {
			check_view(&r, v, slot);
		}
		rig_release(&r);
	}
}

static void claim_odd_rewards(const struct variant *v)
{
	odd_rewards(v, 0, 1, v->nparams ? 60 : 1600); /* 16 rewards a step, 4 patterns: 10^5 */
	odd_rewards(v, -1e150, 1e150, 60);
	odd_rewards(v, 1e-200, 2e-200, 60);
	odd_rewards(v, 1e6, 1e6 + 1e-3, 60);
}

START_TEST(odd_rewards_stay_finite)
{
	for_each_variant(claim_odd_rewards);
}
END_TEST

static void claim_table_is_sound(const struct variant *v)
{
	const struct policy_ops *ops = v->ops;

	ck_assert(policy_find(ops->name) == ops);
	ck_assert(ops->summary && ops->version >= 1);
	ck_assert(ops->bound && ops->create && ops->destroy && ops->reserve && ops->arm_add &&
		  ops->arm_set && ops->update && ops->serialise && ops->deserialise);
	ck_assert_msg(ops->pmf || ops->choose, "%s: pmf or choose", v->text);
	ck_assert_msg(!ops->draw == !ops->prob, "%s: both of draw and prob or neither", v->text);
	for (const struct param_desc *d = ops->params; d && d->name; d++) {
		ck_assert_msg(d->type != PARAM_TEXT && d->text, "%s: %s", v->text, d->name);
		ck_assert(d->type != PARAM_CHOICE || d->choices);
		ck_assert_uint_lt(d->offset, ops->params_size);
		if (d->type != PARAM_BOOL && d->type != PARAM_CHOICE && d->type != PARAM_LIST &&
		    !(d->flags & PARAM_UNSET)) {
			ck_assert_msg(d->dflt >= d->min && d->dflt <= d->max, "%s: default of %s",
			    v->text, d->name);
		}
	}
}

START_TEST(tables_are_sound)
{
	for_each_variant(claim_table_is_sound);
	ck_assert_ptr_null(policy_find("no_such_policy"));
}
END_TEST

RUN("policies_hooks", tables_are_sound, prob_is_the_entry_of_pmf, draw_follows_pmf,
    memory_stays_in_bound, states_of_many_arms_load, running_out_of_memory_changes_nothing,
    odd_rewards_stay_finite)
