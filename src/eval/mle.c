/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/mle.h"

#include <math.h>

#define HALVINGS 200

/* Of the log-likelihood along its dual variable; falls as beta grows. */
static double slope_at(const struct est_term *t, size_t n, double total, double beta)
{
	struct num_sum sum = {.hi = 0};

	for (size_t i = 0; i < n; i++) {
		double off = t[i].den / t[i].weight - 1;

		num_sum_add(&sum, t[i].weight * off / (off * beta + total));
	}
	return sum.hi;
}

/* Where each round keeps a probability of at most 1, and what was not seen one of at least 0. */
static void bracket(
    const struct est_term *t, size_t n, double total, double w_max, double *ret_lo, double *ret_hi)
{
	double lo = isinf(w_max) ? 0 : total / (1 - w_max), hi = total; /* no weight is below 0 */

	for (size_t i = 0; i < n; i++) {
		double off = t[i].den / t[i].weight - 1, most = (total - t[i].weight) / fabs(off);

		if (off > 0 && -most > lo) {
			lo = -most;
		}
		if (off < 0 && most < hi) {
			hi = most;
		}
	}
	*ret_lo = lo;
	*ret_hi = hi;
}

static double solve(const struct est_term *t, size_t n, double total, double w_max)
{
	double lo, hi;

	bracket(t, n, total, w_max, &lo, &hi);
	if (!(lo < hi) || slope_at(t, n, total, lo) <= 0) {
		return lo;
	}
	if (slope_at(t, n, total, hi) >= 0) {
		return hi;
	}
	for (int i = 0; i < HALVINGS; i++) {
		double mid = (lo + hi) / 2;

		if (mid <= lo || mid >= hi) {
			break;
		}
		*(slope_at(t, n, total, mid) > 0 ? &lo : &hi) = mid;
	}
	return (lo + hi) / 2;
}

double mle_point(const struct est_term *terms, size_t n, double w_max, double mean)
{
	struct num_sum total = {.hi = 0}, value = {.hi = 0}, seen = {.hi = 0};
	double beta, missing;

	for (size_t i = 0; i < n; i++) {
		num_sum_add(&total, terms[i].weight);
	}
	beta = solve(terms, n, total.hi, w_max);
	for (size_t i = 0; i < n; i++) {
		double d = (terms[i].den / terms[i].weight - 1) * beta + total.hi;

		num_sum_add(&value, terms[i].num / d);
		num_sum_add(&seen, terms[i].den / d);
	}
	missing = 1 - seen.hi;
	return value.hi + (missing > 0 ? missing : 0) * mean;
}
