/* SPDX-License-Identifier: Apache-2.0 */
/* exp: x = (32 n + j) ln2/32 + r, exp(x) = 2^n 2^(j/32) exp(r), the middle factor from a table with
 * its rounding error, the last by its series. log: x = 2^n m, m times a tabled short reciprocal is
 * 1 + r, log(x) = n ln2 - log(reciprocal) + log(1 + r). What the tables and the reduction lose is
 * carried in a second double, so the last addition makes nearly all of the error. */
#include "base/num.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/num_table.h"

_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be evaluated as doubles");

#define ROUNDER 0x1.8p52        /* adding it rounds to a whole number, kept in the low bits */
#define SPLITTER 0x1.0000002p27 /* 2^27 + 1 */
#define EXP_BIAS 1023
#define MANTISSA_BITS 52
#define ONE_BITS UINT64_C(0x3ff0000000000000)
#define MANTISSA_MASK UINT64_C(0x000fffffffffffff)

static inline uint64_t bits_of(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	return u;
}

static inline double of_bits(uint64_t u)
{
	double x;

	memcpy(&x, &u, sizeof(x));
	return x;
}

static inline double power_of_two(int64_t n) /* -1022 .. 1023 */
{
	return of_bits((uint64_t)(n + EXP_BIAS) << MANTISSA_BITS);
}

/* A value that is the unevaluated sum of two doubles. */
struct dd {
	double hi, lo;
};

static inline struct dd two_sum(double a, double b)
{
	double s = a + b, t = s - a;

	return (struct dd){s, (a - (s - t)) + (b - t)};
}

static inline struct dd quick_sum(double a, double b) /* |a| >= |b| or a = 0 */
{
	double s = a + b;

	return (struct dd){s, b - (s - a)};
}

/* Exact without fma: each factor is cut into halves whose products fit (Veltkamp, Dekker). */
static inline struct dd two_product(double a, double b)
{
	double ca = SPLITTER * a, cb = SPLITTER * b;
	double ah = ca - (ca - a), bh = cb - (cb - b);
	double al = a - ah, bl = b - bh, p = a * b;

	return (struct dd){p, al * bl - (((p - ah * bh) - al * bh) - ah * bl)};
}

double num_ldexp(double m, int64_t e)
{
	if (m == 0 || !isfinite(m)) {
		return m;
	}
	if (fabs(m) < DBL_MIN) {
		m *= 0x1p54;
		e = e < -5000 ? -5000 : e - 54;
	}
	e = e < -5000 ? -5000 : e > 5000 ? 5000 : e;
	e += (int64_t)(bits_of(m) >> MANTISSA_BITS & 0x7ff) - EXP_BIAS;
	m = of_bits((bits_of(m) & ~(UINT64_C(0x7ff) << MANTISSA_BITS)) | ONE_BITS);
	if (e > 1023) {
		return m * 0x1p1023 * 2;
	}
	if (e >= -1022) {
		return m * power_of_two(e);
	}
	/* The first factor loses nothing, so what is subnormal is rounded only once. */
	return m * power_of_two(e + 1022 < -100 ? -100 : e + 1022) * 0x1p-1022;
}

/* x = k ln2/32 + r + tail, |r| <= ln2/64 (a hair more), k in [-2^51, 2^51]. */
struct exp_arg {
	double r, tail;
	int64_t k;
};

static inline struct exp_arg exp_reduce(double x) /* |x| < 2^10 */
{
	double shifted = x * STEP_INV + ROUNDER, k = shifted - ROUNDER;
	double a = x - k * STEP_HI, b = k * STEP_LO, r = a - b;

	return (struct exp_arg){r, (a - r) - b, (int32_t)(uint32_t)bits_of(shifted)};
}

static struct exp_arg exp_reduce_far(double x) /* |x| <= 2^44 */
{
	double k = (x * STEP_INV + ROUNDER) - ROUNDER;
	struct dd p = two_product(k, STEP_1);
	struct dd r = two_sum(x - p.hi, -p.lo), sum = quick_sum(r.hi, r.lo - k * STEP_2);

	return (struct exp_arg){sum.hi, sum.lo, (int64_t)k};
}

static inline double exp_series(double r) /* exp(r) - 1 - r, relative to r good to 2^-60 */
{
	double r2 = r * r;

	return r2 * ((0.5 + r * (1.0 / 6)) +
			r2 * ((1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040))));
}

/* 2^(j/32) exp(r + tail), in (0.98, 2) */
static inline double exp_fraction(struct exp_arg a)
{
	double hi = exp_table[a.k & 31].hi, lo = exp_table[a.k & 31].lo;

	return hi + (lo + hi * (a.r + (exp_series(a.r) + a.tail)));
}

double num_exp(double x)
{
	if (fabs(x) < 708) {
		struct exp_arg a = exp_reduce(x);

		return exp_fraction(a) * power_of_two(a.k >> 5);
	}
	if (!(x > -746)) {
		return x != x ? x : 0;
	}
	if (x > 710) {
		return HUGE_VAL;
	}
	struct exp_arg a = exp_reduce(x);

	return num_ldexp(exp_fraction(a), a.k >> 5);
}

int64_t num_exp_split(double x, double *ret_mantissa)
{
	struct exp_arg a;
	int64_t e;
	double m;

	if (x != x || x == -HUGE_VAL) {
		*ret_mantissa = x != x ? x : 0;
		return 0;
	}
	if (fabs(x) < 1000) {
		a = exp_reduce(x);
	} else {
		a = exp_reduce_far(x > 0x1p44 ? 0x1p44 : x < -0x1p44 ? -0x1p44 : x);
	}
	m = exp_fraction(a);
	e = a.k >> 5;
	*ret_mantissa = m < 1 ? m * 2 : m;
	return m < 1 ? e - 1 : e;
}

/* 2^n 2^(j/32) exp(r) - 1: the table's value and the 1 are subtracted first, both scaled so that
 * the larger is in [1, 2); what that loses goes to the small terms. */
double num_expm1(double x)
{
	if (!(fabs(x) < 708)) {
		return x < 0 ? -1 : num_exp(x); /* the 1 is far below the last bit, or x is NaN */
	}
	if (x == 0) {
		return x;
	}
	if (x < -40) {
		return -1;
	}
	struct exp_arg a = exp_reduce(x);
	int64_t n = a.k >> 5;
	double base = exp_table[a.k & 31].hi, lo = exp_table[a.k & 31].lo, one = 1, scale = 1;

	if (n > 0) {
		one = n > 100 ? 0 : power_of_two(-n);
		scale = power_of_two(n);
	} else {
		base *= power_of_two(n);
		lo *= power_of_two(n);
	}
	struct dd diff = two_sum(base, -one), sum = two_sum(diff.hi, a.r);
	double q = exp_series(a.r);
	double small = (base - 1) * (a.r + q) + (base * a.tail + lo * (1 + a.r));

	return scale * (sum.hi + (sum.lo + (diff.lo + (q + small))));
}

/* x = 2^n m; log(x) = base + low + log(1 + r + tail), base + r loses only what two_sum keeps. */
struct log_arg {
	double base, low, r, tail;
};

/* log(x + extra) for normal x > 0; |extra| is at most half an ulp of x, or x is 1. */
static inline struct log_arg log_reduce(double x, double extra, int64_t exponent)
{
	uint64_t u = bits_of(x), row = u >> (MANTISSA_BITS - 6) & 63;
	int64_t own = (int64_t)(u >> MANTISSA_BITS) - EXP_BIAS;
	double m = of_bits((u & MANTISSA_MASK) | ONE_BITS);
	double m_hi = of_bits(bits_of(m) & ~UINT64_C(0x7ffffff)), inv = log_table[row].inv;
	double n = (double)(own + exponent + (row >= LOG_FOLD));
	double a = m_hi * inv - 1, b = (m - m_hi) * inv; /* both exact: 26 and 27 bits by 9 */

	struct dd r = quick_sum(a, b);

	if (extra != 0 && own < 100) {
		double lost = r.lo;

		r = two_sum(r.hi, extra * power_of_two(-own) * inv);
		r.lo += lost;
	}
	return (struct log_arg){
	    n * LN2_HI + log_table[row].hi, n * LN2_LO + log_table[row].lo, r.hi, r.lo};
}

static inline double log_cubic(double r) /* (log(1 + r) - r + r^2/2) / r^3, |r| <= 2^-6 */
{
	double r2 = r * r;

	return ((1.0 / 3 - r * (1.0 / 4)) + r2 * (1.0 / 5 - r * (1.0 / 6))) +
	       r2 * r2 * ((1.0 / 7 - r * (1.0 / 8)) + r2 * (1.0 / 9 - r * (1.0 / 10)));
}

static inline double log_finish(struct log_arg a)
{
	struct dd s = quick_sum(a.base, a.r);
	double r2 = a.r * a.r, series = r2 * (a.r * log_cubic(a.r) - 0.5);

	return s.hi + (s.lo + ((a.low + a.tail) + series));
}

/* What log does with arguments that are not positive and finite. */
static double log_special(double x)
{
	if (x == 0) {
		return -HUGE_VAL;
	}
	return x > 0 || x != x ? x : (double)NAN;
}

double num_log(double x)
{
	if (x >= DBL_MIN && x <= DBL_MAX) {
		return log_finish(log_reduce(x, 0, 0));
	}
	if (x > 0 && x < DBL_MIN) {
		return log_finish(log_reduce(x * 0x1p54, 0, -54));
	}
	return log_special(x);
}

double num_log1p(double x)
{
	if (x == 0) {
		return x;
	}
	if (!(x > -1 && x <= DBL_MAX)) {
		return log_special(1 + x);
	}
	struct dd u = two_sum(1, x);

	return log_finish(log_reduce(u.hi, u.lo, 0));
}

/* log(x) to about 2^-66 of its value: the square of r is kept in two doubles, too. */
static struct dd log_precise(double x)
{
	struct log_arg a = x < DBL_MIN ? log_reduce(x * 0x1p54, 0, -54) : log_reduce(x, 0, 0);
	struct dd sq = two_product(a.r, a.r), s = two_sum(a.base, a.r);
	struct dd t = two_sum(s.hi, -0.5 * sq.hi);
	double r8 = sq.hi * sq.hi * (sq.hi * sq.hi);
	double cube = sq.hi * a.r * (log_cubic(a.r) + r8 * (1.0 / 11 - a.r * (1.0 / 12)));
	double low = (t.lo + s.lo) + (a.low + (a.tail - a.r * a.tail)) + (cube - 0.5 * sq.lo);

	return quick_sum(t.hi, low);
}

static double exp_precise(struct dd x)
{
	if (x.hi > 711) {
		return HUGE_VAL;
	}
	if (x.hi < -746) {
		return 0;
	}
	struct exp_arg a = exp_reduce(x.hi);

	struct dd r = two_sum(a.r, a.tail + x.lo); /* a tail may not exceed a rounding error of r */

	a.r = r.hi;
	a.tail = r.lo;
	return num_ldexp(exp_fraction(a), a.k >> 5);
}

static bool is_odd(double y)
{
	return fabs(y) < 0x1p53 && floor(y) == y && floor(y / 2) != y / 2;
}

/* One of the arguments is 0, infinite or NaN, y is not 0 and x not 1. */
static double pow_special(double x, double y)
{
	double size = fabs(x);

	if (x != x || y != y) {
		return x + y;
	}
	if (isinf(y)) {
		return size == 1 ? 1 : (size > 1) == (y > 0) ? HUGE_VAL : 0;
	}
	size = (size == 0) == (y > 0) ? 0 : HUGE_VAL;
	return is_odd(y) ? copysign(size, x) : size;
}

double num_pow(double x, double y)
{
	if (y == 0 || x == 1) {
		return 1;
	}
	if (x == 0 || !isfinite(x) || !isfinite(y)) {
		return pow_special(x, y);
	}
	if (x < 0 && floor(y) != y) {
		return (double)NAN;
	}
	/* |log x| >= 2^-53, so beyond 2^64 y only decides between 0, 1 and inf. */
	double exponent = y > 0x1p64 ? 0x1p64 : y < -0x1p64 ? -0x1p64 : y;
	struct dd l = log_precise(fabs(x)), t = two_product(exponent, l.hi);
	double size = exp_precise(quick_sum(t.hi, t.lo + exponent * l.lo));

	return x < 0 && is_odd(y) ? -size : size;
}
