/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of num.h above exp and log. */
#include "base/num.h"

#include <math.h>

/* Coefficients from the constant up. The three rational functions were fitted for this file to 50
 * digits of the quantile; their errors are below 1e-14 relative. */
struct rational {
	int degree_p, degree_q;
	double p[8], q[7];
};

/* clang-format off */
/* quantile(1/2 + d) / d in d^2, |d| <= 0.42 */
static const struct rational central = {6, 6,
	{2.5066282746310167, -32.9943140442525, 166.750391750581, -401.49893062876345,
	 459.0850214335274, -208.39603100162893, 18.54069511460858},
	{1.0, -14.210024436284561, 79.10157663997244, -216.53597326014122,
	 297.7955232837555, -183.87696285410573, 34.698140513989685}};
/* -quantile(p) in r = sqrt(-2 log p), 2.2475 <= r <= 6.01 */
static const struct rational middle = {6, 5,
	{-2.612638224819438, 26.451172845861645, 58.9715579668273, -22.762995683507512,
	 -31.5386615476903, -5.326254188587586, -0.17458072652992893},
	{1.0, -6.8509939178616355, -41.29550592589167, -32.47226487593698,
	 -5.328611817307183, -0.17457008021480153}};
/* the same for 6 <= r <= 39 */
static const struct rational far = {7, 6,
	{-3.1614285679051446, -7.776343460332059, 2.1055773897336074, 4.39957954143665,
	 1.0600314018781192, 0.07750105742293362, 0.0018055199494106814, 1.043303935882928e-05},
	{1.0, 5.319063937580184, 4.717479117314911, 1.0695984673646808,
	 0.07757418286739047, 0.001805548282976639, 1.0433010994904912e-05}};
/* clang-format on */

static double polynomial(const double *c, int degree, double x)
{
	double v = c[degree];

	while (degree-- > 0) {
		v = v * x + c[degree];
	}
	return v;
}

static double rational(const struct rational *f, double x)
{
	return polynomial(f->p, f->degree_p, x) / polynomial(f->q, f->degree_q, x);
}

static double upper_tail(double p) /* 0 < p <= 0.08 */
{
	double r = sqrt(-2 * num_log(p));

	return rational(r <= 6 ? &middle : &far, r);
}

double num_norm_quantile(double p)
{
	double d = p - 0.5;

	if (fabs(d) <= 0.42) {
		return d * rational(&central, d * d);
	}
	if (p > 0 && p < 1) {
		return d < 0 ? -upper_tail(p) : upper_tail(1 - p);
	}
	return p == 0 ? -HUGE_VAL : p == 1 ? HUGE_VAL : (double)NAN;
}

void num_welford_add(struct num_welford *w, double x)
{
	double before = x - w->mean;

	w->n++;
	w->mean += before / (double)w->n;
	/* Both factors have one sign, or the second is 0: m2 never falls. */
	w->m2 += before * (x - w->mean);
}

double num_welford_variance(const struct num_welford *w)
{
	return w->n < 2 ? 0 : w->m2 / (double)(w->n - 1);
}

void num_sum_add(struct num_sum *s, double x)
{
	double hi = s->hi + x, t = hi - s->hi;
	double lo = ((s->hi - (hi - t)) + (x - t)) + s->lo;

	s->hi = hi + lo;
	s->lo = lo - (s->hi - hi);
}

void num_sum_sub(struct num_sum *s, double x)
{
	num_sum_add(s, -x);
}

double num_sum_value(const struct num_sum *s)
{
	return s->hi;
}
