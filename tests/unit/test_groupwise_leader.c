/* SPDX-License-Identifier: Apache-2.0 */
/* Experts by the perturbed leader: its distribution, what arms share, and its regret in groups. */
#include "groupwise_rig.h"

static void lead_init(struct rig *r, double samples)
{
	rig_init(r, GROUPWISE_EXPERTS, 0);
	r->params.learner = GROUPWISE_FTPL;
	r->params.samples = samples;
}

/* The ask's losses are told. */
static void tell(struct rig *r, const double *loss)
{
	struct result results[RIG_ARMS];
	struct outcome o;

	for (size_t i = 0; i < r->ask.n; i++) {
		results[i] = (struct result){.slot = r->ask.slots[i], .reward = 1 - loss[i]};
	}
	rig_pull(r);
	o = rig_outcome(r, 0);
	o.results = results;
	o.nresults = r->ask.n;
	groupwise_ops.update(r->state, &o);
}

/* Of two arms with u, v uniform on [0, 1/e]: P(L0 + u < L1 + v) = 1 - (1 - e (L1 - L0))^2 / 2. */
START_TEST(shares_follow_the_uniform_perturbation)
{
	static const double loss[] = {0.2, 0.8};
	double p;
	struct rig r;

	lead_init(&r, 10000);
	r.params.eta = 0.5;
	rig_open(&r);
	r.ask.n = 2;
	rig_ask(&r, NULL, 0);
	ck_assert_double_eq_tol(r.pmf[0], 0.5, 0.02);
	tell(&r, loss);
	rig_ask(&r, NULL, 0);
	p = 1 - 0.7 * 0.7 / 2;
	ck_assert_double_eq_tol(r.pmf[0], p, 4 * sqrt(p * (1 - p) / 10000));
	tell(&r, loss);
	tell(&r, loss);
	tell(&r, loss);
	rig_ask(&r, NULL, 0);
	ck_assert_double_eq(r.pmf[0], 1); /* 4 * 0.6 > 1 / e: no perturbation makes up for it */
	rig_close(&r);
}
END_TEST

/* Arms 0 and 1 differ in one cheap component and share a heavy one; arm 2 has a heavy one of its
 * own. Their lengths are even, so what is shared decides: 0 and 1 win or lose together. */
START_TEST(arms_that_share_components_are_perturbed_together)
{
	static const double rows[] = {1, 0.01, 0, 0, 1, 0, 0.01, 0, 0, 0, 0, 1};
	struct rig r;

	lead_init(&r, 10000);
	r.params.components = (struct param_list){.v = rows, .n = 12, .width = 4};
	rig_open(&r);
	rig_ask(&r, NULL, 0);
	ck_assert_double_eq_tol(r.pmf[2], 0.5, 0.025);
	ck_assert_double_eq_tol(r.pmf[0], 0.25, 0.025);
	ck_assert_double_eq_tol(r.pmf[0] + r.pmf[1] + r.pmf[2], 1, 1e-12);
	rig_close(&r);
	lead_init(&r, 10000);
	rig_open(&r);
	rig_ask(&r, NULL, 0);
	ck_assert_double_eq_tol(r.pmf[2], 1. / 3, 0.02);
	rig_close(&r);
}
END_TEST

/* D = 2.5, by its columns; A = 1 + 2 + 1: a component that no arm uses costs nothing. */
START_TEST(the_rate_follows_from_the_components)
{
	static const double rows[] = {1, 0, 1, 0, 0, 0.5, 1, 0, 1, 0.5, 0, 0};
	struct param_list list = {.v = rows, .n = 12, .width = 4};

	ck_assert_double_eq_tol(groupwise_leader_scale(&list), 2.5 / 4, 1e-15);
	list.n = 0;
	ck_assert_double_eq(groupwise_leader_scale(&list), 0);
}
END_TEST

START_TEST(draws_are_those_of_the_decision)
{
	static const double loss[] = {0.5, 0.4, 0.6};
	static const uint32_t group[] = {0};
	double own = 0, before;
	struct rig r;

	lead_init(&r, 50);
	rig_open(&r);
	for (int t = 0; t < 200; t++) {
		rig_ask(&r, group, 1);
		own = 0.5 * r.pmf[0] + 0.4 * r.pmf[1] + 0.6 * r.pmf[2];
		before = t ? rig_state(&r)->group[0].cell[0] : 0;
		tell(&r, loss);
		ck_assert_double_eq_tol(rig_state(&r)->group[0].cell[0] - before, 0.5 - own, 1e-12);
	}
	ck_assert_double_lt(own, 0.42);
	rig_close(&r);
}
END_TEST

/* Arm i is best in group i, the third one over all; against the leader itself, too. */
static void check_regret(bool adverse)
{
	static const uint32_t names[] = {0, 1};
	double mine[2] = {0}, total[2][RIG_ARMS] = {{0}}, best, n[2] = {0};
	struct rig r;

	lead_init(&r, NAN);
	rig_open(&r);
	for (uint64_t t = 0; t < 3000; t++) {
		uint32_t group = t % 3 == 0;
		double loss[RIG_ARMS];
		size_t top = 0;

		rig_ask(&r, names + group, 1);
		for (size_t i = 1; i < RIG_ARMS; i++) {
			top = r.pmf[i] > r.pmf[top] ? i : top;
		}
		for (size_t i = 0; i < RIG_ARMS; i++) {
			loss[i] = adverse      ? i == top
				  : i == group ? 0
				  : i == 2     ? 0.3
				  : t % 2      ? 0.9
					       : 0.6;
			mine[group] += r.pmf[i] * loss[i];
			total[group][i] += loss[i];
		}
		n[group]++;
		tell(&r, loss);
		rig_check_bound(rig_state(&r));
	}
	for (size_t g = 0; g < 2; g++) {
		best = total[g][0];
		for (size_t i = 1; i < RIG_ARMS; i++) {
			best = total[g][i] < best ? total[g][i] : best;
		}
		ck_assert_double_lt(
		    mine[g] - best, 3 * sqrt(2 * RIG_ARMS * n[g]) +
					sqrt(3 * n[g] * (log(3) + log(2.5 + 1.5 * log(3001)))));
		ck_assert(adverse || mine[g] - best < 60);
	}
	rig_close(&r);
}

START_TEST(the_leader_keeps_its_bound_in_every_group)
{
	check_regret(false);
	check_regret(true);
}
END_TEST

START_TEST(given_priors_weigh_the_groups)
{
	static const double given[] = {3, 0.5};
	static const uint32_t names[] = {1, 0, 2};
	struct groupwise_awake a;
	double p[4];
	struct rig r;

	rig_init(&r, GROUPWISE_EXPERTS, 0);
	r.params.priors = (struct param_list){.v = given, .n = 2};
	rig_open(&r);
	groupwise_wake(rig_state(&r), names, 3, &a);
	groupwise_mixture(rig_state(&r), &a, p);
	ck_assert_double_eq_tol(p[0], 1 / 5.5, 1e-15);
	ck_assert_double_eq_tol(p[1], 0.5 / 5.5, 1e-15);
	ck_assert_double_eq_tol(p[2], 3 / 5.5, 1e-15);
	ck_assert_double_eq_tol(p[3], 1 / 5.5, 1e-15);
	rig_close(&r);
}
END_TEST

static void check_refused(struct groupwise_params *p, const char *pointer)
{
	struct errinfo err = {.rc = 0};

	ck_assert_int_eq(groupwise_ops.check(p, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, pointer);
}

START_TEST(wrong_lists_are_refused_by_name)
{
	static const double v[] = {1, 0, 1, 1};
	struct groupwise_params p;

	param_defaults(groupwise_params, &p);
	ck_assert_int_eq(groupwise_ops.check(&p, NULL), 0);
	p.priors = (struct param_list){.v = v, .n = 4};
	check_refused(&p, "/priors"); /* a weight of 0 never wakes */
	p.priors = (struct param_list){.v = v + 2, .n = 2, .width = 2};
	check_refused(&p, "/priors");
	p.priors.n = p.priors.width = 0;
	p.components = (struct param_list){.v = v, .n = 4};
	check_refused(&p, "/components");
	p.components.n = 0;
	p.samples = 2.5;
	check_refused(&p, "/samples");
	p.samples = 3;
	p.kind = GROUPWISE_REGRESS;
	p.learner = GROUPWISE_FTPL;
	check_refused(&p, "/learner");
}
END_TEST

RUN("groupwise_leader", shares_follow_the_uniform_perturbation,
    arms_that_share_components_are_perturbed_together, the_rate_follows_from_the_components,
    draws_are_those_of_the_decision, the_leader_keeps_its_bound_in_every_group,
    given_priors_weigh_the_groups, wrong_lists_are_refused_by_name)
