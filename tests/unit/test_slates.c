/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of slates: what the readers give of them, what they refuse, and the pseudo-inverse estimator
 * against hand computation. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "eval/log_slots.h"
#include "tests/unit/ope_rig.h"

/* Three actions in slot 0 and two in slot 1. */
#define SHARED "slates shared 0.8 | s\n"
#define ACTIONS                                                                                    \
	"slates action 0 | a\nslates action 0 | b\nslates action 0 | c\nslates action 1 | d\n"     \
	"slates action 1 | e\n"
#define GOOD SHARED ACTIONS "slates slot 1:0.5,0:0.25,2:0.25 | x\nslates slot 0:0.4,1:0.6 | y\n\n"

#define DS_CONTEXT                                                                                 \
	"\"c\":{\"u\":{\"f\":2},\"_multi\":[{\"_slot_id\":0},{\"_slot_id\":0},{\"_slot_id\":1},"   \
	"{\"_slot_id\":0},{\"_slot_id\":1}],\"_slots\":[{\"_id\":\"x\"},{\"_id\":\"y\"}]}"
#define DS_OUTCOMES                                                                                \
	"\"_outcomes\":[{\"_id\":\"x\",\"_a\":[1,0,2],\"_p\":[0.5,0.25,0.25]},"                    \
	"{\"_id\":\"y\",\"_a\":0,\"_p\":0.4}]"
#define DS_GOOD "{\"_label_cost\":0.8,\"pdrop\":0.5," DS_OUTCOMES "," DS_CONTEXT "}\n"

struct got {
	size_t n, nslots[8];
	struct round_slot slot[8][4];
	char arm[8][4][8];
	struct round round[8];
	struct log_counts counts;
	struct errinfo refused;
};

static void on_refused(void *arg, const struct errinfo *why)
{
	((struct got *)arg)->refused = *why;
}

static void read_all(const char *text, bool slates, struct got *g)
{
	struct log_options o = {.refused = on_refused, .arg = g, .slates = slates, .features = 4};
	struct errinfo err = {.rc = 0};
	struct log_arms *arms;
	struct log *l;

	memset(g, 0, sizeof(*g));
	ck_assert_int_eq(hash_init(), 0);
	ck_assert_int_eq(log_arms_new(&arms), 0);
	ck_assert_int_eq(log_open_bytes("log", text, strlen(text), &o, arms, &l, &err), 0);
	while (log_next(l, &g->round[g->n], &err) == 1) {
		const struct round *r = &g->round[g->n];

		ck_assert_uint_le(r->nslots, 4);
		g->nslots[g->n] = r->nslots;
		for (size_t k = 0; k < r->nslots; k++) {
			g->slot[g->n][k] = r->slots[k];
			snprintf(g->arm[g->n][k], 8, "%s", log_arms_id(arms, r->slots[k].arm));
		}
		ck_assert_uint_lt(++g->n, 8);
	}
	ck_assert_msg(err.rc == 0, "%s", err.text);
	g->counts = *log_counts(l);
	log_close(l);
	log_arms_free(arms);
}

START_TEST(both_formats_give_the_same_slate)
{
	static const char *const texts[] = {GOOD, DS_GOOD};

	for (int i = 0; i < 2; i++) {
		struct got g;

		read_all(texts[i], true, &g);
		ck_assert_uint_eq(log_refused(&g.counts), 0);
		ck_assert_uint_eq(g.n, 1);
		ck_assert_uint_eq(g.nslots[0], 2);
		ck_assert(g.round[0].reward == -0.8 && g.round[0].has_reward);
		ck_assert(g.round[0].weight == (i ? 2 : 1));
		ck_assert_uint_eq(g.round[0].dim, 4);
		ck_assert_str_eq(g.arm[0][0], "2");
		ck_assert_str_eq(g.arm[0][1], "1");
		ck_assert(g.slot[0][0].propensity == 0.5 && g.slot[0][1].propensity == 0.4);
		ck_assert_uint_eq(g.slot[0][0].neligible, 3);
		ck_assert_uint_eq(g.slot[0][1].neligible, 2);
	}
}
END_TEST

START_TEST(nobody_gets_slates_who_does_not_ask)
{
	static const char *const texts[] = {GOOD GOOD, DS_GOOD DS_GOOD};

	for (int i = 0; i < 2; i++) {
		struct got g;

		read_all(texts[i], false, &g);
		ck_assert_uint_eq(g.n, 0);
		ck_assert_uint_eq(g.counts.by_reason[LOG_NOT_SCORED], 2);
	}
}
END_TEST

START_TEST(slates_without_a_label_are_passed_over)
{
	struct got g;

	read_all("slates shared | s\n" ACTIONS "slates slot | x\nslates slot | y\n\n" GOOD
		 "ccb shared | s\nccb action | a\nccb slot 0:0.8:0.25 | x\n",
	    true, &g);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_uint_eq(g.counts.by_reason[LOG_UNLABELLED], 1);
	ck_assert_uint_eq(g.counts.by_reason[LOG_NOT_SCORED], 1);
	read_all("{" DS_OUTCOMES "," DS_CONTEXT "}\n" DS_GOOD
		 "{\"_skipLearn\":true,\"_label_cost\":1," DS_OUTCOMES "," DS_CONTEXT "}\n",
	    true, &g);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_uint_eq(g.counts.by_reason[LOG_UNLABELLED], 2);
}
END_TEST

static void assert_refused(const char *text, enum log_reason reason, const char *why)
{
	struct got g;

	read_all(text, true, &g);
	ck_assert_msg(log_refused(&g.counts) == 1 && g.counts.by_reason[reason] == 1, "%s: %s",
	    text, g.refused.text);
	ck_assert_msg(strstr(g.refused.text, why) != NULL, "%s: %s", text, g.refused.text);
	ck_assert_uint_eq(g.n, 1); /* it went on */
}

START_TEST(bad_slates_are_refused)
{
	assert_refused(SHARED ACTIONS "slates slot 3:0.5 | x\nslates slot 0:0.4 | y\n\n" GOOD,
	    LOG_REFERENCE, "no action 3");
	assert_refused(SHARED ACTIONS "slates slot 1:0.5 | x\n\n" GOOD, LOG_REFERENCE, "no slot 1");
	assert_refused(SHARED ACTIONS "slates slot 1:0.5 | x\nslates slot | y\n\n" GOOD,
	    LOG_REFERENCE, "not every slot");
	assert_refused(SHARED ACTIONS "slates slot 1:0.5 0:0.5 | x\nslates slot 0:1 | y\n\n" GOOD,
	    LOG_LABELS, "second label");
	assert_refused("slates shared 1 | s\n" SHARED ACTIONS
		       "slates slot 1:0.5 | x\nslates slot 0:1 | y\n\n" GOOD,
	    LOG_LABELS, "second label");
	assert_refused(SHARED ACTIONS "slates slot 1:0 | x\nslates slot 0:1 | y\n\n" GOOD,
	    LOG_PROPENSITY, "(0, 1]");
	assert_refused(SHARED ACTIONS "slates slot 1:2:0.5 | x\nslates slot 0:1 | y\n\n" GOOD,
	    LOG_VALUE, "broken");
	assert_refused(SHARED "slates action 1024 | z\nslates slot 0:1 | x\n\n" GOOD, LOG_REFERENCE,
	    "too large");
	assert_refused(
	    SHARED "slates action | z\nslates slot 0:1 | x\n\n" GOOD, LOG_VALUE, "no slot");
	assert_refused(DS_GOOD "{\"_label_cost\":1,\"_outcomes\":[{\"_a\":0,\"_p\":1}]," DS_CONTEXT
			       "}\n",
	    LOG_REFERENCE, "not every slot");
	assert_refused(DS_GOOD "{\"_label_cost\":1,\"_outcomes\":[{\"_a\":0,\"_p\":1},{\"_a\":2,"
			       "\"_p\":1}]," DS_CONTEXT "}\n",
	    LOG_REFERENCE, "no action 2");
	assert_refused(DS_GOOD
	    "{\"_label_cost\":1,\"_outcomes\":[{\"_a\":0,\"_p\":1}],\"c\":{\"_multi\":["
	    "{\"_slot_id\":0},{\"_slot_id\":-1}],\"_slots\":[{}]}}\n",
	    LOG_REFERENCE, "_slot_id");
	assert_refused(DS_GOOD
	    "{\"_label_cost\":1,\"_outcomes\":[{\"_a\":0},{\"_a\":0,\"_p\":1}]," DS_CONTEXT "}\n",
	    LOG_REFERENCE, "without _a and _p");
}
END_TEST

START_TEST(a_slate_cannot_have_more_slots_than_the_limit)
{
	static char text[SLOTS_MAX * 64];
	size_t at = (size_t)snprintf(text, sizeof(text), GOOD SHARED "slates action 0 | a\n");
	struct got g;

	for (int i = 0; i <= SLOTS_MAX; i++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "slates slot 0:1 | x\n");
	}
	read_all(text, true, &g);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_uint_eq(g.counts.by_reason[LOG_REFERENCE], 1);
	ck_assert_msg(strstr(g.refused.text, "too many slots") != NULL, "%s", g.refused.text);
}
END_TEST

/* ---- the estimator ---- */

static const uint32_t three[] = {0, 1, 2};
static const struct round_slot first[] = {{0, 0.5, three, 2}, {1, 0.25, three, 3}},
			       second[] = {{1, 0.5, three, 2}, {0, 0.25, three, 3}};

static void near(double got, double want)
{
	ck_assert_msg(fabs(got - want) <= 1e-12 * (1 + fabs(want)), "%.17g, not %.17g", got, want);
}

static int run(const char *target, const char *estimator, enum interval_kind interval,
    struct ope_summary *s, struct ope_result *r, struct errinfo *err)
{
	struct round rounds[2] = {
	    {.weight = 1, .reward = 1, .has_reward = true, .slots = first, .nslots = 2},
	    {.weight = 1, .reward = 0.5, .has_reward = true, .slots = second, .nslots = 2}};
	struct rig_log log = {.rounds = rounds, .n = 2, .narms = 3, .npositions = 2};
	struct ope_options o = {.model = {.strength = 2, .folds = 1},
	    .interval = interval,
	    .alpha = 0.05,
	    .resamples = 100,
	    .threads = 1};
	struct ope_log l = rig_of(&log);
	struct estimator est;
	int rc;

	for (int i = 0; i < 2; i++) {
		rounds[i].arm = rounds[i].slots[0].arm;
		rounds[i].propensity = rounds[i].slots[0].propensity;
		rounds[i].eligible = three;
		rounds[i].neligible = 2;
	}
	ck_assert_int_eq(estimator_parse(estimator, &est, NULL), 0);
	ck_assert_int_eq(target_parse(target, &o.target, NULL), 0);
	rc = ope_run(&l, &o, &est, 1, s, r, err);
	target_free(o.target);
	return rc;
}

START_TEST(the_pseudo_inverse_is_its_formula)
{
	struct ope_summary s;
	struct ope_result r;

	/* Uniform: in both 1 - 2 + (1/2)/(1/2) + (1/3)/(1/4) = 4/3. */
	ck_assert_int_eq(run("uniform", "pseudo-inverse", INTERVAL_NORMAL, &s, &r, NULL), 0);
	near(r.value, 4 / 3. * 1.5 / 2);
	near(s.slate.mean_weight, 4 / 3.);
	near(s.slate.ess, 2);
	/* Always a: 1 - 2 + 2 + 0 = 1, then 1 - 2 + 0 + 4 = 3; the products are 0. */
	ck_assert_int_eq(run("always:a", "pseudo-inverse", INTERVAL_NORMAL, &s, &r, NULL), 0);
	near(r.value, (1 + 3 * 0.5) / 2);
	near(r.se, 0.25); /* of 1 and 1.5 */
	near(s.slate.ess, 16 / 10.);
	near(s.slate.max_weight, 3);
	near(s.overlap.ess, 0);
	near(s.unsupported, 0); /* a was tried in each slot, if never in both at once */
	ck_assert_msg(strstr(r.why, "1.6 rounds") != NULL, "%s", r.why);
	/* Always c: never; where it is not eligible the target has nothing to take. */
	ck_assert_int_eq(run("always:c", "pseudo-inverse", INTERVAL_NORMAL, &s, &r, NULL), 0);
	near(r.value, -0.75);
	near(s.unsupported, 1);
	ck_assert_int_eq(r.verdict, OPE_UNUSABLE);
}
END_TEST

START_TEST(ips_of_a_slate_takes_the_product)
{
	struct ope_summary s;
	struct ope_result r;

	ck_assert_int_eq(run("uniform", "ips", INTERVAL_NORMAL, &s, &r, NULL), 0);
	near(r.value, 4 / 3. * 1.5 / 2);
	ck_assert_int_eq(run("always:a", "ips", INTERVAL_NORMAL, &s, &r, NULL), 0);
	near(r.value, 0);
}
END_TEST

START_TEST(what_does_not_go_with_slates_is_told)
{
	static const char *const models[] = {
	    "dm", "dr", "sndr", "mrdr", "switch-dr", "dros", "balanced"};
	static const enum interval_kind own[] = {
	    INTERVAL_CLOPPER_PEARSON, INTERVAL_CRESSIE_READ, INTERVAL_SEQUENCE};
	struct ope_summary s;
	struct ope_result r;

	for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++) {
		struct errinfo err = {.rc = 0};

		ck_assert_int_eq(
		    run("uniform", models[i], INTERVAL_NORMAL, &s, &r, &err), RC_INVALID);
		ck_assert_msg(strstr(err.text, "knows no slates") != NULL, "%s", err.text);
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		struct errinfo err = {.rc = 0};

		ck_assert_int_eq(
		    run("uniform", "pseudo-inverse", own[i], &s, &r, &err), RC_INVALID);
		ck_assert_msg(strstr(err.text, "pseudo-inverse") != NULL, "%s", err.text);
	}
	ck_assert_int_eq(run("uniform", "pseudo-inverse", INTERVAL_BOOTSTRAP, &s, &r, NULL), 0);
	/* A weight lies between 1 - 2 and the largest, 3. */
	ck_assert_int_eq(run("always:a", "pseudo-inverse", INTERVAL_HOEFFDING, &s, &r, NULL), 0);
	near(r.hi - r.value, 4 * sqrt(log(2 / 0.05) / 4));
}
END_TEST

RUN("slates", both_formats_give_the_same_slate, nobody_gets_slates_who_does_not_ask,
    slates_without_a_label_are_passed_over, bad_slates_are_refused,
    a_slate_cannot_have_more_slots_than_the_limit, the_pseudo_inverse_is_its_formula,
    ips_of_a_slate_takes_the_product, what_does_not_go_with_slates_is_told)
