/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded logs: what is read, what is refused, and what a policy learns from them. */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "eval/rejection.h"
#include "policies/policies.h"

#define HEADER "x,timestamp,item_id,position,click,propensity_score\n"

static char path[64];

/* 1,000 rows over three items; a and 10 are clicked never, 9 always. */
static void write_rows(bool biased)
{
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/test_rejection-%ld.csv", (long)getpid());
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(HEADER, f);
	for (int i = 0; i < 1000; i++) {
		const char *item = i % 3 == 0 ? "a" : i % 3 == 1 ? "10" : "9";

		fprintf(f, ",2020-01-01 00:00:00Z,%s,1,%d,%s\n", item, i % 3 == 2,
		    biased && i % 3 == 0 ? "0.6" : "0.2");
	}
	fclose(f);
}

static void play(const char *policy, struct rejection_log *l, struct rejection_result *ret,
    struct experiment **ret_e)
{
	struct log *in = NULL;
	struct round row;
	struct arena mem;

	arena_init(&mem, 1 << 20);
	ck_assert_int_eq(rejection_scan(path, NULL, l, NULL), 0);
	ck_assert_int_eq(rejection_start(l, policy_find(policy), NULL, 0, 3, ret_e, NULL), 0);
	ck_assert_int_eq(log_open(path, NULL, l->arms, &in, NULL), 0);
	*ret = (struct rejection_result){.rounds = 0};
	for (uint64_t i = 1; log_next(in, &row, NULL) == 1; i++) {
		ck_assert_int_eq(rejection_play(l, *ret_e, i, &row, &mem, ret, NULL), 0);
	}
	log_close(in);
	arena_release(&mem);
	unlink(path);
}

START_TEST(items_are_arms_in_order)
{
	struct rejection_log l;

	write_rows(false);
	ck_assert_int_eq(rejection_scan(path, NULL, &l, NULL), 0);
	unlink(path);
	ck_assert_uint_eq(l.nitems, 3);
	ck_assert_str_eq(l.items[0], "9");
	ck_assert_str_eq(l.items[1], "10");
	ck_assert_str_eq(l.items[2], "a");
	ck_assert_uint_eq(l.rows, 1000);
	ck_assert_uint_eq(l.clicks, 333);
	rejection_log_release(&l);
}
END_TEST

START_TEST(what_is_kept_is_learnt_and_nothing_else)
{
	struct rejection_log l;
	struct rejection_result r;
	struct experiment *e;
	const struct totals *t;

	write_rows(false);
	play("uniform", &l, &r, &e);
	t = experiment_totals(e);
	ck_assert_uint_eq(r.rounds, 1000);
	ck_assert_uint_eq(t->decisions, 1000);
	ck_assert_uint_eq(t->learnt, r.accepted);
	ck_assert_uint_eq(t->voided, 1000 - r.accepted);
	ck_assert_uint_eq(t->open, 0);
	ck_assert(experiment_arms(e)->totals[0].sum == (double)r.clicks);
	ck_assert(fabs((double)r.accepted - 1000.0 / 3) < TEST_Z_LIMIT * sqrt(1000 * 2.0 / 9));
	experiment_free(e);
	rejection_log_release(&l);
}
END_TEST

static void same_round(const struct round *a, const struct round *b)
{
	ck_assert_uint_eq(a->index, b->index);
	ck_assert_uint_eq(a->at_us, b->at_us);
	ck_assert_uint_eq(a->position, b->position);
	ck_assert_uint_eq(a->arm, b->arm);
	ck_assert(a->propensity == b->propensity && a->reward == b->reward);
	ck_assert(a->weight == b->weight && a->has_reward == b->has_reward);
	ck_assert_uint_eq(a->dim, b->dim);
	ck_assert_uint_eq(a->neligible, b->neligible);
	for (size_t i = 0; i < a->dim; i++) {
		ck_assert(a->x[i] == b->x[i]);
	}
	for (size_t i = 0; i < a->neligible; i++) {
		ck_assert_uint_eq(a->eligible[i], b->eligible[i]);
	}
}

START_TEST(what_the_scan_keeps_is_the_log_each_time)
{
	static const uint32_t eligible[] = {0, 2};
	static const double x[] = {0.5, -1, 1e300};
	const struct round rich = {.index = 7,
	    .at_us = 1577836800000000,
	    .position = 3,
	    .arm = 2,
	    .propensity = 0.1,
	    .reward = -2.5,
	    .eligible = eligible,
	    .neligible = 2,
	    .x = x,
	    .dim = 3,
	    .weight = 1.25,
	    .has_reward = true};
	struct rejection_log l;
	struct log *in = NULL;
	struct round a, b;

	write_rows(true);
	ck_assert_int_eq(rejection_scan(path, NULL, &l, NULL), 0);
	ck_assert_int_eq(round_file_add(l.kept, &rich, NULL), 0);
	for (int pass = 0; pass < 2; pass++) {
		ck_assert_int_eq(round_file_rewind(l.kept, NULL), 0);
		ck_assert_int_eq(log_open(path, NULL, l.arms, &in, NULL), 0);
		while (log_next(in, &a, NULL) == 1) {
			ck_assert_int_eq(round_file_next(l.kept, &b, NULL), 1);
			same_round(&a, &b);
		}
		log_close(in);
		ck_assert_int_eq(round_file_next(l.kept, &b, NULL), 1);
		same_round(&rich, &b);
		ck_assert_int_eq(round_file_next(l.kept, &b, NULL), 0);
	}
	unlink(path);
	rejection_log_release(&l);
}
END_TEST

/* Of a's rows, logged thrice as often as they should be, a third is kept. */
START_TEST(a_biased_log_is_thinned)
{
	struct rejection_log l;
	struct rejection_result r;
	struct experiment *e;
	const struct arm_totals *t;

	write_rows(true);
	play("uniform", &l, &r, &e);
	t = experiment_arms(e)->totals;
	ck_assert(fabs((double)t[2].rewards - 1000.0 / 27) < TEST_Z_LIMIT * sqrt(1000.0 / 27));
	ck_assert(fabs((double)t[0].rewards - 1000.0 / 9) < TEST_Z_LIMIT * sqrt(1000.0 / 9));
	experiment_free(e);
	rejection_log_release(&l);
}
END_TEST

RUN("rejection", items_are_arms_in_order, what_is_kept_is_learnt_and_nothing_else,
    what_the_scan_keeps_is_the_log_each_time, a_biased_log_is_thinned)
