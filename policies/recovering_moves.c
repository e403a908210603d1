/* SPDX-License-Identifier: Apache-2.0 */
/* Moves: an arm into free room, or to a shorter period in the room around it, whichever gains most,
 * until nothing gains. The gain of an arm at a period does not depend on the lane, so each period
 * is looked at once a round, in the place where the order of lanes meets it first. And a move only
 * lowers gains, and only those of its arm: the largest gain of a period stays what it was until
 * the arm that had it moves, so most periods need no look at all. */
#include <stdlib.h>

#include "policies/recovering_plan_impl.h"

#define WORTH_IT 1e-9

struct rp_seen {
	bool known, looked; /* max is right; done in this round */
	uint32_t arm;       /* who has max */
	double max;
};

struct move {
	double gain;
	uint32_t arm, lane, period;
};

static void look(struct rp_work *w, struct rp_seen *s, uint32_t q, uint32_t lane, struct move *best)
{
	uint32_t n = w->t->n, d = q < w->t->d_max ? q : w->t->d_max;
	const double *r = &w->by_d[(size_t)(d - 1) * n];

	s->looked = true;
	if (s->known && s->max <= best->gain + RP_EPS) {
		return;
	}
	s->known = true;
	s->max = -1e300;
	for (uint32_t i = 0; i < n; i++) {
		double gain = r[i] / q - w->cur[i];

		if (gain > s->max) {
			s->max = gain;
			s->arm = i;
		}
		if (gain > best->gain + RP_EPS) {
			*best = (struct move){gain, i, lane, q};
		}
	}
}

/* Periods q = p, 2p, ... until one is long enough that nothing recovers any more. */
static void look_at_lane(struct rp_work *w, uint32_t lane, struct move *best)
{
	const struct rp_lane *l = &w->lane[lane];
	uint32_t row = (l->a - 1) / 2 * RP_LEVELS;

	for (uint32_t from = 0; from < RP_LEVELS; from++) {
		if (l->count[from] == 0) {
			continue;
		}
		for (uint32_t at = from;; at++) {
			uint32_t q = l->a << at;
			struct rp_seen *s = &w->seen[row + at];

			if (!s->looked) {
				if (!s->known) {
					w->touched[w->ntouched++] = row + at;
				}
				look(w, s, q, lane, best);
			}
			if (q >= w->t->d_max) {
				break;
			}
		}
	}
}

static void look_at_arm(struct rp_work *w, uint32_t i, struct move *best)
{
	uint32_t d = w->now.period[i], lane = w->now.lane[i];
	uint32_t p = rp_lane_would_leave(&w->lane[lane], (struct rp_node){d, w->now.offset[i]});

	if (p >= d) {
		return;
	}
	for (uint32_t q = p;; q *= 2) {
		double gain = rp_rate(w->t, i, q) - w->cur[i];

		if (gain > best->gain + RP_EPS) {
			*best = (struct move){gain, i, lane, q};
		}
		if (q >= w->t->d_max) {
			break;
		}
	}
}

static struct move find_best(struct rp_work *w)
{
	struct move best = {.gain = 0};

	for (uint32_t l = 0; l < w->t->k; l++) {
		look_at_lane(w, l, &best);
	}
	for (uint32_t i = 0; i < w->t->n; i++) {
		if (w->now.period[i]) {
			look_at_arm(w, i, &best);
		}
	}
	return best;
}

static int apply(struct rp_work *w, const struct move *m)
{
	struct rp_try *now = &w->now;
	uint32_t i = m->arm, kept = 0;
	int rc = 0;

	if (now->period[i]) {
		rc = rp_lane_release(
		    &w->lane[now->lane[i]], (struct rp_node){now->period[i], now->offset[i]});
	}
	rc = rc ? rc : rp_lane_alloc(&w->lane[m->lane], m->period, &now->offset[i]);
	now->period[i] = m->period;
	now->lane[i] = m->lane;
	w->cur[i] = rp_rate(w->t, i, m->period);
	for (uint32_t j = 0; j < w->ntouched; j++) {
		struct rp_seen *s = &w->seen[w->touched[j]];

		s->looked = false;
		s->known = s->known && s->arm != i;
		if (s->known) {
			w->touched[kept++] = w->touched[j];
		}
	}
	w->ntouched = kept;
	return rc;
}

static void forget(struct rp_work *w)
{
	for (uint32_t j = 0; j < w->ntouched; j++) {
		w->seen[w->touched[j]] = (struct rp_seen){.known = false};
	}
	w->ntouched = 0;
}

int rp_improve(struct rp_work *w)
{
	int rc = 0;

	while (rc == 0 && w->now.moves < 4 * (uint64_t)w->t->n) {
		struct move best = find_best(w);

		if (!(best.gain > WORTH_IT)) {
			break;
		}
		w->now.moves++;
		rc = apply(w, &best);
	}
	forget(w);
	return rc;
}

int rp_improve_init(struct rp_work *w)
{
	size_t n = w->t->n, d_max = w->t->d_max, rows = (d_max + 1) / 2 * RP_LEVELS;

	w->seen = calloc(rows, sizeof(*w->seen));
	w->touched = calloc(rows, sizeof(*w->touched));
	w->by_d = calloc(n * d_max, sizeof(*w->by_d));
	if (!w->seen || !w->touched || !w->by_d) {
		return RC_MEMORY;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t d = 0; d < d_max; d++) {
			w->by_d[d * n + i] = w->t->r[i * d_max + d];
		}
	}
	return 0;
}

void rp_improve_release(struct rp_work *w)
{
	free(w->seen);
	free(w->touched);
	free(w->by_d);
}
