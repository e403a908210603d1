/* SPDX-License-Identifier: Apache-2.0 */
/* tsallis_inf and its kin: golden traces and statistics. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/pmf.h"
#include "policies/cheb_cb.h"
#include "policies/policies.h"
#include "policies/tsallis.h"
#include "test.h"

#define ARMS_MAX_HERE 20
#define ALMOST 1e-11

static const uint32_t slots[ARMS_MAX_HERE] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};

static struct tsallis *learner(struct tsallis_params *p, size_t arms)
{
	struct policy_env env = {.params = p, .lo = 0, .hi = 1};
	void *state;

	ck_assert_int_eq(tsallis_create(&env, &state), 0);
	ck_assert_int_eq(tsallis_reserve(state, arms), 0);
	for (uint32_t i = 0; i < arms; i++) {
		tsallis_arm_add(state, i);
	}
	return state;
}

static void pull(struct tsallis *s, uint32_t slot, double p)
{
	tsallis_pulled(s, &(struct pull){.picks = &(struct pick){slot, p}, .npicks = 1});
}

/* How far the root lies below the least estimate, at the next decision. */
static double root_of(const struct tsallis *s, size_t arms, double eta)
{
	double d[ARMS_MAX_HERE], least = s->lhat[0];

	for (size_t i = 1; i < arms; i++) {
		least = s->lhat[i] < least ? s->lhat[i] : least;
	}
	for (size_t i = 0; i < arms; i++) {
		d[i] = (s->lhat[i] - least) / s->params->loss_scale;
	}
	return tsallis_normaliser(arms, d, eta);
}

START_TEST(a_trace_is_followed_to_its_digits)
{
	static const uint32_t arm[] = {0, 1, 2, 0, 1, 2, 0, 0};
	static const double loss[] = {0.2, 0.9, 0.5, 0.1, 1.0, 0.4, 0.3, 0.0};
	static const double u[] = {1.732050807569, 2.292676371254, 2.380921077575, 2.963173506076,
	    3.471506283022, 3.509915902636, 3.470004919460, 3.946240987502};
	static const double p[][3] = {{0.333333333333, 0.333333333333, 0.333333333333},
	    {0.239017830165, 0.380491084917, 0.380491084917},
	    {0.337613884605, 0.133172199892, 0.529213915502},
	    {0.455560255025, 0.178898324773, 0.365541420202},
	    {0.414891075549, 0.198618353863, 0.386490570588},
	    {0.487032371709, 0.058927963537, 0.454039664754},
	    {0.581350243925, 0.069296380235, 0.349353375840},
	    {0.513715631636, 0.079826894581, 0.406457473783}};
	static const double after[] = {1.335549965295, 7.400145656078, 1.825777829459};
	struct tsallis_params params = {.estimator = TSALLIS_IW, .loss_scale = 1};
	struct tsallis *s = learner(&params, 3);
	struct ask ask = {.slots = slots, .n = 3, .all = true};
	double pmf[3];

	for (int i = 0; i < 8; i++) {
		ck_assert_double_eq_tol(root_of(s, 3, 2 / sqrt(i + 1)), u[i], ALMOST);
		ck_assert_int_eq(tsallis_pmf(s, &ask, NULL, pmf), 0);
		for (int k = 0; k < 3; k++) {
			ck_assert_double_eq_tol(pmf[k], p[i][k], ALMOST);
		}
		pull(s, arm[i], pmf[arm[i]]);
		tsallis_update(
		    s, &(struct outcome){
			   .slot = arm[i], .reward = 1 - loss[i], .propensity = pmf[arm[i]]});
	}
	for (int k = 0; k < 3; k++) {
		ck_assert_double_eq_tol(s->lhat[k], after[k], ALMOST);
	}
	tsallis_destroy(s);
}
END_TEST

START_TEST(reduced_variance_moves_all_that_were_likely)
{
	struct tsallis_params params = {.estimator = TSALLIS_RV, .loss_scale = 1};
	struct tsallis *s = learner(&params, 3);
	struct ask ask = {.slots = slots, .n = 3, .all = true};
	struct buf memo;
	double pmf[3];

	buf_init(&memo, MEMO_MAX);
	s->bin[0].t = 99;
	memcpy(s->lhat, (double[]){3, 5, 9}, 3 * sizeof(double));
	ck_assert_double_eq_tol(root_of(s, 3, 4 / sqrt(100)), 6.863524745915, ALMOST);
	ck_assert_int_eq(tsallis_pmf(s, &ask, NULL, pmf), 0);
	ck_assert_double_eq_tol(pmf[0], 0.530695739418, ALMOST);
	ck_assert_double_eq_tol(pmf[1], 0.318219717311, ALMOST);
	ck_assert_double_eq_tol(pmf[2], 0.151084543271, ALMOST);
	tsallis_note(s, &ask, pmf, 1, &memo);
	ck_assert_uint_eq(memo.len, 1);
	ck_assert_uint_eq(memo.data[0], 3);
	tsallis_update(s, &(struct outcome){.slot = 1,
			      .reward = 0.1,
			      .propensity = pmf[1],
			      .memo = memo.data,
			      .nmemo = memo.len});
	ck_assert_double_eq_tol(s->lhat[0], 3.5, ALMOST);
	ck_assert_double_eq_tol(s->lhat[1], 6.756993134743, ALMOST);
	ck_assert_double_eq_tol(s->lhat[2], 9, ALMOST);
	buf_release(&memo);
	tsallis_destroy(s);
}
END_TEST

START_TEST(the_normaliser_is_exact)
{
	static const double eta[] = {2, 0.1, 1e-4};
	struct rng rng = rng_at(5, 0, RNG_TEST);
	double d[ARMS_MAX_HERE], most[] = {1e-3, 10, 1e10};

	for (int c = 0; c < 300; c++) {
		size_t n = 2 + (size_t)c % 19;
		double e = eta[c % 3], u, sum = 0;

		d[0] = 0;
		for (size_t i = 1; i < n; i++) {
			d[i] = rng_uniform(&rng) * most[c / 3 % 3];
		}
		u = tsallis_normaliser(n, d, e);
		for (size_t i = 0; i < n; i++) {
			sum += 4 / (e * (d[i] + u)) / (e * (d[i] + u));
		}
		ck_assert_double_eq_tol(sum, 1, 1e-13);
	}
}
END_TEST

START_TEST(an_arm_that_joins_gets_its_share)
{
	struct tsallis_params params = {.estimator = TSALLIS_IW, .loss_scale = 1};
	struct tsallis *s = learner(&params, 3);
	struct ask ask = {.slots = slots, .n = 4, .all = true};
	double pmf[4];

	s->bin[0].t = 50;
	memcpy(s->lhat, (double[]){3, 5, 9}, 3 * sizeof(double));
	ck_assert_int_eq(tsallis_reserve(s, 4), 0);
	tsallis_arm_add(s, 3);
	ck_assert_int_eq(tsallis_pmf(s, &ask, NULL, pmf), 0);
	ck_assert_double_eq_tol(pmf[3], 0.25, 1e-13);
	ck_assert_double_gt(pmf[0], pmf[1]);
	tsallis_destroy(s);
}
END_TEST

START_TEST(features_are_chebyshev_polynomials)
{
	static const double f[] = {1, -0.375, -0.71875, 0.9140625, 0.033203125, -0.93896484375};
	double at[6], edge[6];

	cheb_features(-0.15, 0.65, 0.1, 6, at);
	cheb_features(-0.15, 0.65, 7, 6, edge);
	for (int j = 0; j < 6; j++) {
		ck_assert_double_eq_tol(at[j], f[j], ALMOST);
		ck_assert_double_eq(edge[j], 1); /* outside counts as the end */
	}
}
END_TEST

START_TEST(gaps_are_weighted_inversely)
{
	double y[] = {0.30, 0.10, 0.15}, even[] = {0.4, 0.4};

	cheb_inverse_gap(3, 40, y);
	ck_assert_double_eq_tol(y[0], 0.090909090909, ALMOST);
	ck_assert_double_eq_tol(y[1], 0.709090909091, ALMOST);
	ck_assert_double_eq_tol(y[2], 0.2, ALMOST);
	cheb_inverse_gap(2, 1e9, even);
	ck_assert_double_eq(even[0], 0.5);
}
END_TEST

static int word_of(const char *text, double *ret)
{
	const struct param_desc *d = param_find(tsallis_inf_ops.params, "loss_scale");
	struct tsallis_params p = {.loss_scale = 7};
	int rc = param_set_text(d, &p, text, "", NULL);

	*ret = p.loss_scale;
	return rc;
}

START_TEST(a_scale_is_a_number_or_the_mean)
{
	const struct param_desc *d = param_find(tsallis_inf_ops.params, "loss_scale");
	struct tsallis_params p;
	char scratch[PARAM_TEXT_MAX];
	double v;

	ck_assert_int_eq(word_of("mean", &v), 0);
	ck_assert_double_nan(v);
	ck_assert_int_eq(word_of("2.5", &v), 0);
	ck_assert_double_eq(v, 2.5);
	ck_assert_int_eq(word_of("median", &v), RC_INVALID);
	ck_assert_int_eq(word_of("nan", &v), RC_INVALID);
	ck_assert_int_eq(word_of("0", &v), RC_INVALID);
	param_defaults(tsallis_inf_ops.params, &p);
	ck_assert_str_eq(param_format(d, &p, scratch), "mean");
}
END_TEST

RUN("sor", a_trace_is_followed_to_its_digits, reduced_variance_moves_all_that_were_likely,
    the_normaliser_is_exact, an_arm_that_joins_gets_its_share, features_are_chebyshev_polynomials,
    gaps_are_weighted_inversely, a_scale_is_a_number_or_the_mean)
