/* SPDX-License-Identifier: Apache-2.0 */
/* Numerics that give the same bits on every machine. Whatever enters state, a draw, a propensity or
 * a digest is computed with + - * / sqrt and the functions here, never with those of libm, whose
 * last bit depends on the processor. They need IEEE doubles, rounding to nearest, and a compiler
 * that does not fuse a multiply with an add (-ffp-contract=off). No state, thread-safe; errno and
 * the floating-point exception flags mean nothing. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/* Each of these is less than 1 ulp from the exact value for every argument, subnormal arguments and
 * results included; NaN gives NaN, and limits are as in C: num_log(0) = -inf, num_log(-1) = NaN,
 * num_exp(800) = inf. num_pow has C's special cases too: pow(x, 0) = pow(1, y) = 1 even for NaN. */
double num_exp(double x);
double num_expm1(double x); /* exp(x) - 1 without the cancellation near 0; keeps the sign of 0 */
double num_log(double x);
double num_log1p(double x); /* log(1 + x), likewise */
double num_pow(double x, double y);

/* exp(x) = *ret_mantissa * 2^(returned), mantissa in [1, 2): no overflow, no underflow. The
 * mantissa is within 1 ulp for |x| <= 2^40. exp(-inf) has mantissa 0 and exponent 0; NaN gives
 * mantissa NaN; other arguments beyond +-2^44, +inf too, count as +-2^44. */
int64_t num_exp_split(double x, double *ret_mantissa);
/* m * 2^e, rounded once. */
double num_ldexp(double m, int64_t e);

/* The x whose standard normal distribution function is p: relative error below 1e-12 for p in
 * (0, 1), subnormal p included; -inf at 0, inf at 1, NaN outside. quantile(1 - p) is exactly
 * -quantile(p) where 1 - p is exact, and quantile(0.5) is 0. */
double num_norm_quantile(double p);

/* Mean and variance in one pass (Welford). Zero it to start; every field may be read. */
struct num_welford {
	uint64_t n;
	double mean, m2; /* m2: sum of squared deviations from the mean, never negative */
};

void num_welford_add(struct num_welford *w, double x);
double num_welford_variance(const struct num_welford *w); /* divides by n - 1; 0 while n < 2 */

/* A sum of two doubles: the error after n operations is about n 2^-104 of the largest value it ever
 * had, so adding and later subtracting a term leaves nothing behind worth naming. Zero it to start.
 * Finite terms only. hi is the sum rounded. */
struct num_sum {
	double hi, lo;
};

void num_sum_add(struct num_sum *s, double x);
void num_sum_sub(struct num_sum *s, double x);
double num_sum_value(const struct num_sum *s);

#endif
