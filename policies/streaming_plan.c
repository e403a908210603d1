/* SPDX-License-Identifier: Apache-2.0 */
/* How long a test is: everything depends on rho, the decisions per offered arm. */
#include <math.h>

#include "base/num.h"
#include "policies/streaming.h"

#define TWO_THIRDS (2.0 / 3.0)
#define RHO_MIN 8.0 /* of the estimate: below it a test is hardly longer than m_min */
#define RHO_MAX 1e9
#define PRIOR_DECISIONS 1000.0
#define ARMS_LEAST 16.0 /* ln K moves so little that a small K need not be known */
#define ARMS_GUESS 1e6  /* for the number of levels, when nobody says */
#define LEVEL_STEP 1.2
#define PULLS_MAX 1e15

struct level {
	double r, cap; /* cap 0: none */
};

static const struct level default_levels[] = {{1, 4}, {4, 4}, {16, 4096}, {65536, 0}};
static const struct level short_levels[] = {{1, 2}, {2, 2}, {4, 0}};

bool stream_is_estimated(const struct stream_params *p)
{
	return !(p->horizon > 0 && p->arms_expected > 0) && !(p->ratio > 0);
}

double stream_ratio(const struct streaming *s)
{
	const struct stream_params *p = s->params;
	uint64_t arms = s->offered > s->slots ? s->offered : s->slots;
	double rho;

	if (p->horizon > 0 && p->arms_expected > 0) {
		rho = p->horizon / p->arms_expected;
		return rho < 1 ? 1 : rho;
	}
	if (p->ratio > 0) {
		return p->ratio;
	}
	rho = ((double)s->decisions + PRIOR_DECISIONS) / ((double)arms + 1);
	return rho < RHO_MIN ? RHO_MIN : rho > RHO_MAX ? RHO_MAX : rho;
}

static double arms_of(const struct streaming *s)
{
	double k = s->params->arms_expected;

	if (!(k > 0)) {
		k = (double)s->read;
		return k < ARMS_LEAST ? ARMS_LEAST : k;
	}
	return k;
}

static double third_root(double x)
{
	return x > 0 ? num_pow(x, 1.0 / 3) : 0;
}

static uint64_t pulls(double x)
{
	x = ceil(x);
	return x < 1 ? 1 : x > PULLS_MAX ? (uint64_t)PULLS_MAX : (uint64_t)x;
}

static uint64_t full_length(const struct streaming *s, double rho23)
{
	const struct stream_params *p = s->params;
	double k = arms_of(s), c = p->mode == STREAM_RACE ? 1.0 : 0.5;

	if (p->test_pulls > 0) {
		return (uint64_t)p->test_pulls;
	}
	if (p->mode == STREAM_UNIFORM) {
		return pulls(rho23 * third_root(num_log(p->horizon)));
	}
	if (p->mode == STREAM_NAIVE) {
		return pulls(rho23 * num_log(k));
	}
	if (p->delta > 0) {
		return pulls(0.7937 * rho23 * third_root(num_log(k / p->delta)));
	}
	return pulls((isnan(p->c) ? c : p->c) * rho23 * third_root(num_log(k)));
}

/* n halved as long as m_min pulls are left, each rounded up; equal ones once. */
static void plan_race(const struct stream_params *p, uint64_t n, struct stream_test *t)
{
	double m = (double)n;
	uint32_t j = 0;

	while (m / 2 >= (double)p->m_min && j + 1 < STREAM_PLAN_MAX) {
		m /= 2;
		j++;
	}
	t->nplan = 0;
	for (; j > 0; j--, m *= 2) {
		uint64_t at = pulls(m);

		if (at < n && (t->nplan == 0 || at > t->plan[t->nplan - 1])) {
			t->plan[t->nplan++] = at;
		}
	}
	t->plan[t->nplan++] = n;
}

static double level_r(const struct stream_params *p, uint32_t level)
{
	double r = 1, k = p->arms_expected > 0 ? p->arms_expected : ARMS_GUESS;

	if (p->level_r.n > 0) {
		return p->level_r.v[level];
	}
	if (p->levels == STREAM_DEFAULT) {
		return default_levels[level].r;
	}
	if (p->levels == STREAM_SHORT) {
		return short_levels[level].r;
	}
	if (p->levels == STREAM_LOGLOG && level + 1 == stream_nlevels(p)) {
		r = num_log(k);
		return r < 1 ? 1 : r;
	}
	while (level-- > 0) {
		r *= LEVEL_STEP;
	}
	return r;
}

uint32_t stream_nlevels(const struct stream_params *p)
{
	double k = p->arms_expected > 0 ? p->arms_expected : ARMS_GUESS, n = num_log(k);

	if (p->level_r.n > 0) {
		return (uint32_t)p->level_r.n;
	}
	if (p->levels == STREAM_DEFAULT) {
		return sizeof(default_levels) / sizeof(default_levels[0]);
	}
	if (p->levels == STREAM_SHORT) {
		return sizeof(short_levels) / sizeof(short_levels[0]);
	}
	n = floor(p->levels == STREAM_LOGLOG ? n > 1 ? num_log(n) : 0 : n);
	n += p->levels == STREAM_LOGLOG;
	return n < 1 ? 1 : n > STREAM_LEVELS_MAX ? STREAM_LEVELS_MAX : (uint32_t)n;
}

/* Lists of one's own instead of a preset: the last level keeps its king, so it has no capacity. */
int stream_check_levels(const struct stream_params *p, struct errinfo *err)
{
	const struct param_list *r = &p->level_r, *cap = &p->level_cap;

	if (r->n == 0 && cap->n == 0) {
		return 0;
	}
	if (r->n == 0) {
		return err_set(err, RC_INVALID, "missing_field", "/level_r",
		    "level_cap needs level_r, the lengths of the tests");
	}
	if (p->mode != STREAM_LEVELS || p->levels != STREAM_DEFAULT) {
		return err_set(err, RC_INVALID, "not_supported", "/level_r",
		    "level_r is for mode levels, and instead of levels");
	}
	if (r->width > 0 || r->n > STREAM_LEVELS_MAX) {
		return err_set(err, RC_INVALID, "wrong_type", "/level_r",
		    "level_r is at most %d numbers, one per level", STREAM_LEVELS_MAX);
	}
	if (cap->width > 0 || cap->n != r->n - 1) {
		return err_set(err, RC_INVALID, cap->n ? "wrong_type" : "missing_field",
		    "/level_cap", "level_cap is one number per level but the last, here %zu",
		    r->n - 1);
	}
	for (size_t i = 0; i < r->n; i++) {
		if (i > 0 && r->v[i] < r->v[i - 1]) {
			return err_set(err, RC_INVALID, "out_of_range", "/level_r",
			    "number %zu of level_r is less than the one before", i);
		}
		if (i < cap->n && cap->v[i] != floor(cap->v[i])) {
			return err_set(err, RC_INVALID, "out_of_range", "/level_cap",
			    "number %zu of level_cap is not whole", i);
		}
	}
	return 0;
}

uint64_t stream_level_cap(const struct streaming *s, uint32_t level)
{
	double cap = s->params->levels == STREAM_LOG ? 7 : 11;

	if (level + 1 == s->nlevels) {
		return UINT64_MAX;
	}
	if (s->params->level_cap.n > 0) {
		cap = s->params->level_cap.v[level];
	} else if (s->params->levels == STREAM_DEFAULT) {
		cap = default_levels[level].cap;
	} else if (s->params->levels == STREAM_SHORT) {
		cap = short_levels[level].cap;
	}
	return (uint64_t)cap;
}

void stream_plan(const struct streaming *s, struct stream_test *t)
{
	const struct stream_params *p = s->params;
	double rho = stream_ratio(s), rho23 = num_pow(rho, TWO_THIRDS);

	t->eps = 1 / third_root(rho);
	t->nplan = 1;
	t->n0 = 1;
	switch (p->mode) {
	case STREAM_RACE:
		plan_race(p, full_length(s, rho23), t);
		break;
	case STREAM_LEVELS:
		t->plan[0] = pulls(p->level_scale * level_r(p, t->level) * rho23);
		break;
	case STREAM_BUDGET:
		t->n0 = pulls(p->n0_scale * rho23);
		t->crowning = s->king == STREAM_NONE;
		t->plan[0] = t->crowning ? pulls(p->crown * (double)t->n0) : t->n0;
		break;
	default:
		t->plan[0] = full_length(s, rho23);
	}
}

double stream_radius(const struct streaming *s, const struct stream_test *t)
{
	double error = s->params->c_delta * t->eps, j = (double)t->nplan - 1;

	if (!(j > error)) {
		return 0;
	}
	return sqrt(num_log(j / error) / (2 * (double)t->plan[t->stage]));
}
