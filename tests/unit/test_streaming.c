/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming against the traces of its reference, worked out apart from this code. */
#include "stream_rig.h"

static void check_length(enum stream_mode mode, double delta, uint64_t want)
{
	struct stream_rig r;

	init(&r, mode);
	set(&r, "horizon", 500000);
	set(&r, "arms_expected", 500);
	set(&r, "delta", delta);
	start(&r, 1);
	ck_assert_uint_eq(state(&r)->test.plan[state(&r)->test.nplan - 1], want);
	streaming_ops.destroy(r.state);
}

START_TEST(tests_are_as_long_as_in_the_reference)
{
	check_length(STREAM_UNIFORM, 0, 236);
	check_length(STREAM_NAIVE, 0, 622);
	check_length(STREAM_TUNED, 0, 92);
	check_length(STREAM_TUNED, 0.05, 167);
	check_length(STREAM_RACE, 0, 184);
}
END_TEST

START_TEST(a_race_has_the_checkpoints_and_radii_of_the_reference)
{
	static const uint64_t plan[] = {12, 23, 46, 92, 184};
	static const double radius[] = {
	    0.459853863347, 0.332159397803, 0.234872162621, 0.166079698901};
	struct stream_rig r;
	struct stream_test t;

	init(&r, STREAM_RACE);
	set(&r, "ratio", 1000);
	set(&r, "arms_expected", 500);
	start(&r, 1);
	t = state(&r)->test;
	ck_assert_uint_eq(t.nplan, 5);
	for (uint32_t j = 0; j < 5; j++) {
		ck_assert_uint_eq(t.plan[j], plan[j]);
	}
	for (t.stage = 0; t.stage < 4; t.stage++) {
		ck_assert_double_eq_tol(stream_radius(state(&r), &t), radius[t.stage], 1e-11);
	}
	streaming_ops.destroy(r.state);
}
END_TEST

static const char *const outcomes[] = {
    "1001010010010001", "1101011011101101", "0000000100000000", "1011011001101011"};

/* a, c, b, d come in this order; in `plays` A is a after it was crowned. */
static void trace(struct stream_rig *r, const char *plays)
{
	static const char names[] = "acbd";
	size_t pulls[4] = {0};

	start(r, 4);
	for (const char *p = plays; *p; p++) {
		struct play got = pull(r);
		uint32_t slot = got.pick.slot;

		ck_assert_int_eq(role(&got) == 't' ? names[slot] : names[slot] - 'a' + 'A', *p);
		ck_assert_double_eq(got.pick.propensity, 1);
		reward(r, &got, outcomes[slot][pulls[slot]++ % 16] - '0');
	}
}

static void check_kings(struct stream_rig *r, double bench, double deputy)
{
	ck_assert_uint_eq(state(r)->king, 1);
	ck_assert_double_eq_tol(state(r)->bench, bench, 1e-12);
	ck_assert_uint_eq(state(r)->deputy, 0);
	ck_assert_double_eq_tol(state(r)->deputy_bench, deputy, 1e-12);
	streaming_ops.destroy(r->state);
}

START_TEST(tuned_goes_as_in_the_reference)
{
	struct stream_rig r;

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 8);
	trace(&r, "aaaaaaaaccccccccbbbbbbbbddddddddCC");
	check_kings(&r, 0.625, 0.375);
}
END_TEST

START_TEST(race_goes_as_in_the_reference)
{
	struct stream_rig r;

	init(&r, STREAM_RACE);
	set(&r, "test_pulls", 16);
	set(&r, "m_min", 4);
	set(&r, "ratio", 1);
	trace(&r, "aaaaaaaaaaaaaaaaccccccccccccccccbbbbddddddddddddddddCC");
	check_kings(&r, 0.6875, 0.375);
}
END_TEST

START_TEST(budget_goes_as_in_the_reference)
{
	struct stream_rig r;

	init(&r, STREAM_BUDGET);
	set(&r, "ratio", 64);
	trace(&r, "aaaaacccccccccccccccccbbbbddddCC");
	ck_assert_double_eq_tol(state(&r)->phi, 12.8, 1e-12);
	check_kings(&r, 0.8, 0.4);
}
END_TEST

START_TEST(levels_go_as_in_the_reference)
{
	struct stream_rig r;

	init(&r, STREAM_LEVELS);
	set(&r, "levels", STREAM_SHORT);
	set(&r, "level_scale", 2);
	set(&r, "ratio", 1);
	trace(&r, "aaccccccbbddddddddddddddDD");
	ck_assert_uint_eq(stream_champion(state(&r)), 3);
	ck_assert_double_eq(state(&r)->level[2].bench, 0.5);
	streaming_ops.destroy(r.state);
}
END_TEST

START_TEST(levels_of_ones_own_go_as_the_preset_they_spell)
{
	static const double r[] = {1, 2, 4}, cap[] = {2, 2};
	struct stream_rig rig;

	init(&rig, STREAM_LEVELS);
	rig.params.level_r = (struct param_list){.v = r, .n = 3};
	rig.params.level_cap = (struct param_list){.v = cap, .n = 2};
	set(&rig, "level_scale", 2);
	set(&rig, "ratio", 1);
	trace(&rig, "aaccccccbbddddddddddddddDD");
	ck_assert_uint_eq(stream_champion(state(&rig)), 3);
	ck_assert_double_eq(state(&rig)->level[2].bench, 0.5);
	streaming_ops.destroy(rig.state);
}
END_TEST

static void refuse_levels(
    const double *r, size_t nr, const double *cap, size_t ncap, const char *pointer)
{
	struct errinfo err = {.rc = 0};
	struct stream_rig rig;

	init(&rig, STREAM_LEVELS);
	rig.params.level_r = (struct param_list){.v = r, .n = nr};
	rig.params.level_cap = (struct param_list){.v = cap, .n = ncap};
	ck_assert_int_eq(streaming_ops.check(&rig.params, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, pointer);
}

START_TEST(levels_that_cannot_be_are_refused_by_name)
{
	static const double r[STREAM_LEVELS_MAX + 1] = {1, 2, 1}, cap[] = {2, 1.5, 3},
						  whole[] = {2, 2};
	struct errinfo err = {.rc = 0};
	struct stream_rig rig;

	refuse_levels(r, 0, cap, 1, "/level_r");
	refuse_levels(r, 3, whole, 2, "/level_r");
	refuse_levels(r, 2, cap, 0, "/level_cap");
	refuse_levels(r, 2, cap, 2, "/level_cap");
	refuse_levels(r, 2, cap + 1, 1, "/level_cap");
	refuse_levels(r, STREAM_LEVELS_MAX + 1, cap, 1, "/level_r");
	init(&rig, STREAM_RACE);
	rig.params.level_r = (struct param_list){.v = r, .n = 1};
	ck_assert_int_eq(streaming_ops.check(&rig.params, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, "/level_r");
	set(&rig, "mode", STREAM_LEVELS);
	ck_assert_int_eq(streaming_ops.check(&rig.params, &err), 0);
	set(&rig, "levels", STREAM_LOG);
	ck_assert_int_eq(streaming_ops.check(&rig.params, &err), RC_INVALID);
}
END_TEST

/* a and b, three pulls a test, with rewards late, lost and twice. */
START_TEST(service_goes_as_in_the_reference)
{
	struct stream_rig r;
	struct play p[11];

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 3);
	start(&r, 2);
	for (int i = 1; i <= 3; i++) {
		p[i] = expect(&r, 'a', 't');
	}
	p[4] = expect(&r, 'a', 'f');
	reward(&r, &p[1], 1);
	reward(&r, &p[3], 0);
	p[5] = expect(&r, 'a', 'f');
	lose(&r, &p[2], false);
	p[6] = expect(&r, 'a', 't');
	reward(&r, &p[4], 1);
	ck_assert_uint_eq(state(&r)->king, STREAM_NONE);
	reward(&r, &p[6], 1);
	ck_assert_uint_eq(state(&r)->king, 0);
	ck_assert_double_eq_tol(state(&r)->bench, 0.666666666667, 1e-12);
	for (int i = 7; i <= 9; i++) {
		p[i] = expect(&r, 'b', 't');
	}
	p[10] = expect(&r, 'a', 'k');
	reward(&r, &p[2], 1);
	ck_assert_uint_eq(state(&r)->test.cnt, 0);
	for (int i = 7; i <= 9; i++) {
		reward(&r, &p[i], 1);
	}
	ck_assert_uint_eq(state(&r)->king, 1);
	ck_assert_double_eq(state(&r)->bench, 1);
	ck_assert_uint_eq(state(&r)->deputy, 0);
	streaming_ops.arm_set(r.state, 1, ARM_RETIRED);
	ck_assert_uint_eq(state(&r)->king, 0);
	ck_assert_double_eq_tol(state(&r)->bench, 0.666666666667, 1e-12);
	streaming_ops.destroy(r.state);
}
END_TEST

static double frac(double x)
{
	return x - floor(x);
}

static const struct run {
	enum stream_mode mode;
	uint32_t king;
	double total, tests, bench;
} runs[] = {
    {STREAM_UNIFORM, 71, 176425, 46200, 0.995670995671},
    {STREAM_TUNED, 71, 190630, 17600, 0.988636363636},
    {STREAM_RACE, 71, 196897, 10882, 0.994285714286},
    {STREAM_BUDGET, 54, 194245, 6535, 1},
    {STREAM_LEVELS, 71, 192877, 30400, 0.99625},
};

static void check_run(const struct run *want)
{
	static uint64_t pulls[200];
	struct stream_rig r;
	double total = 0, tests = 0;

	memset(pulls, 0, sizeof(pulls));
	init(&r, want->mode);
	set(&r, "horizon", 200000);
	set(&r, "arms_expected", 200);
	start(&r, 200);
	stream_close(r.state);
	for (int t = 0; t < 200000; t++) {
		struct play p = pull(&r);
		double k = p.pick.slot, i = (double)pulls[p.pick.slot]++;
		bool won = frac((i + 1) * sqrt(2) + k * sqrt(3)) < frac((k + 1) * sqrt(5));

		total += won;
		tests += role(&p) == 't';
		reward(&r, &p, won);
	}
	ck_assert_uint_eq(stream_champion(state(&r)), want->king);
	ck_assert_double_eq_tol(
	    want->mode == STREAM_LEVELS ? state(&r)->level[2].bench : state(&r)->bench, want->bench,
	    1e-12);
	ck_assert_double_eq(tests, want->tests);
	ck_assert_double_eq(total, want->total);
	streaming_ops.destroy(r.state);
}

START_TEST(two_hundred_arms_go_as_in_the_reference)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		check_run(&runs[i]);
	}
}
END_TEST

/* Arms come with this probability per decision. */
static void arrive(double often, int decisions, double most_tests, size_t most_waiting)
{
	static double mean[4096];
	struct stream_rig r;
	size_t tests = 0, waiting = 0;

	init(&r, STREAM_RACE);
	start(&r, 0);
	for (int t = 0; t < decisions && r.n < MANY; t++) {
		struct play p;

		if (r.n == 0 || rng_uniform(&r.rng) < often) {
			mean[r.n] = rng_uniform(&r.rng);
			add(&r, 1);
		}
		p = pull(&r);
		tests += role(&p) == 't';
		reward(&r, &p, rng_uniform(&r.rng) < mean[p.pick.slot]);
		if (r.n - state(&r)->read > waiting) {
			waiting = r.n - state(&r)->read;
		}
	}
	ck_assert_double_lt((double)tests, most_tests * decisions);
	ck_assert_uint_lt(waiting, most_waiting);
	streaming_ops.destroy(r.state);
}

START_TEST(an_estimated_ratio_keeps_the_backlog_short)
{
	arrive(1.0 / 500, 200000, 0.3, 20);
	arrive(1.0 / 25, 10000, 0.8, 100);
}
END_TEST

/* Best mean less the king's after one pass, and the pulls of its tests. Outcome i of an arm is the
 * same in every mode. */
static double commit(enum stream_mode mode, uint64_t seed, uint32_t *ret_king, size_t *ret_tests)
{
	static double mean[200];
	struct rng means = rng_at(seed, 0, RNG_TEST);
	struct stream_rig r;
	double best = 0;

	init(&r, mode);
	set(&r, "ratio", 512);
	set(&r, "test_pulls", 50);
	start(&r, 200);
	for (size_t i = 0; i < 200; i++) {
		mean[i] = rng_uniform(&means);
		best = mean[i] > best ? mean[i] : best;
	}
	*ret_tests = 0;
	while (state(&r)->test.arm != STREAM_NONE) {
		struct play p = pull(&r);
		struct rng luck =
		    rng_at(seed, 1 + p.pick.slot * 64 + state(&r)->test.cnt, RNG_TEST);

		++*ret_tests;
		reward(&r, &p, rng_uniform(&luck) < mean[p.pick.slot]);
	}
	*ret_king = state(&r)->king;
	streaming_ops.destroy(r.state);
	return best - mean[*ret_king];
}

START_TEST(a_race_ends_with_the_king_of_the_full_tests_for_less)
{
	uint32_t full, raced;
	size_t tests, fewer;
	double gap = 0;
	int differ = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		gap += commit(STREAM_TUNED, seed, &full, &tests) / 40;
		ck_assert_uint_eq(tests, 200 * 50);
		commit(STREAM_RACE, seed, &raced, &fewer);
		ck_assert_uint_lt(fewer, tests * 2 / 3);
		differ += full != raced;
	}
	ck_assert_double_le(gap, 0.2302); /* sqrt(ln 200 / 100) */
	ck_assert_int_le(differ, 4);      /* 0.25 / 8 of them are allowed: 1.25 */
}
END_TEST

START_TEST(a_share_below_one_says_its_propensities)
{
	struct stream_rig r;
	struct play p;
	int tests = 0;

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 400);
	set(&r, "share", 0.25);
	start(&r, 2);
	for (int i = 0; i < 400; i++) {
		p = expect(&r, 'a', 't');
		ck_assert_double_eq(p.pick.propensity, 1);
		reward(&r, &p, 0.5);
	}
	for (int i = 0; i < 1000; i++) {
		p = pull(&r);
		tests += role(&p) == 't';
		ck_assert_double_eq(p.pick.propensity, role(&p) == 't' ? 0.25 : 0.75);
	}
	ck_assert_int_gt(tests, 200);
	ck_assert_int_lt(tests, 300);
	streaming_ops.destroy(r.state);
}
END_TEST

START_TEST(an_arm_without_feedback_is_dropped)
{
	struct stream_rig r;
	struct play p;

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 3);
	set(&r, "max_lost", 1);
	start(&r, 2);
	p = expect(&r, 'a', 't');
	lose(&r, &p, true);
	for (int i = 0; i < 2; i++) {
		p = expect(&r, 'a', 't');
		lose(&r, &p, false);
	}
	expect(&r, 'b', 't');
	streaming_ops.destroy(r.state);
}
END_TEST

/* Nothing is lost of an arm that was paused before its turn. */
START_TEST(a_paused_arm_is_read_when_it_comes_back)
{
	struct stream_rig r;
	struct play p;

	init(&r, STREAM_TUNED);
	set(&r, "test_pulls", 1);
	start(&r, 3);
	streaming_ops.arm_set(r.state, 1, ARM_PAUSED);
	p = expect(&r, 'a', 't');
	reward(&r, &p, 0.5);
	p = expect(&r, 'c', 't');
	reward(&r, &p, 0.25);
	expect(&r, 'a', 'k');
	streaming_ops.arm_set(r.state, 1, ARM_ACTIVE);
	expect(&r, 'b', 't');
	streaming_ops.destroy(r.state);
}
END_TEST

START_TEST(settings_that_mean_nothing_are_refused)
{
	struct stream_rig r;

	init(&r, STREAM_UNIFORM);
	ck_assert_int_eq(streaming_ops.check(&r.params, NULL), RC_INVALID);
	init(&r, STREAM_RACE);
	set(&r, "ratio", 0.5);
	ck_assert_int_eq(streaming_ops.check(&r.params, NULL), RC_INVALID);
}
END_TEST

RUN("streaming", tests_are_as_long_as_in_the_reference,
    a_race_has_the_checkpoints_and_radii_of_the_reference, tuned_goes_as_in_the_reference,
    race_goes_as_in_the_reference, budget_goes_as_in_the_reference, levels_go_as_in_the_reference,
    levels_of_ones_own_go_as_the_preset_they_spell, levels_that_cannot_be_are_refused_by_name,
    service_goes_as_in_the_reference, two_hundred_arms_go_as_in_the_reference,
    a_race_ends_with_the_king_of_the_full_tests_for_less,
    an_estimated_ratio_keeps_the_backlog_short, a_share_below_one_says_its_propensities,
    an_arm_without_feedback_is_dropped, a_paused_arm_is_read_when_it_comes_back,
    settings_that_mean_nothing_are_refused)
