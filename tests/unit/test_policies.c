/* SPDX-License-Identifier: Apache-2.0 */
/* What every policy promises, held against each one in the table with all its settings, on the road
 * that a daemon takes: select, reward, apply. The hooks by themselves: test_policies_hooks.c. */
#include <math.h>
#include <stdio.h>

#include "needed.h"
#include "policies/policies.h"
#include "test.h"
#include "world.h"

#define RECENT 32
#define LIFE_ARMS 5
#define LIFE_STEPS 400

static const struct settings troubled = {
    .label = "",
    .window_us = 100,
    .late = LATE_LEARN,
};

/* Policies that answer with slates alone have a life of their own in their tests. */
static bool is_slate(const struct policy_ops *ops)
{
	return ops->flags & POLICY_SLATE;
}

static void for_each_variant(void (*claim)(const struct variant *v))
{
	struct variant v;

	for (const struct policy_ops *const *ops = policy_table; *ops; ops++) {
		for (size_t i = 0; !is_slate(*ops) && variant_next(*ops, &i, &v);) {
			claim(&v);
		}
	}
}

static void for_each_policy(void (*claim)(const struct variant *v))
{
	struct variant v;
	size_t i;

	for (const struct policy_ops *const *ops = policy_table; *ops; ops++) {
		i = 0;
		ck_assert(variant_next(*ops, &i, &v));
		if (!is_slate(*ops)) {
			claim(&v);
		}
	}
}

/* The defaults and every choice, but not the ends of ranges. */
static void for_each_form(void (*claim)(const struct variant *v))
{
	struct variant v;
	bool ends;

	for (const struct policy_ops *const *ops = policy_table; *ops; ops++) {
		struct spec_param needed;
		size_t given = policy_needs(*ops, &needed);

		for (size_t i = 0; !is_slate(*ops) && variant_next(*ops, &i, &v);) {
			ends = false;
			for (size_t k = given; k < v.nparams; k++) {
				ends = ends || !v.param[k].text;
			}
			if (!ends && (!given || v.param[0].number == needed.number)) {
				claim(&v);
			}
		}
	}
}

/* A distribution over the eligible arms, and the pick's propensity is its entry. */
static void check_pmf(const struct world *w, const struct event_decision *d)
{
	double sum = 0, entry = -1;

	if (!w->v->ops->pmf) { /* it chooses: the log has no more than the pick */
		must(w->v, experiment_arms(w->e)->arm[d->picks[0].slot].state == ARM_ACTIVE,
		    "not active");
		must(w->v, d->picks[0].propensity > 0 && d->picks[0].propensity <= 1,
		    "not a probability");
		return;
	}
	must(w->v, d->pmf != NULL, "no pmf");
	for (size_t i = 0; i < d->nslots; i++) {
		must(w->v, d->pmf[i] >= 0 && d->pmf[i] <= 1, "not a probability");
		must(w->v, experiment_arms(w->e)->arm[d->slots[i]].state == ARM_ACTIVE,
		    "not active");
		sum += d->pmf[i];
		entry = d->slots[i] == d->picks[0].slot ? d->pmf[i] : entry;
	}
	must(w->v, fabs(sum - 1) < 1e-9, "does not sum to 1");
	must(w->v, entry == d->picks[0].propensity, "logs another propensity");
}

/* A decision over some of the arms, named or excluded, perhaps deferred. */
static uint64_t select_some(struct world *w)
{
	const struct arms *arms = experiment_arms(w->e);
	const char *ids[2] = {w->ids[arms->active[rng_below(&w->rng, arms->nactive)]],
	    w->ids[rng_below(&w->rng, arms->n)]};
	struct select_in in = {.defer = rng_below(&w->rng, 8) == 0, .want_pmf = true};
	struct event ev;

	if (rng_below(&w->rng, 4) == 0) {
		in.eligible = ids;
		in.neligible = 1 + rng_below(&w->rng, 2);
		in.has_eligible = true;
	} else if (arms->nactive > 1 && rng_below(&w->rng, 4) == 0) {
		in.exclude = ids;
		in.nexclude = 1;
	}
	ev = world_select(w, &in);
	check_pmf(w, &ev.decision);
	return ev.seq;
}

static void trouble_arms(struct world *w)
{
	const struct arms *arms = experiment_arms(w->e);
	uint32_t slot = (uint32_t)rng_below(&w->rng, arms->n);

	switch (rng_below(&w->rng, 8)) {
	case 0:
		if (arms->n < 3 * LIFE_ARMS) {
			world_add_arm(w);
		}
		break;
	case 1:
		if (arms->nactive > 2) {
			world_set_arm(w, slot, ARM_RETIRED);
		}
		break;
	case 2:
	case 3:
		if (arms->nactive > 1) {
			world_set_arm(w, slot, ARM_PAUSED);
		}
		break;
	default:
		if (arms->arm[slot].state == ARM_PAUSED) {
			world_set_arm(w, slot, ARM_ACTIVE);
		}
	}
}

/* Decisions whose rewards come late, twice, out of order or never, among arms that come and go. */
static void live(struct world *w, int steps)
{
	uint64_t recent[RECENT] = {0}, ref;
	double reward;

	for (int i = 0; i < steps; i++) {
		recent[i % RECENT] = select_some(w);
		ref = recent[rng_below(&w->rng, RECENT)];
		reward = rng_uniform(&w->rng);
		if (!ref) {
			continue;
		}
		switch (rng_below(&w->rng, 10)) {
		case 0:
			world_expire(w, ref);
			break;
		case 1:
			world_void(w, ref);
			break;
		case 2:
			world_activate(w, ref);
			break;
		case 3:
			trouble_arms(w);
			break;
		default:
			if (!(w->pending[ref].flags & PENDING_VOID)) {
				world_reward(w, ref, reward < 0.3 ? 0 : reward);
			}
		}
	}
}

static struct world *lived(const struct variant *v, int steps)
{
	struct world *w = world_new(v, LIFE_ARMS, &troubled);

	if (w) {
		live(w, steps);
	}
	return w;
}

static void claim_select_leaves_the_state(const struct variant *v)
{
	struct world *w = lived(v, 50);
	unsigned char before[16], after[16];
	struct event ev;

	for (int i = 0; w && i < 50; i++) {
		ck_assert_int_eq(experiment_digest(w->e, before), 0);
		arena_reset(&w->mem);
		ck_assert_int_eq(
		    experiment_select(w->e,
			&(struct select_in){
			    .x = w->x, .dim = w->spec.nfeatures, .subject = subject_name(0)},
			w->now_us, &w->mem, &ev, NULL),
		    0);
		ck_assert_int_eq(experiment_digest(w->e, after), 0);
		ck_assert_msg(memcmp(before, after, sizeof(after)) == 0, "%s", v->text);
		live(w, 1);
	}
	world_free(w);
}

START_TEST(select_leaves_the_state_unchanged)
{
	for_each_variant(claim_select_leaves_the_state);
}
END_TEST

static void claim_replay_agrees(const struct variant *v)
{
	struct world *w = lived(v, LIFE_STEPS);
	struct experiment *again;

	if (w) {
		again = world_replay(w);
		ck_assert_msg(same_state(w->e, again), "%s", v->text);
		experiment_free(again);
	}
	world_free(w);
}

START_TEST(replay_agrees)
{
	for_each_variant(claim_replay_agrees);
}
END_TEST

static int load(const unsigned char *p, size_t n, struct experiment **ret)
{
	struct rd in;

	rd_init(&in, p, n);
	return experiment_load(&in, policy_find, ret);
}

/* A loaded experiment has the same state, decides the same and goes on the same. */
static void claim_load_goes_on_alike(const struct variant *v)
{
	struct world *w = lived(v, LIFE_STEPS);
	struct experiment *loaded;
	struct buf saved;
	uint64_t from;

	if (!w) {
		return;
	}
	buf_init(&saved, 1u << 24);
	experiment_save(w->e, &saved);
	ck_assert_int_eq(saved.rc, 0);
	ck_assert_msg(load(saved.data, saved.len, &loaded) == 0, "%s", v->text);
	ck_assert_msg(same_state(w->e, loaded), "%s", v->text);
	from = experiment_seq(w->e);
	live(w, 50);
	for (uint64_t seq = from + 1; seq <= experiment_seq(w->e); seq++) {
		struct event ev = world_event(w, seq), mine;

		if (ev.kind == EVENT_DECISION && !(ev.decision.flags & DECISION_RESTRICTED)) {
			arena_reset(&w->mem);
			ck_assert_int_eq(experiment_select(loaded,
					     &(struct select_in){.x = ev.decision.x,
						 .dim = ev.decision.dim,
						 .subject = ev.decision.subject,
						 .want_pmf = v->ops->pmf != NULL},
					     ev.at_us, &w->mem, &mine, NULL),
			    0);
			ck_assert_msg(mine.decision.picks[0].slot == ev.decision.picks[0].slot &&
					  mine.decision.picks[0].propensity ==
					      ev.decision.picks[0].propensity,
			    "%s: decides otherwise after a load", v->text);
		}
		ck_assert_int_eq(experiment_apply(loaded, &ev), 0);
	}
	ck_assert_msg(same_state(w->e, loaded), "%s: differs in the end", v->text);
	experiment_free(loaded);
	buf_release(&saved);
	world_free(w);
}

START_TEST(save_and_load_are_inverse)
{
	for_each_variant(claim_load_goes_on_alike);
}
END_TEST

static void claim_damage_is_refused(const struct variant *v)
{
	struct world *w = lived(v, 60);
	struct experiment *loaded;
	struct buf saved, again;

	if (!w) {
		return;
	}
	buf_init(&saved, 1u << 24);
	buf_init(&again, 1u << 24);
	experiment_save(w->e, &saved);
	for (size_t n = 0; n < saved.len; n++) {
		ck_assert_msg(load(saved.data, n, &loaded) != 0, "%s: takes %zu of %zu bytes",
		    v->text, n, saved.len);
	}
	for (int i = 0; i < 300; i++) {
		size_t at = rng_below(&w->rng, saved.len);
		unsigned char was = saved.data[at];

		saved.data[at] = (unsigned char)rng_u64(&w->rng);
		if (load(saved.data, saved.len, &loaded) == 0) {
			buf_reset(&again);
			experiment_save(loaded, &again);
			experiment_free(loaded);
			ck_assert_msg(again.len == saved.len &&
					  memcmp(again.data, saved.data, saved.len) == 0,
			    "%s: takes what it cannot have written, byte %zu of %zu: %d for %d",
			    v->text, at, saved.len, saved.data[at], was);
		}
		saved.data[at] = was;
	}
	buf_release(&saved);
	buf_release(&again);
	world_free(w);
}

START_TEST(damaged_states_are_refused)
{
	for_each_form(claim_damage_is_refused);
}
END_TEST

/* Rewards of a Bernoulli instance, at once; counts[a] - expected[a] is a martingale. */
static void claim_propensities_are_calibrated(const struct variant *v)
{
	static const double mean[4] = {0.7, 0.5, 0.5, 0.2};
	struct world *w = world_new(v, 4, NULL);
	double count[4] = {0}, expected[4] = {0}, variance[4] = {0};

	for (int i = 0; w && v->ops->pmf && i < 2000; i++) {
		struct event ev = world_select(w, &(struct select_in){.want_pmf = true});
		uint32_t slot = ev.decision.picks[0].slot;

		check_pmf(w, &ev.decision);
		count[slot]++;
		for (size_t a = 0; a < 4; a++) {
			expected[a] += ev.decision.pmf[a];
			variance[a] += ev.decision.pmf[a] * (1 - ev.decision.pmf[a]);
		}
		world_reward(w, ev.seq, rng_uniform(&w->rng) < mean[slot]);
	}
	for (size_t a = 0; a < 4; a++) {
		ck_assert_msg(fabs(count[a] - expected[a]) <= 4.5 * sqrt(variance[a]) + 1e-6,
		    "%s: arm %zu drawn %g times, expected %g (%g)", v->text, a, count[a],
		    expected[a], sqrt(variance[a]));
	}
	world_free(w);
}

START_TEST(propensities_are_calibrated)
{
	for_each_variant(claim_propensities_are_calibrated);
}
END_TEST

static void claim_one_arm_is_certain(const struct variant *v)
{
	struct world *w = world_new(v, 1, &troubled);

	for (int i = 0; w && i < 20; i++) {
		struct event ev = world_select(w, &(struct select_in){.id = NULL});

		ck_assert_uint_eq(ev.decision.picks[0].slot, 0);
		ck_assert_msg(ev.decision.picks[0].propensity == 1, "%s", v->text);
		if (i % 3) {
			world_reward(w, ev.seq, i % 2);
		} else {
			world_expire(w, ev.seq);
		}
	}
	world_free(w);
}

START_TEST(one_arm_is_certain)
{
	for_each_variant(claim_one_arm_is_certain);
}
END_TEST

/* Those that promise nothing on such an instance, and why. */
static bool need_not_learn(const char *name)
{
	return strcmp(name, "uniform") == 0 || /* learns nothing */
	       strcmp(name, "ucb1_flad") == 0; /* forgets: regret is linear on stationary data */
}

static void claim_beats_uniform(const struct variant *v)
{
	enum { ARMS = 5, PLAYS = 3000 };
	struct world *w;
	double regret = 0;

	if (need_not_learn(v->ops->name)) {
		return;
	}
	w = world_new(v, ARMS, NULL);
	for (int i = 0; i < PLAYS; i++) {
		struct event ev = world_select(w, &(struct select_in){.id = NULL});
		double mean = ev.decision.picks[0].slot == 2 ? 0.8 : 0.2;

		regret += 0.8 - mean;
		world_reward(w, ev.seq, rng_uniform(&w->rng) < mean);
	}
	ck_assert_msg(regret < 0.5 * 0.6 * PLAYS * (ARMS - 1) / ARMS,
	    "%s: regret %g of %g by uniform play", v->text, regret,
	    0.6 * PLAYS * (ARMS - 1) / ARMS);
	world_free(w);
}

START_TEST(learning_beats_uniform)
{
	for_each_policy(claim_beats_uniform);
}
END_TEST

RUN("policies", select_leaves_the_state_unchanged, replay_agrees, save_and_load_are_inverse,
    damaged_states_are_refused, propensities_are_calibrated, one_arm_is_certain,
    learning_beats_uniform)
