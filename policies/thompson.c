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
 * logged propensity is true; m only says how finely it is known.
 *
 * Samples that cannot win need not be known. The arm that is surely good is sampled first; of any
 * other only the samples above the least of its m count. These are drawn by rejection from an
 * exponential above that threshold: a density of either kind is log-concave, so it lies below its
 * tangent there. That draws the same as all m samples would, but when an arm is far behind, one
 * number says that it has none. Update O(1); select O(m K), or O(m + K) once one arm leads. */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/num_special.h"
#include "base/rng.h"
#include "policies/policies.h"

#define SAMPLES_MAX 1000
#define REWARDS_MAX (UINT64_C(1) << 53) /* counts that a double holds exactly */
#define DRAWS_MAX 8192 /* of one decision: with many arms m falls, so that a select stays short */
#define MASS_MAX 0.75  /* of an exponential: with more it is no cheaper than all samples */
#define HALF_LOG_2PI 0.91893853320467274178

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

/* The samples of a posterior above a threshold: above + E / rate with probability mass each, E of
 * the exponential distribution, and kept with probability exp(keep_there() + keep_above()). */
struct tail {
	double above, mass, rate;
	double a, b;     /* bernoulli: the posterior */
	double mean, sd; /* gaussian */
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

static bool is_gaussian(const struct thompson *t)
{
	return t->params->likelihood == LIKELIHOOD_GAUSSIAN;
}

/* What most samples of the arm are above: two standard deviations below the mean. */
static double surely(const struct thompson *t, const struct thompson_arm *arm)
{
	double a = 1 + arm->sum, b = 1 + ((double)arm->n - arm->sum), n = a + b;

	if (is_gaussian(t)) {
		return normal_mean(t, arm) - 2 * normal_sd(t, arm);
	}
	return (a - 2 * sqrt(a * b / (n + 1))) / n;
}

/* All m samples of one arm's posterior; keeps what is the largest so far and whose it is. */
static void sample_arm(const struct thompson *t, const struct thompson_arm *arm, uint32_t i,
    size_t m, bool first, struct rng *rng, struct leader *leader)
{
	bool gaussian = is_gaussian(t);
	double mean = normal_mean(t, arm), sd = normal_sd(t, arm), x;
	double a = 1 + arm->sum, b = 1 + ((double)arm->n - arm->sum);

	for (size_t j = 0; j < m; j++) {
		x = gaussian ? mean + sd * rng_normal(rng) : rng_beta(rng, a, b);
		if (first || x > leader[j].x) {
			leader[j] = (struct leader){.x = x, .i = i};
		}
	}
}

/* log Gamma(x) less Stirling's (x - 1/2) log x - x + log(2 pi) / 2: in (0, 1 / (12 x)). */
static double stirling_rest(double x)
{
	double r = 1 / (x * x);

	return x < 16 ? num_lgamma(x) - ((x - 0.5) * num_log(x) - x + HALF_LOG_2PI)
		      : (1. / 12 - r * (1. / 360 - r * (1. / 1260))) / x;
}

/* How much of its logarithm a bound on the density leaves for rounding. */
static double slack(double n)
{
	return 1 / (12 * n) + n * 0x1p-50;
}

/* False: the threshold is not in the upper tail. The density at the threshold is bounded by
 * Stirling's formula without the rests of a and b, which is at most 1.2 times too much. */
static bool beta_tail(struct tail *u)
{
	double x = u->above, a = u->a, b = u->b, n = a + b, log_top;

	u->rate = (b - 1) / (1 - x) - (a - 1) / x;
	if (!(x > 0 && x < 1 && u->rate > 0)) {
		return false;
	}
	log_top = (a - 0.5) * num_log(x * n / a) + (b - 0.5) * num_log((1 - x) * n / b) +
		  0.5 * num_log(n / (x * (1 - x))) - HALF_LOG_2PI + slack(n);
	u->mass = num_exp(log_top) / u->rate;
	return u->mass <= MASS_MAX;
}

static bool normal_tail(struct tail *u)
{
	double z = (u->above - u->mean) / u->sd;

	if (!(z > 0)) {
		return false;
	}
	u->rate = z / u->sd;
	u->mass = num_exp(-0.5 * z * z - HALF_LOG_2PI) / z;
	return u->mass <= MASS_MAX;
}

static bool tail_of(
    const struct thompson *t, const struct thompson_arm *arm, double above, struct tail *ret)
{
	*ret = (struct tail){.above = above};
	if (is_gaussian(t)) {
		ret->mean = normal_mean(t, arm);
		ret->sd = normal_sd(t, arm);
		return normal_tail(ret);
	}
	ret->a = 1 + arm->sum;
	ret->b = 1 + ((double)arm->n - arm->sum);
	return beta_tail(ret);
}

/* log of the density over its bound at the threshold; at most 0, as the next one. */
static double keep_there(const struct thompson *t, const struct tail *u)
{
	double n = u->a + u->b;

	return is_gaussian(t)
		   ? 0
		   : stirling_rest(n) - slack(n) - stirling_rest(u->a) - stirling_rest(u->b);
}

/* What is added to that `over` above the threshold. */
static double keep_above(const struct thompson *t, const struct tail *u, double over)
{
	double p = over / u->above, q = over / (1 - u->above);

	if (is_gaussian(t)) {
		return -0.5 * (over / u->sd) * (over / u->sd);
	}
	if (q >= 1) {
		return -HUGE_VAL;
	}
	return (u->a - 1) * (num_log1p(p) - p) + (u->b - 1) * (num_log1p(-q) + q);
}

/* Those of an arm's m samples that are above the threshold. */
static void sample_tail(const struct thompson *t, const struct tail *u, uint32_t i, size_t m,
    struct rng *rng, struct leader *leader)
{
	double r = rng_uniform(rng), log_none, keep, j;

	if (r <= 1 - (double)m * u->mass) {
		return; /* and so r <= (1 - mass)^m: the first one would come after m */
	}
	log_none = num_log1p(-u->mass);
	keep = keep_there(t, u);
	for (j = floor(num_log(r) / log_none); j < (double)m;
	     j += 1 + floor(num_log(rng_uniform(rng)) / log_none)) {
		double over = -num_log1p(-rng_uniform(rng)) / u->rate, x = u->above + over;
		struct leader *l = &leader[(size_t)j];

		if (num_log1p(-rng_uniform(rng)) <= keep + keep_above(t, u, over) && x > l->x) {
			*l = (struct leader){.x = x, .i = i};
		}
	}
}

/* All arms but the first one, whose samples stand in leader. */
static void challenge(const struct thompson *t, const struct ask *ask, size_t first, size_t m,
    struct rng *rng, struct leader *leader)
{
	double least = leader[0].x;

	for (size_t j = 1; j < m; j++) {
		least = leader[j].x < least ? leader[j].x : least;
	}
	for (size_t i = 0; i < ask->n; i++) {
		const struct thompson_arm *arm = &t->arm[ask->slots[i]];
		struct tail tail;

		if (i == first) {
			continue;
		}
		if (tail_of(t, arm, least, &tail)) {
			sample_tail(t, &tail, (uint32_t)i, m, rng, leader);
		} else {
			sample_arm(t, arm, (uint32_t)i, m, false, rng, leader);
		}
	}
}

static int thompson_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	const struct thompson *t = state;
	size_t m = (size_t)t->params->samples, most = DRAWS_MAX / ask->n, first = 0;
	struct leader leader[SAMPLES_MAX];
	double best = -HUGE_VAL;

	m = m <= most ? m : most > 0 ? most : 1;
	for (size_t i = 0; i < ask->n; i++) {
		double x = surely(t, &t->arm[ask->slots[i]]);

		first = x > best ? i : first;
		best = x > best ? x : best;
		ret_pmf[i] = 0;
	}
	sample_arm(t, &t->arm[ask->slots[first]], (uint32_t)first, m, true, rng, leader);
	challenge(t, ask, first, m, rng, leader);
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
