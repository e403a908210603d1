/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/interval.h"

#include <math.h>

#include "base/num_special.h"

const char *const interval_names[INTERVAL_KINDS] = {[INTERVAL_NORMAL] = "normal",
    [INTERVAL_BOOTSTRAP] = "bootstrap",
    [INTERVAL_BERNSTEIN] = "bernstein",
    [INTERVAL_HOEFFDING] = "hoeffding",
    [INTERVAL_STUDENT] = "student",
    [INTERVAL_CLOPPER_PEARSON] = "clopper-pearson",
    [INTERVAL_CRESSIE_READ] = "cressie-read",
    [INTERVAL_SEQUENCE] = "sequence"};

void interval_add(struct interval_sum *s, double weight, double w, double r)
{
	double all = weight * w;

	for (int side = 0; side < 2 && s->hi > s->lo; side++) {
		double x = all * (side ? s->hi - r : r - s->lo) / (s->hi - s->lo);
		double guess = (s->x[side].hi + 0.5) / (double)(s->rounds + 1);

		num_sum_add(&s->v[side], (x - guess) * (x - guess));
		num_sum_add(&s->x[side], x);
	}
	s->w_min = s->rounds == 0 || all < s->w_min ? all : s->w_min;
	s->w_max = all > s->w_max ? all : s->w_max;
	s->rounds++;
	s->n += weight;
	num_sum_add(&s->w, all);
	num_sum_add(&s->ww, all * all);
	num_sum_add(&s->wr, all * r);
	num_sum_add(&s->wwr, all * all * r);
	num_sum_add(&s->wwrr, all * all * r * r);
	num_sum_add(&s->r, r * weight);
}

void interval_normal(double value, double se, double alpha, double *ret_lo, double *ret_hi)
{
	double z = num_norm_quantile(1 - alpha / 2);

	*ret_lo = value - z * se;
	*ret_hi = value + z * se;
}

void interval_gaussian(const struct interval_sum *s, double alpha, double *ret_lo, double *ret_hi)
{
	double v = (s->wwrr.hi - s->wr.hi * s->wr.hi / s->n) / (s->n - 1);

	interval_normal(s->wr.hi / s->n, v > 0 ? sqrt(v / s->n) : 0, alpha, ret_lo, ret_hi);
}

double interval_bernstein(double variance, double width, double n, double delta)
{
	double l = num_log(2 / delta);

	return 7 * width * l / (3 * (n - 1)) + sqrt(2 * l * variance / (n - 1));
}

double interval_hoeffding(double width, double n, double delta)
{
	return width * sqrt(num_log(1 / delta) / (2 * n));
}

void interval_student(
    double value, double se, double n, double alpha, double *ret_lo, double *ret_hi)
{
	double t = n > 1 ? num_t_quantile(1 - alpha / 2, n - 1) : HUGE_VAL;

	*ret_lo = n > 1 ? value - t * se : -HUGE_VAL;
	*ret_hi = n > 1 ? value + t * se : HUGE_VAL;
}

void interval_clopper_pearson(
    const struct interval_sum *s, double alpha, double *ret_lo, double *ret_hi)
{
	double m = s->n / s->w_max, width = s->hi - s->lo;
	double k = (s->wr.hi - s->lo * s->w.hi) / width / s->w_max;

	k = k < m ? k : m;
	*ret_lo = s->lo;
	*ret_hi = s->hi;
	if (s->w_max > 0 && width > 0) {
		double lo = k > 0 ? num_beta_quantile(alpha / 2, k, m - k + 1) : 0;
		double hi = m > k ? num_beta_quantile(1 - alpha / 2, k + 1, m - k) : 1;

		*ret_lo += width * lo;
		*ret_hi = s->lo + width * hi;
	}
}

double interval_cressie_read_point(const struct interval_sum *s, double w_min, double w_max)
{
	double n = s->n, far = s->w.hi < n ? w_max : w_min, gamma, beta, missing;

	if (isinf(far)) {
		gamma = -(1 + n) / n;
		beta = 0;
	} else {
		double a = (far + s->w.hi) / (1 + n), b = (far * far + s->ww.hi) / (1 + n);

		gamma = a * a != b ? (b - a) / (a * a - b) : -(1 + n) / n;
		beta = a * a != b ? (1 - a) / (a * a - b) : 0;
	}
	missing = 1 - (-gamma * s->w.hi - beta * s->ww.hi) / (1 + n);
	return (-gamma * s->wr.hi - beta * s->wwr.hi) / (1 + n) +
	       (missing > 0 ? missing : 0) * s->r.hi / n;
}

/* The least s * value over the weight that was not seen; HUGE_VAL: none. */
static double candidate(const struct interval_sum *s, double far, double r, double sign, double phi)
{
	double n1 = 1 + s->n, w = s->w.hi, ww = s->ww.hi, wr = s->wr.hi, wwr = s->wwr.hi;
	double x, y, z;

	if (isinf(far)) {
		x = sign * (r + (wr - r * w) / s->n);
		y = (r * w - wr) * (r * w - wr) / (s->n * n1) -
		    (r * r * ww - 2 * r * wwr + s->wwrr.hi) / n1;
		z = phi + 1 / (2 * s->n);
	} else {
		double m1 = (far + w) / n1, m2 = (far * far + ww) / n1;
		double c1 = sign * (far * r + wr) / n1, c2 = sign * (far * far * r + wwr) / n1;
		double c3 = (far * far * r * r + s->wwrr.hi) / n1, d = m2 - m1 * m1;

		if (!(d > 0)) {
			return HUGE_VAL;
		}
		x = c1 + (1 - m1) * (c2 - m1 * c1) / d;
		y = (c2 - m1 * c1) * (c2 - m1 * c1) / d - (c3 - c1 * c1);
		z = phi + (1 - m1) * (1 - m1) / (2 * d);
	}
	return z <= 0 && y * z >= 0 ? x - sqrt(2 * y * z) : HUGE_VAL;
}

static double distance(const struct interval_sum *s, double far)
{
	double a = (far + s->w.hi) / (1 + s->n), b = (far * far + s->ww.hi) / (1 + s->n);

	return isinf(far)  ? 1 + 1 / s->n
	       : b > a * a ? (1 + s->n) * (a - 1) * (a - 1) / (b - a * a)
			   : 0;
}

void interval_cressie_read(const struct interval_sum *s, double w_min, double w_max, double alpha,
    double *ret_lo, double *ret_hi)
{
	double far = s->w.hi < s->n ? w_max : w_min, f = num_f_quantile(1 - alpha, 1, s->n);
	double phi = (-distance(s, far) - f) / (2 * (1 + s->n)), bound[2];

	for (int side = 0; side < 2; side++) {
		double r = side ? s->hi : s->lo, sign = side ? -1 : 1;
		double a = candidate(s, w_min, r, sign, phi), b = candidate(s, w_max, r, sign, phi);
		double v = a < b ? a : b;

		bound[side] = isinf(v) ? r : sign * v;
		bound[side] = bound[side] < s->lo   ? s->lo
			      : bound[side] > s->hi ? s->hi
						    : bound[side];
	}
	*ret_lo = bound[0];
	*ret_hi = bound[1];
}

/* log of the wealth of a gambler against the mean mu, mixed over bets (rho = 1). */
static double log_wealth(double s, double v)
{
	return s + v - (v + 1) * num_log(s + v + 1) + num_lgamma_inc(v + 1, s + v + 1) -
	       num_lgamma_inc(1, 1);
}

static double sequence_lower(const struct interval_sum *s, int side, double alpha)
{
	double t = (double)s->rounds, lo = 0, hi = s->x[side].hi / t, limit = num_log(2 / alpha);

	hi = hi < 1 ? hi : 1;
	if (log_wealth(s->x[side].hi, s->v[side].hi) < limit) {
		return 0;
	}
	for (int i = 0; i < 60; i++) {
		double mid = (lo + hi) / 2;

		if (log_wealth(s->x[side].hi - t * mid, s->v[side].hi) > limit) {
			lo = mid;
		} else {
			hi = mid;
		}
	}
	return lo;
}

void interval_sequence(const struct interval_sum *s, double alpha, double *ret_lo, double *ret_hi)
{
	double width = s->hi - s->lo;

	*ret_lo = s->lo;
	*ret_hi = s->hi;
	if (s->rounds && width > 0) {
		*ret_lo = s->lo + width * sequence_lower(s, 0, alpha);
		*ret_hi = s->hi - width * sequence_lower(s, 1, alpha);
	}
}
