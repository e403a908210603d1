/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a log while rests and rows are counted has bounds.
 * tests/integration/test_tables.py has the counting itself. */
#include "eval/exposure.h"

#include <stdio.h>

#include "tests/unit/test.h"

static struct exposure *exposure_of_rests(uint32_t d_max, bool by_subject)
{
	struct exposure_options o = {.d_max = d_max, .by_subject = by_subject, .from_start = true};
	struct exposure *x;

	ck_assert_int_eq(exposure_new(&o, &x), 0);
	return x;
}

static int decide(struct exposure *x, uint64_t seq, uint32_t slot, const char *subject)
{
	struct pick pick = {slot, 1};
	struct event ev = {.kind = EVENT_DECISION,
	    .seq = seq,
	    .decision = {.picks = &pick, .npicks = 1, .subject = subject}};

	return exposure_count(x, NULL, &ev, NULL);
}

START_TEST(subjects_have_a_bound)
{
	struct exposure *x = exposure_of_rests(2, true);
	char name[16];

	for (uint64_t i = 0; i < EXPOSURE_SUBJECTS_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", (unsigned)i);
		ck_assert_int_eq(decide(x, i + 2, 0, name), 0);
	}
	ck_assert_int_eq(decide(x, EXPOSURE_SUBJECTS_MAX + 2, 0, "more"), RC_LIMIT);
	ck_assert_int_eq(decide(x, EXPOSURE_SUBJECTS_MAX + 2, 0, "s0"), 0);
	exposure_free(x);
}
END_TEST

START_TEST(the_oldest_gives_up_its_reward)
{
	struct exposure *x = exposure_of_rests(2, false);

	for (uint64_t i = 0; i < EXPOSURE_OPEN_MAX; i++) {
		ck_assert_int_eq(decide(x, i + 2, 0, NULL), 0);
	}
	ck_assert_int_eq(decide(x, EXPOSURE_OPEN_MAX + 2, 0, NULL), 0);
	ck_assert_uint_eq(exposure_end(x).unrewarded, EXPOSURE_OPEN_MAX + 1);
	exposure_free(x);
}
END_TEST

START_TEST(arms_times_rests_have_a_bound)
{
	uint32_t arms = EXPOSURE_CELLS_MAX / 4096;
	struct exposure *x = exposure_of_rests(4096, false);

	ck_assert_int_eq(decide(x, 2, arms - 1, NULL), 0);
	ck_assert_int_eq(decide(x, 3, arms, NULL), RC_LIMIT);
	ck_assert_ptr_null(exposure_of(x, 0));
	ck_assert_ptr_nonnull(exposure_of(x, arms - 1));
	ck_assert_ptr_null(exposure_of(x, arms));
	exposure_free(x);
}
END_TEST

/* Of a log that was pruned the first rest of an arm is not known, however long it was. */
START_TEST(what_was_before_the_log_is_not_known)
{
	struct exposure_options o = {.d_max = 2};
	struct exposure *x;

	ck_assert_int_eq(exposure_new(&o, &x), 0);
	for (uint64_t seq = 10; seq < 20; seq++) {
		ck_assert_int_eq(decide(x, seq, seq == 19 ? 0 : seq > 10, NULL), 0);
	}
	/* the first pulls of arms 0 and 1; the last one of arm 0 is after a long rest */
	ck_assert_uint_eq(exposure_end(x).unknown, 2);
	exposure_free(x);
}
END_TEST

RUN("exposure", subjects_have_a_bound, the_oldest_gives_up_its_reward,
    arms_times_rests_have_a_bound, what_was_before_the_log_is_not_known)
