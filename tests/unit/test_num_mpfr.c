/* SPDX-License-Identifier: Apache-2.0 */
/* num against MPFR with 200 bits: the error in units of the last place. */
#include <float.h>
#include <math.h>
#include <mpfr.h>

#include "base/num.h"
#include "base/rng.h"
#include "test.h"

#define DRAWS 60000
#define ORACLE_BITS 200
#define LIMIT_ULP 1.0

typedef double one_fn(double x);
typedef int oracle_fn(mpfr_ptr ret, mpfr_srcptr x, mpfr_rnd_t mode);

static mpfr_t arg, arg2, exact, diff;

static void oracle_init(void)
{
	mpfr_inits2(DBL_MANT_DIG, arg, arg2, (mpfr_ptr)NULL);
	mpfr_inits2(ORACLE_BITS, exact, diff, (mpfr_ptr)NULL);
	mpfr_set_emin(mpfr_get_emin_min());
	mpfr_set_emax(mpfr_get_emax_max());
}

/* Distance from `exact`, in ulps of the double nearest to it; huge when the kinds differ. */
static double error_ulp(double got)
{
	double want = mpfr_get_d(exact, MPFR_RNDN);
	int e;

	if (isnan(want) || isnan(got)) {
		return isnan(want) && isnan(got) ? 0 : HUGE_VAL;
	}
	if (isinf(want) || isinf(got)) {
		/* Next to the limit either side of it is less than 1 ulp away. */
		double other = isinf(want) ? got : want;

		return want == got ? 0 : fabs(other) == DBL_MAX ? 0.99 : HUGE_VAL;
	}
	frexp(want, &e);
	e = e < DBL_MIN_EXP ? DBL_MIN_EXP : e;
	mpfr_sub_d(diff, exact, got, MPFR_RNDN);
	mpfr_mul_2si(diff, diff, DBL_MANT_DIG - e, MPFR_RNDN);
	return fabs(mpfr_get_d(diff, MPFR_RNDN));
}

static double any_double(struct rng *r)
{
	return test_of_bits(rng_u64(r));
}

static double between(struct rng *r, double low, double high)
{
	return low + (high - low) * rng_uniform(r);
}

static double near_one(struct rng *r)
{
	return 1 + between(r, -0.5, 0.5) * ldexp(1, -(int)rng_below(r, 52));
}

static const double edges[] = {0.0, -0.0, 1, -1, 0.5, 2, 3, -3, 1e-300, -1e-300, 0x1p-1074,
    -0x1p-1074, DBL_MIN, -DBL_MIN, DBL_MAX, -DBL_MAX, HUGE_VAL, -HUGE_VAL, 709.782712893384,
    709.7827128933841, -708.4, -745.1332191019411, -745.1332191019412, 0x1p-53, -0x1p-53, -0x1p-54,
    0x1p53, 1 - 0x1p-53, 1 + 0x1p-52, 0x1.6ap0, 0x1.6cp0, 0x1.04p0, 0x1.fcp-1,
    0x1.62e42fefa39efp-7};
#define EDGES (sizeof(edges) / sizeof(edges[0]))

static double worst_of(one_fn *fn, oracle_fn *oracle, double low, double high)
{
	struct rng r = rng_at(1, 2, RNG_TEST);
	double worst = 0;

	for (int i = 0; i < 4 * DRAWS; i++) {
		double x = i < (int)EDGES ? edges[i]
			   : i % 4 == 0   ? any_double(&r)
			   : i % 4 == 1   ? near_one(&r)
			   : i % 4 == 2   ? between(&r, low, high)
					  : between(&r, -0.03, 0.03);
		double e;

		mpfr_set_d(arg, x, MPFR_RNDN);
		oracle(exact, arg, MPFR_RNDN);
		e = error_ulp(fn(x));
		ck_assert_msg(e < LIMIT_ULP, "%.3f ulp at %a", e, x);
		worst = e > worst ? e : worst;
	}
	return worst;
}

START_TEST(exp_is_within_one_ulp)
{
	oracle_init();
	ck_assert_double_lt(worst_of(num_exp, mpfr_exp, -746, 710), 0.76);
}
END_TEST

START_TEST(expm1_is_within_one_ulp)
{
	oracle_init();
	ck_assert_double_lt(worst_of(num_expm1, mpfr_expm1, -40, 710), 0.56);
}
END_TEST

START_TEST(log_is_within_one_ulp)
{
	oracle_init();
	ck_assert_double_lt(worst_of(num_log, mpfr_log, 0, 2), 0.53);
}
END_TEST

START_TEST(log1p_is_within_one_ulp)
{
	oracle_init();
	ck_assert_double_lt(worst_of(num_log1p, mpfr_log1p, -1, 2), 0.53);
}
END_TEST

static void check_pow(double x, double y)
{
	double e, limit;

	mpfr_set_d(arg, x, MPFR_RNDN);
	mpfr_set_d(arg2, y, MPFR_RNDN);
	mpfr_pow(exact, arg, arg2, MPFR_RNDN);
	e = error_ulp(num_pow(x, y));
	limit = fabs(num_pow(x, y)) < DBL_MIN ? 0.8 : 0.65; /* a subnormal is rounded twice */
	ck_assert_msg(e < limit, "%.3f ulp at %a ^ %a", e, x, y);
}

START_TEST(pow_is_within_one_ulp)
{
	struct rng r = rng_at(3, 4, RNG_TEST);

	oracle_init();
	for (int i = 0; i < DRAWS; i++) {
		double x = fabs(any_double(&r)), y = between(&r, -746, 746), z = near_one(&r);

		check_pow(x, y / log(x));
		check_pow(z, y / log(z));
		check_pow(any_double(&r), any_double(&r));
		check_pow(-floor(between(&r, 0, 100)), floor(y));
	}
	for (size_t i = 0; i < EDGES * EDGES; i++) {
		check_pow(edges[i / EDGES], edges[i % EDGES]);
	}
}
END_TEST

START_TEST(a_split_exp_is_within_one_ulp_to_2_to_the_40)
{
	struct rng r = rng_at(5, 6, RNG_TEST);

	oracle_init();
	for (int i = 0; i < 2 * DRAWS; i++) {
		double x = between(&r, -1, 1) * ldexp(1, (int)rng_below(&r, 51) - 10), m, e;
		int64_t exponent = num_exp_split(x, &m);

		ck_assert(m >= 1 && m < 2);
		mpfr_set_d(arg, x, MPFR_RNDN);
		mpfr_exp(exact, arg, MPFR_RNDN);
		mpfr_mul_2si(exact, exact, -exponent, MPFR_RNDN);
		e = error_ulp(m);
		ck_assert_msg(e < LIMIT_ULP, "%.3f ulp at %a", e, x);
	}
}
END_TEST

/* Phi(x) - p over the density, relative to x: one Newton step measures the error. */
static double quantile_error(double p)
{
	double x = num_norm_quantile(p), tail = p < 0.5 ? p : 1 - p, phi;

	mpfr_set_d(exact, fabs(x), MPFR_RNDN);
	mpfr_set_d(diff, 0.5, MPFR_RNDN);
	mpfr_sqrt(diff, diff, MPFR_RNDN);
	mpfr_mul(exact, exact, diff, MPFR_RNDN);
	mpfr_erfc(exact, exact, MPFR_RNDN);
	mpfr_div_2ui(exact, exact, 1, MPFR_RNDN);
	phi = mpfr_get_d(exact, MPFR_RNDN);
	mpfr_div_d(exact, exact, tail, MPFR_RNDN);
	mpfr_sub_ui(exact, exact, 1, MPFR_RNDN);
	/* tail / density(x): from the density near the middle, Mills' ratio 1/x far out. */
	double mills = fabs(x) > 30 ? 1 / fabs(x) : phi * sqrt(2 * M_PI) * exp(x * x / 2);

	return fabs(mpfr_get_d(exact, MPFR_RNDN) * mills / x);
}

START_TEST(the_normal_quantile_is_within_1e_12)
{
	struct rng r = rng_at(7, 8, RNG_TEST);

	oracle_init();
	for (int i = 0; i < DRAWS / 4; i++) {
		double p[] = {rng_uniform(&r),
		    ldexp(1 - rng_uniform(&r) / 2, -(int)rng_below(&r, 1074)),
		    0.5 + between(&r, -0.5, 0.5) * ldexp(1, -(int)rng_below(&r, 50))};

		for (int k = 0; k < 3; k++) {
			if (p[k] > 0 && p[k] < 1 && p[k] != 0.5) {
				double e = quantile_error(p[k]);

				ck_assert_msg(e < 1e-13, "%g at %a", e, p[k]);
			}
		}
	}
}
END_TEST

RUN("num_mpfr", exp_is_within_one_ulp, expm1_is_within_one_ulp, log_is_within_one_ulp,
    log1p_is_within_one_ulp, pow_is_within_one_ulp, a_split_exp_is_within_one_ulp_to_2_to_the_40,
    the_normal_quantile_is_within_1e_12)
