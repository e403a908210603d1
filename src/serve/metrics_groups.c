/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments and their groups in the text exposition. Names come from clients, so their number is
 * bounded: the first ones are shown, the rest is counted. */
#include "base/clock.h"
#include "serve/api_impl.h"

/* Three lines each of at most 350 bytes: half of what the whole text may take. */
#define SERIES_MAX 500

struct shown {
	struct buf *decisions, *rewards, *sums;
	size_t n, hidden;
};

static void show(struct shown *s, const struct experiment *e)
{
	const struct arms *groups = experiment_groups(e);

	for (uint32_t i = 0, seen = 0; seen < groups->nactive; i++) {
		const struct arm_totals *t = &groups->totals[i];

		if (groups->arm[i].state != ARM_ACTIVE) {
			continue; /* removed */
		}
		if (s->n == SERIES_MAX) {
			s->hidden += groups->nactive - seen;
			return;
		}
		seen++;
		s->n++;
		/* Ids need no escaping. */
#define LINE(buf, what, fmt, value)                                                                \
	buf_printf(buf, "banditd_group_" what "{experiment=\"%s\",group=\"%s\"} " fmt "\n",        \
	    experiment_name(e), arms_id(groups, i), value)
		LINE(s->decisions, "decisions_total", "%llu", (unsigned long long)t->decisions);
		LINE(s->rewards, "rewards_total", "%llu", (unsigned long long)t->rewards);
		LINE(s->sums, "reward_sum", "%.17g", t->sum);
#undef LINE
	}
}

static void family(
    struct buf *out, const char *name, const char *type, const char *help, const struct buf *lines)
{
	buf_printf(out, "# HELP banditd_group_%s %s\n# TYPE banditd_group_%s %s\n", name, help,
	    name, type);
	buf_put(out, lines->data, lines->len);
}

void metrics_groups(struct engine *g, struct buf *out)
{
	struct buf decisions, rewards, sums;
	struct shown s = {.decisions = &decisions, .rewards = &rewards, .sums = &sums};

	buf_init(&decisions, out->max);
	buf_init(&rewards, out->max);
	buf_init(&sums, out->max);
	for (struct engine_item *it = engine_next(g, 0); it;
	     it = engine_next(g, engine_number(it))) {
		show(&s, engine_lock(it));
		engine_unlock(it);
	}
	if (s.n) {
		family(out, "decisions_total", "counter", "Decisions that named the group.",
		    &decisions);
		family(out, "rewards_total", "counter", "Rewards learnt of these.", &rewards);
		family(out, "reward_sum", "gauge", "Sum of these rewards.", &sums);
		buf_printf(out,
		    "# HELP banditd_groups_hidden Groups beyond the first %d.\n"
		    "# TYPE banditd_groups_hidden gauge\nbanditd_groups_hidden %zu\n",
		    SERIES_MAX, s.hidden);
	}
	buf_release(&decisions);
	buf_release(&rewards);
	buf_release(&sums);
}

void metrics_oldest(struct engine *g, struct buf *out)
{
	uint64_t now_us = clock_steady_us();
	size_t n = 0, hidden = 0;

	for (struct engine_item *it = engine_next(g, 0); it;
	     it = engine_next(g, engine_number(it))) {
		uint64_t at_us = engine_oldest_open_us(it);

		if (!at_us || n == SERIES_MAX) {
			hidden += at_us != 0;
			continue;
		}
		if (n++ == 0) {
			buf_printf(out,
			    "# HELP banditd_oldest_unrewarded_decision_seconds Age of the oldest "
			    "decision that waits for a reward.\n"
			    "# TYPE banditd_oldest_unrewarded_decision_seconds gauge\n");
		}
		buf_printf(out,
		    "banditd_oldest_unrewarded_decision_seconds{experiment=\"%s\"} %.3f\n",
		    experiment_name(engine_lock(it)),
		    now_us > at_us ? (double)(now_us - at_us) / 1e6 : 0);
		engine_unlock(it);
	}
	if (n) {
		buf_printf(out,
		    "# HELP banditd_oldest_unrewarded_hidden Experiments with such a decision "
		    "beyond the first %d.\n"
		    "# TYPE banditd_oldest_unrewarded_hidden gauge\n"
		    "banditd_oldest_unrewarded_hidden %zu\n",
		    SERIES_MAX, hidden);
	}
}
