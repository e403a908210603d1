/* SPDX-License-Identifier: Apache-2.0 */
/* The traces of groupwise, on its hooks. In all of them the last group is awake in every decision,
 * so it is `_all`. */
#include "base/num.h"
#include "policies/groupwise_impl.h"
#include "policies/policies.h"
#include "test.h"

#define ARMS 3
#define TOL 1e-11

struct rig {
	struct groupwise_params params;
	struct policy_env env;
	void *state;
	struct buf memo;
	uint32_t slots[ARMS];
	struct ask ask;
	double pmf[ARMS], prediction;
	uint64_t seq;
};

static void rig_init(struct rig *r, enum groupwise_kind kind, size_t dim)
{
	static const uint32_t slots[ARMS] = {0, 1, 2};

	*r = (struct rig){.env = {.params = &r->params, .dim = dim, .hi = 1}};
	param_defaults(groupwise_ops.params, &r->params);
	r->params.kind = (int)kind;
	memcpy(r->slots, slots, sizeof(slots));
	r->ask = (struct ask){.slots = r->slots, .n = ARMS, .all = true, .k = 1};
	buf_init(&r->memo, MEMO_MAX);
}

static void rig_open(struct rig *r)
{
	ck_assert_int_eq(groupwise_ops.create(&r->env, &r->state), 0);
	if (r->params.kind != GROUPWISE_REGRESS) {
		ck_assert_int_eq(groupwise_ops.reserve(r->state, ARMS), 0);
		for (uint32_t i = 0; i < ARMS; i++) {
			groupwise_ops.arm_add(r->state, i);
		}
	}
}

static void rig_close(struct rig *r)
{
	groupwise_ops.destroy(r->state);
	buf_release(&r->memo);
}

static const struct groupwise *state_of(const struct rig *r)
{
	return r->state;
}

static void pull(struct rig *r)
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

static double predict(struct rig *r, const double *x, const uint32_t *groups, size_t n)
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
	pull(r);
	return choice.prediction;
}

static struct outcome outcome_of(const struct rig *r, double reward)
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

static void label(struct rig *r, double y)
{
	struct outcome o = outcome_of(r, y);

	groupwise_ops.update(r->state, &o);
}

static void ask_arms(struct rig *r, const uint32_t *groups, size_t n)
{
	struct rng rng = rng_at(1, ++r->seq, RNG_POLICY);

	r->ask.groups = groups;
	r->ask.ngroups = n;
	ck_assert_int_eq(groupwise_ops.pmf(r->state, &r->ask, &rng, r->pmf), 0);
}

/* The i-th of the ask's slots was drawn. */
static void reward_arm(struct rig *r, size_t i, double loss)
{
	struct outcome o;

	buf_reset(&r->memo);
	groupwise_ops.note(r->state, &r->ask, r->pmf, i, &r->memo);
	pull(r);
	o = outcome_of(r, 1 - loss);
	o.slot = r->ask.slots[i];
	o.propensity = r->pmf[i];
	groupwise_ops.update(r->state, &o);
}

static double fraction(unsigned t, double p)
{
	double z = (t + 1) * sqrt(p);

	return z - floor(z);
}

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
		    predict(&r, six[t].x, six[t].groups, six[t].n), yhat[t], TOL);
		label(&r, six[t].y);
	}
	for (size_t i = 0; i < 3; i++) {
		ck_assert_double_eq_tol(state_of(&r)->group[i].r, regret[i == 0 ? 2 : i - 1], TOL);
	}
	ck_assert_double_eq_tol(state_of(&r)->group[0].cell[0], 0.152406417112, TOL);
	ck_assert_double_eq_tol(state_of(&r)->group[0].cell[1], -0.0534759358289, TOL);
	ck_assert_double_eq_tol(state_of(&r)->group[0].cell[2], 0.299465240642, TOL);
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

/* Groups 0 to 3: A, B, C, D; E is _all. */
static double row_of(unsigned t, double *x, uint32_t *groups)
{
	bool a = fraction(t, 11) < 0.5, c = fraction(t, 13) < 0.4;
	double m1, m2;

	x[0] = 1;
	x[1] = fraction(t, 2);
	x[2] = fraction(t, 3);
	x[3] = fraction(t, 5);
	x[4] = fraction(t, 7);
	groups[0] = a ? 0 : 1;
	groups[1] = c ? 2 : 3;
	m1 = a ? 0.2 + 0.5 * x[1] : 0.7 - 0.4 * x[2];
	m2 = c ? 0.1 + 0.6 * x[3] : 0.8 - 0.5 * x[4];
	return (m1 + m2) / 2 + 0.1 * (fraction(t, 17) - 0.5);
}

/* Section 8 of the derivation: R <= sqrt(3 C (ln G + ln B)), at every moment. */
static void check_regret_bound(const struct groupwise *g)
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

		y = row_of(t, x, groups);
		y = y < 0 ? 0 : y > 1 ? 1 : y;
		d = predict(&r, x, groups, 2) - y;
		average += d * d;
		rd_init(&in, r.memo.data, r.memo.len);
		for (int i = 0; i < 3; i++) {
			double p = rd_f64(&in), own = rd_f64(&in) - y;

			mine += p * own * own;
			alone += i == 0 ? own * own : 0;
		}
		ck_assert(d * d <= mine + 1e-15);
		expected += mine;
		label(&r, y);
		check_regret_bound(state_of(&r));
	}
	ck_assert_double_eq_tol(expected, sums[0], 1e-9);
	ck_assert_double_eq_tol(average, sums[1], 1e-9);
	ck_assert_double_eq_tol(alone, sums[2], 1e-9);
	for (size_t i = 0; learner == GROUPWISE_RIDGE && i < 5; i++) {
		ck_assert_double_eq_tol(
		    state_of(&r)->group[i == 4 ? 0 : i + 1].r, sums[3 + i], 1e-9);
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
		ask_arms(&r, round[t].groups, round[t].n);
		for (size_t i = 0; i < 3; i++) {
			ck_assert_double_eq_tol(r.pmf[i], round[t].p[i], TOL);
		}
		reward_arm(&r, round[t].arm, round[t].loss);
	}
	for (size_t i = 0; i < 9; i++) {
		ck_assert_double_eq_tol(
		    state_of(&r)->group[i / 3].cell[i % 3] - log(9), end[i / 3][i % 3], TOL);
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
		bool a = fraction(t, 11) < 0.5, c = fraction(t, 13) < 0.4;
		uint32_t groups[2] = {a ? 0 : 1, c ? 2 : 3};
		double u = fraction(t, 19), mu = 0.5;
		size_t arm = 0;

		ask_arms(&r, groups, 2);
		for (double sum = r.pmf[0]; u >= sum && arm < 2; sum += r.pmf[arm]) {
			arm++;
		}
		mu = arm == 0 && a ? 0.2 : arm == 1 && c ? 0.3 : arm == 2 && !a ? 0.35 : mu;
		count[arm]++;
		total += fraction(t, 23) < mu;
		reward_arm(&r, arm, fraction(t, 23) < mu);
	}
	ck_assert_uint_eq(total, 651);
	ck_assert_uint_eq(count[0], 894);
	ck_assert_uint_eq(count[1], 552);
	ck_assert_uint_eq(count[2], 554);
	/* Small propensities magnify rounding: orders of summation differ in the 8th digit. */
	for (size_t i = 0; i < 3; i++) {
		ck_assert_double_eq_tol(state_of(&r)->group[0].cell[i] - log(15), end[i], 1e-7);
	}
	rig_close(&r);
}
END_TEST

static double total_weight(const struct groupwise *g)
{
	double sum = 0;

	for (uint32_t i = 0; i < 3 * g->ngroups; i++) {
		sum += exp(g->group[i / 3].cell[i % 3]);
	}
	return sum / (3 * g->ngroups);
}

static void check_weight(enum groupwise_form form)
{
	struct rng rng = rng_at(4, 0, RNG_TEST);
	static const uint32_t every[] = {0, 1, 2};
	struct rig r;

	rig_init(&r, GROUPWISE_ARMS, 0);
	r.params.form = (int)form;
	r.params.eta = 0.3;
	rig_open(&r);
	ask_arms(&r, every, 3);
	reward_arm(&r, 0, 0);
	for (int t = 0; t < 2000; t++) {
		uint32_t first = (uint32_t)rng_below(&rng, 3), least = (uint32_t)rng_below(&rng, 2);

		for (uint32_t i = 0; i < ARMS; i++) {
			r.slots[i] = i + least;
		}
		r.ask.n = ARMS - least;
		ask_arms(&r, every + first, rng_below(&rng, 4 - first));
		reward_arm(&r, rng_below(&rng, r.ask.n), rng_uniform(&rng));
	}
	ck_assert_double_eq_tol(total_weight(state_of(&r)), 1, 1e-9);
	rig_close(&r);
}

START_TEST(total_weight_stays)
{
	check_weight(GROUPWISE_A);
	check_weight(GROUPWISE_B); /* of each learner, so of all */
}
END_TEST

START_TEST(groups_asleep_stay_as_they_are)
{
	static const uint32_t both[] = {0, 1};
	struct groupwise_group before;
	double x[5], cell[64], y;
	uint32_t groups[2];
	struct rig r;

	rig_init(&r, GROUPWISE_REGRESS, 5);
	rig_open(&r);
	for (unsigned t = 0; t < 50; t++) {
		y = row_of(t, x, groups);
		predict(&r, x, both, 2);
		label(&r, y);
	}
	before = state_of(&r)->group[2];
	memcpy(cell, before.cell, groupwise_ridge_cells(5) * sizeof(*cell));
	for (unsigned t = 50; t < 100; t++) {
		y = row_of(t, x, groups);
		predict(&r, x, both, 1);
		label(&r, y);
	}
	ck_assert_int_eq(memcmp(&before, &state_of(&r)->group[2], sizeof(before)), 0);
	ck_assert_int_eq(memcmp(cell, before.cell, groupwise_ridge_cells(5) * sizeof(*cell)), 0);
	rig_close(&r);
}
END_TEST

START_TEST(regret_is_bounded_against_an_adversary)
{
	struct rng rng = rng_at(6, 0, RNG_TEST);
	struct groupwise g = {.ngroups = 6};
	struct groupwise_group group[6] = {{.r = 0}};
	double lnw[6], lnq[6] = {0}, p[6], loss[6];

	g.group = group;
	for (int t = 0; t < 20000; t++) {
		uint64_t awake = 1 | rng_u64(&rng);
		double mixture = 0;
		size_t heaviest = 0;

		for (size_t i = 0; i < 6; i++) {
			lnw[i] = groupwise_ln_weight(group[i].r, group[i].c);
			lnq[i] = awake >> i & 1 ? 0 : -INFINITY;
		}
		groupwise_shares(6, lnw, lnq, p);
		for (size_t i = 0; i < 6; i++) {
			heaviest = p[i] > p[heaviest] ? i : heaviest;
		}
		for (size_t i = 0; i < 6; i++) {
			loss[i] = i == heaviest;
			mixture += p[i] * loss[i];
		}
		for (size_t i = 0; i < 6; i++) {
			if (awake >> i & 1) {
				groupwise_charge(&group[i], mixture, loss[i]);
			}
		}
		check_regret_bound(&g);
	}
}
END_TEST

/* How far P is from the inverse of lambda I + sum x x'. */
static double drift_of(const double *p, const double *a, size_t dim)
{
	double worst = 0;

	for (size_t i = 0; i < dim; i++) {
		for (size_t j = 0; j < dim; j++) {
			double sum = i == j ? -1 : 0;

			for (size_t k = 0; k < dim; k++) {
				size_t lo = k < j ? k : j, hi = k < j ? j : k;

				sum += a[i * dim + k] * p[lo * dim - lo * (lo + 1) / 2 + hi];
			}
			worst = fabs(sum) > worst ? fabs(sum) : worst;
		}
	}
	return worst;
}

/* Rows of three indicators in dim / 3 levels each, so the matrix lacks rank without the penalty. */
static double drift_after(size_t dim, double lambda, unsigned updates)
{
	double *cell = calloc(groupwise_ridge_cells(dim), sizeof(*cell));
	double *a = calloc(dim * dim, sizeof(*a)), *x = calloc(dim, sizeof(*x)), ret;
	struct rng rng = rng_at(8, 0, RNG_TEST);

	ck_assert(cell && a && x);
	groupwise_ridge_init(cell, dim, lambda);
	for (size_t i = 0; i < dim; i++) {
		a[i * dim + i] = lambda;
	}
	for (unsigned n = 1; n <= updates; n++) {
		size_t at[3];

		memset(x, 0, dim * sizeof(*x));
		for (size_t i = 0; i < 3; i++) {
			at[i] = i * (dim / 3) + rng_below(&rng, dim / 3);
			x[at[i]] = 1;
		}
		for (size_t i = 0; i < 9; i++) {
			a[at[i / 3] * dim + at[i % 3]] += 1;
		}
		ck_assert(groupwise_ridge_update(cell, dim, n, x, 0.5));
	}
	ret = drift_of(cell, a, dim);
	free(cell);
	free(a);
	free(x);
	return ret;
}

START_TEST(the_inverse_does_not_drift)
{
	double d;

	ck_assert_double_lt(d = drift_after(96, 1, 32561), 5e-9);
	ck_assert_double_lt(d = drift_after(30, 1, 20000), 1e-10);
	ck_assert_double_lt(d = drift_after(30, 1e-3, 20000), 1e-6);
	(void)d;
}
END_TEST

START_TEST(a_label_that_is_no_number_changes_nothing)
{
	double x[2] = {1, INFINITY}, cell[16], before[16];

	groupwise_ridge_init(cell, 2, 1);
	memcpy(before, cell, sizeof(before));
	ck_assert(!groupwise_ridge_update(cell, 2, 1, x, 1));
	x[1] = 0;
	ck_assert(!groupwise_ridge_update(cell, 2, 1, x, (double)NAN));
	ck_assert_int_eq(memcmp(before, cell, groupwise_ridge_cells(2) * sizeof(*cell)), 0);
}
END_TEST

/* Losses told in full: arm i is best in group i, the third one over all. */
static void tell(struct rig *r, uint32_t group, uint64_t t)
{
	struct result results[ARMS];
	struct outcome o;

	for (uint32_t i = 0; i < ARMS; i++) {
		double loss = i == group ? 0 : i == 2 ? 0.3 : t % 2 ? 0.9 : 0.6;

		results[i] = (struct result){.slot = i, .reward = 1 - loss};
	}
	pull(r);
	o = outcome_of(r, 0);
	o.results = results;
	o.nresults = ARMS;
	groupwise_ops.update(r->state, &o);
}

START_TEST(experts_find_the_best_arm_of_each_group)
{
	static const uint32_t names[] = {0, 1};
	double regret[2] = {0}, bound;
	struct rig r;

	rig_init(&r, GROUPWISE_EXPERTS, 0);
	rig_open(&r);
	for (uint64_t t = 0; t < 2000; t++) {
		uint32_t group = t % 3 == 0;

		ask_arms(&r, names + group, 1);
		ck_assert_double_eq_tol(r.pmf[0] + r.pmf[1] + r.pmf[2], 1, 1e-12);
		regret[group] += 0.3 * r.pmf[2] + (t % 2 ? 0.9 : 0.6) * r.pmf[1 - group];
		tell(&r, group, t);
		check_regret_bound(state_of(&r));
	}
	for (size_t i = 0; i < 2; i++) {
		double n = i ? 667 : 1333;

		bound = sqrt(2 * n * log(3)) + sqrt(3 * n * (log(3) + log(2.5 + 1.5 * log(2001))));
		ck_assert_double_lt(regret[i], bound);
		ck_assert_double_lt(regret[i], 20);
	}
	rig_close(&r);
}
END_TEST

/* Some life in the state, whatever the kind. */
static void live(struct rig *r, unsigned from, unsigned to)
{
	double x[5], y;
	uint32_t groups[2];

	for (unsigned t = from; t < to; t++) {
		y = row_of(t, x, groups);
		if (r->params.kind == GROUPWISE_REGRESS) {
			predict(r, x, groups, 2);
			label(r, y);
			continue;
		}
		ask_arms(r, groups, 2);
		if (r->params.kind == GROUPWISE_EXPERTS) {
			tell(r, t % 3, t);
		} else {
			reward_arm(r, t % 3, y);
		}
	}
}

static void check_saved(enum groupwise_kind kind, enum groupwise_form form)
{
	struct buf saved, again;
	struct rig r, other;
	struct rd in;

	buf_init(&saved, 1u << 20);
	buf_init(&again, 1u << 20);
	rig_init(&r, kind, 5);
	r.params.form = (int)form;
	rig_open(&r);
	live(&r, 0, 100);
	groupwise_ops.serialise(r.state, &saved);
	rig_init(&other, kind, 5);
	other.params.form = (int)form;
	other.seq = r.seq;
	rd_init(&in, saved.data, saved.len);
	ck_assert_int_eq(groupwise_ops.deserialise(&other.env, &in, &other.state), 0);
	ck_assert_uint_eq(rd_left(&in), 0);
	live(&r, 100, 150);
	live(&other, 100, 150);
	groupwise_ops.serialise(other.state, &again);
	for (size_t n = 0; n < saved.len; n += 1 + n / 7) {
		void *state;

		rd_init(&in, saved.data, n);
		ck_assert_int_eq(groupwise_ops.deserialise(&other.env, &in, &state), RC_CORRUPT);
	}
	buf_reset(&saved);
	groupwise_ops.serialise(r.state, &saved);
	ck_assert_uint_eq(saved.len, again.len);
	ck_assert_int_eq(memcmp(saved.data, again.data, saved.len), 0);
	rig_close(&r);
	rig_close(&other);
	buf_release(&saved);
	buf_release(&again);
}

START_TEST(every_kind_is_saved_and_loaded)
{
	check_saved(GROUPWISE_ARMS, GROUPWISE_A);
	check_saved(GROUPWISE_ARMS, GROUPWISE_B);
	check_saved(GROUPWISE_REGRESS, GROUPWISE_A);
	check_saved(GROUPWISE_EXPERTS, GROUPWISE_A);
}
END_TEST

START_TEST(there_are_limits)
{
	struct errinfo err = {.rc = 0};
	size_t dim;
	struct rig r;

	rig_init(&r, GROUPWISE_REGRESS, 512);
	rig_open(&r);
	ck_assert_int_eq(groupwise_ops.reserve_groups(r.state, 4096), RC_LIMIT); /* bytes */
	ck_assert_int_eq(groupwise_ops.dim(&r.params, 513, &dim, &err), RC_INVALID);
	ck_assert_int_eq(groupwise_ops.dim(&r.params, 0, &dim, &err), RC_INVALID);
	ck_assert_int_eq(groupwise_ops.dim(&r.params, 512, &dim, &err), 0);
	ck_assert_uint_eq(dim, 512);
	rig_close(&r);
	rig_init(&r, GROUPWISE_ARMS, 0);
	rig_open(&r);
	ck_assert_int_eq(groupwise_ops.reserve_groups(r.state, 4096), 0);
	ck_assert_int_eq(groupwise_ops.reserve_groups(r.state, 4097), RC_LIMIT);
	ck_assert_int_eq(groupwise_ops.reserve(r.state, 65536), RC_LIMIT);
	ck_assert_int_eq(groupwise_ops.reserve(r.state, 4096), 0);
	rig_close(&r);
}
END_TEST

RUN("groupwise", mixture_goes_as_in_the_reference, weights_are_finite_and_vanish_at_minus_one,
    six_labels_go_as_in_the_reference, two_thousand_labels_go_as_in_the_reference,
    form_a_goes_as_in_the_reference, two_thousand_rewards_go_as_in_the_reference,
    total_weight_stays, groups_asleep_stay_as_they_are, regret_is_bounded_against_an_adversary,
    the_inverse_does_not_drift, a_label_that_is_no_number_changes_nothing,
    experts_find_the_best_arm_of_each_group, every_kind_is_saved_and_loaded, there_are_limits)
