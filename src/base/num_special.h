/* SPDX-License-Identifier: Apache-2.0 */
/* Special functions and quantiles for intervals. Built on num.h, so they give the same bits on
 * every machine; within about 1e-12 of the exact value, relative, for parameters up to 1e4, growing
 * with the parameter beyond. No state, thread-safe. Arguments outside give NaN. */
#ifndef BASE_NUM_SPECIAL_H
#define BASE_NUM_SPECIAL_H

/* log of the gamma function, x > 0. */
double num_lgamma(double x);
/* log of the lower incomplete gamma function, the integral of t^(a-1) e^-t from 0 to x. a > 0,
 * x >= 0; -inf at 0. */
double num_lgamma_inc(double a, double x);
/* The regularised incomplete beta function I_x(a, b): the distribution function of Beta(a, b).
 * a, b > 0, x in [0, 1]. */
double num_beta_inc(double a, double b, double x);
/* The x with I_x(a, b) = p, p in [0, 1]. */
double num_beta_quantile(double p, double a, double b);
/* Of the F distribution with d1 and d2 degrees of freedom, p in [0, 1). */
double num_f_quantile(double p, double d1, double d2);
/* Of Student's t with d degrees of freedom, p in (0, 1). */
double num_t_quantile(double p, double d);

#endif
