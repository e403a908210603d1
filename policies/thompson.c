/* SPDX-License-Identifier: Apache-2.0 */
/* Thompson sampling: an arm is drawn with the probability that it is the best one, given what was
 * seen. Thompson 1933; analysis by Agrawal and Goyal 2012 (Beta) and 2013 (Gaussian).
 *
 * A reward r in [lo, hi] counts as x = (r - lo) / (hi - lo).
 *   bernoulli: prior Beta(1, 1), posterior Beta(1 + sum x, 1 + n - sum x). A reward between the
 * ends is a fraction of a success and of a failure; the paper tosses a coin for it instead, which
 * has the same mean and more noise. gaussian:  prior N(1/2, 1/4), rewards N(mu, sd^2) with sd given
 * as a share of hi - lo.
 *
 * The probability of being best has no closed form, so m posterior samples are drawn and the answer
 * is each arm's share of wins. Drawing from that is exactly Thompson sampling for every m, and the
 * logged propensity is true; m only says how finely it is known. Select O(m K), update O(1). */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "policies/policies.h"

#define SAMPLES_MAX 1000
#define REWARDS_MAX (UINT64_C(1) << 53) /* counts that a double holds exactly */
#define DRAWS_MAX 8192 /* of one decision: with many arms m falls, so that a select stays short */

enum likelihood { LIKELIHOOD_BERNOULLI, LIKELIHOOD_GAUSSIAN };

struct thompson_params {
	int likelihood;
	int64_t samples;
	double sd;
};

struct thompson_arm {
	uint64_t n;
	double sum; /* of x, so in [0, n] */
};

struct thompson {
	const struct thompson_params *params;
	double lo, width;
	struct thompson_arm *arm;
	uint32_t slots, cap;
};

struct leader {
	double x;
	uint32_t i;
};

static double normal_mean(const struct thompson *t, const struct thompson_arm *arm)
{
	/* In units of the noise's precision the prior weighs as much as 4 sd^2 rewards of 1/2. */
	double prior = 4 * t->params->sd * t->params->sd;

	return (prior / 2 + arm->sum) / (prior + (double)arm->n);
}

static double normal_sd(const struct thompson *t, const struct thompson_arm *arm)
{
	double sd = t->params->sd;

	return sd / sqrt(4 * sd * sd + (double)arm->n);
}

/* m samples of one arm's posterior; keeps what is the largest so far and whose it is. */
static void sample_arm(const struct thompson *t, const struct thompson_arm *arm, uint32_t i,
    size_t m, struct rng *rng, struct leader *leader)
{
	bool gaussian = t->params->likelihood == LIKELIHOOD_GAUSSIAN;
	double mean = normal_mean(t, arm), sd = normal_sd(t, arm), x;
	double a = 1 + arm->sum, b = 1 + ((double)arm->n - arm->sum);

	for (size_t j = 0; j < m; j++) {
		x = gaussian ? mean + sd * rng_normal(rng) : rng_beta(rng, a, b);
		if (i == 0 || x > leader[j].x) {
			leader[j] = (struct leader){.x = x, .i = i};
		}
	}
}

static int thompson_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	const struct thompson *t = state;
	size_t m = (size_t)t->params->samples, most = DRAWS_MAX / ask->n;
	struct leader leader[SAMPLES_MAX];

	m = m <= most ? m : most > 0 ? most : 1;
	for (size_t i = 0; i < ask->n; i++) {
		sample_arm(t, &t->arm[ask->slots[i]], (uint32_t)i, m, rng, leader);
		ret_pmf[i] = 0;
	}
	for (size_t j = 0; j < m; j++) {
		ret_pmf[leader[j].i] += 1; /* whole counts first: they add up exactly */
	}
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] /= (double)m;
	}
	return 0;
}

static size_t thompson_bound(const void *params, size_t slots, size_t dim)
{
	(void)params, (void)dim;
	return sizeof(struct thompson) + slots * sizeof(struct thompson_arm);
}

static int thompson_create(const struct policy_env *env, void **ret_state)
{
	struct thompson *t = calloc(1, sizeof(*t));

	if (!t) {
		return RC_MEMORY;
	}
	t->params = env->params;
	t->lo = env->lo;
	t->width = env->hi - env->lo;
	*ret_state = t;
	return 0;
}

static void thompson_destroy(void *state)
{
	struct thompson *t = state;

	if (t) {
		free(t->arm);
		free(t);
	}
}

static uint32_t thompson_slots(const void *state)
{
	return ((const struct thompson *)state)->slots;
}

static int thompson_reserve(void *state, size_t slots)
{
	struct thompson *t = state;
	struct thompson_arm *arm;

	if (slots <= t->cap) {
		return 0;
	}
	arm = realloc(t->arm, slots * sizeof(*arm));
	if (!arm) {
		return RC_MEMORY;
	}
	t->arm = arm;
	t->cap = (uint32_t)slots;
	return 0;
}

static void thompson_arm_add(void *state, uint32_t slot)
{
	struct thompson *t = state;

	t->arm[slot] = (struct thompson_arm){.n = 0};
	t->slots = slot + 1;
}

static void thompson_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	(void)state, (void)slot, (void)to;
}

static void thompson_update(void *state, const struct outcome *o)
{
	struct thompson *t = state;
	struct thompson_arm *arm = &t->arm[o->slot];

	arm->n++;
	arm->sum += (o->reward - t->lo) / t->width;
}

static void thompson_serialise(const void *state, struct buf *out)
{
	const struct thompson *t = state;

	buf_put_var(out, t->slots);
	for (uint32_t i = 0; i < t->slots; i++) {
		buf_put_var(out, t->arm[i].n);
		buf_put_f64(out, t->arm[i].sum);
	}
}

static int thompson_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	size_t slots = rd_count(in, 9);
	void *state;
	struct thompson *t;
	int rc = in->rc ? in->rc : thompson_create(env, &state);

	if (rc) {
		return rc;
	}
	t = state;
	rc = thompson_reserve(t, slots);
	for (; rc == 0 && t->slots < slots; t->slots++) {
		struct thompson_arm *arm = &t->arm[t->slots];

		arm->n = rd_var(in);
		arm->sum = rd_f64(in);
		if (in->rc || arm->n > REWARDS_MAX || signbit(arm->sum) ||
		    !(arm->sum >= 0 && arm->sum <= (double)arm->n)) {
			rc = RC_CORRUPT;
		}
	}
	if (rc) {
		thompson_destroy(t);
		return rc;
	}
	*ret_state = t;
	return 0;
}

static void thompson_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct thompson *t = state;
	const struct thompson_arm *arm = &t->arm[slot];
	double n = (double)arm->n + 2, mean = (1 + arm->sum) / n;
	double sd = sqrt(mean * (1 - mean) / (n + 1));

	if (t->params->likelihood == LIKELIHOOD_GAUSSIAN) {
		mean = normal_mean(t, arm);
		sd = normal_sd(t, arm);
	}
	ret->n = 2;
	ret->item[0].name = "posterior_mean";
	ret->item[0].value = t->lo + t->width * mean;
	ret->item[1].name = "posterior_sd";
	ret->item[1].value = t->width * sd;
}

static const char *const likelihoods[] = {"bernoulli", "gaussian", NULL};

/* clang-format off */
static const struct param_desc thompson_params[] = {
	{.name = "likelihood", .type = PARAM_CHOICE,
	 .offset = offsetof(struct thompson_params, likelihood), .choices = likelihoods,
	 .text = "what rewards are taken to be: fractions of a success, or normal around the mean"},
	{.name = "samples", .type = PARAM_INT, .offset = offsetof(struct thompson_params, samples),
	 .min = 1, .max = SAMPLES_MAX, .dflt = 64,
	 .text = "posterior samples per decision: propensities are multiples of 1/samples"},
	{.name = "sd", .type = PARAM_F64, .offset = offsetof(struct thompson_params, sd),
	 .min = 1e-6, .max = 10, .dflt = 0.5,
	 .text = "gaussian: standard deviation of a reward, as a share of hi - lo"},
	{.name = NULL},
};
/* clang-format on */

const struct policy_ops thompson_ops = {
    .name = "thompson",
    .summary = "each arm with the probability that it is the best one",
    .version = 1,
    .flags = POLICY_ANY_SLATE,
    .params = thompson_params,
    .params_size = sizeof(struct thompson_params),
    .bound = thompson_bound,
    .create = thompson_create,
    .destroy = thompson_destroy,
    .slots = thompson_slots,
    .reserve = thompson_reserve,
    .arm_add = thompson_arm_add,
    .arm_set = thompson_arm_set,
    .pmf = thompson_pmf,
    .update = thompson_update,
    .serialise = thompson_serialise,
    .deserialise = thompson_deserialise,
    .describe = thompson_describe,
};
