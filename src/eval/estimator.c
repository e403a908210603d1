/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/estimator.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* The plain ones: a mean over rounds of base + weight (r - q). */
static void plain(
    const struct est_round *in, double q_target, double q, double w, struct est_term *ret)
{
	*ret = (struct est_term){
	    in->weight, in->weight * q_target, in->weight * w * (in->r - q), in->weight};
}

static void ips(const struct est_round *in, double clip, struct est_term *ret)
{
	plain(in, 0, 0, least(in->w, clip), ret);
}

static void snips(const struct est_round *in, double clip, struct est_term *ret)
{
	plain(in, 0, 0, least(in->w, clip), ret);
	ret->den = in->weight * least(in->w, clip);
}

static void dm(const struct est_round *in, double none, struct est_term *ret)
{
	(void)none;
	plain(in, in->q_target, in->q, 0, ret);
}

static void dr(const struct est_round *in, double clip, struct est_term *ret)
{
	plain(in, in->q_target, in->q, least(in->w, clip), ret);
}

static void sndr(const struct est_round *in, double clip, struct est_term *ret)
{
	dr(in, clip, ret);
	ret->den = in->weight * least(in->w, clip);
}

static void switch_dr(const struct est_round *in, double l, struct est_term *ret)
{
	plain(in, in->q_target, in->q, in->w <= l ? in->w : 0, ret);
}

static void dros(const struct est_round *in, double l, struct est_term *ret)
{
	double w = in->w;

	plain(in, in->q_target, in->q, l == HUGE_VAL ? w : w > 0 ? l * w / (w * w + l) : 0, ret);
}

static double gain(double w, double l)
{
	return w > 0 ? w / (1 - l + l * w) : 0;
}

static void sg_ips(const struct est_round *in, double l, struct est_term *ret)
{
	plain(in, 0, 0, gain(in->w, l), ret);
}

static void sg_dr(const struct est_round *in, double l, struct est_term *ret)
{
	plain(in, in->q_target, in->q, gain(in->w, l), ret);
}

/* Swaminathan et al. 2017: rewards that are sums of what each slot adds, logged slots drawn
 * independently. */
static void pseudo_inverse(const struct est_round *in, double none, struct est_term *ret)
{
	(void)none;
	plain(in, 0, 0, in->w_slots, ret);
}

static void balanced(const struct est_round *in, double none, struct est_term *ret)
{
	(void)none;
	plain(in, 0, 0, in->w_balanced, ret);
}

static void sn_balanced(const struct est_round *in, double none, struct est_term *ret)
{
	balanced(in, none, ret);
	ret->den = in->weight * in->w_balanced;
}

const struct est_kind est_kinds[] = {{"ips", "clip=", HUGE_VAL, HUGE_VAL, 0, ips},
    {"snips", "clip=", HUGE_VAL, HUGE_VAL, EST_RATIO, snips},
    {"dm", NULL, 0, 0, EST_MODEL | EST_MODEL_ALONE, dm},
    {"dr", "clip=", HUGE_VAL, HUGE_VAL, EST_MODEL, dr},
    {"sndr", "clip=", HUGE_VAL, HUGE_VAL, EST_MODEL | EST_RATIO, sndr},
    {"switch-dr", "", 5, HUGE_VAL, EST_MODEL, switch_dr},
    {"dros", "", 5, HUGE_VAL, EST_MODEL, dros}, {"sg-ips", "", 0.1, 1, 0, sg_ips},
    {"sg-dr", "", 0.1, 1, EST_MODEL, sg_dr},
    {"mrdr", "clip=", HUGE_VAL, HUGE_VAL, EST_MODEL | EST_MRDR, dr},
    /* Its terms are for the standard error, which that of snips bounds in large samples. */
    {"cressie-read", "wmax=", HUGE_VAL, HUGE_VAL, EST_RATIO | EST_LIKELIHOOD, snips},
    {"mle", "wmax=", HUGE_VAL, HUGE_VAL, EST_RATIO | EST_LIKELIHOOD | EST_TERMS, snips},
    {"pseudo-inverse", NULL, HUGE_VAL, 0, EST_SLOTS, pseudo_inverse},
    {"balanced", NULL, HUGE_VAL, 0, EST_BALANCED, balanced},
    {"sn-balanced", NULL, HUGE_VAL, 0, EST_BALANCED | EST_RATIO, sn_balanced}, {.name = NULL}};

static int parse_param(const char *text, struct estimator *e, struct errinfo *err)
{
	size_t n = e->kind->param ? strlen(e->kind->param) : 0;
	char *end;

	if (!e->kind->param || strncmp(text, e->kind->param, n) != 0) {
		return err_set(
		    err, RC_INVALID, "estimator", "", "%s takes no %s", e->kind->name, text);
	}
	text += n;
	if (e->kind->flags & EST_LIKELIHOOD) {
		e->param = strtod(text, &end);
		return *text && !*end && e->param > 1
			   ? 0
			   : err_set(err, RC_INVALID, "estimator", "",
				 "%s takes wmax=NUMBER, more than 1", e->kind->name);
	}
	e->mse = strcmp(text, "mse") == 0;
	e->slope = e->mse || strcmp(text, "slope") == 0;
	if (e->slope) {
		return 0;
	}
	e->param = strtod(text, &end);
	if (!*text || *end || !(e->param >= 0 && e->param <= e->kind->max)) {
		return err_set(err, RC_INVALID, "estimator", "",
		    "%s takes %sNUMBER, at least 0%s, %sslope or %smse", e->kind->name,
		    e->kind->param, e->kind->max == 1 ? " and at most 1" : "", e->kind->param,
		    e->kind->param);
	}
	return 0;
}

int estimator_parse(const char *text, struct estimator *ret, struct errinfo *err)
{
	size_t n = strcspn(text, ":");
	struct estimator e = {.slope = false};
	int rc = 0;

	for (const struct est_kind *k = est_kinds; k->name; k++) {
		if (strlen(k->name) == n && memcmp(k->name, text, n) == 0) {
			e.kind = k;
		}
	}
	if (!e.kind || strlen(text) >= sizeof(e.text)) {
		return err_set(
		    err, RC_INVALID, "estimator", "", "there is no estimator %.40s", text);
	}
	snprintf(e.text, sizeof(e.text), "%s", text);
	e.param = e.kind->dflt;
	rc = text[n] ? parse_param(text + n + 1, &e, err) : 0;
	if (rc == 0) {
		*ret = e;
	}
	return rc;
}

void est_sum_add(struct est_sum *s, const struct est_term *t)
{
	double v = (t->base + t->num) / t->weight;

	s->lo = s->n == 0 || v < s->lo ? v : s->lo;
	s->hi = s->n == 0 || v > s->hi ? v : s->hi;
	s->n++;
	num_sum_add(&s->weight, t->weight);
	num_sum_add(&s->base, t->base);
	num_sum_add(&s->num, t->num);
	num_sum_add(&s->den, t->den);
	s->ww += t->weight * t->weight;
	s->bb += t->base * t->base;
	s->nn += t->num * t->num;
	s->dd += t->den * t->den;
	s->wb += t->weight * t->base;
	s->wn += t->weight * t->num;
	s->wd += t->weight * t->den;
	s->bn += t->base * t->num;
	s->bd += t->base * t->den;
	s->nd += t->num * t->den;
}

static double share(double a, double b)
{
	return b != 0 ? a / b : 0;
}

double est_sum_value(const struct est_sum *s)
{
	return share(s->base.hi, s->weight.hi) + share(s->num.hi, s->den.hi);
}

/* The sum of squares of each round's influence (b - B w)/W + (m - R d)/D. */
double est_sum_se(const struct est_sum *s)
{
	double b = share(s->base.hi, s->weight.hi), r = share(s->num.hi, s->den.hi);
	double w = s->weight.hi, d = s->den.hi, n = (double)s->n, v;

	if (s->n < 2 || d == 0) {
		return 0;
	}
	v = (s->bb - 2 * b * s->wb + b * b * s->ww) / (w * w) +
	    (s->nn - 2 * r * s->nd + r * r * s->dd) / (d * d) +
	    2 * (s->bn - r * s->bd - b * s->wn + b * r * s->wd) / (w * d);
	/* A plain mean has its n - 1; for a ratio nothing makes one of them better. */
	v = s->dd == s->ww && s->wd == s->ww ? v * n / (n - 1) : v;
	return v > 0 ? sqrt(v) : 0;
}

size_t est_slope(const double *value, const double *se, size_t n, double delta)
{
	double z = num_norm_quantile(1 - delta / 2 / (double)n), lo = -HUGE_VAL, hi = HUGE_VAL;
	size_t last = 0;

	for (size_t i = 0; i < n; i++) {
		double a = value[i] - 2 * z * se[i], b = value[i] + 2 * z * se[i];

		lo = a > lo ? a : lo;
		hi = b < hi ? b : hi;
		if (lo > hi) {
			break;
		}
		last = i;
	}
	return last;
}

double est_mse_bound(double se, double lost, double n, double ww, double w_max, double delta)
{
	double l = log(2 / delta);
	double bias = fabs(lost) + sqrt(2 * ww * l / n) + 2 * w_max * l / (3 * n);

	return se * se + bias * bias;
}

const double *est_slope_grid(const struct est_kind *k, size_t *ret_n)
{
	static const double thresholds[] = {
	    HUGE_VAL, 1e4, 5e3, 2e3, 1e3, 500, 200, 100, 50, 20, 10, 5, 2, 1};
	static const double shares[] = {0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};

	*ret_n = k->max == 1 ? sizeof(shares) / sizeof(*shares)
			     : sizeof(thresholds) / sizeof(*thresholds);
	return k->max == 1 ? shares : thresholds;
}
