/* SPDX-License-Identifier: Apache-2.0 */
/* The normaliser as a function of the rate: its values at n Chebyshev points, kept up to date, and
 * the polynomial through them. */
#include <math.h>

#include "policies/exp3_fast.h"

/* cos and sin of 0 <= x <= pi/8 by their series; libm's differ from machine to machine. */
static void small_angle(double x, double *ret_cos, double *ret_sin)
{
	double c = 0, s = 0;

	for (int i = 20; i > 0; i -= 2) {
		c = (c + 1) * (-x * x / (i * (i - 1)));
		s = (s + 1) * (-x * x / (i * (i + 1)));
	}
	*ret_cos = c + 1;
	*ret_sin = (s + 1) * x;
}

/* (2 j + 1) pi / 2 n for j = 0 ... n - 1, each from the one before by a turn of pi / n. */
void exp3_cheb_angles(struct exp3_fast *f, int n)
{
	double c, s, turn_c, turn_s;

	small_angle(1.5707963267948966 / n, &c, &s);
	turn_c = c * c - s * s;
	turn_s = 2 * c * s;
	for (int j = 0; j < n; j++) {
		f->cosine[j] = c;
		f->sine[j] = s;
		c = f->cosine[j] * turn_c - f->sine[j] * turn_s;
		s = f->sine[j] * turn_c + f->cosine[j] * turn_s;
	}
}

double exp3_cheb_node(const struct exp3_fast *f, const struct exp3_side *s, int j)
{
	return (s->rate + s->top) / 2 + (s->top - s->rate) / 2 * f->cosine[j];
}

void exp3_cheb_add(struct exp3 *e, struct exp3_side *s, double r, bool subtract)
{
	for (int j = 0; j < (int)e->params->cheb_nodes; j++) {
		double weight = num_exp(exp3_cheb_node(e->fast, s, j) * (r - s->shift));

		if (subtract) {
			num_sum_sub(&s->sum[j], weight);
		} else {
			num_sum_add(&s->sum[j], weight);
		}
	}
}

double exp3_cheb_sum(const struct exp3 *e, const struct exp3_side *s, double rate, double max)
{
	double above = 0, below = 0;

	for (int j = 0; j < (int)e->params->cheb_nodes; j++) {
		double node = exp3_cheb_node(e->fast, s, j);
		double value = num_sum_value(&s->sum[j]) * num_exp(-node * (max - s->shift)),
		       weight;

		if (rate == node) {
			return value;
		}
		weight = e->fast->sine[j] / (rate - node);
		weight = j % 2 ? -weight : weight;
		above += weight * value;
		below += weight;
	}
	return above / below;
}
