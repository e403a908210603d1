/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/holdout.h"

#include <math.h>

#include "base/num.h"
#include "base/rng.h"

/* The words drawn for a query, in this order. */
enum { NOISE_SHIFT, NOISE_COMPARISON, NOISE_ANSWER, NOISES };

const char *const holdout_sources[] = {"training", "holdout", "spent"};

static double laplace(struct rng *rng)
{
	double u = rng_uniform(rng) - 0.5, v = -num_log1p(-2 * fabs(u));

	/* u = -1/2 is drawn once in 2^53. */
	v = isfinite(v) ? v : 40;
	return u < 0 ? -v : v;
}

static void draw(const struct holdout *h, double ret[NOISES])
{
	struct rng rng = rng_at(h->key, h->queries, RNG_SAMPLE);

	for (int i = 0; i < NOISES; i++) {
		ret[i] = HOLDOUT_NOISE * laplace(&rng);
	}
}

void holdout_start(struct holdout *h, uint32_t budget, uint64_t key)
{
	double noise[NOISES];

	*h = (struct holdout){.key = key, .budget = budget};
	draw(h, noise);
	h->shift = 2 * noise[NOISE_SHIFT];
}

void holdout_ask(
    struct holdout *h, const struct holdout_query *q, double alpha, struct holdout_answer *ret)
{
	double z = num_norm_quantile(1 - alpha / 2), noise[NOISES], half;
	double unit = q->se * sqrt((double)q->training_n / (double)q->kept_n);

	if (h->spent >= h->budget) {
		half = z * q->se;
		*ret = (struct holdout_answer){
		    HOLDOUT_SPENT, q->training, q->training - half, q->training + half};
		return;
	}
	h->queries++;
	draw(h, noise);
	/* What agrees may be off by the threshold, beside chance; what was paid for by as much, for
	 * what was learnt from earlier answers. */
	half = (z + HOLDOUT_THRESHOLD) * unit;
	*ret = (struct holdout_answer){.source = HOLDOUT_AGREES, .value = q->training};
	if (fabs(q->kept - q->training) >
	    unit * (HOLDOUT_THRESHOLD + h->shift + 4 * noise[NOISE_COMPARISON])) {
		ret->source = HOLDOUT_DIFFERS;
		ret->value = q->kept + unit * noise[NOISE_ANSWER];
		h->shift = 2 * noise[NOISE_SHIFT];
		h->spent++;
	}
	ret->lo = ret->value - half;
	ret->hi = ret->value + half;
}
