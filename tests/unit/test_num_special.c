/* SPDX-License-Identifier: Apache-2.0 */
/* Special functions against values known in closed form or from tables. */
#include "test.h"

#include "base/num_special.h"

static void near(double got, double want, double relative)
{
	ck_assert_msg(
	    fabs(got - want) <= relative * (0.1 + fabs(want)), "%.17g, not %.17g", got, want);
}

START_TEST(the_gamma_function_is_known_at_whole_and_half_numbers)
{
	near(num_lgamma(0.5), 0.57236494292470008707, 1e-14);
	near(num_lgamma(5), 3.1780538303479456196, 1e-14); /* log 24 */
	near(num_lgamma(101), 363.73937555556349014, 1e-14);
	ck_assert(fabs(num_lgamma(1)) < 1e-14 && fabs(num_lgamma(2)) < 1e-14);
	ck_assert(isnan(num_lgamma(0)) && isnan(num_lgamma(-1)));
}
END_TEST

START_TEST(the_incomplete_gamma_function_of_one_is_an_exponential)
{
	for (double x = 0.01; x < 30; x *= 1.7) {
		near(num_lgamma_inc(1, x), log(-expm1(-x)), 1e-12);
	}
	near(num_lgamma_inc(0.5, 1), log(1.4936482656248540508), 1e-12); /* sqrt(pi) erf(1) */
	ck_assert(num_lgamma_inc(2, 0) == -HUGE_VAL);
}
END_TEST

START_TEST(the_beta_function_has_its_closed_forms)
{
	for (double x = 0.05; x < 1; x += 0.05) {
		near(num_beta_inc(1, 1, x), x, 1e-13);
		near(num_beta_inc(3, 1, x), x * x * x, 1e-13);
		near(num_beta_inc(2, 3, x), x * x * (6 - 8 * x + 3 * x * x), 1e-13);
		near(num_beta_inc(0.5, 0.5, x), 2 / acos(-1) * asin(sqrt(x)), 1e-13);
	}
	ck_assert(num_beta_inc(2, 3, 0) == 0 && num_beta_inc(2, 3, 1) == 1);
	ck_assert(isnan(num_beta_inc(0, 1, 0.5)) && isnan(num_beta_inc(1, 1, 1.5)));
}
END_TEST

START_TEST(a_quantile_undoes_its_distribution)
{
	static const double shapes[] = {0.17, 0.5, 1, 3, 40, 900, 20000};

	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 7; j++) {
			for (double p = 0.025; p < 1; p += 0.19) {
				double a = shapes[i], b = shapes[j];
				double x = num_beta_quantile(p, a, b);

				/* Near 1 the distance to the next double is what limits. */
				ck_assert(x >= 0 && x <= 1);
				ck_assert(
				    x > 0.999999 || fabs(num_beta_inc(a, b, x) - p) < 1e-9 * p);
			}
		}
	}
	ck_assert(num_beta_quantile(0, 2, 2) == 0 && num_beta_quantile(1, 2, 2) == 1);
	ck_assert(isnan(num_beta_quantile(2, 2, 2)));
}
END_TEST

START_TEST(tables_agree)
{
	near(num_f_quantile(0.95, 1, 10), 4.9646027437307128, 1e-12);
	near(num_f_quantile(0.95, 1, 1e8), 3.84145891, 1e-7); /* 1.95996398^2 */
	near(num_t_quantile(0.975, 10), 2.2281388519862744, 1e-12);
	near(num_t_quantile(0.025, 4), -2.7764451051977987, 1e-12);
	near(num_beta_quantile(0.025, 5, 6), 0.18708602844739, 1e-11);
}
END_TEST

RUN("num_special", the_gamma_function_is_known_at_whole_and_half_numbers,
    the_incomplete_gamma_function_of_one_is_an_exponential, the_beta_function_has_its_closed_forms,
    a_quantile_undoes_its_distribution, tables_agree)
