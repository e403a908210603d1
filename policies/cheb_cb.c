/* SPDX-License-Identifier: Apache-2.0 */
/* Chebyshev regression with inverse-gap weighting: Khodak, Chow, Balcan, Talwalkar, "Learning to
 * relax", ICLR 2024, on SquareCB (Foster, Rakhlin, ICML 2020).
 *
 *   f = T_0 .. T_(m-1) of the first feature, mapped from [ctx_lo, ctx_hi] to [-1, 1]
 *   y_i = theta_i . f, i* = argmin y
 *   p_i = 1 / (d + gamma (y_i - y_i*)) for i != i*, the rest for i*
 *   theta_a = argmin sum (theta . f - l / s)^2, |theta_0| <= 1/N, |theta_j| <= 2 D / (s j)
 *   N = 2 + 4 (D / M) (1 + ln m), s = M N, M the largest l, D the largest less the smallest
 *   gamma = 2 t sqrt(d t / (R + 2 alpha^2 t)), R = sum (y_s - l_s / s)^2
 *   alpha = (pi + (2/pi) ln(2m + 1)) D / (2 s (m + 1))
 *
 * The factor t is that of the authors' code: the proof's gamma explores far longer. Their R is less
 * by the residual of the last fit, which changes nothing visible. y_s is as it was predicted, in
 * the scale of its time, and comes back in the memo. The loss is l = (hi - r) / (hi - lo) for a
 * reward in [lo, hi]; nothing depends on the unit. Select O(K m), update O(m^2) a sweep of at most
 * 60, for all arms when s changes. The Gram matrix is kept as the sums it is made of. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "policies/cheb_cb.h"
#include "policies/policies.h"
#include "policies/tsallis.h"

#define FEATURES_MAX 16
#define SWEEPS_MAX 60
#define SWEEP_ENOUGH 1e-12
#define GAMMA_MAX 1e150
#define LOSS_LEAST 1e-100 /* squares of less are no numbers */
#define PI 3.14159265358979323846

enum gamma_rule { GAMMA_CODE, GAMMA_CONSTANT };

struct cheb_params {
	int64_t degree;
	int gamma_rule;
	double gamma, ctx_lo, ctx_hi;
};

struct cheb {
	const struct cheb_params *params;
	double hi, width;
	uint32_t m, slots, cap;
	uint64_t t, n;
	double most, least;            /* of the losses; n > 0 */
	double sum_yy, sum_yl, sum_ll; /* predictions in their scale, losses unscaled */
	double
	    *arm; /* [slot]: theta, g, sums of T_0 .. T_(2m-2): T_i T_j is half T_(i+j) + T_|i-j| */
};

static size_t arm_size(size_t m)
{
	return 4 * m - 1;
}

static double *theta_of(const struct cheb *c, uint32_t slot)
{
	return c->arm + slot * arm_size(c->m);
}

void cheb_features(double lo, double hi, double x, uint32_t n, double *ret)
{
	double z = 2 * ((x - lo) / (hi - lo)) - 1;

	z = z > -1 ? z < 1 ? z : 1 : -1;
	ret[0] = 1;
	ret[1] = z;
	for (uint32_t j = 2; j < n; j++) {
		ret[j] = 2 * z * ret[j - 1] - ret[j - 2];
	}
}

/* Without a context: the middle. */
static void features(const struct cheb *c, const double *x, uint32_t n, double *f)
{
	double lo = c->params->ctx_lo, hi = c->params->ctx_hi;

	cheb_features(x ? lo : -1, x ? hi : 1, x ? x[0] : 0, n, f);
}

static double predict(const struct cheb *c, uint32_t slot, const double *f)
{
	const double *theta = theta_of(c, slot);
	double y = 0;

	for (uint32_t j = 0; j < c->m; j++) {
		y += theta[j] * f[j];
	}
	return y;
}

/* N, and s in *ret. */
static double scale_of(const struct cheb *c, double *ret)
{
	double n = 2;

	*ret = 1;
	if (c->n && c->most > LOSS_LEAST) {
		n = 2 + 4 * ((c->most - c->least) / c->most) * (1 + num_log(c->m));
		*ret = c->most * n;
	}
	return n;
}

static double gamma_of(const struct cheb *c, size_t arms)
{
	double t = (double)c->t, s, alpha, r, gamma;

	if (c->params->gamma_rule == GAMMA_CONSTANT) {
		return c->params->gamma;
	}
	if (c->n == 0) {
		return 0;
	}
	scale_of(c, &s);
	r = c->sum_yy - 2 * (c->sum_yl / s) + c->sum_ll / s / s;
	r = r > 0 ? r : 0;
	alpha =
	    (PI + 2 / PI * num_log(2 * c->m + 1)) * ((c->most - c->least) / s) / (2 * (c->m + 1.0));
	gamma = 2 * t * sqrt((double)arms * t / (r + 2 * alpha * alpha * t));
	return gamma < GAMMA_MAX ? gamma : GAMMA_MAX; /* 0 / 0 too: no loss was ever above 0 */
}

void cheb_inverse_gap(size_t n, double gamma, double *y)
{
	double rest = 1, least;
	size_t best = 0;

	for (size_t i = 1; i < n; i++) {
		best = y[i] < y[best] ? i : best;
	}
	least = y[best];
	for (size_t i = 0; i < n; i++) {
		if (i != best) {
			y[i] = 1 / ((double)n + gamma * (y[i] - least));
			rest -= y[i];
		}
	}
	y[best] = rest;
}

static int cheb_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	const struct cheb *c = state;
	double f[FEATURES_MAX];

	(void)rng;
	features(c, ask->x, c->m, f);
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = predict(c, ask->slots[i], f);
	}
	cheb_inverse_gap(ask->n, gamma_of(c, ask->n), ret_pmf);
	return 0;
}

static void cheb_note(
    const void *state, const struct ask *ask, const double *pmf, size_t i, struct buf *memo)
{
	const struct cheb *c = state;
	double f[FEATURES_MAX];

	(void)pmf;
	features(c, ask->x, c->m, f);
	buf_put_f64(memo, predict(c, ask->slots[i], f));
}

/* Coordinate descent within the box, from the last theta. */
static void fit(struct cheb *c, uint32_t slot, double n, double s)
{
	double *theta = theta_of(c, slot);
	const double *g = theta + c->m, *sum = g + c->m;
	double span = 2 * ((c->most - c->least) / s), moved = 1;

	if (sum[0] == 0) {
		return; /* never played: it is thought to cost nothing */
	}
	for (int sweep = 0; sweep < SWEEPS_MAX && moved > SWEEP_ENOUGH; sweep++) {
		moved = 0;
		for (uint32_t j = 0; j < c->m; j++) {
			double bound = j ? span / j : 1 / n, rest = g[j] / s, next;
			double square = (sum[0] + sum[2 * j]) / 2;

			for (uint32_t k = 0; k < c->m; k++) {
				rest -= k == j ? 0
					       : (sum[j + k] + sum[k < j ? j - k : k - j]) / 2 *
						     theta[k];
			}
			next = square > sum[0] * SWEEP_ENOUGH ? rest / square : 0;
			next = next < bound ? next > -bound ? next : -bound : bound;
			moved += fabs(next - theta[j]);
			theta[j] = next;
		}
	}
}

static void cheb_pulled(void *state, const struct pull *p)
{
	(void)p;
	((struct cheb *)state)->t++;
}

static void learn(struct cheb *c, const struct outcome *o, double loss)
{
	double *g = theta_of(c, o->slot) + c->m, *sum = g + c->m, f[2 * FEATURES_MAX];

	features(c, o->x, 2 * c->m - 1, f);
	for (uint32_t j = 0; j < c->m; j++) {
		g[j] += f[j] * loss;
	}
	for (uint32_t j = 0; j < 2 * c->m - 1; j++) {
		sum[j] += f[j];
	}
}

static void cheb_update(void *state, const struct outcome *o)
{
	struct cheb *c = state;
	double loss = (c->hi - o->reward) / c->width, before, s, n, y = 0;
	struct rd memo;

	loss = loss > 0 ? loss < 1 ? loss : 1 : 0;
	scale_of(c, &before);
	c->most = c->n == 0 || loss > c->most ? loss : c->most;
	c->least = c->n == 0 || loss < c->least ? loss : c->least;
	c->n++;
	learn(c, o, loss);
	rd_init(&memo, o->memo, o->nmemo);
	y = rd_f64(&memo);
	y = memo.rc ? 0 : y;
	c->sum_yy += y * y;
	c->sum_yl += y * loss;
	c->sum_ll += loss * loss;
	n = scale_of(c, &s);
	if (s == before) {
		fit(c, o->slot, n, s);
		return;
	}
	for (uint32_t i = 0; i < c->slots; i++) {
		fit(c, i, n, s);
	}
}

/* ---- arms and memory ---- */

static size_t cheb_bound(const void *params, size_t slots, size_t dim)
{
	const struct cheb_params *p = params;

	(void)dim;
	return sizeof(struct cheb) + slots * arm_size((size_t)p->degree) * sizeof(double);
}

static int cheb_create(const struct policy_env *env, void **ret_state)
{
	struct cheb *c = calloc(1, sizeof(*c));

	if (!c) {
		return RC_MEMORY;
	}
	c->params = env->params;
	c->hi = env->hi;
	c->width = env->hi - env->lo;
	c->m = (uint32_t)c->params->degree;
	*ret_state = c;
	return 0;
}

static void cheb_destroy(void *state)
{
	struct cheb *c = state;

	if (c) {
		free(c->arm);
		free(c);
	}
}

static uint32_t cheb_slots(const void *state)
{
	return ((const struct cheb *)state)->slots;
}

static int cheb_reserve(void *state, size_t slots)
{
	struct cheb *c = state;
	double *arm;

	if (slots <= c->cap) {
		return 0;
	}
	arm = realloc(c->arm, slots * arm_size(c->m) * sizeof(*arm));
	if (!arm) {
		return RC_MEMORY;
	}
	c->arm = arm;
	c->cap = (uint32_t)slots;
	return 0;
}

static void cheb_arm_add(void *state, uint32_t slot)
{
	struct cheb *c = state;

	memset(theta_of(c, slot), 0, arm_size(c->m) * sizeof(*c->arm));
	c->slots = slot + 1;
}

static void cheb_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	(void)state, (void)slot, (void)to;
}

static void cheb_serialise(const void *state, struct buf *out)
{
	const struct cheb *c = state;
	size_t n = c->slots * arm_size(c->m);

	buf_put_var(out, c->slots);
	buf_put_var(out, c->t);
	buf_put_var(out, c->n);
	buf_put_f64(out, c->most);
	buf_put_f64(out, c->least);
	buf_put_f64(out, c->sum_yy);
	buf_put_f64(out, c->sum_yl);
	buf_put_f64(out, c->sum_ll);
	for (size_t i = 0; i < n; i++) {
		buf_put_f64(out, c->arm[i]);
	}
}

static int read_state(struct cheb *c, struct rd *in, size_t slots)
{
	size_t n = slots * arm_size(c->m);

	c->t = rd_var(in);
	c->n = rd_var(in);
	c->most = rd_f64(in);
	c->least = rd_f64(in);
	c->sum_yy = rd_f64(in);
	c->sum_yl = rd_f64(in);
	c->sum_ll = rd_f64(in);
	if (!(c->least >= 0 && c->least <= c->most && c->most <= 1) || !isfinite(c->sum_yy) ||
	    !isfinite(c->sum_yl) || !isfinite(c->sum_ll)) {
		return RC_CORRUPT;
	}
	for (size_t i = 0; i < n; i++) {
		c->arm[i] = rd_f64(in);
		if (!isfinite(c->arm[i])) {
			return RC_CORRUPT;
		}
	}
	c->slots = (uint32_t)slots;
	return in->rc;
}

static int cheb_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	const struct cheb_params *p = env->params;
	size_t slots = rd_count(in, arm_size((size_t)p->degree) * sizeof(double));
	void *state;
	int rc = in->rc ? in->rc : cheb_create(env, &state);

	if (rc) {
		return rc;
	}
	rc = cheb_reserve(state, slots);
	rc = rc ? rc : read_state(state, in, slots);
	if (rc) {
		cheb_destroy(state);
		return rc;
	}
	*ret_state = state;
	return 0;
}

static int cheb_check(const void *params, struct errinfo *err)
{
	const struct cheb_params *p = params;

	return ctx_check(p->ctx_lo, p->ctx_hi, err);
}

static const char *const gamma_rules[] = {"code", "constant", NULL};

/* clang-format off */
#define AT(field) .offset = offsetof(struct cheb_params, field)
static const struct param_desc cheb_params[] = {
	{.name = "degree", .type = PARAM_INT, AT(degree), .min = 2, .max = FEATURES_MAX, .dflt = 6,
	 .text = "how many Chebyshev polynomials the cost of an arm is fitted with"},
	{.name = "gamma_rule", .type = PARAM_CHOICE, AT(gamma_rule), .choices = gamma_rules,
	 .text = "code: gamma from the errors so far, as the authors have it; constant: as given"},
	{.name = "gamma", .type = PARAM_F64, AT(gamma), .min = 0, .max = 1e12, .dflt = 1000,
	 .text = "constant: how much a gap of 1 in scaled cost takes from an arm's share"},
	{.name = "ctx_lo", .type = PARAM_F64, AT(ctx_lo), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .flags = PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "least value of the first feature that is told apart"},
	{.name = "ctx_hi", .type = PARAM_F64, AT(ctx_hi), .min = -HUGE_VAL, .max = HUGE_VAL,
	 .dflt = 1, .flags = PARAM_OPEN_MIN | PARAM_OPEN_MAX,
	 .text = "largest value of the first feature that is told apart"},
	{.name = NULL},
};

const struct policy_ops cheb_cb_ops = {
	.name = "cheb_cb",
	.summary = "the cost of each arm as a smooth function of a number that is known before",
	.version = 1,
	.flags = POLICY_CONTEXTUAL,
	.params = cheb_params,
	.params_size = sizeof(struct cheb_params),
	.check = cheb_check,
	.dim = ctx_dim,
	.bound = cheb_bound,
	.create = cheb_create,
	.destroy = cheb_destroy,
	.slots = cheb_slots,
	.reserve = cheb_reserve,
	.arm_add = cheb_arm_add,
	.arm_set = cheb_arm_set,
	.pmf = cheb_pmf,
	.note = cheb_note,
	.pulled = cheb_pulled,
	.update = cheb_update,
	.serialise = cheb_serialise,
	.deserialise = cheb_deserialise,
};
