/* SPDX-License-Identifier: Apache-2.0 */
/* Estimators, models, targets and verdicts on logs small enough to compute by hand. */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/ope_rig.h"

static void near(double got, double want)
{
	ck_assert_msg(fabs(got - want) <= 1e-12 * (1 + fabs(want)), "%.17g, not %.17g", got, want);
}

#define ROUND(ARM, P, R)                                                                           \
	{                                                                                          \
		.arm = (ARM), .propensity = (P), .reward = (R), .weight = 1, .has_reward = true    \
	}

/* Two arms; the target is always b: w = 0, 4, 0, 4/3. */
static struct round four[] = {
    ROUND(0, 0.75, 1), ROUND(1, 0.25, 1), ROUND(0, 0.25, 0), ROUND(1, 0.75, 0)};

static int run(struct round *rounds, size_t n, const char *target, const char *estimators,
    struct ope_options o, struct ope_summary *s, struct ope_result *r, struct errinfo *err)
{
	struct rig_log log = {.rounds = rounds, .n = n, .narms = 2, .npositions = 1};
	struct ope_log l = rig_of(&log);
	struct estimator est[16];
	char text[256], *save, *one;
	size_t k = 0;
	int rc;

	snprintf(text, sizeof(text), "%s", estimators);
	for (one = strtok_r(text, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		ck_assert_int_eq(estimator_parse(one, &est[k++], NULL), 0);
	}
	ck_assert_int_eq(target_parse(target, &o.target, NULL), 0);
	rc = ope_run(&l, &o, est, k, s, r, err);
	target_free(o.target);
	return rc;
}

static const struct ope_options plain = {
    .model = {.strength = 2, .folds = 1}, .alpha = 0.05, .resamples = 100, .threads = 1};

START_TEST(each_estimator_is_its_formula)
{
	/* The mean is 1/2 and each arm was paid once in two: q = 1/2 everywhere. */
	static const double want[] = {4 / 4., 3 / 4., 4 / (16 / 3.), 0.5,
	    0.5 + (4 * 0.5 - 4 / 3. * 0.5) / 4, 0.5 + (4 * 0.5 - 4 / 3. * 0.5) / (16 / 3.),
	    0.5 - 4 / 3. * 0.5 / 4, 0.5 + (8 / 18. - 2 * 4 / 3. / (16 / 9. + 2)) / 8,
	    4 / (0.5 + 0.5 * 4) / 4, 0.5 + (1.6 - 4 / 3. / (0.5 + 2 / 3.)) / 8};
	struct ope_summary s;
	struct ope_result r[16];

	ck_assert_int_eq(
	    run(four, 4, "always:b",
		"ips,ips:clip=3,snips,dm,dr,sndr,switch-dr:2,dros:2,sg-ips:0.5,sg-dr:0.5", plain,
		&s, r, NULL),
	    0);
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		near(r[i].value, want[i]);
	}
	near(s.overlap.ess, (16 / 3.) * (16 / 3.) / (16 + 16 / 9.));
	near(s.overlap.mean_weight, 4 / 3.);
	near(s.overlap.max_weight, 4);
	near(s.logging_mean, 0.5);
	/* s^2/n of the values 0, 4, 0, 0, and the delta method of SNIPS. */
	near(r[0].se, 1);
	near(r[2].se, sqrt(16 * 0.0625 + 16 / 9. * 0.5625) / (16 / 3.));
}
END_TEST

START_TEST(limits_of_a_threshold_are_the_other_estimators)
{
	struct ope_summary s;
	struct ope_result r[16];

	ck_assert_int_eq(
	    run(four, 4, "uniform",
		"dm,dr,switch-dr:0,switch-dr:1e9,dros:0,dros:1e15,sg-dr:0,ips,sg-ips:0", plain, &s,
		r, NULL),
	    0);
	near(r[2].value, r[0].value);
	near(r[3].value, r[1].value);
	near(r[4].value, r[0].value);
	ck_assert(fabs(r[5].value - r[1].value) < 1e-9);
	near(r[6].value, r[1].value);
	near(r[8].value, r[7].value);
}
END_TEST

START_TEST(cross_fitting_learns_from_the_other_folds)
{
	struct ope_options o = plain;
	struct ope_summary s;
	struct ope_result r[16];

	/* Fold 0 has rounds 0 and 2, both of a; fold 1 those of b. So b is not known in fold 1,
	 * where the mean of fold 0 stands for it: 1/2; in fold 0 it is (1 + 2/2) / (2 + 2). */
	o.model.folds = 2;
	ck_assert_int_eq(run(four, 4, "always:b", "dm", o, &s, r, NULL), 0);
	near(r[0].value, 0.5);
	four[3].reward = 1;
	ck_assert_int_eq(run(four, 4, "always:b", "dm", o, &s, r, NULL), 0);
	near(r[0].value, (1 + 0.5) / 2);
	four[3].reward = 0;
}
END_TEST

START_TEST(ridge_finds_a_line)
{
	static const double x[] = {0, 1, 2, 3, 4, 5};
	const struct model_spec spec = {.ridge = true, .strength = 1e-9, .folds = 1};
	struct model *m = NULL;
	struct round r = ROUND(0, 1, 0);

	ck_assert_int_eq(model_new(&spec, 1, 1, 1, &m, NULL), 0);
	r.dim = 1;
	for (int i = 0; i < 6; i++) {
		r.x = &x[i];
		r.reward = 3 - 2 * x[i];
		model_add(m, &r, 1);
	}
	ck_assert_int_eq(model_fit(m, NULL), 0);
	for (int i = 0; i < 6; i++) {
		r.x = &x[i];
		ck_assert(fabs(model_value(m, &r, 0) - (3 - 2 * x[i])) < 1e-6);
	}
	model_free(m);
}
END_TEST

START_TEST(dropped_rounds_count_for_those_that_are_left)
{
	struct round r[] = {ROUND(0, 0.5, 1), ROUND(1, 0.5, 0), ROUND(0, 0.5, 0)};
	struct ope_summary s;
	struct ope_result got[16];

	r[1].weight = 2;
	ck_assert_int_eq(run(r, 3, "always:a", "ips,snips", plain, &s, got, NULL), 0);
	near(got[0].value, 2 / 4.);
	near(got[1].value, 0.5);
	near(s.overlap.mean_weight, 1);
}
END_TEST

START_TEST(ineligible_arms_have_no_probability)
{
	static const uint32_t only[] = {1};
	struct round r[] = {ROUND(0, 0.5, 1), ROUND(1, 1, 1)};
	struct ope_summary s;
	struct ope_result got[16];

	r[1].eligible = only;
	r[1].neligible = 1;
	ck_assert_int_eq(run(r, 2, "uniform", "ips", plain, &s, got, NULL), 0);
	near(got[0].value, 1);
}
END_TEST

START_TEST(a_table_is_read_in_both_forms)
{
	static const char *const tables[] = {
	    "arm,position,probability\na,1,0.25\nb,1,0.5\nz,1,0.25\n",
	    "item_id,pos1,pos2\r\na,0.25,1\r\nb,0.5,0\r\nz,0.25,0\r\n"};
	char path[64], text[80];

	snprintf(path, sizeof(path), "/tmp/test_estimator-%ld.csv", (long)getpid());
	snprintf(text, sizeof(text), "@%s", path);
	for (int i = 0; i < 2; i++) {
		struct ope_summary s;
		struct ope_result r[16];
		FILE *f = fopen(path, "w");

		fputs(tables[i], f);
		fclose(f);
		ck_assert_int_eq(run(four, 4, text, "ips", plain, &s, r, NULL), 0);
		near(r[0].value, (0.25 / 0.75 + 0.5 / 0.25) / 4);
		near(s.unsupported, 0.25);
	}
	unlink(path);
}
END_TEST

START_TEST(a_table_is_refused_by_its_line)
{
	static const struct {
		const char *text;
		size_t n;
		int line;
	} bad[] = {
#define BAD(text, line) {text, sizeof(text) - 1, line}
	    BAD("arm,place,probability\n", 1),
	    BAD("item_id,pos0.5\n", 1),
	    BAD("arm,position,probability\na,0,0.5\nb,0.5,0.5\n", 3),
	    BAD("arm,position,probability\na,0,1.5\n", 2),
	    BAD("arm,position,probability\na,0,nan\n", 2),
	    BAD("arm,position,probability\na,0\n", 2),
	    BAD("arm,position,probability\n\na b,0,1\n", 3),
	    BAD("arm,position,probability\na,0,1\0junk\n", 2),
#undef BAD
	};
	char path[64], text[80], where[80];

	snprintf(path, sizeof(path), "/tmp/test_estimator-%ld.csv", (long)getpid());
	snprintf(text, sizeof(text), "@%s", path);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct errinfo err = {.rc = 0};
		struct target *t = NULL;
		FILE *f = fopen(path, "w");

		fwrite(bad[i].text, 1, bad[i].n, f);
		fclose(f);
		snprintf(where, sizeof(where), "%s:%d", path, bad[i].line);
		ck_assert_msg(target_parse(text, &t, &err) == RC_INVALID, "%s", bad[i].text);
		ck_assert_str_eq(err.pointer, where);
	}
	unlink(path);
}
END_TEST

START_TEST(a_table_with_too_many_columns_is_refused)
{
	struct errinfo err = {.rc = 0};
	struct target *t = NULL;
	char path[64], text[80];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/test_estimator-%ld.csv", (long)getpid());
	snprintf(text, sizeof(text), "@%s", path);
	for (int n = 1023; n <= 1024; n++) {
		f = fopen(path, "w");
		fputs("item_id", f);
		for (int i = 0; i < n; i++) {
			fprintf(f, ",pos%d", i);
		}
		fclose(f);
		ck_assert_int_eq(target_parse(text, &t, &err), n == 1023 ? 0 : RC_INVALID);
		target_free(n == 1023 ? t : NULL);
	}
	unlink(path);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	static const char *const bad[] = {"", "nonsense", "ips:5", "ips:clip=", "ips:clip=-1",
	    "ips:clip=nan", "dm:1", "sg-ips:2", "switch-dr:x", "switch-dr:5x"};
	struct ope_options o = plain;
	struct ope_summary s;
	struct ope_result r[16];
	struct estimator e;
	struct model_spec m;
	struct target *t = NULL;
	struct errinfo err = {.rc = 0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(estimator_parse(bad[i], &e, NULL) == RC_INVALID, "%s", bad[i]);
	}
	ck_assert_int_eq(model_parse("mean:-1", &m, NULL), RC_INVALID);
	ck_assert_int_eq(model_parse("mean:", &m, NULL), RC_INVALID);
	ck_assert_int_eq(target_parse("never", &t, NULL), RC_INVALID);
	ck_assert_int_eq(target_parse("@/nowhere", &t, NULL), RC_IO);
	ck_assert_int_eq(run(four, 4, "always:z", "ips", o, &s, r, NULL), RC_NOT_FOUND);
	ck_assert_int_eq(run(four, 0, "uniform", "ips", o, &s, r, NULL), RC_INVALID);
	o.interval = INTERVAL_CLOPPER_PEARSON;
	ck_assert_int_eq(run(four, 4, "uniform", "dr", o, &s, r, &err), RC_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "clopper-pearson"));
}
END_TEST

/* Each time it is read from the start it has one more arm. */
static int growing_rewind(void *arg, struct errinfo *err)
{
	struct rig_log *l = arg;

	l->rounds[0].arm = l->n++ == 2 ? 0 : 7;
	return rig_rewind(arg, err);
}

START_TEST(a_log_that_changes_meanwhile_is_refused)
{
	struct round rounds[] = {ROUND(0, 0.5, 1), ROUND(1, 0.5, 0), ROUND(1, 0.5, 0),
	    ROUND(1, 0.5, 0), ROUND(1, 0.5, 0), ROUND(1, 0.5, 0)};
	struct rig_log log = {.rounds = rounds, .n = 2, .narms = 2, .npositions = 1};
	struct ope_log l = rig_of(&log);
	struct ope_options o = plain;
	struct ope_summary s;
	struct ope_result r;
	struct estimator e;

	l.rewind = growing_rewind;
	ck_assert_int_eq(estimator_parse("dr", &e, NULL), 0);
	ck_assert_int_eq(target_parse("uniform", &o.target, NULL), 0);
	ck_assert_int_eq(ope_run(&l, &o, &e, 1, &s, &r, NULL), RC_IO);
	target_free(o.target);
}
END_TEST

START_TEST(a_threshold_may_be_chosen_by_its_squared_error)
{
	/* The heavy round pays what the others do not: clipping it loses all there is. */
	struct round heavy[] = {ROUND(1, 0.25, 1), ROUND(1, 0.75, 0), ROUND(1, 0.75, 0)};
	double l = log(40);
	struct ope_summary s;
	struct ope_result r[2];

	near(est_mse_bound(0.5, -0.25, 8, 2, 4, 0.05), 0.25 + pow(0.25 + sqrt(l / 2) + l / 3, 2));
	ck_assert_int_eq(
	    run(heavy, 3, "always:b", "ips:clip=mse,ips:clip=1", plain, &s, r, NULL), 0);
	ck_assert(r[0].estimator.param >= 4);
	near(r[0].value, 4 / 3.);
	near(r[1].value, 1 / 3.);
	/* Here it pays nothing, and clipping does no harm. */
	heavy[0].reward = 0;
	heavy[1].reward = 1;
	ck_assert_int_eq(run(heavy, 3, "always:b", "sg-ips:mse,ips", plain, &s, r, NULL), 0);
	ck_assert(r[0].se <= r[1].se);
}
END_TEST

START_TEST(slope_stops_where_bias_shows)
{
	static const double se[] = {1, 0.5, 0.1, 0.01};
	static const double alike[] = {5, 5.2, 5.1, 5.15}, apart[] = {5, 5.2, 5.1, 9};

	ck_assert_uint_eq(est_slope(alike, se, 4, 0.05), 3);
	ck_assert_uint_eq(est_slope(apart, se, 4, 0.05), 2);
	ck_assert_uint_eq(est_slope(apart, se, 1, 0.05), 0);
}
END_TEST

START_TEST(a_verdict_has_its_reason)
{
	struct ope_summary s = {.used = 10000,
	    .overlap.ess = 5000,
	    .overlap.mean_weight = 1,
	    .overlap.mean_weight_se = 0.1,
	    .overlap.reward_ess = 100};
	struct ope_result r = {.value = 0};

	ck_assert_int_eq(estimator_parse("dr", &r.estimator, NULL), 0);
	ope_judge(&s, &r);
	ck_assert_int_eq(r.verdict, OPE_RELIABLE);
	s.overlap.reward_ess = 3;
	ope_judge(&s, &r);
	ck_assert_int_eq(r.verdict, OPE_WEAK);
	ck_assert_ptr_nonnull(strstr(r.why, "3.0 rounds"));
	s.overlap.mean_weight = 0.3;
	ope_judge(&s, &r);
	ck_assert_int_eq(r.verdict, OPE_UNUSABLE);
	ck_assert_ptr_nonnull(strstr(r.why, "mean weight is 0.3"));
	s.overlap.ess = 2;
	ope_judge(&s, &r);
	ck_assert_ptr_nonnull(strstr(r.why, "worth 2.0 rounds"));
	s = (struct ope_summary){
	    .used = 9, .overlap.ess = 5000, .overlap.mean_weight = 1, .overlap.reward_ess = 100};
	s.unsupported = 0.4;
	ope_judge(&s, &r);
	ck_assert_ptr_nonnull(strstr(r.why, "40.0 %"));
	s.unsupported = 0;
	ck_assert_int_eq(estimator_parse("dm", &r.estimator, NULL), 0);
	ope_judge(&s, &r);
	ck_assert_int_eq(r.verdict, OPE_WEAK);
	ck_assert_ptr_nonnull(strstr(r.why, "model"));
}
END_TEST

RUN("estimator", each_estimator_is_its_formula, limits_of_a_threshold_are_the_other_estimators,
    cross_fitting_learns_from_the_other_folds, ridge_finds_a_line,
    dropped_rounds_count_for_those_that_are_left, ineligible_arms_have_no_probability,
    a_table_is_read_in_both_forms, a_table_is_refused_by_its_line,
    a_table_with_too_many_columns_is_refused, what_makes_no_sense_is_refused,
    a_log_that_changes_meanwhile_is_refused, a_threshold_may_be_chosen_by_its_squared_error,
    slope_stops_where_bias_shows, a_verdict_has_its_reason)
