/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num_special.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"

#define HALF_LOG_2PI 0.91893853320467274178
#define STEPS_MAX 10000000 /* the series need some 6 sqrt(a) terms */
#define TINY 1e-300

/* Stirling's series from 16 up, where its first omitted term is below 1e-17; the recurrence
 * below. */
double num_lgamma(double x)
{
	static const double c[] = {
	    1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156};
	double product = 1, r, sum = 0;

	if (!(x > 0)) {
		return (double)NAN;
	}
	for (; x < 16; x++) {
		product *= x;
	}
	r = 1 / (x * x);
	for (int i = 6; i >= 0; i--) {
		sum = sum * r + c[i];
	}
	return (x - 0.5) * num_log(x) - x + HALF_LOG_2PI + sum / x - num_log(product);
}

/* The upper function's continued fraction by Lentz's method: Q e^x x^-a, for x > a + 1. */
static double gamma_fraction(double a, double x)
{
	double b = x + 1 - a, c = 1 / TINY, d = 1 / b, h = d, step = 0;

	for (int i = 1; i < STEPS_MAX && fabs(step - 1) > DBL_EPSILON; i++) {
		double an = -i * (i - a);

		b += 2;
		d = an * d + b;
		d = 1 / (fabs(d) < TINY ? TINY : d);
		c = b + an / c;
		c = fabs(c) < TINY ? TINY : c;
		step = c * d;
		h *= step;
	}
	return h;
}

double num_lgamma_inc(double a, double x)
{
	double term = 1, sum = 1, front;

	if (!(a > 0) || !(x >= 0)) {
		return (double)NAN;
	}
	front = a * num_log(x) - x;
	if (x > a + 1) {
		double all = num_lgamma(a);

		return all + num_log1p(-num_exp(front - all) * gamma_fraction(a, x));
	}
	for (int i = 1; i < STEPS_MAX && term > sum * DBL_EPSILON / 4; i++) {
		term *= x / (a + i);
		sum += term;
	}
	return front + num_log(sum / a);
}

/* The continued fraction of I_x(a, b), good for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 - (a + b) * x / (a + 1), h, step = 0;

	d = 1 / (fabs(d) < TINY ? TINY : d);
	h = d;
	for (int m = 1; m < STEPS_MAX && fabs(step - 1) > DBL_EPSILON; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

		d = 1 + even * d;
		d = 1 / (fabs(d) < TINY ? TINY : d);
		c = 1 + even / c;
		c = fabs(c) < TINY ? TINY : c;
		h *= c * d;
		d = 1 + odd * d;
		d = 1 / (fabs(d) < TINY ? TINY : d);
		c = 1 + odd / c;
		c = fabs(c) < TINY ? TINY : c;
		step = c * d;
		h *= step;
	}
	return h;
}

double num_beta_inc(double a, double b, double x)
{
	double front;

	if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1)) {
		return (double)NAN;
	}
	if (x == 0 || x == 1) {
		return x;
	}
	front = num_exp(
	    num_lgamma(a + b) - num_lgamma(a) - num_lgamma(b) + a * num_log(x) + b * num_log1p(-x));
	return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
					 : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* Bisection over the doubles themselves: 62 steps find the last bit also of 1e-200. */
static double beta_bisect(double p, double a, double b)
{
	uint64_t lo = 0, hi, mid;
	double x = 0.5;

	memcpy(&hi, &x, sizeof(hi));
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		memcpy(&x, &mid, sizeof(x));
		if (num_beta_inc(a, b, x) < p) {
			lo = mid;
		} else {
			hi = mid;
		}
	}
	memcpy(&x, &hi, sizeof(x));
	return x;
}

double num_beta_quantile(double p, double a, double b)
{
	if (!(a > 0) || !(b > 0) || !(p >= 0 && p <= 1)) {
		return (double)NAN;
	}
	if (p == 0 || p == 1) {
		return p;
	}
	/* The half it lies in, so that what is close to 1 is found by its distance from 1. */
	return num_beta_inc(a, b, 0.5) >= p ? beta_bisect(p, a, b) : 1 - beta_bisect(1 - p, b, a);
}

double num_f_quantile(double p, double d1, double d2)
{
	double y = num_beta_quantile(1 - p, d2 / 2, d1 / 2); /* 1 - x, exact where x is near 1 */
	double x = num_beta_quantile(p, d1 / 2, d2 / 2);

	return d2 * x / (d1 * (x > 0.5 ? y : 1 - x));
}

double num_t_quantile(double p, double d)
{
	double f;

	if (!(p > 0 && p < 1)) {
		return (double)NAN;
	}
	f = num_f_quantile(p < 0.5 ? 1 - 2 * p : 2 * p - 1, 1, d);
	return p < 0.5 ? -sqrt(f) : sqrt(f);
}
