/* SPDX-License-Identifier: Apache-2.0 */
/* What groupwise promises whatever comes. */
#include <stdio.h>

#include "base/hash.h"
#include "groupwise_rig.h"

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
	rig_ask(&r, every, 3);
	rig_reward(&r, 0, 0);
	for (int t = 0; t < 2000; t++) {
		uint32_t first = (uint32_t)rng_below(&rng, 3), least = (uint32_t)rng_below(&rng, 2);

		for (uint32_t i = 0; i < RIG_ARMS; i++) {
			r.slots[i] = i + least;
		}
		r.ask.n = RIG_ARMS - least;
		rig_ask(&r, every + first, rng_below(&rng, 4 - first));
		rig_reward(&r, rng_below(&rng, r.ask.n), rng_uniform(&rng));
	}
	ck_assert_double_eq_tol(total_weight(rig_state(&r)), 1, 1e-9);
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
		y = rig_row(t, x, groups);
		rig_predict(&r, x, both, 2);
		rig_label(&r, y);
	}
	before = rig_state(&r)->group[2];
	memcpy(cell, before.cell, groupwise_ridge_cells(5) * sizeof(*cell));
	for (unsigned t = 50; t < 100; t++) {
		y = rig_row(t, x, groups);
		rig_predict(&r, x, both, 1);
		rig_label(&r, y);
	}
	ck_assert_int_eq(memcmp(&before, &rig_state(&r)->group[2], sizeof(before)), 0);
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
		rig_check_bound(&g);
	}
}
END_TEST

START_TEST(doubling_starts_anew_at_powers_of_two)
{
	static const uint32_t group[] = {0};
	struct rig r;

	rig_init(&r, GROUPWISE_ARMS, 0);
	r.params.doubling = true;
	rig_open(&r);
	for (uint64_t t = 1; t <= 64; t++) {
		rig_ask(&r, group, 1);
		rig_reward(&r, 0, 1); /* its decision may begin an epoch, it then learns in it */
		rig_ask(&r, group, 1);
		if ((t & (t + 1)) == 0) {
			r.ask.ngroups = 0;
			rig_pull(&r);
			ck_assert_double_eq(rig_state(&r)->group[0].cell[0], 0);
			t++;
		} else {
			ck_assert_double_lt(r.pmf[0], r.pmf[1]);
		}
	}
	rig_close(&r);
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
	struct result results[RIG_ARMS];
	struct outcome o;

	for (uint32_t i = 0; i < RIG_ARMS; i++) {
		double loss = i == group ? 0 : i == 2 ? 0.3 : t % 2 ? 0.9 : 0.6;

		results[i] = (struct result){.slot = i, .reward = 1 - loss};
	}
	rig_pull(r);
	o = rig_outcome(r, 0);
	o.results = results;
	o.nresults = RIG_ARMS;
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

		rig_ask(&r, names + group, 1);
		ck_assert_double_eq_tol(r.pmf[0] + r.pmf[1] + r.pmf[2], 1, 1e-12);
		regret[group] += 0.3 * r.pmf[2] + (t % 2 ? 0.9 : 0.6) * r.pmf[1 - group];
		tell(&r, group, t);
		rig_check_bound(rig_state(&r));
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
		y = rig_row(t, x, groups);
		if (r->params.kind == GROUPWISE_REGRESS) {
			rig_predict(r, x, groups, 2);
			rig_label(r, y);
			continue;
		}
		rig_ask(r, groups, 2);
		if (r->params.kind == GROUPWISE_EXPERTS) {
			tell(r, t % 3, t);
		} else {
			rig_reward(r, t % 3, y);
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

/* The same labels give the same bytes from every compiler. */
START_TEST(states_are_golden)
{
	static const struct {
		enum groupwise_kind kind;
		int learner;
		const char *digest;
	} golden[] = {
	    {GROUPWISE_REGRESS, GROUPWISE_RIDGE, "377495ef68c614b05560ba46ddb9950a"},
	    {GROUPWISE_REGRESS, GROUPWISE_FORWARD, "f9fa7f129ad8777285ccc03a214092bc"},
	    {GROUPWISE_EXPERTS, GROUPWISE_RIDGE, "32854675f489b5b6a86a514d839ea8e0"},
	    {GROUPWISE_EXPERTS, GROUPWISE_FTPL, "12210d3e48d4943ddb31bdbaa3a56dca"},
	};
	unsigned char digest[HASH_DIGEST_BYTES];
	char hex[2 * HASH_DIGEST_BYTES + 1];
	struct buf saved;
	struct rig r;

	hash_init();
	buf_init(&saved, 1u << 20);
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		rig_init(&r, golden[i].kind, RIG_DIM);
		r.params.learner = golden[i].learner;
		rig_open(&r);
		live(&r, 0, 5000); /* P is computed anew on the way */
		buf_reset(&saved);
		groupwise_ops.serialise(r.state, &saved);
		hash_digest(saved.data, saved.len, digest);
		for (size_t k = 0; k < sizeof(digest); k++) {
			snprintf(hex + 2 * k, 3, "%02x", digest[k]);
		}
		ck_assert_str_eq(hex, golden[i].digest);
		rig_close(&r);
	}
	buf_release(&saved);
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

RUN("groupwise_state", total_weight_stays, groups_asleep_stay_as_they_are,
    doubling_starts_anew_at_powers_of_two, regret_is_bounded_against_an_adversary,
    the_inverse_does_not_drift, a_label_that_is_no_number_changes_nothing,
    experts_find_the_best_arm_of_each_group, every_kind_is_saved_and_loaded, states_are_golden,
    there_are_limits)
