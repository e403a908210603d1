/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/bootstrap.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DIMS 4
#define THREADS_MAX 64

/* Rounds [start, start + n) of the terms. */
struct cell {
	size_t start, n;
	double scatter; /* along dim, in units of the whole log's; 0: all alike */
	int dim;
	double mean[DIMS];
};

struct cells {
	double (*x)[DIMS]; /* the terms as vectors */
	size_t n, ncells;
	double scale[DIMS];
	double within[DIMS][DIMS]; /* lower triangle of the root of the covariance lost */
	bool exact;
	struct cell cell[BOOTSTRAP_CELLS];
};

/* Mean, and the dimension that scatters most. */
static void measure(const struct cells *s, struct cell *c)
{
	c->scatter = 0;
	for (int d = 0; d < DIMS; d++) {
		double lo = s->x[c->start][d], hi = lo, sum = 0, sq = 0, mean;

		for (size_t i = c->start; i < c->start + c->n; i++) {
			double v = s->x[i][d];

			sum += v;
			lo = v < lo ? v : lo;
			hi = v > hi ? v : hi;
		}
		mean = lo < hi ? sum / (double)c->n : lo;
		for (size_t i = c->start; lo < hi && i < c->start + c->n; i++) {
			sq += (s->x[i][d] - mean) * (s->x[i][d] - mean);
		}
		c->mean[d] = mean;
		if (lo < hi && (sq *= s->scale[d]) >= c->scatter) {
			/* Never 0 where two differ, however little. */
			c->scatter = sq > 1e-300 ? sq : 1e-300;
			c->dim = d;
		}
	}
}

/* Cuts at the mean; both sides have at least one round. */
static void split(struct cells *s, struct cell *c, struct cell *ret)
{
	size_t i = c->start, end = c->start + c->n;
	double cut = c->mean[c->dim], lo = HUGE_VAL, hi = -HUGE_VAL;

	for (size_t k = i; k < end; k++) {
		lo = s->x[k][c->dim] < lo ? s->x[k][c->dim] : lo;
		hi = s->x[k][c->dim] > hi ? s->x[k][c->dim] : hi;
	}
	cut = cut >= lo && cut < hi ? cut : lo;
	for (size_t k = i; k < end; k++) {
		if (s->x[k][c->dim] <= cut) {
			double t[DIMS];

			memcpy(t, s->x[i], sizeof(t));
			memcpy(s->x[i++], s->x[k], sizeof(t));
			memcpy(s->x[k], t, sizeof(t));
		}
	}
	*ret = (struct cell){.start = i, .n = end - i};
	c->n = i - c->start;
	measure(s, c);
	measure(s, ret);
}

/* The Cholesky root of the covariance inside the cells. */
static void root_within(struct cells *s)
{
	double v[DIMS][DIMS] = {{0}};

	for (size_t k = 0; k < s->ncells; k++) {
		const struct cell *c = &s->cell[k];

		for (size_t i = c->start; c->scatter > 0 && i < c->start + c->n; i++) {
			for (int a = 0; a < DIMS; a++) {
				for (int b = 0; b <= a; b++) {
					v[a][b] +=
					    (s->x[i][a] - c->mean[a]) * (s->x[i][b] - c->mean[b]);
				}
			}
		}
		s->exact = s->exact && c->scatter == 0;
	}
	for (int a = 0; a < DIMS; a++) {
		for (int b = 0; b <= a; b++) {
			double sum = v[a][b];

			for (int k = 0; k < b; k++) {
				sum -= s->within[a][k] * s->within[b][k];
			}
			/* Below rounding there is nothing. */
			s->within[a][b] = a == b ? (sum > 1e-12 * v[a][a] ? sqrt(sum) : 0)
					  : s->within[b][b] > 0 ? sum / s->within[b][b]
								: 0;
		}
	}
}

static int by_size(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n) - (x->n > y->n)
			    : (x->start > y->start) - (x->start < y->start);
}

static void make_cells(struct cells *s)
{
	struct cell *all = &s->cell[0];

	for (int d = 0; d < DIMS; d++) {
		double sum = 0, sq = 0;

		for (size_t i = 0; i < s->n; i++) {
			sum += s->x[i][d];
			sq += s->x[i][d] * s->x[i][d];
		}
		sq -= sum * sum / (double)s->n;
		s->scale[d] = sq > 0 ? 1 / sq : 1;
	}
	*all = (struct cell){.n = s->n};
	measure(s, all);
	s->ncells = 1;
	s->exact = true;
	while (s->ncells < BOOTSTRAP_CELLS) {
		struct cell *most = all;

		for (size_t i = 1; i < s->ncells; i++) {
			most = s->cell[i].scatter > most->scatter ? &s->cell[i] : most;
		}
		if (most->scatter <= 0) {
			break;
		}
		split(s, most, &s->cell[s->ncells]);
		s->ncells++;
	}
	root_within(s);
	/* Large ones first: once all rounds are drawn the rest is done. */
	qsort(s->cell, s->ncells, sizeof(*s->cell), by_size);
}

/* Inversion, for n p below 10. */
static double binomial_small(struct rng *r, double n, double p)
{
	double f = num_exp(n * num_log1p(-p)), u = rng_uniform(r), k = 0;

	while (u >= f && k < n) {
		u -= f;
		k++;
		f *= (n - k + 1) * p / (k * (1 - p));
	}
	return k;
}

/* log k! from Stirling's series. */
static double log_factorial(double k)
{
	double x = k + 1, add = 0, i;

	for (; x < 8; x++) {
		add -= num_log(x);
	}
	i = 1 / (x * x);
	return add + (x - 0.5) * num_log(x) - x + 0.91893853320467274178 +
	       (1. / 12 - i * (1. / 360 - i * (1. / 1260 - i / 1680))) / x;
}

/* BTRD's plain form (Hormann 1993): transformed rejection, for n p >= 10 and p <= 1/2. */
static double binomial_large(struct rng *r, double n, double p)
{
	double sd = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * sd, c = n * p + 0.5;
	double a = -0.0873 + 0.0248 * b + 0.01 * p, alpha = (2.83 + 5.1 / b) * sd;
	double most = floor((n + 1) * p), vr = 0.92 - 4.2 / b;

	for (;;) {
		double u = rng_uniform(r) - 0.5, v = rng_uniform(r), us = 0.5 - fabs(u);
		double k = floor((2 * a / us + b) * u + c);

		if (us >= 0.07 && v <= vr) {
			return k;
		}
		if (k < 0 || k > n || v <= 0 || us <= 0) {
			continue;
		}
		if (num_log(v * alpha / (a / (us * us) + b)) <=
		    log_factorial(most) + log_factorial(n - most) - log_factorial(k) -
			log_factorial(n - k) + (k - most) * num_log(p / (1 - p))) {
			return k;
		}
	}
}

double bootstrap_binomial(struct rng *r, double n, double p)
{
	if (n <= 0 || p <= 0) {
		return 0;
	}
	if (p > 0.5) {
		return n - bootstrap_binomial(r, n, 1 - p);
	}
	return n * p < 10 ? binomial_small(r, n, p) : binomial_large(r, n, p);
}

static double resample(const struct cells *s, struct rng r)
{
	double left = (double)s->n, rounds = left, sum[DIMS] = {0}, z[DIMS];

	for (size_t i = 0; i < s->ncells && left > 0; i++) {
		const struct cell *c = &s->cell[i];
		double size = (double)c->n;
		double k = size < rounds ? bootstrap_binomial(&r, left, size / rounds) : left;

		left -= k;
		rounds -= size;
		for (int d = 0; d < DIMS; d++) {
			sum[d] += k * c->mean[d];
		}
	}
	for (int d = 0; !s->exact && d < DIMS; d++) {
		z[d] = rng_normal(&r);
		for (int k = 0; k <= d; k++) {
			sum[d] += s->within[d][k] * z[k];
		}
	}
	return (sum[0] != 0 ? sum[1] / sum[0] : 0) + (sum[3] != 0 ? sum[2] / sum[3] : 0);
}

struct job {
	const struct cells *cells;
	double *value;
	uint32_t from, to;
	uint64_t seed;
};

static void *run_job(void *arg)
{
	struct job *j = arg;

	for (uint32_t i = j->from; i < j->to; i++) {
		j->value[i] = resample(j->cells, rng_at(j->seed, i, RNG_SAMPLE));
	}
	return NULL;
}

static void run_jobs(
    const struct cells *s, double *value, uint32_t n, uint64_t seed, uint32_t threads)
{
	pthread_t id[THREADS_MAX];
	bool started[THREADS_MAX] = {false};
	struct job job[THREADS_MAX];

	threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
	for (uint32_t t = 0; t < threads; t++) {
		job[t] = (struct job){s, value, (uint32_t)((uint64_t)n * t / threads),
		    (uint32_t)((uint64_t)n * (t + 1) / threads), seed};
		/* The last part, and those that get no thread, run here. */
		started[t] = t + 1 < threads && pthread_create(&id[t], NULL, run_job, &job[t]) == 0;
		if (!started[t]) {
			run_job(&job[t]);
		}
	}
	for (uint32_t t = 0; t < threads; t++) {
		if (started[t]) {
			pthread_join(id[t], NULL);
		}
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Linear between the order statistics. */
static double percentile(const double *sorted, uint32_t n, double p)
{
	double at = p * (n - 1);
	uint32_t i = (uint32_t)at;

	return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

int bootstrap_interval(struct est_term *terms, size_t n, uint32_t resamples, uint64_t seed,
    uint32_t threads, double alpha, double *ret_lo, double *ret_hi, struct errinfo *err)
{
	struct cells *s = calloc(1, sizeof(*s));
	double *value = calloc(resamples ? resamples : 1, sizeof(*value));
	int rc = 0;

	_Static_assert(sizeof(*terms) == sizeof(*s->x), "a term is its four sums");
	if (!s || !value) {
		rc = err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	} else if (n == 0 || resamples == 0) {
		rc = err_set(err, RC_INVALID, "empty", "", "there is nothing to resample");
	} else {
		s->x = (double(*)[DIMS])terms;
		s->n = n;
		make_cells(s);
		run_jobs(s, value, resamples, seed, threads);
		qsort(value, resamples, sizeof(*value), by_value);
		*ret_lo = percentile(value, resamples, alpha / 2);
		*ret_hi = percentile(value, resamples, 1 - alpha / 2);
	}
	free(value);
	free(s);
	return rc;
}
