/* SPDX-License-Identifier: Apache-2.0 */
/* The traces of groupwise. In all of them the last group is awake in every decision, so it is
 * `_all`. */
#include "groupwise_rig.h"

#define TOL 1e-11

START_TEST(mixture_goes_as_in_the_reference)
{
	static const struct {
		size_t n, awake[3];
		double loss[3], p[3], mixture;
	} round[] = {
	    {2, {0, 2}, {0.2, 0.6}, {0.5, 0.5}, 0.4},
	    {3, {0, 1, 2}, {0.1, 0.9, 0.5}, {0.454552755056, 0.365631735494, 0.17981550945},
		0.464431592175},
	    {2, {1, 2}, {0.3, 0.8}, {0.310175048767, 0.689824951233}, 0.644912475616},
	    {2, {0, 2}, {0.7, 0.4}, {0.880298179383, 0.119701820617}, 0.664089453815},
	    {3, {0, 1, 2}, {0, 1, 0.25}, {0.652694662336, 0.174341010325, 0.172964327339},
		0.21758209216},
	    {1, {2}, {0.5}, {1}, 0.5},
	};
	static const double r[] = {0.74610313815, -0.873073840049, -0.158984386234};
	static const double c[] = {0.81792423052, 1.56289879128, 0.687163293864};
	static const double w[] = {-0.98217366666, -6.86015014506, -2.5904131841};
	struct groupwise_group g[3] = {{.r = 0}};

	for (size_t t = 0; t < sizeof(round) / sizeof(round[0]); t++) {
		double lnw[3], lnq[3] = {0}, p[3], mixture = 0;

		for (size_t i = 0; i < round[t].n; i++) {
			size_t at = round[t].awake[i];

			lnw[i] = groupwise_ln_weight(g[at].r, g[at].c);
		}
		groupwise_shares(round[t].n, lnw, lnq, p);
		for (size_t i = 0; i < round[t].n; i++) {
			ck_assert_double_eq_tol(p[i], round[t].p[i], TOL);
			mixture += p[i] * round[t].loss[i];
		}
		ck_assert_double_eq_tol(mixture, round[t].mixture, TOL);
		for (size_t i = 0; i < round[t].n; i++) {
			groupwise_charge(&g[round[t].awake[i]], mixture, round[t].loss[i]);
		}
	}
	for (size_t i = 0; i < 3; i++) {
		ck_assert_double_eq_tol(g[i].r, r[i], TOL);
		ck_assert_double_eq_tol(g[i].c, c[i], TOL);
		ck_assert_double_eq_tol(groupwise_ln_weight(g[i].r, g[i].c), w[i], TOL);
	}
}
END_TEST

START_TEST(weights_are_finite_and_vanish_at_minus_one)
{
	double lnw[2] = {groupwise_ln_weight(-1, 5), groupwise_ln_weight(-7, 9)};
	double lnq[2] = {0, log(3)}, p[2];

	ck_assert(isfinite(groupwise_ln_weight(1e6, 1e6)));
	ck_assert(isfinite(groupwise_ln_weight(-1 + 1e-12, 1e6)));
	ck_assert_double_eq(lnw[0], -INFINITY);
	ck_assert_double_eq_tol(exp(groupwise_ln_weight(0, 0)), 0.197806212543, 1e-12);
	groupwise_shares(2, lnw, lnq, p);
	ck_assert_double_eq_tol(p[0], 0.25, 1e-15);
}
END_TEST

static const struct {
	double x[2], y;
	size_t n;
	uint32_t groups[2];
} six[] = {
    {{1, 0.5}, 0.9, 1, {0}},
    {{1, -1}, 0.2, 1, {1}},
    {{1, 0.25}, 0.7, 2, {0, 1}},
    {{1, 1}, 1, 1, {0}},
    {{1, 0}, 0.4, 1, {1}},
    {{1, 0.5}, 0.8, 2, {0, 1}},
};

static void check_six(enum groupwise_learner learner, const double *yhat, const double *regret)
{
	struct rig r;

	rig_init(&r, GROUPWISE_REGRESS, 2);
	r.params.learner = (int)learner;
	rig_open(&r);
	for (size_t t = 0; t < 6; t++) {
		ck_assert_double_eq_tol(
		    rig_predict(&r, six[t].x, six[t].groups, six[t].n), yhat[t], TOL);
		rig_label(&r, six[t].y);
	}
	for (size_t i = 0; i < 3; i++) {
		ck_assert_double_eq_tol(rig_state(&r)->group[i].r, regret[i == 0 ? 2 : i - 1], TOL);
	}
	ck_assert_double_eq_tol(rig_state(&r)->group[0].cell[0], 0.152406417112, TOL);
	ck_assert_double_eq_tol(rig_state(&r)->group[0].cell[1], -0.0534759358289, TOL);
	ck_assert_double_eq_tol(rig_state(&r)->group[0].cell[2], 0.299465240642, TOL);
	rig_close(&r);
}

START_TEST(six_labels_go_as_in_the_reference)
{
	static const double ridge[] = {
	    0, 0.1, 0.323870603486, 0.691068059684, 0.466715417312, 0.623472673676};
	static const double ridge_r[] = {0.131260596746, -0.378849252617, 0.154190186228};
	static const double forward[] = {
	    0, 0.0346153846154, 0.217985455594, 0.387148435201, 0.37166433278, 0.493116962527};
	static const double forward_r[] = {0.105795671908, -0.410361525664, 0.176157593693};

	check_six(GROUPWISE_RIDGE, ridge, ridge_r);
	check_six(GROUPWISE_FORWARD, forward, forward_r);
}
END_TEST

static void check_run(enum groupwise_learner learner, const double *sums)
{
	double x[5], y, d, expected = 0, average = 0, alone = 0;
	uint32_t groups[2];
	struct rig r;

	rig_init(&r, GROUPWISE_REGRESS, 5);
	r.params.learner = (int)learner;
	rig_open(&r);
	for (unsigned t = 0; t < 2000; t++) {
		double mine = 0;
		struct rd in;

		y = rig_row(t, x, groups);
		y = y < 0 ? 0 : y > 1 ? 1 : y;
		d = rig_predict(&r, x, groups, 2) - y;
		average += d * d;
		rd_init(&in, r.memo.data, r.memo.len);
		for (int i = 0; i < 3; i++) {
			double p = rd_f64(&in), own = rd_f64(&in) - y;

			mine += p * own * own;
			alone += i == 0 ? own * own : 0;
		}
		ck_assert(d * d <= mine + 1e-15);
		expected += mine;
		rig_label(&r, y);
		rig_check_bound(rig_state(&r));
	}
	ck_assert_double_eq_tol(expected, sums[0], 1e-9);
	ck_assert_double_eq_tol(average, sums[1], 1e-9);
	ck_assert_double_eq_tol(alone, sums[2], 1e-9);
	for (size_t i = 0; learner == GROUPWISE_RIDGE && i < 5; i++) {
		ck_assert_double_eq_tol(
		    rig_state(&r)->group[i == 4 ? 0 : i + 1].r, sums[3 + i], 1e-9);
	}
	rig_close(&r);
}

START_TEST(two_thousand_labels_go_as_in_the_reference)
{
	static const double ridge[] = {8.17503132663, 7.08436757818, 15.3017765196, -1.65799607749,
	    -1.52301557463, 0.354251465122, 0.259666150452, -7.12674519295};
	static const double forward[] = {9.69048235213, 8.67854210484, 16.0906606625};

	check_run(GROUPWISE_RIDGE, ridge);
	check_run(GROUPWISE_FORWARD, forward);
}
END_TEST

START_TEST(form_a_goes_as_in_the_reference)
{
	static const struct {
		size_t n;
		uint32_t groups[2];
		size_t arm;
		double loss, p[3];
	} round[] = {
	    {1, {0}, 1, 1, {1. / 3, 1. / 3, 1. / 3}},
	    {1, {1}, 0, 0, {0.391574775496, 0.216850449008, 0.391574775496}},
	    {2, {0, 1}, 0, 1, {0.41098858955, 0.1780228209, 0.41098858955}},
	    {0, {0}, 2, 0.5, {0.194976557362, 0.1468568232, 0.658166619438}},
	    {1, {0}, 2, 0.25, {0.220579727484, 0.166141193992, 0.613279078524}},
	    {1, {1}, 0, 1, {0.198216442942, 0.327246010134, 0.474537546924}},
	};
	static const double end[3][3] = {{-4.74071681885, -2.50164296182, -1.58530836503},
	    {-2.65268642117, -2.93610763355, -1.63993001129},
	    {-5.39361359659, -1.65453973955, -1.65453973955}};
	struct rig r;

	rig_init(&r, GROUPWISE_ARMS, 0);
	r.params.eta = 0.5;
	rig_open(&r);
	for (size_t t = 0; t < 6; t++) {
		rig_ask(&r, round[t].groups, round[t].n);
		for (size_t i = 0; i < 3; i++) {
			ck_assert_double_eq_tol(r.pmf[i], round[t].p[i], TOL);
		}
		rig_reward(&r, round[t].arm, round[t].loss);
	}
	for (size_t i = 0; i < 9; i++) {
		ck_assert_double_eq_tol(
		    rig_state(&r)->group[i / 3].cell[i % 3] - log(9), end[i / 3][i % 3], TOL);
	}
	rig_close(&r);
}
END_TEST

START_TEST(two_thousand_rewards_go_as_in_the_reference)
{
	static const double end[] = {-23.8723568103, -6.7847542328, -8.1344619684};
	unsigned count[3] = {0}, total = 0;
	struct rig r;

	rig_init(&r, GROUPWISE_ARMS, 0);
	r.params.eta = 0.05;
	rig_open(&r);
	for (unsigned t = 0; t < 2000; t++) {
		bool a = rig_fraction(t, 11) < 0.5, c = rig_fraction(t, 13) < 0.4;
		uint32_t groups[2] = {a ? 0 : 1, c ? 2 : 3};
		double u = rig_fraction(t, 19), mu = 0.5;
		size_t arm = 0;

		rig_ask(&r, groups, 2);
		for (double sum = r.pmf[0]; u >= sum && arm < 2; sum += r.pmf[arm]) {
			arm++;
		}
		mu = arm == 0 && a ? 0.2 : arm == 1 && c ? 0.3 : arm == 2 && !a ? 0.35 : mu;
		count[arm]++;
		total += rig_fraction(t, 23) < mu;
		rig_reward(&r, arm, rig_fraction(t, 23) < mu);
	}
	ck_assert_uint_eq(total, 651);
	ck_assert_uint_eq(count[0], 894);
	ck_assert_uint_eq(count[1], 552);
	ck_assert_uint_eq(count[2], 554);
	/* Small propensities magnify rounding: orders of summation differ in the 8th digit. */
	for (size_t i = 0; i < 3; i++) {
		ck_assert_double_eq_tol(rig_state(&r)->group[0].cell[i] - log(15), end[i], 1e-7);
	}
	rig_close(&r);
}
END_TEST

RUN("groupwise", mixture_goes_as_in_the_reference, weights_are_finite_and_vanish_at_minus_one,
    six_labels_go_as_in_the_reference, two_thousand_labels_go_as_in_the_reference,
    form_a_goes_as_in_the_reference, two_thousand_rewards_go_as_in_the_reference)
