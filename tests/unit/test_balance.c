/* SPDX-License-Identifier: Apache-2.0 */
/* Weights from a classifier: what it settles at, who may go without propensities, and how a log
 * without them is read. */
#include "test.h"

#include <stdio.h>

#include "base/hash.h"
#include "eval/balance.h"
#include "tests/unit/ope_rig.h"

static void near(double got, double want, double share)
{
	ck_assert_msg(fabs(got - want) <= share * fabs(want), "%.9g, not %.9g", got, want);
}

/* The mass of the target and of the log at each of two contexts, for one arm. */
struct cell {
	double target, log;
};

static struct balance *fit(
    const struct cell *cells, const struct round *rounds, size_t n, uint32_t *ret_passes)
{
	struct balance *b = NULL;
	bool done = false;

	ck_assert_int_eq(balance_new(1, 1, 1, 1, &b, NULL), 0);
	for (*ret_passes = 0; !done; ++*ret_passes) {
		ck_assert_uint_lt(*ret_passes, BALANCE_PASSES_MAX);
		for (size_t i = 0; i < n; i++) {
			balance_add(b, &rounds[i], 0, cells[i].target, true);
			balance_add(b, &rounds[i], 0, cells[i].log, false);
		}
		done = balance_step(b);
	}
	return b;
}

START_TEST(odds_are_those_of_the_counts)
{
	static const double x[] = {0, 1};
	const struct round rounds[] = {{.x = &x[0], .dim = 1}, {.x = &x[1], .dim = 1}};
	static const struct cell cells[] = {{3000, 6000}, {8000, 2000}};
	uint32_t passes;
	struct balance *b = fit(cells, rounds, 2, &passes);

	/* But for the penalty on the feature, of 1 among 10,000. */
	near(balance_weight(b, &rounds[0]), 0.5, 2e-3);
	near(balance_weight(b, &rounds[1]), 4, 2e-3);
	balance_free(b);
}
END_TEST

START_TEST(what_never_meets_stays_finite)
{
	static const double x[] = {-1e3, 1e3};
	const struct round rounds[] = {{.x = &x[0], .dim = 1}, {.x = &x[1], .dim = 1}};
	static const struct cell cells[] = {{50, 0}, {0, 50}};
	uint32_t passes;
	struct balance *b = fit(cells, rounds, 2, &passes);
	double high = balance_weight(b, &rounds[0]), low = balance_weight(b, &rounds[1]);

	ck_assert(isfinite(high) && high > 100 && low > 0 && low < 0.01);
	balance_free(b);
}
END_TEST

START_TEST(too_large_a_classifier_is_refused)
{
	struct balance *b = NULL;

	ck_assert_int_eq(balance_new(1000000, 1, 100, 5, &b, NULL), RC_LIMIT);
	ck_assert_ptr_null(b);
}
END_TEST

/* ---- in a run ---- */

#define MANY 800

/* Arm a three times in four; of each arm one in two is paid for a, all for b. */
static void make(struct round rounds[MANY], double propensity)
{
	for (size_t i = 0; i < MANY; i++) {
		uint32_t arm = i % 4 == 3;

		rounds[i] = (struct round){.arm = arm,
		    .propensity = propensity,
		    .reward = arm || i / 4 % 2,
		    .weight = 1,
		    .has_reward = true};
	}
}

static int run(double propensity, const char *estimator, enum interval_kind interval,
    struct ope_summary *s, struct ope_result *r, struct errinfo *err)
{
	static struct round rounds[MANY];
	struct rig_log log = {.rounds = rounds, .n = MANY, .narms = 2, .npositions = 1};
	struct ope_options o = {.model = {.strength = 2, .folds = 5},
	    .interval = interval,
	    .alpha = 0.05,
	    .resamples = 100,
	    .threads = 1};
	struct ope_log l = rig_of(&log);
	struct estimator est;
	int rc;

	make(rounds, propensity);
	ck_assert_int_eq(estimator_parse(estimator, &est, NULL), 0);
	ck_assert_int_eq(target_parse("uniform", &o.target, NULL), 0);
	rc = ope_run(&l, &o, &est, 1, s, r, err);
	target_free(o.target);
	return rc;
}

START_TEST(without_features_weights_are_the_quotients_of_shares)
{
	static const char *const names[] = {"balanced", "sn-balanced"};
	struct ope_summary s;
	struct ope_result r;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(run(0, names[i], INTERVAL_NORMAL, &s, &r, NULL), 0);
		near(r.value, 0.75, 1e-3);
		near(s.balanced.mean_weight, 1, 1e-3);
		near(s.balanced.max_weight, 2, 1e-2);
		near(s.balanced.ess, MANY / (0.75 * 4 / 9 + 0.25 * 4), 1e-2);
		ck_assert(s.overlap.ess == s.balanced.ess); /* no others are known */
		ck_assert_uint_eq(s.unknown, MANY);
		ck_assert_int_eq(r.verdict, OPE_WEAK);
	}
}
END_TEST

START_TEST(a_target_that_is_the_log_is_not_unusable)
{
	const struct ope_overlap all = {
	    .ess = 1000, .mean_weight = 1.001, .mean_weight_se = 1e-6, .reward_ess = 500};
	struct ope_summary s = {.used = 1000, .overlap = all, .balanced = all};
	struct ope_result r = {.verdict = OPE_RELIABLE};

	/* Weights that hardly differ have hardly an error: so fitted ones have some room. */
	ck_assert_int_eq(estimator_parse("balanced", &r.estimator, NULL), 0);
	ope_judge(&s, &r);
	ck_assert_int_eq(r.verdict, OPE_WEAK);
	s.balanced.mean_weight = 0.9;
	ope_judge(&s, &r);
	ck_assert_int_eq(r.verdict, OPE_UNUSABLE);
	ck_assert_int_eq(estimator_parse("ips", &r.estimator, NULL), 0);
	ope_judge(&s, &r);
	ck_assert_int_eq(r.verdict, OPE_UNUSABLE);
}
END_TEST

START_TEST(propensities_that_are_there_change_nothing)
{
	struct ope_summary s, t;
	struct ope_result r, q;

	ck_assert_int_eq(run(0, "balanced", INTERVAL_BOOTSTRAP, &s, &r, NULL), 0);
	ck_assert_int_eq(run(0.1, "balanced", INTERVAL_BOOTSTRAP, &t, &q, NULL), 0);
	ck_assert(r.value == q.value && r.se == q.se && r.lo == q.lo && r.hi == q.hi);
	ck_assert(s.balanced.ess == t.balanced.ess && t.unknown == 0);
	near(t.overlap.max_weight, 5, 1e-12); /* those of the log are told as they are */
}
END_TEST

START_TEST(who_needs_propensities_is_told)
{
	static const char *const need[] = {"ips", "snips", "dr", "mrdr", "cressie-read", "mle"};
	static const enum interval_kind known[] = {INTERVAL_BERNSTEIN, INTERVAL_HOEFFDING,
	    INTERVAL_CLOPPER_PEARSON, INTERVAL_CRESSIE_READ, INTERVAL_SEQUENCE};
	struct ope_summary s;
	struct ope_result r;

	for (size_t i = 0; i < sizeof(need) / sizeof(*need); i++) {
		struct errinfo err = {.rc = 0};

		ck_assert_int_eq(run(0, need[i], INTERVAL_NORMAL, &s, &r, &err), RC_INVALID);
		ck_assert_msg(strstr(err.text, "800 of 800") != NULL, "%s", err.text);
	}
	ck_assert_int_eq(run(0, "dm", INTERVAL_NORMAL, &s, &r, NULL), 0);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		struct errinfo err = {.rc = 0};

		ck_assert_int_eq(run(0, "balanced", known[i], &s, &r, &err), RC_INVALID);
		ck_assert_msg(strstr(err.text, "balanced") != NULL, "%s", err.text);
	}
}
END_TEST

/* ---- readers ---- */

static uint32_t rounds_of(const char *format, const char *text, bool unknown, uint64_t *ret_refused)
{
	const struct log_options o = {.format = format, .unknown = unknown};
	struct log_arms *arms;
	struct round r;
	uint32_t n = 0;
	struct log *l;

	ck_assert_int_eq(hash_init(), 0);
	ck_assert_int_eq(log_arms_new(&arms), 0);
	if (log_open_bytes("log", text, strlen(text), &o, arms, &l, NULL)) {
		log_arms_free(arms);
		return UINT32_MAX;
	}
	for (; log_next(l, &r, NULL) == 1; n++) {
		ck_assert(r.propensity == 0);
	}
	*ret_refused = log_refused(log_counts(l));
	log_close(l);
	log_arms_free(arms);
	return n;
}

START_TEST(rounds_without_a_propensity_come_where_they_are_asked_for)
{
	/* In each one that lacks it, and one where it is wrong. */
	static const char *const logs[][2] = {{"vw", "1:-1 | a\n2:0:1.5 | b\n"},
	    {"dsjson", "{\"_label_cost\":-1,\"_labelIndex\":1,\"a\":[2,1]}\n"
		       "{\"_label_cost\":-1,\"_labelIndex\":1,\"a\":[2,1],\"p\":[0,1]}\n"},
	    {"obd", "item_id,position,click,propensity_score\n1,1,0,\n2,1,0,nan\n"}};
	uint64_t refused = 0;

	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(rounds_of(logs[i][0], logs[i][1], true, &refused), 1);
		ck_assert_uint_eq(refused, 1);
		ck_assert_uint_eq(rounds_of(logs[i][0], logs[i][1], false, &refused), 0);
		ck_assert_uint_eq(refused, 2);
	}
	ck_assert_uint_eq(rounds_of("obd", "item_id,position,click\n1,1,0\n", true, &refused), 1);
	ck_assert_uint_eq(
	    rounds_of("obd", "item_id,position,click\n1,1,0\n", false, &refused), UINT32_MAX);
}
END_TEST

RUN("balance", odds_are_those_of_the_counts, what_never_meets_stays_finite,
    too_large_a_classifier_is_refused, without_features_weights_are_the_quotients_of_shares,
    a_target_that_is_the_log_is_not_unusable, propensities_that_are_there_change_nothing,
    who_needs_propensities_is_told, rounds_without_a_propensity_come_where_they_are_asked_for)
