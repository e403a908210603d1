/* SPDX-License-Identifier: Apache-2.0 */
/* tsallis_inf, tsallis_bins and cheb_cb while arms come and go, and costs late or never. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "policies/tsallis.h"
#include "test.h"

#define ARMS 6
#define ALMOST 1e-12
#define MANY 120

/* A policy by its hooks, with costs in [0, 1] that a test tells. */
struct play {
	const struct policy_ops *ops;
	struct policy_env env;
	void *params, *state;
	struct rng rng;
	bool active[ARMS];
	uint32_t n;
	double pmf[ARMS]; /* by slot; 0 for those that are out */
	struct buf out;
};

static void add(struct play *p)
{
	ck_assert_int_eq(p->ops->reserve(p->state, p->n + 1), 0);
	p->ops->arm_add(p->state, p->n);
	p->active[p->n++] = true;
}

static void set(struct play *p, uint32_t slot, enum arm_state to)
{
	p->ops->arm_set(p->state, slot, to);
	p->active[slot] = to == ARM_ACTIVE;
}

static void begin(struct play *p, const struct policy_ops *ops, uint32_t arms)
{
	*p = (struct play){
	    .ops = ops, .params = calloc(1, ops->params_size), .rng = rng_at(1, 0, RNG_TEST)};
	ck_assert_ptr_nonnull(p->params);
	param_defaults(ops->params, p->params);
	p->env = (struct policy_env){.params = p->params, .lo = 0, .hi = 1, .dim = 1};
	ck_assert_int_eq(ops->create(&p->env, &p->state), 0);
	buf_init(&p->out, MEMO_MAX);
	while (p->n < arms) {
		add(p);
	}
}

static void end(struct play *p)
{
	p->ops->destroy(p->state);
	free(p->params);
	buf_release(&p->out);
}

static struct ask ask_of(const struct play *p, const double *x, uint32_t slots[ARMS])
{
	struct ask ask = {.slots = slots, .x = x};

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->active[i]) {
			slots[ask.n++] = i;
		}
	}
	ask.all = true;
	return ask;
}

/* Fills in pmf, which sums to 1 over the arms that are in. */
static void look(struct play *p, double x)
{
	uint32_t slots[ARMS];
	struct ask ask = ask_of(p, &x, slots);
	double pmf[ARMS], sum = 0;

	ck_assert_int_eq(p->ops->pmf(p->state, &ask, NULL, pmf), 0);
	for (size_t i = 0; i < ARMS; i++) {
		p->pmf[i] = 0;
	}
	for (size_t i = 0; i < ask.n; i++) {
		ck_assert_double_gt(pmf[i], 0);
		p->pmf[slots[i]] = pmf[i];
		sum += pmf[i];
	}
	ck_assert_double_eq_tol(sum, 1, ALMOST);
}

struct drawn {
	struct pick pick;
	double x;
	unsigned char memo[MEMO_MAX];
	size_t nmemo;
};

/* This arm was drawn. */
static struct drawn draw(struct play *p, double x, uint32_t slot)
{
	struct drawn d = {.x = x};
	uint32_t slots[ARMS];
	struct ask ask = ask_of(p, &x, slots);
	double pmf[ARMS];
	size_t at = 0;

	look(p, x);
	while (slots[at] != slot) {
		at++;
	}
	for (size_t i = 0; i < ask.n; i++) {
		pmf[i] = p->pmf[slots[i]];
	}
	p->out.len = 0;
	p->ops->note(p->state, &ask, pmf, at, &p->out);
	d.pick = (struct pick){slot, p->pmf[slot]};
	d.nmemo = p->out.len;
	if (d.nmemo) {
		memcpy(d.memo, p->out.data, d.nmemo);
	}
	p->ops->pulled(p->state, &(struct pull){.picks = &d.pick, .npicks = 1, .x = &d.x});
	return d;
}

static void tell(struct play *p, const struct drawn *d, double loss)
{
	p->ops->update(p->state, &(struct outcome){.slot = d->pick.slot,
				     .reward = 1 - loss,
				     .propensity = d->pick.propensity,
				     .x = &d->x,
				     .memo = d->memo,
				     .nmemo = d->nmemo});
}

/* Its window closed, or it was made void. */
static void lose(struct play *p, const struct drawn *d)
{
	if (p->ops->lost) {
		p->ops->lost(p->state, &(struct pull){.picks = &d->pick,
					   .npicks = 1,
					   .x = &d->x,
					   .memo = d->memo,
					   .nmemo = d->nmemo});
	}
}

static void cost(struct play *p, double x, uint32_t slot, double loss)
{
	struct drawn d = draw(p, x, slot);

	tell(p, &d, loss);
}

/* Arms as they are drawn; slot i costs (i + 1) / 10, whatever the context. */
static void learn(struct play *p, int rounds)
{
	for (int t = 0; t < rounds; t++) {
		double x = rng_uniform(&p->rng), u = rng_uniform(&p->rng);
		uint32_t slot = 0;

		look(p, x);
		for (uint32_t i = 0; i < p->n && u >= 0; i++) {
			if (p->active[i]) {
				slot = i;
				u -= p->pmf[i];
			}
		}
		cost(p, x, slot, (slot + 1) / 10.0);
	}
}

static const struct policy_ops *const both[] = {&tsallis_inf_ops, &tsallis_bins_ops};

/* Without the arm it is as if the others had always been alone with their estimates. */
START_TEST(the_others_share_what_a_removed_arm_had)
{
	for (int k = 0; k < 2; k++) {
		struct play p, alone;
		struct tsallis *s, *t;

		begin(&p, both[k], 4);
		learn(&p, 400);
		set(&p, 1, ARM_RETIRED);
		begin(&alone, both[k], 3);
		s = p.state;
		t = alone.state;
		for (uint32_t b = 0; b < s->nbins; b++) {
			t->bin[b] = s->bin[b];
			for (uint32_t i = 0; i < 3; i++) {
				t->lhat[i * s->nbins + b] = s->lhat[(i + (i > 0)) * s->nbins + b];
			}
		}
		for (double x = 0.1; x < 1; x += 0.2) {
			look(&p, x);
			look(&alone, x);
			for (uint32_t i = 0; i < 3; i++) {
				ck_assert_double_eq(p.pmf[i + (i > 0)], alone.pmf[i]);
			}
		}
		learn(&p, 400); /* goes on without it */
		look(&p, 0.5);
		ck_assert_double_gt(p.pmf[0], p.pmf[3]);
		end(&p);
		end(&alone);
	}
}
END_TEST

START_TEST(an_arm_that_joins_gets_its_share_in_each_bin)
{
	for (int k = 0; k < 2; k++) {
		struct play p;

		begin(&p, both[k], 4);
		learn(&p, 400);
		add(&p);
		for (double x = 0.1; x < 1; x += 0.2) {
			look(&p, x);
			ck_assert_double_eq_tol(p.pmf[4], 1.0 / 5, ALMOST);
			ck_assert_double_gt(p.pmf[0], p.pmf[1]);
		}
		end(&p);
	}
}
END_TEST

/* How far the estimates of two arms are from each other: root p is one over estimate and root. */
static double apart(const struct play *p, uint32_t i, uint32_t k)
{
	return 1 / sqrt(p->pmf[i]) - 1 / sqrt(p->pmf[k]);
}

/* Those that are out do not count; one that comes back has the estimate that it had. */
START_TEST(after_a_removal_the_share_is_of_those_left)
{
	for (int k = 0; k < 2; k++) {
		struct play p;
		double before[ARMS];

		begin(&p, both[k], 4);
		learn(&p, 400);
		look(&p, 0.5);
		before[2] = apart(&p, 2, 1);
		before[3] = apart(&p, 3, 1);
		set(&p, 0, ARM_RETIRED);
		set(&p, 2, ARM_PAUSED);
		add(&p);
		look(&p, 0.5);
		ck_assert_double_eq_tol(p.pmf[4], 1.0 / 3, ALMOST);
		set(&p, 2, ARM_ACTIVE);
		look(&p, 0.5);
		for (uint32_t i = 2; i < 4; i++) {
			ck_assert_double_eq_tol(apart(&p, i, 1), before[i], 1e-9);
		}
		end(&p);
	}
}
END_TEST

/* It is thought to cost nothing, and so is the best until it has shown otherwise. */
START_TEST(a_new_arm_of_cheb_cb_is_tried_at_once)
{
	struct play p;

	begin(&p, &cheb_cb_ops, 3);
	learn(&p, 200);
	look(&p, 0.5);
	ck_assert_double_gt(p.pmf[0], 0.5);
	add(&p);
	for (double x = 0; x <= 1; x += 0.25) {
		look(&p, x);
		for (uint32_t i = 0; i < 3; i++) {
			ck_assert_double_gt(p.pmf[3], p.pmf[i]);
		}
		ck_assert_double_gt(p.pmf[3], 0.5);
	}
	for (int t = 0; t < 20; t++) {
		cost(&p, t / 20.0, 3, 0.4);
	}
	look(&p, 0.5);
	ck_assert_double_gt(p.pmf[0], 0.5);
	ck_assert_double_lt(p.pmf[3], p.pmf[0]);
	set(&p, 0, ARM_RETIRED);
	look(&p, 0.5);
	ck_assert_double_gt(p.pmf[1], 0.5); /* the next best one */
	end(&p);
}
END_TEST

/* What the arms in the middle and at the ends have learnt, by bin. */
START_TEST(an_arm_between_others_begins_with_their_mean)
{
	for (int k = 0; k < 2; k++) {
		struct play p;
		const struct tsallis *s;

		begin(&p, both[k], 4);
		learn(&p, 400);
		add(&p);
		p.ops->arm_between(p.state, 4, 0, 3);
		s = p.state;
		for (uint32_t b = 0; b < s->nbins; b++) {
			double left = s->lhat[b], right = s->lhat[3 * s->nbins + b];

			ck_assert_double_eq(s->lhat[4 * s->nbins + b], (left + right) / 2);
		}
		for (double x = 0.1; x < 1; x += 0.2) {
			look(&p, x);
			ck_assert_double_lt(p.pmf[4], p.pmf[0]);
			ck_assert_double_gt(p.pmf[4], p.pmf[3]);
			ck_assert_double_eq_tol(apart(&p, 3, 4), apart(&p, 4, 0), 1e-9);
		}
		end(&p);
	}
}
END_TEST

/* It counts for the bin of its decision, with the propensity that it was drawn with. */
START_TEST(a_late_cost_counts_where_its_decision_was)
{
	struct play p;
	const struct tsallis *s;
	struct drawn first;
	double before[5];

	begin(&p, &tsallis_bins_ops, 3);
	s = p.state;
	first = draw(&p, 0.1, 1);
	for (int t = 0; t < 50; t++) {
		cost(&p, 0.9, (uint32_t)t % 3, 0.5);
	}
	ck_assert_uint_eq(s->nbins, 5);
	memcpy(before, s->lhat + 5, sizeof(before));
	ck_assert_double_eq(before[0], 0);
	tell(&p, &first, 0.5);
	ck_assert_double_eq(s->lhat[5], 0.5 / first.pick.propensity);
	ck_assert_mem_eq(s->lhat + 6, before + 1, 4 * sizeof(double));
	end(&p);
}
END_TEST

static const struct policy_ops *const all[] = {&tsallis_inf_ops, &tsallis_bins_ops, &cheb_cb_ops};

/* As if the same costs had come in the order of their decisions; the fit of cheb_cb goes on from
 * the last one, and so ends near, not there. */
START_TEST(costs_are_learnt_in_any_order)
{
	static const double near[] = {1e-9, 1e-9, 0.02};

	for (int k = 0; k < 3; k++) {
		struct play p, q;
		struct drawn d[MANY];

		begin(&p, all[k], 3);
		begin(&q, all[k], 3);
		for (int t = 0; t < MANY; t++) {
			d[t] = draw(&p, (t % 10) / 10.0, (uint32_t)t % 3);
			draw(&q, (t % 10) / 10.0, (uint32_t)t % 3);
		}
		for (int t = 0; t < MANY; t++) {
			tell(&p, &d[t], 0.1 + 0.005 * t);
			tell(&q, &d[MANY - 1 - t], 0.1 + 0.005 * (MANY - 1 - t));
		}
		look(&p, 0.3);
		look(&q, 0.3);
		for (int i = 0; i < 3; i++) {
			ck_assert_double_eq_tol(p.pmf[i], q.pmf[i], near[k]);
		}
		end(&p);
		end(&q);
	}
}
END_TEST

static void save(const struct play *p, struct buf *out)
{
	buf_init(out, 1 << 16);
	p->ops->serialise(p->state, out);
}

START_TEST(a_cost_that_never_comes_changes_nothing)
{
	for (int k = 0; k < 3; k++) {
		struct play p;
		struct drawn d;
		struct buf before, after;

		begin(&p, all[k], 3);
		learn(&p, 50);
		d = draw(&p, 0.4, 1);
		save(&p, &before);
		lose(&p, &d);
		save(&p, &after);
		ck_assert_uint_eq(before.len, after.len);
		ck_assert_mem_eq(before.data, after.data, before.len);
		buf_release(&before);
		buf_release(&after);
		end(&p);
	}
}
END_TEST

/* Arm 1 costs 0.1 where it works, which is every second time, arm 0 always 0.3. The share of arm 1
 * after some hundred decisions. */
static double share_of_a_failing_arm(const struct policy_ops *ops, bool report)
{
	struct play p;
	double share;

	begin(&p, ops, 2);
	for (int t = 0; t < 400; t++) {
		double x = rng_uniform(&p.rng), u = rng_uniform(&p.rng);
		struct drawn d;

		look(&p, x);
		d = draw(&p, x, u < p.pmf[1]);
		if (d.pick.slot == 0 || t % 2) {
			tell(&p, &d, d.pick.slot ? 0.1 : 0.3);
		} else if (report) {
			tell(&p, &d, 1);
		} else {
			lose(&p, &d);
		}
	}
	look(&p, 0.5);
	share = p.pmf[1];
	end(&p);
	return share;
}

START_TEST(a_failure_that_is_not_reported_looks_cheap)
{
	for (int k = 0; k < 3; k++) {
		ck_assert_double_gt(share_of_a_failing_arm(all[k], false), 0.5);
		ck_assert_double_lt(share_of_a_failing_arm(all[k], true), 0.5);
	}
}
END_TEST

RUN("sor_arms", the_others_share_what_a_removed_arm_had,
    an_arm_that_joins_gets_its_share_in_each_bin, after_a_removal_the_share_is_of_those_left,
    a_new_arm_of_cheb_cb_is_tried_at_once, an_arm_between_others_begins_with_their_mean,
    a_late_cost_counts_where_its_decision_was, costs_are_learnt_in_any_order,
    a_cost_that_never_comes_changes_nothing, a_failure_that_is_not_reported_looks_cheap)
