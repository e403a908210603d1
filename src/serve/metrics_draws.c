/* SPDX-License-Identifier: Apache-2.0 */
/* Do draws follow the propensities that are written beside them, and how much do they explore?
 *
 * The arm drawn most often before a decision has a known probability p in it. Whoever bets on such
 * draws at these odds cannot expect to gain, however the policy moves its propensities: his wealth
 * is a nonnegative martingale, so that it ever reaches 1/alpha has a probability of at most alpha
 * (Ville 1939; Shafer, "Testing by betting", 2021). It may be looked at as often as one likes, as a
 * test for a fixed ratio of samples may not. Four bettors share the stake: the arm comes more often
 * or more rarely than p, by much or by little.
 *
 * The mean of -ln(propensity of what was drawn) estimates the mean entropy of the distributions. */
#include <math.h>

#include "serve/metrics_impl.h"

static const double tilt[DRAWS_BETTORS] = {0.25, 0.02, -0.02, -0.25};

/* Each bettor believes in odds that are those of p times 1 + tilt. */
static void bet(struct draws *w, double p, bool drawn)
{
	w->watched++;
	w->drawn += drawn;
	w->expected += p;
	for (int i = 0; i < DRAWS_BETTORS; i++) {
		double up = 1 + tilt[i], whole = p * up + (1 - p);

		w->wealth_log[i] += log((drawn ? up : 1) / whole);
	}
}

void draws_add(struct draws *w, const struct event_decision *d)
{
	if (d->npicks != 1 || (d->flags & (DECISION_SLATE | DECISION_FORECAST))) {
		return;
	}
	w->answers++;
	w->nats -= log(d->picks[0].propensity);
	if (d->watched.p > 0) {
		bet(w, d->watched.p, d->watched.drawn);
	}
}

double draws_evidence(const struct draws *w)
{
	double most = w->wealth_log[0], sum = 0;

	for (int i = 1; i < DRAWS_BETTORS; i++) {
		most = fmax(most, w->wealth_log[i]);
	}
	for (int i = 0; i < DRAWS_BETTORS; i++) {
		sum += exp(w->wealth_log[i] - most);
	}
	return most + log(sum / DRAWS_BETTORS);
}

void draws_render(const struct draws *of, const char *const *policies, struct buf *out)
{
#define FAMILY(name, type, help, used, fmt, value)                                                 \
	metrics_head(out, name, type, help);                                                       \
	for (size_t p = 0; p < METRICS_POLICIES_MAX && policies[p]; p++) {                         \
		const struct draws *w = &of[p];                                                    \
		if (used) {                                                                        \
			buf_printf(out, name "{policy=\"%s\"} " fmt "\n", policies[p], value);     \
		}                                                                                  \
	}
	FAMILY("banditd_exploration_nats_total", "counter",
	    "Sum of -ln(propensity) of answers with one arm; per answer, the entropy of the draws.",
	    w->answers, "%.17g", w->nats)
	FAMILY("banditd_exploration_answers_total", "counter", "Answers in that sum.", w->answers,
	    "%llu", (unsigned long long)w->answers)
	FAMILY("banditd_watched_decisions_total", "counter",
	    "Decisions that might have drawn the arm drawn most often before.", w->watched, "%llu",
	    (unsigned long long)w->watched)
	FAMILY("banditd_watched_draws_total", "counter", "Those that drew it.", w->watched, "%llu",
	    (unsigned long long)w->drawn)
	FAMILY("banditd_watched_propensity_total", "counter",
	    "Sum of its propensities: how many draws were to be expected.", w->watched, "%.17g",
	    w->expected)
	FAMILY("banditd_draws_evidence_nats", "gauge",
	    "ln of the evidence that draws do not follow propensities; beyond 6.9 is one in 1000.",
	    w->watched, "%.17g", draws_evidence(w))
#undef FAMILY
}
