/* SPDX-License-Identifier: Apache-2.0 */
/* Special functions against the GNU Scientific Library, an oracle for this test alone. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_gamma.h>

#include "base/num_special.h"
#include "base/rng.h"
#include "test.h"

#define DRAWS 5000

static double shape(struct rng *r)
{
	return exp(-3 + 11 * rng_uniform(r)); /* 0.05 to 3000 */
}

static void near(double got, double want, double relative, double a, double b, double x)
{
	ck_assert_msg(fabs(got - want) <= relative * (0.1 + fabs(want)),
	    "%.17g, not %.17g, at (%g, %g, %g)", got, want, a, b, x);
}

START_TEST(functions_agree)
{
	struct rng r = rng_at(1, 1, RNG_TEST);

	gsl_set_error_handler_off();
	for (int i = 0; i < DRAWS; i++) {
		double a = shape(&r), b = shape(&r), u = rng_uniform(&r), x = a * (0.5 + u);
		double p = gsl_sf_gamma_inc_P(a, x);

		near(num_lgamma(a), gsl_sf_lngamma(a), 1e-12, a, 0, 0);
		near(num_beta_inc(a, b, u), gsl_cdf_beta_P(u, a, b), 1e-9, a, b, u);
		if (p > 1e-200) {
			near(num_lgamma_inc(a, x), log(p) + gsl_sf_lngamma(a), 1e-9, a, 0, x);
		}
	}
}
END_TEST

START_TEST(quantiles_agree)
{
	struct rng r = rng_at(2, 1, RNG_TEST);

	gsl_set_error_handler_off();
	for (int i = 0; i < DRAWS / 5; i++) {
		double a = 0.5 + shape(&r), b = 0.5 + shape(&r),
		       p = 0.001 + 0.998 * rng_uniform(&r);
		double x = num_beta_quantile(p, a, b), f = num_f_quantile(p, a, b);

		/* Put back into GSL's distribution: its own quantile iterates less far. */
		near(gsl_cdf_beta_P(x, a, b), p, 1e-8, a, b, p);
		near(gsl_cdf_fdist_P(f, a, b), p, 1e-8, a, b, p);
		near(gsl_cdf_tdist_P(num_t_quantile(p, a), a), p, 1e-8, a, 0, p);
	}
}
END_TEST

RUN("num_gsl", functions_agree, quantiles_agree)
