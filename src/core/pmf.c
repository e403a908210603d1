/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pmf.h"

#include <assert.h>
#include <math.h>

#include "base/err.h"
#include "base/num.h"

void pmf_uniform(size_t n, double *ret_p)
{
	for (size_t i = 0; i < n; i++) {
		ret_p[i] = 1 / (double)n;
	}
}

void pmf_greedy(size_t n, size_t best, double *ret_p)
{
	for (size_t i = 0; i < n; i++) {
		ret_p[i] = i == best;
	}
}

void pmf_softmax(size_t n, const double *scores, double eta, double *ret_p)
{
	double most = -HUGE_VAL, sum = 0;

	for (size_t i = 0; i < n; i++) {
		most = scores[i] > most ? scores[i] : most;
	}
	assert(isfinite(most) && eta >= 0);
	for (size_t i = 0; i < n; i++) {
		/* Not eta * -inf, which is NaN for eta = 0. */
		ret_p[i] = isinf(scores[i]) ? 0 : num_exp(eta * (scores[i] - most));
		sum += ret_p[i];
	}
	for (size_t i = 0; i < n; i++) {
		ret_p[i] /= sum;
	}
}

void pmf_floor(size_t n, double f, double *p)
{
	double least = f / (double)n;

	for (size_t i = 0; i < n; i++) {
		p[i] = (1 - f) * p[i] + least;
	}
}

int pmf_check(size_t n, const double *p)
{
	double sum = 0; /* rounding is below n 2^-53, far within the tolerance */

	for (size_t i = 0; i < n; i++) {
		if (!(p[i] >= 0)) {
			return RC_INVALID;
		}
		sum += p[i];
	}
	return fabs(sum - 1) <= PMF_TOLERANCE ? 0 : RC_INVALID;
}

size_t pmf_draw(size_t n, const double *p, double u)
{
	double sum = 0;
	size_t last = n;

	for (size_t i = 0; i < n; i++) {
		if (p[i] > 0) {
			last = i;
			sum += p[i];
			if (u < sum) {
				break;
			}
		}
	}
	assert(last < n);
	return last;
}
