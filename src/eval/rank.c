/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/rank.h"

#include <assert.h>
#include <math.h>

void rank_by(const double *score, size_t n, uint32_t *ret_order)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = i;

		for (; k > 0 && score[ret_order[k - 1]] < score[i]; k--) {
			ret_order[k] = ret_order[k - 1];
		}
		ret_order[k] = (uint32_t)i;
	}
}

double rank_wins(const double *value, size_t places, size_t n, uint32_t a, uint32_t b)
{
	double wins = 0;

	for (size_t p = 0; p < places; p++) {
		const double *row = value + p * n;

		wins += row[a] > row[b] ? 1 : row[a] == row[b] ? 0.5 : 0;
	}
	return wins;
}

void rank_borda(const double *value, size_t places, size_t n, double *ret_points)
{
	for (uint32_t a = 0; a < n; a++) {
		ret_points[a] = 0;
		for (uint32_t b = 0; b < n; b++) {
			ret_points[a] += a == b ? 0 : rank_wins(value, places, n, a, b);
		}
	}
}

double rank_distance(const double *value, size_t places, size_t n, const uint32_t *order)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n; k++) {
			sum += rank_wins(value, places, n, order[k], order[i]);
		}
	}
	return sum;
}

/* least[set]: what the best order of the members of set costs among themselves. The next one on top
 * of an order of the others pays for each of them that beats it. Numbers are halves of whole ones,
 * so they are compared exactly. */
double rank_kemeny(const double *value, size_t places, size_t n, uint32_t *ret_order)
{
	double least[1 << RANK_KEMENY_MAX], loses[RANK_KEMENY_MAX][RANK_KEMENY_MAX];
	uint8_t top[1 << RANK_KEMENY_MAX];
	uint32_t all = (1U << n) - 1;

	assert(n <= RANK_KEMENY_MAX);
	for (uint32_t a = 0; a < n; a++) {
		for (uint32_t b = 0; b < n; b++) {
			loses[a][b] = rank_wins(value, places, n, b, a);
		}
	}
	least[0] = 0;
	for (uint32_t set = 1; set <= all; set++) {
		least[set] = HUGE_VAL;
		for (uint32_t a = 0; a < n; a++) {
			double cost;

			if (!(set >> a & 1)) {
				continue;
			}
			cost = least[set & ~(1U << a)];
			for (uint32_t b = 0; b < n; b++) {
				cost += b != a && set >> b & 1 ? loses[a][b] : 0;
			}
			if (cost < least[set]) {
				least[set] = cost;
				top[set] = (uint8_t)a;
			}
		}
	}
	for (uint32_t set = all, i = 0; set; i++) {
		ret_order[i] = top[set];
		set &= ~(1U << top[set]);
	}
	return least[all];
}
