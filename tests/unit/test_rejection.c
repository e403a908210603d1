/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded logs: what is read, what is refused, and what a policy learns from them. */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "eval/rejection.h"
#include "policies/policies.h"

#define HEADER "x,timestamp,item_id,position,click,propensity_score\n"

static char path[64];

/* Writes a log and opens it. */
static struct read_obd *log_of(const char *text)
{
	struct errinfo err = {.rc = 0};
	struct read_obd *r = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/test_rejection-%ld.csv", (long)getpid());
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_msg(read_obd_open(path, &r, &err) == 0, "%s", err.text);
	unlink(path);
	return r;
}

static void assert_refused(const char *row, const char *why)
{
	struct errinfo err = {.rc = 0};
	struct obd_row got;
	char text[512];
	struct read_obd *r;

	snprintf(text, sizeof(text), HEADER "%s\n,2020-01-01 00:00:00,7,1,1,0.5\n", row);
	r = log_of(text);
	ck_assert_int_eq(read_obd_next(r, &got, &err), RC_INVALID);
	ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.pointer, ".csv:2"));
	err.rc = 0;
	read_obd_close(r);
}

START_TEST(columns_are_found_by_name)
{
	struct read_obd *r = log_of("\xef\xbb\xbfpropensity_score,click,z,position,item_id\r\n"
				    "0.25,1,9,3,a:b\r\n0.5,0,9,0,33\n");
	struct obd_row row;

	ck_assert_int_eq(read_obd_next(r, &row, NULL), 1);
	ck_assert_str_eq(row.item, "a:b");
	ck_assert(row.propensity == 0.25 && row.click == 1);
	ck_assert_uint_eq(row.position, 3);
	ck_assert_uint_eq(row.at_us, 0);
	ck_assert_int_eq(read_obd_next(r, &row, NULL), 1);
	ck_assert_uint_eq(row.line, 3);
	ck_assert_int_eq(read_obd_next(r, &row, NULL), 0);
	ck_assert_int_eq(read_obd_next(r, &row, NULL), 0);
	read_obd_close(r);
}
END_TEST

START_TEST(quotes_hold_commas_quotes_and_line_ends)
{
	struct read_obd *r =
	    log_of(HEADER "\"a \"\"b\"\",\nc\",2020-01-01T00:00:00.5Z,\"7\",1,\"1\",0.5\n"
			  "\"\",2020-01-01 00:00:01+00:00,8,1,0,1\n");
	struct obd_row row;

	ck_assert_int_eq(read_obd_next(r, &row, NULL), 1);
	ck_assert_str_eq(row.item, "7");
	ck_assert_uint_eq(row.at_us, UINT64_C(1577836800500000));
	ck_assert_int_eq(read_obd_next(r, &row, NULL), 1);
	ck_assert_str_eq(row.item, "8");
	ck_assert_uint_eq(row.line, 4);
	read_obd_close(r);
}
END_TEST

START_TEST(bad_rows_are_refused_by_file_and_line)
{
	assert_refused(",2020-01-01 00:00:00Z,a b,1,0,0.5", "item_id");
	assert_refused(",2020-01-01 00:00:00Z,,1,0,0.5", "item_id");
	assert_refused(",2020-01-01 00:00:00Z,1,-1,0,0.5", "position");
	assert_refused(",2020-01-01 00:00:00Z,1,1.5,0,0.5", "position");
	assert_refused(",2020-01-01 00:00:00Z,1,1,2,0.5", "click");
	assert_refused(",2020-01-01 00:00:00Z,1,1,nan,0.5", "click");
	assert_refused(",2020-01-01 00:00:00Z,1,1,0,0", "propensity");
	assert_refused(",2020-01-01 00:00:00Z,1,1,0,1.1", "propensity");
	assert_refused(",2020-01-01 00:00:00Z,1,1,0,nan", "propensity");
	assert_refused(",yesterday,1,1,0,0.5", "timestamp");
	assert_refused(",2020-01-01 00:00:00Z,1,1,0", "fields");
	assert_refused(",2020-01-01 00:00:00Z,1,1,0,0.5,", "fields");
	assert_refused("\"a\"b,2020-01-01 00:00:00Z,1,1,0,0.5", "quote");
	assert_refused("\"a,2020-01-01 00:00:00Z,1,1,0,0.5", "quote");
	assert_refused("", "fields");
}
END_TEST

START_TEST(other_files_are_not_taken)
{
	struct errinfo err = {.rc = 0};
	struct read_obd *r = NULL;

	ck_assert_int_eq(read_obd_open("/tmp/log.csv.gz", &r, &err), RC_INVALID);
	err.rc = 0;
	ck_assert_int_eq(read_obd_open("/nowhere/log.csv", &r, &err), RC_IO);
	ck_assert_ptr_null(r);
}
END_TEST

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
	struct read_obd *in;
	struct obd_row row;
	struct arena mem;

	arena_init(&mem, 1 << 20);
	ck_assert_int_eq(rejection_scan(path, NULL, NULL, l, NULL), 0);
	ck_assert_int_eq(rejection_start(l, policy_find(policy), NULL, 0, 3, ret_e, NULL), 0);
	ck_assert_int_eq(read_obd_open(path, &in, NULL), 0);
	*ret = (struct rejection_result){.rounds = 0};
	for (uint64_t i = 1; read_obd_next(in, &row, NULL) == 1; i++) {
		ck_assert_int_eq(rejection_play(l, *ret_e, i, &row, &mem, ret, NULL), 0);
	}
	read_obd_close(in);
	arena_release(&mem);
	unlink(path);
}

START_TEST(items_are_arms_in_order)
{
	struct rejection_log l;

	write_rows(false);
	ck_assert_int_eq(rejection_scan(path, NULL, NULL, &l, NULL), 0);
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

RUN("rejection", columns_are_found_by_name, quotes_hold_commas_quotes_and_line_ends,
    bad_rows_are_refused_by_file_and_line, other_files_are_not_taken, items_are_arms_in_order,
    what_is_kept_is_learnt_and_nothing_else, a_biased_log_is_thinned)
