/* SPDX-License-Identifier: Apache-2.0 */
/* groupwise on the road that a daemon takes, in each of its kinds: groups appear as they are named,
 * feedback comes late, and a replay and a load end in the same state. */
#include "policies/groupwise_impl.h"
#include "tests/unit/experiment_rig.h"

#define STEPS 300
#define LATE 7
#define DIM 3

struct road {
	struct rig r;
	struct experiment_spec spec;
	struct spec_param param[2];
	struct buf log;
	size_t at[2 * STEPS + 2]; /* event seq's bytes */
	struct pending pending[2 * STEPS + 2];
	struct rng rng;
};

static const char *const names[] = {"young", "old", "smoker", "other", "late"};

static void road_init(struct road *w, const char *kind, const char *name, const char *value)
{
	static const char *const features[DIM] = {"one", "u", "v"};
	bool regress = strcmp(kind, "regress") == 0;

	*w = (struct road){.spec = spec_of("groupwise")};
	w->param[0] = (struct spec_param){.name = "kind", .text = kind};
	w->param[1] = (struct spec_param){.name = name, .text = value};
	w->spec.params = w->param;
	w->spec.nparams = 2;
	if (regress) {
		w->spec.narms = 0;
		w->spec.features = features;
		w->spec.nfeatures = DIM;
	}
	rig_init(&w->r, &w->spec);
	buf_init(&w->log, 1u << 24);
	w->rng = rng_at(2, 0, RNG_TEST);
}

static void road_commit(struct road *w, const struct event *ev)
{
	w->at[ev->seq] = w->log.len;
	event_encode(ev, &w->log);
	w->at[ev->seq + 1] = w->log.len;
	commit(&w->r, ev);
}

static struct event road_event(const struct road *w, struct arena *mem, uint64_t seq)
{
	struct event ev;

	ck_assert_int_eq(
	    event_decode(w->log.data + w->at[seq], w->at[seq + 1] - w->at[seq], seq, mem, &ev), 0);
	return ev;
}

static uint64_t decide(struct road *w, int step)
{
	double x[DIM] = {1, rng_uniform(&w->rng), rng_uniform(&w->rng)};
	const char *groups[3] = {names[rng_below(&w->rng, 2)],
	    names[2 + rng_below(&w->rng, step < 50 ? 2 : 3)], "all-of-them"};
	struct select_in in = {.groups = groups, .ngroups = rng_below(&w->rng, 4)};
	struct event ev;

	if (w->spec.nfeatures) {
		in.x = x;
		in.dim = DIM;
	}
	ck_assert_int_eq(experiment_select(w->r.e, &in, AT_US, &w->r.mem, &ev, &w->r.err), 0);
	road_commit(w, &ev);
	pending_start(&w->pending[ev.seq], &ev.decision);
	return ev.seq;
}

static void feed_back(struct road *w, uint64_t ref)
{
	struct event d = road_event(w, &w->r.mem, ref), ev;
	unsigned traits = experiment_traits(w->r.e);
	struct arm_reward all[3];
	struct reward_in in = {.reward = rng_uniform(&w->rng)};
	enum feedback_status status;

	if (traits & POLICY_FORECAST) {
		in.form = FORM_LABEL;
		in.reward = 0.2 + 0.5 * d.decision.x[1];
		ck_assert(d.decision.prediction >= 0 && d.decision.prediction <= 1);
	} else if (traits & POLICY_FULL) {
		for (size_t i = 0; i < 3; i++) {
			all[i] = (struct arm_reward){three[i].id, rng_uniform(&w->rng)};
		}
		in.form = FORM_REWARDS;
		in.rewards = all;
		in.nrewards = 3;
	}
	ck_assert_msg(experiment_reward(w->r.e, &d, &w->pending[ref], &in, AT_US, &w->r.mem, &ev,
			  &status, &w->r.err) == 0,
	    "%s: %s", w->r.err.pointer, w->r.err.text);
	road_commit(w, &ev);
	pending_apply(&w->pending[ref], &ev);
}

static void check_same(const struct experiment *a, const struct experiment *b, const char *what)
{
	unsigned char x[16], y[16];

	ck_assert_int_eq(experiment_digest(a, x) | experiment_digest(b, y), 0);
	ck_assert_msg(memcmp(x, y, sizeof(x)) == 0, "%s", what);
}

static void check_road(const char *kind, const char *name, const char *value)
{
	struct experiment *again, *loaded;
	uint64_t open[LATE] = {0};
	struct buf saved;
	struct road w;
	struct rd in;

	road_init(&w, kind, name, value);
	for (int i = 0; i < STEPS; i++) {
		if (open[i % LATE] && i % 11 != 3) {
			feed_back(&w, open[i % LATE]);
		}
		open[i % LATE] = decide(&w, i);
	}
	ck_assert_int_eq(experiment_new(&w.spec, &groupwise_ops, AT_US, &again, &w.r.err), 0);
	for (uint64_t seq = 2; seq <= experiment_seq(w.r.e); seq++) {
		struct event ev = road_event(&w, &w.r.mem, seq);

		ck_assert_int_eq(experiment_reserve(again, &ev), 0);
		ck_assert_int_eq(experiment_apply(again, &ev), 0);
	}
	check_same(w.r.e, again, "a replay ends elsewhere");
	buf_init(&saved, 1u << 24);
	experiment_save(w.r.e, &saved);
	rd_init(&in, saved.data, saved.len);
	ck_assert_int_eq(experiment_load(&in, policy_find, &loaded), 0);
	check_same(w.r.e, loaded, "it is loaded otherwise");
	experiment_free(again);
	experiment_free(loaded);
	buf_release(&saved);
	buf_release(&w.log);
	rig_release(&w.r);
}

START_TEST(arms_in_groups_are_replayed)
{
	check_road("arms", "form", "A");
	check_road("arms", "form", "B");
}
END_TEST

START_TEST(forecasts_in_groups_are_replayed)
{
	check_road("regress", "learner", "ridge");
}
END_TEST

START_TEST(losses_of_all_arms_in_groups_are_replayed)
{
	check_road("experts", "learner", "hedge");
	check_road("experts", "learner", "ftpl");
}
END_TEST

START_TEST(a_forecast_needs_features)
{
	struct experiment_spec spec = spec_of("groupwise");
	struct spec_param kind = {.name = "kind", .text = "regress"};
	struct errinfo err = {.rc = 0};
	struct experiment *e;

	spec.params = &kind;
	spec.nparams = 1;
	ck_assert_int_eq(experiment_new(&spec, &groupwise_ops, AT_US, &e, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, "/features");
}
END_TEST

RUN("groupwise_road", arms_in_groups_are_replayed, forecasts_in_groups_are_replayed,
    losses_of_all_arms_in_groups_are_replayed, a_forecast_needs_features)
