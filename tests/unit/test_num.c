/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>

#include "base/num.h"
#include "test.h"

static double pow_golden(double x)
{
	return num_pow(x < 0 ? -x : x, x * 0.75);
}

static double split_golden(double x)
{
	double m;

	num_exp_split(x * 1000, &m);
	return m;
}

static double (*const functions[])(double) = {
    num_exp, num_expm1, num_log, num_log1p, pow_golden, split_golden, num_norm_quantile};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static const double arguments[] = {0.25, 0.9999, 1.0078125, 3.5, 41.75, -0.03, -12.5, 1e-9};
#define ARGUMENTS (sizeof(arguments) / sizeof(arguments[0]))

/* clang-format off */
static const uint64_t golden[FUNCTIONS][ARGUMENTS] = {
	{ /* exp */
		0x3ff48b5e3c3e8186, 0x4005be7c08be145b, 0x4005eab43b4cd425, 0x40408ec721396bdb,
		0x43b2cc52da85ca15, 0x3fef0de3caa47bcf, 0x3ecf42ed3f68e690, 0x3ff000000044b830,
	},
	{ /* expm1 */
		0x3fd22d78f0fa061a, 0x3ffb7cf8117c28b6, 0x3ffbd5687699a84a, 0x40400ec721396bdb,
		0x43b2cc52da85ca15, 0xbf9e4386ab708619, 0xbfeffff82f44b026, 0x3e112e0be84bbb51,
	},
	{ /* log */
		0xbff62e42fefa39ef, 0xbf1a3738d2cf1cc2, 0x3f7fe02a6b106789, 0x3ff40b512eb53d60,
		0x400dda853dee91c6, 0x7ff8000000000000, 0x7ff8000000000000, 0xc034b927f32bffb8,
	},
	{ /* log1p */
		0x3fcc8ff7c79a9a22, 0x3fe62dda22c2bf90, 0x3fe64e33099ceafb, 0x3ff810b375dce91e,
		0x400e0aff0134993f, 0xbf9f30b2d0091d82, 0x7ff8000000000000, 0x3e112e0be801f1d9,
	},
	{ /* pow(|x|, 3x/4) */
		0x3fe8ace5422aa0db, 0x3fefff62ba3466cf, 0x3ff0182a1d286474, 0x403acd7e08d86157,
		0x4a77df33ef191c92, 0x3ff150413b0e0e6c, 0x3dcc9e31b48149e3, 0x3feffffff7a7dcaf,
	},
	{ /* mantissa of exp(1000 x) */
		0x3ff9860afea3876d, 0x3ff7701a30cf5682, 0x3fff41ba667bdc0e, 0x3ff59863488864a7,
		0x3ff6e92b6bb83db4, 0x3ffa56e0c2ac7f75, 0x3ff3dcd90c0e6429, 0x3ff000010c6f82d7,
	},
	{ /* norm_quantile */
		0xbfe5956b87528a6a, 0x400dc08bb7128972, 0x7ff8000000000000, 0x7ff8000000000000,
		0x7ff8000000000000, 0x7ff8000000000000, 0x7ff8000000000000, 0xc017fdc11f44b5ae,
	},
};

/* Of 100 000 arguments of all sizes. */
static const uint64_t golden_digest[FUNCTIONS] = {
	0x05addf60f2bb72ce, 0x255c907d87f9240f, 0x172ecbf1d0bd5afd, 0xcde4dd1f0cdcbe13,
	0x1c31f0c0c248d319, 0x6d0342f2d18c7ee8, 0x4cf464a39ab3d81b,
};
/* clang-format on */

static uint64_t bits_as_found(double x)
{
	return x != x ? UINT64_C(0x7ff8000000000000) : test_bits(x);
}

START_TEST(every_machine_has_the_golden_bits)
{
	for (size_t f = 0; f < FUNCTIONS; f++) {
		for (size_t i = 0; i < ARGUMENTS; i++) {
			uint64_t got = bits_as_found(functions[f](arguments[i]));

			ck_assert_msg(got == golden[f][i], "function %zu argument %zu: 0x%016jx", f,
			    i, (uintmax_t)got);
		}
	}
}
END_TEST

START_TEST(every_machine_has_the_golden_digest)
{
	for (size_t f = 0; f < FUNCTIONS; f++) {
		uint64_t digest = UINT64_C(0xcbf29ce484222325), state = 1;

		for (int i = 0; i < 100000; i++) {
			state =
			    state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			/* Either any bit pattern, or a value of everyday size. */
			double x = i % 2 ? test_of_bits(state)
					 : (double)(int64_t)(state >> 3) * 0x1p-58 - 4;

			digest = test_mix(digest, functions[f](x));
		}
		ck_assert_msg(
		    digest == golden_digest[f], "function %zu: 0x%016jx", f, (uintmax_t)digest);
	}
}
END_TEST

START_TEST(limits_are_as_in_c)
{
	ck_assert_double_eq(num_exp(0), 1);
	ck_assert_double_eq(num_exp(-HUGE_VAL), 0);
	ck_assert_double_eq(num_exp(-746), 0);
	ck_assert_double_eq(num_exp(-745), 0x1p-1074);
	ck_assert_double_eq(num_exp(710), HUGE_VAL);
	ck_assert_double_eq(num_exp(HUGE_VAL), HUGE_VAL);
	ck_assert_double_eq(num_expm1(-HUGE_VAL), -1);
	ck_assert_double_eq(num_expm1(HUGE_VAL), HUGE_VAL);
	ck_assert_double_eq(num_log(0), -HUGE_VAL);
	ck_assert_double_eq(num_log(-0.0), -HUGE_VAL);
	ck_assert_double_eq(num_log(1), 0);
	ck_assert_double_eq(num_log(HUGE_VAL), HUGE_VAL);
	ck_assert_double_eq(num_log1p(-1), -HUGE_VAL);
	ck_assert_double_nan(num_log(-1));
	ck_assert_double_nan(num_log1p(-1.5));
	ck_assert_double_nan(num_log(-HUGE_VAL));
	ck_assert(signbit(num_expm1(-0.0)) && signbit(num_log1p(-0.0)) && !signbit(num_log(1)));
	for (size_t f = 0; f < FUNCTIONS; f++) {
		ck_assert_double_nan(functions[f]((double)NAN));
	}
}
END_TEST

START_TEST(pow_has_the_special_cases_of_c)
{
	static const double v[] = {0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 2.5, 0x1p53, -0x1p60,
	    0x1p-1074, DBL_MAX, -DBL_MAX, HUGE_VAL, -HUGE_VAL, (double)NAN};
	size_t n = sizeof(v) / sizeof(v[0]);

	for (size_t i = 0; i < n * n; i++) {
		double x = v[i / n], y = v[i % n], got = num_pow(x, y), want = pow(x, y);
		double apart = isfinite(want) ? fabs(got - want) : 0;

		ck_assert_msg(bits_as_found(got) == bits_as_found(want) ||
				  (apart > 0 && apart <= fabs(want) * 0x1p-52),
		    "%a ^ %a = %a, not %a", x, y, want, got);
	}
}
END_TEST

START_TEST(a_split_exp_has_no_limits)
{
	double m;

	ck_assert_int_eq(num_exp_split(0, &m), 0);
	ck_assert_double_eq(m, 1);
	ck_assert_int_eq(num_exp_split(-HUGE_VAL, &m), 0);
	ck_assert_double_eq(m, 0);
	num_exp_split((double)NAN, &m);
	ck_assert_double_nan(m);
	ck_assert_int_eq(num_exp_split(1e300, &m), num_exp_split(0x1p44, &m));
	ck_assert_int_gt(num_exp_split(1e12, &m), 1000000000000);
	ck_assert_int_lt(num_exp_split(-1e12, &m), -1000000000000);
	ck_assert(m >= 1 && m < 2);
	int64_t e = num_exp_split(5.5, &m);

	ck_assert_double_eq(num_ldexp(m, e), num_exp(5.5));
}
END_TEST

START_TEST(ldexp_agrees_with_libm)
{
	static const double m[] = {1, -1.75, 0x1.fffffffffffffp0, 0x1.0000000000001p-1022,
	    0x1p-1074, 0x1.8p-1073, DBL_MAX, 0, -0.0, HUGE_VAL};

	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		for (int e = -2300; e < 2300; e++) {
			ck_assert_uint_eq(test_bits(num_ldexp(m[i], e)), test_bits(ldexp(m[i], e)));
		}
	}
	ck_assert_double_eq(num_ldexp(1, INT64_MIN), 0);
	ck_assert_double_eq(num_ldexp(1, INT64_MAX), HUGE_VAL);
}
END_TEST

START_TEST(the_normal_quantile_is_odd_and_rises)
{
	double before = -HUGE_VAL;

	ck_assert_double_eq(num_norm_quantile(0.5), 0);
	ck_assert_double_eq(num_norm_quantile(0), -HUGE_VAL);
	ck_assert_double_eq(num_norm_quantile(1), HUGE_VAL);
	ck_assert_double_nan(num_norm_quantile(-0.1));
	ck_assert_double_nan(num_norm_quantile(1.1));
	ck_assert_double_eq_tol(num_norm_quantile(0.975), 1.9599639845400542, 1e-13);
	for (int i = 1; i < 4096; i++) {
		double p = i / 4096.0, x = num_norm_quantile(p);

		ck_assert_double_gt(x, before);
		ck_assert_double_eq(num_norm_quantile(1 - p), -x);
		before = x;
	}
}
END_TEST

START_TEST(welford_survives_a_large_mean)
{
	struct num_welford w = {0};

	ck_assert_double_eq(num_welford_variance(&w), 0);
	for (int i = 0; i < 1000; i++) {
		num_welford_add(&w, 1e9 + i % 4);
	}
	ck_assert_double_eq_tol(w.mean, 1e9 + 1.5, 1e-6);
	ck_assert_double_eq_tol(num_welford_variance(&w), 1.25 * 1000 / 999, 1e-6);
}
END_TEST

START_TEST(a_compensated_sum_forgets_what_was_taken_back)
{
	struct num_sum s = {0};

	num_sum_add(&s, 1);
	for (int i = 0; i < 1000; i++) {
		num_sum_add(&s, 1e15 + 0.1 * i);
	}
	for (int i = 0; i < 1000; i++) {
		num_sum_sub(&s, 1e15 + 0.1 * i);
	}
	ck_assert_double_eq_tol(num_sum_value(&s), 1, 1e-10);
	s = (struct num_sum){0};
	for (int i = 0; i < 1000000; i++) {
		num_sum_add(&s, 0.1);
	}
	ck_assert_double_eq(num_sum_value(&s), 100000.00000000000555);
}
END_TEST

RUN("num", every_machine_has_the_golden_bits, every_machine_has_the_golden_digest,
    limits_are_as_in_c, pow_has_the_special_cases_of_c, a_split_exp_has_no_limits,
    ldexp_agrees_with_libm, the_normal_quantile_is_odd_and_rises, welford_survives_a_large_mean,
    a_compensated_sum_forgets_what_was_taken_back)
